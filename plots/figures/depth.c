/* depth: what goes into the normalization layers, over their depth, and how S-shaped their map is, of one or several runs. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "analysis/runs.h"
#include "plots/plot.h"
#include "plots/series.h"

#define SIGMA "\317\203"

enum { PANELS = 6, COLUMNS = 2, SATURATED = 2 /* of ns_stats_thresholds: 2 */ };

/* What is kept of a site. */
typedef struct depth_site {
    int index;
    ns_role role;
    double sigma, row_low, row_high; /* of the input; 5 % and 95 % over rows */
    double largest, median;          /* of |x| */
    double kurtosis, channel_kurtosis;
    double saturated, s_index;
} depth_site;

/* A line of a panel: where its values lie in a depth_site. */
typedef struct depth_line {
    const char *name;
    size_t at;
    bool dashed;
} depth_line;

typedef struct depth_panel {
    const char *label;
    bool log, zero; /* axis: logarithmic; begins at 0 */
    double factor;
    depth_line lines[2]; /* the second may have no name: none */
} depth_panel;

#define AT(field) offsetof(depth_site, field)
static const depth_panel panels[PANELS] = {
    {SIGMA " of x", true, false, 1, {{SIGMA, AT(sigma), false}}},
    {"excess kurtosis of x", false, false, 1, {{"excess kurtosis", AT(kurtosis), false}}},
    {"|x|",
     true,
     false,
     1,
     {{"largest |x|", AT(largest), false}, {"median |x|", AT(median), true}}},
    {"channel kurtosis", true, false, 1, {{"channel kurtosis", AT(channel_kurtosis), false}}},
    {"|\316\261x| > 2 (%)", false, true, 100, {{"saturated", AT(saturated), false}}},
    {"S-index", false, true, 1, {{"S-index", AT(s_index), false}}},
};

typedef struct settings {
    int from;
} settings;

typedef struct series {
    const char *name;
    depth_site *sites; /* [count] */
    int count;
    bool sketch, sampled;
} series;

typedef struct work {
    const ns_plot_request *request;
    ns_figure *figure;
    series *runs; /* [run_count] */
    ns_item *items[PANELS];
} work;

static int read_site(work *w, series *s, ns_store *store, int i, ns_error *err) {
    const ns_store_site *info = ns_store_site_at(store, i);
    const settings *own = w->request->settings;
    const ns_stats_options options = {.tolerance = 0.1, .rows = w->request->rows};
    ns_stats stats = {0};
    int status = ns_runs_stats(&stats, store, i, (ns_source_choice)own->from, &options, err);
    if (status) {
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(store), info->site.index,
                        info->site.name);
    } else {
        s->sketch |= stats.from_sketch;
        s->sampled |= info->sampled && !stats.from_sketch;
        s->sites[s->count++] = (depth_site){.index = info->site.index,
                                            .role = info->site.role,
                                            .sigma = stats.sigma,
                                            .row_low = stats.row_sigma[1],
                                            .row_high = stats.row_sigma[3],
                                            .largest = fmax(fabs(stats.least), fabs(stats.most)),
                                            .median = stats.median_size,
                                            .kurtosis = stats.excess_kurtosis,
                                            .channel_kurtosis = stats.channel_kurtosis,
                                            .saturated = stats.saturated[SATURATED],
                                            .s_index = stats.fit.s_index};
    }
    ns_stats_free(&stats);
    return status;
}

static int read_run(work *w, int run, ns_error *err) {
    const ns_plot_run *r = &w->request->runs[run];
    series *s = &w->runs[run];
    s->name = ns_series_file_label(w->figure, w->request->files, w->request->file_count, run, err);
    s->sites = ns_figure_alloc(w->figure, (size_t)r->site_count, sizeof *s->sites, err);
    int status = s->name && s->sites ? NS_OK : NS_EFAIL;
    for (int k = 0; k < r->site_count && !status; k++)
        status = read_site(w, s, r->store, r->sites[k], err);
    return status;
}

static double value_of(const depth_site *site, size_t at) {
    double value;
    memcpy(&value, (const char *)site + at, sizeof value);
    return value;
}

/* Values over the index of the sites; a gap where one cannot be drawn. */
static ns_spot *spots_of(work *w, const series *s, size_t at, double factor, ns_panel *panel,
                         ns_error *err) {
    ns_spot *spots = ns_figure_alloc(w->figure, (size_t)s->count, sizeof *spots, err);
    for (int i = 0; spots && i < s->count; i++) {
        double value = factor * value_of(&s->sites[i], at);
        bool drawn = isfinite(value) && (!panel->y.log || value > 0);
        spots[i] = (ns_spot){s->sites[i].index, drawn ? value : (double)NAN};
        ns_axis_reach(&panel->x, s->sites[i].index);
        ns_axis_reach(&panel->y, value);
    }
    return spots;
}

