/* ByteLevel as a normalizer: each byte as a letter. */
#include "datasets/tokenizers/letters.h"
#include "datasets/tokenizers/normalizers/normalizers.h"

static int open_byte_level(void **state, const ns_node *node) {
    (void)state;
    return ns_node_keys(node, "type");
}

static int apply(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    return ns_letters(in, 0, in->size, out, err);
}

const ns_step_kind ns_normalizer_byte_level = {
    .name = "ByteLevel", .open = open_byte_level, .apply = apply};
