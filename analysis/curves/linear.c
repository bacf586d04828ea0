/* f(u) = u, the baseline. */
static inline void curve_at(double u, double *f, double *f1, double *f2) {
    *f = u;
    *f1 = 1.0;
    *f2 = 0.0;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_linear = {
    .name = "linear",
    .formula = "u",
    .source = "least squares",
    .slope = 1,
    .is_linear = true,
    .value = value,
    .pass = pass,
};
