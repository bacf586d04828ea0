/* f(u) = erf u: Derf without its affine (Chen et al. 2025, arXiv 2512.10938). */
#include <math.h>

static inline void curve_at(double u, double *f, double *f1, double *f2) {
    double first = 1.1283791670955126 * exp(-u * u); /* 2 / sqrt(pi) */
    *f = erf(u);
    *f1 = first;
    *f2 = -2.0 * u * first;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_erf = {
    .name = "erf",
    .formula = "erf(u)",
    .source = "Chen, Lu, Zhu, Sun, Liu 2025, arXiv 2512.10938",
    .slope = 1.1283791670955126,
    .value = value,
    .pass = pass,
};
