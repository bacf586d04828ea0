/* A regular expression of Oniguruma's (Ruby's syntax) as one of PCRE2's, where they differ. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/pattern_newer.h"
#include "datasets/tokenizers/pattern_translate.h"
#include "probe/base/mem.h"

/* What \w means there: letters, marks, numbers, connectors, and the letters in circles. PCRE2 10.42 leaves the marks out. */
#define WORD "\\p{L}\\p{M}\\p{N}\\p{Pc}\\x{24b6}-\\x{24e9}"
/* And \s: PCRE2 has the Mongolian vowel separator too, Unicode no longer. */
#define SPACE                                                                                      \
    "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"   \
    "\\x{3000}"

enum { NEWER = sizeof newer / sizeof *newer };

typedef struct writer {
    char *bytes;
    size_t size, room;
    ns_error *err;
} writer;

static int put(writer *w, const char *bytes, size_t size) {
    if (w->size + size > w->room) {
        size_t room = 2 * w->room + size + 64;
        char *grown = ns_realloc(w->bytes, room, 1, w->err);
        if (!grown) return NS_EFAIL;
        w->bytes = grown;
        w->room = room;
    }
    memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
    return NS_OK;
}

static int put_text(writer *w, const char *text) {
    return put(w, text, strlen(text));
}

/* The character behind a backslash. */
static int escape(writer *w, char c, bool in_class, const ns_node *node) {
    switch (c) {
    case 'w':
        return put_text(w, in_class ? WORD : "[" WORD "]");
    case 's':
        return put_text(w, in_class ? SPACE : "[" SPACE "]");
    case 'W':
        if (in_class) return ns_node_refuse(node, "a pattern without \\W in a set");
        return put_text(w, "[^" WORD "]");
    case 'S':
        /* Nothing is lost but that one separator, which \S should have. */
        return put_text(w, in_class ? "\\S\\x{180e}" : "[^" SPACE "]");
    case 'b':
        if (in_class) break;
        return put_text(w, "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))");
    case 'h':
    case 'H':
    case 'R':
    case 'X':
    case 'C':
    case 'g':
    case 'k':
    case 'M':
        return ns_node_refuse(node, "a pattern without \\h, \\H, \\R, \\X, \\g, \\k, \\M or \\C");
    case 'B':
        return ns_node_refuse(node, "a pattern without \\B");
    default:
        break;
    }
    const char both[2] = {'\\', c};
    return put(w, both, 2);
}

/* \p{L} and the like, with what is newer than the Unicode that PCRE2 may know. *at is at the backslash, and is moved behind it all. */
static int property(writer *w, const char *text, size_t size, size_t *at, bool in_class,
                    const ns_node *node) {
    const char *open = text + *at + 3, *close = memchr(text + *at, '}', size - *at);
    bool not = text[*at + 1] == 'P';
    if (*at + 3 >= size || text[*at + 2] != '{' || !close || close < open)
        return ns_node_refuse(node, "a pattern with \\p{...}");
    if (*open == '^') {
        not = !not ;
        open++;
    }
    size_t name = (size_t)(close - open), i = 0;
    while (i < NEWER && (strlen(newer[i].name) != name || memcmp(newer[i].name, open, name) != 0))
        i++;
    bool set = i < NEWER && !in_class;
    int status = set ? put_text(w, not ? "[^" : "[") : NS_OK;
    if (!status) status = put_text(w, not &&!set ? "\\P{" : "\\p{");
    if (!status) status = put(w, open, name + 1);
    /* In a set, what is not of a class cannot be said with exceptions: there the newest characters count as none of it. */
    if (!status && i < NEWER && (set || !not )) status = put_text(w, newer[i].ranges);
    if (!status && set) status = put_text(w, "]");
    *at = (size_t)(close - text) + 1;
    return status;
}

