#include "analysis/correlation.h"

#include <math.h>
#include <stdlib.h>

#include "probe/base/mem.h"
#include "probe/base/order.h"
#include "probe/base/random.h"

static double pearson(int n, const double *x, const double *y) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int i = 0; i < n; i++) mx += x[i] / n, my += y[i] / n;
    for (int i = 0; i < n; i++) {
        double u = x[i] - mx, v = y[i] - my;
        xx += u * u, yy += v * v, xy += u * v;
    }
    /* Values that are all the same leave only the rounding of their mean. */
    double least = 1e-28 * n;
    if (n < 3 || !(xx > least * mx * mx) || !(yy > least * my * my)) return (double)NAN;
    return fmax(-1, fmin(1, xy / sqrt(xx * yy)));
}

typedef struct ranked {
    double value;
    int at;
} ranked;

static void rank(int n, const double *x, ranked *room, double *out) {
    for (int i = 0; i < n; i++) room[i] = (ranked){x[i], i};
    qsort(room, (size_t)n, sizeof *room, ns_rising);
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && room[end].value == room[i].value;) end++;
        for (int k = i; k < end; k++) out[room[k].at] = 0.5 * (i + end - 1);
    }
}

/* Memory of one statistic. */
typedef struct room {
    double *x, *y, *z; /* [n] a resample */
    double *a, *b;     /* [n] what is correlated of it */
    ranked *ranks;     /* [n] */
} room;

static double statistic(ns_correlation_kind kind, int n, const double *x, const double *y,
                        const double *z, const room *r) {
    double xy, xz, yz;
    switch (kind) {
    case NS_SPEARMAN:
        rank(n, x, r->ranks, r->a);
        rank(n, y, r->ranks, r->b);
        return pearson(n, r->a, r->b);
    case NS_LOG:
        for (int i = 0; i < n; i++) {
            if (!(x[i] > 0) || !(y[i] > 0)) return (double)NAN;
            r->a[i] = log(x[i]);
            r->b[i] = log(y[i]);
        }
        return pearson(n, r->a, r->b);
    case NS_PARTIAL:
        xy = pearson(n, x, y), xz = pearson(n, x, z), yz = pearson(n, y, z);
        /* Two points in all, as some resamples have, lie on a line with z up to rounding. */
        if (n < 4 || !(xz * xz < 1 - 1e-12) || !(yz * yz < 1 - 1e-12)) return (double)NAN;
        return fmax(-1, fmin(1, (xy - xz * yz) / sqrt((1 - xz * xz) * (1 - yz * yz))));
    default:
        return pearson(n, x, y);
    }
}

/* Fewer ranks are too coarse for any interval. */
enum { FEWEST_RANKS = 7 };

static void fisher(ns_correlation *c, ns_correlation_kind kind, int n) {
    double freedom = n - 3 - (kind == NS_PARTIAL), variance = 1 / freedom;
    if (!(freedom > 0) || isnan(c->r) || (kind == NS_SPEARMAN && n < FEWEST_RANKS)) return;
    if (kind == NS_SPEARMAN) variance *= 1 + c->r * c->r / 2;
    double z = atanh(c->r), reach = 1.959963984540054 * sqrt(variance);
    c->low = tanh(z - reach);
    c->high = tanh(z + reach);
}

static double quantile(const double *sorted, int n, double q) {
    double at = q * (n - 1);
    int below = (int)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

static int bootstrap(ns_correlation *c, ns_correlation_kind kind, int n, const double *x,
                     const double *y, const double *z, int resamples, uint64_t seed, const room *r,
                     ns_error *err) {
    double *all = ns_calloc((size_t)resamples, sizeof *all, err);
    if (!all) return NS_EFAIL;
    uint64_t state = seed;
    int known = 0;
    for (int b = 0; b < resamples; b++) {
        for (int i = 0; i < n; i++) {
            uint64_t k = ns_random_below(&state, (uint64_t)n);
            r->x[i] = x[k];
            r->y[i] = y[k];
            r->z[i] = z ? z[k] : 0;
        }
        double value = statistic(kind, n, r->x, r->y, r->z, r);
        if (!isnan(value)) all[known++] = value;
    }
    /* With few pairs many resamples say nothing; half of them is the least to go by. */
    if (known > resamples / 2) {
        qsort(all, (size_t)known, sizeof *all, ns_rising);
        c->boot_low = quantile(all, known, 0.025);
        c->boot_high = quantile(all, known, 0.975);
    }
    free(all);
    return NS_OK;
}

int ns_correlate(ns_correlation *out, ns_correlation_kind kind, int n, const double *x,
                 const double *y, const double *z, int resamples, uint64_t seed, ns_error *err) {
    const double unknown = (double)NAN;
    *out = (ns_correlation){unknown, unknown, unknown, unknown, unknown};
    if (n < 3) return NS_OK;
    double *numbers = ns_calloc(5 * (size_t)n, sizeof *numbers, err);
    room r = {.ranks = ns_calloc((size_t)n, sizeof *r.ranks, err)};
    int status = numbers && r.ranks ? NS_OK : NS_EFAIL;
    if (!status) {
        r.x = numbers, r.y = numbers + n, r.z = numbers + 2 * n;
        r.a = numbers + 3 * n, r.b = numbers + 4 * n;
        out->r = statistic(kind, n, x, y, z, &r);
        fisher(out, kind, n);
        int fewest = kind == NS_SPEARMAN ? FEWEST_RANKS : 4;
        if (resamples && n >= fewest && !isnan(out->r))
            status = bootstrap(out, kind, n, x, y, z, resamples, seed, &r, err);
    }
    free(numbers);
    free(r.ranks);
    return status;
}
