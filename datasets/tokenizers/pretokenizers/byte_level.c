/* ByteLevel: cut by GPT-2's pattern, then each byte as a letter. */
#include <stdlib.h>

#include "datasets/tokenizers/letters.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/pretokenizers/pretokenizers.h"
#include "probe/base/mem.h"

static const char gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef struct byte_level {
    bool prefix;
    ns_pattern *words; /* NULL: the piece is one word */
} byte_level;

static void close_byte_level(void *state) {
    byte_level *b = state;
    if (b) ns_pattern_close(b->words);
    free(b);
}

static int open_byte_level(void **state, const ns_node *node) {
    byte_level *b = ns_calloc(1, sizeof *b, node->err);
    bool cuts = true, trims = true;
    if (!(*state = b)) return NS_EFAIL;
    b->prefix = true;
    int status = ns_node_keys(node, "type|add_prefix_space|trim_offsets|use_regex");
    if (!status) status = ns_node_flag(node, "add_prefix_space", &b->prefix);
    if (!status) status = ns_node_flag(node, "trim_offsets", &trims);
    if (!status) status = ns_node_flag(node, "use_regex", &cuts);
    return status || !cuts ? status : ns_pattern_open_regex(&b->words, gpt2, sizeof gpt2 - 1, node);
}

/* Words of text[0..size-1], a copy of the piece with a space before it where one is to be; each goes to `out` as letters. */
static int put_words(const byte_level *b, const ns_flow *text, ns_flow *out, ns_cuts *cuts,
                     ns_error *err) {
    ns_matches m = {.pattern = b->words, .bytes = text->bytes, .size = text->size};
    int status = NS_OK;
    size_t done = 0;
    while (done < text->size && !status) {
        bool found = false;
        size_t from = text->size, to = text->size;
        if (b->words) status = ns_matches_next(&m, &found, &from, &to, err);
        if (!found) from = to = text->size;
        /* What stands between two matches is a word as well. */
        const size_t ends[2] = {from, to};
        for (int i = 0; i < 2 && !status; i++) {
            size_t begin = out->size;
            status = ns_letters(text, done, ends[i] > done ? ends[i] : done, out, err);
            if (!status) status = ns_cuts_add(cuts, begin, out->size, -1, err);
            if (ends[i] > done) done = ends[i];
        }
    }
    ns_matches_end(&m);
    return status;
}

static int rewrite(const void *state, const ns_flow *flow, const ns_cut *piece, ns_flow *out,
                   ns_cuts *cuts, ns_error *err) {
    const byte_level *b = state;
    if (!b->words && !(b->prefix && flow->bytes[piece->begin] != ' ')) {
        size_t begin = out->size;
        int status = ns_letters(flow, piece->begin, piece->end, out, err);
        return status ? status : ns_cuts_add(cuts, begin, out->size, -1, err);
    }
    if (!b->prefix || flow->bytes[piece->begin] == ' ') {
        size_t n = piece->end - piece->begin;
        const ns_flow view = {flow->bytes + piece->begin, flow->from + piece->begin,
                              flow->to + piece->begin, n, n};
        return put_words(b, &view, out, cuts, err);
    }
    ns_flow copy = {0};
    size_t at = piece->begin;
    int status = ns_flow_text(&copy, " ", 1, flow->from[at], flow->to[at], err);
    if (!status) status = ns_flow_copy(&copy, flow, at, piece->end, err);
    if (!status) status = put_words(b, &copy, out, cuts, err);
    ns_flow_end(&copy);
    return status;
}

const ns_step_kind ns_pretokenizer_byte_level = {
    .name = "ByteLevel", .open = open_byte_level, .close = close_byte_level, .rewrite = rewrite};
