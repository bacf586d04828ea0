/* What the kinds share: rows spread over threads, the affine, and sums of a row. For the files of this folder. */
#ifndef NS_NORMS_ROW_H
#define NS_NORMS_ROW_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "probe/base/rmath.h"
#include "probe/base/simd.h"
#include "probe/norms/norm.h"

/* One piece of rows: the kernel of a kind, built for several instruction sets. */
typedef void (*ns_norm_rows)(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y,
                             ns_real *z, ns_real *mean, ns_real *rstd);

/* Gives each thread pieces of whole rows, about 64 KiB of input each; alone where the work is small. */
void ns_norm_spread(ns_norm_rows kernel, const ns_norm *norm, size_t rows, const ns_real *x,
                    ns_real *y, ns_real *z, ns_real *mean, ns_real *rstd);

/* Sums over the rows of a piece, a channel each [C], for the gradients of gamma, beta, alpha and shift: those of a scalar
 * are summed over channels at the end. */
typedef struct ns_norm_sums {
    ns_real *gamma, *beta, *alpha, *shift;
} ns_norm_sums;

/* One piece of rows backward: dx += and sums +=. */
typedef void (*ns_norm_rows_back)(const ns_norm *norm, size_t rows, const ns_real *x,
                                  const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                  ns_real *dx, const ns_norm_sums *sums);

/* The pieces depend on the number of rows alone, and their sums are added in order, in double. */
void ns_norm_spread_back(ns_norm_rows_back kernel, const ns_norm *norm, size_t rows,
                         const ns_real *x, const ns_real *mean, const ns_real *rstd,
                         const ns_real *dz, ns_real *dx, const ns_norm_gradient *gradient,
                         ns_real *work);

/* For kinds whose rows need nothing of each other: their forward and backward, over kernels of rows. */
#define NS_NORM_OF_ROWS(rows_forward, rows_back)                                                   \
    static void forward(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y,            \
                        ns_real *z, ns_real *mean, ns_real *rstd) {                                \
        ns_norm_spread(rows_forward, norm, rows, x, y, z, mean, rstd);                             \
    }                                                                                              \
    static void backward(const ns_norm *norm, size_t rows, const ns_real *x, const ns_real *mean,  \
                         const ns_real *rstd, const ns_real *dz, ns_real *dx,                      \
                         const ns_norm_gradient *gradient, ns_real *work) {                        \
        ns_norm_spread_back(rows_back, norm, rows, x, mean, rstd, dz, dx, gradient, work);         \
    }

/* The two halves of ns_norm_spread_back: fills work, and gives the number of pieces; and the sum of channel c over the pieces of array
 * `which` (0 gamma, 1 beta, 2 alpha, 3 shift). */
size_t ns_norm_pieces_back(ns_norm_rows_back kernel, const ns_norm *norm, size_t rows,
                           const ns_real *x, const ns_real *mean, const ns_real *rstd,
                           const ns_real *dz, ns_real *dx, ns_real *work);
double ns_norm_total(const ns_norm *norm, const ns_real *work, size_t pieces, int which, int c);

/* z = gamma * y + beta of one row, while it is in the cache. z may be y. */
NS_INLINE void ns_norm_affine(const ns_norm *norm, const ns_real *y, ns_real *z) {
    int channels = norm->channels;
    const ns_real *gamma = norm->gamma, *beta = norm->beta;
    if (gamma && beta) {
#pragma omp simd
        for (int c = 0; c < channels; c++) z[c] = gamma[c] * y[c] + beta[c];
    } else if (gamma) {
#pragma omp simd
        for (int c = 0; c < channels; c++) z[c] = gamma[c] * y[c];
    } else if (beta) {
#pragma omp simd
        for (int c = 0; c < channels; c++) z[c] = y[c] + beta[c];
    } else if (z != y) {
#pragma omp simd
        for (int c = 0; c < channels; c++) z[c] = y[c];
    }
}

/* Sums of floats are taken over this many values, and those sums in double. */
enum { NS_SUM_BLOCK = 128 };

/* No bound. */
double ns_norm_unbounded(const ns_norm *norm);
/* tanh and erf end at 1. */
double ns_norm_bounded_by_one(const ns_norm *norm);

#endif
