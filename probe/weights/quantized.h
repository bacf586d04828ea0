/* Widening the quantized blocks of ggml (llama.cpp), as GGUF files have them: for the table of dtype.c.
 *
 * A block of 32 or 256 values shares a scale d, a binary16, and where the type has one a least value m. Every product of a scale and a
 * small integer is exact in float, so that each value is rounded once at most, and equals that of ggml's own functions to the bit. */
#ifndef NS_QUANTIZED_H
#define NS_QUANTIZED_H

#include <stddef.h>

void ns_widen_q8_0(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q4_0(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q4_1(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q5_0(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q5_1(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q4_k(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q5_k(size_t blocks, const unsigned char *bytes, float *out);
void ns_widen_q6_k(size_t blocks, const unsigned char *bytes, float *out);

#endif
