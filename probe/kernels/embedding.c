/* From an image, or from words, to rows. */
#include <string.h>

#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

/* One patch: C planes of p lines. */
static void unfold_patch(const ns_patch_grid *g, const ns_real *corner, ns_real *row) {
    size_t p = g->patch, plane = g->height * g->width;
    for (size_t c = 0; c < g->channels; c++)
        for (size_t i = 0; i < p; i++) {
            const ns_real *line = corner + c * plane + i * g->width;
            if (!g->channels_last)
                memcpy(row + (c * p + i) * p, line, p * sizeof *row);
            else
                for (size_t j = 0; j < p; j++) row[(i * p + j) * g->channels + c] = line[j];
        }
}

void ns_patches(const ns_patch_grid *g, size_t samples, const ns_real *pixels, ns_real *columns) {
    size_t across = g->width / g->patch, patches = g->height / g->patch * across;
    size_t plane = g->height * g->width, n = g->channels * g->patch * g->patch;
#pragma omp parallel for schedule(static) if (samples * patches * n > NS_WORTH_THREADS)
    for (size_t i = 0; i < samples * patches; i++) {
        size_t s = i / patches, at = i % patches, line = at / across, column = at % across;
        unfold_patch(g, pixels + s * g->channels * plane + (line * g->width + column) * g->patch,
                     columns + i * n);
    }
}

/* out = a + b + c, where b and c may be NULL; out may be a. */
NS_CLONES static void sum_row(size_t n, const ns_real *a, const ns_real *b, const ns_real *c,
                              ns_real *out) {
    if (b && c) {
#pragma omp simd
        for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i] + c[i];
    } else if (b || c) {
        const ns_real *other = b ? b : c;
#pragma omp simd
        for (size_t i = 0; i < n; i++) out[i] = a[i] + other[i];
    } else {
        memmove(out, a, n * sizeof *out); /* which a may be */
    }
}

NS_CLONES static void scale_row(size_t n, ns_real scale, ns_real *x) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) x[i] *= scale;
}

/* to += from. */
NS_CLONES static void add_to(size_t n, const ns_real *from, ns_real *to) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* ---- images ---- */

static size_t before_patches(const ns_token_rows *t) {
    return (t->class_row != NULL) + t->registers;
}

size_t ns_token_rows_count(const ns_token_rows *t) {
    return before_patches(t) + t->patches;
}

void ns_place_tokens(const ns_token_rows *t, size_t samples, const ns_real *embedded, ns_real *x) {
    size_t w = t->width, extra = before_patches(t), tokens = extra + t->patches;
    size_t classes = t->class_row != NULL;
#pragma omp parallel for schedule(static) if (samples * tokens * w > NS_WORTH_THREADS)
    for (size_t i = 0; i < samples * tokens; i++) {
        size_t s = i / tokens, at = i % tokens;
        const ns_real *position = NULL, *from;
        if (t->positions && at >= extra)
            position = t->positions + (at - extra + t->placed) * w;
        else if (t->positions && at < t->placed)
            position = t->positions + at * w;
        if (at >= extra)
            from = embedded + (s * t->patches + at - extra) * w;
        else
            from = at < classes ? t->class_row : t->register_rows + (at - classes) * w;
        sum_row(w, from, position, NULL, x + i * w);
    }
}

void ns_place_tokens_back(const ns_token_rows *t, size_t samples, const ns_real *dx,
                          ns_real *dembedded) {
    size_t w = t->width, extra = before_patches(t), tokens = extra + t->patches;
#pragma omp parallel for schedule(static) if (samples * tokens * w > NS_WORTH_THREADS)
    for (size_t at = 0; at < tokens; at++)
        for (size_t s = 0; s < samples; s++) {
            const ns_real *d = dx + (s * tokens + at) * w;
            add_to(w, d, t->dpositions + at * w);
            if (at >= extra)
                memcpy(dembedded + (s * t->patches + at - extra) * w, d, w * sizeof *d);
            else
                add_to(w, d, t->dclass);
        }
}

/* ---- words ---- */

/* Where the row of a word is: in the table, or widened to `to`. */
static const ns_real *word_row(const ns_word_rows *w, size_t id, ns_real *to) {
#ifndef NS_REAL_DOUBLE
    if (w->packed.type) {
        ns_widen_rows(&w->packed, w->width, id, 1, to);
        return to;
    }
#endif
    (void)to;
    return w->words + id * w->width;
}

/* The position of word t of a sample. */
static size_t position_of(const ns_word_rows *w, const int32_t *ids, size_t t) {
    if (!w->counted) return t;
    size_t before = 0;
    if (ids[t] < 0 || ids[t] == w->padding) return (size_t)w->padding;
    for (size_t i = 0; i <= t; i++) before += ids[i] >= 0 && ids[i] != w->padding;
    return (size_t)w->padding + before;
}

/* The scale is of the words alone, so that it comes first where something is added. */
static void place_word(const ns_word_rows *w, size_t id, const ns_real *position,
                       const ns_real *type, ns_real *x) {
    size_t n = w->width;
    const ns_real *word = word_row(w, id, x);
    if (w->scale == 0 || w->scale == 1) {
        sum_row(n, word, position, type, x);
        return;
    }
    if (word != x) memcpy(x, word, n * sizeof *x);
    scale_row(n, w->scale, x);
    if (position) add_to(n, position, x);
    if (type) add_to(n, type, x);
}

void ns_place_words(const ns_word_rows *w, size_t samples, size_t tokens, const int32_t *ids,
                    const int32_t *types, ns_real *x) {
    size_t n = w->width, rows = samples * tokens;
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) {
        size_t id = ids[r] < 0 ? 0 : (size_t)(w->row_of ? w->row_of[ids[r]] : ids[r]);
        size_t type = types ? (size_t)types[r] : 0;
        size_t t = r % tokens, at = w->positions ? position_of(w, ids + r - t, t) : 0;
        place_word(w, id, w->positions ? w->positions + at * n : NULL,
                   w->types ? w->types + type * n : NULL, x + r * n);
    }
}

/* One thread, in the order of rows: words repeat. */
void ns_place_words_back(const ns_word_rows *w, size_t samples, size_t tokens, const int32_t *ids,
                         const ns_real *dx) {
    size_t n = w->width;
    for (size_t r = 0; r < samples * tokens; r++) {
        add_to(n, dx + r * n, w->dwords + (size_t)ids[r] * n);
        add_to(n, dx + r * n, w->dpositions + r % tokens * n);
    }
}
