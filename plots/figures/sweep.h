/* What the files of the figure sweep share: sweep_read.c gathers the runs of the tables, sweep_means.c tells what is averaged, sweep_lines.c
 * and sweep_heat.c draw the two figures, sweep.c describes the kind. */
#ifndef NS_FIGURE_SWEEP_H
#define NS_FIGURE_SWEEP_H

#include "plots/plot.h"
#include "plots/tsv.h"

enum { NS_SWEEP_RANGE, NS_SWEEP_DEVIATION };
enum { NS_SWEEP_SERIES = 16, NS_SWEEP_LEVELS = 64 };

typedef struct ns_sweep_settings {
    const char *x, *y, *group, *second, *x_label, *y_label;
    int spread;
    bool log_x, log_y;
} ns_sweep_settings;

/* A run. */
typedef struct ns_sweep_row {
    int series;
    double x, second, y; /* x, second: number, or place among the words from 1 */
    int file, line;      /* which table, and which of its rows, from 0 */
} ns_sweep_row;

/* The words of a column that is not numbers alone, in the order in which they come. */
typedef struct ns_sweep_words {
    bool numbers;
    const char *names[NS_SWEEP_LEVELS]; /* the figure's */
    int count;
} ns_sweep_words;

typedef struct ns_sweep_work {
    const ns_plot_request *request;
    const ns_sweep_settings *settings;
    ns_figure *figure;
    ns_tsv *tables; /* [file_count] */
    ns_sweep_row *rows;
    int count, failed; /* failed: runs without a result, left out of rows */
    ns_sweep_words x, second;
    const char *series[NS_SWEEP_SERIES]; /* the figure's */
    int series_count;
    const char *x_label, *y_label, *second_label;
} ns_sweep_work;

/* Runs with the same settings. */
typedef struct ns_sweep_point {
    double mean, low, high; /* low, high: as settings->spread has it */
    int count;
} ns_sweep_point;

/* Opens the tables and gathers their runs; NS_EINPUT with the table and what it lacks. The caller closes w->tables and frees w->rows, also
 * after a failure. */
int ns_sweep_read(ns_sweep_work *w, ns_error *err);
/* By series, second and x, for qsort: runs that are alike become a point. */
int ns_sweep_compare(const void *a, const void *b);
/* The point of the runs that begin at row `at` of the sorted rows. */
ns_sweep_point ns_sweep_summarize(const ns_sweep_work *w, int at);
/* What the points are means over, into the figure's caption; a warning where that is more than seeds. */
int ns_sweep_tell_means(ns_sweep_work *w, ns_error *err);

/* Fills the panel; the rows are sorted. */
int ns_sweep_lines(ns_sweep_work *w, ns_panel *panel, ns_error *err);
int ns_sweep_heat(ns_sweep_work *w, ns_panel *panel, ns_error *err);

#endif
