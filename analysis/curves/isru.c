/* f(u) = u / sqrt(1 + u^2), the inverse square root unit (Carlile et al. 2017, arXiv 1710.09967). */
#include <math.h>

static inline void curve_at(double u, double *f, double *f1, double *f2) {
    double q = 1.0 / (1.0 + u * u), root = sqrt(q);
    *f = u * root;
    *f1 = q * root;
    *f2 = -3.0 * u * q * q * root;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_isru = {
    .name = "isru",
    .formula = "u / sqrt(1 + u^2)",
    .source = "Carlile, Delamarter, Kinney, Marti, Whitney 2017, arXiv 1710.09967",
    .note = "DyISRU, x / sqrt(beta + x^2), is this with alpha = 1 / sqrt(beta)",
    .slope = 1,
    .value = value,
    .pass = pass,
};
