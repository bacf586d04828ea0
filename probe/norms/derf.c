/* Derf (Chen, Lu, Zhu, Sun, Liu, arXiv 2512.10938): y = erf(alpha x + shift), alpha and shift one learned number each. */
#include <math.h>
#include <stddef.h>

#include "probe/base/simd.h"
#include "probe/base/vmath.h"
#include "probe/norms/kinds.h"

NS_CLONES
static void forward_row(int channels, float alpha, float shift, const float *gamma,
                        const float *beta, const float *x, float *y, float *z) {
    for (int c = 0; c < channels; c++) {
        float v = ns_erff(alpha * x[c] + shift);
        if (y) y[c] = v;
        if (z) z[c] = v * (gamma ? gamma[c] : 1.0f) + (beta ? beta[c] : 0.0f);
    }
}

static void forward(const ns_norm *n, size_t rows, const float *x, float *y, float *z, float *mean,
                    float *rstd) {
    size_t c = (size_t)n->channels;
    float shift = n->shift ? n->shift[0] : 0;
#pragma omp parallel for schedule(static) if (rows * c > 16384)
    for (size_t r = 0; r < rows; r++) {
        forward_row(n->channels, n->alpha[0], shift, n->gamma, n->beta, x + r * c,
                    y ? y + r * c : NULL, z ? z + r * c : NULL);
        if (mean) mean[r] = 0;
        if (rstd) rstd[r] = 1;
    }
}

static void reference(const ns_norm *n, size_t rows, const float *x, double *y) {
    double shift = n->shift ? (double)n->shift[0] : 0;
    for (size_t i = 0; i < rows * (size_t)n->channels; i++)
        y[i] = erf((double)n->alpha[0] * (double)x[i] + shift);
}

static double bound(const ns_norm *n) {
    (void)n;
    return 1;
}

const ns_norm_kind ns_norm_derf = {
    .name = "derf",
    .title = "Derf",
    .formula = "erf(alpha x + shift)",
    .source = "Chen, Lu, Zhu, Sun, Liu 2025, arXiv 2512.10938",
    .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA | NS_HAS_SHIFT,
    .forward = forward,
    .reference = reference,
    .bound = bound,
};
