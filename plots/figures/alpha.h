/* What the files of the figure alpha share: alpha.c gathers the pairs and describes the figure, alpha_epochs.c and alpha_sites.c its
 * panels. */
#ifndef NS_FIGURE_ALPHA_H
#define NS_FIGURE_ALPHA_H

#include "plots/plot.h"
#include "probe/store/training.h"

#define NS_ALPHA_SIGN "\316\261"
#define NS_SIGMA_SIGN "\317\203"

typedef struct ns_alpha_settings {
    int sigma, from; /* which 1/sigma: all, rows, robust; where a store's sites are read from */
    bool log;
    const char *over_epochs;
} ns_alpha_settings;

/* A site in the last panels. */
typedef struct ns_alpha_pair {
    int run, site; /* place of its file; index from 1 */
    ns_role role;
    bool learned;
    double alpha, inverse;
    const char *name; /* the figure's */
} ns_alpha_pair;

typedef struct ns_alpha_work {
    const ns_plot_request *request;
    const ns_alpha_settings *settings;
    ns_figure *figure;
    ns_training **trainings; /* [file_count], NULL for stores; closed by the figure */
    ns_alpha_pair *pairs;
    int count, room, left_out; /* left_out: not finite, or not above 0 where axes are logarithmic */
    int deepest;               /* largest index of a site */
} ns_alpha_work;

/* alpha.c */
bool ns_alpha_can_be_drawn(const ns_alpha_work *w, double value);
const char *ns_alpha_run_label(const ns_alpha_work *w, int run, ns_error *err);
/* Which sites of a training are wanted, [sites], to be freed, also after a failure. */
int ns_alpha_select(const ns_alpha_work *w, const ns_training *t, bool **out, ns_error *err);
/* The columns [records, sites] of a training that has records of sites with an alpha; NS_EINPUT where it has not. */
int ns_alpha_columns(const ns_alpha_work *w, const ns_training *t, const double **alpha,
                     const double **inverse, ns_error *err);

/* alpha_epochs.c: alpha and 1/sigma of a training's sites over epochs; named after the run where there are several. */
int ns_alpha_epochs_panel(ns_alpha_work *w, int run, bool several, ns_panel *panel, ns_error *err);
/* alpha_sites.c: alpha against 1/sigma, of the pairs whose alpha was learned or of those whose alpha was fitted: of each kind a line and an
 * r of its own, as in normscope correlate. With `legend`, what explains all such panels stands beside this one. */
int ns_alpha_sites_panel(ns_alpha_work *w, bool learned, bool legend, ns_panel *panel,
                         ns_error *err);

#endif
