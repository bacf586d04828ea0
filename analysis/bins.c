#include "analysis/bins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/lanes_kernel.h"
#include "analysis/row_choice.h"
#include "analysis/walk.h"
#include "probe/base/mem.h"
#include "probe/base/simd.h"

/* What a thread collects, of all samples or of those held out. Bins lie in the order of the float's bits. */
typedef struct heap {
    ns_lanes *sums; /* [NS_BIN_COUNT] of x, y, x^2, x y */
    uint64_t *counts;
    double yy, yy_rest; /* sum of y^2, and what rounding took from it (Neumaier's summation) */
    uint64_t nonfinite;
    float least, most;
} heap;

typedef struct filling {
    heap (*heaps)[NS_PARTS]; /* [threads] */
    uint64_t *rows;          /* [threads] */
    int threads, used;       /* heaps of a thread in use */
    uint64_t seed;
} filling;

static uint32_t bin_of(float x) {
    return ns_float_bits(x) >> (32 - NS_BIN_BITS);
}

static bool is_finite(float v) {
    return (ns_float_bits(v) & UINT32_C(0x7f800000)) != UINT32_C(0x7f800000);
}

static void add_square(heap *h, double square) {
    double sum = h->yy + square;
    h->yy_rest += h->yy >= square ? (h->yy - sum) + square : (square - sum) + h->yy;
    h->yy = sum;
}

/* The float whose bits were turned round where it is negative. */
static float at_place(int32_t place) {
    return ns_bits_float(place < 0 ? (uint32_t)place ^ UINT32_C(0x7fffffff) : (uint32_t)place);
}

static void put(heap *h, float x, float y) {
    if (!is_finite(x) || !is_finite(y)) {
        h->nonfinite++;
        return;
    }
    double u = (double)x, v = (double)y;
    h->least = x < h->least ? x : h->least;
    h->most = x > h->most ? x : h->most;
    h->sums[bin_of(x)] += (ns_lanes){u, v, u * u, u * v};
    h->counts[bin_of(x)]++;
    add_square(h, v * v);
}

/* The range of x, and whether all of x and y is finite: the exponent of what is not is the largest there is. Floats compare as their
 * bits do, once those of negative ones are turned round: so the loop is one of integers, which any compiler vectorises. */
NS_CLONES
static bool scan(heap *h, size_t n, const float *x, const float *y) {
    int32_t least = INT32_MAX, most = INT32_MIN;
    uint32_t largest = 0;
#pragma omp simd reduction(min : least) reduction(max : most, largest)
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = ns_float_bits(x[i]), u = bits & UINT32_C(0x7fffffff),
                 v = ns_float_bits(y[i]) & UINT32_C(0x7fffffff);
        int32_t place = (int32_t)(bits >> 31 ? bits ^ UINT32_C(0x7fffffff) : bits);
        u = u > v ? u : v;
        largest = largest > u ? largest : u;
        least = least < place ? least : place;
        most = most > place ? most : place;
    }
    if (largest >= UINT32_C(0x7f800000)) return false;
    h->least = fminf(h->least, at_place(least));
    h->most = fmaxf(h->most, at_place(most));
    return true;
}

/* Points ahead that are asked of the memory in time. */
enum { AHEAD = 1024 };

/* Finite points, four at a time: a point's four terms are the column of a matrix whose rows are x, y, x^2 and x y of the four. */
NS_CLONES
static void scatter(heap *h, size_t n, const float *x, const float *y) {
    ns_lanes *sums = h->sums, yy = {0};
    uint64_t *counts = h->counts;
    for (size_t i = 0; i < n; i += NS_LANES) {
        ns_lanes u, v;
        ns_lanes_load(x + i, &u);
        ns_lanes_load(y + i, &v);
        ns_lanes uu = u * u, uv = u * v;
        ns_lanes a = __builtin_shufflevector(u, v, 0, 4, 2, 6),
                 b = __builtin_shufflevector(u, v, 1, 5, 3, 7),
                 c = __builtin_shufflevector(uu, uv, 0, 4, 2, 6),
                 d = __builtin_shufflevector(uu, uv, 1, 5, 3, 7);
        uint32_t i0 = bin_of(x[i]), i1 = bin_of(x[i + 1]), i2 = bin_of(x[i + 2]),
                 i3 = bin_of(x[i + 3]);
        sums[i0] += __builtin_shufflevector(a, c, 0, 1, 4, 5);
        counts[i0]++;
        sums[i1] += __builtin_shufflevector(b, d, 0, 1, 4, 5);
        counts[i1]++;
        sums[i2] += __builtin_shufflevector(a, c, 2, 3, 6, 7);
        counts[i2]++;
        sums[i3] += __builtin_shufflevector(b, d, 2, 3, 6, 7);
        counts[i3]++;
        yy += v * v;
        __builtin_prefetch(x + i + AHEAD);
        __builtin_prefetch(y + i + AHEAD);
    }
    add_square(h, ns_lanes_sum(&yy));
}

