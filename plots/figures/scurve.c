/* scurve: output against input of normalization layers, every point of them, and the curve that fits (Zhu et al. 2025, figure 2). */
#include <inttypes.h>
#include <math.h>

#include "analysis/fit.h"
#include "plots/site_panels.h"

enum { DEFAULT_SITES = 4, DEFAULT_COLUMNS = 4, CURVE_SPOTS = 257 };
enum { MOST_VECTOR_POINTS = 20000 };
#define MOST_VECTOR_POINTS_TEXT "20000"

typedef struct settings {
    bool vector_points;
} settings;

static int options(void *own, ns_option *out) {
    settings *s = own;
    *out = (ns_option){"vector-points",
                       0,
                       NS_OPT_FLAG,
                       &s->vector_points,
                       NULL,
                       "each point as a mark of its own that drawing programs can take up, at "
                       "most " MOST_VECTOR_POINTS_TEXT " in all",
                       NULL,
                       0,
                       0};
    return 1;
}

/* What was fitted to a panel's points, as a curve over the range of the points and lines of text. Nothing where the data does not decide a
 * curve. Memory of the figure. */
static int add_fit(ns_figure *figure, ns_item *item, const ns_site_panel *s, const ns_style *style,
                   ns_error *err) {
    ns_panel *panel = s->panel;
    const ns_curve *curve = ns_curve_find("tanh", err);
    ns_fit fit;
    if (!curve) return NS_EFAIL;
    int status = ns_site_panel_fit(s, curve, &fit, err);
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

static int fill(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s, ns_error *err) {
    ns_item *items = ns_figure_alloc(figure, 2, sizeof *items, err);
    if (!items) return NS_EFAIL;
    items[0] = ns_site_panel_layer(s);
    int status = r->no_fit ? NS_OK : add_fit(figure, &items[1], s, r->style, err);
    s->panel->items = items;
    s->panel->item_count = 1 + (items[1].count > 0);
    return status;
}

/* The layers of points as marks. */
static int separate_points(ns_figure *figure, ns_site_panel *const *panels, const ns_style *style,
                           ns_error *err) {
    uint64_t points = 0;
    for (int i = 0; i < figure->panel_count; i++) points += panels[i]->extent.points;
    if (points > MOST_VECTOR_POINTS)
        return ns_fail(err, NS_EUSAGE,
                       "--vector-points: expected at most %d points in all, found %" PRIu64
                       "; fewer --layers, or a run of fewer samples",
                       MOST_VECTOR_POINTS, points);
    int status = NS_OK;
    for (int i = 0; i < figure->panel_count && !status; i++) {
        const ns_site_panel *s = panels[i];
        ns_item *item = s->panel->item_count ? (ns_item *)(uintptr_t)s->panel->items : NULL;
        uint64_t count = 0;
        if (!item) continue;
        ns_spot *spots = ns_figure_alloc(figure, s->extent.points, sizeof *spots, err);
        status = spots ? ns_cloud_spots(&s->cloud, spots, s->extent.points, &count, err) : NS_EFAIL;
        if (status) {
            ns_fail_context(err, "%s: site %s", ns_store_path(s->run->store), s->name);
            break;
        }
        *item = (ns_item){.kind = NS_ITEM_MARKS,
                          .name = s->name,
                          .unlisted = true,
                          .spots = spots,
                          .count = count,
                          .fill = s->point,
                          .size = style->diameter};
    }
    return status;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    const ns_site_panels kind = {.sites = DEFAULT_SITES, .columns = DEFAULT_COLUMNS, .fill = fill};
    const settings *s = r->settings;
    ns_site_panel **panels = NULL;
    int status = ns_site_panels_build(r, &kind, figure, &panels, err);
    if (!status && s && s->vector_points) status = separate_points(figure, panels, r->style, err);
    return status;
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
    .some_sites = true,
    .fits = true,
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
    .in_report = "Output against input, every point, and the fitted s\302\267tanh(\316\261x).",
};
