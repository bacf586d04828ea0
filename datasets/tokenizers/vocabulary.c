/* Words and their ids: a hash table of entries over one block of text, and a list of entries by id. */
#include <stdlib.h>

#include "datasets/tokenizers/vocabulary.h"
#include "probe/base/mem.h"

typedef struct entry {
    size_t at;
    uint32_t size;
    int32_t id;
    uint64_t hash;
} entry;

struct ns_vocabulary {
    char *text; /* every word and a zero */
    size_t text_size, text_room;
    entry *entries; /* [count] */
    size_t count, room;
    uint32_t *slots; /* [mask + 1], entry + 1; 0: empty */
    size_t mask;
    uint32_t *by_id; /* [id_room], entry + 1 */
    size_t id_room;
    int32_t size;
};

ns_vocabulary *ns_vocabulary_new(ns_error *err) {
    ns_vocabulary *v = ns_calloc(1, sizeof *v, err);
    if (!v) return NULL;
    v->mask = 1023;
    v->slots = ns_calloc(v->mask + 1, sizeof *v->slots, err);
    if (v->slots) return v;
    free(v);
    return NULL;
}

void ns_vocabulary_free(ns_vocabulary *v) {
    if (!v) return;
    free(v->text);
    free(v->entries);
    free(v->slots);
    free(v->by_id);
    free(v);
}

static size_t slot_of(const ns_vocabulary *v, const char *word, size_t size, uint64_t hash) {
    size_t slot = hash & v->mask;
    for (; v->slots[slot]; slot = (slot + 1) & v->mask) {
        const entry *e = &v->entries[v->slots[slot] - 1];
        if (e->hash == hash && e->size == size && !memcmp(v->text + e->at, word, size)) break;
    }
    return slot;
}

static int grow_slots(ns_vocabulary *v, ns_error *err) {
    size_t mask = 2 * v->mask + 1;
    uint32_t *slots = ns_calloc(mask + 1, sizeof *slots, err);
    if (!slots) return NS_EFAIL;
    for (size_t i = 0; i < v->count; i++) {
        size_t slot = v->entries[i].hash & mask;
        while (slots[slot]) slot = (slot + 1) & mask;
        slots[slot] = (uint32_t)i + 1;
    }
    free(v->slots);
    v->slots = slots;
    v->mask = mask;
    return NS_OK;
}

/* A block with room for `needed` things of that size, twice what it had or more. */
static void *grown(void *block, size_t *room, size_t needed, size_t size, ns_error *err) {
    if (needed <= *room) return block;
    size_t wanted = 2 * *room > needed ? 2 * *room : needed + 256;
    void *larger = ns_realloc(block, wanted, size, err);
    if (larger) *room = wanted;
    return larger;
}

static int make_room(ns_vocabulary *v, size_t size, int32_t id, ns_error *err) {
    char *text = grown(v->text, &v->text_room, v->text_size + size + 1, 1, err);
    if (text) v->text = text;
    entry *entries = text ? grown(v->entries, &v->room, v->count + 1, sizeof *entries, err) : NULL;
    if (entries) v->entries = entries;
    size_t had = v->id_room;
    uint32_t *by_id =
        entries ? grown(v->by_id, &v->id_room, (size_t)id + 1, sizeof *by_id, err) : NULL;
    if (!by_id) return NS_EFAIL;
    v->by_id = by_id;
    memset(by_id + had, 0, (v->id_room - had) * sizeof *by_id);
    return 2 * v->count >= v->mask ? grow_slots(v, err) : NS_OK;
}

int ns_vocabulary_add(ns_vocabulary *v, const char *word, size_t size, int32_t id, ns_error *err) {
    if (id < 0 || id >= NS_VOCABULARY_MOST)
        return ns_fail(err, NS_EINPUT, "expected ids from 0 to %d, found %d",
                       NS_VOCABULARY_MOST - 1, id);
    if (size >= UINT32_MAX || v->count >= UINT32_MAX - 1)
        return ns_fail(err, NS_EINPUT, "expected a vocabulary of fewer or shorter words");
    if (make_room(v, size, id, err)) return NS_EFAIL;
    uint64_t hash = ns_mix_bytes(word, size);
    size_t slot = slot_of(v, word, size, hash);
    if (!v->slots[slot]) {
        v->entries[v->count++] = (entry){v->text_size, (uint32_t)size, id, hash};
        memcpy(v->text + v->text_size, word, size);
        v->text[v->text_size + size] = 0;
        v->text_size += size + 1;
        v->slots[slot] = (uint32_t)v->count;
    }
    v->entries[v->slots[slot] - 1].id = id;
    v->by_id[id] = v->slots[slot];
    if (id >= v->size) v->size = id + 1;
    return NS_OK;
}

int32_t ns_vocabulary_find(const ns_vocabulary *v, const char *word, size_t size) {
    size_t slot = slot_of(v, word, size, ns_mix_bytes(word, size));
    return v->slots[slot] ? v->entries[v->slots[slot] - 1].id : -1;
}

const char *ns_vocabulary_word(const ns_vocabulary *v, int32_t id, size_t *size) {
    if (id < 0 || id >= v->size || !v->by_id[id]) return NULL;
    const entry *e = &v->entries[v->by_id[id] - 1];
    if (size) *size = e->size;
    return v->text + e->at;
}

int32_t ns_vocabulary_size(const ns_vocabulary *v) {
    return v->size;
}

size_t ns_vocabulary_count(const ns_vocabulary *v) {
    return v->count;
}

size_t ns_vocabulary_bytes(const ns_vocabulary *v) {
    return v->text_size;
}
