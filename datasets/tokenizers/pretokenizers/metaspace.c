/* Metaspace: spaces as a sign that can be seen, which begins each word (SentencePiece). */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/pretokenizers/pretokenizers.h"
#include "probe/base/mem.h"

enum { ALWAYS, FIRST, NEVER };

typedef struct metaspace {
    char sign[4];
    size_t size;
    int prepend;
    bool split;
} metaspace;

static int read_sign(metaspace *m, const ns_node *node) {
    const char *sign = NULL;
    int status = ns_node_text(node, "replacement", &sign, &m->size);
    if (status) return status;
    if (!sign || !m->size || m->size > 4 || ns_utf8_length(sign[0]) != m->size)
        return ns_node_refuse(node, "a replacement of one character");
    memcpy(m->sign, sign, m->size);
    return NS_OK;
}

static int open_metaspace(void **state, const ns_node *node) {
    metaspace *m = ns_calloc(1, sizeof *m, node->err);
    if (!(*state = m)) return NS_EFAIL;
    bool prefix = true;
    m->split = true;
    int status =
        ns_node_keys(node, "type|replacement|prepend_scheme|add_prefix_space|split|str_rep");
    if (!status) status = read_sign(m, node);
    if (!status) status = ns_node_word(node, "prepend_scheme", "always|first|never", &m->prepend);
    if (!status) status = ns_node_flag(node, "add_prefix_space", &prefix);
    if (!status) status = ns_node_flag(node, "split", &m->split);
    if (!status && !prefix) {
        if (json_object_get(node->json, "prepend_scheme") && m->prepend != NEVER)
            return ns_node_refuse(node, "a prepend_scheme that agrees with add_prefix_space");
        m->prepend = NEVER;
    }
    return status;
}

static bool is_sign(const metaspace *m, const ns_flow *flow, size_t at, size_t end) {
    return end - at >= m->size && !memcmp(flow->bytes + at, m->sign, m->size);
}

static int put_sign(const metaspace *m, ns_flow *out, uint32_t from, uint32_t to, ns_error *err) {
    return ns_flow_text(out, m->sign, m->size, from, to, err);
}

/* The piece with its spaces replaced, behind a sign where one is to be put first. */
static int put_piece(const metaspace *m, const ns_flow *flow, const ns_cut *piece, ns_flow *out,
                     ns_error *err) {
    size_t at = piece->begin;
    int status = NS_OK;
    bool has = flow->bytes[at] == ' ' || is_sign(m, flow, at, piece->end);
    if (!has && (m->prepend == ALWAYS || (m->prepend == FIRST && flow->from[at] == 0)))
        status = put_sign(m, out, flow->from[at], flow->to[at], err);
    while (at < piece->end && !status) {
        size_t first = at;
        while (at < piece->end && flow->bytes[at] != ' ') at++;
        status = ns_flow_copy(out, flow, first, at, err);
        if (at == piece->end || status) break;
        status = put_sign(m, out, flow->from[at], flow->to[at], err);
        at++;
    }
    return status;
}

static int rewrite(const void *state, const ns_flow *flow, const ns_cut *piece, ns_flow *out,
                   ns_cuts *cuts, ns_error *err) {
    const metaspace *m = state;
    size_t begin = out->size;
    int status = put_piece(m, flow, piece, out, err);
    for (size_t at = begin + 1; m->split && at < out->size && !status; at++) {
        if (!is_sign(m, out, at, out->size)) continue;
        status = ns_cuts_add(cuts, begin, at, -1, err);
        begin = at;
    }
    return status ? status : ns_cuts_add(cuts, begin, out->size, -1, err);
}

const ns_step_kind ns_pretokenizer_metaspace = {
    .name = "Metaspace", .open = open_metaspace, .close = free, .rewrite = rewrite};