/* Whether {...} at text[at] counts repetitions; *end is behind it. */
static bool is_interval(const char *text, size_t size, size_t at, size_t *end) {
    size_t i = at + 1;
    while (i < size && (isdigit((unsigned char)text[i]) || text[i] == ',')) i++;
    *end = i + 1;
    return i > at + 1 && i < size && text[i] == '}';
}

/* A set from its [ on; *at is moved behind its ]. */
static int translate_set(writer *w, const char *text, size_t size, size_t *at,
                         const ns_node *node) {
    int status = put(w, text + (*at)++, 1);
    if (*at < size && text[*at] == '^' && !status) status = put(w, text + (*at)++, 1);
    for (bool first = true; *at < size && !status; first = false) {
        char c = text[*at];
        if (c == ']' && !first) return put(w, text + (*at)++, 1);
        if (c == ']') return ns_node_refuse(node, "a pattern without ] first in a set");
        if (c == '[') {
            if (*at + 1 == size || text[*at + 1] != ':')
                return ns_node_refuse(node, "a pattern without sets in sets");
            return ns_node_refuse(node, "a pattern without [:classes:]");
        }
        if (c == '&' && *at + 1 < size && text[*at + 1] == '&')
            return ns_node_refuse(node, "a pattern without && in a set");
        if (c == '\\' && *at + 1 < size && (text[*at + 1] | 32) == 'p')
            status = property(w, text, size, at, true, node);
        else if (c == '\\' && *at + 1 < size) {
            status = escape(w, text[*at + 1], true, node);
            *at += 2;
        } else
            status = put(w, text + (*at)++, 1);
    }
    return status ? status : ns_node_refuse(node, "a pattern whose sets end");
}

/* What begins with "(?" and is neither a plain group, a look around, a name nor (?i) may mean other things. */
static int check_group(const char *text, size_t size, size_t at, const ns_node *node) {
    if (at + 2 >= size || text[at + 1] != '?') {
        if (at + 1 < size && text[at + 1] == '*')
            return ns_node_refuse(node, "a pattern without (*VERBS)");
        return NS_OK;
    }
    if (text[at + 2] == '<')
        return at + 3 < size && strchr("=!", text[at + 3])
                   ? NS_OK
                   : ns_node_refuse(node, "a pattern without names");
    if (strchr(":=!>", text[at + 2])) return NS_OK;
    size_t i = at + 2;
    while (i < size && (text[i] == 'i' || text[i] == '-')) i++;
    if (i > at + 2 && i < size && (text[i] == ':' || text[i] == ')')) return NS_OK;
    return ns_node_refuse(node, "no group but (...), (?:...), (?i:...), (?>...) and lookarounds");
}

int ns_pattern_translate(char **out, size_t *out_size, const char *text, size_t size,
                         const ns_node *node) {
    writer w = {.err = node->err};
    int status = NS_OK;
    *out = NULL;
    if (memchr(text, 0, size)) return ns_node_refuse(node, "a pattern without zeros");
    for (size_t at = 0; at < size && !status;) {
        size_t end;
        if (text[at] == '\\' && at + 1 < size && (text[at + 1] | 32) == 'p') {
            status = property(&w, text, size, &at, false, node);
            continue;
        }
        if (text[at] == '\\' && at + 1 < size) {
            status = escape(&w, text[at + 1], false, node);
            at += 2;
            continue;
        }
        if (text[at] == '[') {
            status = translate_set(&w, text, size, &at, node);
            continue;
        }
        if (text[at] == '(') status = check_group(text, size, at, node);
        if (text[at] == '{' && is_interval(text, size, at, &end) && end < size && text[end] == '+')
            status = ns_node_refuse(node, "a pattern without {n}+");
        if (text[at] == '{' && at + 1 < size && text[at + 1] == ',')
            status = ns_node_refuse(node, "a pattern without {,n}");
        if (!status) status = put(&w, text + at++, 1);
    }
    if (!status) status = put(&w, "", 1);
    if (status) {
        free(w.bytes);
        return status;
    }
    *out = w.bytes;
    *out_size = w.size - 1;
    return NS_OK;
}
