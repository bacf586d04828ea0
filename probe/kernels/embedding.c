/* From an image, or from words, to rows. */
#include <string.h>

#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

void ns_patches(size_t samples, size_t channels, size_t height, size_t width, size_t patch,
                const ns_real *pixels, ns_real *columns) {
    size_t across = width / patch, patches = height / patch * across, plane = height * width;
    size_t n = channels * patch * patch;
#pragma omp parallel for schedule(static) if (samples * patches * n > NS_WORTH_THREADS)
    for (size_t i = 0; i < samples * patches; i++) {
        size_t s = i / patches, at = i % patches;
        const ns_real *corner =
            pixels + s * channels * plane + at / across * patch * width + at % across * patch;
        for (size_t line = 0; line < channels * patch; line++)
            memcpy(columns + i * n + line * patch,
                   corner + line / patch * plane + line % patch * width, patch * sizeof *columns);
    }
}

void ns_place_tokens(size_t samples, size_t patches, size_t w, const ns_real *class_row,
                     const ns_real *embedded, const ns_real *positions, ns_real *x) {
    size_t tokens = patches + 1;
#pragma omp parallel for schedule(static) if (samples * tokens * w > NS_WORTH_THREADS)
    for (size_t i = 0; i < samples * tokens; i++) {
        size_t s = i / tokens, t = i % tokens;
        const ns_real *from = t ? embedded + (s * patches + t - 1) * w : class_row;
        const ns_real *position = positions + t * w;
        ns_real *to = x + i * w;
#pragma omp simd
        for (size_t c = 0; c < w; c++) to[c] = from[c] + position[c];
    }
}

void ns_place_tokens_back(size_t samples, size_t patches, size_t w, const ns_real *dx,
                          ns_real *dembedded, ns_real *dclass, ns_real *dpositions) {
    size_t tokens = patches + 1;
#pragma omp parallel for schedule(static) if (samples * tokens * w > NS_WORTH_THREADS)
    for (size_t t = 0; t < tokens; t++) {
        ns_real *sum = dpositions + t * w;
        for (size_t s = 0; s < samples; s++) {
            const ns_real *d = dx + (s * tokens + t) * w;
#pragma omp simd
            for (size_t c = 0; c < w; c++) sum[c] += d[c];
            if (t) memcpy(dembedded + (s * patches + t - 1) * w, d, w * sizeof *d);
#pragma omp simd
            for (size_t c = 0; c < (t ? 0 : w); c++) dclass[c] += d[c];
        }
    }
}

void ns_place_words(size_t rows, size_t context, size_t w, const ns_real *tokens,
                    const ns_real *words, const ns_real *positions, ns_real *x) {
#pragma omp parallel for schedule(static) if (rows * w > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) {
        const ns_real *word = words + (size_t)tokens[r] * w,
                      *position = positions + r % context * w;
#pragma omp simd
        for (size_t c = 0; c < w; c++) x[r * w + c] = word[c] + position[c];
    }
}

/* One thread, in the order of rows: words repeat. */
void ns_place_words_back(size_t rows, size_t context, size_t w, const ns_real *tokens,
                         const ns_real *dx, ns_real *dwords, ns_real *dpositions) {
    for (size_t r = 0; r < rows; r++) {
        ns_real *word = dwords + (size_t)tokens[r] * w, *position = dpositions + r % context * w;
#pragma omp simd
        for (size_t c = 0; c < w; c++) {
            word[c] += dx[r * w + c];
            position[c] += dx[r * w + c];
        }
    }
}
