/* RMSNorm (Zhang, Sennrich, NeurIPS 2019, arXiv 1910.07467): y = x / sqrt(mean(x^2) + eps), over the channels of a row. */
#include <math.h>
#include <stddef.h>

#include "probe/base/simd.h"
#include "probe/norms/kinds.h"

NS_CLONES
static void forward_row(int channels, float eps, const float *gamma, const float *beta,
                        const float *x, float *y, float *z, float *rstd_out) {
    enum { LANES = 16 };
    float squares[LANES] = {0};
    int whole = channels / LANES * LANES;
    for (int c = 0; c < whole; c += LANES)
        for (int l = 0; l < LANES; l++) squares[l] += x[c + l] * x[c + l];
    double square = 0;
    for (int c = whole; c < channels; c++) square += (double)x[c] * (double)x[c];
    for (int l = 0; l < LANES; l++) square += (double)squares[l];
    float rstd = (float)(1.0 / sqrt(square / channels + (double)eps));
    if (y)
        for (int c = 0; c < channels; c++) y[c] = x[c] * rstd;
    if (z)
        for (int c = 0; c < channels; c++)
            z[c] = x[c] * rstd * (gamma ? gamma[c] : 1.0f) + (beta ? beta[c] : 0.0f);
    *rstd_out = rstd;
}

static void forward(const ns_norm *n, size_t rows, const float *x, float *y, float *z, float *mean,
                    float *rstd) {
    size_t c = (size_t)n->channels;
#pragma omp parallel for schedule(static) if (rows * c > 16384)
    for (size_t r = 0; r < rows; r++) {
        float s;
        forward_row(n->channels, n->eps, n->gamma, n->beta, x + r * c, y ? y + r * c : NULL,
                    z ? z + r * c : NULL, &s);
        if (mean) mean[r] = 0;
        if (rstd) rstd[r] = s;
    }
}

static void reference(const ns_norm *n, size_t rows, const float *x, double *y) {
    size_t channels = (size_t)n->channels;
    for (size_t r = 0; r < rows; r++, x += channels, y += channels) {
        double square = 0;
        for (size_t c = 0; c < channels; c++) square += (double)x[c] * (double)x[c];
        for (size_t c = 0; c < channels; c++)
            y[c] = (double)x[c] / sqrt(square / (double)channels + (double)n->eps);
    }
}

static double bound(const ns_norm *n) {
    return sqrt((double)n->channels);
}

const ns_norm_kind ns_norm_rmsnorm = {
    .name = "rmsnorm",
    .title = "RMSNorm",
    .formula = "x / sqrt(mean(x^2) + eps), over the channels of a row",
    .source = "Zhang, Sennrich 2019, arXiv 1910.07467",
    .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_EPS,
    .forward = forward,
    .reference = reference,
    .bound = bound,
};
