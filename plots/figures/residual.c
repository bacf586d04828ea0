/* residual: what the fit of a curve leaves, y - s f(alpha x), over x: every point, and the median and mean of bins of x.
 *
 * Memory: beside that of the panels (plots/site_panels.h) BINS * CELLS counts for each thread. The mean is exact; the median is off by at most
 * 1 / CELLS of the range of the residuals. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit.h"
#include "analysis/walk.h"
#include "plots/site_panels.h"
#include "probe/base/mem.h"

enum { BINS = 64, CELLS = 4096, LEAST_POINTS = 10, BLOCK = 1024 };

typedef struct settings {
    const char *curve;
} settings;

static int options(void *memory, ns_option *out) {
    settings *s = memory;
    s->curve = "tanh";
    out[0] = (ns_option){
        "curve", 'c', NS_OPT_TEXT, &s->curve, "NAME", "as in normscope fit", "tanh", 0, 0};
    return 1;
}

/* Points whose y is what a fit leaves of it. */
typedef struct residual {
    ns_points base;
    ns_fit fit;
} residual;

/* y becomes y - (s f(alpha x + d) + b); NaN where the point is not finite. */
static void subtract(const ns_fit *fit, size_t n, const float *x, float *y) {
    double f[BLOCK];
    const double *t = fit->theta;
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t count = n - first < BLOCK ? n - first : BLOCK;
        fit->curve->values(t[NS_ALPHA], t[NS_SHIFT], count, x + first, f);
        for (size_t i = 0; i < count; i++) {
            float *at = &y[first + i];
            bool finite = isfinite(x[first + i]) && isfinite(*at);
            *at = finite ? (float)((double)*at - (t[NS_SCALE] * f[i] + t[NS_OFFSET])) : NAN;
        }
    }
}

static int read_residual(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                         ns_error *err) {
    const residual *r = points->user;
    size_t count = (size_t)rows * (size_t)points->channels;
    float *own = y && !x ? ns_alloc_aligned(count, sizeof *own, err) : NULL, *at = x ? x : own;
    if (y && !at) return NS_EFAIL;
    int status = r->base.read(&r->base, first, rows, at, y, err);
    if (!status && y) subtract(&r->fit, count, at, y);
    free(own);
    return status;
}

static int read_rows(const ns_points *points, uint64_t first, uint64_t rows, int64_t *samples,
                     int32_t *positions, uint8_t *kinds, ns_error *err) {
    const residual *r = points->user;
    return r->base.read_rows(&r->base, first, rows, samples, positions, kinds, err);
}

/* The fit is that of normscope fit, of all that the file holds; the points are rows. */
static int open_residual(const ns_plot_request *request, ns_figure *figure, ns_site_panel *s,
                         ns_error *err) {
    const settings *o = request->settings;
    const ns_curve *curve = ns_curve_find(o->curve, err);
    residual *r = s->own = ns_figure_alloc(figure, 1, sizeof *r, err);
    if (!r || !curve) return r ? NS_EUSAGE : NS_EFAIL;
    if (!s->info->rows)
        return ns_fail(err, NS_EINPUT,
                       "expected stored rows to take the residual of, found a sketch alone");
    int status = ns_cloud_open(&s->cloud, s->run->store, s->site, request->rows, err);
    if (!status) status = ns_site_panel_fit(s, &curve, 1, &r->fit, err);
    if (!status && s->cloud.from_sketch) {
        ns_cloud_free(&s->cloud);
        status = ns_cloud_open_rows(&s->cloud, s->run->store, s->site, NULL, err);
    }
    if (status) return status;
    if (r->fit.degenerate || !r->fit.converged) {
        s->problem = ns_figure_text(figure, err, "no curve: %s",
                                    r->fit.degenerate ? r->fit.reason : r->fit.stop);
        return s->problem ? NS_OK : NS_EFAIL;
    }
    r->base = s->cloud.points;
    s->cloud.points.read = read_residual;
    s->cloud.points.read_rows = read_rows;
    s->cloud.points.user = r;
    subtract(&r->fit, (size_t)s->cloud.extra_rows * (size_t)r->base.channels, s->cloud.extra_x,
             s->cloud.extra_y);
    return NS_OK;
}

