/* f(u) = tanh u: DyT without its affine (Zhu et al. 2025, arXiv 2503.10622, section 4). */
#include <stdint.h>
#include <string.h>

/* tanh |u| = -m / (m + 2), m = exp(-2|u|) - 1. With n = round(-2|u| / ln 2) and r the rest, m = 2^n (exp(r) - 1) + (2^n - 1), where
 * exp(r) - 1 is its Taylor series to r^13 (the next term is below 1e-17 for |r| <= ln 2 / 2): relative error some 1e-16, also
 * about zero. Beyond |u| = 20 the value is 1 to the last bit. */
static inline void curve_at(double u, double *f, double *f1, double *f2) {
    double size = u < 0 ? -u : u;
    size = size > 20.0 ? 20.0 : size;
    double z = -2.0 * size;
    double shifted = z * 1.4426950408889634 + 6755399441055744.0; /* 1.5 * 2^52 */
    double n = shifted - 6755399441055744.0;
    double r = z - n * 0.69314718055989033;
    r = r - n * 5.4979230187083712e-14;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r * r + r;
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int64_t)((uint64_t)(bits + 1023) << 52);
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    double m = scale * p + (scale - 1.0);
    double t = -m / (m + 2.0);
    t = u < 0 ? -t : t;
    double first = 1.0 - t * t;
    *f = t;
    *f1 = first;
    *f2 = -2.0 * t * first;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_tanh = {
    .name = "tanh",
    .formula = "tanh(u)",
    .source = "Zhu, Chen, He, LeCun, Liu 2025, arXiv 2503.10622",
    .note = "2 sigmoid(2u) - 1 is the same",
    .slope = 1,
    .value = value,
    .pass = pass,
};
