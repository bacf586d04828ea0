/* scurve: output against input of normalization layers, every point of them, and the curve that fits (Zhu et al. 2025, figure 2). */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit.h"
#include "plots/grid.h"
#include "plots/plot.h"
#include "probe/base/mem.h"

enum { DEFAULT_SITES = 4, DEFAULT_COLUMNS = 4, CURVE_SPOTS = 257 };

/* One panel's points. */
typedef struct site_points {
    ns_cloud cloud;
    ns_extent extent;
    const char *name; /* of the site, for data */
    int panel;        /* from 0 */
} site_points;

static void site_points_free(void *object) {
    site_points *s = object;
    ns_cloud_free(&s->cloud);
    free(s);
}

static void write_bins(const site_points *s, const ns_grid *g, FILE *data) {
    for (int j = 0; j < g->height; j++)
        for (int i = 0; i < g->width; i++) {
            uint32_t count = g->counts[(size_t)j * (size_t)g->width + (size_t)i];
            if (!count) continue;
            ns_figure_data_line(
                data, s->panel + 1, "bin", s->name,
                (const double[]){ns_grid_edge(g->x_low, g->x_high, g->width, i),
                                 ns_grid_edge(g->y_low, g->y_high, g->height, j),
                                 ns_grid_edge(g->x_low, g->x_high, g->width, i + 1),
                                 ns_grid_edge(g->y_low, g->y_high, g->height, j + 1), count});
        }
}

static int paint(void *user, const ns_panel *panel, int width, int height, const ns_style *style,
                 double dpi, ns_picture *out, FILE *data, ns_error *err) {
    site_points *s = user;
    ns_grid grid = {.width = width,
                    .height = height,
                    .x_low = panel->x.low,
                    .x_high = panel->x.high,
                    .y_low = panel->y.low,
                    .y_high = panel->y.high};
    int status = ns_grid_fill(&grid, &s->cloud, err);
    if (!status && data) write_bins(s, &grid, data);
    if (!status)
        status =
            ns_grid_discs(&grid, style->diameter * dpi / 72, style->point, style->deep, out, err);
    ns_grid_free(&grid);
    return status;
}

/* What was fitted to a panel's points, as a curve over the range of the points and lines of text. Nothing where the data does not decide a
 * curve. Memory of the figure. */
static int add_fit(ns_figure *figure, ns_panel *panel, ns_item *item, const site_points *s,
                   const ns_style *style, ns_error *err) {
    const ns_curve *curve = ns_curve_find("tanh", err);
    const ns_fit_options options = {.curves = &curve, .curve_count = 1};
    ns_fit fit;
    if (!curve) return NS_EFAIL;
    int status = s->cloud.from_sketch ? ns_fit_sketch(&s->cloud.sketch, &options, &fit, err)
                                      : ns_fit_points(&s->cloud.points, &options, &fit, err);
    if (status) return status;
    if (fit.degenerate || !fit.converged) {
        panel->notes[0] =
            ns_figure_text(figure, err, "no curve: %s", fit.degenerate ? fit.reason : fit.stop);
        return panel->notes[0] ? NS_OK : NS_EFAIL;
    }
    ns_spot *spots = ns_figure_alloc(figure, CURVE_SPOTS, sizeof *spots, err);
    if (!spots) return NS_EFAIL;
    for (int i = 0; i < CURVE_SPOTS; i++) {
        double x = s->extent.x_low + (s->extent.x_high - s->extent.x_low) * i / (CURVE_SPOTS - 1),
               first, second;
        double u = fit.theta[NS_ALPHA] * x + fit.theta[NS_SHIFT];
        spots[i] = (ns_spot){x, fit.theta[NS_SCALE] * curve->value(u, &first, &second) +
                                    fit.theta[NS_OFFSET]};
    }
    char alpha[64], scale[64], index[64];
    ns_number_label(fit.theta[NS_ALPHA], 3, alpha);
    ns_number_label(fit.theta[NS_SCALE], 3, scale);
    ns_number_label(fit.s_index, 2, index);
    *item = (ns_item){
        .kind = NS_ITEM_CURVE, .spots = spots, .count = CURVE_SPOTS, .stroke = style->curve};
    item->name = ns_figure_text(figure, err, "s\302\267tanh(\316\261x)");
    panel->notes[0] = ns_figure_text(figure, err, "\316\261 = %s", alpha);
    panel->notes[1] = ns_figure_text(figure, err, "s = %s", scale);
    panel->notes[2] = ns_figure_text(figure, err, "S-index %s", index);
    return item->name && panel->notes[0] && panel->notes[1] && panel->notes[2] ? NS_OK : NS_EFAIL;
}

