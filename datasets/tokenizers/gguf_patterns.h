/* How text is cut into words, by the name that a GGUF file gives: llama.cpp's table. */
#ifndef NS_TOKENIZERS_GGUF_PATTERNS_H
#define NS_TOKENIZERS_GGUF_PATTERNS_H

#include "datasets/tokenizers/node.h"

typedef struct ns_gguf_pattern {
    const char *names;       /* "llama3|llama-bpe" */
    const char *patterns[4]; /* each cuts what the one before left; NULL: no more */
    bool ignore_merges, add_bos, add_separator;
} ns_gguf_pattern;

/* The row with the name that the node has; NULL and NS_EINPUT where there is none. A file without a name is cut as "default". */
const ns_gguf_pattern *ns_gguf_pattern_of(const ns_node *pre);

#endif
