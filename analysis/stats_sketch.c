/* Statistics from a sketch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/bins.h"
#include "analysis/fit_internal.h"
#include "analysis/row_sigma.h"
#include "analysis/stats.h"
#include "probe/base/moments.h"
#include "probe/base/mem.h"
#include "probe/base/order.h"

/* Values with weights, rising: what a quantile of something other than x is read off. */
typedef struct weighted {
    double value, weight;
} weighted;

/* The value below which half of the weight lies, between the two that meet there. */
static double median_of(weighted *all, int count) {
    double total = 0, seen = 0;
    qsort(all, (size_t)count, sizeof *all, ns_rising);
    for (int i = 0; i < count; i++) total += all[i].weight;
    for (int i = 0; i < count; i++) {
        seen += all[i].weight;
        if (seen > total / 2) return all[i].value;
    }
    return (double)NAN;
}

/* The median of |x - centre|, each bin cut into parts so that the one about the centre does not stand for 0 alone. */
static int median_distance(const ns_bins *bins, double centre, double *out, ns_error *err) {
    enum { PARTS = 16 };
    weighted *all = ns_calloc((size_t)bins->used * PARTS + 1, sizeof *all, err);
    if (!all) return NS_EFAIL;
    int count = 0;
    for (int i = 0; i < bins->used; i++) {
        const ns_bin *b = &bins->bins[i];
        double mean = b->x / b->n, half = sqrt(fmax(0, 3 * (b->xx / b->n - mean * mean)));
        for (int k = 0; k < PARTS; k++) {
            double x = mean + half * (2 * (k + 0.5) / PARTS - 1);
            all[count++] = (weighted){fabs(x - centre), b->n / PARTS};
        }
    }
    *out = median_of(all, count);
    free(all);
    return NS_OK;
}

static void report_channels(ns_stats *out, const ns_sketch *s) {
    double squares = 0, fourths = 0;
    int n = 0;
    for (int c = 0; c < s->channels; c++) {
        const double *of = s->channel[c];
        if (!(of[NS_CHANNEL_N] > 0)) continue;
        double square = of[NS_CHANNEL_XX] / of[NS_CHANNEL_N];
        squares += square, fourths += square * square, n++;
        out->is_outlier[c] = of[NS_CHANNEL_LARGE] >= 0.06 * of[NS_CHANNEL_N];
        out->outlier_channels += out->is_outlier[c];
    }
    out->channel_kurtosis = squares > 0 ? n * fourths / (squares * squares) : (double)NAN;
}

/* n, mean and second moment from sums. */
static ns_moments from_sums(double n, double x, double xx) {
    if (!(n > 0)) return (ns_moments){0};
    return (ns_moments){
        .n = n, .mean = x / n, .m2 = fmax(xx - x * x / n, 0), .m3 = (double)NAN, .m4 = (double)NAN};
}

/* Position 0 is the class token of a ViT and the first word of a text; where a model has neither, it is the first patch. */
static void report_positions(ns_stats *out, const ns_sketch *s) {
    double sums[3] = {0};
    for (int p = 1; p < s->positions; p++)
        for (int k = 0; k < 3; k++) sums[k] += s->position[p][k];
    const double *first = s->position[0];
    out->first = from_sums(first[NS_POSITION_N], first[NS_POSITION_X], first[NS_POSITION_XX]);
    out->others = from_sums(sums[0], sums[1], sums[2]);
}

static void report_extremes(ns_stats *out, const ns_sketch *s) {
    while (out->top < NS_STATS_TOP && s->top_sample[out->top] >= 0) {
        int i = out->top++;
        out->extremes[i] = (ns_extreme){(double)s->top_x[i], s->top_sample[i], s->top_position[i],
                                        s->top_channel[i]};
    }
    double massive = fmax(100, 1000 * out->median_size);
    for (int b = 0; b < NS_SKETCH_BINS; b++)
        if (s->bins[b][NS_BIN_N] > 0 && fabs(s->bins[b][NS_BIN_X] / s->bins[b][NS_BIN_N]) > massive)
            out->massive += (uint64_t)s->bins[b][NS_BIN_N];
    if (!out->massive || !out->top) return;
    out->massive_channel = out->extremes[0].channel;
    out->massive_position = out->extremes[0].position;
    for (int i = 0; i < NS_SKETCH_TOP; i++) { /* of those that are known by name */
        bool known = fabs((double)s->top_x[i]) <= massive || s->top_sample[i] < 0;
        for (int k = 0; k < i && !known; k++) known = s->top_channel[k] == s->top_channel[i];
        out->massive_channels += !known;
    }
}

