/* Figures whose panels are sites of runs: which sites, where their panels stand, their names and ranges, and all points as a layer. What else
 * a panel shows is the kind's.
 *
 * Memory: what a cloud holds (plots/grid.h) for each panel, and while one is painted, a grid of its pixels. */
#ifndef NS_SITE_PANELS_H
#define NS_SITE_PANELS_H

#include "analysis/fit.h"
#include "plots/grid.h"
#include "plots/plot.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A panel and its points; owned by the figure. */
typedef struct ns_site_panel {
    const ns_plot_run *run;
    int site; /* index into the store */
    const ns_store_site *info;
    ns_panel *panel;
    int number;       /* from 1 */
    const char *name; /* of the site, for data */
    ns_cloud cloud;
    ns_extent extent;
    ns_color point,
        deep; /* of the discs around the points; the style's, unless `open` or `fill` change them */
    int decades; /* of density that colours span, instead of discs one over the other; 0: discs */
    const char *remark; /* set by `fill`: for the caption, behind the panel's name */
    ns_cloud marked;    /* rows in a colour of their own, see ns_site_panel_mark */
    ns_color mark;
    const char *problem; /* set by `open`: nothing is drawn but this note */
    void *own;           /* the kind's */
} ns_site_panel;

/* What a kind adds. */
typedef struct ns_site_panels {
    int sites, columns; /* at most, where the user does not say */
    /* Opens the panel's cloud; NULL: ns_cloud_open. */
    int (*open)(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s, ns_error *err);
    /* Sets the panel's items and first notes, and may set more of it; called where there are points. The layer of all points is
     * ns_site_panel_layer. */
    int (*fill)(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s, ns_error *err);
    /* The figure's caption, once every panel is filled: panels [figure->panel_count]; "" for none, as without it, NULL on
     * failure. */
    const char *(*describe)(const ns_plot_request *r, ns_figure *figure,
                            ns_site_panel *const *panels, ns_error *err);
    const char *y_label; /* instead of "ViT LN output", or NULL */
    double y_room;       /* above and below the points, of their range; 0: as scurve has it */
} ns_site_panels;

/* Fills in an empty figure. *out (or NULL) receives the panels, [figure->panel_count]. */
int ns_site_panels_build(const ns_plot_request *r, const ns_site_panels *kind, ns_figure *figure,
                         ns_site_panel ***out, ns_error *err);

/* All points of the cloud, as discs; in the data as bins. */
ns_item ns_site_panel_layer(ns_site_panel *s);

/* A layer of the rows that the choice takes, in `color`, above that of all points; its item and, with name, a line of the legend into items
 * [2]; *used counts them, none where there are no such rows. Of a panel that is drawn from rows. */
int ns_site_panel_mark(ns_site_panel *s, const ns_row_choice *choice, ns_color color,
                       const char *name, ns_item *items, int *used, ns_error *err);

/* Makes that layer pale: what stands before it is in colour. */
void ns_site_panel_pale(ns_site_panel *s);

/* The bins of a grid that hold points, as data. */
void ns_grid_write(const ns_grid *grid, int panel, const char *name, FILE *data);

/* The fits [count] of curves to all that the file holds of a site, as normscope fit makes them: of the rows where all are there, else of
 * the sketch. */
int ns_site_panel_fit(const ns_site_panel *s, const ns_curve *const *curves, int count, ns_fit *out,
                      ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
