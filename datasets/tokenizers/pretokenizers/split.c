/* Split: by a pattern of the file's own. */
#include <stdlib.h>

#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/pretokenizers/pretokenizers.h"
#include "datasets/tokenizers/split.h"
#include "probe/base/mem.h"

typedef struct split {
    ns_pattern *pattern;
    int behavior;
    bool invert;
} split;

static void close_split(void *state) {
    split *s = state;
    if (s) ns_pattern_close(s->pattern);
    free(s);
}

static int open_split(void **state, const ns_node *node) {
    split *s = ns_calloc(1, sizeof *s, node->err);
    if (!(*state = s)) return NS_EFAIL;
    ns_node pattern = ns_node_under(node, "pattern"), behavior = ns_node_under(node, "behavior");
    int status = ns_node_keys(node, "type|pattern|behavior|invert");
    if (!status && ns_node_empty(&behavior)) return ns_node_refuse(&behavior, NS_SPLIT_BEHAVIORS);
    if (!status) status = ns_node_word(node, "behavior", NS_SPLIT_BEHAVIORS, &s->behavior);
    if (!status) status = ns_node_flag(node, "invert", &s->invert);
    return status ? status : ns_pattern_open(&s->pattern, &pattern);
}

static int cut(const void *state, const ns_flow *flow, const ns_cut *piece, ns_cuts *cuts,
               ns_error *err) {
    const split *s = state;
    ns_split out = {.cuts = cuts, .behavior = (ns_split_behavior)s->behavior};
    ns_matches m = {.pattern = s->pattern,
                    .bytes = flow->bytes + piece->begin,
                    .size = piece->end - piece->begin};
    size_t done = 0;
    bool found = true;
    int status = NS_OK;
    while (found && !status) {
        size_t from = m.size, to = m.size;
        status = ns_matches_next(&m, &found, &from, &to, err);
        if (!found) from = to = m.size;
        if (done < from && !status)
            status = ns_split_put(&out, piece->begin + done, piece->begin + from, s->invert, err);
        if (found && !status)
            status = ns_split_put(&out, piece->begin + from, piece->begin + to, !s->invert, err);
        done = to;
    }
    ns_matches_end(&m);
    return status ? status : ns_split_end(&out, err);
}

const ns_step_kind ns_pretokenizer_split = {
    .name = "Split", .open = open_split, .close = close_split, .cut = cut};
