/* f(u) = u, the baseline. */
#include "analysis/lanes_kernel.h"

NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q) {
    (void)q;
    *p = *u;
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    const ns_lanes zero = {0};
    (void)b, (void)i;
    *f = *u;
    *f1 = NS_SPLAT(1.0);
    *f2 = zero;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_linear = {
    .name = "linear",
    .formula = "u",
    .source = "least squares",
    .slope = 1,
    .is_linear = true,
    .value = value,
    .values = values,
    .pass = pass,
};
