#include "analysis/bins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/walk.h"
#include "probe/base/mem.h"
#include "probe/base/simd.h"
#include "probe/base/vmath.h"

/* What a thread collects. Bins lie in the order of the float's bits. */
typedef struct heap {
    ns_bin *bins;
    uint64_t nonfinite, rows;
    float least, most;
} heap;

typedef struct filling {
    heap *heaps;
    int threads;
} filling;

static void fill(heap *h, size_t n, const float *x, const float *y) {
    float least = h->least, most = h->most;
    uint64_t bad = 0;
    ns_bin *bins = h->bins;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = ns_float_bits(x[i]);
        if ((bits & UINT32_C(0x7f800000)) == UINT32_C(0x7f800000) ||
            (ns_float_bits(y[i]) & UINT32_C(0x7f800000)) == UINT32_C(0x7f800000)) {
            bad++;
            continue;
        }
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
        ns_bin *bin = bins + (bits >> 17);
        double u = (double)x[i], v = (double)y[i];
        bin->n += 1;
        bin->x += u;
        bin->y += v;
        bin->xx += u * u;
        bin->xy += u * v;
        bin->yy += v * v;
    }
    h->least = least;
    h->most = most;
    h->nonfinite += bad;
}

static int visit(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    filling *f = user;
    fill(&f->heaps[piece->thread], piece->points, piece->x, piece->y);
    f->heaps[piece->thread].rows += piece->rows;
    return NS_OK;
}

static void add(ns_bin *to, const ns_bin *from) {
    to->n += from->n;
    to->x += from->x;
    to->y += from->y;
    to->xx += from->xx;
    to->xy += from->xy;
    to->yy += from->yy;
}

/* Negative floats' bits fall as x rises: bin i in order of x is this one in order of bits. */
static size_t in_order(size_t i) {
    return i < NS_BIN_COUNT / 2 ? NS_BIN_COUNT - 1 - i : i - NS_BIN_COUNT / 2;
}

static int collect(ns_bins *out, const filling *f, uint64_t rows, ns_error *err) {
    ns_bin *all = f->heaps[0].bins;
    float least = INFINITY, most = -INFINITY;
    for (int t = 0; t < f->threads; t++) {
        const heap *h = &f->heaps[t];
        for (size_t i = 0; t && i < NS_BIN_COUNT; i++)
            if (h->bins[i].n > 0) add(&all[i], &h->bins[i]);
        least = fminf(least, h->least);
        most = fmaxf(most, h->most);
        out->nonfinite += h->nonfinite;
        rows -= h->rows;
    }
    out->padding = rows;
    for (size_t i = 0; i < NS_BIN_COUNT; i++) out->used += all[i].n > 0;
    out->bins = ns_calloc((size_t)out->used, sizeof *out->bins, err);
    if (!out->bins) return NS_EFAIL;
    ns_bin *to = out->bins;
    for (size_t i = 0; i < NS_BIN_COUNT; i++) {
        const ns_bin *bin = &all[in_order(i)];
        if (bin->n > 0) *to++ = *bin, add(&out->total, bin);
    }
    out->points = (uint64_t)out->total.n;
    out->least = out->points ? (double)least : (double)NAN;
    out->most = out->points ? (double)most : (double)NAN;
    return NS_OK;
}

int ns_bins_make(ns_bins *out, const ns_points *points, ns_progress *progress, ns_error *err) {
    *out = (ns_bins){0};
    filling f = {.threads = ns_walk_threads(points)};
    f.heaps = ns_calloc((size_t)f.threads, sizeof *f.heaps, err);
    int status = f.heaps ? NS_OK : NS_EFAIL;
    for (int t = 0; t < f.threads && !status; t++) {
        f.heaps[t] = (heap){.least = INFINITY, .most = -INFINITY};
        if (!(f.heaps[t].bins = ns_calloc(NS_BIN_COUNT, sizeof(ns_bin), err))) status = NS_EFAIL;
    }
    ns_walk walk = {.points = points, .progress = progress, .visit = visit, .user = &f};
    if (!status) status = ns_walk_all(&walk, err);
    if (!status) status = collect(out, &f, points->rows, err);
    for (int t = 0; f.heaps && t < f.threads; t++) free(f.heaps[t].bins);
    free(f.heaps);
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

size_t ns_bins_pseudo(const ns_bins *bins, float *x, float *y, double *w) {
    size_t count = 0;
    for (int i = 0; i < bins->used; i++) {
        const ns_bin *b = &bins->bins[i];
        double mx = b->x / b->n, my = b->y / b->n, vx = b->xx / b->n - mx * mx,
               cxy = b->xy / b->n - mx * my;
        double dx = vx > 0 ? sqrt(vx) : 0, dy = dx > 0 ? cxy / dx : 0;
        for (int side = -1; side <= 1; side += 2) {
            x[count] = (float)(mx + side * dx);
            y[count] = (float)(my + side * dy);
            w[count++] = b->n / 2;
        }
    }
    return count;
}
