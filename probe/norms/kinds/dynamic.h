/* Kinds that act on each value alone, y = f(alpha x + d): their kernels, made of three functions of u = alpha x + d that a file
 * defines before it includes this one:
 *
 *     f(u)         y, of ns_reals, so that a loop over it vectorises
 *     slope(u, y)  df/du
 *     exact(u)     y in double, from libm
 *
 * alpha is a number, one for each channel, or, where the layer has none, 1; d is 0 where there is none. For the files of this
 * folder. */
#include "probe/norms/kinds/row.h"

NS_INLINE ns_real shift_of(const ns_norm *norm) {
    return norm->shift && norm->kind->has & NS_HAS_SHIFT ? norm->shift[0] : 0;
}

NS_CLONES static void rows_forward(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y,
                                   ns_real *z, ns_real *mean, ns_real *rstd) {
    int channels = norm->channels;
    const ns_real *alpha = norm->alpha;
    ns_real a = norm->alpha_count ? alpha[0] : 1, d = shift_of(norm);
    (void)mean; /* no statistics: that is their point */
    (void)rstd;
    for (size_t i = 0; i < rows; i++, x += channels) {
        ns_real *out = y ? y + i * (size_t)channels : z ? z + i * (size_t)channels : NULL;
        if (!out) return;
        if (norm->alpha_count > 1) {
#pragma omp simd
            for (int c = 0; c < channels; c++) out[c] = f(alpha[c] * x[c] + d);
        } else {
#pragma omp simd
            for (int c = 0; c < channels; c++) out[c] = f(a * x[c] + d);
        }
        if (z) ns_norm_affine(norm, out, z + i * (size_t)channels);
    }
}

/* One row, with alphas apart or alike. */
NS_INLINE void row_back(const ns_norm *norm, bool apart, ns_real a, ns_real d, const ns_real *x,
                        const ns_real *dz, ns_real *dx, const ns_norm_sums *sums) {
    int channels = norm->channels;
    const ns_real *alpha = norm->alpha, *gamma = norm->gamma;
    ns_real *gammas = sums->gamma, *betas = sums->beta, *alphas = sums->alpha,
            *shifts = sums->shift;
#pragma omp simd
    for (int c = 0; c < channels; c++) {
        ns_real k = apart ? alpha[c] : a, u = k * x[c] + d, y = f(u);
        gammas[c] += dz[c] * y;
        betas[c] += dz[c];
        ns_real du = (gamma ? gamma[c] : 1) * dz[c] * slope(u, y);
        alphas[c] += du * x[c];
        shifts[c] += du;
        dx[c] += k * du;
    }
}

NS_CLONES static void rows_backward(const ns_norm *norm, size_t rows, const ns_real *x,
                                    const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                    ns_real *dx, const ns_norm_sums *sums) {
    size_t channels = (size_t)norm->channels;
    ns_real a = norm->alpha_count ? norm->alpha[0] : 1, d = shift_of(norm);
    (void)mean;
    (void)rstd;
    for (size_t i = 0; i < rows * channels; i += channels)
        if (norm->alpha_count > 1)
            row_back(norm, true, a, d, x + i, dz + i, dx + i, sums);
        else
            row_back(norm, false, a, d, x + i, dz + i, dx + i, sums);
}

NS_NORM_OF_ROWS(rows_forward, rows_backward)

static void reference(const ns_norm *norm, size_t rows, const ns_real *x, double *y) {
    int channels = norm->channels;
    double d = (double)shift_of(norm);
    for (size_t i = 0; i < rows; i++, x += channels, y += channels)
        for (int c = 0; c < channels; c++) {
            double alpha =
                norm->alpha_count ? (double)norm->alpha[norm->alpha_count > 1 ? c : 0] : 1;
            y[c] = exact(alpha * (double)x[c] + d);
        }
}
