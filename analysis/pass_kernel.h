/* The pass over points, written once and compiled for each curve: a file in analysis/curves/ defines
 *
 *     static inline void curve_at(double u, double *f, double *f1, double *f2)
 *
 * without branches, and includes this. All in double: the sum of squares at the minimum is then good to about 1e-15 of the
 * total, and the gradient vanishes where the minimum is. `omp simd` lets the compiler sum in lanes; on one machine and for one
 * length the order is fixed. */
#include <math.h>

#include "analysis/curve.h"
#include "probe/base/simd.h"

/* One point with weight w. */
#define NS_POINT(w_)                                                                               \
    double xi = (double)x[i], u = a * xi + d, f, f1, f2;                                           \
    curve_at(u, &f, &f1, &f2);                                                                     \
    double r = s * f + b - (double)y[i], size = fabs(r);                                           \
    double keep = size > huber ? 0.0 : 1.0, pull = size > huber ? huber / size : 1.0;              \
    double weight = (w_), wr = weight * pull * r, wk = weight * keep;                              \
    double ja = s * f1 * xi, js = f, jd = s * f1;                                                  \
    double loss = size > huber ? huber * (2 * size - huber) : r * r;                               \
    n0 += weight;                                                                                  \
    rr += weight * loss;                                                                           \
    ra += wr * ja, rs += wr * js, rd += wr * jd, rb += wr;                                         \
    aa += wk * ja * ja, sa += wk * js * ja, ss += wk * js * js, da += wk * jd * ja,                \
        ds += wk * jd * js;                                                                        \
    dd += wk * jd * jd, ba += wk * ja, bs += wk * js, bd += wk * jd, bb += wk;                     \
    h0 += wr * s * f2 * xi * xi, h1 += wr * f1 * xi, h2 += wr * s * f2 * xi, h3 += wr * f1,        \
        h4 += wr * s * f2;                                                                         \
    double tail = xi < low || xi > high ? weight : 0.0;                                            \
    tn += tail;                                                                                    \
    tr += tail * r * r;

#define NS_POINT_SUMS                                                                              \
    n0, rr, ra, rs, rd, rb, aa, sa, ss, da, ds, dd, ba, bs, bd, bb, h0, h1, h2, h3, h4, tn, tr

NS_CLONES
static void pass(const ns_pass *p, size_t n, const float *x, const float *y, const double *weights,
                 ns_fit_sums *sums) {
    const double a = p->theta[NS_ALPHA], s = p->theta[NS_SCALE], d = p->theta[NS_SHIFT],
                 b = p->theta[NS_OFFSET];
    const double low = p->low, high = p->high, huber = p->huber;
    double n0 = 0, rr = 0, ra = 0, rs = 0, rd = 0, rb = 0, aa = 0, sa = 0, ss = 0, da = 0, ds = 0,
           dd = 0, ba = 0, bs = 0, bd = 0, bb = 0, h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0, tn = 0,
           tr = 0;
    if (weights) {
#pragma omp simd reduction(+ : NS_POINT_SUMS)
        for (size_t i = 0; i < n; i++) {
            NS_POINT(weights[i])
        }
    } else {
#pragma omp simd reduction(+ : NS_POINT_SUMS)
        for (size_t i = 0; i < n; i++) {
            NS_POINT(1.0)
        }
    }
    sums->n += n0;
    sums->rr += rr;
    const double jr[NS_PARAMETERS] = {ra, rs, rd, rb},
                 jj[] = {aa, sa, ss, da, ds, dd, ba, bs, bd, bb};
    const double rh[] = {h0, h1, h2, h3, h4};
    for (int k = 0; k < NS_PARAMETERS; k++) sums->jr[k] += jr[k];
    for (int k = 0; k < 10; k++) sums->jj[k] += jj[k];
    for (int k = 0; k < 5; k++) sums->rh[k] += rh[k];
    sums->tail_n += tn;
    sums->tail_rr += tr;
}

static double value(double u, double *first, double *second) {
    double f, f1, f2;
    curve_at(u, &f, &f1, &f2);
    if (first) *first = f1;
    if (second) *second = f2;
    return f;
}
