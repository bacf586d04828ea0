/* DyT with a sigmoid, 1 / (1 + exp(-alpha x)), from its paper's comparison of squashing functions; it is not centred at 0. */
#include "probe/base/rmath.h"

NS_INLINE ns_real f(ns_real u) {
    return 1 / (1 + ns_rexp(-u));
}

NS_INLINE ns_real slope(ns_real u, ns_real y) {
    (void)u;
    return y * (1 - y);
}

static double exact(double u) {
    return 1 / (1 + exp(-u));
}

#include "probe/norms/kinds/dynamic.h"

extern const ns_norm_kind ns_norm_dyt_sigmoid;
const ns_norm_kind ns_norm_dyt_sigmoid = {.name = "dyt-sigmoid",
                                          .title = "DyT, sigmoid",
                                          .formula = "y = 1 / (1 + exp(-alpha x))",
                                          .source = "Zhu, Chen, He, LeCun, Liu, arXiv 2503.10622",
                                          .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                          .learns = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                          .alpha = 0.5,
                                          .forward = forward,
                                          .reference = reference,
                                          .bound = ns_norm_bounded_by_one,
                                          .backward = backward};
