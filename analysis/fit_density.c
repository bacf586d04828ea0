/* Bins of points that count by the density of x: the bins of x are wider than those of the density far from 0, so that no one weight would do
 * for what falls into one. */
#include <math.h>
#include <stdlib.h>

#include "analysis/fit_internal.h"
#include "analysis/walk.h"
#include "probe/base/mem.h"
#include "probe/base/vmath.h"

typedef struct weighing {
    ns_bin *bins; /* [threads, NS_BIN_COUNT], by the bits of x */
    const double *weights;
    const ns_bins *of;
} weighing;

static int visit(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    const weighing *g = user;
    ns_bin *bins = g->bins + (size_t)piece->thread * NS_BIN_COUNT;
    for (size_t i = 0; i < piece->points; i++) {
        double x = (double)piece->x[i], y = (double)piece->y[i];
        double w = ns_density_weight(g->weights, g->of->least, g->of->most, x);
        ns_bin *b = &bins[ns_float_bits(piece->x[i]) >> (32 - NS_BIN_BITS)];
        b->n += w, b->x += w * x, b->y += w * y, b->xx += w * x * x, b->xy += w * x * y;
    }
    return NS_OK;
}

int ns_density_bins(ns_bins *out, const ns_fit_pass *pass, ns_error *err) {
    enum { HALF = NS_BIN_COUNT / 2 };
    int threads = ns_walk_threads(pass->points);
    weighing g = {.weights = pass->density, .of = pass->bins};
    *out = *pass->bins; /* not its bins */
    out->used = 0;
    g.bins = ns_calloc((size_t)threads * NS_BIN_COUNT, sizeof *g.bins, err);
    out->bins = ns_calloc((size_t)pass->bins->used + 1, sizeof *out->bins, err);
    const ns_walk walk = {.points = pass->points,
                          .finite_only = true,
                          .progress = pass->progress,
                          .visit = visit,
                          .user = &g};
    int status = g.bins && out->bins ? ns_walk_all(&walk, err) : NS_EFAIL;
    for (size_t i = 0; i < NS_BIN_COUNT && !status; i++) {
        /* Negative floats' bits fall as x rises. */
        size_t at = i < HALF ? NS_BIN_COUNT - 1 - i : i - HALF;
        ns_bin sum = {0};
        for (int t = 0; t < threads; t++) {
            const ns_bin *b = &g.bins[(size_t)t * NS_BIN_COUNT + at];
            sum.n += b->n, sum.x += b->x, sum.y += b->y, sum.xx += b->xx, sum.xy += b->xy;
        }
        if (sum.n > 0 && out->used < pass->bins->used) out->bins[out->used++] = sum;
    }
    free(g.bins);
    return status;
}
