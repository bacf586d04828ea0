/* The vocabulary in a GGUF file's metadata, brought to what a tokenizer.json says. What stands where is llama.cpp's: its src/llama-vocab.cpp. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/gguf_patterns.h"
#include "datasets/tokenizers/internal.h"
#include "probe/base/mem.h"

#define KEY "tokenizer.ggml."

/* Types of tokens. */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4 };

typedef struct gguf {
    ns_node root; /* the metadata */
    const json_t *tokens, *types, *scores, *merges;
    json_int_t bos, eos, unknown, separator, padding, cls, mask; /* -1: not there */
    bool add_bos, add_eos, add_separator, add_prefix;
} gguf;

/* ---- what the metadata says ---- */

static int read_list(const gguf *g, const char *key, bool needed, const json_t **list) {
    ns_node node = ns_node_under(&g->root, key);
    *list = json_is_array(node.json) ? node.json : NULL;
    return *list || (!node.json && !needed) ? NS_OK : ns_node_refuse(&node, "a list");
}

static int read_lists(gguf *g) {
    int status = read_list(g, KEY "tokens", true, &g->tokens);
    if (!status) status = read_list(g, KEY "token_type", false, &g->types);
    if (!status) status = read_list(g, KEY "scores", false, &g->scores);
    if (!status) status = read_list(g, KEY "merges", false, &g->merges);
    if (status) return status;
    ns_node tokens = ns_node_under(&g->root, KEY "tokens");
    size_t count = json_array_size(g->tokens);
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(json_array_get(g->tokens, i)))
            return ns_node_refuse(&tokens, "a list of words");
    if (!count || count >= NS_VOCABULARY_MOST || (g->types && json_array_size(g->types) < count) ||
        (g->scores && json_array_size(g->scores) < count))
        return ns_node_refuse(&tokens, "as many words as types and scores");
    return NS_OK;
}

static int read_id(const gguf *g, const char *key, json_int_t fallback, json_int_t *id) {
    int64_t value = fallback;
    int status = ns_node_int(&g->root, key, 0, (int64_t)json_array_size(g->tokens) - 1, &value);
    *id = value < (int64_t)json_array_size(g->tokens) ? value : -1;
    return status;
}

/* The defaults are those of the model. */
static int read_settings(gguf *g, const char *model) {
    bool llama = !strcmp(model, "llama"), bert = !strcmp(model, "bert");
    int status = read_id(g, KEY "bos_token_id", llama ? 1 : bert ? 101 : 11, &g->bos);
    if (!status) status = read_id(g, KEY "eos_token_id", llama ? 2 : bert ? -1 : 11, &g->eos);
    if (!status)
        status = read_id(g, KEY "unknown_token_id", llama ? 0 : bert ? 100 : -1, &g->unknown);
    if (!status) status = read_id(g, KEY "seperator_token_id", bert ? 102 : -1, &g->separator);
    if (!status) status = read_id(g, KEY "padding_token_id", bert ? 0 : -1, &g->padding);
    if (!status) status = read_id(g, KEY "cls_token_id", bert ? g->bos : -1, &g->cls);
    if (!status) status = read_id(g, KEY "mask_token_id", bert ? 103 : -1, &g->mask);
    g->add_bos = llama || bert;
    g->add_separator = bert;
    g->add_prefix = llama;
    return status;
}

static int read_flags(gguf *g) {
    int status = ns_node_flag(&g->root, KEY "add_bos_token", &g->add_bos);
    if (!status) status = ns_node_flag(&g->root, KEY "add_eos_token", &g->add_eos);
    if (!status) status = ns_node_flag(&g->root, KEY "add_sep_token", &g->add_separator);
    return status ? status : ns_node_flag(&g->root, KEY "add_space_prefix", &g->add_prefix);
}

static json_int_t type_of(const gguf *g, size_t i) {
    return g->types ? json_integer_value(json_array_get(g->types, i)) : NORMAL;
}

static bool is_special(const gguf *g, size_t i) {
    json_int_t type = type_of(g, i);
    return type == UNKNOWN || type == CONTROL || type == USER_DEFINED;
}

/* ---- the description ---- */

