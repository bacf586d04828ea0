/* What the kinds share: rows spread over threads, the affine, and sums of a row. For the files of this folder. */
#ifndef NS_NORMS_ROW_H
#define NS_NORMS_ROW_H

#include <math.h>
#include <stddef.h>

#include "probe/base/simd.h"
#include "probe/base/vmath.h"
#include "probe/norm.h"

/* One piece of rows: the kernel of a kind, built for several instruction sets. */
typedef void (*ns_norm_rows)(const ns_norm *norm, size_t rows, const float *x, float *y, float *z,
                             float *mean, float *rstd);

/* Gives each thread pieces of whole rows, about 64 KiB of input each; alone where the work is small. */
void ns_norm_spread(ns_norm_rows kernel, const ns_norm *norm, size_t rows, const float *x, float *y,
                    float *z, float *mean, float *rstd);

/* z = gamma * y + beta of one row, while it is in the cache. z may be y. */
NS_INLINE void ns_norm_affine(const ns_norm *norm, const float *y, float *z) {
    int channels = norm->channels;
    const float *gamma = norm->gamma, *beta = norm->beta;
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

/* alpha of channel c. */
NS_INLINE float ns_norm_alpha(const ns_norm *norm, int c) {
    return norm->alpha[norm->alpha_count > 1 ? c : 0];
}

#endif
