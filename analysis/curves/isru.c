/* f(u) = u / sqrt(1 + u^2), the inverse square root unit (Carlile et al. 2017, arXiv 1710.09967). */
#include <math.h>

#include "analysis/lanes_kernel.h"

NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q) {
    (void)q;
    ns_lanes square = 1.0 + *u * *u, root;
    for (int k = 0; k < NS_LANES; k++) root[k] = sqrt(square[k]);
    *p = 1.0 / root;
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    ns_lanes root = NS_LANES_AT(b->u, i), q = root * root, first = q * root;
    *f = *u * root;
    *f1 = first;
    *f2 = -3.0 * *u * q * first;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_isru = {
    .name = "isru",
    .formula = "u / sqrt(1 + u^2)",
    .source = "Carlile, Delamarter, Kinney, Marti, Whitney 2017, arXiv 1710.09967",
    .note = "DyISRU, x / sqrt(beta + x^2), is this with alpha = 1 / sqrt(beta)",
    .slope = 1,
    .value = value,
    .values = values,
    .pass = pass,
};
