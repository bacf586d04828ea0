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

static ns_color depth_color(const ns_alpha_work *w, int site) {
    return ns_color_map(w->deepest > 1 ? (site - 1.0) / (w->deepest - 1.0) : 0);
}

/* The file's colour: that of the outlines of its pairs, and of its line. */
static ns_color run_color(const ns_alpha_work *w, int run) {
    return w->request->style->colors[run % NS_STYLE_COLORS];
}

static bool has_several(const ns_alpha_work *w) {
    return w->request->file_count > 1;
}

/* Which pairs: alpha learned or fitted, never both, since they are different quantities; those of one run, or of all (run < 0). */
typedef struct chosen {
    bool learned;
    int run;
} chosen;

static bool is_chosen(const ns_alpha_pair *p, chosen which) {
    return p->learned == which.learned && (which.run < 0 || p->run == which.run);
}

static int count_pairs(const ns_alpha_work *w, chosen which) {
    int n = 0;
    for (int i = 0; i < w->count; i++) n += is_chosen(&w->pairs[i], which);
    return n;
}

/* The pairs of one role; an item without spots where it has none. */
static int add_marks(ns_alpha_work *w, chosen which, ns_role role, ns_item *item, ns_error *err) {
    size_t n = (size_t)count_pairs(w, which);
    ns_spot *spots = ns_figure_alloc(w->figure, n, sizeof *spots, err);
    ns_color *colors = ns_figure_alloc(w->figure, n, sizeof *colors, err);
    double *values = ns_figure_alloc(w->figure, n, sizeof *values, err);
    const char *file = ns_alpha_run_label(w, which.run, err);
    if (!spots || !colors || !values || !file) return NS_EFAIL;
    bool several = has_several(w);
    *item = (ns_item){.kind = NS_ITEM_MARKS,
                      .name = ns_figure_text(w->figure, err, "%s %s", file, ns_role_name(role)),
                      .unlisted = true,
                      .spots = spots,
                      .colors = colors,
                      .values = values,
                      .mark = ns_role_marks[role],
                      .size = 4.6,
                      .stroke = {several ? run_color(w, which.run) : w->request->style->text,
                                 several ? 0.9 : 0.35, 0, 0, false}};
    for (int i = 0; i < w->count; i++) {
        const ns_alpha_pair *p = &w->pairs[i];
        if (!is_chosen(p, which) || p->role != role) continue;
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
                                      .mark = ns_role_marks[role],
                                      .size = 4.6};
    }
    for (int run = 0; run < w->request->file_count && has_several(w); run++) {
        const char *label = ns_alpha_run_label(w, run, err);
        if (!label) return NS_EFAIL;
        items[(*count)++] = (ns_item){.kind = NS_ITEM_MARKS,
                                      .name = label,
                                      .fill = {1, 1, 1, 1},
                                      .stroke = {run_color(w, run), 0.9, 0, 0, false},
                                      .mark = NS_MARK_DISC,
                                      .size = 4.6};
    }
    return NS_OK;
}

/* What is correlated and regressed: x [count] 1/sigma, y [count] alpha; to be freed by free(x). */
typedef struct columns_of {
    double *x, *y;
    int count;
} columns_of;

static int collect(const ns_alpha_work *w, chosen which, columns_of *out, ns_error *err) {
    *out = (columns_of){.x = ns_calloc(2 * (size_t)w->count, sizeof *out->x, err)};
    if (!out->x) return NS_EFAIL;
    out->y = out->x + w->count;
    for (int i = 0; i < w->count; i++) {
        if (!is_chosen(&w->pairs[i], which)) continue;
        out->x[out->count] = w->pairs[i].inverse;
        out->y[out->count++] = w->pairs[i].alpha;
    }
    return NS_OK;
}

/* Least squares of alpha on 1/sigma; of their logarithms where the axes are logarithmic. False where they decide no line. */
static bool regress(const columns_of *c, bool log_, double *slope, double *offset) {
    double n = c->count, mx = 0, my = 0, xx = 0, xy = 0;
    for (int i = 0; i < c->count; i++) {
        mx += (log_ ? log(c->x[i]) : c->x[i]) / n;
        my += (log_ ? log(c->y[i]) : c->y[i]) / n;
    }
    for (int i = 0; i < c->count; i++) {
        double x = (log_ ? log(c->x[i]) : c->x[i]) - mx, y = (log_ ? log(c->y[i]) : c->y[i]) - my;
        xx += x * x;
        xy += x * y;
    }
    *slope = xy / xx;
    *offset = my - *slope * mx;
    return c->count > 2 && isfinite(*slope);
}

