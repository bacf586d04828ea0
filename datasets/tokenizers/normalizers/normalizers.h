/* The kinds of normalizers, a file each in this folder; the table is ../normalizer.c. */
#ifndef NS_TOKENIZERS_NORMALIZERS_H
#define NS_TOKENIZERS_NORMALIZERS_H

#include "datasets/tokenizers/kinds.h"

extern const ns_step_kind ns_normalizer_bert;

#endif
