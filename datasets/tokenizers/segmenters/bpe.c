/* BPE: characters (or the letters that stand for bytes), of which neighbours are merged in the order of the file's list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/merge.h"
#include "datasets/tokenizers/segmenters/segmenters.h"
#include "probe/base/mem.h"

typedef struct rule {
    int32_t left, right; /* -1: an empty place */
    uint32_t rank;
    int32_t id;
} rule;

typedef struct bpe {
    rule *rules; /* [mask + 1] */
    size_t mask;
    int32_t bytes[256];   /* the ids of "<0x00>" and so on, where byte_fallback is set; else -1 */
    int32_t letters[128]; /* of ASCII */
    bool fallback, fuse, ignore_merges, has_unknown;
    int32_t unknown;
    const char *prefix, *suffix; /* of what goes on, and of what ends a word; owned, NULL: none */
    size_t prefix_size, suffix_size;
} bpe;

static void close_bpe(void *state) {
    bpe *b = state;
    if (!b) return;
    free(b->rules);
    free((void *)b->prefix);
    free((void *)b->suffix);
    free(b);
}

/* ---- the file ---- */

static size_t slot_of(const bpe *b, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t slot = (size_t)ns_mix(key * 0x9e3779b97f4a7c15u) & b->mask;
    while (b->rules[slot].left >= 0 &&
           (b->rules[slot].left != left || b->rules[slot].right != right))
        slot = (slot + 1) & b->mask;
    return slot;
}

/* The two words of a merge: "a b", or ["a", "b"]. */
static bool halves(const json_t *merge, const char *words[2], size_t sizes[2]) {
    if (json_is_array(merge)) {
        for (size_t i = 0; i < 2; i++) {
            const json_t *half = json_array_get(merge, i);
            words[i] = json_string_value(half);
            sizes[i] = json_string_length(half);
        }
        return json_array_size(merge) == 2 && words[0] && words[1];
    }
    const char *text = json_string_value(merge);
    size_t size = json_string_length(merge);
    const char *space = text ? memchr(text, ' ', size) : NULL;
    if (!space) return false;
    words[0] = text;
    sizes[0] = (size_t)(space - text);
    words[1] = space + 1;
    sizes[1] = size - sizes[0] - 1;
    return !memchr(words[1], ' ', sizes[1]);
}

static int add_rule(bpe *b, const ns_node *merge, uint32_t rank, const ns_vocabulary *words,
                    char *both) {
    const char *word[2];
    size_t size[2];
    if (!halves(merge->json, word, size)) return ns_node_refuse(merge, "two words");
    int32_t left = ns_vocabulary_find(words, word[0], size[0]),
            right = ns_vocabulary_find(words, word[1], size[1]);
    size_t skipped = b->prefix_size <= size[1] ? b->prefix_size : size[1];
    memcpy(both, word[0], size[0]);
    memcpy(both + size[0], word[1] + skipped, size[1] - skipped);
    int32_t id = ns_vocabulary_find(words, both, size[0] + size[1] - skipped);
    if (left < 0 || right < 0 || id < 0)
        return ns_node_refuse(merge, "words of the vocabulary that make one of it");
    rule *r = &b->rules[slot_of(b, left, right)];
    *r = (rule){left, right, rank, id}; /* of one that stands twice the last counts */
    return NS_OK;
}

static int read_rules(bpe *b, const ns_node *node, const ns_vocabulary *words) {
    ns_node merges = ns_node_under(node, "merges");
    if (!json_is_array(merges.json)) return ns_node_refuse(&merges, "a list");
    size_t count = json_array_size(merges.json), slots = 64, longest = 0;
    uint32_t rank = 0;
    while (slots < 2 * count) slots *= 2;
    for (size_t i = 0; i < count; i++) {
        const json_t *m = json_array_get(merges.json, i);
        size_t size = json_string_length(m);
        if (json_is_array(m))
            size =
                json_string_length(json_array_get(m, 0)) + json_string_length(json_array_get(m, 1));
        if (size > longest) longest = size;
    }
    b->mask = slots - 1;
    b->rules = ns_calloc(slots, sizeof *b->rules, node->err);
    char *both = ns_calloc(longest + 1, 1, node->err);
    int status = b->rules && both ? NS_OK : NS_EFAIL;
    for (size_t i = 0; i < slots && !status; i++) b->rules[i].left = -1;
    for (size_t i = 0; i < count && !status; i++) {
        const char *text = json_string_value(json_array_get(merges.json, i));
        ns_node merge = {json_array_get(merges.json, i), node->file, "model: merges", node->err};
        if (text && !strncmp(text, "#version", 8)) continue;
        status = add_rule(b, &merge, rank++, words, both);
    }
    free(both);
    return status;
}

static int read_affix(const ns_node *node, const char *key, const char **affix, size_t *size) {
    const char *text = NULL;
    int status = ns_node_text(node, key, &text, size);
    if (status || !text || !*size) return status;
    char *copy = ns_calloc(*size + 1, 1, node->err);
    if (!copy) return NS_EFAIL;
    memcpy(copy, text, *size);
    *affix = copy;
    return NS_OK;
}

static int read_unknown(bpe *b, const ns_node *node, const ns_vocabulary *words) {
    ns_node unknown = ns_node_under(node, "unk_token");
    b->has_unknown = !ns_node_empty(&unknown);
    int status = ns_segmenter_word(node, "unk_token", words, &b->unknown);
    return status || !b->has_unknown || b->unknown >= 0
               ? status
               : ns_node_refuse(&unknown, "a word of the vocabulary");
}

static int check_dropout(const ns_node *node) {
    ns_node dropout = ns_node_under(node, "dropout");
    if (ns_node_empty(&dropout)) return NS_OK;
    return json_is_number(dropout.json) && json_number_value(dropout.json) == 0
               ? NS_OK
               : ns_node_refuse(&dropout, "null: ids are not drawn by lot");
}