static void fill(heap *h, size_t n, const float *x, const float *y) {
    enum { BLOCK = 1024 };
    for (size_t at = 0, m; at < n; at += m) {
        m = n - at < BLOCK ? n - at : BLOCK;
        size_t whole = scan(h, m, x + at, y + at) ? m - m % NS_LANES : 0;
        scatter(h, whole, x + at, y + at);
        for (size_t i = at + whole; i < at + m; i++) put(h, x[i], y[i]);
    }
}

static int heap_make(heap *h, ns_error *err) {
    h->least = INFINITY, h->most = -INFINITY;
    h->sums = ns_alloc_aligned(NS_BIN_COUNT, sizeof *h->sums, err);
    h->counts = ns_calloc(NS_BIN_COUNT, sizeof *h->counts, err);
    if (!h->sums || !h->counts) return NS_EFAIL;
    memset(h->sums, 0, NS_BIN_COUNT * sizeof *h->sums);
    return NS_OK;
}

static void heap_free(heap *h) {
    free(h->sums);
    free(h->counts);
}

static int visit(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    filling *f = user;
    heap *h = f->heaps[piece->thread];
    f->rows[piece->thread] += piece->rows;
    if (f->used == 1) {
        fill(h, piece->points, piece->x, piece->y);
        return NS_OK;
    }
    for (size_t row = 0, end; row < piece->rows; row = end) {
        end = ns_piece_run(piece, row);
        size_t from = piece->starts[row], to = piece->starts[end];
        fill(&h[ns_held_out(f->seed, piece->samples[row]) ? NS_HELD : NS_KEPT], to - from,
             piece->x + from, piece->y + from);
    }
    return NS_OK;
}

/* Negative floats' bits fall as x rises: bin i in order of x is this one in order of bits. */
static size_t in_order(size_t i) {
    return i < NS_BIN_COUNT / 2 ? NS_BIN_COUNT - 1 - i : i - NS_BIN_COUNT / 2;
}

static void merge(heap *to, const heap *from) {
    for (size_t i = 0; i < NS_BIN_COUNT; i++)
        if (from->counts[i]) to->sums[i] += from->sums[i], to->counts[i] += from->counts[i];
    add_square(to, from->yy);
    to->yy_rest += from->yy_rest;
    to->nonfinite += from->nonfinite;
    to->least = fminf(to->least, from->least);
    to->most = fmaxf(to->most, from->most);
}

static int collect(ns_bins *out, const heap *h, ns_error *err) {
    for (size_t i = 0; i < NS_BIN_COUNT; i++) out->used += h->counts[i] > 0;
    out->bins = ns_calloc((size_t)out->used, sizeof *out->bins, err);
    if (!out->bins) return NS_EFAIL;
    ns_bin *to = out->bins, *t = &out->total;
    for (size_t i = 0; i < NS_BIN_COUNT; i++) {
        size_t at = in_order(i);
        if (!h->counts[at]) continue;
        ns_lanes s = h->sums[at];
        *to = (ns_bin){(double)h->counts[at], s[0], s[1], s[2], s[3]};
        t->n += to->n, t->x += to->x, t->y += to->y, t->xx += to->xx, t->xy += to->xy;
        out->points += h->counts[at];
        to++;
    }
    out->yy = h->yy + h->yy_rest;
    out->nonfinite = h->nonfinite;
    out->least = out->points ? (double)h->least : (double)NAN;
    out->most = out->points ? (double)h->most : (double)NAN;
    return NS_OK;
}

static int make_heaps(filling *f, ns_error *err) {
    f->heaps = ns_calloc((size_t)f->threads, sizeof *f->heaps, err);
    f->rows = ns_calloc((size_t)f->threads, sizeof *f->rows, err);
    if (!f->heaps || !f->rows) return NS_EFAIL;
    for (int t = 0; t < f->threads; t++)
        for (int k = 0; k < f->used; k++) {
            int status = heap_make(&f->heaps[t][k], err);
            if (status) return status;
        }
    return NS_OK;
}

static int finish(ns_bins *all, ns_bins *parts, filling *f, ns_error *err) {
    heap *h = f->heaps[0];
    int status = NS_OK;
    for (int t = 0; t < f->threads; t++) {
        for (int k = 0; k < f->used && t; k++) merge(&h[k], &f->heaps[t][k]);
        all->padding -= f->rows[t];
    }
    for (int k = 0; k < NS_PARTS && parts && !status; k++) status = collect(&parts[k], &h[k], err);
    if (parts) merge(&h[NS_KEPT], &h[NS_HELD]);
    return status ? status : collect(all, &h[NS_KEPT], err);
}

