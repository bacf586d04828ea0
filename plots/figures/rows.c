/* rows: how widely sigma_row, what LayerNorm divides a row by, is spread within each site, over the sites of one or several runs.
 *
 * Memory: that of analysis/row_sigma.h or of a sketch, for one site at a time, and a few numbers a site. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/row_sigma.h"
#include "analysis/runs.h"
#include "plots/plot.h"
#include "plots/series.h"

enum { LOW, FIRST, MEDIAN, THIRD, HIGH, QUANTILES };
static const double quantiles[QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};
static const double LOG_FROM = 20; /* largest over smallest from which the axis is logarithmic */

/* A run's sites. */
typedef struct series {
    const char *name;
    double (*sigma)[QUANTILES]; /* [count]; NaN where a site has no rows */
    double *index;              /* [count] of the site */
    int count, empty;           /* sites, and those without rows */
    bool sketch, sampled;       /* some of it comes from a sketch, from a sample of rows */
    uint64_t rows;
} series;

static int read_site(series *s, ns_store *store, int site, const ns_row_choice *choice,
                     double sigma[QUANTILES], ns_error *err) {
    const ns_store_site *info = ns_store_site_at(store, site);
    uint64_t rows = 0;
    int status;
    if (ns_source_is_sketch(NS_FROM_BEST, info)) {
        ns_sketch sketch, some = {0};
        status = ns_sketch_read(&sketch, store, site, err);
        if (!status && choice && choice->count) {
            status = ns_row_choice_of_sketch(&some, choice, &sketch, err);
            ns_sketch_free(&sketch);
            sketch = some;
        }
        for (int k = 0; k < QUANTILES && !status; k++)
            sigma[k] = ns_row_sigma_sketch(&sketch, quantiles[k]);
        if (!status) rows = sketch.counts.rows - sketch.counts.padding;
        ns_sketch_free(&sketch);
        s->sketch = true;
    } else {
        ns_points points;
        ns_chosen *chosen = NULL;
        status = ns_points_store(&points, store, site, err);
        if (!status) status = ns_chosen_new(&chosen, &points, choice, err);
        if (!status) status = ns_row_sigmas(&points, quantiles, QUANTILES, sigma, &rows, err);
        ns_chosen_free(chosen);
        s->sampled |= info->sampled;
    }
    s->rows += rows;
    s->empty += isnan(sigma[MEDIAN]);
    return status;
}

static int read_run(const ns_plot_request *r, int run, series *s, ns_figure *figure,
                    ns_error *err) {
    const ns_plot_run *from = &r->runs[run];
    s->count = from->site_count;
    s->name = ns_series_file_label(figure, r->files, r->run_count, run, err);
    s->sigma = ns_figure_alloc(figure, (size_t)s->count, sizeof *s->sigma, err);
    s->index = ns_figure_alloc(figure, (size_t)s->count, sizeof *s->index, err);
    if (!s->name || !s->sigma || !s->index) return NS_EFAIL;
    int status = NS_OK;
    for (int i = 0; i < s->count && !status; i++) {
        s->index[i] = ns_store_site_at(from->store, from->sites[i])->site.index;
        status = read_site(s, from->store, from->sites[i], r->rows, s->sigma[i], err);
    }
    return status;
}

/* Boxes, whiskers and medians of a run, as shapes with gaps between them. */
static int add_items(const series *s, double shift, double width, ns_color color, bool listed,
                     ns_figure *figure, ns_item *items, ns_error *err) {
    enum { BOX = 5, WHISKERS = 6, LINE = 3 };
    size_t n = (size_t)s->count;
    ns_spot *box = ns_figure_alloc(figure, n * (BOX + WHISKERS + LINE), sizeof *box, err);
    char *names[] = {ns_figure_text(figure, err, "%s 25-75 %%", s->name),
                     ns_figure_text(figure, err, "%s 5-95 %%", s->name),
                     ns_figure_text(figure, err, "%s median", s->name)};
    if (!box || !names[0] || !names[1] || !names[2]) return NS_EFAIL;
    ns_spot *whisker = box + n * BOX, *line = whisker + n * WHISKERS;
    const ns_spot gap = {(double)NAN, (double)NAN};
    for (size_t i = 0; i < n; i++) {
        const double *q = s->sigma[i], x = s->index[i] + shift, l = x - width / 2,
                     r = x + width / 2;
        const ns_spot b[BOX] = {{l, q[FIRST]}, {r, q[FIRST]}, {r, q[THIRD]}, {l, q[THIRD]}, gap};
        const ns_spot w[WHISKERS] = {{x, q[LOW]},   {x, q[FIRST]}, gap,
                                     {x, q[THIRD]}, {x, q[HIGH]},  gap};
        const ns_spot m[LINE] = {{l, q[MEDIAN]}, {r, q[MEDIAN]}, gap};
        memcpy(box + i * BOX, b, sizeof b);
        memcpy(whisker + i * WHISKERS, w, sizeof w);
        memcpy(line + i * LINE, m, sizeof m);
    }
    ns_color pale = color;
    pale.a = 0.3;
    const ns_stroke thin = {color, 0.6, 0, 0, false}, thick = {color, 1.2, 0, 0, false};
    items[0] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = names[1],
                         .unlisted = true,
                         .spots = whisker,
                         .count = n * WHISKERS,
                         .stroke = thin};
    items[1] = (ns_item){.kind = NS_ITEM_AREA,
                         .name = names[0],
                         .unlisted = true,
                         .spots = box,
                         .count = n * BOX,
                         .stroke = thin,
                         .fill = pale};
    items[2] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = names[2],
                         .unlisted = true,
                         .spots = line,
                         .count = n * LINE,
                         .stroke = thick};
    items[3] = (ns_item){
        .kind = NS_ITEM_AREA, .name = s->name, .unlisted = !listed, .stroke = thin, .fill = pale};
    return NS_OK;
}

