/* No normalization: y = x, without parameters. What a network is compared with. */
#include <string.h>

#include "probe/norms/kinds/row.h"

static void rows_of_none(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y, ns_real *z,
                         ns_real *mean, ns_real *rstd) {
    size_t channels = (size_t)norm->channels;
    (void)mean;
    (void)rstd;
    if (y && y != x) memcpy(y, x, rows * channels * sizeof *y);
    for (size_t i = 0; i < rows * channels && z; i += channels) ns_norm_affine(norm, x + i, z + i);
}

NS_CLONES static void rows_back(const ns_norm *norm, size_t rows, const ns_real *x,
                                const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                ns_real *dx, const ns_norm_sums *sums) {
    size_t n = rows * (size_t)norm->channels;
    (void)x, (void)mean, (void)rstd, (void)sums;
#pragma omp simd
    for (size_t i = 0; i < n; i++) dx[i] += dz[i];
}

NS_NORM_OF_ROWS(rows_of_none, rows_back)

static void reference(const ns_norm *norm, size_t rows, const ns_real *x, double *y) {
    for (size_t i = 0; i < rows * (size_t)norm->channels; i++) y[i] = (double)x[i];
}

extern const ns_norm_kind ns_norm_none;
const ns_norm_kind ns_norm_none = {.name = "none",
                                   .title = "no norm",
                                   .formula = "y = x",
                                   .source = "",
                                   .has = 0,
                                   .learns = 0,
                                   .forward = forward,
                                   .reference = reference,
                                   .bound = ns_norm_unbounded,
                                   .backward = backward};
