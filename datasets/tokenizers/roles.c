/* Which tokens have a role, and the text of a token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/internal.h"
#include "datasets/tokenizers/letters.h"
#include "probe/base/mem.h"

/* By role: the key in tokenizer_config.json, and names that files without that use, most telling first. */
static const struct {
    const char *key;
    const char *names[4];
} roles[NS_TOKEN_ROLES] = {
    [NS_TOKEN_PAD] = {"pad_token", {"[PAD]", "<pad>", "<|padding|>"}},
    [NS_TOKEN_BOS] = {"bos_token", {"<s>", "<bos>", "<|begin_of_text|>"}},
    [NS_TOKEN_EOS] = {"eos_token", {"</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>"}},
    [NS_TOKEN_CLS] = {"cls_token", {"[CLS]"}},
    [NS_TOKEN_SEP] = {"sep_token", {"[SEP]"}},
    [NS_TOKEN_UNK] = {"unk_token", {"[UNK]", "<unk>"}},
    [NS_TOKEN_MASK] = {"mask_token", {"[MASK]", "<mask>"}}};

static int32_t find(const ns_tokenizer *t, const char *word, size_t size) {
    int32_t id = ns_vocabulary_find(ns_added_words(t->added), word, size);
    return id >= 0 ? id : ns_vocabulary_find(t->words, word, size);
}

int ns_tokenizer_read_roles(ns_tokenizer *t, const ns_node *settings) {
    for (int i = 0; i < NS_TOKEN_ROLES; i++) {
        ns_node role = ns_node_under(settings, roles[i].key);
        const json_t *word =
            json_is_object(role.json) ? json_object_get(role.json, "content") : role.json;
        if (ns_node_empty(&role) || t->roles[i] >= 0) continue;
        if (!json_is_string(word)) return ns_node_refuse(&role, "a token");
        t->roles[i] = find(t, json_string_value(word), json_string_length(word));
    }
    return NS_OK;
}

void ns_tokenizer_guess_roles(ns_tokenizer *t) {
    for (int i = 0; i < NS_TOKEN_ROLES; i++)
        for (size_t k = 0; k < 4 && roles[i].names[k] && t->roles[i] < 0; k++)
            t->roles[i] = find(t, roles[i].names[k], strlen(roles[i].names[k]));
}

/* ---- a token's text ---- */

/* The bytes that a word stands for, into `out`, which has room for all of the word's; how many. */
static size_t bytes_of(const ns_tokenizer *t, bool added, const char *word, size_t size,
                       char *out) {
    static const char space[] = "\xe2\x96\x81";
    size_t n = 0;
    for (size_t at = 0; at < size;) {
        size_t from = at;
        int32_t c = ns_utf8_next(word, &at);
        int byte = t->byte_level && !added ? ns_byte_of_letter(c) : -1;
        if (byte >= 0)
            out[n++] = (char)byte;
        else if (!t->byte_level && !added && at - from == 3 && !memcmp(word + from, space, 3))
            out[n++] = ' ';
        else
            for (; from < at; from++) out[n++] = word[from];
    }
    return n;
}

char *ns_tokenizer_text(const ns_tokenizer *t, int32_t id, ns_error *err) {
    size_t size, n = 0;
    const char *word = ns_vocabulary_word(ns_added_words(t->added), id, &size);
    bool added = word;
    if (!word) word = ns_vocabulary_word(t->words, id, &size);
    if (!word) return NULL;
    char *bytes = ns_calloc(size + 1, 1, err), *text = ns_calloc(6 * size + 1, 1, err);
    size_t count = bytes && text ? bytes_of(t, added, word, size, bytes) : 0;
    for (size_t at = 0; at < count;) {
        int32_t c;
        size_t taken = ns_utf8_take(bytes, count, at, &c);
        for (size_t i = 0; i < taken; i++)
            if (c > 0)
                text[n++] = bytes[at + i];
            else
                n += (size_t)sprintf(text + n, "<0x%02X>", (unsigned char)bytes[at + i]);
        at += taken;
    }
    free(bytes);
    return text;
}
