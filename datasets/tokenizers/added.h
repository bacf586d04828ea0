/* Added tokens: words that are found in the text before anything else happens to it. */
#ifndef NS_TOKENIZERS_ADDED_H
#define NS_TOKENIZERS_ADDED_H

#include "datasets/tokenizers/kinds.h"

typedef struct ns_added ns_added;

/* The list "added_tokens" of a tokenizer.json; nothing where it is null. Words of the vocabulary keep their id. `normalizers` are applied
 * to those that are looked for in normalized text. The caller frees *out, also after a failure. */
int ns_added_open(ns_added **out, const ns_node *list, const ns_vocabulary *words,
                  const ns_steps *normalizers);
void ns_added_free(ns_added *added);

/* The words and their ids; borrowed. */
const ns_vocabulary *ns_added_words(const ns_added *added);

/* Cuts bytes begin..end-1 of the flow where tokens stand: those looked for in the text as it is, or in normalized text. */
int ns_added_cut(const ns_added *added, bool normalized, const ns_flow *flow, size_t begin,
                 size_t end, ns_cuts *cuts, ns_error *err);

#endif
