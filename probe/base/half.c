#include "probe/base/half.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

float ns_f16_value(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 0x3ff;
    if (exponent == 31) /* a signalling NaN turns quiet, as the instructions do it */
        return float_of(sign | 0x7f800000u | (fraction ? 0x400000u | fraction << 13 : 0));
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t ns_f16_from(float f) {
    uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000u)
        return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
    if (magnitude < 0x38800000u) {
        /* Subnormal: adding 0.5 puts the unit of binary16's last place at the last bit of the float. */
        float shifted = float_of(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000u));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfff + odd) >> 13));
}

#if defined(__x86_64__)
/* clang 14 cannot be asked for F16C itself; every processor with AVX2 has it. */
static int has_f16c(void) {
    return __builtin_cpu_supports("avx2");
}

__attribute__((target("avx,f16c"))) static void f16_to_f32_x86(float *out, const uint16_t *in,
                                                               size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(in + i))));
    for (; i < count; i++) out[i] = ns_f16_value(in[i]);
}

__attribute__((target("avx,f16c"))) static void f32_to_f16_x86(uint16_t *out, const float *in,
                                                               size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128((__m128i *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(in + i), 0));
    for (; i < count; i++) out[i] = ns_f16_from(in[i]);
}
#endif

void ns_f16_to_f32(float *out, const uint16_t *in, size_t count) {
#if defined(__x86_64__)
    if (has_f16c()) {
        f16_to_f32_x86(out, in, count);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) out[i] = ns_f16_value(in[i]);
}

void ns_f32_to_f16(uint16_t *out, const float *in, size_t count) {
#if defined(__x86_64__)
    if (has_f16c()) {
        f32_to_f16_x86(out, in, count);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) out[i] = ns_f16_from(in[i]);
}

void ns_bf16_to_f32(float *out, const uint16_t *in, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = float_of((uint32_t)in[i] << 16);
}
