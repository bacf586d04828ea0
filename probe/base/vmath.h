/* exp, tanh and erf in single precision, without branches or tables, so that the compiler vectorises the loops that they
 * stand in. The rational coefficients are least-squares fits reweighted to near-equal relative error, made in double; the
 * largest errors below were measured over the floats of the range (tests/base/test_vmath.c holds them). */
#ifndef NS_VMATH_H
#define NS_VMATH_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* e^x, relative error at most 2.5e-7; x is held to [-87, 88], so the result is never 0 nor infinite. NaN gives a number:
 * callers for whom it matters look at x. */
static inline float ns_expf(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float shifted =
        x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the integer part falls into the low bits */
    float n = shifted - 12582912.0f;
    float r =
        x -
        n * 0.693145752f; /* ln 2 in two parts: the first has trailing zeros, n times it is exact */
    r = r - n * 1.42860677e-06f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)((uint32_t)(bits + 127)
                     << 23); /* the biased exponent; what is above it is shifted out */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* tanh x, relative error at most 4e-7. */
static inline float ns_tanhf(float x) {
    float c = x < -9.0f ? -9.0f : x;
    c = c > 9.0f ? 9.0f : c;
    float t = c * c;
    float p = 1.33550795e-08f;
    p = p * t + 2.06094322e-05f;
    p = p * t + 0.0034956114f;
    p = p * t + 0.13381046f;
    p = p * t + 0.99999998f;
    float q = 7.77674385e-07f;
    q = q * t + 0.000328567147f;
    q = q * t + 0.0258770729f;
    q = q * t + 0.467143616f;
    q = q * t + 1.0f;
    float y = c * p / q;
    y = y > 1.0f ? 1.0f : y;
    return y < -1.0f ? -1.0f : y;
}

/* erf x, relative error at most 4e-7. */
static inline float ns_erff(float x) {
    float c = x < -3.9f ? -3.9f : x;
    c = c > 3.9f ? 3.9f : c;
    float t = c * c;
    float p = 2.06663902e-06f;
    p = p * t + 0.000285050492f;
    p = p * t + 0.00373766548f;
    p = p * t + 0.0526659671f;
    p = p * t + 0.189650447f;
    p = p * t + 1.12837915f;
    float q = 3.82711452e-05f;
    q = q * t + 0.00115721856f;
    q = q * t + 0.014912901f;
    q = q * t + 0.113812236f;
    q = q * t + 0.501406117f;
    q = q * t + 1.0f;
    float y = c * p / q;
    y = y > 1.0f ? 1.0f : y;
    return y < -1.0f ? -1.0f : y;
}

#ifdef __cplusplus
}
#endif
#endif
