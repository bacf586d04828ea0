/* Text on its way to tokens: see flow.h. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/flow.h"
#include "probe/base/mem.h"

enum { REPLACEMENT = 0xfffd };

int ns_flow_reserve(ns_flow *flow, size_t more, ns_error *err) {
    if (more <= flow->room - flow->size) return NS_OK;
    size_t room = flow->size + more + flow->size / 2 + 64;
    char *bytes = ns_realloc(flow->bytes, room, 1, err);
    if (bytes) flow->bytes = bytes;
    uint32_t *from = bytes ? ns_realloc(flow->from, room, sizeof *from, err) : NULL;
    if (from) flow->from = from;
    uint32_t *to = from ? ns_realloc(flow->to, room, sizeof *to, err) : NULL;
    if (to) flow->to = to;
    if (!to) return NS_EFAIL;
    flow->room = room;
    return NS_OK;
}

void ns_flow_end(ns_flow *flow) {
    free(flow->bytes);
    free(flow->from);
    free(flow->to);
    *flow = (ns_flow){0};
}

void ns_cuts_end(ns_cuts *cuts) {
    free(cuts->at);
    *cuts = (ns_cuts){0};
}

size_t ns_utf8_put(char out[4], int32_t c) {
    if (c < 0x80) return out[0] = (char)c, 1;
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)((0xff00 >> (more + 1) & 0xff) | c >> 6 * more);
    for (int i = 1; i <= more; i++) out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    return (size_t)more + 1;
}

void ns_flow_put(ns_flow *flow, int32_t c, uint32_t from, uint32_t to) {
    char bytes[4];
    size_t n = ns_utf8_put(bytes, c);
    for (size_t i = 0; i < n; i++) ns_flow_put_byte(flow, bytes[i], from, to);
}

int32_t ns_utf8_before(const char *bytes, size_t *at) {
    do --*at;
    while (*at && (bytes[*at] & 0xc0) == 0x80);
    size_t begin = *at;
    return ns_utf8_next(bytes, &begin);
}

/* Table 3-7 of the Unicode standard: the second byte's range depends on the first; the rest are 80..BF. */
size_t ns_utf8_take(const char *bytes, size_t size, size_t at, int32_t *c) {
    const unsigned char *p = (const unsigned char *)bytes + at;
    size_t left = size - at, more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1, taken = 1;
    *c = p[0];
    if (p[0] < 0x80) return 1;
    *c = -1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 1;
    unsigned least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    int32_t value = p[0] & (0x3f >> more);
    for (; taken <= more; taken++) {
        if (taken == left || p[taken] < least || p[taken] > most) return taken;
        value = value << 6 | (p[taken] & 0x3f);
        least = 0x80;
        most = 0xbf;
    }
    *c = value;
    return taken;
}

int ns_flow_begin(ns_flow *flow, const char *text, size_t size, ns_error *err) {
    flow->size = 0;
    /* The longest outcome: every byte a U+FFFD of three; most texts need no more room than they have bytes. */
    int status = ns_flow_reserve(flow, size, err);
    for (size_t at = 0; at < size && !status;) {
        int32_t c;
        size_t n = ns_utf8_take(text, size, at, &c);
        if (flow->room - flow->size < 4) status = ns_flow_reserve(flow, size - at + 4, err);
        if (status) break;
        for (size_t i = 0; i < n && c >= 0; i++)
            ns_flow_put_byte(flow, text[at + i], (uint32_t)at, (uint32_t)(at + n));
        if (c < 0) ns_flow_put(flow, REPLACEMENT, (uint32_t)at, (uint32_t)(at + n));
        at += n;
    }
    return status;
}

int ns_flow_copy(ns_flow *flow, const ns_flow *in, size_t begin, size_t end, ns_error *err) {
    size_t n = end - begin;
    if (!n) return NS_OK;
    if (ns_flow_reserve(flow, n, err)) return NS_EFAIL;
    memcpy(flow->bytes + flow->size, in->bytes + begin, n);
    memcpy(flow->from + flow->size, in->from + begin, n * sizeof *flow->from);
    memcpy(flow->to + flow->size, in->to + begin, n * sizeof *flow->to);
    flow->size += n;
    return NS_OK;
}

int ns_flow_text(ns_flow *flow, const char *text, size_t size, uint32_t from, uint32_t to,
                 ns_error *err) {
    if (ns_flow_reserve(flow, size, err)) return NS_EFAIL;
    for (size_t i = 0; i < size; i++) ns_flow_put_byte(flow, text[i], from, to);
    return NS_OK;
}

int ns_cuts_add(ns_cuts *cuts, size_t begin, size_t end, int32_t id, ns_error *err) {
    if (begin >= end) return NS_OK;
    if (cuts->count == cuts->room) {
        size_t room = cuts->room ? 2 * cuts->room : 64;
        ns_cut *grown = ns_realloc(cuts->at, room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        cuts->at = grown;
        cuts->room = room;
    }
    cuts->at[cuts->count++] = (ns_cut){begin, end, id};
    return NS_OK;
}
