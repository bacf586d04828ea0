/* Patterns of a tokenizer's file: a text as it is, or a regular expression of Oniguruma's, which PCRE2 matches.
 *
 * What the two read differently is translated (\w, \W, \b, line anchors) or refused by name (\h, sets within sets, &&, {2}+). A pattern that
 * would run away ends in an error: the steps of one match and the memory that it may take are limited. */
#ifndef NS_TOKENIZERS_PATTERN_H
#define NS_TOKENIZERS_PATTERN_H

#include "datasets/tokenizers/node.h"

typedef struct ns_pattern ns_pattern;

/* {"String": ...} or {"Regex": ...}. The caller closes *out, also after a failure. */
int ns_pattern_open(ns_pattern **out, const ns_node *node);
int ns_pattern_open_regex(ns_pattern **out, const char *text, size_t size, const ns_node *node);
void ns_pattern_close(ns_pattern *pattern);

/* Matches of one text, each once from left to right: pattern, bytes and size are set, the rest is zero; ns_matches_end after the last. An
 * empty match right behind another is none. */
typedef struct ns_matches {
    const ns_pattern *pattern;
    const char *bytes;
    size_t size, at, last;
    bool any;
    void *data;
} ns_matches;

/* *found says whether there is one more, which is bytes *from..*to-1. NS_EINPUT where the pattern ran into its limits. */
int ns_matches_next(ns_matches *matches, bool *found, size_t *from, size_t *to, ns_error *err);
void ns_matches_end(ns_matches *matches);

#endif
