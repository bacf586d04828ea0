/* Attention, one head of one sample at a time, spread over threads. Few tokens are multiplied here, many by BLAS. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "probe/base/rmath.h"
#include "probe/base/simd.h"
#include "probe/kernels/gemm.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"
#include "probe/kernels/small.h"

/* Softmax of the first `seen` of n scores in place, of those that the mask [n] has where there is one; the others become 0. */
NS_CLONES static void softmax_seen(size_t seen, size_t n, const uint8_t *mask, ns_real *row) {
    for (size_t i = 0; mask && i < seen; i++)
        if (!mask[i]) row[i] = -INFINITY;
    ns_real most = row[0], sum = 0;
    NS_SIMD_EXTREMES(reduction(max : most))
    for (size_t i = 0; i < seen; i++) most = row[i] > most ? row[i] : most;
    if (most == -INFINITY) seen = 0; /* nobody is seen */
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < seen; i++) {
        ns_real e = ns_rexp(row[i] - most);
        row[i] = e;
        sum += e;
    }
    ns_real scale = 1 / sum;
#pragma omp simd
    for (size_t i = 0; i < seen; i++) row[i] *= scale;
    for (size_t i = seen; i < n; i++) row[i] = 0;
}

NS_CLONES static void cap_row(size_t n, ns_real cap, ns_real *row) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) row[i] = cap * ns_rtanh(row[i] / cap);
}

/* d becomes scale * w (d - sum of w d): from the gradient of a row of weights to that of the scores before the scale. */
NS_CLONES static void softmax_row_back(size_t n, const ns_real *w, ns_real scale, ns_real *d) {
    ns_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += w[i] * d[i];
#pragma omp simd
    for (size_t i = 0; i < n; i++) d[i] = scale * w[i] * (d[i] - sum);
}

void ns_cap_values(size_t count, double cap, ns_real *x) {
    enum { PIECE = 8192 };
#pragma omp parallel for schedule(static) if (count > NS_WORTH_THREADS)
    for (size_t i = 0; i < count; i += PIECE)
        cap_row(count - i < PIECE ? count - i : PIECE, (ns_real)cap, x + i);
}

static bool worth_threads(const ns_attention *a) {
    return a->samples * a->heads * a->tokens * a->tokens * a->dim > 8 * NS_WORTH_THREADS;
}

static ns_real scale_of(const ns_attention *a) {
    return (ns_real)(a->scale != 0 ? a->scale : 1 / sqrt((double)a->dim));
}

/* Where one head of one sample lies: queries, keys, values, `row` values from token to token. */
typedef struct head {
    size_t tokens, dim, row, inner;
    bool causal;
    size_t window;
    ns_real scale, cap;
    const uint8_t *mask; /* [tokens] or NULL */
} head;

/* From the scores of token r, [tokens], to its weights. */
static void softmax_row(const head *h, size_t r, ns_real *row) {
    size_t seen = h->causal ? r + 1 : h->tokens;
    size_t from = h->causal && h->window && seen > h->window ? seen - h->window : 0;
    if (h->cap > 0) cap_row(seen - from, h->cap, row + from);
    memset(row, 0, from * sizeof *row);
    softmax_seen(seen - from, h->tokens - from, h->mask ? h->mask + from : NULL, row + from);
}

static head head_of(const ns_attention *a) {
    size_t inner = a->heads * a->dim;
    return (head){.tokens = a->tokens,
                  .dim = a->dim,
                  .row = inner + 2 * a->groups * a->dim,
                  .inner = inner,
                  .causal = a->causal,
                  .window = a->window,
                  .scale = scale_of(a),
                  .cap = (ns_real)a->cap};
}

/* Values a row of what is transposed, or of scores: whole blocks of ns_small_product. */
static size_t padded(size_t tokens) {
    return (tokens + 7) / 8 * 8;
}

static size_t scratch_of_head(const ns_attention *a) {
    size_t few = 2 * padded(a->tokens) * (a->dim > a->tokens ? a->dim : a->tokens);
    size_t many = a->tokens * a->tokens;
    return ((a->tokens <= NS_FEW_TOKENS ? few : many) + 15) / 16 * 16;
}

