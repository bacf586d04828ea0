/* Words through the segmenter; in long texts, those that came before are remembered. */
#ifndef NS_TOKENIZERS_WORDS_H
#define NS_TOKENIZERS_WORDS_H

#include "datasets/tokenizers/kinds.h"

/* segmenter, state and words are set, the rest zero; ns_words_end frees what it holds. */
typedef struct ns_words {
    const ns_segmenter_kind *segmenter;
    const void *state;
    const ns_vocabulary *words;
    ns_scratch scratch;
    struct ns_word_slot *slots; /* [a power of two], NULL at first */
    size_t seen;
} ns_words;

/* Appends the tokens of a piece; begin and end are bytes of the flow. */
int ns_words_encode(ns_words *words, const ns_flow *flow, const ns_cut *piece, ns_emitted *out,
                    ns_error *err);
void ns_words_end(ns_words *words);

#endif