/* Sums and counts of the bins of x, one a thread. */
typedef struct part {
    double n[BINS], x[BINS], y[BINS];
    uint32_t cells[BINS][CELLS];
} part;

typedef struct gathering {
    const ns_extent *extent;
    const double *edges; /* [BINS + 1] */
    part *parts;
} gathering;

static int add_points(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    const gathering *g = user;
    part *p = &g->parts[piece->thread];
    double low = g->extent->y_low, scale = CELLS / (g->extent->y_high - low);
    for (size_t i = 0; i < piece->points; i++) {
        double x = (double)piece->x[i], y = (double)piece->y[i], cell = (y - low) * scale;
        int bin = ns_grid_bin(x, g->edges, BINS);
        if (bin < 0) continue;
        p->n[bin]++;
        p->x[bin] += x;
        p->y[bin] += y;
        p->cells[bin][cell >= CELLS ? CELLS - 1 : cell > 0 ? (int)cell : 0]++;
    }
    return NS_OK;
}

static void merge_parts(part *to, const part *from) {
    for (int b = 0; b < BINS; b++) {
        to->n[b] += from->n[b];
        to->x[b] += from->x[b];
        to->y[b] += from->y[b];
        for (int c = 0; c < CELLS; c++) to->cells[b][c] += from->cells[b][c];
    }
}

/* Where half of the bin's points lie below, evenly within the cell that has the middle one. */
static double median_of(const part *p, int bin, const ns_extent *e) {
    double half = p->n[bin] / 2, below = 0, cell = (e->y_high - e->y_low) / CELLS;
    for (int c = 0; c < CELLS; c++) {
        double n = p->cells[bin][c];
        if (n > 0 && below + n >= half) return e->y_low + cell * (c + (half - below) / n);
        below += n;
    }
    return e->y_high;
}

/* Median and mean of every bin that has enough points, at the mean of its x; NaN elsewhere. */
static int find_lines(const ns_site_panel *s, ns_spot *medians, ns_spot *means, ns_error *err) {
    const ns_extent *e = &s->extent;
    int threads = ns_walk_threads(&s->cloud.points);
    /* An extent without a length becomes one about it, as numpy has it. */
    double room = e->x_high > e->x_low ? 0 : 0.5;
    double *edges = ns_grid_edges(e->x_low - room, e->x_high + room, BINS, err);
    part *parts = ns_calloc((size_t)threads, sizeof *parts, err);
    gathering g = {e, edges, parts};
    const ns_walk walk = {
        .points = &s->cloud.points, .finite_only = true, .visit = add_points, .user = &g};
    int status = edges && parts ? ns_walk_all(&walk, err) : NS_EFAIL;
    for (int t = 1; t < threads && !status; t++) merge_parts(&parts[0], &parts[t]);
    for (int b = 0; b < BINS && !status; b++) {
        bool enough = parts->n[b] >= LEAST_POINTS;
        double x = enough ? parts->x[b] / parts->n[b] : (double)NAN;
        medians[b] = (ns_spot){x, enough ? median_of(parts, b, e) : (double)NAN};
        means[b] = (ns_spot){x, enough ? parts->y[b] / parts->n[b] : (double)NAN};
    }
    free(edges);
    free(parts);
    return status;
}

/* How much is left. */
static int add_notes(const ns_fit *fit, ns_figure *figure, ns_panel *panel, ns_error *err) {
    const double values[] = {fit->rmse, fit->tail_rmse};
    for (int k = 0, used = 0; k < 2; k++) {
        char number[64];
        if (!isfinite(values[k])) continue;
        ns_number_label(values[k], 3, number);
        panel->notes[used] = ns_figure_text(figure, err, k ? "tail RMSE %s" : "RMSE %s", number);
        if (!panel->notes[used++]) return NS_EFAIL;
    }
    return NS_OK;
}

