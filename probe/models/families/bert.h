/* What BERT's family, RoBERTa's and DistilBERT's have in common: an encoder, post-LN, and the head that guesses masked words, as far as its
 * norm. Poolers and other heads come behind all sites and are left out. */
#ifndef NS_FAMILIES_BERT_H
#define NS_FAMILIES_BERT_H

#include "probe/models/reading.h"

typedef struct ns_bert_kind {
    const char *title;
    bool typed;      /* there are token types */
    bool counted;    /* positions are counted from the padding's word on: see ns_word_rows */
    int32_t padding; /* the padding's word where config.json does not say; below 0: none */
    ns_activation transformed; /* of the head; NS_NO_ACTIVATION: that of the blocks */
    const char *no_effect;     /* keys of config.json that change nothing here */
} ns_bert_kind;

int ns_bert_open(ns_reading *reading, const ns_bert_kind *kind);

#endif
