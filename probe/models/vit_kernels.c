/* What stands between a ViT's matrix products. Each loop over values is a function of its own, built for several
 * instruction sets; the loops over threads call it with pieces. */
#include <math.h>
#include <string.h>

#include "probe/base/simd.h"
#include "probe/base/vmath.h"
#include "probe/models/vit.h"

NS_CLONES void vit_gelu_erf(float *values, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) values[i] = ns_gelu_erf(values[i]);
}

NS_CLONES void vit_gelu_tanh(float *values, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) values[i] = ns_gelu_tanh(values[i]);
}

/* NaN stays. */
NS_CLONES void vit_relu(float *values, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) values[i] = values[i] < 0 ? 0 : values[i];
}

void vit_activate(vit_activation f, float *values, size_t count) {
    enum { PIECE = 8192 };
#pragma omp parallel for schedule(static) if (count > 4 * PIECE)
    for (size_t i = 0; i < count; i += PIECE) f(values + i, count - i < PIECE ? count - i : PIECE);
}

NS_CLONES static void softmax_row(float *row, size_t n) {
    float most = -INFINITY, sum = 0;
#pragma omp simd reduction(max : most)
    for (size_t i = 0; i < n; i++) most = row[i] > most ? row[i] : most;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float e = ns_expf(row[i] - most);
        row[i] = e;
        sum += e;
    }
    float scale = 1 / sum;
#pragma omp simd
    for (size_t i = 0; i < n; i++) row[i] *= scale;
}

void vit_softmax(float *scores, size_t rows, size_t n, bool causal) {
    for (size_t r = 0; r < rows; r++) {
        size_t seen = causal ? r + 1 : n;
        softmax_row(scores + r * n, seen);
        if (seen < n) memset(scores + r * n + seen, 0, (n - seen) * sizeof *scores);
    }
}

/* One patch: C planes of p lines. */
static void unfold_patch(const float *pixels, size_t stride, size_t plane, size_t channels,
                         size_t p, bool channels_last, float *row) {
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < p; i++) {
            const float *line = pixels + c * plane + i * stride;
            if (!channels_last)
                memcpy(row + (c * p + i) * p, line, p * sizeof *row);
            else
                for (size_t j = 0; j < p; j++) row[(i * p + j) * channels + c] = line[j];
        }
}

void vit_unfold(const vit *v, int channels, const float *pixels, size_t samples, float *rows) {
    size_t p = (size_t)v->patch, across = (size_t)v->grid_width, patches = (size_t)v->patches;
    size_t stride = across * p, plane = stride * p * (size_t)v->grid_height;
    size_t c = (size_t)channels, n = c * p * p;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < samples * patches; i++) {
        size_t s = i / patches, at = i % patches;
        const float *corner = pixels + s * c * plane + at / across * p * stride + at % across * p;
        unfold_patch(corner, stride, plane, c, p, v->patch_last, rows + i * n);
    }
}

/* out = a + b + c, where b and c may be NULL. */
NS_CLONES static void sum_row(float *out, const float *a, const float *b, const float *c,
                              size_t n) {
    if (b && c) {
#pragma omp simd
        for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i] + c[i];
    } else if (b || c) {
        const float *other = b ? b : c;
#pragma omp simd
        for (size_t i = 0; i < n; i++) out[i] = a[i] + other[i];
    } else {
        memcpy(out, a, n * sizeof *out);
    }
}

void vit_assemble(const vit *v, const float *embedded, size_t samples, float *x) {
    size_t w = (size_t)v->width, tokens = (size_t)v->tokens, patches = (size_t)v->patches;
    size_t extra = tokens - patches, classes = v->class_token;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < samples * tokens; i++) {
        size_t s = i / tokens, t = i % tokens;
        const float *position = v->positions;
        if (position && v->positions_of_all)
            position += t * w;
        else if (position)
            position = t < extra ? NULL : position + (t - extra) * w;
        if (t >= extra)
            sum_row(x + i * w, embedded + (s * patches + t - extra) * w, v->embedding.bias,
                    position, w);
        else if (t < classes)
            sum_row(x + i * w, v->class_row, position, NULL, w);
        else
            sum_row(x + i * w, v->register_rows + (t - classes) * w, position, NULL, w);
    }
}

void vit_fill_rows(float *out, const float *bias, size_t rows, size_t n) {
#pragma omp parallel for schedule(static) if (rows * n > 32768)
    for (size_t r = 0; r < rows; r++) memcpy(out + r * n, bias, n * sizeof *out);
}

void vit_add_rows(float *x, const float *bias, size_t rows, size_t n) {
#pragma omp parallel for schedule(static) if (rows * n > 32768)
    for (size_t r = 0; r < rows; r++) sum_row(x + r * n, x + r * n, bias, NULL, n);
}

NS_CLONES static void add_scaled_row(float *x, const float *t, const float *scale, size_t n) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) x[i] += scale[i] * t[i];
}

void vit_add_scaled(float *x, const float *t, const float *scale, size_t rows, size_t n) {
#pragma omp parallel for schedule(static) if (rows * n > 32768)
    for (size_t r = 0; r < rows; r++) add_scaled_row(x + r * n, t + r * n, scale, n);
}

void vit_pool(const vit *v, const float *t, size_t samples, float *pooled) {
    size_t w = (size_t)v->width, tokens = (size_t)v->tokens, from = (size_t)v->pool_from;
#pragma omp parallel for schedule(static) if (samples > 4)
    for (size_t s = 0; s < samples; s++) {
        const float *rows = t + s * tokens * w;
        for (size_t c = 0; c < w; c++) {
            double sum = 0;
            for (size_t i = from; i < tokens && v->mean_pooling; i++)
                sum += (double)rows[i * w + c];
            pooled[s * w + c] = v->mean_pooling ? (float)(sum / (double)(tokens - from)) : rows[c];
        }
    }
}

int vit_place_words(const vit *v, const float *ids, size_t samples, float *x, ns_error *err) {
    size_t tokens = (size_t)v->tokens, w = (size_t)v->width, rows = samples * tokens;
    for (size_t r = 0; r < rows; r++)
        if (!(ids[r] >= 0 && ids[r] < (float)v->vocabulary))
            return ns_fail(err, NS_EINPUT, "expected words from 0 to %d, found %g",
                           v->vocabulary - 1, (double)ids[r]);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *word = v->words + (size_t)ids[r] * w,
                    *position = v->positions + r % tokens * w;
        for (size_t c = 0; c < w; c++) x[r * w + c] = word[c] + position[c];
    }
    return NS_OK;
}
