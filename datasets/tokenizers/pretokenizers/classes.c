/* Pre-tokenizers that cut at a class of characters. */
#include <stdlib.h>

#include "datasets/tokenizers/classes.h"
#include "datasets/tokenizers/pretokenizers/pretokenizers.h"
#include "datasets/tokenizers/split.h"
#include "probe/base/mem.h"

static int open_plain(void **state, const ns_node *node) {
    (void)state;
    return ns_node_keys(node, "type");
}

/* ---- Whitespace: words of letters and digits, and what else stands between spaces ---- */

static int cut_whitespace(const void *state, const ns_flow *flow, const ns_cut *piece,
                          ns_cuts *cuts, ns_error *err) {
    enum { SPACE, WORD, SIGN };
    int status = NS_OK, last = SPACE;
    size_t begin = piece->begin;
    (void)state;
    for (size_t at = begin; at < piece->end && !status;) {
        size_t from = at;
        int32_t c = ns_utf8_next(flow->bytes, &at);
        int kind = ns_is_word(c) ? WORD : ns_is_space(c) ? SPACE : SIGN;
        if (kind == last) continue;
        if (last != SPACE) status = ns_cuts_add(cuts, begin, from, -1, err);
        begin = from;
        last = kind;
    }
    return status || last == SPACE ? status : ns_cuts_add(cuts, begin, piece->end, -1, err);
}

const ns_step_kind ns_pretokenizer_whitespace = {
    .name = "Whitespace", .open = open_plain, .cut = cut_whitespace};

/* ---- WhitespaceSplit ---- */

static int cut_spaces(const void *state, const ns_flow *flow, const ns_cut *piece, ns_cuts *cuts,
                      ns_error *err) {
    (void)state;
    return ns_split_class(ns_is_space, NS_SPLIT_REMOVED, flow, piece, cuts, err);
}

const ns_step_kind ns_pretokenizer_whitespace_split = {
    .name = "WhitespaceSplit", .open = open_plain, .cut = cut_spaces};

/* ---- Punctuation and Digits: the state is the behavior ---- */

static int open_punctuation(void **state, const ns_node *node) {
    int *behavior = ns_calloc(1, sizeof *behavior, node->err);
    if (!(*state = behavior)) return NS_EFAIL;
    *behavior = NS_SPLIT_ISOLATED;
    int status = ns_node_keys(node, "type|behavior");
    return status ? status : ns_node_word(node, "behavior", NS_SPLIT_BEHAVIORS, behavior);
}

static int cut_punctuation(const void *state, const ns_flow *flow, const ns_cut *piece,
                           ns_cuts *cuts, ns_error *err) {
    return ns_split_class(ns_is_punctuation, (ns_split_behavior) * (const int *)state, flow, piece,
                          cuts, err);
}

const ns_step_kind ns_pretokenizer_punctuation = {
    .name = "Punctuation", .open = open_punctuation, .close = free, .cut = cut_punctuation};

static int open_digits(void **state, const ns_node *node) {
    int *behavior = ns_calloc(1, sizeof *behavior, node->err);
    bool each = false;
    if (!(*state = behavior)) return NS_EFAIL;
    int status = ns_node_keys(node, "type|individual_digits");
    if (!status) status = ns_node_flag(node, "individual_digits", &each);
    *behavior = each ? NS_SPLIT_ISOLATED : NS_SPLIT_CONTIGUOUS;
    return status;
}

static int cut_digits(const void *state, const ns_flow *flow, const ns_cut *piece, ns_cuts *cuts,
                      ns_error *err) {
    return ns_split_class(ns_is_number, (ns_split_behavior) * (const int *)state, flow, piece, cuts,
                          err);
}

const ns_step_kind ns_pretokenizer_digits = {
    .name = "Digits", .open = open_digits, .close = free, .cut = cut_digits};
