/* scurve: output against input of normalization layers, every point of them, and the curve that fits (Zhu et al. 2025, figure 2). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "analysis/fit.h"
#include "analysis/runs.h"
#include "plots/series.h"
#include "plots/site_panels.h"

enum { DEFAULT_SITES = 4, DEFAULT_COLUMNS = 4, CURVE_SPOTS = 257, MOST_CURVES = 8, BAR_STEPS = 64 };
enum {
    MOST_ITEMS = 6 + MOST_CURVES
}; /* points, marked ones and their key, two bounds, a slope, and the fits */
#define NBSP "\302\240"

enum { MOST_VECTOR_POINTS = 20000 };
#define MOST_VECTOR_POINTS_TEXT "20000"

typedef struct settings {
    const char *curve, *mark;
    ns_row_choice marked; /* of `mark` */
    bool bound, slope, density, vector_points;
} settings;

static int options(void *own, ns_option *out) {
    settings *s = own;
    const ns_option all[] = {
        {"curve", 'c', NS_OPT_TEXT, &s->curve, "NAMES",
         "curves that are fitted, as tanh,erf, or all; see normscope fit", "tanh", 0, 0},
        {"mark", 'm', NS_OPT_TEXT, &s->mark, "CHOICE",
         "rows in another colour, chosen as by --rows; or none", "first, where the S rests on it",
         0, 0},
        {"bound", 'b', NS_OPT_FLAG, &s->bound, NULL,
         "the largest |y| that the kind of norm allows, as lines: sqrt(C - 1) for LayerNorm", NULL,
         0, 0},
        {"slope", 0, NS_OPT_FLAG, &s->slope, NULL,
         "the line x/sigma, sigma of all values: what one scale for all tokens would do", NULL, 0,
         0},
        {"density", 'd', NS_OPT_FLAG, &s->density, NULL,
         "points by the logarithm of their density, with a scale of colours", NULL, 0, 0},
        {"vector-points", 0, NS_OPT_FLAG, &s->vector_points, NULL,
         "each point as a mark of its own that drawing programs can take up, at "
         "most " MOST_VECTOR_POINTS_TEXT " in all",
         NULL, 0, 0},
    };
    memcpy(out, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

/* ---- fitted curves ---- */

/* A fit as a curve over the range of the points; without spots where the data do not decide one. Memory of the figure. */
static int make_curve(ns_figure *figure, ns_item *item, const ns_site_panel *s, const ns_fit *fit,
                      ns_stroke stroke, ns_error *err) {
    ns_spot *spots = ns_figure_alloc(figure, CURVE_SPOTS, sizeof *spots, err);
    if (!spots) return NS_EFAIL;
    for (int i = 0; i < CURVE_SPOTS; i++) {
        double x = s->extent.x_low + (s->extent.x_high - s->extent.x_low) * i / (CURVE_SPOTS - 1),
               first, second;
        double u = fit->theta[NS_ALPHA] * x + fit->theta[NS_SHIFT];
        spots[i] = (ns_spot){x, fit->theta[NS_SCALE] * fit->curve->value(u, &first, &second) +
                                    fit->theta[NS_OFFSET]};
    }
    *item =
        (ns_item){.kind = NS_ITEM_CURVE, .spots = spots, .count = CURVE_SPOTS, .stroke = stroke};
    return NS_OK;
}

static bool decided(const ns_fit *fit) {
    return !fit->degenerate && fit->converged;
}

/* Of one curve all its figures, below the legend. */
static int add_one(ns_figure *figure, ns_item *items, const ns_site_panel *s, const ns_fit *fit,
                   const ns_style *style, ns_error *err) {
    const char **notes = s->panel->notes;
    if (!decided(fit)) {
        notes[0] =
            ns_figure_text(figure, err, "no curve: %s", fit->degenerate ? fit->reason : fit->stop);
        return notes[0] ? NS_OK : NS_EFAIL;
    }
    int status = make_curve(figure, items, s, fit, style->curve, err);
    if (status) return status;
    char alpha[64], scale[64], index[64];
    ns_number_label(fit->theta[NS_ALPHA], 3, alpha);
    ns_number_label(fit->theta[NS_SCALE], 3, scale);
    ns_number_label(fit->s_index, 2, index);
    items->name = ns_figure_text(figure, err, "s\302\267%s(\316\261x)", fit->curve->name);
    notes[0] = ns_figure_text(figure, err, "\316\261 = %s", alpha);
    notes[1] = ns_figure_text(figure, err, "s = %s", scale);
    notes[2] = ns_figure_text(figure, err, "S-index %s", index);
    return items->name && notes[0] && notes[1] && notes[2] ? NS_OK : NS_EFAIL;
}

/* Of several what tells them apart. */
static int add_several(ns_figure *figure, ns_item *items, int *used, ns_site_panel *s,
                       const ns_fit *fits, int count, const ns_style *style, ns_error *err) {
    static const double dashes[][2] = {{0, 0}, {4, 2}, {1.2, 1.6}, {8, 2}};
    const char *text = "S-index";
    for (int k = 0; k < count && text; k++) {
        const double *dash = dashes[k % 4];
        ns_stroke stroke = style->curve;
        if (k) stroke.color = style->colors[(k + 1) % NS_STYLE_COLORS];
        stroke.dash = dash[0], stroke.gap = dash[1], stroke.round = dash[0] == 0;
        const char *name = fits[k].curve->name, *comma = k ? "," : "";
        char index[64];
        ns_number_label(fits[k].s_index, 2, index);
        text = decided(&fits[k])
                   ? ns_figure_text(figure, err, "%s%s %s" NBSP "%s", text, comma, name, index)
                   : ns_figure_text(figure, err, "%s%s no %s", text, comma, name);
        if (!decided(&fits[k])) continue;
        if (make_curve(figure, &items[*used], s, &fits[k], stroke, err)) return NS_EFAIL;
        items[(*used)++].name = name;
    }
    s->own = (void *)(uintptr_t)text;
    return text ? NS_OK : NS_EFAIL;
}

/* With more lines than a panel's legend has room for, the legend stands once, beside the last panel, and figures in the caption. */
static bool crowded(const settings *o) {
    return o && (o->bound || o->slope ||
                 (o->curve && (strchr(o->curve, ',') || !strcmp(o->curve, "all"))));
}

/* The notes of a panel to its part of the caption. */
static int move_notes(ns_figure *figure, ns_site_panel *s, ns_error *err) {
    const char **notes = s->panel->notes, *text = s->own;
    for (int i = 0; i < NS_MOST_NOTES && notes[i]; i++) {
        text = ns_figure_text(figure, err, "%s%s%s", text ? text : "", text ? ", " : "", notes[i]);
        if (!text) return NS_EFAIL;
        notes[i] = NULL;
    }
    s->own = (void *)(uintptr_t)text;
    return NS_OK;
}

/* Both S-indices for the caption, where the S of all rows is another without position 0. */
static int tell_first(ns_figure *figure, ns_site_panel *s, const ns_fit *fit, ns_error *err) {
    char all[64], others[64];
    if (!ns_fit_rests_on_first(fit)) return NS_OK;
    ns_number_label(fit->s_index, 2, all);
    double rest = fit->s_index_of[NS_ROWS_NOT_FIRST];
    ns_number_label(fabs(rest) < 0.005 ? 0 : rest, 2, others);
    s->remark = ns_figure_text(figure, err, "S-index %s, %s without position 0", all, others);
    return s->remark ? NS_OK : NS_EFAIL;
}

/* Rows in another colour: those asked for, else position 0 where the S of all rows is another without it. A sketch has no picture of some. */
static int mark_rows(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s,
                     const ns_fit *fit, ns_item *items, int *used, ns_error *err) {
    const settings *o = r->settings;
    ns_row_choice first;
    bool asked = o && o->mark, some = r->rows && r->rows->count;
    int status = ns_row_choice_parse(&first, "first", err), added = 0;
    const ns_row_choice *choice = asked ? &o->marked : &first;
    if (asked && !strcmp(o->mark, "none")) return NS_OK;
    if (status || (!asked && (!fit || !ns_fit_rests_on_first(fit) || some))) return status;
    if (s->cloud.from_sketch)
        return asked ? ns_fail(err, NS_EINPUT, "--mark: expected stored rows, found a sketch")
                     : NS_OK;
    const char *name = asked ? ns_figure_label(figure, o->mark, err) : "position 0";
    if (!name) return NS_EFAIL;
    status = ns_site_panel_mark(s, choice, r->style->colors[2], name, items + *used, &added, err);
    *used += added;
    return status;
}

static int add_fits(const ns_plot_request *r, ns_figure *figure, ns_item *items, int *used,
                    ns_site_panel *s, ns_error *err) {
    const settings *o = r->settings;
    const ns_curve *curves[MOST_CURVES];
    ns_fit fits[MOST_CURVES];
    int count, status = ns_curves_choose(curves, MOST_CURVES, &count,
                                         o && o->curve ? o->curve : "tanh", err);
    if (status) {
        ns_fail_context(err, "--curve");
        return status;
    }
    status = ns_site_panel_fit(s, curves, count, fits, err);
    if (!status) status = tell_first(figure, s, &fits[0], err);
    if (!status) status = mark_rows(r, figure, s, &fits[0], items, used, err);
    if (status) return status;
    if (count > 1) return add_several(figure, items, used, s, fits, count, r->style, err);
    status = add_one(figure, items + *used, s, &fits[0], r->style, err);
    *used += items[*used].count > 0;
    return status;
}

/* ---- lines that need no fit ---- */

static int add_straight(ns_figure *figure, ns_item *item, ns_spot from, ns_spot to,
                        const char *name, const ns_style *style, double dash, ns_error *err) {
    ns_spot *ends = ns_figure_alloc(figure, 2, sizeof *ends, err);
    if (!ends || !name) return NS_EFAIL;
    ends[0] = from, ends[1] = to;
    *item = (ns_item){.kind = NS_ITEM_CURVE,
                      .name = name,
                      .spots = ends,
                      .count = 2,
                      .stroke = {style->faint, 0.7, dash, dash, false}};
    return NS_OK;
}

/* y = b and y = -b; none where the kind has no bound. The axis reaches there once all panels of a run are known. */
static int add_bound(const ns_plot_request *r, ns_figure *figure, ns_item *items, int *used,
                     const ns_site_panel *s, ns_error *err) {
    const ns_norm *norm = &s->info->site.norm;
    double bound = norm->kind->bound(norm), x = s->panel->x.high * 1.1;
    if (!isfinite(bound)) return NS_OK;
    char number[64];
    const char *name =
        ns_figure_text(figure, err, "bound \302\261%s", ns_number_short(bound, 3, number));
    for (int k = 0; k < 2; k++) {
        double y = k ? -bound : bound;
        int status = add_straight(figure, &items[*used], (ns_spot){-x, y}, (ns_spot){x, y}, name,
                                  r->style, 2.6, err);
        if (status) return status;
        (*used)++;
    }
    return NS_OK;
}

static int add_slope(const ns_plot_request *r, ns_figure *figure, ns_item *items, int *used,
                     const ns_site_panel *s, ns_error *err) {
    const ns_stats_options options = {.tolerance = 0.1, .no_fit = true};
    ns_stats stats = {0};
    int status = ns_runs_stats(&stats, s->run->store, s->site, (ns_source_choice)0, &options, err);
    double slope = stats.inverse_sigma, x = s->panel->x.high * 1.1;
    ns_stats_free(&stats);
    if (status || !isfinite(slope)) return status;
    return add_straight(figure, &items[(*used)++], (ns_spot){-x, -slope * x},
                        (ns_spot){x, slope * x}, "x/\317\203", r->style, 1.3, err);
}

static int fill(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s, ns_error *err) {
    const settings *o = r->settings;
    ns_item *items = ns_figure_alloc(figure, 2 * MOST_ITEMS, sizeof *items, err); /* and keys */
    if (!items) return NS_EFAIL;
    items[0] = ns_site_panel_layer(s);
    int used = 1, status = NS_OK;
    if (o && o->bound) status = add_bound(r, figure, items, &used, s, err);
    if (!status && o && o->slope) status = add_slope(r, figure, items, &used, s, err);
    if (!status && r->no_fit) status = mark_rows(r, figure, s, NULL, items, &used, err);
    if (!status && !r->no_fit) status = add_fits(r, figure, items, &used, s, err);
    s->panel->items = items;
    s->panel->item_count = used;
    if (status || !crowded(o)) return status;
    for (int i = 1; i < used; i++) items[i].unlisted = true;
    return move_notes(figure, s, err);
}

/* ---- what concerns all panels ---- */

/* "ViT LN layer 3: S-index tanh 0.22, erf 0.21." and so on; "" where there is nothing to say. */
static const char *describe(const ns_plot_request *r, ns_figure *figure,
                            ns_site_panel *const *panels, ns_error *err) {
    const char *text = "";
    for (int i = 0; i < figure->panel_count && text && crowded(r->settings); i++)
        if (panels[i]->own)
            text = ns_figure_text(figure, err, "%s%s%s: %s.", text, *text ? " " : "",
                                  panels[i]->panel->title, (const char *)panels[i]->own);
    return text;
}

/* Keys of the panel that has most lines, beside the first row's last one. */
static void add_legend(ns_figure *figure) {
    const ns_panel *from = NULL;
    ns_panel *last = NULL;
    for (int i = 0; i < figure->panel_count; i++) {
        ns_panel *p = &figure->panels[i];
        if (!from || p->item_count > from->item_count) from = p;
        if (p->row == figure->panels[0].row) last = p;
    }
    if (!last || from->item_count < 2) return;
    ns_item *keys = (ns_item *)(uintptr_t)last->items;
    int count = from->item_count;
    for (int i = 1; i < count; i++) {
        const ns_item *line = &from->items[i];
        if (i > 1 && line->name == from->items[i - 1].name) continue; /* the other bound */
        if (!line->name) continue;                                    /* a layer */
        ns_item *key = &keys[last->item_count++];
        if (line->kind == NS_ITEM_MARKS)
            *key = *line, key->unlisted = false;
        else
            *key = (ns_item){.kind = NS_ITEM_CURVE, .name = line->name, .stroke = line->stroke};
    }
    last->aside = true;
}

/* Every panel of a run reaches the largest bound among them, since they share their y. */
static void reach_bounds(ns_figure *figure, ns_site_panel *const *panels) {
    for (int i = 0, next; i < figure->panel_count; i = next) {
        double most = 0;
        for (next = i; next < figure->panel_count && panels[next]->run == panels[i]->run; next++) {
            const ns_norm *norm = &panels[next]->info->site.norm;
            double bound = norm->kind->bound(norm);
            if (isfinite(bound)) most = fmax(most, 1.08 * bound);
        }
        for (int k = i; k < next; k++) {
            ns_axis *y = &figure->panels[k].y;
            if (y->high < most) y->high = most, y->low = -most;
        }
    }
}

/* Two decades less than there are points, so that the colours are those of a bulk and its tails; beyond the last panel of each row the
 * scale that all share. */
static int show_density(ns_figure *figure, ns_site_panel *const *panels, ns_error *err) {
    ns_axis *bar = ns_figure_alloc(figure, 1, sizeof *bar, err);
    const ns_color *colors = ns_series_map(figure, BAR_STEPS, err);
    if (!bar || !colors) return NS_EFAIL;
    uint64_t most = 1;
    for (int i = 0; i < figure->panel_count; i++)
        if (panels[i]->extent.points > most) most = panels[i]->extent.points;
    int decades = (int)lround(log10((double)most)) - 2;
    decades = decades < 2 ? 2 : decades > 6 ? 6 : decades;
    *bar = (ns_axis){
        .low = pow(10, -decades), .high = 1, .log = true, .label = "density, of the largest"};
    for (int i = 0; i < figure->panel_count; i++) {
        ns_panel *p = &figure->panels[i];
        panels[i]->decades = decades;
        if (i + 1 < figure->panel_count && p[1].row == p->row) continue;
        p->bar = bar;
        p->bar_colors = colors;
        p->bar_count = BAR_STEPS;
    }
    return NS_OK;
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
    const ns_site_panels kind = {
        .sites = DEFAULT_SITES, .columns = DEFAULT_COLUMNS, .fill = fill, .describe = describe};
    settings *s = r->settings;
    ns_site_panel **panels = NULL;
    if (s && s->mark && strcmp(s->mark, "none") != 0) {
        int parsed = ns_row_choice_parse(&s->marked, s->mark, err);
        if (parsed) {
            ns_fail_context(err, "--mark");
            return parsed;
        }
    }
    int status = ns_site_panels_build(r, &kind, figure, &panels, err);
    if (status || !s) return status;
    if (s->density && s->vector_points)
        return ns_fail(err, NS_EUSAGE, "expected one of --density and --vector-points, found both");
    if (s->bound) reach_bounds(figure, panels);
    if (crowded(s)) add_legend(figure);
    if (s->density) status = show_density(figure, panels, err);
    if (!status && s->vector_points) status = separate_points(figure, panels, r->style, err);
    return status;
}

const ns_figure_kind ns_figure_scurve = {
    .name = "scurve",
    .summary = "output against input of normalization layers",
    .details =
        "Every point of the chosen sites (four, spread over the depth, unless sites are "
        "named), none left out but padding and what is not finite, and "
        "over them the fitted s tanh(alpha x), or other curves, or several. Points are "
        "translucent; where they lie over "
        "each other the colour darkens with the logarithm of their number. Each FILE is a "
        "row of panels; y is shared within it. Where the S-index of all points is another without "
        "position 0, that position has a colour of its own and the caption says both. Of a run "
        "that kept a sample of its rows, "
        "those with the extreme values are drawn as well.",
    .examples = "  normscope plot scurve run.h5 -o scurve.pdf\n"
                "  normscope plot scurve run.h5 --layers 4,8,12,16 --style paper -o scurve.svg\n"
                "  normscope plot scurve run.h5 --curve tanh,erf --bound --slope -o lines.pdf\n"
                "  normscope plot scurve run.h5 --density -o density.pdf\n"
                "  normscope plot scurve run.h5 --all -o all.pdf\n",
    .takes_runs = true,
    .per_site = true,
    .some_sites = true,
    .fits = true,
    .takes_rows = true,
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
    .in_report = "Output against input, every point, and the fitted s\302\267tanh(\316\261x).",
};
