/* f(u) = u / (1 + |u|) (Bergstra et al. 2009). */
#include <math.h>

static inline void curve_at(double u, double *f, double *f1, double *f2) {
    double size = fabs(u), q = 1.0 / (1.0 + size);
    *f = u * q;
    *f1 = q * q;
    *f2 = (u < 0 ? 2.0 : -2.0) * q * q * q;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_softsign = {
    .name = "softsign",
    .formula = "u / (1 + |u|)",
    .source = "Bergstra, Desjardins, Lamblin, Bengio 2009, TR 1337, Universite de Montreal",
    .slope = 1,
    .value = value,
    .pass = pass,
};
