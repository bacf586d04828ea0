/* Classes of characters as the tokenizers' files mean them. */
#ifndef NS_TOKENIZERS_CLASSES_H
#define NS_TOKENIZERS_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

/* Unicode's White_Space. */
bool ns_is_space(int32_t c);
/* Categories P..., and ASCII's other signs ($+<=>^`|~). */
bool ns_is_punctuation(int32_t c);
/* Category Mn; any of M. */
bool ns_is_mark_nonspacing(int32_t c);
bool ns_is_mark(int32_t c);
/* Control and format characters, private use, and what is no character at all. */
bool ns_is_other(int32_t c);
/* Any of N: digits, letters that are numbers, fractions. */
bool ns_is_number(int32_t c);
/* What \w matches: letters, marks, digits, connectors. */
bool ns_is_word(int32_t c);

#endif