static json_t *added_tokens(const gguf *g) {
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(g->tokens); i++)
        if (is_special(g, i))
            json_array_append_new(list, json_pack("{s:I, s:O, s:b, s:b}", "id", (json_int_t)i,
                                                  "content", json_array_get(g->tokens, i),
                                                  "special", 1, "normalized", 0));
    return list;
}

/* What the template adds: at each side an id, or none. */
static json_t *template_of(const gguf *g) {
    json_int_t first = g->add_bos ? g->cls >= 0 ? g->cls : g->bos : -1, last = g->add_separator
                                                                                   ? g->separator
                                                                               : g->add_eos ? g->eos
                                                                                            : -1;
    json_t *single = json_array(), *tokens = json_object();
    if (first >= 0)
        json_array_append_new(single, json_pack("{s:{s:s}}", "SpecialToken", "id", "<"));
    json_array_append_new(single, json_pack("{s:{s:s}}", "Sequence", "id", "A"));
    if (last >= 0) json_array_append_new(single, json_pack("{s:{s:s}}", "SpecialToken", "id", ">"));
    json_object_set_new(tokens, "<", json_pack("{s:[I]}", "ids", first));
    json_object_set_new(tokens, ">", json_pack("{s:[I]}", "ids", last));
    return json_pack("{s:s, s:o, s:o}", "type", "TemplateProcessing", "single", single,
                     "special_tokens", tokens);
}

/* Words and their ids, as BPE and WordPiece have them. */
static int words_by_id(const gguf *g, bool pieces, json_t *vocab) {
    static const char sign[] = "\xe2\x96\x81";
    ns_node tokens = ns_node_under(&g->root, KEY "tokens");
    for (size_t i = 0; i < json_array_size(g->tokens); i++) {
        const char *word = json_string_value(json_array_get(g->tokens, i));
        size_t size = json_string_length(json_array_get(g->tokens, i));
        /* Of BERT's words those that begin one are marked, not those that go on. */
        bool bracket = size > 2 && word[0] == '[' && word[size - 1] == ']';
        bool begins = size > 3 && !memcmp(word, sign, 3),
             plain = !pieces || bracket || is_special(g, i);
        char *whole = ns_asprintf(g->root.err, "%s%s", plain || begins ? "" : "##",
                                  plain || !begins ? word : word + 3);
        if (!whole) return NS_EFAIL;
        int failed =
            strlen(word) != size || json_object_set_new(vocab, whole, json_integer((json_int_t)i));
        free(whole);
        if (failed) return ns_node_refuse(&tokens, "words without zeros");
    }
    return NS_OK;
}

static json_t *words_by_score(const gguf *g) {
    json_t *vocab = json_array();
    for (size_t i = 0; i < json_array_size(g->tokens); i++)
        json_array_append_new(vocab, json_pack("[O, f]", json_array_get(g->tokens, i),
                                               json_number_value(json_array_get(g->scores, i))));
    return vocab;
}

static int describe_gpt2(const gguf *g, json_t *root) {
    ns_node pre = ns_node_under(&g->root, KEY "pre"),
            merges = ns_node_under(&g->root, KEY "merges");
    if (!g->merges) return ns_node_refuse(&merges, "a list");
    const ns_gguf_pattern *pattern = ns_gguf_pattern_of(&pre);
    if (!pattern) return NS_EINPUT;
    json_t *steps = json_array(), *vocab = json_object();
    for (size_t i = 0; i < 4 && pattern->patterns[i]; i++)
        json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split",
                                               "pattern", "Regex", pattern->patterns[i], "behavior",
                                               "Isolated", "invert", 0));
    json_array_append_new(steps, json_pack("{s:s, s:b, s:b}", "type", "ByteLevel",
                                           "add_prefix_space", g->add_prefix, "use_regex", 0));
    int status = words_by_id(g, false, vocab);
    json_object_set_new(root, "pre_tokenizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps));
    json_object_set_new(root, "decoder", json_pack("{s:s}", "type", "ByteLevel"));
    json_object_set_new(root, "model",
                        json_pack("{s:s, s:o, s:O, s:b}", "type", "BPE", "vocab", vocab, "merges",
                                  g->merges, "ignore_merges", pattern->ignore_merges));
    return status;
}

