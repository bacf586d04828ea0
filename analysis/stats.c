#include "analysis/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/select.h"
#include "analysis/walk.h"
#include "probe/base/moments.h"
#include "probe/base/mem.h"

const double ns_stats_quantiles[NS_STATS_QUANTILES] = {0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999};
const double ns_stats_thresholds[NS_STATS_THRESHOLDS] = {0.5, 1, 2, 3};
static const double row_quantiles[] = {0.05, 0.5, 0.95}, middle[] = {0.5};

/* What one thread collects, over all walks. */
typedef struct corner {
    ns_select x, size, row, deviation; /* of x, |x|, sigma_row, |x - median| */
    ns_moments all, first, others;
    double xx, xy;
    float least, most, largest_y, least_row, most_row;
    uint64_t rows, nonfinite;
    double *squares;   /* [channels] sums of x^2 */
    uint64_t *counts;  /* [channels] rows that have a value there */
    uint64_t *large;   /* [channels] |x| >= 6 */
    uint64_t *massive; /* [channels] */
    ns_extreme extremes[NS_STATS_TOP];
    int top;
    uint64_t linear, saturated[NS_STATS_THRESHOLDS];
    double gain;
    float *row_values; /* [channels] the finite ones of a row that has others */
} corner;

typedef struct making {
    ns_stats *out;
    const ns_points *points;
    const ns_stats_options *options;
    corner *corners;
    int threads, channels;
    double median;
} making;

static bool is_finite(float v) {
    return (ns_float_bits(v) & UINT32_C(0x7f800000)) != UINT32_C(0x7f800000);
}

static void note_extreme(corner *c, float x, int64_t sample, int32_t position, int32_t channel) {
    double size = fabs((double)x);
    if (c->top == NS_STATS_TOP && size <= fabs(c->extremes[NS_STATS_TOP - 1].x)) return;
    int at = c->top < NS_STATS_TOP ? c->top++ : NS_STATS_TOP - 1;
    for (; at > 0 && fabs(c->extremes[at - 1].x) < size; at--)
        c->extremes[at] = c->extremes[at - 1];
    c->extremes[at] = (ns_extreme){(double)x, sample, position, channel};
}

/* First walk, one row: counts by class, moments, channels. */
static void first_row(corner *c, const ns_piece *piece, size_t r) {
    const float *x = piece->x + piece->starts[r], *y = piece->y + piece->starts[r];
    int channels = piece->channels, kept = 0;
    float least = c->least, most = c->most, largest = c->largest_y;
    double threshold = c->top == NS_STATS_TOP ? fabs(c->extremes[NS_STATS_TOP - 1].x) : -1;
    for (int i = 0; i < channels; i++) {
        if (!is_finite(x[i]) || !is_finite(y[i])) continue;
        float v = x[i], size = fabsf(v);
        c->row_values[kept++] = v;
        ns_select_count(&c->x, v);
        ns_select_count(&c->size, size);
        least = v < least ? v : least;
        most = v > most ? v : most;
        largest = fabsf(y[i]) > largest ? fabsf(y[i]) : largest;
        c->xx += (double)v * (double)v;
        c->xy += (double)v * (double)y[i];
        c->squares[i] += (double)v * (double)v;
        c->counts[i]++;
        c->large[i] += size >= 6;
        if ((double)size > threshold) {
            note_extreme(c, v, piece->samples[r], piece->positions[r], i);
            threshold = c->top == NS_STATS_TOP ? fabs(c->extremes[NS_STATS_TOP - 1].x) : -1;
        }
    }
    c->least = least, c->most = most, c->largest_y = largest;
    c->nonfinite += (uint64_t)(channels - kept);
    ns_moments m = ns_moments_of(c->row_values, (size_t)kept);
    bool is_first = piece->kinds[r] == NS_ROW_CLASS ||
                    (piece->kinds[r] == NS_ROW_WORD && piece->positions[r] == 0);
    ns_moments_merge(is_first ? &c->first : &c->others, &m);
    if (kept) {
        float sigma = (float)ns_moments_sigma(&m);
        ns_select_count(&c->row, sigma);
        c->least_row = fminf(c->least_row, sigma);
        c->most_row = fmaxf(c->most_row, sigma);
    }
}

static int first_walk(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    corner *c = &((making *)user)->corners[piece->thread];
    for (size_t r = 0; r < piece->rows; r++) first_row(c, piece, r);
    c->rows += piece->rows;
    return NS_OK;
}

