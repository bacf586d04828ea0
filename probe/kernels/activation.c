/* Activations behind a linear layer, with their slopes. */
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

/* Each function gives y = f(x) and its slope f'(x), which the compiler leaves out of the loop that does not want it. */

NS_INLINE ns_real gelu_erf(ns_real x, ns_real *slope) {
    const ns_real density = (ns_real)0.39894228040143268; /* phi(0) */
    ns_real bell, phi = normal(x, &bell);
    *slope = phi + x * density * bell;
    return x * phi;
}

/* x/2 (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3). */
NS_INLINE ns_real gelu_tanh(ns_real x, ns_real *slope) {
    const ns_real root = (ns_real)0.79788456080286536, cubic = (ns_real)0.044715;
    ns_real t = ns_rtanh(root * (x + cubic * x * x * x)), half = (ns_real)0.5 * (1 + t);
    *slope = half + (ns_real)0.5 * x * (1 - t * t) * root * (1 + 3 * cubic * x * x);
    return x * half;
}

/* NaN stays; the slope at 0 is 0, as PyTorch has it. */
NS_INLINE ns_real relu(ns_real x, ns_real *slope) {
    *slope = x > 0 ? 1 : 0;
    return x < 0 ? 0 : x;
}

/* x s(kx), s the logistic function. */
NS_INLINE ns_real gated_by_itself(ns_real x, ns_real k, ns_real *slope) {
    ns_real s = 1 / (1 + ns_rexp(-k * x));
    *slope = s * (1 + k * x * (1 - s));
    return x * s;
}

NS_INLINE ns_real gelu_quick(ns_real x, ns_real *slope) {
    return gated_by_itself(x, (ns_real)1.702, slope);
}

NS_INLINE ns_real silu(ns_real x, ns_real *slope) {
    return gated_by_itself(x, 1, slope);
}

#define LOOPS(f)                                                                                   \
    NS_CLONES static void f##_values(size_t n, const ns_real *h, ns_real *y, ns_real *slope) {     \
        (void)slope;                                                                               \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++) {                                       \
            ns_real unused;                                                                        \
            y[i] = f(h[i], &unused);                                                               \
        }                                                                                          \
    }                                                                                              \
    NS_CLONES static void f##_slopes(size_t n, const ns_real *h, ns_real *y, ns_real *slope) {     \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++) {                                       \
            ns_real s, value = f(h[i], &s);                                                        \
            y[i] = value;                                                                          \
            slope[i] = s;                                                                          \
        }                                                                                          \
    }
LOOPS(gelu_erf)
LOOPS(gelu_tanh)
LOOPS(relu)
LOOPS(gelu_quick)
LOOPS(silu)

typedef void (*loop)(size_t n, const ns_real *h, ns_real *y, ns_real *slope);

static const struct {
    const char *title;
    loop values, slopes;
} functions[NS_ACTIVATIONS] = {
    [NS_GELU_ERF] = {"GELU (erf)", gelu_erf_values, gelu_erf_slopes},
    [NS_GELU_TANH] = {"GELU (tanh)", gelu_tanh_values, gelu_tanh_slopes},
    [NS_RELU] = {"ReLU", relu_values, relu_slopes},
    [NS_GELU_QUICK] = {"GELU (quick)", gelu_quick_values, gelu_quick_slopes},
    [NS_SILU] = {"SiLU", silu_values, silu_slopes}};

const char *ns_activation_title(ns_activation f) {
    return f >= 0 && f < NS_ACTIVATIONS ? functions[f].title : "none";
}

void ns_activate(ns_activation f, size_t count, const ns_real *h, ns_real *y, ns_real *slope) {
    enum { PIECE = 4096 };
    const loop run = slope ? functions[f].slopes : functions[f].values;
#pragma omp parallel for schedule(static) if (count > NS_WORTH_THREADS)
    for (size_t i = 0; i < count; i += PIECE)
        run(count - i < PIECE ? count - i : PIECE, h + i, y + i, slope ? slope + i : NULL);
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
    if (dbias) ns_add_pieces(pieces, n, work, dbias);
}
