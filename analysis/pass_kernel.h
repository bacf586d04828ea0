/* The pass over points, written once and compiled for each curve: a file in analysis/curves/ defines
 *
 *     NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q)
 *     NS_INLINE void curve_at(const ns_lanes *u, const ns_block *block, size_t i, ns_lanes *f, ns_lanes *f1, ns_lanes *f2)
 *
 * and includes this. The states are what costs most: curve_states finds them for a block of points from block->u, before the
 * sums are made by curve_at, because a processor overlaps the points of two short loops better than those of one long one.
 * Neither has branches. CURVE_REACH may be defined: beyond |u| of it f is constant to the last bit, and u is held to it.
 *
 * All in double: the sum of squares at the minimum is then good to about 1e-15 of the total, and the gradient vanishes where
 * the minimum is. Sums have four lanes, so that their order is fixed. */
#include <math.h>
#include <string.h>

#include "analysis/curve.h"
#include "analysis/lanes_kernel.h"
#include "probe/base/simd.h"

#define FORM        sums_plain
#define FORM_SHIFT  0
#define FORM_OFFSET 0
#define FORM_WEIGHT 0
#define FORM_HUBER  0
#define FORM_SPLIT  0
#include "analysis/form_kernel.h"

#define FORM        sums_offset
#define FORM_SHIFT  0
#define FORM_OFFSET 1
#define FORM_WEIGHT 0
#define FORM_HUBER  0
#define FORM_SPLIT  1
#include "analysis/form_kernel.h"

#define FORM        sums_all
#define FORM_SHIFT  1
#define FORM_OFFSET 1
#define FORM_WEIGHT 0
#define FORM_HUBER  0
#define FORM_SPLIT  1
#include "analysis/form_kernel.h"

#define FORM        sums_weighted
#define FORM_SHIFT  1
#define FORM_OFFSET 1
#define FORM_WEIGHT 1
#define FORM_HUBER  0
#define FORM_SPLIT  1
#include "analysis/form_kernel.h"

#define FORM        sums_huber
#define FORM_SHIFT  1
#define FORM_OFFSET 1
#define FORM_WEIGHT 0
#define FORM_HUBER  1
#define FORM_SPLIT  1
#include "analysis/form_kernel.h"

/* Arguments of a block of points, and their states. x is read in whole lanes. */
NS_INLINE void states(double alpha, double d, size_t n, const float *x, ns_block *block) {
    const ns_lanes a = NS_SPLAT(alpha), shift = NS_SPLAT(d);
#ifdef CURVE_REACH
    const ns_lanes most = NS_SPLAT(CURVE_REACH), least = -most;
#endif
    for (size_t i = 0; i < n; i += NS_LANES) {
        ns_lanes wide, u;
        ns_lanes_load(x + i, &wide);
        NS_LANES_AT(block->x, i) = wide;
        u = a * wide + shift;
#ifdef CURVE_REACH
        u = NS_SELECT(u < least, least, u);
        u = NS_SELECT(u > most, most, u);
#endif
        NS_LANES_AT(block->u, i) = u;
    }
    for (size_t i = 0; i < n; i += NS_LANES) {
        ns_lanes u = NS_LANES_AT(block->u, i), p, q;
        curve_state(&u, &p, &q);
        NS_LANES_AT(block->u, i) = p;
#ifdef CURVE_TWO_STATES
        NS_LANES_AT(block->v, i) = q;
#endif
    }
}

NS_INLINE void pass_block(const ns_pass *p, size_t n, const float *x, const float *y,
                          const double *weights, ns_block *block, ns_fit_sums *sums,
                          const bool partial) {
    states(p->theta[NS_ALPHA], p->theta[NS_SHIFT], n, x, block);
    for (size_t i = 0; weights && i < n; i++) block->weight[i] = weights[i];
    for (size_t i = n; weights && i % NS_LANES; i++) block->weight[i] = 0;
    if (weights)
        sums_weighted(p, n, y, block, sums, partial);
    else if (p->huber < (double)INFINITY)
        sums_huber(p, n, y, block, sums, partial);
    else if (p->shift)
        sums_all(p, n, y, block, sums, partial);
    else if (p->offset)
        sums_offset(p, n, y, block, sums, partial);
    else
        sums_plain(p, n, y, block, sums, partial);
}

NS_CLONES
static void pass(const ns_pass *p, size_t n, const float *x, const float *y, const double *weights,
                 ns_fit_sums *sums) {
    ns_block block;
    size_t at = 0, whole = n - n % NS_LANES;
    for (size_t m; at < whole; at += m) {
        m = whole - at < NS_BLOCK ? whole - at : NS_BLOCK;
        pass_block(p, m, x + at, y + at, weights ? weights + at : NULL, &block, sums, false);
    }
    if (at == n) return;
    float rest_x[NS_LANES] = {0}, rest_y[NS_LANES] = {0};
    for (size_t i = at; i < n; i++) rest_x[i - at] = x[i], rest_y[i - at] = y[i];
    pass_block(p, n - at, rest_x, rest_y, weights ? weights + at : NULL, &block, sums, true);
}

NS_CLONES
static void values(double alpha, double d, size_t n, const float *x, double *f) {
    ns_block block;
    const ns_lanes a = NS_SPLAT(alpha), shift = NS_SPLAT(d);
    float rest[NS_LANES] = {0};
    for (size_t at = 0, m; at < n; at += m) {
        m = n - at < NS_BLOCK ? n - at : NS_BLOCK;
        const float *xs = x + at;
        if (m > NS_LANES) {
            m -= m % NS_LANES;
        } else if (m < NS_LANES) {
            for (size_t i = 0; i < m; i++) rest[i] = xs[i];
            xs = rest;
        }
        states(alpha, d, m, xs, &block);
        for (size_t i = 0; i < m; i += NS_LANES) {
            ns_lanes u = a * NS_LANES_AT(block.x, i) + shift, f0, f1, f2;
            curve_at(&u, &block, i, &f0, &f1, &f2);
            NS_LANES_AT(block.r, i) = f0;
        }
        memcpy(f + at, block.r, m * sizeof *f);
    }
}

static double value(double u, double *first, double *second) {
    ns_block block;
    const float one[NS_LANES] = {1};
    ns_lanes argument = NS_SPLAT(u), f, f1, f2;
    states(u, 0, 1, one, &block);
    curve_at(&argument, &block, 0, &f, &f1, &f2);
    if (first) *first = f1[0];
    if (second) *second = f2[0];
    return f[0];
}