/* Second walk: the lower bits, and how far points lie from the line. */
static int second_walk(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    making *m = user;
    corner *c = &m->corners[piece->thread];
    double line = m->out->line, tolerance = m->options->tolerance;
    for (size_t r = 0; r < piece->rows; r++) {
        const float *x = piece->x + piece->starts[r], *y = piece->y + piece->starts[r];
        int kept = 0;
        for (int i = 0; i < m->channels; i++) {
            if (!is_finite(x[i]) || !is_finite(y[i])) continue;
            c->row_values[kept++] = x[i];
            ns_select_refine(&c->x, x[i]);
            ns_select_refine(&c->size, fabsf(x[i]));
            double on = line * (double)x[i], size = fabs(on);
            c->linear += fabs((double)y[i] - on) <= tolerance * (size > 1 ? size : 1);
        }
        ns_moments of = ns_moments_of(c->row_values, (size_t)kept);
        if (kept) ns_select_refine(&c->row, (float)ns_moments_sigma(&of));
    }
    return NS_OK;
}

/* Third walk: deviations from the median, massive activations, and what needs alpha. */
static int third_walk(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    making *m = user;
    corner *c = &m->corners[piece->thread];
    double alpha = fabs(m->out->fit.theta[NS_ALPHA]);
    double massive = fmax(nextafter(100, 200), 1000 * m->out->median_size);
    for (size_t r = 0; r < piece->rows; r++) {
        const float *x = piece->x + piece->starts[r], *y = piece->y + piece->starts[r];
        for (int i = 0; i < m->channels; i++) {
            if (!is_finite(x[i]) || !is_finite(y[i])) continue;
            double size = fabs((double)x[i]), u = alpha * size, t = 1 - tanh(u) * tanh(u);
            ns_select_count(&c->deviation, (float)fabs((double)x[i] - m->median));
            c->massive[i] += size >= massive;
            for (int k = 0; k < NS_STATS_THRESHOLDS; k++)
                c->saturated[k] += u > ns_stats_thresholds[k];
            c->gain += alpha * alpha * t * t;
        }
    }
    return NS_OK;
}

static int fourth_walk(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    making *m = user;
    corner *c = &m->corners[piece->thread];
    for (size_t i = 0; i < piece->points; i++)
        if (is_finite(piece->x[i]) && is_finite(piece->y[i]))
            ns_select_refine(&c->deviation, (float)fabs((double)piece->x[i] - m->median));
    return NS_OK;
}

static int make_corner(corner *c, int channels, ns_error *err) {
    size_t n = (size_t)channels;
    c->least = c->least_row = INFINITY;
    c->most = c->most_row = -INFINITY;
    c->squares = ns_calloc(n, sizeof *c->squares, err);
    c->counts = ns_calloc(n, sizeof *c->counts, err);
    c->large = ns_calloc(n, sizeof *c->large, err);
    c->massive = ns_calloc(n, sizeof *c->massive, err);
    c->row_values = ns_alloc_aligned(n, sizeof *c->row_values, err);
    if (!c->squares || !c->counts || !c->large || !c->massive || !c->row_values) return NS_EFAIL;
    return ns_select_begin(&c->x, err) || ns_select_begin(&c->size, err) ||
                   ns_select_begin(&c->row, err) || ns_select_begin(&c->deviation, err)
               ? NS_EFAIL
               : NS_OK;
}

static void free_corner(corner *c) {
    free(c->squares);
    free(c->counts);
    free(c->large);
    free(c->massive);
    free(c->row_values);
    ns_select_free(&c->x);
    ns_select_free(&c->size);
    ns_select_free(&c->row);
    ns_select_free(&c->deviation);
}

/* Puts the threads' first walk into the first corner, in their order. */
static void gather_first(making *m) {
    corner *to = &m->corners[0];
    for (int t = 1; t < m->threads; t++) {
        const corner *c = &m->corners[t];
        ns_select_merge(&to->x, &c->x);
        ns_select_merge(&to->size, &c->size);
        ns_select_merge(&to->row, &c->row);
        ns_moments_merge(&to->first, &c->first);
        ns_moments_merge(&to->others, &c->others);
        to->xx += c->xx, to->xy += c->xy;
        to->least = fminf(to->least, c->least), to->most = fmaxf(to->most, c->most);
        to->least_row = fminf(to->least_row, c->least_row),
        to->most_row = fmaxf(to->most_row, c->most_row);
        to->largest_y = fmaxf(to->largest_y, c->largest_y);
        to->rows += c->rows, to->nonfinite += c->nonfinite;
        for (int i = 0; i < m->channels; i++) {
            to->squares[i] += c->squares[i];
            to->counts[i] += c->counts[i];
            to->large[i] += c->large[i];
        }
        for (int i = 0; i < c->top; i++) {
            const ns_extreme *e = &c->extremes[i];
            note_extreme(to, (float)e->x, e->sample, e->position, e->channel);
        }
    }
}

