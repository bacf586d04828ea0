/* Root mean square normalization: Zhang, Sennrich, NeurIPS 2019, arXiv 1910.07467. */
#include "probe/norms/kinds/row.h"

NS_CLONES static void rows_of_rmsnorm(const ns_norm *norm, size_t rows, const ns_real *x,
                                      ns_real *y, ns_real *z, ns_real *mean, ns_real *rstd) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels) {
        double sum = 0;
        for (int from = 0; from < channels; from += NS_SUM_BLOCK) {
            int to = channels - from < NS_SUM_BLOCK ? channels : from + NS_SUM_BLOCK;
            ns_real s = 0;
#pragma omp simd reduction(+ : s)
            for (int c = from; c < to; c++) s += x[c] * x[c];
            sum += (double)s;
        }
        ns_real scale = (ns_real)(1 / sqrt(sum / channels + (double)norm->eps));
        if (mean) mean[i] = 0;
        if (rstd) rstd[i] = scale;
        ns_real *out = y ? y + i * (size_t)channels : z ? z + i * (size_t)channels : NULL;
        if (!out) continue;
#pragma omp simd
        for (int c = 0; c < channels; c++) out[c] = x[c] * scale;
        if (z) ns_norm_affine(norm, out, z + i * (size_t)channels);
    }
}

/* With h = x rstd and g = gamma dz: dx = rstd (g - h times mean of g h). */
NS_CLONES static void rows_back(const ns_norm *norm, size_t rows, const ns_real *x,
                                const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                ns_real *dx, const ns_norm_sums *sums) {
    int channels = norm->channels;
    const ns_real *gamma = norm->gamma;
    ns_real *gammas = sums->gamma, *betas = sums->beta;
    (void)mean;
    for (size_t i = 0; i < rows; i++, x += channels, dz += channels, dx += channels) {
        ns_real scale = rstd[i], sum_h = 0;
#pragma omp simd reduction(+ : sum_h)
        for (int c = 0; c < channels; c++) {
            ns_real h = x[c] * scale;
            gammas[c] += dz[c] * h;
            betas[c] += dz[c];
            sum_h += (gamma ? gamma[c] : 1) * dz[c] * h;
        }
        sum_h /= (ns_real)channels;
#pragma omp simd
        for (int c = 0; c < channels; c++)
            dx[c] += scale * ((gamma ? gamma[c] : 1) * dz[c] - x[c] * scale * sum_h);
    }
}

NS_NORM_OF_ROWS(rows_of_rmsnorm, rows_back)

static void reference(const ns_norm *norm, size_t rows, const ns_real *x, double *y) {
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
                                      .learns = NS_HAS_GAMMA,
                                      .forward = forward,
                                      .reference = reference,
                                      .bound = bound,
                                      .backward = backward};
