/* 2^v of doubles for the curves: no branch, no table. */
#ifndef NS_EXP2_KERNEL_H
#define NS_EXP2_KERNEL_H

#include "analysis/lanes_kernel.h"

/* 2^v - 1 for |v| <= 1000: v = n + f with n an integer and |f| <= 1/2, and (2^f - 1) / f is a polynomial fitted on Chebyshev's
 * points; relative error 2e-15 (tests/analysis/test_curves.c), also about v = 0. Adding 1.5 * 2^52 + 1023 leaves n + 1023 in the
 * low bits, which is the exponent of 2^n. */
NS_INLINE void ns_exp2m1(const ns_lanes *v, ns_lanes *out) {
    const double rounder = 6755399441055744.0 + 1023;
    ns_lanes shifted = *v + rounder, f = *v - (shifted - rounder);
    ns_lanes scale = (ns_lanes)((ns_lane_mask)shifted << 52);
    ns_lanes p = f * 0x1.e63031d484d87p-28 + 0x1.b656d5dba6821p-24;
    p = p * f + 0x1.62bfbd2911ea6p-20;
    p = p * f + 0x1.ffcb76ca2c216p-17;
    p = p * f + 0x1.43091312a7eb1p-13;
    p = p * f + 0x1.5d87fe9074281p-10;
    p = p * f + 0x1.3b2ab6fb9eadep-7;
    p = p * f + 0x1.c6b08d70441b9p-5;
    p = p * f + 0x1.ebfbdff82c5b9p-3;
    p = p * f + 0x1.62e42fefa39f8p-1;
    *out = scale * (p * f) + (scale - 1.0);
}

#endif
