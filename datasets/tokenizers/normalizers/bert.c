/* BertNormalizer: controls out, spaces plain, Chinese characters apart, accents off, lower case. */
#include <stdlib.h>

#include "datasets/tokenizers/classes.h"
#include "datasets/tokenizers/normalizers/normalizers.h"
#include "datasets/tokenizers/unicode.h"
#include "probe/base/mem.h"

typedef struct bert {
    bool clean, chinese, accents, lower;
} bert;

static int open_bert(void **state, const ns_node *node) {
    bert *b = ns_calloc(1, sizeof *b, node->err);
    if (!(*state = b)) return NS_EFAIL;
    *b = (bert){true, true, false, true};
    int status = ns_node_keys(node, "type|clean_text|handle_chinese_chars|strip_accents|lowercase");
    if (!status) status = ns_node_flag(node, "clean_text", &b->clean);
    if (!status) status = ns_node_flag(node, "handle_chinese_chars", &b->chinese);
    if (!status) status = ns_node_flag(node, "lowercase", &b->lower);
    b->accents = b->lower; /* what null means */
    return status ? status : ns_node_flag(node, "strip_accents", &b->accents);
}

static bool is_chinese(int32_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* Characters that are not ASCII, cleaned and set apart. */
static int clean(const bert *b, const ns_flow *in, size_t begin, size_t end, ns_flow *out,
                 ns_error *err) {
    if (ns_flow_reserve(out, 3 * (end - begin), err)) return NS_EFAIL;
    for (size_t at = begin; at < end;) {
        uint32_t from = in->from[at], to = in->to[at];
        int32_t c = ns_utf8_next(in->bytes, &at);
        if (b->clean && (c == 0xfffd || ns_is_other(c))) continue;
        if (b->clean && ns_is_space(c)) c = ' ';
        bool apart = b->chinese && is_chinese(c);
        if (apart) ns_flow_put_byte(out, ' ', from, to);
        ns_flow_put(out, c, from, to);
        if (apart) ns_flow_put_byte(out, ' ', from, to);
    }
    return NS_OK;
}

/* Appends without accents: decomposed, less what is a mark then. */
static int strip(const ns_flow *in, ns_flow *parts, ns_flow *out, ns_error *err) {
    parts->size = 0;
    int status = ns_unicode_normalize(in, 0, in->size, NS_NFD, parts, err);
    if (status || (status = ns_flow_reserve(out, parts->size, err))) return status;
    for (size_t at = 0; at < parts->size;) {
        size_t from = at;
        int32_t c = ns_utf8_next(parts->bytes, &at);
        if (!ns_is_mark_nonspacing(c)) ns_flow_put(out, c, parts->from[from], parts->to[from]);
    }
    return NS_OK;
}

enum { CLEAN, PARTS, BARE, STAGES };

static int apply_other(const bert *b, const ns_flow *in, size_t begin, size_t end,
                       ns_flow stages[STAGES], ns_flow *out, ns_error *err) {
    const ns_flow *last = &stages[CLEAN];
    for (int i = 0; i < STAGES; i++) stages[i].size = 0;
    int status = clean(b, in, begin, end, &stages[CLEAN], err);
    if (b->accents && !status) {
        status = strip(&stages[CLEAN], &stages[PARTS], &stages[BARE], err);
        last = &stages[BARE];
    }
    if (status) return status;
    return b->lower ? ns_unicode_lower(last, 0, last->size, out, err)
                    : ns_flow_copy(out, last, 0, last->size, err);
}

static void put_ascii(const bert *b, const ns_flow *in, size_t at, ns_flow *out) {
    unsigned char c = (unsigned char)in->bytes[at];
    if (b->clean && (c < ' ' || c == 0x7f)) {
        if (c != '\t' && c != '\n' && c != '\r') return;
        c = ' ';
    }
    if (b->lower && c >= 'A' && c <= 'Z') c |= 32;
    ns_flow_put_byte(out, (char)c, in->from[at], in->to[at]);
}

/* Stretches of ASCII need none of the tables, and no accent behind them changes one but by going. */
static int apply(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    ns_flow stages[STAGES] = {{0}};
    int status = NS_OK;
    for (size_t at = 0; at < in->size && !status;) {
        size_t first = at;
        while (at < in->size && (unsigned char)in->bytes[at] < 0x80) at++;
        status = ns_flow_reserve(out, at - first, err);
        for (size_t i = first; i < at && !status; i++) put_ascii(state, in, i, out);
        first = at;
        while (at < in->size && (unsigned char)in->bytes[at] >= 0x80) at++;
        if (at > first && !status) status = apply_other(state, in, first, at, stages, out, err);
    }
    for (int i = 0; i < STAGES; i++) ns_flow_end(&stages[i]);
    return status;
}

const ns_step_kind ns_normalizer_bert = {
    .name = "BertNormalizer", .open = open_bert, .close = free, .apply = apply};
