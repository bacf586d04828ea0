/* A regular expression of Oniguruma's as one of PCRE2's. */
#ifndef NS_TOKENIZERS_PATTERN_TRANSLATE_H
#define NS_TOKENIZERS_PATTERN_TRANSLATE_H

#include "datasets/tokenizers/node.h"

/* *out is freed by the caller. NS_EINPUT, with the node, where the two would not mean the same. */
int ns_pattern_translate(char **out, size_t *out_size, const char *text, size_t size,
                         const ns_node *node);

#endif