/* "500 of 17000 rows", where the file keeps a sample, and points that cannot be drawn: never silently. */
static int note_missing(ns_figure *figure, ns_panel *panel, const ns_store_site *site,
                        const site_points *s, ns_error *err) {
    const ns_extent *extent = &s->extent;
    int at = 0;
    while (panel->notes[at]) at++;
    int first = at;
    if (site->sampled && !s->cloud.from_sketch &&
        !(panel->notes[at++] = ns_figure_text(figure, err, "%" PRIu64 " of %" PRIu64 " rows",
                                              site->rows, site->rows_seen)))
        return NS_EFAIL;
    if (extent->not_finite && !(panel->notes[at++] = ns_figure_text(
                                    figure, err, "%" PRIu64 " not finite", extent->not_finite)))
        return NS_EFAIL;
    panel->lasting = at - first;
    return NS_OK;
}

static int build_panel(const ns_plot_request *r, ns_figure *figure, const ns_plot_run *run,
                       int site, ns_panel *panel, ns_error *err) {
    const ns_store_site *info = ns_store_site_at(run->store, site);
    site_points *s = ns_calloc(1, sizeof *s, err);
    ns_item *items = ns_figure_alloc(figure, 2, sizeof *items, err);
    if (ns_figure_keep(figure, s, site_points_free, err) || !items) return NS_EFAIL;
    int status = ns_cloud_open(&s->cloud, run->store, site, err);
    if (!status) status = ns_cloud_extent(&s->cloud, &s->extent, err);
    if (status) return status;
    s->panel = (int)(panel - figure->panels);
    double most = fmax(fabs(s->extent.x_low), fabs(s->extent.x_high));
    panel->x = (ns_axis){.low = -most, .high = most};
    panel->title = ns_plot_site_title(figure, run->store, &info->site, err);
    panel->subtitle = ns_figure_label(figure, info->site.name, err);
    panel->legend = NS_LOWER_RIGHT;
    panel->items = items;
    panel->item_count = 1;
    s->name = panel->subtitle;
    items[0] = (ns_item){.kind = NS_ITEM_LAYER, .name = s->name, .layer = {paint, s}};
    if (!panel->title || !panel->subtitle) return NS_EFAIL;
    if (!s->extent.points) {
        panel->notes[0] = s->extent.not_finite ? "no finite points" : "no points";
    } else if (!r->no_fit) {
        status = add_fit(figure, panel, &items[1], s, r->style, err);
        panel->item_count += items[1].count > 0;
    }
    if (!status) status = note_missing(figure, panel, info, s, err);
    if (status)
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(run->store), info->site.index,
                        info->site.name);
    return status;
}

/* y is shared within a run, x is each panel's own. */
static void share_y(ns_figure *figure, int first, int count, const double *most) {
    double largest = 0;
    for (int i = 0; i < count; i++)
        if (most[first + i] > largest) largest = most[first + i];
    for (int i = first; i < first + count; i++) {
        ns_panel *p = &figure->panels[i];
        p->y.low = -largest, p->y.high = largest;
        ns_axis_guard(&p->x);
        ns_axis_guard(&p->y);
        ns_axis_pad(&p->x, 0.03);
        ns_axis_pad(&p->y, 0.05);
    }
}

/* What sites call their normalization, where all call it the same. */
static const char *norm_of(const ns_plot_run *run, const int *sites, int count) {
    const char *title = NULL;
    for (int i = 0; i < count; i++) {
        const char *its =
            ns_plot_norm_title(ns_store_site_at(run->store, sites[i])->site.norm.kind);
        if (title && strcmp(its, title) != 0) return "normalization";
        title = its;
    }
    return title;
}