/* scratch: keys transposed, then scores. */
NS_CLONES static void attend_few(const head *h, const ns_real *q, const ns_real *k,
                                 const ns_real *v, ns_real *weights, ns_real *out,
                                 ns_real *scratch) {
    size_t t = h->tokens, d = h->dim, ld = padded(t);
    ns_real *turned = scratch, *scores = scratch + ld * d;
    ns_small_transpose(t, d, k, h->row, turned, ld);
    ns_small_product(t, ld, d, q, h->row, 1, turned, ld, h->scale, scores, ld);
    for (size_t r = 0; r < t; r++) {
        softmax_row(h, r, scores + r * ld);
        if (weights) memcpy(weights + r * t, scores + r * ld, t * sizeof *weights);
    }
    ns_small_product(t, d, t, scores, ld, 1, v, h->row, 1, out, h->inner);
}

/* a [T, D] b' [T, D], h->row values from token to token or as given. */
static void scores_of(const head *h, ns_real scale, const ns_real *a, size_t lda, const ns_real *b,
                      ns_real *scores) {
    size_t t = h->tokens, d = h->dim;
    ns_multiply((ns_product){.m = t,
                             .n = t,
                             .k = d,
                             .scale = scale,
                             .a = a,
                             .lda = lda,
                             .b = b,
                             .ldb = h->row,
                             .turn_b = true,
                             .c = scores,
                             .ldc = t});
}

/* c [T, D] = w [T, T], or its transpose, times b [T, D]. */
static void weigh(const head *h, const ns_real *w, bool turned, const ns_real *b, size_t ldb,
                  ns_real *c, size_t ldc) {
    size_t t = h->tokens, d = h->dim;
    ns_multiply((ns_product){.m = t,
                             .n = d,
                             .k = t,
                             .a = w,
                             .lda = t,
                             .turn_a = turned,
                             .b = b,
                             .ldb = ldb,
                             .c = c,
                             .ldc = ldc});
}

static void attend_many(const head *h, const ns_real *q, const ns_real *k, const ns_real *v,
                        ns_real *weights, ns_real *out) {
    size_t t = h->tokens;
    scores_of(h, h->scale, q, h->row, k, weights);
    for (size_t r = 0; r < t; r++) softmax_row(h, r, weights + r * t);
    weigh(h, weights, false, v, h->row, out, h->inner);
}

size_t ns_attention_scratch(const ns_attention *a) {
    return (size_t)omp_get_max_threads() * scratch_of_head(a);
}

void ns_attend(const ns_attention *a, const ns_real *qkv, ns_real *weights, ns_real *out,
               ns_real *scratch) {
    const head all = head_of(a);
    size_t t = a->tokens, room = scratch_of_head(a), shared = a->heads / a->groups;
#pragma omp parallel for schedule(static) if (worth_threads(a))
    for (size_t i = 0; i < a->samples * a->heads; i++) {
        size_t s = i / a->heads, at = i % a->heads, group = at / shared;
        const ns_real *row = qkv + s * t * all.row, *q = row + at * a->dim,
                      *k = row + all.inner + group * a->dim, *v = k + a->groups * a->dim;
        ns_real *mine = scratch + (size_t)omp_get_thread_num() * room;
        ns_real *w = weights ? weights + i * t * t : NULL,
                *o = out + s * t * all.inner + at * a->dim;
        head h = all;
        if (a->mask) h.mask = a->mask + s * t;
        if (t <= NS_FEW_TOKENS)
            attend_few(&h, q, k, v, w, o, mine);
        else
            attend_many(&h, q, k, v, w ? w : mine, o);
    }
}

