/* Patterns, by PCRE2. */
#define _GNU_SOURCE           /* memmem */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/flow.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/pattern_translate.h"
#include "probe/base/mem.h"

/* Patterns of real files take a few steps a character, whichever way one counts them; a runaway one takes all it gets. */
enum { MOST_STEPS = 20000000, MOST_DEPTH = 1000000, MOST_KIB = 1 << 18, MOST_PATTERN = 1 << 16 };

struct ns_pattern {
    char *text; /* looked for as it is; NULL: the regular expression */
    size_t size;
    pcre2_code *code;
    pcre2_match_context *limits;
    char name[80];
};

void ns_pattern_close(ns_pattern *p) {
    if (!p) return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    free(p->text);
    free(p);
}

static int compile(ns_pattern *p, const char *text, size_t size, const ns_node *node) {
    int code = 0;
    PCRE2_SIZE where = 0;
    p->code = pcre2_compile((PCRE2_SPTR)text, size,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
                                PCRE2_DOLLAR_ENDONLY,
                            &code, &where, NULL);
    if (!p->code) {
        char reason[160] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        char expected[240];
        snprintf(expected, sizeof expected, "a regular expression (%s)", reason);
        return ns_node_refuse(node, expected);
    }
    /* Without a compiler for this machine the interpreter does the same. */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    p->limits = pcre2_match_context_create(NULL);
    if (!p->limits) return ns_fail(node->err, NS_EFAIL, "out of memory");
    pcre2_set_match_limit(p->limits, MOST_STEPS);
    pcre2_set_depth_limit(p->limits, MOST_DEPTH);
    pcre2_set_heap_limit(p->limits, MOST_KIB);
    return NS_OK;
}

int ns_pattern_open_regex(ns_pattern **out, const char *text, size_t size, const ns_node *node) {
    ns_pattern *p = *out = ns_calloc(1, sizeof *p, node->err);
    if (!p) return NS_EFAIL;
    if (size > MOST_PATTERN) return ns_node_refuse(node, "a pattern of at most 65536 bytes");
    snprintf(p->name, sizeof p->name, "%.60s%s", text, size > 60 ? "..." : "");
    char *ours = NULL;
    size_t ours_size = 0;
    int status = ns_pattern_translate(&ours, &ours_size, text, size, node);
    if (!status) status = compile(p, ours, ours_size, node);
    free(ours);
    return status;
}

int ns_pattern_open(ns_pattern **out, const ns_node *node) {
    const char *text = NULL, *regex = NULL;
    size_t size = 0, regex_size = 0;
    *out = NULL;
    if (!json_is_object(node->json) || json_object_size(node->json) != 1)
        return ns_node_refuse(node, "{\"String\": ...} or {\"Regex\": ...}");
    int status = ns_node_keys(node, "String|Regex");
    if (!status) status = ns_node_text(node, "String", &text, &size);
    if (!status) status = ns_node_text(node, "Regex", &regex, &regex_size);
    if (status) return status;
    if (regex) return ns_pattern_open_regex(out, regex, regex_size, node);
    if (!text) return ns_node_refuse(node, "{\"String\": ...} or {\"Regex\": ...}");
    ns_pattern *p = *out = ns_calloc(1, sizeof *p, node->err);
    if (!p || !(p->text = ns_calloc(size + 1, 1, node->err))) return NS_EFAIL;
    memcpy(p->text, text, size);
    p->size = size;
    return NS_OK;
}

void ns_matches_end(ns_matches *m) {
    pcre2_match_data_free(m->data);
    m->data = NULL;
}

/* The first match from m->at on. The fast matcher has a small stack: what needs more goes to the interpreter, whose memory is limited
 * by the heap limit. */
static int search(ns_matches *m, bool *found, size_t *from, size_t *to, ns_error *err) {
    const ns_pattern *p = m->pattern;
    if (p->text) {
        const char *at = memmem(m->bytes + m->at, m->size - m->at, p->text, p->size);
        if ((*found = at)) *from = (size_t)(at - m->bytes);
        if (at) *to = *from + p->size;
        return NS_OK;
    }
    if (!m->data && !(m->data = pcre2_match_data_create(1, NULL)))
        return ns_fail(err, NS_EFAIL, "out of memory");
    PCRE2_SPTR bytes = (PCRE2_SPTR)m->bytes;
    int rc = pcre2_match(p->code, bytes, m->size, m->at, PCRE2_NO_UTF_CHECK, m->data, p->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, bytes, m->size, m->at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->data,
                         p->limits);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return NS_OK;
    if (rc < 0) {
        char reason[160] = "";
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)reason, sizeof reason);
        return ns_fail(err, NS_EINPUT,
                       "expected a pattern that ends within its limits, found '%s' at byte %zu: %s",
                       p->name, m->at, reason);
    }
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(m->data);
    *from =
        places[0] < places[1] ? places[0] : places[1]; /* \K in a lookahead can turn them round */
    *to = places[1];
    return NS_OK;
}

int ns_matches_next(ns_matches *m, bool *found, size_t *from, size_t *to, ns_error *err) {
    for (*found = false; m->at <= m->size;) {
        int status = search(m, found, from, to, err);
        if (status || !*found) return status;
        if (*from == *to && m->any && m->last == *to) {
            *found = false;
            m->at += m->at < m->size ? ns_utf8_length(m->bytes[m->at]) : 1;
            continue;
        }
        if (*from < m->last) *from = m->last;
        m->at = m->last = *to;
        m->any = true;
        return NS_OK;
    }
    return NS_OK;
}
