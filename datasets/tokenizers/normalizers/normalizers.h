/* The kinds of normalizers, a file each in this folder; the table is ../normalizer.c. */
#ifndef NS_TOKENIZERS_NORMALIZERS_H
#define NS_TOKENIZERS_NORMALIZERS_H

#include "datasets/tokenizers/kinds.h"

extern const ns_step_kind ns_normalizer_bert, ns_normalizer_byte_level, ns_normalizer_lowercase,
    ns_normalizer_nfc, ns_normalizer_nfd, ns_normalizer_nfkc, ns_normalizer_nfkd,
    ns_normalizer_precompiled, ns_normalizer_prepend, ns_normalizer_replace, ns_normalizer_strip,
    ns_normalizer_strip_accents;

#endif