static double channel_kurtosis(const corner *c, int channels) {
    double squares = 0, fourths = 0;
    int n = 0;
    for (int i = 0; i < channels; i++) {
        if (!c->counts[i]) continue;
        double square = c->squares[i] / (double)c->counts[i];
        squares += square, fourths += square * square, n++;
    }
    return squares > 0 ? n * fourths / (squares * squares) : (double)NAN;
}

static void report_first(making *m) {
    ns_stats *out = m->out;
    const corner *c = &m->corners[0];
    ns_moments all = c->others;
    ns_moments_merge(&all, &c->first);
    out->rows = c->rows;
    out->padding = m->points->rows - c->rows;
    out->points = (uint64_t)all.n;
    out->nonfinite = c->nonfinite;
    out->first = c->first;
    out->others = c->others;
    out->mean = all.n > 0 ? all.mean : (double)NAN;
    out->sigma = ns_moments_sigma(&all);
    out->skewness = ns_moments_skewness(&all);
    out->excess_kurtosis = ns_moments_excess_kurtosis(&all);
    out->least = all.n > 0 ? (double)c->least : (double)NAN;
    out->most = all.n > 0 ? (double)c->most : (double)NAN;
    out->largest_y = all.n > 0 ? (double)c->largest_y : (double)NAN;
    out->row_sigma[0] = all.n > 0 ? (double)c->least_row : (double)NAN;
    out->row_sigma[4] = all.n > 0 ? (double)c->most_row : (double)NAN;
    out->line = c->xx > 0 ? c->xy / c->xx : (double)NAN;
    out->channel_kurtosis = channel_kurtosis(c, m->channels);
    for (int i = 0; i < m->channels; i++) {
        out->is_outlier[i] = c->counts[i] && (double)c->large[i] >= 0.06 * (double)c->counts[i];
        out->outlier_channels += out->is_outlier[i];
    }
    out->top = c->top;
    memcpy(out->extremes, c->extremes, sizeof out->extremes);
}

/* Tells every thread which classes to refine. */
static int want(making *m, ns_select *(*of)(corner *), const double *q, int count, ns_error *err) {
    int status = ns_select_want(of(&m->corners[0]), q, count, err);
    for (int t = 1; t < m->threads && !status; t++)
        status = ns_select_copy_wanted(of(&m->corners[t]), of(&m->corners[0]), err);
    return status;
}

static void gather_refined(making *m, ns_select *(*of)(corner *)) {
    for (int t = 1; t < m->threads; t++)
        ns_select_merge_refined(of(&m->corners[0]), of(&m->corners[t]));
}

static ns_select *of_x(corner *c) {
    return &c->x;
}
static ns_select *of_size(corner *c) {
    return &c->size;
}
static ns_select *of_row(corner *c) {
    return &c->row;
}
static ns_select *of_deviation(corner *c) {
    return &c->deviation;
}

static int walk(making *m, int (*visit)(void *, const ns_piece *, ns_error *), ns_error *err) {
    const ns_walk w = {.points = m->points,
                       .rows = true,
                       .positions = true,
                       .progress = m->options->progress,
                       .visit = visit,
                       .user = m};
    return ns_walk_all(&w, err);
}

/* The median of 1 / sigma_row, which an even number of rows puts between two of them: not 1 / the median. */
static double median_inverse(const ns_select *row) {
    enum { MIDDLE = 1 }; /* of row_quantiles */
    double below, above, share = ns_select_between(row, MIDDLE, &below, &above);
    return share > 0 ? (ns_inverse_sigma(below) + ns_inverse_sigma(above)) / 2
                     : ns_inverse_sigma(below);
}

static int quantiles_of_all(making *m, ns_error *err) {
    ns_stats *out = m->out;
    int status = want(m, of_x, ns_stats_quantiles, NS_STATS_QUANTILES, err);
    if (!status) status = want(m, of_size, middle, 1, err);
    if (!status) status = want(m, of_row, row_quantiles, 3, err);
    if (!status) status = walk(m, second_walk, err);
    if (status) return status;
    gather_refined(m, of_x);
    gather_refined(m, of_size);
    gather_refined(m, of_row);
    corner *c = &m->corners[0];
    for (int k = 0; k < NS_STATS_QUANTILES; k++) out->quantiles[k] = ns_select_result(&c->x, k);
    for (int k = 0; k < 3; k++) out->row_sigma[k + 1] = ns_select_result(&c->row, k);
    out->inverse_sigma_row = median_inverse(&c->row);
    out->median_size = ns_select_result(&c->size, 0);
    out->largest_over_median = fmax(fabs(out->least), fabs(out->most)) / out->median_size;
    uint64_t linear = 0;
    for (int t = 0; t < m->threads; t++) linear += m->corners[t].linear;
    out->linear_share = (double)linear / (double)out->points;
    return NS_OK;
}

