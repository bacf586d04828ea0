/* Tokenizers: text to the ids that a language model takes, as the files beside its weights describe it.
 *
 * Read are Hugging Face's tokenizer.json, vocab.txt (BERT), vocab.json with merges.txt (GPT-2), and the vocabulary in a GGUF
 * file. What such a file asks for and is not known here is refused by name. One kind of a step, one file in this folder. The ids are
 * those of Hugging Face's `tokenizers`, or of llama.cpp for GGUF; scripts/oracle_tokens.py compares them.
 *
 * Bytes that are no UTF-8 are read as Python reads them with errors="replace": each maximal part of a character that could not be
 * completed, and each byte that begins none, is U+FFFD.
 *
 * What the files say of truncation and padding is left out: that is the caller's. A tokenizer does not change once it is open, so
 * several threads may use it at once. */
#ifndef NS_TOKENIZER_H
#define NS_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_t;

typedef struct ns_tokenizer ns_tokenizer;

/* Tokens of one text. The three arrays are owned: ns_tokens_free. */
typedef struct ns_tokens {
    int32_t *ids; /* [count], from 0 to below ns_tokenizer_size */
    size_t *begin,
        *end; /* [count], the bytes of the text that each stands for; both 0 for what a template adds */
    size_t count;
} ns_tokens;

/* What a token is there for. */
typedef enum ns_token_role {
    NS_TOKEN_PAD,
    NS_TOKEN_BOS,
    NS_TOKEN_EOS,
    NS_TOKEN_CLS,
    NS_TOKEN_SEP,
    NS_TOKEN_UNK,
    NS_TOKEN_MASK,
    NS_TOKEN_ROLES
} ns_token_role;

/* The tokenizer of a checkpoint's folder: its tokenizer.json, else vocab.txt, else vocab.json and merges.txt; or that file itself.
 * tokenizer_config.json and special_tokens_map.json beside it say what vocab.txt leaves open (do_lower_case) and which tokens have a
 * role. NS_EINPUT where there is none, where it is damaged, and, by name, where it asks for what is not known here. *out goes to
 * ns_tokenizer_close. */
int ns_tokenizer_open(ns_tokenizer **out, const char *path, ns_error *err);

/* Whether the folder holds a file that ns_tokenizer_open takes. */
bool ns_tokenizer_is_there(const char *folder);

/* The tokenizer in a GGUF file's metadata, a JSON object of its keys ("tokenizer.ggml.model", "tokenizer.ggml.tokens", ...). `path` is for
 * messages alone. */
int ns_tokenizer_open_gguf(ns_tokenizer **out, const struct json_t *metadata, const char *path,
                           ns_error *err);

/* NULL is passed over. */
void ns_tokenizer_close(ns_tokenizer *tokenizer);

/* Below which all ids lie: the largest one and 1. */
int32_t ns_tokenizer_size(const ns_tokenizer *tokenizer);

/* The id of the token with that role, -1 where there is none. */
int32_t ns_tokenizer_role(const ns_tokenizer *tokenizer, ns_token_role role);

/* The ids of `size` bytes of text, which may hold zeros. add_special: with what the template adds ([CLS], [SEP], <s>). *out is
 * replaced, not freed first. NS_EINPUT: a pattern ran into its limits, or a word has no token and the tokenizer no unknown one.
 * Time grows as n log n at most, and memory is some 40 bytes a byte of text; a text has at most NS_TOKENIZER_MOST bytes. */
#define NS_TOKENIZER_MOST ((size_t)1 << 30)
int ns_tokenizer_encode(const ns_tokenizer *tokenizer, const char *text, size_t size,
                        bool add_special, ns_tokens *out, ns_error *err);
void ns_tokens_free(ns_tokens *tokens);

/* The token's text for people, as UTF-8: a space where the vocabulary has Ġ or ▁, "##ing" as it is; bytes that are no whole character, and zeros,
 * as <0xE2>. NULL on failure, and without an error where no token has that id. The caller frees it. */
char *ns_tokenizer_text(const ns_tokenizer *tokenizer, int32_t id, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