static ns_item straight(ns_spot *ends, const char *name, ns_stroke stroke) {
    return (ns_item){
        .kind = NS_ITEM_CURVE, .name = name, .spots = ends, .count = 2, .stroke = stroke};
}

/* The regression over the range of the pairs; in the colour of a file where there are several. */
static int add_regression(ns_alpha_work *w, chosen which, ns_item *items, int *count,
                          ns_error *err) {
    ns_spot *ends = ns_figure_alloc(w->figure, 2, sizeof *ends, err);
    columns_of c;
    int status = collect(w, which, &c, err);
    double slope, offset;
    if (!ends) status = NS_EFAIL;
    if (!status && regress(&c, w->settings->log, &slope, &offset)) {
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < c.count; i++) low = fmin(low, c.x[i]), high = fmax(high, c.x[i]);
        for (int k = 0; k < 2; k++) {
            double x = k ? high : low;
            ends[k] =
                (ns_spot){x, w->settings->log ? exp(offset + slope * log(x)) : offset + slope * x};
        }
        ns_item *line = &items[(*count)++];
        *line = straight(ends, "least squares", w->request->style->curve);
        const char *file = has_several(w) ? ns_alpha_run_label(w, which.run, err) : NULL;
        if (file) {
            line->name = ns_figure_text(w->figure, err, "%s least squares", file);
            line->unlisted = true;
            line->stroke.color = run_color(w, which.run);
        }
        if (has_several(w) && (!file || !line->name)) status = NS_EFAIL;
    }
    free(c.x);
    return status;
}

/* The identity over the whole panel, and a regression for each file. */
static int add_guides(ns_alpha_work *w, const ns_panel *panel, bool learned, ns_item *items,
                      int *count, ns_error *err) {
    ns_spot *ends = ns_figure_alloc(w->figure, 2, sizeof *ends, err);
    if (!ends) return NS_EFAIL;
    const ns_style *style = w->request->style;
    ends[0] = (ns_spot){panel->x.low, panel->x.low};
    ends[1] = (ns_spot){panel->x.high, panel->x.high};
    items[(*count)++] = straight(ends, "identity", (ns_stroke){style->faint, 0.7, 2.6, 1.6, false});
    int status = NS_OK, before = *count;
    for (int run = 0; run < w->request->file_count && !status; run++)
        status = add_regression(w, (chosen){learned, run}, items, count, err);
    if (*count > before && has_several(w))
        items[(*count)++] = (ns_item){.kind = NS_ITEM_CURVE,
                                      .name = "least squares",
                                      .stroke = {style->faint, style->curve.width, 0, 0, true}};
    return status;
}

static const char *decimal(double value, int decimals, char text[16]) {
    snprintf(text, 16, "%s%.*f", value < 0 ? NS_MINUS : "", decimals, fabs(value));
    return text;
}

/* Pearson's r of the chosen pairs, as normscope correlate has it. */
static int correlate(const ns_alpha_work *w, chosen which, ns_correlation *out, ns_error *err) {
    columns_of c;
    int status = collect(w, which, &c, err);
    if (!status)
        status = ns_correlate(out, w->settings->log ? NS_LOG : NS_PEARSON, c.count, c.x, c.y, NULL,
                              0, 0, err);
    free(c.x);
    return status;
}

/* "0.83 (0.52 to 0.94)". NULL on failure. */
static const char *r_text(ns_alpha_work *w, const ns_correlation *c, ns_error *err) {
    const int decimals = fabs(c->r) < 0.99 ? 2 : 3;
    char r[16], low[16], high[16];
    return ns_figure_text(w->figure, err, "%s (%s to %s)", decimal(c->r, decimals, r),
                          decimal(c->low, decimals, low), decimal(c->high, decimals, high));
}

static const char *alpha_word(bool learned) {
    return learned ? NS_ALPHA_SIGN : "fitted s\302\267" NS_ALPHA_SIGN;
}

/* Where a panel has the pairs of several files, the caption has the r of each: the panel's is that of all. */
static int add_each_to_caption(ns_alpha_work *w, bool learned, ns_error *err) {
    ns_figure *figure = w->figure;
    const char *text = ns_figure_text(
        figure, err,
        "%s%sr%s of %s is that over all files; of each:", figure->caption ? figure->caption : "",
        figure->caption ? " " : "", w->settings->log ? " of logs" : "", alpha_word(learned));
    bool any = false;
    for (int run = 0; run < w->request->file_count && text; run++) {
        const chosen which = {learned, run};
        ns_correlation c;
        if (!count_pairs(w, which)) continue;
        const char *file = ns_alpha_run_label(w, run, err);
        if (!file || correlate(w, which, &c, err)) return NS_EFAIL;
        const char *r = isfinite(c.low) ? r_text(w, &c, err) : "none";
        text = r ? ns_figure_text(figure, err, "%s%s %s %s", text, any ? "," : "", file, r) : NULL;
        any = true;
    }
    figure->caption = text ? ns_figure_text(figure, err, "%s.", text) : NULL;
    return figure->caption ? NS_OK : NS_EFAIL;
}