static void find_bytes(bpe *b, const ns_vocabulary *words) {
    for (int i = 0; i < 256; i++) {
        char name[8];
        int size = snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        b->bytes[i] = b->fallback ? ns_vocabulary_find(words, name, (size_t)size) : -1;
        name[0] = (char)i;
        if (i < 128) b->letters[i] = ns_vocabulary_find(words, name, 1);
    }
}

static int open_bpe(void **state, const ns_node *node, ns_vocabulary *words) {
    bpe *b = ns_calloc(1, sizeof *b, node->err);
    if (!(*state = b)) return NS_EFAIL;
    int status = ns_node_keys(node, "type|dropout|unk_token|continuing_subword_prefix|"
                                    "end_of_word_suffix|fuse_unk|byte_fallback|ignore_merges|"
                                    "vocab|merges");
    if (!status) status = ns_segmenter_words(node, words);
    if (!status) status = check_dropout(node);
    if (!status) status = read_unknown(b, node, words);
    if (!status) status = ns_node_flag(node, "fuse_unk", &b->fuse);
    if (!status) status = ns_node_flag(node, "byte_fallback", &b->fallback);
    if (!status) status = ns_node_flag(node, "ignore_merges", &b->ignore_merges);
    if (!status)
        status = read_affix(node, "continuing_subword_prefix", &b->prefix, &b->prefix_size);
    if (!status) status = read_affix(node, "end_of_word_suffix", &b->suffix, &b->suffix_size);
    find_bytes(b, words);
    return status ? status : read_rules(b, node, words);
}

/* ---- words ---- */

static bool find(const void *user, const char *word, const ns_symbol *left, const ns_symbol *right,
                 uint32_t *rank, int32_t *id) {
    const bpe *b = user;
    const rule *r = &b->rules[slot_of(b, left->id, right->id)];
    (void)word;
    if (r->left < 0) return false;
    *rank = r->rank;
    *id = r->id;
    return true;
}

/* The id of the character at word[at], with what the file puts around it; -1 where it has none. */
static int32_t id_of(const bpe *b, const ns_vocabulary *words, const char *word, size_t size,
                     size_t at, size_t length) {
    const char *before = at && b->prefix ? b->prefix : "",
               *after = at + length == size && b->suffix ? b->suffix : "";
    if (!*before && !*after)
        return length == 1 ? b->letters[(unsigned char)word[at]]
                           : ns_vocabulary_find(words, word + at, length);
    char whole[600];
    size_t n = *before ? b->prefix_size : 0, m = *after ? b->suffix_size : 0;
    if (n + length + m > sizeof whole) return -1;
    memcpy(whole, before, n);
    memcpy(whole + n, word + at, length);
    memcpy(whole + n + length, after, m);
    return ns_vocabulary_find(words, whole, n + length + m);
}

static void add(ns_symbol *symbols, size_t *count, size_t begin, size_t size, int32_t id) {
    symbols[*count] =
        (ns_symbol){(uint32_t)begin, (uint32_t)size, id, (int32_t)*count - 1, (int32_t)*count + 1};
    ++*count;
}

static bool has_bytes(const bpe *b, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (b->bytes[(unsigned char)bytes[i]] < 0) return false;
    return b->fallback;
}

/* The word's characters as symbols; how many. As in Hugging Face's package, an unknown character that waits to be joined with a next one
 * comes behind the bytes that stand for others in between, and one without any token is left out. */
static size_t characters(const bpe *b, const ns_vocabulary *words, const char *word, size_t size,
                         ns_symbol *symbols) {
    size_t count = 0, waiting = 0, from = 0; /* `waiting` bytes from `from` on are unknown */
    for (size_t at = 0, n; at < size; at += n) {
        n = ns_utf8_length(word[at]);
        int32_t id = id_of(b, words, word, size, at, n);
        if (id >= 0) {
            if (waiting) add(symbols, &count, from, waiting, b->unknown);
            waiting = 0;
            add(symbols, &count, at, n, id);
        } else if (has_bytes(b, word + at, n)) {
            for (size_t i = 0; i < n; i++)
                add(symbols, &count, at + i, 1, b->bytes[(unsigned char)word[at + i]]);
        } else if (b->has_unknown) {
            if (waiting && !b->fuse) add(symbols, &count, from, waiting, b->unknown);
            if (!waiting || !b->fuse) {
                from = at;
                waiting = 0;
            }
            waiting += n;
        }
    }
    if (waiting) add(symbols, &count, from, waiting, b->unknown);
    if (count) symbols[count - 1].next = -1;
    return count;
}

static int encode(const void *state, const ns_vocabulary *words, const char *word, size_t size,
                  ns_scratch *scratch, ns_emitted *out, ns_error *err) {
    const bpe *b = state;
    if (b->ignore_merges) {
        int32_t whole = ns_vocabulary_find(words, word, size);
        if (whole >= 0) return ns_emit(out, whole, 0, size, err);
    }
    ns_symbol *symbols = ns_scratch_room(scratch, 0, size, sizeof *symbols, err);
    if (!symbols) return NS_EFAIL;
    size_t count = characters(b, words, word, size, symbols);
    int status = ns_merge(symbols, count, word, find, b, scratch, err);
    for (int32_t i = count ? 0 : -1; i >= 0 && !status; i = symbols[i].next)
        status = ns_emit(out, symbols[i].id, symbols[i].begin,
                         (size_t)symbols[i].begin + symbols[i].size, err);
    return status;
}

const ns_segmenter_kind ns_segmenter_bpe = {
    .name = "BPE", .open = open_bpe, .close = close_bpe, .encode = encode};
