/* Unicode's normal forms, by utf8proc's tables: UAX 15. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "datasets/tokenizers/form_newer.h"
#include "datasets/tokenizers/unicode.h"
#include "probe/base/mem.h"

/* A character on its way: where it comes from, and its canonical combining class. */
typedef struct mark {
    int32_t c;
    uint32_t from, to;
    uint8_t class;
} mark;

typedef struct marks {
    mark *at; /* [count] */
    size_t count, room;
} marks;

enum { MOST_PARTS = 32, FEW = 16, CLASSES = 256 };

static bool among(const int32_t ranges[][2], size_t count, int32_t c) {
    for (size_t i = 0; c >= ranges[0][0] && i < count; i++)
        if (c <= ranges[i][1]) return c >= ranges[i][0];
    return false;
}
#define AMONG(ranges, c) among(ranges, sizeof(ranges) / sizeof *(ranges), c)

/* Characters that came after the tables of Hugging Face's package are not taken apart there, and marks stay where they are. */
static uint8_t class_of(int32_t c) {
    int class = utf8proc_get_property(c)->combining_class;
    return (uint8_t)(class && AMONG(unclassed_ranges, c) ? 0 : class);
}

static int32_t lower(int32_t c) {
    for (size_t i = 0; c >= lower_pairs[0][0] && i < sizeof lower_pairs / sizeof *lower_pairs; i++)
        if (c <= lower_pairs[i][0])
            return c < lower_pairs[i][0] ? utf8proc_tolower(c) : lower_pairs[i][1];
    return utf8proc_tolower(c);
}

static int add_parts(marks *m, int32_t c, uint32_t from, uint32_t to, int options, ns_error *err) {
    int32_t parts[MOST_PARTS];
    int boundary = 0;
    ptrdiff_t n = utf8proc_decompose_char(c, parts, MOST_PARTS, options, &boundary);
    if (n < 0 || n > MOST_PARTS || AMONG(whole_ranges, c)) {
        parts[0] = c;
        n = 1;
    }
    if (m->count + (size_t)n > m->room) {
        size_t room = 2 * m->room + MOST_PARTS;
        mark *grown = ns_realloc(m->at, room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        m->at = grown;
        m->room = room;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        m->at[m->count++] = (mark){parts[i], from, to, class_of(parts[i])};
    return NS_OK;
}

/* Brings marks of a letter into the order of their classes, and leaves those of one class as they are. */
static int sort_marks(mark *at, size_t n, ns_error *err) {
    if (n > FEW) {
        size_t places[CLASSES + 1] = {0};
        mark *sorted = ns_calloc(n, sizeof *sorted, err);
        if (!sorted) return NS_EFAIL;
        for (size_t i = 0; i < n; i++) places[at[i].class + 1]++;
        for (int k = 0; k < CLASSES; k++) places[k + 1] += places[k];
        for (size_t i = 0; i < n; i++) sorted[places[at[i].class]++] = at[i];
        memcpy(at, sorted, n * sizeof *at);
        free(sorted);
        return NS_OK;
    }
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && at[k - 1].class > at[k].class; k--) {
            mark other = at[k];
            at[k] = at[k - 1];
            at[k - 1] = other;
        }
    return NS_OK;
}

static int order(marks *m, ns_error *err) {
    int status = NS_OK;
    for (size_t i = 0; i < m->count && !status;) {
        size_t first = i;
        while (i < m->count && m->at[i].class) i++;
        if (i - first > 1) status = sort_marks(m->at + first, i - first, err);
        while (i < m->count && !m->at[i].class) i++;
    }
    return status;
}

/* What two characters are as one, -1 where they stay two. */
static int32_t composed(int32_t a, int32_t b) {
    int32_t both[2] = {a, b};
    ptrdiff_t n = utf8proc_normalize_utf32(both, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return n == 1 ? both[0] : -1;
}

static void compose(marks *m) {
    size_t kept = 0;
    mark *starter = NULL;
    int last = -1; /* the class of what stands between the starter and this one; -1: nothing does */
    for (size_t i = 0; i < m->count; i++) {
        mark now = m->at[i];
        int32_t both = starter && last < now.class ? composed(starter->c, now.c) : -1;
        if (both >= 0) {
            starter->c = both;
            if (now.from < starter->from) starter->from = now.from;
            if (now.to > starter->to) starter->to = now.to;
            continue;
        }
        m->at[kept] = now;
        if (!now.class) starter = &m->at[kept];
        last = now.class ? now.class : -1;
        kept++;
    }
    m->count = kept;
}

static int put_marks(const marks *m, ns_flow *out, ns_error *err) {
    if (ns_flow_reserve(out, 4 * m->count, err)) return NS_EFAIL;
    for (size_t i = 0; i < m->count; i++) ns_flow_put(out, m->at[i].c, m->at[i].from, m->at[i].to);
    return NS_OK;
}

/* A stretch from its first character that is not ASCII on, with the letter before it, which it may have accents for. */
static int normalize_stretch(const ns_flow *in, size_t begin, size_t end, ns_unicode_form form,
                             marks *m, ns_flow *out, ns_error *err) {
    int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    if (form == NS_NFKD || form == NS_NFKC) options |= UTF8PROC_COMPAT;
    int status = NS_OK;
    m->count = 0;
    for (size_t at = begin; at < end && !status;) {
        size_t from = at;
        int32_t c = ns_utf8_next(in->bytes, &at);
        status = add_parts(m, c, in->from[from], in->to[from], options, err);
    }
    if (!status) status = order(m, err);
    if (!status && (form == NS_NFC || form == NS_NFKC)) compose(m);
    return status ? status : put_marks(m, out, err);
}

int ns_unicode_normalize(const ns_flow *in, size_t begin, size_t end, ns_unicode_form form,
                         ns_flow *out, ns_error *err) {
    marks m = {0};
    int status = NS_OK;
    for (size_t at = begin; at < end && !status;) {
        size_t first = at; /* ASCII is itself in every form */
        while (at < end && (unsigned char)in->bytes[at] < 0x80) at++;
        size_t letter = at > first && at < end ? at - 1 : at;
        status = ns_flow_copy(out, in, first, letter, err);
        while (at < end && (unsigned char)in->bytes[at] >= 0x80) at++;
        if (at > letter && !status) status = normalize_stretch(in, letter, at, form, &m, out, err);
    }
    free(m.at);
    return status;
}

int ns_unicode_lower(const ns_flow *in, size_t begin, size_t end, ns_flow *out, ns_error *err) {
    enum { DOTTED_I = 0x130, DOT_ABOVE = 0x307 };
    if (ns_flow_reserve(out, 2 * (end - begin) + 4, err)) return NS_EFAIL;
    for (size_t at = begin; at < end;) {
        size_t from = at;
        int32_t c = ns_utf8_next(in->bytes, &at);
        if (c < 0x80)
            c = c >= 'A' && c <= 'Z' ? c | 32 : c;
        else if (c != DOTTED_I)
            c = lower(c);
        ns_flow_put(out, c == DOTTED_I ? 'i' : c, in->from[from], in->to[from]);
        if (c == DOTTED_I) ns_flow_put(out, DOT_ABOVE, in->from[from], in->to[from]);
    }
    return NS_OK;
}
