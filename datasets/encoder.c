#include <stdlib.h>
#include <string.h>

#include "datasets/text_internal.h"
#include "datasets/tokenizers/tokenizer.h"
#include "probe/base/mem.h"

static int copy(int32_t **out, size_t *count, const int32_t *ids, size_t n, ns_error *err) {
    *count = n;
    if (!(*out = ns_calloc(n, sizeof **out, err))) return NS_EFAIL;
    if (n) memcpy(*out, ids, n * sizeof *ids);
    return NS_OK;
}

/* The template is what stands around the tokens of a text, whichever that is. */
static int find_template(ns_encoder *e, ns_error *err) {
    ns_tokens bare = {0}, whole = {0};
    int status = ns_tokenizer_encode(e->shape->tokenizer, "a", 1, false, &bare, err);
    if (!status) status = ns_tokenizer_encode(e->shape->tokenizer, "a", 1, true, &whole, err);
    size_t at = 0;
    while (!status && at + bare.count <= whole.count &&
           memcmp(whole.ids + at, bare.ids, bare.count * sizeof *bare.ids) != 0)
        at++;
    if (!status && at + bare.count > whole.count)
        status = ns_fail(err, NS_EINPUT,
                         "the tokenizer's template changes the text that it is put around");
    if (!status) status = copy(&e->before, &e->before_count, whole.ids, at, err);
    if (!status)
        status = copy(&e->behind, &e->behind_count, whole.ids + at + bare.count,
                      whole.count - at - bare.count, err);
    ns_tokens_free(&bare);
    ns_tokens_free(&whole);
    return status;
}

int ns_encoder_open(ns_encoder *e, const ns_text_shape *shape, const char *path, ns_error *err) {
    *e = (ns_encoder){.shape = shape, .classes = 256};
    if (shape->tokenizer) {
        e->classes = shape->words ? shape->words : ns_tokenizer_size(shape->tokenizer);
        return find_template(e, err);
    }
    if (shape->vocabulary && !(e->table = ns_character_table(shape->vocabulary, &e->classes, err)))
        return NS_EINPUT;
    if (!shape->words || shape->words == e->classes) return NS_OK;
    if (shape->no_tokenizer)
        return ns_fail(err, NS_EINPUT,
                       "%s: the text cannot be made the model's %d words: %s. Their ids can be "
                       "given as a .npy file [samples, words]",
                       path, shape->words, shape->no_tokenizer);
    return ns_fail(err, NS_EINPUT,
                   "%s: expected the model's %d words, found %d %s: words of several letters are "
                   "not made without a tokenizer, give their ids as a .npy file [samples, words]",
                   path, shape->words, e->classes, shape->vocabulary ? "characters" : "bytes");
}

void ns_encoder_close(ns_encoder *e) {
    free(e->table);
    free(e->before);
    free(e->behind);
    *e = (ns_encoder){0};
}

static int make_room(ns_ids *ids, size_t more, ns_error *err) {
    if (more <= ids->room - ids->count) return NS_OK;
    size_t room = ids->room + ids->room / 2 + more;
    int32_t *grown = ns_realloc(ids->items, room, sizeof *grown, err);
    if (!grown) return NS_EFAIL;
    ids->items = grown;
    ids->room = room;
    return NS_OK;
}

static int by_character(const ns_encoder *e, const unsigned char *text, size_t size, size_t begin,
                        const char *path, ns_ids *ids, ns_error *err) {
    for (size_t at = 0; at < size;) {
        size_t from = at;
        int32_t c = e->table ? ns_next_character(text, size, &at) : text[at++];
        int32_t token = c < 0 || !e->table ? c : e->table[c];
        if (c < 0) return ns_no_character(path, begin + from, err);
        if (token < 0)
            return ns_fail(err, NS_EINPUT,
                           "%s: byte %zu: expected one of the %d characters of the vocabulary, "
                           "found U+%04X",
                           path, begin + from, e->classes, (unsigned)c);
        ids->items[ids->count++] = token;
    }
    return NS_OK;
}

int ns_encode(const ns_encoder *e, const unsigned char *text, size_t size, size_t at,
              const char *path, ns_ids *ids, ns_error *err) {
    if (!e->shape->tokenizer) {
        int status = make_room(ids, size, err);
        return status ? status : by_character(e, text, size, at, path, ids, err);
    }
    ns_tokens tokens = {0};
    int status =
        ns_tokenizer_encode(e->shape->tokenizer, (const char *)text, size, false, &tokens, err);
    if (status) ns_fail_context(err, "%s: byte %zu", path, at);
    if (!status) status = make_room(ids, tokens.count, err);
    if (!status && tokens.count) {
        memcpy(ids->items + ids->count, tokens.ids, tokens.count * sizeof *tokens.ids);
        ids->count += tokens.count;
    }
    ns_tokens_free(&tokens);
    return status;
}

int ns_check_word(const ns_text_shape *shape, const char *path, int64_t sample, int64_t word,
                  int64_t id, ns_error *err) {
    bool fits = id <= INT32_MAX && (!shape->words || id < shape->words);
    if (fits && (id < 0 || !shape->row_of || shape->row_of[id] >= 0)) return NS_OK;
    char *text = shape->tokenizer && id <= INT32_MAX
                     ? ns_tokenizer_text(shape->tokenizer, (int32_t)id, NULL)
                     : NULL;
    ns_fail(err, NS_EINPUT, "%s: sample %lld, word %lld", path, (long long)sample, (long long)word);
    if (text) ns_fail_more(err, " ('%s')", text);
    free(text);
    if (fits)
        ns_fail_more(err,
                     ": expected a word that the model has an embedding of (its vocabulary is cut), "
                     "found %lld",
                     (long long)id);
    else
        ns_fail_more(err, ": expected one of the model's %d words, found %lld", shape->words,
                     (long long)id);
    return NS_EINPUT;
}
