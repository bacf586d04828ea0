/* A set of strings, each with a number, of which the longest that begins at a place is found in one walk. */
#ifndef NS_TOKENIZERS_TRIE_H
#define NS_TOKENIZERS_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

typedef struct ns_trie ns_trie;

/* NULL on failure; the strings that are to come have at most `bytes` bytes together. */
ns_trie *ns_trie_new(size_t bytes, ns_error *err);
void ns_trie_free(ns_trie *trie);

/* Adds a string with its value, >= 0, in place of the one it had. */
int ns_trie_add(ns_trie *trie, const char *text, size_t size, int32_t value, ns_error *err);

/* Where a walk begins; and the place behind a byte, 0 where no string goes on so. */
enum { NS_TRIE_ROOT = 1 };
uint32_t ns_trie_step(const ns_trie *trie, uint32_t node, unsigned char byte);
/* The value of the string that ends there, -1 where none does. */
int32_t ns_trie_value(const ns_trie *trie, uint32_t node);

/* The value of the longest string that begins at text and is no longer than `size`, -1 where none does; *length: its bytes. The walk
 * begins at `node`. */
int32_t ns_trie_longest(const ns_trie *trie, uint32_t node, const char *text, size_t size,
                        size_t *length);

#endif
