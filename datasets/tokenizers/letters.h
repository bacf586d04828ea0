/* GPT-2's letters: each byte as a character that can be seen. */
#ifndef NS_TOKENIZERS_LETTERS_H
#define NS_TOKENIZERS_LETTERS_H

#include <stdint.h>

#include "datasets/tokenizers/flow.h"

/* The letter that stands for a byte; the byte that a letter stands for, -1 where it stands for none. */
int32_t ns_letter_of(unsigned char byte);
int ns_byte_of_letter(int32_t c);

/* Appends bytes begin..end-1 of `in` as letters. */
int ns_letters(const ns_flow *in, size_t begin, size_t end, ns_flow *out, ns_error *err);

#endif
