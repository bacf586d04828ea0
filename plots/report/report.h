/* A report on runs: one page of HTML that is whole in itself (style, script and pictures within it; a browser fetches nothing), for
 * screens light and dark, wide and narrow, and for paper. It says where the runs come from, has a row for every chosen site with what
 * `fit` and `stats` say of it, every kind of figure that is made from runs, by its usual settings, and the S-curve of every site.
 *
 * The page depends on the files, the options and the command line alone: the same input gives the same bytes.
 *
 * Memory: the statistics of one site at a time (analysis/stats.h), the table, and one figure with its file at a time; a page of a
 * figure is a few hundred KiB at 150 dpi. The HTML is written piece by piece. */
#ifndef NS_REPORT_H
#define NS_REPORT_H

#include <stdio.h>

#include "probe/base/api.h"
#include "plots/plot.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_report_options {
    double dpi;               /* of the layers of points within the figures */
    const char *font;         /* of the figures; NULL: the style's */
    const char *title;        /* NULL: made from the files' names */
    const char *command_line; /* what made the page, or NULL */
    ns_progress *progress;    /* or NULL */
} ns_report_options;

typedef struct ns_report_counts {
    int sites;   /* rows of the table */
    int figures; /* drawn */
    int missing; /* figures that the runs do not have the data for; the page says why */
} ns_report_counts;

/* Writes the page about the request's runs (see ns_plot_runs_open; `style` is its figures'). NS_ESTOP after a request to stop. */
NS_API int ns_report_write(FILE *file, const ns_plot_request *request,
                           const ns_report_options *options, ns_report_counts *counts,
                           ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
