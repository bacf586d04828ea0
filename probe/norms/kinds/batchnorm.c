/* Batch normalization, over all rows of a batch in training and with running statistics after it: Ioffe, Szegedy, ICML 2015, arXiv 1502.03167. */
#include "probe/norms/kinds/row.h"

enum { CHANNEL_BLOCK = 256 };

NS_CLONES static void rows_of_batchnorm(const ns_norm *norm, size_t rows, const ns_real *x,
                                        ns_real *y, ns_real *z, ns_real *mean, ns_real *rstd) {
    size_t channels = (size_t)norm->channels;
    ns_real scale[CHANNEL_BLOCK];
    (void)mean; /* a row has no statistics of its own */
    (void)rstd;
    for (size_t from = 0; from < channels; from += CHANNEL_BLOCK) {
        size_t n = channels - from < CHANNEL_BLOCK ? channels - from : CHANNEL_BLOCK;
        ns_norm block = *norm;
        block.channels = (int)n;
        if (norm->gamma) block.gamma += from;
        if (norm->beta) block.beta += from;
        const ns_real *centre = norm->mean + from;
        for (size_t c = 0; c < n; c++)
            scale[c] = (ns_real)(1 / sqrt((double)norm->variance[from + c] + (double)norm->eps));
        for (size_t i = 0; i < rows; i++) {
            size_t at = i * channels + from;
            ns_real *out = y ? y + at : z ? z + at : NULL;
            if (!out) return;
#pragma omp simd
            for (size_t c = 0; c < n; c++) out[c] = (x[at + c] - centre[c]) * scale[c];
            if (z) ns_norm_affine(&block, out, z + at);
        }
    }
}

static void forward(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y, ns_real *z,
                    ns_real *mean, ns_real *rstd) {
    ns_norm_spread(rows_of_batchnorm, norm, rows, x, y, z, mean, rstd);
}

/* Sums of x, or, with a mean, of (x - mean)^2. */
NS_CLONES static void rows_sum(const ns_norm *norm, size_t rows, const ns_real *x,
                               const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                               ns_real *dx, const ns_norm_sums *sums) {
    int channels = norm->channels;
    (void)rstd, (void)dz, (void)dx;
    ns_real *s = sums->gamma;
    for (size_t i = 0; i < rows; i++, x += channels) {
        if (mean) {
#pragma omp simd
            for (int c = 0; c < channels; c++) s[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
        } else {
#pragma omp simd
            for (int c = 0; c < channels; c++) s[c] += x[c];
        }
    }
}

/* norm->variance holds rstd. */
NS_CLONES static void rows_scaled(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y,
                                  ns_real *z, ns_real *mean, ns_real *rstd) {
    int channels = norm->channels;
    const ns_real *m = norm->mean, *scale = norm->variance;
    (void)y, (void)mean, (void)rstd;
    for (size_t i = 0; i < rows; i++, x += channels, z += channels) {
#pragma omp simd
        for (int c = 0; c < channels; c++) z[c] = (x[c] - m[c]) * scale[c];
        ns_norm_affine(norm, z, z);
    }
}

static void forward_batch(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *z,
                          ns_real *mean, ns_real *rstd, ns_real *work) {
    size_t pieces = ns_norm_pieces_back(rows_sum, norm, rows, x, NULL, NULL, NULL, NULL, work);
    for (int c = 0; c < norm->channels; c++)
        mean[c] = (ns_real)(ns_norm_total(norm, work, pieces, 0, c) / (double)rows);
    pieces = ns_norm_pieces_back(rows_sum, norm, rows, x, mean, NULL, NULL, NULL, work);
    for (int c = 0; c < norm->channels; c++) {
        double variance = ns_norm_total(norm, work, pieces, 0, c) / (double)rows;
        rstd[c] = (ns_real)(1 / sqrt(variance + (double)norm->eps));
    }
    ns_norm batch = *norm; /* with the statistics of the batch in the place of the running ones */
    batch.mean = mean;
    batch.variance = rstd;
    ns_norm_spread(rows_scaled, &batch, rows, x, NULL, z, NULL, NULL);
}

/* Sums of dz h and dz, h = (x - mean) rstd. */
NS_CLONES static void rows_gradient(const ns_norm *norm, size_t rows, const ns_real *x,
                                    const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                    ns_real *dx, const ns_norm_sums *sums) {
    int channels = norm->channels;
    ns_real *gammas = sums->gamma, *betas = sums->beta;
    (void)dx;
    for (size_t i = 0; i < rows; i++, x += channels, dz += channels) {
#pragma omp simd
        for (int c = 0; c < channels; c++) {
            gammas[c] += dz[c] * (x[c] - mean[c]) * rstd[c];
            betas[c] += dz[c];
        }
    }
}

/* dx += gamma rstd (dz - mean of dz - h times mean of dz h), means over all rows. */
NS_CLONES static void rows_input(const ns_norm *norm, size_t rows, const ns_real *x,
                                 const ns_real *mean, const ns_real *rstd, const ns_real *dz,
                                 ns_real *dx, const ns_norm_sums *means) {
    int channels = norm->channels;
    const ns_real *gamma = norm->gamma, *mean_h = means->gamma, *mean_dz = means->beta;
    for (size_t i = 0; i < rows; i++, x += channels, dz += channels, dx += channels) {
#pragma omp simd
        for (int c = 0; c < channels; c++) {
            ns_real h = (x[c] - mean[c]) * rstd[c];
            dx[c] += (gamma ? gamma[c] : 1) * rstd[c] * (dz[c] - mean_dz[c] - h * mean_h[c]);
        }
    }
}

static void backward(const ns_norm *norm, size_t rows, const ns_real *x, const ns_real *mean,
                     const ns_real *rstd, const ns_real *dz, ns_real *dx,
                     const ns_norm_gradient *gradient, ns_real *work) {
    size_t channels = (size_t)norm->channels;
    size_t pieces = ns_norm_pieces_back(rows_gradient, norm, rows, x, mean, rstd, dz, dx, work);
    /* The totals take the place of the first piece's sums, which are read before. */
    for (size_t c = 0; c < channels; c++) {
        double g = ns_norm_total(norm, work, pieces, 0, (int)c),
               b = ns_norm_total(norm, work, pieces, 1, (int)c);
        if (gradient->gamma) gradient->gamma[c] += (ns_real)g;
        if (gradient->beta) gradient->beta[c] += (ns_real)b;
        work[c] = (ns_real)(g / (double)rows);
        work[channels + c] = (ns_real)(b / (double)rows);
    }
    const ns_norm_sums means = {.gamma = work, .beta = work + channels};
    size_t piece = channels < 16384 ? 16384 / channels : 1;
#pragma omp parallel for schedule(static)
    for (size_t first = 0; first < rows; first += piece) {
        size_t n = rows - first < piece ? rows - first : piece, at = first * channels;
        rows_input(norm, n, x + at, mean, rstd, dz + at, dx + at, &means);
    }
}

static void reference(const ns_norm *norm, size_t rows, const ns_real *x, double *y) {
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
    .learns = NS_HAS_GAMMA | NS_HAS_BETA,
    .over_batch = 1,
    .forward = forward,
    .reference = reference,
    .bound = ns_norm_unbounded,
    .forward_batch = forward_batch,
    .backward = backward};
