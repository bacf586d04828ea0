/* Text on its way to tokens: UTF-8 whose every byte knows the stretch of the original text that it comes from, and the pieces that it
 * is cut into. */
#ifndef NS_TOKENIZERS_FLOW_H
#define NS_TOKENIZERS_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

/* Zero-initialised; ns_flow_end frees what it holds. The bytes are always whole characters. */
typedef struct ns_flow {
    char *bytes;         /* [size] */
    uint32_t *from, *to; /* [size], offsets into the original text */
    size_t size, room;
} ns_flow;

/* One piece: bytes begin..end-1 of a flow. */
typedef struct ns_cut {
    size_t begin, end;
    int32_t id; /* the added token that it is, -1: text for the segmenter */
} ns_cut;

/* Zero-initialised; ns_cuts_end frees what it holds. */
typedef struct ns_cuts {
    ns_cut *at; /* [count] */
    size_t count, room;
} ns_cuts;

/* The text itself; what is no UTF-8 becomes U+FFFD. */
int ns_flow_begin(ns_flow *flow, const char *text, size_t size, ns_error *err);
void ns_flow_end(ns_flow *flow);
void ns_cuts_end(ns_cuts *cuts);

/* Room for `more` bytes, which the ns_flow_put... below take for granted. */
int ns_flow_reserve(ns_flow *flow, size_t more, ns_error *err);

/* Appends one byte of a character, or a character, that comes from bytes from..to-1. */
static inline void ns_flow_put_byte(ns_flow *flow, char byte, uint32_t from, uint32_t to) {
    flow->bytes[flow->size] = byte;
    flow->from[flow->size] = from;
    flow->to[flow->size++] = to;
}
void ns_flow_put(ns_flow *flow, int32_t c, uint32_t from, uint32_t to);

/* Appends bytes begin..end-1 of another flow; makes its own room. */
int ns_flow_copy(ns_flow *flow, const ns_flow *in, size_t begin, size_t end, ns_error *err);
/* Appends a string that comes from bytes from..to-1; makes its own room. */
int ns_flow_text(ns_flow *flow, const char *text, size_t size, uint32_t from, uint32_t to,
                 ns_error *err);

/* Appends a piece; an empty one is left out. */
int ns_cuts_add(ns_cuts *cuts, size_t begin, size_t end, int32_t id, ns_error *err);

/* The character at bytes[*at], which is moved behind it; the bytes are UTF-8. */
static inline int32_t ns_utf8_next(const char *bytes, size_t *at) {
    const unsigned char *p = (const unsigned char *)bytes + *at;
    if (p[0] < 0x80) return *at += 1, p[0];
    if (p[0] < 0xe0) return *at += 2, (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    if (p[0] < 0xf0) return *at += 3, (p[0] & 0xf) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    *at += 4;
    return (p[0] & 7) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

/* The bytes of the character that begins with that byte. */
static inline size_t ns_utf8_length(char first) {
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* The character that ends before bytes[*at], which is moved to its begin; *at > 0. */
int32_t ns_utf8_before(const char *bytes, size_t *at);

/* The character as UTF-8; how many bytes it has. */
size_t ns_utf8_put(char out[4], int32_t c);

/* How many of the bytes of a character, or of a part of one, begin at bytes[at]: what one U+FFFD stands for where *c becomes -1, and
 * the character *c otherwise. */
size_t ns_utf8_take(const char *bytes, size_t size, size_t at, int32_t *c);

#endif