static int describe_llama(const gguf *g, json_t *root) {
    ns_node scores = ns_node_under(&g->root, KEY "scores");
    if (!g->scores) return ns_node_refuse(&scores, "a list");
    json_t *steps = json_array(),
           *model = json_pack("{s:s, s:o}", "type", "GGUF llama", "vocab", words_by_score(g));
    if (g->add_prefix)
        json_array_append_new(
            steps, json_pack("{s:s, s:s}", "type", "Prepend", "prepend", "\xe2\x96\x81"));
    json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern",
                                           "String", " ", "content", "\xe2\x96\x81"));
    json_object_set_new(root, "normalizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", steps));
    if (g->unknown >= 0) json_object_set_new(model, "unk_id", json_integer(g->unknown));
    json_object_set_new(root, "model", model);
    return NS_OK;
}

static int describe_bert(const gguf *g, json_t *root) {
    bool lower = true;
    int status = ns_node_flag(&g->root, KEY "normalizer.lowercase", &lower);
    bool accents = lower;
    if (!status) status = ns_node_flag(&g->root, KEY "normalizer.strip_accents", &accents);
    json_t *vocab = json_object();
    json_t *model = json_pack("{s:s, s:o}", "type", "WordPiece", "vocab", vocab);
    if (!status) status = words_by_id(g, true, vocab);
    if (g->unknown >= 0)
        json_object_set(model, "unk_token", json_array_get(g->tokens, (size_t)g->unknown));
    json_object_set_new(root, "model", model);
    json_object_set_new(root, "normalizer",
                        json_pack("{s:s, s:b, s:b}", "type", "BertNormalizer", "lowercase", lower,
                                  "strip_accents", accents));
    json_object_set_new(root, "pre_tokenizer", json_pack("{s:s}", "type", "BertPreTokenizer"));
    return status;
}

static const struct {
    const char *model;
    int (*describe)(const gguf *g, json_t *root);
} models[] = {{"gpt2", describe_gpt2}, {"llama", describe_llama}, {"bert", describe_bert}};
enum { MODELS = sizeof models / sizeof *models };

static int read_all(gguf *g, json_t *root) {
    ns_node model = ns_node_under(&g->root, KEY "model");
    const char *name = json_string_value(model.json);
    size_t k = 0;
    while (k < MODELS && (!name || strcmp(name, models[k].model) != 0)) k++;
    if (k == MODELS) return ns_node_refuse(&model, "one of gpt2, llama, bert");
    int status = read_lists(g);
    if (!status) status = read_settings(g, name);
    if (!status && k == 0) {
        ns_node pre = ns_node_under(&g->root, KEY "pre");
        const ns_gguf_pattern *pattern = ns_gguf_pattern_of(&pre);
        if (!pattern) return NS_EINPUT;
        g->add_bos = pattern->add_bos;
        g->add_separator = pattern->add_separator;
    }
    if (!status) status = read_flags(g);
    if (!status) status = models[k].describe(g, root);
    json_object_set_new(root, "added_tokens", added_tokens(g));
    json_object_set_new(root, "post_processor", template_of(g));
    return status;
}

int ns_tokenizer_open_gguf(ns_tokenizer **out, const json_t *metadata, const char *path,
                           ns_error *err) {
    gguf g = {.root = {metadata, path, "", err}};
    json_t *root = json_object();
    ns_tokenizer *t = ns_tokenizer_new(err);
    *out = NULL;
    int status = t && root ? read_all(&g, root) : NS_EFAIL;
    if (!status) status = ns_tokenizer_from_json(t, &(ns_node){root, path, "", err});
    json_decref(root);
    if (status) {
        ns_tokenizer_close(t);
        ns_fail_context(err, "%s", path);
        return status;
    }
    const json_int_t roles[NS_TOKEN_ROLES] = {
        [NS_TOKEN_PAD] = g.padding, [NS_TOKEN_BOS] = g.bos,       [NS_TOKEN_EOS] = g.eos,
        [NS_TOKEN_CLS] = g.cls,     [NS_TOKEN_SEP] = g.separator, [NS_TOKEN_UNK] = g.unknown,
        [NS_TOKEN_MASK] = g.mask};
    for (int i = 0; i < NS_TOKEN_ROLES; i++) t->roles[i] = (int32_t)roles[i];
    *out = t;
    return NS_OK;
}
