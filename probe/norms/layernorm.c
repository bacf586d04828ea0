/* LayerNorm (Ba, Kiros, Hinton, arXiv 1607.06450): y = (x - mean) / sqrt(var + eps), mean and biased variance over the
 * channels of a row. */
#include <math.h>
#include <stddef.h>

#include "probe/base/simd.h"
#include "probe/norms/kinds.h"

/* Sums in 16 partial sums, so that the compiler vectorises without being allowed to reorder at will and the error grows
 * with C/16; the variance from the deviations, a second look at a row that is still in the first cache. */
NS_CLONES
static void forward_row(int channels, float eps, const float *gamma, const float *beta,
                        const float *x, float *y, float *z, float *mean_out, float *rstd_out) {
    enum { LANES = 16 };
    float sums[LANES] = {0}, squares[LANES] = {0};
    int whole = channels / LANES * LANES;
    for (int c = 0; c < whole; c += LANES)
        for (int l = 0; l < LANES; l++) sums[l] += x[c + l];
    double sum = 0, square = 0;
    for (int c = whole; c < channels; c++) sum += (double)x[c];
    for (int l = 0; l < LANES; l++) sum += (double)sums[l];
    float mean = (float)(sum / channels);
    for (int c = 0; c < whole; c += LANES)
        for (int l = 0; l < LANES; l++) {
            float d = x[c + l] - mean;
            squares[l] += d * d;
        }
    for (int c = whole; c < channels; c++) square += (double)((x[c] - mean) * (x[c] - mean));
    for (int l = 0; l < LANES; l++) square += (double)squares[l];
    float rstd = (float)(1.0 / sqrt(square / channels + (double)eps));
    if (y)
        for (int c = 0; c < channels; c++) y[c] = (x[c] - mean) * rstd;
    if (z && gamma && beta)
        for (int c = 0; c < channels; c++) z[c] = (x[c] - mean) * rstd * gamma[c] + beta[c];
    else if (z)
        for (int c = 0; c < channels; c++)
            z[c] = (x[c] - mean) * rstd * (gamma ? gamma[c] : 1.0f) + (beta ? beta[c] : 0.0f);
    *mean_out = mean;
    *rstd_out = rstd;
}

static void forward(const ns_norm *n, size_t rows, const float *x, float *y, float *z, float *mean,
                    float *rstd) {
    size_t c = (size_t)n->channels;
#pragma omp parallel for schedule(static) if (rows * c > 16384)
    for (size_t r = 0; r < rows; r++) {
        float m, s;
        forward_row(n->channels, n->eps, n->gamma, n->beta, x + r * c, y ? y + r * c : NULL,
                    z ? z + r * c : NULL, &m, &s);
        if (mean) mean[r] = m;
        if (rstd) rstd[r] = s;
    }
}

static void reference(const ns_norm *n, size_t rows, const float *x, double *y) {
    size_t channels = (size_t)n->channels;
    for (size_t r = 0; r < rows; r++, x += channels, y += channels) {
        double mean = 0, variance = 0;
        for (size_t c = 0; c < channels; c++) mean += (double)x[c];
        mean /= (double)channels;
        for (size_t c = 0; c < channels; c++)
            variance += ((double)x[c] - mean) * ((double)x[c] - mean);
        variance /= (double)channels;
        for (size_t c = 0; c < channels; c++)
            y[c] = ((double)x[c] - mean) / sqrt(variance + (double)n->eps);
    }
}

/* With all of the variance in one channel, that channel stands sqrt(C - 1) deviations from the mean. */
static double bound(const ns_norm *n) {
    return sqrt((double)n->channels - 1);
}

const ns_norm_kind ns_norm_layernorm = {
    .name = "layernorm",
    .title = "LN",
    .formula = "(x - mean) / sqrt(var + eps), over the channels of a row",
    .source = "Ba, Kiros, Hinton 2016, arXiv 1607.06450",
    .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_EPS,
    .forward = forward,
    .reference = reference,
    .bound = bound,
};
