/* Kinds of figures: one kind, one file in plots/figures/, one row of the table in plots/plot.c. A kind reads runs, and describes a figure. */
#ifndef NS_PLOT_H
#define NS_PLOT_H

#include <stdbool.h>

#include "probe/base/api.h"
#include "analysis/row_choice.h"
#include "plots/figure/figure.h"
#include "probe/base/cli.h"
#include "probe/base/error.h"
#include "probe/store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A run to draw. */
typedef struct ns_plot_run {
    ns_store *store;
    int *sites; /* [site_count], indices into the store, rising: those chosen */
    int site_count;
    bool chosen; /* by the user; else all */
} ns_plot_run;

typedef struct ns_plot_request {
    ns_plot_run *runs; /* [run_count]; none where the kind takes no runs */
    int run_count;
    const char *const *files; /* the arguments behind the kind */
    int file_count;
    const ns_style *style;
    int columns;  /* 0: chosen by the kind */
    double width; /* mm, of the figure, at most; 0: not known */
    bool all;     /* every site */
    bool no_fit;
    const ns_row_choice *rows;     /* that count, for kinds with takes_rows; NULL: all */
    const ns_selection *selection; /* of sites, for kinds that open their files themselves */
    void *settings;                /* the kind's own, after its options were read */
} ns_plot_request;

enum { NS_MOST_KIND_OPTIONS = 12 };

typedef struct ns_figure_kind {
    const char *name;     /* "scurve" */
    const char *summary;  /* one line, no full stop */
    const char *details;  /* for --help, or NULL */
    const char *examples; /* lines, or NULL */
    bool takes_runs;      /* files of the store, opened for the kind; else none */
    bool takes_files;     /* files that the kind opens itself */
    bool per_site;        /* sites are chosen one by one: --layers makes sense */
    bool some_sites;      /* of them only some are drawn unless they are named: --all makes sense */
    bool fits;            /* draws what --no-fit leaves out */
    bool takes_rows;      /* knows --rows */
    /* The kind's own options, at most NS_MOST_KIND_OPTIONS: they point into `settings`, which is zeroed memory of settings_size, and which
     * this sets to its defaults. NULL: none. Returns how many. */
    int (*options)(void *settings, ns_option *out);
    size_t settings_size;
    /* Fills in an empty figure. NS_EINPUT, with the file and what it lacks, where the runs do not have what the figure needs. */
    int (*build)(const ns_plot_request *request, ns_figure *figure, ns_error *err);
    /* Its caption on the page of `normscope report`; every kind that takes runs is there, under its summary where this is NULL, and kinds
     * that open runs themselves where this is not. */
    const char *in_report;
} ns_figure_kind;

NS_API extern const ns_figure_kind *const ns_figure_kinds[];
NS_API extern const int ns_figure_kind_count;

/* NULL and NS_EUSAGE, with near names and the list, where there is no such kind. */
NS_API const ns_figure_kind *ns_figure_kind_find(const char *name, ns_error *err);

/* Opens a run and chooses its sites. ns_plot_run_close afterwards, also after a failure. */
NS_API int ns_plot_run_open(ns_plot_run *run, const char *path, const ns_selection *selection,
                            ns_error *err);
NS_API void ns_plot_run_close(ns_plot_run *run);
/* Opens the files and chooses the sites. Free with ns_plot_runs_close, also after a failure. */
NS_API int ns_plot_runs_open(ns_plot_request *request, const ns_selection *selection,
                             ns_error *err);
NS_API void ns_plot_runs_close(ns_plot_request *request);

/* Names for labels, owned by the figure: "ViT LN layer 15", "ViT", "LN". NULL on failure. */
NS_API const char *ns_plot_site_title(ns_figure *figure, const ns_store *store, const ns_site *site,
                                      ns_error *err);
NS_API const char *ns_plot_model_title(ns_figure *figure, const ns_store *store, ns_error *err);
NS_API const char *ns_plot_norm_title(const ns_norm_kind *kind);
/* What sites (indices into the run's store) call their normalization: "normalization" where they differ. */
NS_API const char *ns_plot_norms_title(const ns_plot_run *run, const int *sites, int count);

/* At most `most` of the run's chosen sites, spread evenly over the depth with the last among them, into chosen; returns how many. */
NS_API int ns_plot_spread(const ns_plot_run *run, int most, int *chosen);

/* How many panels stand beside each other: what the user says, else at most `most`, and no more than leave each `least` mm with the labels
 * beside it. */
NS_API int ns_plot_columns(const ns_plot_request *request, int most, double least);

/* What a figure is written as. */
typedef struct ns_plot_output {
    const char *path;
    const char *data; /* a TSV file of what was drawn, or NULL */
    bool force;
    bool gnuplot; /* by gnuplot, whose script and data stay beside the figure; else by cairo */
    ns_figure_size size;
    const char *font; /* NULL: the style's */
    const char *title, *command_line, *source;
    int64_t date;
} ns_plot_output;

/* Draws every page into `path`, or, where the format holds one page, pages from the second on into NAME-2.ENDING and so on; *files counts
 * them. Nothing is left behind where it fails on the first. */
NS_API int ns_plot_write(const ns_figure *figure, const ns_style *style,
                         const ns_plot_output *output, int *files, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
