/* Dynamic Tanh: Zhu, Chen, He, LeCun, Liu, CVPR 2025, arXiv 2503.10622. */
#include "probe/norms/row.h"

NS_CLONES static void rows_of_dyt(const ns_norm *norm, size_t rows, const float *x, float *y,
                                  float *z, float *mean, float *rstd) {
    int channels = norm->channels;
    const float *alpha = norm->alpha;
    (void)mean; /* no statistics: that is its point */
    (void)rstd;
    for (size_t i = 0; i < rows; i++, x += channels) {
        float *out = y ? y + i * (size_t)channels : z ? z + i * (size_t)channels : NULL;
        if (!out) return;
        if (norm->alpha_count > 1) {
#pragma omp simd
            for (int c = 0; c < channels; c++) out[c] = ns_tanhf(alpha[c] * x[c]);
        } else {
            float a = alpha[0];
#pragma omp simd
            for (int c = 0; c < channels; c++) out[c] = ns_tanhf(a * x[c]);
        }
        if (z) ns_norm_affine(norm, out, z + i * (size_t)channels);
    }
}

static void forward(const ns_norm *norm, size_t rows, const float *x, float *y, float *z,
                    float *mean, float *rstd) {
    ns_norm_spread(rows_of_dyt, norm, rows, x, y, z, mean, rstd);
}

static void reference(const ns_norm *norm, size_t rows, const float *x, double *y) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = tanh((double)ns_norm_alpha(norm, c) * (double)x[c]);
}

extern const ns_norm_kind ns_norm_dyt;
const ns_norm_kind ns_norm_dyt = {.name = "dyt",
                                  .title = "DyT",
                                  .formula = "y = tanh(alpha x)",
                                  .source = "Zhu, Chen, He, LeCun, Liu, arXiv 2503.10622",
                                  .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                  .forward = forward,
                                  .reference = reference,
                                  .bound = ns_norm_bounded_by_one};
