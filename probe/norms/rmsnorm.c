/* Root mean square normalization: Zhang, Sennrich, NeurIPS 2019, arXiv 1910.07467. */
#include "probe/norms/row.h"

NS_CLONES static void rows_of_rmsnorm(const ns_norm *norm, size_t rows, const float *x, float *y,
                                      float *z, float *mean, float *rstd) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels) {
        double sum = 0;
        for (int from = 0; from < channels; from += NS_SUM_BLOCK) {
            int to = channels - from < NS_SUM_BLOCK ? channels : from + NS_SUM_BLOCK;
            float s = 0;
#pragma omp simd reduction(+ : s)
            for (int c = from; c < to; c++) s += x[c] * x[c];
            sum += (double)s;
        }
        float scale = (float)(1 / sqrt(sum / channels + (double)norm->eps));
        if (mean) mean[i] = 0;
        if (rstd) rstd[i] = scale;
        float *out = y ? y + i * (size_t)channels : z ? z + i * (size_t)channels : NULL;
        if (!out) continue;
#pragma omp simd
        for (int c = 0; c < channels; c++) out[c] = x[c] * scale;
        if (z) ns_norm_affine(norm, out, z + i * (size_t)channels);
    }
}

static void forward(const ns_norm *norm, size_t rows, const float *x, float *y, float *z,
                    float *mean, float *rstd) {
    ns_norm_spread(rows_of_rmsnorm, norm, rows, x, y, z, mean, rstd);
}

static void reference(const ns_norm *norm, size_t rows, const float *x, double *y) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels, y += channels) {
        double square = 0;
        for (int c = 0; c < channels; c++) square += (double)x[c] * (double)x[c];
        double rstd = 1 / sqrt(square / channels + (double)norm->eps);
        for (int c = 0; c < channels; c++) y[c] = (double)x[c] * rstd;
    }
}

static double bound(const ns_norm *norm) {
    return sqrt((double)norm->channels);
}

extern const ns_norm_kind ns_norm_rmsnorm;
const ns_norm_kind ns_norm_rmsnorm = {.name = "rmsnorm",
                                      .title = "RMSNorm",
                                      .formula = "y = x / sqrt(mean x^2 + eps)",
                                      .source = "Zhang, Sennrich, arXiv 1910.07467",
                                      .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_EPS,
                                      .forward = forward,
                                      .reference = reference,
                                      .bound = bound};