static int fill(const ns_plot_request *request, ns_figure *figure, ns_site_panel *s,
                ns_error *err) {
    const residual *r = s->own;
    const ns_style *style = request->style;
    ns_item *items = ns_figure_alloc(figure, 4, sizeof *items, err);
    ns_spot *zero = ns_figure_alloc(figure, 2 + 2 * BINS, sizeof *zero, err);
    if (!items || !zero) return NS_EFAIL;
    ns_spot *medians = zero + 2, *means = medians + BINS;
    double end = 2 * fmax(fabs(s->extent.x_low), fabs(s->extent.x_high));
    zero[0].x = -end, zero[1].x = end;
    int status = find_lines(s, medians, means, err);
    ns_stroke mean = style->curve;
    mean.color = style->colors[4];
    mean.dash = 3, mean.gap = 1.5, mean.round = false;
    items[0] = ns_site_panel_layer(s);
    items[1] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = "zero",
                         .unlisted = true,
                         .spots = zero,
                         .count = 2,
                         .stroke = {style->text, 0.6, 0, 0, false}};
    items[2] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = "median",
                         .spots = medians,
                         .count = BINS,
                         .stroke = style->curve};
    items[3] = (ns_item){
        .kind = NS_ITEM_CURVE, .name = "mean", .spots = means, .count = BINS, .stroke = mean};
    s->panel->items = items;
    s->panel->item_count = 4;
    return status ? status : add_notes(&r->fit, figure, s->panel, err);
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    const settings *o = r->settings;
    const ns_curve *curve = ns_curve_find(o->curve, err);
    if (!curve) {
        ns_fail_context(err, "--curve");
        return NS_EUSAGE;
    }
    const char *label =
        ns_figure_text(figure, err, "output " NS_MINUS " s\302\267%s%s",
                       curve->is_linear ? "x" : curve->name, curve->is_linear ? "" : "(\316\261x)");
    if (!label) return NS_EFAIL;
    const ns_site_panels kind = {.sites = 4,
                                 .columns = 2,
                                 .open = open_residual,
                                 .fill = fill,
                                 .y_label = label,
                                 .y_room = 0.2};
    figure->caption = ns_figure_text(
        figure, err,
        "Lines: median and mean of the residual in %d equally wide bins of the input; bins of "
        "fewer than %d points are left out. RMSE: root mean square of all residuals, in units of "
        "the output; tail RMSE: of those beyond the 1st and 99th percentile of the input.",
        BINS, LEAST_POINTS);
    return figure->caption ? ns_site_panels_build(r, &kind, figure, NULL, err) : NS_EFAIL;
}

const ns_figure_kind ns_figure_residual = {
    .name = "residual",
    .summary = "what the fit of a curve leaves, over the input",
    .details = "Every point of the chosen sites (four, unless sites are named) less the fitted "
               "s f(alpha x), and the median and mean of bins of x: a curve that describes the "
               "layer leaves both near zero. RMSE is that of all points, and that of the tails, "
               "beyond the 1st and 99th percentile of x. Of a run that kept a sample of its rows "
               "and a sketch of all, the fit is to the sketch and the points are the sample.",
    .examples = "  normscope plot residual run.h5 -o residual.pdf\n"
                "  normscope plot residual run.h5 --curve linear --layers 9,17 -o line.pdf\n",
    .takes_runs = true,
    .per_site = true,
    .some_sites = true,
    .options = options,
    .settings_size = sizeof(settings),
    .takes_rows = true,
    .build = build,
    .in_report = "What the fitted s\302\267tanh(\316\261x) leaves, over the input, with the "
                 "median and mean of bins.",
};
