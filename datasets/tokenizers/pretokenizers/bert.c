/* BertPreTokenizer: words between spaces, each sign of punctuation by itself. */
#include "datasets/tokenizers/classes.h"
#include "datasets/tokenizers/pretokenizers/pretokenizers.h"

static int open_bert(void **state, const ns_node *node) {
    (void)state;
    return ns_node_keys(node, "type");
}

static int cut(const void *state, const ns_flow *flow, const ns_cut *piece, ns_cuts *cuts,
               ns_error *err) {
    (void)state;
    int status = NS_OK;
    size_t begin = piece->begin;
    for (size_t at = begin; at < piece->end && !status;) {
        size_t from = at;
        int32_t c = ns_utf8_next(flow->bytes, &at);
        bool space = ns_is_space(c);
        if (!space && !ns_is_punctuation(c)) continue;
        status = ns_cuts_add(cuts, begin, from, -1, err);
        if (!space && !status) status = ns_cuts_add(cuts, from, at, -1, err);
        begin = at;
    }
    return status ? status : ns_cuts_add(cuts, begin, piece->end, -1, err);
}

const ns_step_kind ns_pretokenizer_bert = {
    .name = "BertPreTokenizer", .open = open_bert, .cut = cut};
