/* Strip: spaces off the ends. */
#include <stdlib.h>

#include "datasets/tokenizers/classes.h"
#include "datasets/tokenizers/normalizers/normalizers.h"
#include "probe/base/mem.h"

typedef struct strip {
    bool left, right;
} strip;

static int open_strip(void **state, const ns_node *node) {
    strip *s = ns_calloc(1, sizeof *s, node->err);
    if (!(*state = s)) return NS_EFAIL;
    *s = (strip){true, true};
    int status = ns_node_keys(node, "type|strip_left|strip_right");
    if (!status) status = ns_node_flag(node, "strip_left", &s->left);
    return status ? status : ns_node_flag(node, "strip_right", &s->right);
}

static int apply(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    const strip *s = state;
    size_t begin = 0, end = in->size, at = 0;
    while (s->left && begin < end && ns_is_space(ns_utf8_next(in->bytes, &at))) begin = at;
    while (s->right && end > begin) {
        at = end;
        if (!ns_is_space(ns_utf8_before(in->bytes, &at))) break;
        end = at;
    }
    return ns_flow_copy(out, in, begin, end, err);
}

const ns_step_kind ns_normalizer_strip = {
    .name = "Strip", .open = open_strip, .close = free, .apply = apply};
