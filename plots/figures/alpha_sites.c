/* The panel of alpha against 1/sigma over the sites. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/correlation.h"
#include "plots/figures/alpha.h"
#include "plots/series.h"
#include "probe/base/mem.h"

enum { BAR_STEPS = 64 };

/* As in ns_alpha_settings.sigma. */
static const char *const sigma_labels[] = {"1/" NS_SIGMA_SIGN " of the input",
                                           "1/" NS_SIGMA_SIGN " of rows of the input, median",
                                           "1/" NS_SIGMA_SIGN " of the input, robust (MAD)"};

static const ns_mark role_marks[NS_ROLE_COUNT] = {NS_MARK_DISC,     NS_MARK_SQUARE, NS_MARK_DIAMOND,
                                                  NS_MARK_TRIANGLE, NS_MARK_PLUS,   NS_MARK_CROSS};

static ns_color depth_color(const ns_alpha_work *w, int site) {
    return ns_color_map(w->deepest > 1 ? (site - 1.0) / (w->deepest - 1.0) : 0);
}

/* The pairs of one run and one role; an item without spots where it has none. */
static int add_marks(ns_alpha_work *w, int run, ns_role role, ns_item *item, ns_error *err) {
    int n = 0;
    for (int i = 0; i < w->count; i++) n += w->pairs[i].run == run && w->pairs[i].role == role;
    ns_spot *spots = ns_figure_alloc(w->figure, (size_t)n, sizeof *spots, err);
    ns_color *colors = ns_figure_alloc(w->figure, (size_t)n, sizeof *colors, err);
    double *values = ns_figure_alloc(w->figure, (size_t)n, sizeof *values, err);
    const char *file = ns_alpha_run_label(w, run, err);
    if (!spots || !colors || !values || !file) return NS_EFAIL;
    bool several = w->request->file_count > 1;
    const ns_style *style = w->request->style;
    *item = (ns_item){.kind = NS_ITEM_MARKS,
                      .name = ns_figure_text(w->figure, err, "%s %s", file, ns_role_name(role)),
                      .unlisted = true,
                      .spots = spots,
                      .colors = colors,
                      .values = values,
                      .mark = role_marks[role],
                      .size = 4.6,
                      .stroke = {several ? style->colors[run % NS_STYLE_COLORS] : style->text,
                                 several ? 0.9 : 0.35, 0, 0, false}};
    for (int i = 0; i < w->count; i++) {
        const ns_alpha_pair *p = &w->pairs[i];
        if (p->run != run || p->role != role) continue;
        spots[item->count] = (ns_spot){p->inverse, p->alpha};
        colors[item->count] = depth_color(w, p->site);
        values[item->count++] = p->site;
    }
    return item->name ? NS_OK : NS_EFAIL;
}

/* Lines of the legend that no pair is drawn by: roles in grey, and runs by the colour of their outlines. */
static int add_keys(ns_alpha_work *w, ns_item *items, int *count, ns_error *err) {
    const ns_style *style = w->request->style;
    for (int role = 0; role < NS_ROLE_COUNT; role++) {
        bool there = false;
        for (int i = 0; i < w->count; i++) there |= (int)w->pairs[i].role == role;
        if (!there) continue;
        items[(*count)++] = (ns_item){.kind = NS_ITEM_MARKS,
                                      .name = ns_role_name((ns_role)role),
                                      .fill = {0.75, 0.75, 0.75, 1},
                                      .stroke = {style->text, 0.35, 0, 0, false},
                                      .mark = role_marks[role],
                                      .size = 4.6};
    }
    for (int run = 0; run < w->request->file_count && w->request->file_count > 1; run++) {
        const char *label = ns_alpha_run_label(w, run, err);
        if (!label) return NS_EFAIL;
        items[(*count)++] =
            (ns_item){.kind = NS_ITEM_MARKS,
                      .name = label,
                      .fill = {1, 1, 1, 1},
                      .stroke = {style->colors[run % NS_STYLE_COLORS], 0.9, 0, 0, false},
                      .mark = NS_MARK_DISC,
                      .size = 4.6};
    }
    return NS_OK;
}

/* Least squares of alpha on 1/sigma; of their logarithms where the axes are logarithmic. False where they decide no line. */
static bool regress(const ns_alpha_work *w, double *slope, double *offset) {
    double n = w->count, mx = 0, my = 0, xx = 0, xy = 0;
    bool log_ = w->settings->log;
    for (int i = 0; i < w->count; i++) {
        mx += (log_ ? log(w->pairs[i].inverse) : w->pairs[i].inverse) / n;
        my += (log_ ? log(w->pairs[i].alpha) : w->pairs[i].alpha) / n;
    }
    for (int i = 0; i < w->count; i++) {
        double x = (log_ ? log(w->pairs[i].inverse) : w->pairs[i].inverse) - mx;
        double y = (log_ ? log(w->pairs[i].alpha) : w->pairs[i].alpha) - my;
        xx += x * x;
        xy += x * y;
    }
    *slope = xy / xx;
    *offset = my - *slope * mx;
    return w->count > 2 && isfinite(*slope);
}

static ns_item straight(ns_spot *ends, const char *name, ns_stroke stroke) {
    return (ns_item){
        .kind = NS_ITEM_CURVE, .name = name, .spots = ends, .count = 2, .stroke = stroke};
}