/* "r = 0.83" and its interval as the panel's name, and in the line for people. */
static int add_correlation(ns_alpha_work *w, bool learned, ns_panel *panel, ns_error *err) {
    const chosen all = {learned, -1};
    ns_correlation c;
    int status = correlate(w, all, &c, err), sites = count_pairs(w, all), files = 0;
    if (status) return status;
    ns_figure *figure = w->figure;
    for (int run = 0; run < w->request->file_count; run++)
        files += count_pairs(w, (chosen){learned, run}) > 0;
    const char *r = "no r";
    if (isfinite(c.low)) {
        const char *text = r_text(w, &c, err);
        panel->title =
            text ? ns_figure_text(figure, err, "r%s = %s", w->settings->log ? " of logs" : "", text)
                 : NULL;
        panel->subtitle = ns_figure_text(figure, err, "%d sites, 95 %% interval", sites);
        r = ns_figure_text(figure, err, "r = %.3f (95 %%: %.3f to %.3f)", c.r, c.low, c.high);
    } else {
        panel->title = sites < 4 ? "too few sites for r" : "no r: values are alike";
        panel->subtitle = "";
    }
    if (!r || !panel->title || !panel->subtitle) return NS_EFAIL;
    figure->summary =
        ns_figure_text(figure, err, "%s%s%s: %d sites, %s", figure->summary ? figure->summary : "",
                       figure->summary ? "; " : "", alpha_word(learned), sites, r);
    if (!figure->summary) return NS_EFAIL;
    if (!learned && !(figure->caption = ns_figure_text(
                          figure, err,
                          "%s%sFitted slopes of norms that divide by \317\203 are near 1/\317\203 "
                          "by construction, "
                          "with random weights too: no finding about this network.",
                          figure->caption ? figure->caption : "", figure->caption ? " " : "")))
        return NS_EFAIL;
    return files > 1 ? add_each_to_caption(w, learned, err) : NS_OK;
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

/* What concerns all panels: the legend, what was left out, and the scale of depth. */
static int add_legend(ns_alpha_work *w, ns_panel *panel, ns_item *items, int *count,
                      ns_error *err) {
    panel->aside = true;
    int status = add_keys(w, items, count, err);
    if (!status && w->left_out) {
        panel->notes[0] = ns_figure_text(
            w->figure, err, w->settings->log ? "%d not finite or not above 0" : "%d not finite",
            w->left_out);
        panel->lasting = 1;
        if (!panel->notes[0]) status = NS_EFAIL;
    }
    return !status && w->deepest > 1 ? add_bar(w, panel, err) : status;
}

int ns_alpha_sites_panel(ns_alpha_work *w, bool learned, bool legend, ns_panel *panel,
                         ns_error *err) {
    /* Identity and the key of the lines; of a run a line, marks of every role and a key; keys of the roles. */
    int runs = w->request->file_count, most = 2 + runs * (NS_ROLE_COUNT + 2) + NS_ROLE_COUNT,
        count = 0, status = NS_OK;
    ns_item *items = ns_figure_alloc(w->figure, (size_t)most, sizeof *items, err);
    panel->x = ns_axis_unknown(w->settings->log);
    panel->y = ns_axis_unknown(w->settings->log);
    if (!items) return NS_EFAIL;
    for (int i = 0; i < w->count; i++) {
        if (w->pairs[i].learned != learned) continue;
        ns_axis_reach(&panel->x, w->pairs[i].inverse);
        ns_axis_reach(&panel->y, w->pairs[i].alpha);
    }
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->x, 0.07);
    ns_axis_pad(&panel->y, 0.09);
    panel->x.label = sigma_labels[w->settings->sigma];
    panel->y.label = alpha_word(learned);
    panel->items = items;
    status = add_guides(w, panel, learned, items, &count, err);
    for (int run = 0; run < runs && !status; run++)
        for (int role = 0; role < NS_ROLE_COUNT && !status; role++) {
            status = add_marks(w, (chosen){learned, run}, (ns_role)role, &items[count], err);
            count += !status && items[count].count > 0;
        }
    for (int i = 0; i < count && !legend; i++) items[i].unlisted = true;
    if (!status && legend) status = add_legend(w, panel, items, &count, err);
    panel->item_count = count;
    return status ? status : add_correlation(w, learned, panel, err);
}
