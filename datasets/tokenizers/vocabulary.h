/* Words and their ids. */
#ifndef NS_TOKENIZERS_VOCABULARY_H
#define NS_TOKENIZERS_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "probe/base/error.h"

/* Ids lie below; a list by id has room for as many. */
enum { NS_VOCABULARY_MOST = 1 << 23 };

typedef struct ns_vocabulary ns_vocabulary;

ns_vocabulary *ns_vocabulary_new(ns_error *err);
void ns_vocabulary_free(ns_vocabulary *vocabulary);

/* Adds a word, a copy of which is kept; one that is there already gets the new id. 0 <= id < NS_VOCABULARY_MOST. */
int ns_vocabulary_add(ns_vocabulary *vocabulary, const char *word, size_t size, int32_t id,
                      ns_error *err);

/* The id of a word, -1 where there is none. */
int32_t ns_vocabulary_find(const ns_vocabulary *vocabulary, const char *word, size_t size);

/* The word with that id, borrowed and closed by a zero; NULL where there is none. Of several it is the last that was added. */
const char *ns_vocabulary_word(const ns_vocabulary *vocabulary, int32_t id, size_t *size);

/* The largest id and 1; how many words there are; and the bytes of all. */
int32_t ns_vocabulary_size(const ns_vocabulary *vocabulary);
size_t ns_vocabulary_count(const ns_vocabulary *vocabulary);
size_t ns_vocabulary_bytes(const ns_vocabulary *vocabulary);

/* For tables of strings: eight bytes a step. */
static inline uint64_t ns_mix(uint64_t h) {
    h = (h ^ h >> 32) * 0x9fb21c651e98df25u;
    return h ^ h >> 28;
}
static inline uint64_t ns_mix_bytes(const char *bytes, size_t size) {
    uint64_t h = size * 0x9e3779b97f4a7c15u, w;
    for (; size >= 8; bytes += 8, size -= 8) {
        memcpy(&w, bytes, 8);
        h = ns_mix(h ^ w);
    }
    w = 0;
    memcpy(&w, bytes, size);
    return ns_mix(h ^ w);
}

#endif
