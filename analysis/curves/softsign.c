/* f(u) = u / (1 + |u|) (Bergstra et al. 2009). */
#include <math.h>

#include "analysis/lanes_kernel.h"

NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q) {
    (void)q;
    *p = 1.0 / (1.0 + NS_SIZE(*u));
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    const ns_lanes zero = {0}, two = NS_SPLAT(2.0);
    ns_lanes q = NS_LANES_AT(b->u, i), first = q * q;
    *f = *u * q;
    *f1 = first;
    *f2 = NS_SELECT(*u < zero, two, -two) * first * q;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_softsign = {
    .name = "softsign",
    .formula = "u / (1 + |u|)",
    .source = "Bergstra, Desjardins, Lamblin, Bengio 2009, TR 1337, Universite de Montreal",
    .slope = 1,
    .value = value,
    .values = values,
    .pass = pass,
};
