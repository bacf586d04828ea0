/* f(u) = u held to [-1, 1]. Its corners give the sum of squares several local minima; it is judged by its sum of squares. */
#include "analysis/lanes_kernel.h"

NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q) {
    (void)q;
    const ns_lanes one = NS_SPLAT(1.0);
    ns_lanes c = NS_SELECT(*u < -one, -one, *u);
    *p = NS_SELECT(c > one, one, c);
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    const ns_lanes zero = {0}, one = NS_SPLAT(1.0);
    *f = NS_LANES_AT(b->u, i);
    *f1 = NS_ONLY((*u > -one) & (*u < one), one);
    *f2 = zero;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_hardtanh = {
    .name = "hardtanh",
    .formula = "max(-1, min(1, u))",
    .source = "Collobert 2004; Zhu et al. 2025, arXiv 2503.10622, table 7",
    .slope = 1,
    .has_corners = true,
    .value = value,
    .values = values,
    .pass = pass,
};
