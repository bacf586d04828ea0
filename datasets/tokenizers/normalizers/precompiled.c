/* Precompiled: SentencePiece's map of characters, a double array of the texts that are replaced and a block of what replaces them. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "datasets/tokenizers/normalizers/normalizers.h"
#include "probe/base/mem.h"

typedef struct charsmap {
    unsigned char *bytes; /* as it was decoded */
    size_t units;         /* of the double array, which begins at byte 4 */
    const char *texts;    /* [texts_size], each closed by a zero, UTF-8; the last too */
    size_t texts_size;
} charsmap;

static void close_charsmap(void *state) {
    charsmap *m = state;
    if (m) free(m->bytes);
    free(m);
}

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 into `out`, which has room for 3 bytes of 4 letters; how many bytes, or SIZE_MAX where it is none. */
static size_t decode(const char *text, size_t size, unsigned char *out) {
    size_t n = 0;
    uint32_t bits = 0;
    int held = 0;
    while (size && text[size - 1] == '=') size--;
    for (size_t i = 0; i < size; i++) {
        int d = digit(text[i]);
        if (d < 0) return SIZE_MAX;
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out[n++] = (unsigned char)(bits >> held);
    }
    return n;
}

static uint32_t word_at(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static bool is_utf8(const char *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        int32_t c;
        at += ns_utf8_take(bytes, size, at, &c);
        if (c < 0) return false;
    }
    return true;
}

static int open_charsmap(void **state, const ns_node *node) {
    charsmap *m = ns_calloc(1, sizeof *m, node->err);
    ns_node map = ns_node_under(node, "precompiled_charsmap");
    if (!(*state = m)) return NS_EFAIL;
    int status = ns_node_keys(node, "type|precompiled_charsmap");
    const char *text = NULL;
    size_t size = 0;
    if (!status) status = ns_node_text(node, "precompiled_charsmap", &text, &size);
    if (status) return status;
    if (!text) return NS_OK; /* nothing is replaced */
    if (!(m->bytes = ns_calloc(size / 4 * 3 + 8, 1, node->err))) return NS_EFAIL;
    size_t got = decode(text, size, m->bytes);
    uint32_t trie = got != SIZE_MAX && got >= 4 ? word_at(m->bytes) : 0;
    if (got == SIZE_MAX || got < 4 || trie % 4 || trie > got - 4)
        return ns_node_refuse(&map, "a map of characters in base64");
    m->units = trie / 4;
    m->texts = (const char *)m->bytes + 4 + trie;
    m->texts_size = got - 4 - trie;
    if (!is_utf8(m->texts, m->texts_size))
        return ns_node_refuse(&map, "a map of characters whose texts are UTF-8");
    return NS_OK;
}

/* What the shortest beginning of text[0..size-1] in the map is replaced by, NULL where none is: of the whole stretch, as SentencePiece's
 * port has it. A walk out of the array finds nothing. */
static const char *replacement(const charsmap *m, const char *text, size_t size, size_t *length) {
    if (!m->units) return NULL;
    const unsigned char *units = m->bytes + 4;
    uint32_t unit = word_at(units);
    size_t node = (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
    for (size_t i = 0; i < size && text[i]; i++) {
        node ^= (unsigned char)text[i];
        if (node >= m->units) return NULL;
        unit = word_at(units + 4 * node);
        if ((unit & (1u << 31 | 0xff)) != (unsigned char)text[i]) return NULL;
        node ^= (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
        if (!(unit >> 8 & 1)) continue;
        if (node >= m->units) return NULL;
        size_t at = word_at(units + 4 * node) & ((1u << 31) - 1);
        if (at >= m->texts_size || ((unsigned char)m->texts[at] & 0xc0) == 0x80) return NULL;
        const char *end = memchr(m->texts + at, 0, m->texts_size - at);
        *length = end ? (size_t)(end - m->texts) - at : m->texts_size - at;
        return m->texts + at;
    }
    return NULL;
}

static int put(const charsmap *m, const ns_flow *in, size_t begin, size_t end, bool keep,
               bool *done, ns_flow *out, ns_error *err) {
    size_t length = 0;
    const char *text = replacement(m, in->bytes + begin, end - begin, &length);
    *done = text || keep;
    if (text) return ns_flow_text(out, text, length, in->from[begin], in->to[end - 1], err);
    return keep ? ns_flow_copy(out, in, begin, end, err) : NS_OK;
}

/* One grapheme: as a whole where it is short, else character by character. */
static int put_grapheme(const charsmap *m, const ns_flow *in, size_t begin, size_t end,
                        ns_flow *out, ns_error *err) {
    bool done = false;
    int status = NS_OK;
    if (end - begin < 6) status = put(m, in, begin, end, false, &done, out, err);
    for (size_t at = begin; at < end && !done && !status;) {
        size_t from = at;
        bool each;
        ns_utf8_next(in->bytes, &at);
        status = put(m, in, from, at, true, &each, out, err);
    }
    return status;
}

static int apply(const void *state, const ns_flow *in, ns_flow *out, ns_error *err) {
    size_t begin = 0;
    utf8proc_int32_t breaks = 0, last = -1;
    int status = NS_OK;
    for (size_t at = 0; at < in->size && !status;) {
        size_t from = at;
        int32_t c = ns_utf8_next(in->bytes, &at);
        if (last >= 0 && utf8proc_grapheme_break_stateful(last, c, &breaks)) {
            status = put_grapheme(state, in, begin, from, out, err);
            begin = from;
        }
        last = c;
    }
    return status || begin == in->size ? status
                                       : put_grapheme(state, in, begin, in->size, out, err);
}

const ns_step_kind ns_normalizer_precompiled = {
    .name = "Precompiled", .open = open_charsmap, .close = close_charsmap, .apply = apply};
