/* Layer normalization: Ba, Kiros, Hinton, arXiv 1607.06450. */
#include "probe/norms/kinds/row.h"

/* Mean and 1/sqrt(var + eps) of a row, which lies in the first-level cache. The deviations are taken from a first mean m
 * (rounded to float), and what m lacks (`rest`) is found from their sum, so that a row with a mean much larger than its
 * spread keeps its digits (the corrected two-pass algorithm: Chan, Golub, LeVeque, Am. Stat. 37, 1983). */
NS_INLINE void row_statistics(const ns_real *x, int channels, ns_real eps, ns_real *m,
                              ns_real *rest, ns_real *rstd) {
    double sum = 0, sum1 = 0, sum2 = 0;
    for (int from = 0; from < channels; from += NS_SUM_BLOCK) {
        int to = channels - from < NS_SUM_BLOCK ? channels : from + NS_SUM_BLOCK;
        ns_real s = 0;
#pragma omp simd reduction(+ : s)
        for (int c = from; c < to; c++) s += x[c];
        sum += (double)s;
    }
    ns_real first = (ns_real)(sum / channels);
    for (int from = 0; from < channels; from += NS_SUM_BLOCK) {
        int to = channels - from < NS_SUM_BLOCK ? channels : from + NS_SUM_BLOCK;
        ns_real s1 = 0, s2 = 0;
#pragma omp simd reduction(+ : s1, s2)
        for (int c = from; c < to; c++) {
            ns_real d = x[c] - first;
            s1 += d;
            s2 += d * d;
        }
        sum1 += (double)s1;
        sum2 += (double)s2;
    }
    double r = sum1 / channels, variance = sum2 / channels - r * r;
    *m = first;
    *rest = (ns_real)r;
    *rstd = (ns_real)(1 / sqrt((variance > 0 || isnan(variance) ? variance : 0) + (double)eps));
}

NS_CLONES static void rows_of_layernorm(const ns_norm *norm, size_t rows, const ns_real *x,
                                        ns_real *y, ns_real *z, ns_real *mean, ns_real *rstd) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels) {
        ns_real m, rest, scale;
        row_statistics(x, channels, norm->eps, &m, &rest, &scale);
        if (mean) mean[i] = m + rest;
        if (rstd) rstd[i] = scale;
        ns_real *out = y ? y + i * (size_t)channels : z ? z + i * (size_t)channels : NULL;
        if (!out) continue;
#pragma omp simd
        for (int c = 0; c < channels; c++) out[c] = ((x[c] - m) - rest) * scale;
        if (z) ns_norm_affine(norm, out, z + i * (size_t)channels);
    }
}

/* With h = (x - mean) rstd and g = gamma dz: dx = rstd (g - mean of g - h times mean of g h), means over the row. */
NS_CLONES static void rows_back(const ns_norm *norm, size_t rows, const ns_real *x,
                                const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                ns_real *dx, const ns_norm_sums *sums) {
    int channels = norm->channels;
    const ns_real *gamma = norm->gamma;
    ns_real *gammas = sums->gamma, *betas = sums->beta;
    for (size_t i = 0; i < rows; i++, x += channels, dz += channels, dx += channels) {
        ns_real m = mean[i], scale = rstd[i], sum = 0, sum_h = 0;
#pragma omp simd reduction(+ : sum, sum_h)
        for (int c = 0; c < channels; c++) {
            ns_real h = (x[c] - m) * scale, g = (gamma ? gamma[c] : 1) * dz[c];
            gammas[c] += dz[c] * h;
            betas[c] += dz[c];
            sum += g;
            sum_h += g * h;
        }
        sum /= (ns_real)channels;
        sum_h /= (ns_real)channels;
#pragma omp simd
        for (int c = 0; c < channels; c++) {
            ns_real h = (x[c] - m) * scale, g = (gamma ? gamma[c] : 1) * dz[c];
            dx[c] += scale * (g - sum - h * sum_h);
        }
    }
}

NS_NORM_OF_ROWS(rows_of_layernorm, rows_back)

static void reference(const ns_norm *norm, size_t rows, const ns_real *x, double *y) {
    int channels = norm->channels;
    for (size_t i = 0; i < rows; i++, x += channels, y += channels) {
        double mean = 0, variance = 0;
        for (int c = 0; c < channels; c++) mean += (double)x[c];
        mean /= channels;
        for (int c = 0; c < channels; c++)
            variance += ((double)x[c] - mean) * ((double)x[c] - mean);
        variance /= channels;
        double rstd = 1 / sqrt(variance + (double)norm->eps);
        for (int c = 0; c < channels; c++) y[c] = ((double)x[c] - mean) * rstd;
    }
}

/* All of the spread in one channel: y there is sqrt(C - 1), and -1/sqrt(C - 1) in the others. */
static double bound(const ns_norm *norm) {
    return sqrt((double)norm->channels - 1);
}

extern const ns_norm_kind ns_norm_layernorm;
const ns_norm_kind ns_norm_layernorm = {.name = "layernorm",
                                        .title = "LayerNorm",
                                        .short_title = "LN",
                                        .formula = "y = (x - mean) / sqrt(var + eps)",
                                        .source = "Ba, Kiros, Hinton, arXiv 1607.06450",
                                        .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_EPS,
                                        .learns = NS_HAS_GAMMA | NS_HAS_BETA,
                                        .forward = forward,
                                        .reference = reference,
                                        .bound = bound,
                                        .backward = backward};
