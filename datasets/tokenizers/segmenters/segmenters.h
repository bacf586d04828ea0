/* The kinds of segmenters (the "model" of a tokenizer.json), a file each in this folder; the table is ../segmenter.c. */
#ifndef NS_TOKENIZERS_SEGMENTERS_H
#define NS_TOKENIZERS_SEGMENTERS_H

#include "datasets/tokenizers/kinds.h"

extern const ns_segmenter_kind ns_segmenter_bpe, ns_segmenter_wordpiece, ns_segmenter_unigram,
    ns_segmenter_wordlevel, ns_segmenter_spm;

/* Reads "vocab", an object of words and their ids, into `words`. */
int ns_segmenter_words(const ns_node *model, ns_vocabulary *words);

/* The id of the word under a key ("unk_token"), -1 where the key is absent, null or names no word. */
int ns_segmenter_word(const ns_node *model, const char *key, const ns_vocabulary *words,
                      int32_t *id);

#endif
