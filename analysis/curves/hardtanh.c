/* f(u) = u held to [-1, 1]. Its corners give the sum of squares several local minima; it is judged by its sum of squares. */
static inline void curve_at(double u, double *f, double *f1, double *f2) {
    double c = u < -1.0 ? -1.0 : u;
    *f = c > 1.0 ? 1.0 : c;
    *f1 = u > -1.0 && u < 1.0 ? 1.0 : 0.0;
    *f2 = 0.0;
}

#include "analysis/pass_kernel.h"

const ns_curve ns_curve_hardtanh = {
    .name = "hardtanh",
    .formula = "max(-1, min(1, u))",
    .source = "Collobert 2004; Zhu et al. 2025, arXiv 2503.10622, table 7",
    .slope = 1,
    .has_corners = true,
    .value = value,
    .pass = pass,
};
