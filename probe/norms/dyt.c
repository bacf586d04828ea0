/* Dynamic Tanh (Zhu, Chen, He, LeCun, Liu, CVPR 2025, arXiv 2503.10622): y = tanh(alpha x), alpha one number (or one a
 * channel) that is learned. */
#include <math.h>
#include <stddef.h>

#include "probe/base/simd.h"
#include "probe/base/vmath.h"
#include "probe/norms/kinds.h"

NS_CLONES
static void forward_row(int channels, const float *alpha, int alpha_count, const float *gamma,
                        const float *beta, const float *x, float *y, float *z) {
    if (alpha_count == 1 && z && gamma && beta) {
        float a = alpha[0];
        for (int c = 0; c < channels; c++) z[c] = ns_tanhf(a * x[c]) * gamma[c] + beta[c];
        if (y)
            for (int c = 0; c < channels; c++) y[c] = ns_tanhf(a * x[c]);
        return;
    }
    for (int c = 0; c < channels; c++) {
        float v = ns_tanhf(alpha[alpha_count == 1 ? 0 : c] * x[c]);
        if (y) y[c] = v;
        if (z) z[c] = v * (gamma ? gamma[c] : 1.0f) + (beta ? beta[c] : 0.0f);
    }
}

/* In place (z is x) y must be made first: then z from it. */
static void forward(const ns_norm *n, size_t rows, const float *x, float *y, float *z, float *mean,
                    float *rstd) {
    size_t c = (size_t)n->channels;
#pragma omp parallel for schedule(static) if (rows * c > 16384)
    for (size_t r = 0; r < rows; r++) {
        if (y)
            forward_row(n->channels, n->alpha, n->alpha_count, NULL, NULL, x + r * c, y + r * c,
                        NULL);
        if (z)
            forward_row(n->channels, n->alpha, n->alpha_count, n->gamma, n->beta, x + r * c, NULL,
                        z + r * c);
        if (mean) mean[r] = 0;
        if (rstd) rstd[r] = 1;
    }
}

static void reference(const ns_norm *n, size_t rows, const float *x, double *y) {
    size_t channels = (size_t)n->channels;
    for (size_t i = 0; i < rows * channels; i++)
        y[i] = tanh((double)n->alpha[n->alpha_count == 1 ? 0 : i % channels] * (double)x[i]);
}

static double bound(const ns_norm *n) {
    (void)n;
    return 1;
}

const ns_norm_kind ns_norm_dyt = {
    .name = "dyt",
    .title = "DyT",
    .formula = "tanh(alpha x)",
    .source = "Zhu, Chen, He, LeCun, Liu 2025, arXiv 2503.10622",
    .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
    .forward = forward,
    .reference = reference,
    .bound = bound,
};
