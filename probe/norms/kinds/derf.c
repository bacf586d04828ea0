/* Dynamic erf, erf(alpha x + d): Chen, Lu, Zhu, Sun, Liu, arXiv 2512.10938. */
#include "probe/base/rmath.h"

NS_INLINE ns_real f(ns_real u) {
    return ns_rerf(u);
}

NS_INLINE ns_real slope(ns_real u, ns_real y) {
    const ns_real two_over_root_pi = (ns_real)1.1283791670955126;
    (void)y;
    return two_over_root_pi * ns_rexp(-u * u);
}

static double exact(double u) {
    return erf(u);
}

#include "probe/norms/kinds/dynamic.h"

extern const ns_norm_kind ns_norm_derf;
const ns_norm_kind ns_norm_derf = {.name = "derf",
                                   .title = "Derf",
                                   .formula = "y = erf(alpha x + d)",
                                   .source = "Chen, Lu, Zhu, Sun, Liu, arXiv 2512.10938",
                                   .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA | NS_HAS_SHIFT,
                                   .learns =
                                       NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA | NS_HAS_SHIFT,
                                   .alpha = 0.5,
                                   .forward = forward,
                                   .reference = reference,
                                   .bound = ns_norm_bounded_by_one,
                                   .backward = backward};
