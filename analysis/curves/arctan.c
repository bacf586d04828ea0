/* f(u) = (2 / pi) arctan u. */
#include <math.h>

#include "analysis/lanes_kernel.h"

#define CURVE_TWO_STATES
#define TWO_OVER_PI 0.63661977236758134

/* 2 / pi arctan u, for z = |u| by arctan z = base + arctan w with |w| <= tan(pi / 8): base 0 and w = z below tan(pi / 8), pi / 4 and
 * (z - 1) / (z + 1) below tan(3 pi / 8), pi / 2 and -1 / z beyond. arctan w / w is a minimax polynomial in w^2, good to 4e-17. */
NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *p, ns_lanes *q) {
    const ns_lanes one = NS_SPLAT(1.0), half = NS_SPLAT(0.5);
    ns_lanes z = NS_SIZE(*u);
    ns_lane_mask middle = z > 0.41421356237309503, far = z > 2.4142135623730949;
    ns_lanes over = NS_SELECT(far, -one, z - NS_ONLY(middle, one)),
             under = NS_SELECT(far, z, one + NS_ONLY(middle, z)),
             base = NS_SELECT(far, one, NS_ONLY(middle, half));
    ns_lanes w = over / under, v = w * w, t = v * 0x1.5b30edcc9eb3fp-6 - 0x1.649530ce31988p-5;
    t = t * v + 0x1.d221ccd98605bp-5;
    t = t * v - 0x1.0fff95a12c0b4p-4;
    t = t * v + 0x1.3afb74f64da74p-4;
    t = t * v - 0x1.745bb2de98261p-4;
    t = t * v + 0x1.c71c64f179265p-4;
    t = t * v - 0x1.24924901f11bbp-3;
    t = t * v + 0x1.999999993990fp-3;
    t = t * v - 0x1.5555555555215p-2;
    t = t * v + 1.0;
    t = base + TWO_OVER_PI * (w * t);
    *p = NS_WITH_SIGN(t, *u);
    *q = 1.0 / (1.0 + *u * *u);
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    ns_lanes q = NS_LANES_AT(b->v, i), first = TWO_OVER_PI * q;
    *f = NS_LANES_AT(b->u, i);
    *f1 = first;
    *f2 = -2.0 * *u * q * first;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_arctan = {
    .name = "arctan",
    .formula = "(2 / pi) arctan(u)",
    .source = "Abramowitz, Stegun 1964, 4.4",
    .slope = TWO_OVER_PI,
    .value = value,
    .values = values,
    .pass = pass,
};
