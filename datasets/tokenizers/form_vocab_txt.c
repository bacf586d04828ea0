/* vocab.txt: BERT's words, one a line, whose number is the id. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/forms.h"
#include "datasets/tokenizers/vocabulary.h"
#include "probe/base/io.h"

enum { MOST_FILE = 1 << 26 };

/* A setting of tokenizer_config.json; NS_EINPUT where it has another type. */
static int setting(const json_t *settings, const char *key, int fallback, ns_error *err) {
    const json_t *value = json_object_get(settings, key);
    if (!value || json_is_null(value)) return fallback;
    if (json_is_boolean(value)) return json_is_true(value);
    ns_fail(err, NS_EINPUT, "tokenizer_config.json: %s: expected true or false", key);
    return -1;
}

static int read_words(json_t *vocab, const char *text, size_t size, const char *path,
                      ns_error *err) {
    json_int_t id = 0;
    for (const char *at = text, *end = text + size; at < end; id++) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line ? line : end) - at);
        if (length && at[length - 1] == '\r') length--;
        if (id == NS_VOCABULARY_MOST)
            return ns_fail(err, NS_EINPUT, "%s: expected at most %d lines", path,
                           NS_VOCABULARY_MOST);
        /* Checked: a file of another kind is no UTF-8 somewhere. */
        json_t *word = json_stringn(at, length);
        int failed = !word || json_object_setn_new(vocab, at, length, json_integer(id));
        json_decref(word);
        if (failed)
            return ns_fail(err, NS_EINPUT, "%s:%lld: expected a word in UTF-8", path,
                           (long long)id + 1);
        at = line ? line + 1 : end;
    }
    return NS_OK;
}

/* The special words of BERT that the vocabulary has. */
static json_t *special_words(const json_t *vocab) {
    static const char *const names[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *id = json_object_get(vocab, names[i]);
        if (id)
            json_array_append_new(list,
                                  json_pack("{s:I, s:s, s:b, s:b}", "id", json_integer_value(id),
                                            "content", names[i], "special", 1, "normalized", 0));
    }
    return list;
}

static json_t *template_of(const json_t *vocab, const char *path, ns_error *err) {
    const json_t *cls = json_object_get(vocab, "[CLS]"), *sep = json_object_get(vocab, "[SEP]");
    if (!cls || !sep) {
        ns_fail(err, NS_EINPUT, "%s: expected the words [CLS] and [SEP] of BERT, found none", path);
        return NULL;
    }
    return json_pack("{s:s, s:[{s:{s:s}}, {s:{s:s}}, {s:{s:s}}], s:{s:{s:[I]}, s:{s:[I]}}}", "type",
                     "TemplateProcessing", "single", "SpecialToken", "id", "[CLS]", "Sequence",
                     "id", "A", "SpecialToken", "id", "[SEP]", "special_tokens", "[CLS]", "ids",
                     json_integer_value(cls), "[SEP]", "ids", json_integer_value(sep));
}

static json_t *normalizer_of(const json_t *settings, ns_error *err) {
    int lower = setting(settings, "do_lower_case", 1, err),
        chinese = setting(settings, "tokenize_chinese_chars", 1, err),
        accents = setting(settings, "strip_accents", lower, err);
    if (lower < 0 || chinese < 0 || accents < 0) return NULL;
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "BertNormalizer", "lowercase", lower,
                     "handle_chinese_chars", chinese, "strip_accents", accents);
}

int ns_form_vocab_txt(json_t **out, const char *path, const json_t *settings, ns_error *err) {
    char *text;
    size_t size;
    *out = NULL;
    int status = ns_read_text(&text, &size, path, MOST_FILE, err);
    if (status) return status;
    json_t *vocab = json_object();
    status = read_words(vocab, text, size, path, err);
    free(text);
    json_t *normalizer = status ? NULL : normalizer_of(settings, err);
    json_t *post = normalizer ? template_of(vocab, path, err) : NULL;
    if (normalizer && post)
        *out = json_pack("{s:o, s:O, s:{s:s}, s:O, s:{s:s, s:s, s:O}}", "added_tokens",
                         special_words(vocab), "normalizer", normalizer, "pre_tokenizer", "type",
                         "BertPreTokenizer", "post_processor", post, "model", "type", "WordPiece",
                         "unk_token", "[UNK]", "vocab", vocab);
    if (!status && normalizer && post && !*out) ns_fail(err, NS_EFAIL, "out of memory");
    json_decref(normalizer);
    json_decref(post);
    json_decref(vocab);
    return *out ? NS_OK : status ? status : NS_EINPUT;
}
