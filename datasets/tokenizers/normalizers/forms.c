/* NFD, NFC, NFKD, NFKC, Lowercase, StripAccents: no settings, a table of Unicode's each. */
#include "datasets/tokenizers/classes.h"
#include "datasets/tokenizers/normalizers/normalizers.h"
#include "datasets/tokenizers/unicode.h"

static int open_plain(void **state, const ns_node *node) {
    (void)state;
    return ns_node_keys(node, "type");
}

static int nfd(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    return ns_unicode_normalize(in, 0, in->size, NS_NFD, out, err);
}

static int nfc(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    return ns_unicode_normalize(in, 0, in->size, NS_NFC, out, err);
}

static int nfkd(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    return ns_unicode_normalize(in, 0, in->size, NS_NFKD, out, err);
}

static int nfkc(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    return ns_unicode_normalize(in, 0, in->size, NS_NFKC, out, err);
}

static int lower(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    return ns_unicode_lower(in, 0, in->size, out, err);
}

static int strip_accents(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    (void)state;
    int status = NS_OK;
    for (size_t at = 0; at < in->size && !status;) {
        size_t from = at;
        if (!ns_is_mark(ns_utf8_next(in->bytes, &at)))
            status = ns_flow_copy(out, in, from, at, err);
    }
    return status;
}

const ns_step_kind ns_normalizer_nfd = {.name = "NFD", .open = open_plain, .apply = nfd};
const ns_step_kind ns_normalizer_nfc = {.name = "NFC", .open = open_plain, .apply = nfc};
const ns_step_kind ns_normalizer_nfkd = {.name = "NFKD", .open = open_plain, .apply = nfkd};
const ns_step_kind ns_normalizer_nfkc = {.name = "NFKC", .open = open_plain, .apply = nfkc};
const ns_step_kind ns_normalizer_lowercase = {
    .name = "Lowercase", .open = open_plain, .apply = lower};
const ns_step_kind ns_normalizer_strip_accents = {
    .name = "StripAccents", .open = open_plain, .apply = strip_accents};
