/* Merging neighbours by rank: what BPE and SentencePiece's BPE do with a word. Of all pairs that may be one, that of the lowest rank goes first,
 * and of several the leftmost; n log n for a word of n symbols. */
#ifndef NS_TOKENIZERS_MERGE_H
#define NS_TOKENIZERS_MERGE_H

#include "datasets/tokenizers/kinds.h"

/* A piece of a word: bytes begin..begin+size-1. */
typedef struct ns_symbol {
    uint32_t begin, size;   /* size 0: merged into the one before */
    int32_t id;             /* -1: none */
    int32_t previous, next; /* -1: the ends */
} ns_symbol;

/* Whether two neighbours may be one, with its id and rank. */
typedef bool (*ns_merge_find)(const void *user, const char *word, const ns_symbol *left,
                              const ns_symbol *right, uint32_t *rank, int32_t *id);

/* Merges symbols[0..count-1], of which the first stays the first. Rooms 1 of the scratch is used. */
int ns_merge(ns_symbol *symbols, size_t count, const char *word, ns_merge_find find,
             const void *user, ns_scratch *scratch, ns_error *err);

#endif
