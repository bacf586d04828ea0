/* exp, tanh and erf of floats, written so that a loop over them vectorises: no branch, no table, no errno.
 *
 * The polynomials are minimax fits of ours (Lawson's iteration on the weighted error); the reductions are the usual
 * ones (Cody and Waite for exp; exp(-2|x|) for tanh; exp(log erfc |x|) for erf). Errors against libm in double, in units in the
 * last place of the result: exp below 1.1, tanh 1.7, erf 1.4 (tests/base/test_vmath.c, on every 97th float,
 * holds them to these). NaN gives NaN. exp flushes results below 2^-126 to 0. */
#ifndef NS_VMATH_H
#define NS_VMATH_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Inlined into every clone of a loop, else the loop would call the plainest one. */
#if defined(__GNUC__)
#define NS_INLINE static inline __attribute__((always_inline))
#else
#define NS_INLINE static inline
#endif

NS_INLINE float ns_bits_float(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

NS_INLINE uint32_t ns_float_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln(2)/2. */
NS_INLINE float ns_expf(float x) {
    const float lowest = -0x1.5d58ap+6f;  /* just above ln 2^-126 */
    const float highest = 0x1.62e42ep+6f; /* the largest x whose exponential is finite */
    const float rounder =
        0x1.8p23f; /* adding it rounds to an integer, which its low bits then hold */
    float t = x < lowest ? lowest : x;
    t = t > highest ? highest : t;
    float shifted = t * 0x1.715476p+0f + rounder;
    float n = shifted - rounder;
    float r = (t - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
    float q = 0x1.6a23fp-10f;
    q = q * r + 0x1.123a0ap-7f;
    q = q * r + 0x1.5558f2p-5f;
    q = q * r + 0x1.555492p-3f;
    q = q * r + 0x1.fffffcp-2f;
    float e = 1.0f + (r + r * r * q);
    /* In two steps, since 2^128 is no float where e < 1. */
    int32_t k = (int32_t)(ns_float_bits(shifted) - UINT32_C(0x4b400000));
    int32_t half = k >> 1;
    e *= ns_bits_float((uint32_t)(half + 127) << 23);
    e *= ns_bits_float((uint32_t)(k - half + 127) << 23);
    e = x < lowest ? 0.0f : e;
    e = x > highest ? ns_bits_float(UINT32_C(0x7f800000)) : e;
    return x != x ? x : e;
}

NS_INLINE float ns_tanhf(float x) {
    uint32_t sign = ns_float_bits(x) & UINT32_C(0x80000000);
    float a = ns_bits_float(ns_float_bits(x) ^ sign);
    float e = ns_expf(-2.0f * a);
    float far = (1.0f - e) / (1.0f + e);
    float z = a * a;
    float p = -0x1.75e1cap-8f;
    p = p * z + 0x1.52269ap-6f;
    p = p * z - 0x1.b83c5ap-5f;
    p = p * z + 0x1.110726p-3f;
    p = p * z - 0x1.555532p-2f;
    float near = a + a * (z * p);
    float y = a < 0.625f ? near : far;
    return ns_bits_float(ns_float_bits(y) | sign);
}

NS_INLINE float ns_erff(float x) {
    uint32_t sign = ns_float_bits(x) & UINT32_C(0x80000000);
    float a = ns_bits_float(ns_float_bits(x) ^ sign);
    float z = a * a;
    float p = 0x1.496a3p-14f;
    p = p * z - 0x1.a3f7p-11f;
    p = p * z + 0x1.5405b2p-8f;
    p = p * z - 0x1.b7f90ep-6f;
    p = p * z + 0x1.ce2cf8p-4f;
    p = p * z - 0x1.81273ep-2f;
    p = p * z + 0x1.06eba8p-3f; /* 2/sqrt(pi) - 1 */
    float near = a + a * p;
    float b = a > 4.0f ? 4.0f : a; /* erf(4) is 1 as a float */
    float l = 0x1.852cdap-13f;     /* log erfc */
    l = l * b - 0x1.814c98p-9f;
    l = l * b + 0x1.654206p-6f;
    l = l * b - 0x1.a60a74p-4f;
    l = l * b - 0x1.46c586p-1f;
    l = l * b - 0x1.2085b2p+0f;
    l = l * b - 0x1.72e932p-12f;
    float far = 1.0f - ns_expf(l);
    float y = a < 1.0f ? near : far;
    return ns_bits_float(ns_float_bits(y) | sign);
}

/* GELU (Hendrycks and Gimpel, arXiv 1606.08415): x Phi(x), and the form with tanh. */
NS_INLINE float ns_gelu_erf(float x) {
    return 0.5f * x * (1.0f + ns_erff(x * 0x1.6a09e6p-1f));
}

NS_INLINE float ns_gelu_tanh(float x) {
    return 0.5f * x * (1.0f + ns_tanhf(0x1.988454p-1f * (x + 0x1.6e4e26p-5f * x * x * x)));
}

#ifdef __cplusplus
}
#endif
#endif
