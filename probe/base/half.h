/* IEEE 754 binary16 and bfloat16 as they lie in files, converted from and to float.
 *
 * Narrowing rounds to nearest, ties to even; values beyond the range of binary16 (65504) become infinities, and NaN
 * stays NaN. Widening is exact. */
#ifndef NS_HALF_H
#define NS_HALF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One value. Plain C: the oracle in the tests for the array forms. */
float ns_f16_value(uint16_t h);
uint16_t ns_f16_from(float f);

/* `count` values; uses the F16C or AVX-512 instructions where the machine has them. The arrays do not overlap. */
void ns_f16_to_f32(float *out, const uint16_t *in, size_t count);
void ns_f32_to_f16(uint16_t *out, const float *in, size_t count);
void ns_bf16_to_f32(float *out, const uint16_t *in, size_t count);

#ifdef __cplusplus
}
#endif
#endif
