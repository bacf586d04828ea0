/* DyT with a hard tanh, min(max(alpha x, -1), 1), from its paper's comparison of squashing functions. */
#include "probe/base/rmath.h"

NS_INLINE ns_real f(ns_real u) {
    return u > 1 ? 1 : u < -1 ? -1 : u; /* NaN stays */
}

NS_INLINE ns_real slope(ns_real u, ns_real y) {
    (void)y;
    return u > -1 && u < 1 ? 1 : 0;
}

static double exact(double u) {
    return u > 1 ? 1 : u < -1 ? -1 : u;
}

#include "probe/norms/kinds/dynamic.h"

extern const ns_norm_kind ns_norm_dyt_hardtanh;
const ns_norm_kind ns_norm_dyt_hardtanh = {.name = "dyt-hardtanh",
                                           .title = "DyT, hardtanh",
                                           .formula = "y = min(max(alpha x, -1), 1)",
                                           .source = "Zhu, Chen, He, LeCun, Liu, arXiv 2503.10622",
                                           .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                           .learns = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                           .alpha = 0.5,
                                           .forward = forward,
                                           .reference = reference,
                                           .bound = ns_norm_bounded_by_one,
                                           .backward = backward};
