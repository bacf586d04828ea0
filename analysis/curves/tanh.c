/* f(u) = tanh u: DyT without its affine (Zhu et al. 2025, arXiv 2503.10622, section 4). */
#include "analysis/exp2_kernel.h"
#include "analysis/lanes_kernel.h"

#define CURVE_REACH 20.0

/* tanh u = m / (m + 2), m = exp(2u) - 1. */
NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q) {
    (void)q;
    ns_lanes v = 2.8853900817779268 * *u, m; /* 2 / ln 2 */
    ns_exp2m1(&v, &m);
    *p = m / (m + 2.0);
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    (void)u;
    ns_lanes t = NS_LANES_AT(b->u, i), first = 1.0 - t * t;
    *f = t;
    *f1 = first;
    *f2 = -2.0 * t * first;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_tanh = {
    .name = "tanh",
    .formula = "tanh(u)",
    .source = "Zhu, Chen, He, LeCun, Liu 2025, arXiv 2503.10622",
    .note = "2 sigmoid(2u) - 1 is the same",
    .slope = 1,
    .value = value,
    .values = values,
    .pass = pass,
};