static void report_saturation(ns_stats *out, const ns_bins *bins) {
    double alpha = fabs(out->fit.theta[NS_ALPHA]), n = bins->total.n,
           above[NS_STATS_THRESHOLDS] = {0}, gain = 0;
    for (int i = 0; i < bins->used; i++) {
        const ns_bin *b = &bins->bins[i];
        double u = alpha * fabs(b->x / b->n), t = 1 - tanh(u) * tanh(u);
        for (int k = 0; k < NS_STATS_THRESHOLDS; k++)
            if (u > ns_stats_thresholds[k]) above[k] += b->n;
        gain += b->n * alpha * alpha * t * t;
    }
    bool told = !out->fit.degenerate;
    for (int k = 0; k < NS_STATS_THRESHOLDS; k++)
        out->saturated[k] = told ? above[k] / n : (double)NAN;
    out->gain = told ? gain / n : (double)NAN;
}

static int report_bins(ns_stats *out, const ns_bins *bins, ns_error *err) {
    for (int k = 0; k < NS_STATS_QUANTILES; k++)
        out->quantiles[k] = ns_bins_quantile(bins, ns_stats_quantiles[k]);
    int status = median_distance(bins, 0, &out->median_size, err);
    if (!status) status = median_distance(bins, out->quantiles[3], &out->mad, err);
    out->line = bins->total.xx > 0 ? bins->total.xy / bins->total.xx : (double)NAN;
    out->largest_over_median = fmax(fabs(out->least), fabs(out->most)) / out->median_size;
    return status;
}

static void report_exact(ns_stats *out, const ns_sketch *s) {
    bool any = s->counts.points > 0;
    out->rows = s->counts.rows - s->counts.padding;
    out->padding = s->counts.padding;
    out->points = s->counts.points;
    out->nonfinite = s->counts.nonfinite;
    out->mean = any ? s->moments.mean : (double)NAN;
    out->sigma = ns_moments_sigma(&s->moments);
    out->skewness = ns_moments_skewness(&s->moments);
    out->excess_kurtosis = ns_moments_excess_kurtosis(&s->moments);
    out->least = any ? s->extent[0] : (double)NAN;
    out->most = any ? s->extent[1] : (double)NAN;
    out->largest_y = any ? fmax(fabs(s->extent[2]), fabs(s->extent[3])) : (double)NAN;
    out->row_sigma[0] = any ? s->extent[4] : (double)NAN;
    out->row_sigma[4] = any ? s->extent[5] : (double)NAN;
    const double q[] = {0.05, 0.5, 0.95};
    for (int k = 0; k < 3; k++) out->row_sigma[k + 1] = ns_row_sigma_sketch(s, q[k]);
}

static int make(ns_stats *out, const ns_sketch *s, const ns_stats_options *o, ns_error *err) {
    *out = (ns_stats){.from_sketch = true,
                      .quantile_error = 1.0 / NS_SKETCH_PER_OCTAVE,
                      .channels = s->channels,
                      .massive_channel = -1,
                      .massive_position = -1,
                      .channel_kurtosis = (double)NAN,
                      .linear_share = (double)NAN};
    ns_bins bins = {0};
    out->is_outlier = ns_calloc((size_t)s->channels, 1, err);
    int status = out->is_outlier ? ns_bins_of_sketch(&bins, s, 1, err) : NS_EFAIL;
    const ns_curve *curve = ns_curve_find("tanh", err);
    const ns_fit_options options = {.curves = &curve, .curve_count = 1};
    if (!status && !o->no_fit) status = ns_fit_sketch(s, &options, &out->fit, err);
    if (o->no_fit) ns_stats_no_fit(out);
    if (!status) {
        report_exact(out, s);
        if (s->channel) report_channels(out, s);
        if (s->position) report_positions(out, s);
        status = report_bins(out, &bins, err);
    }
    if (!status) {
        report_extremes(out, s);
        report_saturation(out, &bins);
        out->inverse_sigma = ns_inverse_sigma(out->sigma);
        out->inverse_sigma_row = ns_inverse_sigma(out->row_sigma[2]);
        out->inverse_sigma_robust = ns_inverse_sigma_robust(out->mad);
    }
    ns_bins_free(&bins);
    return status;
}

/* Of some rows, what is told of channels and of single points is not known. */
int ns_stats_sketch(ns_stats *out, const ns_sketch *s, const ns_stats_options *o, ns_error *err) {
    ns_sketch part = {0};
    bool all = !o->rows || !o->rows->count;
    *out = (ns_stats){0};
    int status = all ? NS_OK : ns_row_choice_of_sketch(&part, o->rows, s, err);
    if (!status) status = make(out, all ? s : &part, o, err);
    if (!status && !all) {
        out->left_out = s->counts.rows - part.counts.rows;
        out->outlier_channels = out->massive_channels = -1;
    }
    const ns_curve *curve = ns_curve_find("tanh", err);
    const ns_fit_options options = {
        .curves = &curve, .curve_count = 1, .rows = o->rows, .by_kind = o->by_kind};
    if (!status && o->by_kind && !o->no_fit)
        status = ns_fit_kinds_of_sketch(s, &options, &out->fit, err);
    ns_sketch_free(&part);
    return status;
}
