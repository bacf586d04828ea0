/* Activations between the linear layers of an MLP, with their slopes. */
#include "probe/base/rmath.h"
#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

/* bell = exp(-x^2/2), and Phi(x), the normal distribution. */
#ifdef NS_REAL_DOUBLE
NS_INLINE ns_real normal(ns_real x, ns_real *bell) {
    *bell = exp(-0.5 * x * x);
    return 0.5 * erfc(-0.70710678118654752 * x);
}
#else
/* One exponential for both: with z = |x|/sqrt(2) and t = 1/(1 + 0.375 z), erfc(z) = exp(-z^2) t p(t), the form of Hastings (Approximations
 * for Digital Computers, 1955). p is a minimax fit of ours for z up to 10: Phi is within 4e-7 of its value, of its small ones too. */
NS_INLINE ns_real normal(ns_real x, ns_real *bell) {
    float z = fabsf(x) * 0x1.6a09e6p-1f, t = 1 / (1 + 0.375f * z), e = ns_expf(-z * z);
    float p = 0x1.f81f5ep-5f;
    p = p * t - 0x1.2639a4p-2f;
    p = p * t + 0x1.bac64cp-2f;
    p = p * t - 0x1.d5d5cep-3f;
    p = p * t + 0x1.184b04p-2f;
    p = p * t + 0x1.f1af98p-4f;
    p = p * t + 0x1.a47b5ap-3f;
    p = p * t + 0x1.af6916p-3f;
    p = p * t + 0x1.b16268p-3f;
    float tail = 0.5f * e * t * p;
    *bell = e;
    return x < 0 ? tail : 1 - tail;
}
#endif

/* f = x Phi(x), f' = Phi(x) + x phi(x). */
NS_CLONES static void gelu_erf(size_t count, ns_real *h, ns_real *g) {
    const ns_real density = (ns_real)0.39894228040143268;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        ns_real x = h[i], bell, phi = normal(x, &bell);
        g[i] = x * phi;
        h[i] = phi + x * density * bell;
    }
}

/* f = x/2 (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3). */
NS_CLONES static void gelu_tanh(size_t count, ns_real *h, ns_real *g) {
    const ns_real root = (ns_real)0.79788456080286536, cubic = (ns_real)0.044715;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        ns_real x = h[i], t = ns_rtanh(root * (x + cubic * x * x * x));
        ns_real half = (ns_real)0.5 * (1 + t);
        g[i] = x * half;
        h[i] = half + (ns_real)0.5 * x * (1 - t * t) * root * (1 + 3 * cubic * x * x);
    }
}

/* NaN stays; the slope at 0 is 0, as PyTorch has it. */
NS_CLONES static void relu(size_t count, ns_real *h, ns_real *g) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        ns_real x = h[i];
        g[i] = x < 0 ? 0 : x;
        h[i] = x > 0 ? 1 : 0;
    }
}

void ns_activate(ns_activation f, size_t count, ns_real *h, ns_real *g) {
    static void (*const functions[])(size_t, ns_real *, ns_real *) = {gelu_erf, gelu_tanh, relu};
    enum { PIECE = 4096 };
#pragma omp parallel for schedule(static) if (count > NS_WORTH_THREADS)
    for (size_t i = 0; i < count; i += PIECE)
        functions[f](count - i < PIECE ? count - i : PIECE, h + i, g + i);
}

NS_CLONES static void multiply_and_sum(size_t rows, size_t n, const ns_real *slope, ns_real *d,
                                       ns_real *sums) {
    for (size_t c = 0; c < n; c++) sums[c] = 0;
    for (size_t r = 0; r < rows; r++, d += n, slope += n) {
#pragma omp simd
        for (size_t c = 0; c < n; c++) {
            d[c] *= slope[c];
            sums[c] += d[c];
        }
    }
}

void ns_activate_back(size_t rows, size_t n, const ns_real *slope, ns_real *d, ns_real *dbias,
                      ns_real *work) {
    size_t piece = ns_piece_rows(rows), pieces = (rows + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t i = 0; i < pieces; i++) {
        size_t first = i * piece, count = rows - first < piece ? rows - first : piece;
        multiply_and_sum(count, n, slope + first * n, d + first * n, work + i * n);
    }
    ns_add_pieces(pieces, n, work, dbias);
}
