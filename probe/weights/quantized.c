#include "probe/weights/quantized.h"

#include <stdint.h>
#include <string.h>

#include "probe/base/half.h"
#include "probe/base/simd.h"
#include "probe/base/vmath.h"

enum { FEW = 32, MANY = 256 }; /* values of a block, and of one of the K types */

NS_INLINE float half_at(const unsigned char *bytes) {
    return ns_f16_value((uint16_t)(bytes[0] | bytes[1] << 8));
}

/* ---- 32 values ---- */

NS_CLONES void ns_widen_q8_0(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 2 + FEW, out += FEW) {
        const float d = half_at(b);
        const unsigned char *q = b + 2;
        for (int i = 0; i < FEW; i++) out[i] = d * (float)(int8_t)q[i];
    }
}

/* 16 bytes of pairs: the low halves are the first 16 values, the high ones the others. The fifth bits, where there are any, stand in 32
 * bits of their own. */
NS_INLINE void few(const unsigned char *restrict q, const unsigned char *fifth, int less, float d,
                   float m, float *restrict out) {
    uint32_t bits = 0;
    if (fifth) memcpy(&bits, fifth, sizeof bits);
    for (int half = 0; half < 2; half++)
#pragma omp simd
        for (int i = 0; i < FEW / 2; i++) {
            int value = half ? q[i] >> 4 : q[i] & 15, at = FEW / 2 * half + i;
            if (fifth) value |= (int)(bits >> at & 1) << 4;
            out[at] = d * (float)(value - less) + m;
        }
}

/* m is -0, the one number whose sum with every other, 0 and -0 too, is that other. */
NS_CLONES void ns_widen_q4_0(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 18, out += FEW) few(b + 2, NULL, 8, half_at(b), -0.0f, out);
}

NS_CLONES void ns_widen_q4_1(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 20, out += FEW) few(b + 4, NULL, 0, half_at(b), half_at(b + 2), out);
}

NS_CLONES void ns_widen_q5_0(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 22, out += FEW) few(b + 6, b + 2, 16, half_at(b), -0.0f, out);
}

NS_CLONES void ns_widen_q5_1(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 24, out += FEW) few(b + 8, b + 4, 0, half_at(b), half_at(b + 2), out);
}

/* ---- 256 values: eight groups of 32 with 6-bit scales and least values (Q4_K, Q5_K), sixteen of 16 with 8-bit scales (Q6_K) ---- */

/* The j-th of eight scales and least values: six bits each, the first four whole, of the others the upper two in the first's bytes. */
NS_INLINE void scale_at(const unsigned char *s, int j, float *scale, float *least) {
    if (j < 4) {
        *scale = (float)(s[j] & 63);
        *least = (float)(s[j + 4] & 63);
    } else {
        *scale = (float)((s[j + 4] & 15) | s[j - 4] >> 6 << 4);
        *least = (float)(s[j + 4] >> 4 | s[j] >> 6 << 4);
    }
}

NS_INLINE void many(const unsigned char *restrict b, const unsigned char *restrict fifth,
                    const unsigned char *restrict q, float *restrict out) {
    const float d = half_at(b), least = half_at(b + 2);
    for (int pair = 0; pair < 4; pair++, q += FEW)
        for (int upper = 0; upper < 2; upper++, out += FEW) {
            const int group = 2 * pair + upper;
            float scale, m;
            scale_at(b + 4, group, &scale, &m);
            scale *= d;
            m *= least;
            for (int i = 0; i < FEW; i++) {
                int value = upper ? q[i] >> 4 : q[i] & 15;
                if (fifth) value |= (fifth[i] >> group & 1) << 4;
                out[i] = scale * (float)value - m;
            }
        }
}

NS_CLONES void ns_widen_q4_k(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 144, out += MANY) many(b, NULL, b + 16, out);
}

NS_CLONES void ns_widen_q5_k(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 176, out += MANY) many(b, b + 16, b + 48, out);
}

/* Half a block: of 128 values, 64 bytes of lower four bits and 32 bytes of upper two. */
NS_INLINE void half_of_q6_k(const unsigned char *restrict low, const unsigned char *restrict high,
                            const unsigned char *restrict scales, float d, float *restrict out) {
    for (int part = 0; part < 4; part++)
        for (int half = 0; half < 2; half++) {
            const float scale = d * (float)(int8_t)scales[2 * part + half];
            for (int i = 16 * half; i < 16 * half + 16; i++) {
                const int byte = low[i + 32 * (part & 1)];
                const int value = (part < 2 ? byte & 15 : byte >> 4) | (high[i] >> (2 * part) & 3)
                                                                           << 4;
                out[32 * part + i] = scale * (float)(value - 32);
            }
        }
}

NS_CLONES void ns_widen_q6_k(size_t blocks, const unsigned char *b, float *out) {
    for (; blocks--; b += 210, out += MANY)
        for (int half = 0; half < 2; half++)
            half_of_q6_k(b + 64 * half, b + 128 + 32 * half, b + 192 + 8 * half, half_at(b + 208),
                         out + 128 * half);
}