static int build_run(const ns_plot_request *r, ns_figure *figure, const ns_plot_run *run,
                     const int *sites, int count, int row, ns_error *err) {
    int first = figure->panel_count, status = NS_OK;
    double *most = ns_calloc((size_t)first + (size_t)count, sizeof *most, err);
    if (!most) return NS_EFAIL;
    const char *model = ns_plot_model_title(figure, run->store, err);
    const char *norm = norm_of(run, sites, count);
    for (int i = 0; i < count && !status; i++) {
        ns_panel *panel = &figure->panels[figure->panel_count++];
        panel->row = row + i / figure->columns;
        panel->column = i % figure->columns;
        status = build_panel(r, figure, run, sites[i], panel, err);
        if (status) break;
        const site_points *s = panel->items[0].layer.user;
        most[first + i] = fmax(fabs(s->extent.y_low), fabs(s->extent.y_high));
        panel->y.bare = panel->column > 0;
        if (panel->column == 0 && model)
            panel->y.label = ns_figure_text(figure, err, "%s %s output", model, norm);
    }
    if (!status) share_y(figure, first, count, most);
    free(most);
    return status;
}

static const char *summarize(ns_figure *figure, ns_error *err) {
    uint64_t points = 0, not_finite = 0;
    for (int i = 0; i < figure->panel_count; i++) {
        const site_points *s = figure->panels[i].items[0].layer.user;
        points += s->extent.points;
        not_finite += s->extent.not_finite;
    }
    return not_finite
               ? ns_figure_text(figure, err, "%" PRIu64 " points; %" PRIu64 " not finite, left out",
                                points, not_finite)
               : ns_figure_text(figure, err, "%" PRIu64 " points", points);
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    int status = NS_OK, total = 0, widest = 0;
    int **sites = ns_figure_alloc(figure, (size_t)r->run_count, sizeof *sites, err),
        *counts = ns_figure_alloc(figure, (size_t)r->run_count, sizeof *counts, err);
    if (!sites || !counts) return NS_EFAIL;
    for (int k = 0; k < r->run_count; k++) {
        const ns_plot_run *run = &r->runs[k];
        if (!(sites[k] = ns_figure_alloc(figure, (size_t)run->site_count, sizeof **sites, err)))
            return NS_EFAIL;
        counts[k] =
            ns_plot_spread(run, r->all || run->chosen ? run->site_count : DEFAULT_SITES, sites[k]);
        total += counts[k];
        widest = counts[k] > widest ? counts[k] : widest;
    }
    figure->columns = r->columns ? r->columns : widest < DEFAULT_COLUMNS ? widest : DEFAULT_COLUMNS;
    figure->aspect = figure->columns > 1 ? 0.72 : 0.62;
    figure->panels = ns_figure_alloc(figure, (size_t)total, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    for (int k = 0; k < r->run_count && !status; k++) {
        status = build_run(r, figure, &r->runs[k], sites[k], counts[k], figure->rows, err);
        figure->rows += (counts[k] + figure->columns - 1) / figure->columns;
    }
    if (status) return status;
    const char *norm = norm_of(&r->runs[0], sites[0], counts[0]);
    for (int k = 1; k < r->run_count; k++)
        if (strcmp(norm_of(&r->runs[k], sites[k], counts[k]), norm) != 0) norm = "normalization";
    figure->x_label = ns_figure_text(figure, err, "%s input", norm);
    figure->summary = summarize(figure, err);
    return figure->x_label && figure->summary ? NS_OK : NS_EFAIL;
}

const ns_figure_kind ns_figure_scurve = {
    .name = "scurve",
    .summary = "output against input of normalization layers",
    .details = "Every point of the chosen sites (four, spread over the depth, unless sites are "
               "named), none left out but padding and what is not finite, and "
               "over them the fitted s tanh(alpha x). Points are translucent; where they lie over "
               "each other the colour darkens with the logarithm of their number. Each FILE is a "
               "row of panels; y is shared within it. Of a run that kept a sample of its rows, "
               "those with the extreme values are drawn as well.",
    .examples = "  normscope plot scurve run.h5 -o scurve.pdf\n"
                "  normscope plot scurve run.h5 --layers 4,8,12,16 --style paper -o scurve.svg\n"
                "  normscope plot scurve run.h5 --all -o all.pdf\n",
    .takes_runs = true,
    .per_site = true,
    .build = build,
    .in_report = "Output against input, every point, and the fitted s\302\267tanh(\316\261x).",
};
