/* No normalization, with Fixup: Zhang, Dauphin, Ma, ICLR 2019, arXiv 1901.09321. A branch begins with a scalar multiplier and a bias (a
 * channel's here), its last layer begins at 0, and its others are scaled down by the number of branches (probe/train/start.c). */
#include "probe/base/rmath.h"

NS_INLINE ns_real f(ns_real u) {
    return u;
}

NS_INLINE ns_real slope(ns_real u, ns_real y) {
    (void)u, (void)y;
    return 1;
}

static double exact(double u) {
    return u;
}

#include "probe/norms/kinds/dynamic.h"

extern const ns_norm_kind ns_norm_fixup;
const ns_norm_kind ns_norm_fixup = {.name = "fixup",
                                    .title = "Fixup",
                                    .formula = "y = alpha x",
                                    .source = "Zhang, Dauphin, Ma, arXiv 1901.09321",
                                    .has = NS_HAS_BETA | NS_HAS_ALPHA,
                                    .learns = NS_HAS_BETA | NS_HAS_ALPHA,
                                    .alpha = 1,
                                    .small_start = 1,
                                    .forward = forward,
                                    .reference = reference,
                                    .bound = ns_norm_unbounded,
                                    .backward = backward};
