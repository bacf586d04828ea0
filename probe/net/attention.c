/* Attention, one head of one sample at a time, spread over threads. */
#include <math.h>
#include <omp.h>

#include "probe/base/rmath.h"
#include "probe/base/simd.h"
#include "probe/net/gemm.h"
#include "probe/net/kernels.h"
#include "probe/net/pieces.h"

/* Softmax of the first `seen` of n scores in place; the others become 0. */
NS_CLONES static void softmax_row(size_t seen, size_t n, ns_real *row) {
    ns_real most = row[0], sum = 0;
#pragma omp simd reduction(max : most)
    for (size_t i = 0; i < seen; i++) most = row[i] > most ? row[i] : most;
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

/* d becomes scale * w (d - sum of w d): from the gradient of a row of weights to that of the scores before the scale. */
NS_CLONES static void softmax_row_back(size_t n, const ns_real *w, ns_real scale, ns_real *d) {
    ns_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += w[i] * d[i];
#pragma omp simd
    for (size_t i = 0; i < n; i++) d[i] = scale * w[i] * (d[i] - sum);
}

static bool worth_threads(const ns_attention *a) {
    return a->samples * a->heads * a->tokens * a->tokens * a->dim > 8 * NS_WORTH_THREADS;
}

static ns_real scale_of(const ns_attention *a) {
    return (ns_real)(1 / sqrt((double)a->dim));
}

void ns_attend(const ns_attention *a, const ns_real *qkv, ns_real *weights, ns_real *out) {
    size_t t = a->tokens, d = a->dim, inner = a->heads * d, row = 3 * inner;
#pragma omp parallel for schedule(static) if (worth_threads(a))
    for (size_t i = 0; i < a->samples * a->heads; i++) {
        size_t s = i / a->heads, h = i % a->heads;
        const ns_real *q = qkv + s * t * row + h * d, *k = q + inner, *v = k + inner;
        ns_real *w = weights + i * t * t;
        ns_gemm(0, 1, t, t, d, scale_of(a), q, row, k, row, 0, w, t);
        for (size_t r = 0; r < t; r++) softmax_row(a->causal ? r + 1 : t, t, w + r * t);
        ns_gemm(0, 0, t, d, t, 1, w, t, v, row, 0, out + s * t * inner + h * d, inner);
    }
}

size_t ns_attention_scratch(const ns_attention *a) {
    return (size_t)omp_get_max_threads() * a->tokens * a->tokens;
}

void ns_attend_back(const ns_attention *a, const ns_real *qkv, const ns_real *weights,
                    const ns_real *dout, ns_real *dqkv, ns_real *scratch) {
    size_t t = a->tokens, d = a->dim, inner = a->heads * d, row = 3 * inner;
#pragma omp parallel for schedule(static) if (worth_threads(a))
    for (size_t i = 0; i < a->samples * a->heads; i++) {
        size_t s = i / a->heads, h = i % a->heads, at = s * t * row + h * d;
        const ns_real *q = qkv + at, *k = q + inner, *v = k + inner, *w = weights + i * t * t;
        const ns_real *o = dout + s * t * inner + h * d;
        ns_real *dq = dqkv + at, *dk = dq + inner, *dv = dk + inner;
        ns_real *dw = scratch + (size_t)omp_get_thread_num() * t * t;
        ns_gemm(0, 1, t, t, d, 1, o, inner, v, row, 0, dw, t);
        ns_gemm(1, 0, t, d, t, 1, w, t, o, inner, 0, dv, row);
        for (size_t r = 0; r < t; r++) softmax_row_back(t, w + r * t, scale_of(a), dw + r * t);
        ns_gemm(0, 0, t, d, t, 1, dw, t, k, row, 0, dq, row);
        ns_gemm(1, 0, t, d, t, 1, dw, t, q, row, 0, dk, row);
    }
}