/* Ranges over all runs. */
static void choose_axes(const series *all, int runs, ns_panel *panel) {
    double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
    for (int k = 0; k < runs; k++)
        for (int i = 0; i < all[k].count; i++) {
            first = fmin(first, all[k].index[i]);
            last = fmax(last, all[k].index[i]);
            low = fmin(low, all[k].sigma[i][LOW]);
            high = fmax(high, all[k].sigma[i][HIGH]);
        }
    panel->x = (ns_axis){.low = first - 0.6, .high = last + 0.6, .whole = true};
    panel->y = (ns_axis){.low = low, .high = high, .log = low > 0 && high > LOG_FROM * low};
    if (!panel->y.log) panel->y.low = fmin(0, low);
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->y, 0.05);
    if (!panel->y.log) panel->y.low = 0;
}

/* What the shapes are, and of which rows. */
static int describe(const series *all, int runs, ns_figure *figure, ns_error *err) {
    figure->caption =
        "Boxes: 25 to 75\302\240% of the rows, with the median; whiskers: 5 to 95\302\240%.";
    uint64_t rows = 0;
    for (int k = 0; k < runs && figure->caption; k++) {
        const series *s = &all[k];
        rows += s->rows;
        if (s->sketch)
            figure->caption = ns_figure_text(figure, err, "%s %s: from a sketch, to 1/%d.",
                                             figure->caption, s->name, NS_SKETCH_PER_OCTAVE);
        if (s->sampled && figure->caption)
            figure->caption = ns_figure_text(figure, err, "%s %s: a sample of the rows.",
                                             figure->caption, s->name);
        if (s->empty && figure->caption)
            figure->caption =
                ns_figure_text(figure, err, "%s %s: %d of %d layers have no finite row.",
                               figure->caption, s->name, s->empty, s->count);
    }
    figure->summary = ns_figure_text(figure, err, "%" PRIu64 " rows", rows);
    return figure->caption && figure->summary ? NS_OK : NS_EFAIL;
}

/* Where runs have several kinds; every request that takes runs has at least one. */
static const char mixed[] = "normalization";

static const char *norm_of(const ns_plot_run *run) {
    return ns_plot_norms_title(run, run->sites, run->site_count);
}

static const char *norm_of_all(const ns_plot_request *r) {
    const char *norm = norm_of(&r->runs[0]);
    for (int k = 1; k < r->run_count; k++)
        if (strcmp(norm, norm_of(&r->runs[k])) != 0) return mixed;
    return norm;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    const int runs = r->run_count;
    series *all = ns_figure_alloc(figure, (size_t)runs, sizeof *all, err);
    ns_panel *panel = figure->panels = ns_figure_alloc(figure, 1, sizeof *panel, err);
    ns_item *items = ns_figure_alloc(figure, 4 * (size_t)runs, sizeof *items, err);
    if (!all || !panel || !items) return NS_EFAIL;
    figure->panel_count = figure->rows = figure->columns = 1;
    figure->aspect = 0.62;
    int status = NS_OK;
    for (int k = 0; k < runs && !status; k++) status = read_run(r, k, &all[k], figure, err);
    for (int k = 0; k < runs && !status; k++)
        status =
            add_items(&all[k], 0.8 * ((k + 0.5) / runs - 0.5), 0.6 / runs,
                      r->style->colors[k % NS_STYLE_COLORS], runs > 1, figure, items + 4 * k, err);
    int empty = 0, sites = 0;
    for (int k = 0; k < runs; k++) empty += all[k].empty, sites += all[k].count;
    if (!status && empty == sites)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected sites with rows that are finite, found none of %d",
                         r->files[0], sites);
    if (!status) status = describe(all, runs, figure, err);
    if (status) return status;
    choose_axes(all, runs, panel);
    panel->items = items;
    panel->item_count = 4 * runs;
    panel->legend = NS_UPPER_LEFT;
    const char *norm = norm_of_all(r);
    figure->x_label = ns_figure_text(figure, err, "%s layer", norm);
    panel->y.label = !strcmp(norm, mixed)
                         ? "\317\203 of a row of the input"
                         : ns_figure_text(figure, err, "\317\203 of a row of the %s input", norm);
    return figure->x_label && panel->y.label ? NS_OK : NS_EFAIL;
}

const ns_figure_kind ns_figure_rows = {
    .name = "rows",
    .summary = "the spread of the rows' standard deviations, over the layers",
    .details =
        "For each site the 5th, 25th, 50th, 75th and 95th percentile of sigma_row, the standard "
        "deviation of a row's input over its channels: the slope of a token's line is 1/sigma_row. "
        "Of all rows, exactly; else of a sketch, to 1/32; else of the sample that the file keeps. "
        "Several runs stand beside each other.",
    .examples = "  normscope plot rows run.h5 -o rows.pdf\n"
                "  normscope plot rows before.h5 after.h5 --select '*norm1' -o rows.pdf\n",
    .takes_runs = true,
    .per_site = true,
    .takes_rows = true,
    .build = build,
    .in_report = "How \317\203 of a row is spread within each layer: 25 to 75 % in boxes, 5 to 95 "
                 "% in whiskers, the median.",
};
