/* Dynamic inverse square root unit: Stollenwerk, arXiv 2503.21708, where it is sqrt(C) x / sqrt(b + x^2). Here alpha is 1/sqrt(b),
 * so that it compares with DyT's, and sqrt(C) is left to gamma. */
#include "probe/base/rmath.h"

enum { LARGE = 1000000000 }; /* beyond it y is 1 as a float, and u^2 would overflow */

NS_INLINE ns_real f(ns_real u) {
    ns_real v = u > LARGE ? LARGE : u < -LARGE ? -LARGE : u;
    return v / ns_rsqrt(1 + v * v);
}

NS_INLINE ns_real slope(ns_real u, ns_real y) {
    ns_real v = u > LARGE ? LARGE : u < -LARGE ? -LARGE : u;
    (void)y;
    return 1 / ((1 + v * v) * ns_rsqrt(1 + v * v));
}

static double exact(double u) {
    return u / hypot(1, u);
}

#include "probe/norms/kinds/dynamic.h"

extern const ns_norm_kind ns_norm_dyisru;
const ns_norm_kind ns_norm_dyisru = {.name = "dyisru",
                                     .title = "DyISRU",
                                     .formula = "y = alpha x / sqrt(1 + (alpha x)^2)",
                                     .source = "Stollenwerk, arXiv 2503.21708",
                                     .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                     .learns = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                     .alpha = 0.5,
                                     .forward = forward,
                                     .reference = reference,
                                     .bound = ns_norm_bounded_by_one,
                                     .backward = backward};
