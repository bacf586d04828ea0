/* Replace: each match of a pattern by a text; and Prepend: a text before all that is not empty. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/normalizers/normalizers.h"
#include "datasets/tokenizers/pattern.h"
#include "probe/base/mem.h"

typedef struct replace {
    ns_pattern *pattern; /* NULL: Prepend */
    char *content;
    size_t size;
} replace;

static void close_replace(void *state) {
    replace *r = state;
    if (!r) return;
    ns_pattern_close(r->pattern);
    free(r->content);
    free(r);
}

static int open_text(void **state, const ns_node *node, const char *key) {
    replace *r = ns_calloc(1, sizeof *r, node->err);
    const char *text = NULL;
    if (!(*state = r)) return NS_EFAIL;
    int status = ns_node_text(node, key, &text, &r->size);
    if (status) return status;
    if (!text) return ns_node_refuse(node, "a text to put");
    if (!(r->content = ns_calloc(r->size + 1, 1, node->err))) return NS_EFAIL;
    memcpy(r->content, text, r->size);
    return NS_OK;
}

static int open_replace(void **state, const ns_node *node) {
    ns_node pattern = ns_node_under(node, "pattern");
    int status = ns_node_keys(node, "type|pattern|content");
    if (!status) status = open_text(state, node, "content");
    return status ? status : ns_pattern_open(&((replace *)*state)->pattern, &pattern);
}

static int apply_replace(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    const replace *r = state;
    ns_matches m = {.pattern = r->pattern, .bytes = in->bytes, .size = in->size};
    size_t done = 0;
    bool found = in->size;
    int status = NS_OK;
    while (found && !status) {
        size_t from = in->size, to = in->size;
        status = ns_matches_next(&m, &found, &from, &to, err);
        if (!found) from = to = in->size;
        if (!status) status = ns_flow_copy(out, in, done, from, err);
        done = to;
        if (!found || status) break;
        /* It comes from what it was put for. */
        size_t last = to ? to - 1 : 0, first = from < to ? from : last;
        status = ns_flow_text(out, r->content, r->size, in->from[first], in->to[last], err);
    }
    ns_matches_end(&m);
    return status;
}

const ns_step_kind ns_normalizer_replace = {
    .name = "Replace", .open = open_replace, .close = close_replace, .apply = apply_replace};

static int open_prepend(void **state, const ns_node *node) {
    int status = ns_node_keys(node, "type|prepend");
    return status ? status : open_text(state, node, "prepend");
}

static int apply_prepend(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    const replace *r = state;
    if (!in->size) return NS_OK;
    int status = ns_flow_text(out, r->content, r->size, in->from[0], in->to[0], err);
    return status ? status : ns_flow_copy(out, in, 0, in->size, err);
}

const ns_step_kind ns_normalizer_prepend = {
    .name = "Prepend", .open = open_prepend, .close = close_replace, .apply = apply_prepend};
