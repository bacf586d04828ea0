/* f(u) = erf u: Derf without its affine (Chen et al. 2025, arXiv 2512.10938). */
#include <math.h>

#include "analysis/exp2_kernel.h"
#include "analysis/lanes_kernel.h"

#define CURVE_REACH 26.0
#define CURVE_TWO_STATES
#define TWO_OVER_ROOT_PI 1.1283791670955126

/* Up to |u| = 3/4 u times a polynomial in u^2, beyond it 1 - exp(-u^2) times one in 1 / (2 + |u|). Both are minimax fits (Lawson's
 * iteration in 50 digits), good to 7e-17 of erf and to 2e-17. */
NS_INLINE void curve_state(const ns_lanes *u, ns_lanes *value, ns_lanes *bell) {
    ns_lanes w = *u * *u, log = -1.4426950408889634 * w, t = 1.0 / (2.0 + NS_SIZE(*u)), e;
    ns_exp2m1(&log, &e);
    e += 1.0;
    ns_lanes p = w * -0x1.110f0c723a399p-23 + 0x1.aeb7a43ce06b0p-20;
    p = p * w - 0x1.f3eb0dff264bbp-17;
    p = p * w + 0x1.f997c1cb75467p-14;
    p = p * w - 0x1.c02d5aa8053d9p-11;
    p = p * w + 0x1.565bcb62e8cc3p-8;
    p = p * w - 0x1.b82ce309577d9p-6;
    p = p * w + 0x1.ce2f21a029069p-4;
    p = p * w - 0x1.812746b037828p-2;
    p = p * w + 0x1.20dd750429b6dp+0;
    ns_lanes q = t * -0x1.4e1fc7637e230p+7 + 0x1.29f47f6f805f5p+9;
    q = q * t - 0x1.cb30ad029d72dp+9;
    q = q * t + 0x1.840019e4a0b35p+9;
    q = q * t - 0x1.7582ca878c2bep+8;
    q = q * t + 0x1.907a04b69ce06p+6;
    q = q * t - 0x1.558fd543b7c8fp+4;
    q = q * t + 0x1.4cf91c9c488d2p+2;
    q = q * t + 0x1.5a2ef66341fccp+1;
    q = q * t + 0x1.f5bec46255e29p+0;
    q = q * t + 0x1.21a0ef54dea9dp+0;
    q = q * t + 0x1.20c1692034454p-1;
    q = q * t + 0x1.9122d59af2585p-18;
    ns_lanes far = 1.0 - e * q;
    *value = NS_SELECT(w < 0.5625, *u * p, NS_WITH_SIGN(far, *u));
    *bell = e;
}

NS_INLINE void curve_at(const ns_lanes *u, const ns_block *b, size_t i, ns_lanes *f, ns_lanes *f1,
                        ns_lanes *f2) {
    ns_lanes first = TWO_OVER_ROOT_PI * NS_LANES_AT(b->v, i);
    *f = NS_LANES_AT(b->u, i);
    *f1 = first;
    *f2 = -2.0 * *u * first;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_erf = {
    .name = "erf",
    .formula = "erf(u)",
    .source = "Chen, Lu, Zhu, Sun, Liu 2025, arXiv 2512.10938",
    .slope = TWO_OVER_ROOT_PI,
    .value = value,
    .values = values,
    .pass = pass,
};
