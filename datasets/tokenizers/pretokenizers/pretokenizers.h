/* The kinds of pre-tokenizers, a file each in this folder; the table is ../pretokenizer.c. */
#ifndef NS_TOKENIZERS_PRETOKENIZERS_H
#define NS_TOKENIZERS_PRETOKENIZERS_H

#include "datasets/tokenizers/kinds.h"

extern const ns_step_kind ns_pretokenizer_bert;

#endif
