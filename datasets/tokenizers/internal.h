/* A tokenizer's parts, which the readers of the several forms of files put together. */
#ifndef NS_TOKENIZERS_INTERNAL_H
#define NS_TOKENIZERS_INTERNAL_H

#include "datasets/tokenizers/added.h"
#include "datasets/tokenizers/kinds.h"
#include "datasets/tokenizers/tokenizer.h"

struct ns_tokenizer {
    ns_steps normalizers, pretokenizers;
    const ns_segmenter_kind *segmenter;
    void *segmenter_state;
    ns_vocabulary *words; /* the segmenter's */
    ns_added *added;
    ns_template template;
    bool byte_level; /* words are written in the letters that stand for bytes (GPT-2) */
    int32_t size;
    int32_t roles[NS_TOKEN_ROLES];
};

/* What a tokenizer.json describes, as its keys. *out, empty but for ->words, is filled. */
int ns_tokenizer_from_json(ns_tokenizer *out, const ns_node *root);

/* Roles by name, from the texts in tokenizer_config.json or special_tokens_map.json ("pad_token"), for those that have none yet; a token
 * that is not there is passed over. And from the names that tokens with a role usually have. */
int ns_tokenizer_read_roles(ns_tokenizer *tokenizer, const ns_node *settings);
void ns_tokenizer_guess_roles(ns_tokenizer *tokenizer);

/* A new one without anything. NULL on failure. */
ns_tokenizer *ns_tokenizer_new(ns_error *err);

#endif