/* The spots of sites that stand before one thing, as marks of that. */
static int add_marks(work *w, const series *s, const ns_item *curve, ns_item *items,
                     ns_panel *panel, ns_error *err) {
    for (int role = 0; role < NS_ROLE_COUNT; role++) {
        ns_spot *spots = ns_figure_alloc(w->figure, (size_t)s->count, sizeof *spots, err);
        size_t count = 0;
        if (!spots) return NS_EFAIL;
        for (int i = 0; i < s->count; i++)
            if ((int)s->sites[i].role == role) spots[count++] = curve->spots[i];
        if (!count) continue;
        items[panel->item_count++] =
            (ns_item){.kind = NS_ITEM_MARKS,
                      .name = ns_figure_text(w->figure, err, "%s, %s", curve->name,
                                             ns_role_name((ns_role)role)),
                      .unlisted = true,
                      .spots = spots,
                      .count = count,
                      .fill = curve->stroke.color,
                      .mark = ns_role_marks[role],
                      .size = 3};
        if (!items[panel->item_count - 1].name) return NS_EFAIL;
    }
    return NS_OK;
}

static int add_line(work *w, int run, const depth_panel *p, const depth_line *line, ns_item *items,
                    ns_panel *panel, ns_error *err) {
    const series *s = &w->runs[run];
    ns_item *curve = &items[panel->item_count++];
    *curve = (ns_item){.kind = NS_ITEM_CURVE,
                       .name = ns_figure_text(w->figure, err, "%s %s", s->name, line->name),
                       .unlisted = true,
                       .spots = spots_of(w, s, line->at, p->factor, panel, err),
                       .count = (size_t)s->count,
                       .stroke = ns_series_stroke(w->request->style, run, 0.9)};
    if (!curve->name || !curve->spots) return NS_EFAIL;
    if (line->dashed) curve->stroke.dash = 2.6, curve->stroke.gap = 1.6;
    return add_marks(w, s, curve, items, panel, err);
}

/* Between the 5th and the 95th percentile of the rows' sigma. */
static int add_band(work *w, int run, ns_item *items, ns_panel *panel, ns_error *err) {
    const series *s = &w->runs[run];
    size_t n = (size_t)s->count;
    const ns_spot *low = spots_of(w, s, AT(row_low), 1, panel, err),
                  *high = spots_of(w, s, AT(row_high), 1, panel, err);
    ns_spot *around = ns_figure_alloc(w->figure, 2 * n, sizeof *around, err);
    if (!low || !high || !around) return NS_EFAIL;
    for (size_t i = 0; i < n; i++) around[i] = high[i], around[2 * n - 1 - i] = low[i];
    ns_color fill = w->request->style->colors[run % NS_STYLE_COLORS];
    fill.a = 0.2;
    items[panel->item_count++] =
        (ns_item){.kind = NS_ITEM_AREA,
                  .name = ns_figure_text(w->figure, err, "%s rows, 5 to 95 %%", s->name),
                  .unlisted = true,
                  .spots = around,
                  .count = 2 * n,
                  .fill = fill};
    return items[panel->item_count - 1].name ? NS_OK : NS_EFAIL;
}

/* ---- legends ---- */

static void add_key(ns_panel *panel, ns_item *items, ns_item key) {
    items[panel->item_count++] = key;
}

/* In the panel: which of its lines is which. Beside the last of the first row: marks and runs. */
static void add_keys(const work *w, int which, ns_panel *panel, ns_item *items) {
    const ns_style *style = w->request->style;
    const ns_color grey = {0.6, 0.6, 0.6, 1};
    if (which == 0)
        add_key(panel, items,
                (ns_item){.kind = NS_ITEM_AREA,
                          .name = "rows, 5 to 95 %",
                          .fill = {grey.r, grey.g, grey.b, 0.4}});
    for (int k = 0; k < 2 && panels[which].lines[1].name; k++) {
        bool dashed = panels[which].lines[k].dashed;
        add_key(panel, items,
                (ns_item){.kind = NS_ITEM_CURVE,
                          .name = panels[which].lines[k].name,
                          .stroke = {style->faint, 0.9, dashed ? 2.6 : 0, 1.6, !dashed}});
    }
}

static void add_shared_keys(const work *w, ns_panel *panel, ns_item *items) {
    const ns_style *style = w->request->style;
    for (int run = 0; run < w->request->run_count; run++)
        add_key(panel, items,
                (ns_item){.kind = NS_ITEM_CURVE,
                          .name = w->runs[run].name,
                          .stroke = ns_series_stroke(style, run, 0.9)});
    for (int role = 0; role < NS_ROLE_COUNT; role++) {
        bool there = false;
        for (int run = 0; run < w->request->run_count; run++)
            for (int i = 0; i < w->runs[run].count; i++)
                there |= (int)w->runs[run].sites[i].role == role;
        if (there)
            add_key(panel, items,
                    (ns_item){.kind = NS_ITEM_MARKS,
                              .name = ns_role_name((ns_role)role),
                              .fill = style->faint,
                              .mark = ns_role_marks[role],
                              .size = 3});
    }
    panel->aside = true;
}

/* ---- panels ---- */

