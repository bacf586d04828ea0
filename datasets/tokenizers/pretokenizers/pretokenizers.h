/* The kinds of pre-tokenizers, a file each in this folder; the table is ../pretokenizer.c. */
#ifndef NS_TOKENIZERS_PRETOKENIZERS_H
#define NS_TOKENIZERS_PRETOKENIZERS_H

#include "datasets/tokenizers/kinds.h"

extern const ns_step_kind ns_pretokenizer_bert, ns_pretokenizer_byte_level, ns_pretokenizer_digits,
    ns_pretokenizer_metaspace, ns_pretokenizer_punctuation, ns_pretokenizer_split,
    ns_pretokenizer_whitespace, ns_pretokenizer_whitespace_split;

#endif
