/* BatchNorm at evaluation (Ioffe, Szegedy, ICML 2015, arXiv 1502.03167): y = (x - mean_c) / sqrt(var_c + eps), with the
 * running statistics of channel c. */
#include <math.h>
#include <stddef.h>

#include "probe/base/simd.h"
#include "probe/norms/kinds.h"

NS_CLONES
static void forward_row(const ns_norm *n, const float *x, float *y, float *z) {
    for (int c = 0; c < n->channels; c++) {
        float v = (x[c] - n->mean[c]) / sqrtf(n->variance[c] + n->eps);
        if (y) y[c] = v;
        if (z) z[c] = v * (n->gamma ? n->gamma[c] : 1.0f) + (n->beta ? n->beta[c] : 0.0f);
    }
}

static void forward(const ns_norm *n, size_t rows, const float *x, float *y, float *z, float *mean,
                    float *rstd) {
    size_t c = (size_t)n->channels;
#pragma omp parallel for schedule(static) if (rows * c > 16384)
    for (size_t r = 0; r < rows; r++) {
        forward_row(n, x + r * c, y ? y + r * c : NULL, z ? z + r * c : NULL);
        if (mean) mean[r] = 0; /* statistics belong to channels here */
        if (rstd) rstd[r] = 1;
    }
}

static void reference(const ns_norm *n, size_t rows, const float *x, double *y) {
    size_t channels = (size_t)n->channels;
    for (size_t i = 0; i < rows * channels; i++) {
        size_t c = i % channels;
        y[i] = ((double)x[i] - (double)n->mean[c]) / sqrt((double)n->variance[c] + (double)n->eps);
    }
}

const ns_norm_kind ns_norm_batchnorm = {
    .name = "batchnorm",
    .title = "BN",
    .formula = "(x - mean_c) / sqrt(var_c + eps), with running statistics of each channel",
    .source = "Ioffe, Szegedy 2015, arXiv 1502.03167",
    .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_RUNNING | NS_HAS_EPS,
    .forward = forward,
    .reference = reference,
    .bound = ns_norm_unbounded,
};