static int build_panel(work *w, int which, ns_error *err) {
    const depth_panel *p = &panels[which];
    ns_panel *panel = &w->figure->panels[which];
    int runs = w->request->run_count, status = NS_OK;
    /* A run: two lines, each with marks of every role, and a band; keys: two lines, a band, runs and roles. */
    int most = runs * (2 * (1 + NS_ROLE_COUNT) + 1) + 3 + runs + NS_ROLE_COUNT;
    ns_item *items = ns_figure_alloc(w->figure, (size_t)most, sizeof *items, err);
    if (!items) return NS_EFAIL;
    w->items[which] = items;
    *panel = (ns_panel){.row = which / w->figure->columns,
                        .column = which % w->figure->columns,
                        .x = ns_axis_unknown(false),
                        .y = ns_axis_unknown(p->log),
                        .items = items,
                        .legend = NS_UPPER_LEFT};
    for (int run = 0; run < runs && !status && which == 0; run++)
        status = add_band(w, run, items, panel, err);
    for (int run = 0; run < runs && !status; run++)
        for (int k = 0; k < 2 && p->lines[k].name && !status; k++)
            status = add_line(w, run, p, &p->lines[k], items, panel, err);
    if (status) return status;
    add_keys(w, which, panel, items);
    bool from_zero = p->zero && !(panel->y.low < 0);
    if (from_zero) ns_axis_reach(&panel->y, 0);
    panel->x.whole = true;
    panel->y.label = p->label;
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->x, 0.04);
    ns_axis_pad(&panel->y, 0.07);
    if (from_zero) panel->y.low = 0;
    return NS_OK;
}

/* What the values come from, where it is not all rows. */
static int add_caption(work *w, ns_error *err) {
    bool sketch = false, sampled = false;
    int sites = 0, finite = 0;
    for (int run = 0; run < w->request->run_count; run++) {
        for (int i = 0; i < w->runs[run].count; i++)
            finite += isfinite(w->runs[run].sites[i].sigma);
        sketch |= w->runs[run].sketch;
        sampled |= w->runs[run].sampled;
        sites += w->runs[run].count;
    }
    if (!finite)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected sites with values that are finite, found none of %d",
                       w->request->files[0], sites);
    if (sketch || sampled)
        w->figure->caption =
            sketch ? "x: the layer's input; \317\203 and |x| are in its units. Median, "
                     "percentiles, share "
                     "of |\316\261x| > 2 and S-index come from a histogram of all values (the "
                     "file's sketch), whose bins are 1.6 to 3 % of x wide."
                   : "x: the layer's input; \317\203 and |x| are in its units. Computed from the "
                     "sample of rows that the file holds, not from all rows.";
    w->figure->summary = ns_figure_text(w->figure, err, "%d sites", sites);
    return w->figure->summary ? NS_OK : NS_EFAIL;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    work w = {.request = r, .figure = figure};
    w.runs = ns_figure_alloc(figure, (size_t)r->run_count, sizeof *w.runs, err);
    figure->panels = ns_figure_alloc(figure, PANELS, sizeof *figure->panels, err);
    int status = w.runs && figure->panels ? NS_OK : NS_EFAIL;
    for (int run = 0; run < r->run_count && !status; run++) status = read_run(&w, run, err);
    figure->columns = ns_plot_columns(r, COLUMNS, 36);
    figure->rows = (PANELS + figure->columns - 1) / figure->columns;
    figure->aspect = 0.55;
    figure->x_label = "site";
    for (int i = 0; i < PANELS && !status; i++) {
        status = build_panel(&w, i, err);
        figure->panel_count += !status;
    }
    if (status) return status;
    int last = figure->columns < PANELS ? figure->columns - 1 : PANELS - 1;
    add_shared_keys(&w, &figure->panels[last], w.items[last]);
    return add_caption(&w, err);
}

static int options(void *own, ns_option *out) {
    settings *s = own;
    const ns_option all[] = {NS_SOURCE_OPTION(s->from)};
    memcpy(out, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

const ns_figure_kind ns_figure_depth = {
    .name = "depth",
    .summary = "sigma, extremes, kurtosis, saturation and S-index over depth",
    .details =
        "Six panels over the index of the sites, a line for each FILE: sigma of the layer's input "
        "x, with the middle nine tenths of the rows' own; the largest and the median |x|; kurtosis "
        "of all values (a normal has 3) and of the channels' sizes (1 where all are alike, up to "
        "their number where one has all; He et al. 2024); how much of x the fitted s tanh(alpha x) "
        "bends, and the fit's S-index. As stats and fit have them.",
    .examples = "  normscope plot depth run.h5 -o depth.pdf\n"
                "  normscope plot depth layernorm.h5 dyt.h5 -o both.svg\n",
    .in_report = "What goes into the layers over their depth: \317\203, extremes, kurtosis; how "
                 "much of it is saturated; and how S-shaped the map is.",
    .takes_runs = true,
    .per_site = true,
    .options = options,
    .settings_size = sizeof(settings),
    .takes_rows = true,
    .build = build,
};
