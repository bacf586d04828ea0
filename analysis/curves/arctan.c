/* f(u) = (2 / pi) arctan u. */
#include <math.h>

static inline void curve_at(double u, double *f, double *f1, double *f2) {
    const double c = 0.63661977236758134; /* 2 / pi */
    double q = 1.0 / (1.0 + u * u);
    *f = c * atan(u);
    *f1 = c * q;
    *f2 = -2.0 * c * u * q * q;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_arctan = {
    .name = "arctan",
    .formula = "(2 / pi) arctan(u)",
    .source = "Abramowitz, Stegun 1964, 4.4",
    .slope = 0.63661977236758134,
    .value = value,
    .pass = pass,
};