int ns_bins_make(ns_bins *all, ns_bins parts[NS_PARTS], uint64_t seed, const ns_points *points,
                 ns_progress *progress, ns_error *err) {
    *all = (ns_bins){.padding = points->rows};
    for (int k = 0; k < NS_PARTS && parts; k++) parts[k] = (ns_bins){0};
    filling f = {.threads = ns_walk_threads(points), .used = parts ? NS_PARTS : 1, .seed = seed};
    int status = make_heaps(&f, err);
    ns_walk walk = {
        .points = points, .rows = parts != NULL, .progress = progress, .visit = visit, .user = &f};
    if (!status) status = ns_walk_all(&walk, err);
    if (!status) status = finish(all, parts, &f, err);
    for (int t = 0; f.heaps && t < f.threads; t++)
        for (int k = 0; k < f.used; k++) heap_free(&f.heaps[t][k]);
    free(f.heaps);
    free(f.rows);
    return status;
}

/* ---- sets of rows ---- */

/* What a thread collects of each set, where it has rows. */
typedef struct sets {
    heap of[NS_ROW_SETS];
    uint64_t rows[NS_ROW_SETS];
} sets;

static int set_of(const ns_piece *piece, size_t row) {
    return (piece->positions[row] == 0 ? 0 : 4) + (piece->kinds[row] & 3);
}

static int visit_sets(void *user, const ns_piece *piece, ns_error *err) {
    sets *s = &((sets *)user)[piece->thread];
    for (size_t row = 0, end; row < piece->rows; row = end) {
        int set = set_of(piece, row);
        heap *h = &s->of[set];
        for (end = row + 1; end < piece->rows && set_of(piece, end) == set;) end++;
        if (!h->sums && heap_make(h, err)) return NS_EFAIL;
        s->rows[set] += end - row;
        size_t from = piece->starts[row], to = piece->starts[end];
        fill(h, to - from, piece->x + from, piece->y + from);
    }
    return NS_OK;
}

/* The bins of some sets, in the order of the threads. */
static int unite(ns_bins *out, const sets *all, int threads, unsigned wanted, ns_error *err) {
    heap sum = {0};
    int status = heap_make(&sum, err);
    for (int k = 0; k < NS_ROW_SETS && !status; k++)
        for (int t = 0; t < threads; t++)
            if ((wanted >> k & 1) && all[t].of[k].sums) merge(&sum, &all[t].of[k]);
    if (!status) status = collect(out, &sum, err);
    heap_free(&sum);
    return status;
}

int ns_bins_of_sets(ns_bins *out, const unsigned *unions, int count, const ns_points *points,
                    ns_progress *progress, ns_error *err) {
    int threads = ns_walk_threads(points);
    sets *all = ns_calloc((size_t)threads, sizeof *all, err);
    for (int i = 0; i < count; i++) out[i] = (ns_bins){0};
    if (!all) return NS_EFAIL;
    const ns_walk walk = {.points = points,
                          .rows = true,
                          .positions = true,
                          .progress = progress,
                          .visit = visit_sets,
                          .user = all};
    int status = ns_walk_all(&walk, err);
    for (int i = 0; i < count && !status; i++)
        status = unite(&out[i], all, threads, unions[i], err);
    for (int t = 0; t < threads; t++)
        for (int k = 0; k < NS_ROW_SETS; k++) heap_free(&all[t].of[k]);
    free(all);
    return status;
}

void ns_bins_free(ns_bins *bins) {
    free(bins->bins);
    *bins = (ns_bins){0};
}

double ns_bins_quantile(const ns_bins *bins, double q) {
    double want = q * (double)bins->points, seen = 0;
    for (int i = 0; i < bins->used; i++) {
        const ns_bin *b = &bins->bins[i];
        if (seen + b->n >= want) {
            /* Uniform within the bin, about its mean. */
            double mean = b->x / b->n, spread = sqrt(fmax(0, 3 * (b->xx / b->n - mean * mean)));
            double at = mean + spread * (2 * (want - seen) / b->n - 1);
            return fmin(fmax(at, bins->least), bins->most);
        }
        seen += b->n;
    }
    return bins->most;
}

size_t ns_bins_pseudo(const ns_bins *bins, int group, float *x, float *y, double *w) {
    size_t count = 0;
    for (int i = 0; i < bins->used;) {
        ns_bin b = {0};
        for (int end = i + group; i < end && i < bins->used; i++) {
            const ns_bin *one = &bins->bins[i];
            b.n += one->n, b.x += one->x, b.y += one->y, b.xx += one->xx, b.xy += one->xy;
        }
        double mx = b.x / b.n, my = b.y / b.n, vx = b.xx / b.n - mx * mx,
               cxy = b.xy / b.n - mx * my;
        double dx = vx > 0 ? sqrt(vx) : 0, dy = dx > 0 ? cxy / dx : 0;
        for (int side = -1; side <= 1; side += 2) {
            x[count] = (float)(mx + side * dx);
            y[count] = (float)(my + side * dy);
            w[count++] = b.n / 2;
        }
    }
    return count;
}
