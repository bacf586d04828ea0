/* Dynamic erf, erf(alpha x + d): Chen, Lu, Zhu, Sun, Liu, arXiv 2512.10938. */
#include "probe/norms/row.h"

NS_CLONES static void rows_of_derf(const ns_norm *norm, size_t rows, const float *x, float *y,
                                   float *z, float *mean, float *rstd) {
    int channels = norm->channels;
    const float *alpha = norm->alpha;
    float d = norm->shift ? norm->shift[0] : 0;
    (void)mean;
    (void)rstd;
    for (size_t i = 0; i < rows; i++, x += channels) {
        float *out = y ? y + i * (size_t)channels : z ? z + i * (size_t)channels : NULL;
        if (!out) return;
        if (norm->alpha_count > 1) {
#pragma omp simd
            for (int c = 0; c < channels; c++) out[c] = ns_erff(alpha[c] * x[c] + d);
        } else {
            float a = alpha[0];
#pragma omp simd
            for (int c = 0; c < channels; c++) out[c] = ns_erff(a * x[c] + d);
        }
        if (z) ns_norm_affine(norm, out, z + i * (size_t)channels);
    }
}

static void forward(const ns_norm *norm, size_t rows, const float *x, float *y, float *z,
                    float *mean, float *rstd) {
    ns_norm_spread(rows_of_derf, norm, rows, x, y, z, mean, rstd);
}

static void reference(const ns_norm *norm, size_t rows, const float *x, double *y) {
    int channels = norm->channels;
    double d = norm->shift ? (double)norm->shift[0] : 0;
    for (size_t i = 0; i < rows; i++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = erf((double)ns_norm_alpha(norm, c) * (double)x[c] + d);
}

extern const ns_norm_kind ns_norm_derf;
const ns_norm_kind ns_norm_derf = {.name = "derf",
                                   .title = "Derf",
                                   .formula = "y = erf(alpha x + d)",
                                   .source = "Chen, Lu, Zhu, Sun, Liu, arXiv 2512.10938",
                                   .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA | NS_HAS_SHIFT,
                                   .forward = forward,
                                   .reference = reference,
                                   .bound = ns_norm_bounded_by_one};