/* The identity over the whole panel, and the regression over the range of the pairs. */
static int add_guides(ns_alpha_work *w, const ns_panel *panel, const ns_axis *data_x,
                      ns_item *items, int *count, ns_error *err) {
    ns_spot *ends = ns_figure_alloc(w->figure, 4, sizeof *ends, err);
    if (!ends) return NS_EFAIL;
    const ns_style *style = w->request->style;
    ends[0] = (ns_spot){panel->x.low, panel->x.low};
    ends[1] = (ns_spot){panel->x.high, panel->x.high};
    items[(*count)++] = straight(ends, "identity", (ns_stroke){style->faint, 0.7, 2.6, 1.6, false});
    double slope, offset;
    if (!regress(w, &slope, &offset)) return NS_OK;
    for (int k = 0; k < 2; k++) {
        double x = k ? data_x->high : data_x->low;
        ends[2 + k] =
            (ns_spot){x, w->settings->log ? exp(offset + slope * log(x)) : offset + slope * x};
    }
    items[(*count)++] = straight(ends + 2, "least squares", style->curve);
    return NS_OK;
}

static const char *decimal(double value, int decimals, char text[16]) {
    snprintf(text, 16, "%s%.*f", value < 0 ? NS_MINUS : "", decimals, fabs(value));
    return text;
}

/* "r = 0.83" and its interval as the panel's name. */
static int add_correlation(ns_alpha_work *w, ns_panel *panel, ns_error *err) {
    double *values = ns_calloc(2 * (size_t)w->count, sizeof *values, err);
    if (!values) return NS_EFAIL;
    for (int i = 0; i < w->count; i++) {
        values[i] = w->pairs[i].inverse;
        values[w->count + i] = w->pairs[i].alpha;
    }
    ns_correlation c;
    bool log_ = w->settings->log;
    int status = ns_correlate(&c, log_ ? NS_LOG : NS_PEARSON, w->count, values, values + w->count,
                              NULL, 0, 0, err);
    free(values);
    if (status) return status;
    const int decimals = fabs(c.r) < 0.99 ? 2 : 3;
    if (isfinite(c.low)) {
        char r[16], low[16], high[16];
        panel->title = ns_figure_text(w->figure, err, "r%s = %s (%s to %s)", log_ ? " of logs" : "",
                                      decimal(c.r, decimals, r), decimal(c.low, decimals, low),
                                      decimal(c.high, decimals, high));
        panel->subtitle = ns_figure_text(w->figure, err, "%d sites, 95 %% interval", w->count);
    } else {
        panel->title = w->count < 4 ? "too few sites for r" : "no r: values are alike";
        panel->subtitle = "";
    }
    w->figure->summary =
        isfinite(c.low) ? ns_figure_text(w->figure, err, "%d sites, r = %.3f (95 %%: %.3f to %.3f)",
                                         w->count, c.r, c.low, c.high)
                        : ns_figure_text(w->figure, err, "%d sites, no r", w->count);
    return panel->title && panel->subtitle && w->figure->summary ? NS_OK : NS_EFAIL;
}

static const char *alpha_label(const ns_alpha_work *w) {
    bool learned = false, fitted = false;
    for (int i = 0; i < w->count; i++)
        learned |= w->pairs[i].learned, fitted |= !w->pairs[i].learned;
    return !fitted   ? NS_ALPHA_SIGN
           : learned ? NS_ALPHA_SIGN ", or fitted s\302\267" NS_ALPHA_SIGN
                     : "fitted s\302\267" NS_ALPHA_SIGN;
}

static int add_bar(ns_alpha_work *w, ns_panel *panel, ns_error *err) {
    ns_axis *bar = ns_figure_alloc(w->figure, 1, sizeof *bar, err);
    if (!bar || !(panel->bar_colors = ns_series_map(w->figure, BAR_STEPS, err))) return NS_EFAIL;
    *bar = (ns_axis){.low = 1, .high = w->deepest, .label = "site", .whole = true};
    ns_axis_guard(bar);
    panel->bar = bar;
    panel->bar_count = BAR_STEPS;
    return NS_OK;
}

int ns_alpha_sites_panel(ns_alpha_work *w, ns_panel *panel, ns_error *err) {
    int runs = w->request->file_count, count = 0, status = NS_OK;
    ns_item *items = ns_figure_alloc(
        w->figure, NS_ROLE_COUNT * ((size_t)runs + 1) + (size_t)runs + 2, sizeof *items, err);
    panel->x = ns_axis_unknown(w->settings->log);
    panel->y = ns_axis_unknown(w->settings->log);
    if (!items) return NS_EFAIL;
    for (int i = 0; i < w->count; i++) {
        ns_axis_reach(&panel->x, w->pairs[i].inverse);
        ns_axis_reach(&panel->y, w->pairs[i].alpha);
    }
    const ns_axis data_x = panel->x;
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->x, 0.07);
    ns_axis_pad(&panel->y, 0.09);
    panel->x.label = sigma_labels[w->settings->sigma];
    panel->y.label = alpha_label(w);
    panel->items = items;
    panel->aside = true;
    status = add_guides(w, panel, &data_x, items, &count, err);
    for (int run = 0; run < runs && !status; run++)
        for (int role = 0; role < NS_ROLE_COUNT && !status; role++) {
            status = add_marks(w, run, (ns_role)role, &items[count], err);
            count += !status && items[count].count > 0;
        }
    if (!status) status = add_keys(w, items, &count, err);
    panel->item_count = count;
    if (!status && w->left_out) {
        panel->notes[0] = ns_figure_text(
            w->figure, err, w->settings->log ? "%d not finite or not above 0" : "%d not finite",
            w->left_out);
        panel->lasting = 1;
        if (!panel->notes[0]) status = NS_EFAIL;
    }
    if (!status && w->deepest > 1) status = add_bar(w, panel, err);
    return status ? status : add_correlation(w, panel, err);
}