static int deviations(making *m, ns_error *err) {
    ns_stats *out = m->out;
    corner *c = &m->corners[0];
    m->median = out->quantiles[3];
    int status = walk(m, third_walk, err);
    for (int t = 1; t < m->threads && !status; t++) {
        const corner *from = &m->corners[t];
        ns_select_merge(&c->deviation, &from->deviation);
        for (int i = 0; i < m->channels; i++) c->massive[i] += from->massive[i];
        for (int k = 0; k < NS_STATS_THRESHOLDS; k++) c->saturated[k] += from->saturated[k];
        c->gain += from->gain;
    }
    if (!status) status = want(m, of_deviation, middle, 1, err);
    if (!status) status = walk(m, fourth_walk, err);
    if (status) return status;
    gather_refined(m, of_deviation);
    out->mad = ns_select_result(&c->deviation, 0);
    for (int i = 0; i < m->channels; i++) {
        out->massive += c->massive[i];
        out->massive_channels += c->massive[i] > 0;
    }
    if (out->massive) {
        out->massive_channel = out->extremes[0].channel;
        out->massive_position = out->extremes[0].position;
    }
    bool told = !m->options->no_fit && !out->fit.degenerate;
    for (int k = 0; k < NS_STATS_THRESHOLDS; k++)
        out->saturated[k] = told ? (double)c->saturated[k] / (double)out->points : (double)NAN;
    out->gain = told ? c->gain / (double)out->points : (double)NAN;
    return NS_OK;
}

void ns_stats_no_fit(ns_stats *out) {
    out->fit.degenerate = true;
    out->fit.reason = "not asked for";
    for (int k = 0; k < NS_PARAMETERS; k++) out->fit.theta[k] = (double)NAN;
    out->fit.s_index = out->fit.slope = (double)NAN;
    for (int k = 0; k < NS_ROWS_KINDS; k++) out->fit.s_index_of[k] = (double)NAN;
}

static int fit(making *m, ns_error *err) {
    const ns_curve *curve = ns_curve_find("tanh", err);
    const ns_fit_options options = {.curves = &curve,
                                    .curve_count = 1,
                                    .progress = m->options->progress,
                                    .by_kind = m->options->by_kind};
    if (!m->options->no_fit) return ns_fit_points(m->points, &options, &m->out->fit, err);
    ns_stats_no_fit(m->out);
    return NS_OK;
}

static int make(ns_stats *out, const ns_points *points, const ns_stats_options *options,
                ns_error *err) {
    *out = (ns_stats){.channels = points->channels, .massive_channel = -1, .massive_position = -1};
    making m = {.out = out,
                .points = points,
                .options = options,
                .threads = ns_walk_threads(points),
                .channels = points->channels};
    m.corners = ns_calloc((size_t)m.threads, sizeof *m.corners, err);
    out->is_outlier = ns_calloc((size_t)m.channels, 1, err);
    int status = m.corners && out->is_outlier ? NS_OK : NS_EFAIL;
    for (int t = 0; t < m.threads && !status; t++)
        status = make_corner(&m.corners[t], m.channels, err);
    if (!status) status = walk(&m, first_walk, err);
    if (!status) {
        gather_first(&m);
        report_first(&m);
        status = fit(&m, err);
    }
    if (!status) status = quantiles_of_all(&m, err);
    if (!status) status = deviations(&m, err);
    if (!status) {
        out->inverse_sigma = ns_inverse_sigma(out->sigma);
        out->inverse_sigma_robust = ns_inverse_sigma_robust(out->mad);
    }
    for (int t = 0; m.corners && t < m.threads; t++) free_corner(&m.corners[t]);
    free(m.corners);
    return status;
}

int ns_stats_make(ns_stats *out, const ns_points *points, const ns_stats_options *options,
                  ns_error *err) {
    ns_points taken = *points;
    ns_chosen *chosen = NULL;
    *out = (ns_stats){0};
    int status = ns_chosen_new(&chosen, &taken, options->rows, err);
    if (!status) status = make(out, &taken, options, err);
    out->left_out = ns_chosen_left_out(chosen);
    ns_chosen_free(chosen);
    return status;
}

void ns_stats_free(ns_stats *stats) {
    free(stats->is_outlier);
    stats->is_outlier = NULL;
}
