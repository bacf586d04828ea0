/* A trie whose edges stand in one hash table: (node, byte) to node. */
#include <stdlib.h>

#include "datasets/tokenizers/trie.h"
#include "probe/base/mem.h"

/* An edge in 64 bits: node (28), byte (8), the node behind it (28). 0: none, since nodes count from 1. */
enum { NODE_BITS = 28 };
#define NODE_MASK (((uint64_t)1 << NODE_BITS) - 1)

struct ns_trie {
    uint64_t *edges; /* [mask + 1] */
    size_t mask;
    int32_t *values; /* [nodes], by node - 1 */
    size_t nodes, room;
};

ns_trie *ns_trie_new(size_t bytes, ns_error *err) {
    if (bytes >= NODE_MASK) {
        ns_fail(err, NS_EINPUT, "expected words of at most %zu bytes together, found %zu",
                (size_t)NODE_MASK, bytes);
        return NULL;
    }
    ns_trie *trie = ns_calloc(1, sizeof *trie, err);
    if (!trie) return NULL;
    size_t slots = 64;
    while (slots < 2 * bytes) slots *= 2;
    trie->mask = slots - 1;
    trie->room = bytes + 1;
    trie->nodes = 1;
    trie->edges = ns_calloc(slots, sizeof *trie->edges, err);
    trie->values = trie->edges ? ns_calloc(trie->room, sizeof *trie->values, err) : NULL;
    if (!trie->values) {
        ns_trie_free(trie);
        return NULL;
    }
    trie->values[0] = -1;
    return trie;
}

void ns_trie_free(ns_trie *trie) {
    if (!trie) return;
    free(trie->edges);
    free(trie->values);
    free(trie);
}

/* The slot of an edge, or the empty one where it would stand. */
static size_t slot_of(const ns_trie *trie, uint64_t key) {
    size_t slot = (size_t)(key * 0x9e3779b97f4a7c15u >> 24) & trie->mask;
    while (trie->edges[slot] && trie->edges[slot] >> NODE_BITS != key)
        slot = (slot + 1) & trie->mask;
    return slot;
}

uint32_t ns_trie_step(const ns_trie *trie, uint32_t node, unsigned char byte) {
    return (uint32_t)(trie->edges[slot_of(trie, (uint64_t)node << 8 | byte)] & NODE_MASK);
}

int32_t ns_trie_value(const ns_trie *trie, uint32_t node) {
    return trie->values[node - 1];
}

int ns_trie_add(ns_trie *trie, const char *text, size_t size, int32_t value, ns_error *err) {
    uint64_t node = NS_TRIE_ROOT;
    for (size_t i = 0; i < size; i++) {
        uint64_t key = node << 8 | (unsigned char)text[i];
        size_t slot = slot_of(trie, key);
        if (!trie->edges[slot]) {
            if (trie->nodes == trie->room)
                return ns_fail(err, NS_EFAIL, "more words than room was made for");
            trie->values[trie->nodes++] = -1;
            trie->edges[slot] = key << NODE_BITS | trie->nodes;
        }
        node = trie->edges[slot] & NODE_MASK;
    }
    trie->values[node - 1] = value;
    return NS_OK;
}

int32_t ns_trie_longest(const ns_trie *trie, uint32_t node, const char *text, size_t size,
                        size_t *length) {
    int32_t value = -1;
    for (size_t i = 0; i < size; i++) {
        node = ns_trie_step(trie, node, (unsigned char)text[i]);
        if (!node) break;
        if (trie->values[node - 1] < 0) continue;
        value = trie->values[node - 1];
        *length = i + 1;
    }
    return value;
}
