/* Batch normalization as it is used after training, with running statistics: Ioffe, Szegedy, ICML 2015, arXiv 1502.03167. */
#include "probe/norms/row.h"

enum { CHANNEL_BLOCK = 256 };

NS_CLONES static void rows_of_batchnorm(const ns_norm *norm, size_t rows, const float *x, float *y,
                                        float *z, float *mean, float *rstd) {
    size_t channels = (size_t)norm->channels;
    float scale[CHANNEL_BLOCK];
    (void)mean; /* a row has no statistics of its own */
    (void)rstd;
    for (size_t from = 0; from < channels; from += CHANNEL_BLOCK) {
        size_t n = channels - from < CHANNEL_BLOCK ? channels - from : CHANNEL_BLOCK;
        ns_norm block = *norm;
        block.channels = (int)n;
        if (norm->gamma) block.gamma += from;
        if (norm->beta) block.beta += from;
        const float *centre = norm->mean + from;
        for (size_t c = 0; c < n; c++)
            scale[c] = (float)(1 / sqrt((double)norm->variance[from + c] + (double)norm->eps));
        for (size_t i = 0; i < rows; i++) {
            size_t at = i * channels + from;
            float *out = y ? y + at : z ? z + at : NULL;
            if (!out) return;
#pragma omp simd
            for (size_t c = 0; c < n; c++) out[c] = (x[at + c] - centre[c]) * scale[c];
            if (z) ns_norm_affine(&block, out, z + at);
        }
    }
}

static void forward(const ns_norm *norm, size_t rows, const float *x, float *y, float *z,
                    float *mean, float *rstd) {
    ns_norm_spread(rows_of_batchnorm, norm, rows, x, y, z, mean, rstd);
}

static void reference(const ns_norm *norm, size_t rows, const float *x, double *y) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = ((double)x[c] - (double)norm->mean[c]) /
                   sqrt((double)norm->variance[c] + (double)norm->eps);
}

extern const ns_norm_kind ns_norm_batchnorm;
const ns_norm_kind ns_norm_batchnorm = {
    .name = "batchnorm",
    .title = "BatchNorm",
    .short_title = "BN",
    .formula = "y = (x - running mean) / sqrt(running var + eps), a channel",
    .source = "Ioffe, Szegedy, arXiv 1502.03167",
    .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_EPS | NS_HAS_RUNNING,
    .forward = forward,
    .reference = reference,
    .bound = ns_norm_unbounded};