/* One head of one sample, whose keys and values lie `row` values apart. */
NS_CLONES static void attend_once(size_t tokens, size_t d, size_t row, ns_real scale,
                                  const ns_real *q, const ns_real *k, const ns_real *v,
                                  ns_real *weights, ns_real *out) {
    for (size_t t = 0; t < tokens; t++) {
        ns_real sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < d; c++) sum += q[c] * k[t * row + c];
        weights[t] = scale * sum;
    }
    softmax_seen(tokens, tokens, NULL, weights);
    for (size_t c = 0; c < d; c++) out[c] = 0;
    for (size_t t = 0; t < tokens; t++) {
#pragma omp simd
        for (size_t c = 0; c < d; c++) out[c] += weights[t] * v[t * row + c];
    }
}

void ns_attend_once(const ns_attention *a, const ns_real *q, const ns_real *kv, ns_real *out,
                    ns_real *scratch) {
    size_t inner = a->heads * a->dim, row = 2 * inner, room = scratch_of_head(a);
#pragma omp parallel for schedule(static) if (a->samples * a->tokens * inner > NS_WORTH_THREADS)
    for (size_t i = 0; i < a->samples * a->heads; i++) {
        size_t s = i / a->heads, at = i % a->heads * a->dim;
        const ns_real *k = kv + s * a->tokens * row + at;
        attend_once(a->tokens, a->dim, row, scale_of(a), q + at, k, k + inner,
                    scratch + (size_t)omp_get_thread_num() * room, out + s * inner + at);
    }
}

/* What a head's backward pass reads, and where it writes. */
typedef struct head_back {
    const ns_real *q, *k, *v, *weights, *dout;
    ns_real *dq, *dk, *dv;
} head_back;

/* scratch: values transposed, then the gradient of the weights, which becomes that of the scores. */
NS_CLONES static void attend_back_few(const head *h, const head_back *b, ns_real *scratch) {
    size_t t = h->tokens, d = h->dim, ld = padded(t);
    ns_real *turned = scratch, *dw = scratch + ld * d;
    ns_small_transpose(t, d, b->v, h->row, turned, ld);
    ns_small_product(t, ld, d, b->dout, h->inner, 1, turned, ld, 1, dw, ld);
    ns_small_product(t, d, t, b->weights, 1, t, b->dout, h->inner, 1, b->dv, h->row);
    for (size_t r = 0; r < t; r++) softmax_row_back(t, b->weights + r * t, h->scale, dw + r * ld);
    ns_small_product(t, d, t, dw, ld, 1, b->k, h->row, 1, b->dq, h->row);
    ns_small_product(t, d, t, dw, 1, ld, b->q, h->row, 1, b->dk, h->row);
}

static void attend_back_many(const head *h, const head_back *b, ns_real *dw) {
    size_t t = h->tokens;
    scores_of(h, 1, b->dout, h->inner, b->v, dw);
    weigh(h, b->weights, true, b->dout, h->inner, b->dv, h->row);
    for (size_t r = 0; r < t; r++) softmax_row_back(t, b->weights + r * t, h->scale, dw + r * t);
    weigh(h, dw, false, b->k, h->row, b->dq, h->row);
    weigh(h, dw, true, b->q, h->row, b->dk, h->row);
}

void ns_attend_back(const ns_attention *a, const ns_real *qkv, const ns_real *weights,
                    const ns_real *dout, ns_real *dqkv, ns_real *scratch) {
    const head h = head_of(a);
    size_t t = a->tokens, room = scratch_of_head(a);
#pragma omp parallel for schedule(static) if (worth_threads(a))
    for (size_t i = 0; i < a->samples * a->heads; i++) {
        size_t s = i / a->heads, at = s * t * h.row + i % a->heads * a->dim;
        ns_real *mine = scratch + (size_t)omp_get_thread_num() * room;
        const head_back b = {.q = qkv + at,
                             .k = qkv + at + h.inner,
                             .v = qkv + at + 2 * h.inner,
                             .weights = weights + i * t * t,
                             .dout = dout + s * t * h.inner + i % a->heads * a->dim,
                             .dq = dqkv + at,
                             .dk = dqkv + at + h.inner,
                             .dv = dqkv + at + 2 * h.inner};
        if (t <= NS_FEW_TOKENS)
            attend_back_few(&h, &b, mine);
        else
            attend_back_many(&h, &b, mine);
    }
}
