/* Merging neighbours by rank: short words by looking at all pairs, long ones with a heap. */
#include "datasets/tokenizers/merge.h"

enum { SHORT = 24, ROOM_HEAP = 1 };

typedef struct pair {
    uint32_t rank;
    int32_t at, id; /* the left symbol, and what the two become */
} pair;

static void join(ns_symbol *symbols, int32_t at, int32_t id) {
    ns_symbol *left = &symbols[at], *right = &symbols[left->next];
    left->size += right->size;
    left->id = id;
    left->next = right->next;
    right->size = 0;
    if (left->next >= 0) symbols[left->next].previous = at;
}

/* ---- short words ---- */

static void merge_short(ns_symbol *symbols, size_t count, const char *word, ns_merge_find find,
                        const void *user) {
    uint32_t ranks[SHORT];
    int32_t ids[SHORT]; /* what a symbol and the next become, -1: nothing */
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || !find(user, word, &symbols[i], &symbols[i + 1], &ranks[i], &ids[i]))
            ids[i] = -1;
    for (;;) {
        int32_t best = -1;
        for (int32_t i = 0; i >= 0; i = symbols[i].next)
            if (ids[i] >= 0 && (best < 0 || ranks[i] < ranks[best])) best = i;
        if (best < 0) return;
        join(symbols, best, ids[best]);
        int32_t before = symbols[best].previous, next = symbols[best].next;
        if (next < 0 || !find(user, word, &symbols[best], &symbols[next], &ranks[best], &ids[best]))
            ids[best] = -1;
        if (before >= 0 &&
            !find(user, word, &symbols[before], &symbols[best], &ranks[before], &ids[before]))
            ids[before] = -1;
    }
}

/* ---- long words ---- */

typedef struct heap {
    pair *at; /* [count], in the scratch */
    size_t count;
} heap;

static bool sooner(const pair *a, const pair *b) {
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static void sink(heap *h, size_t i) {
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->count) return;
        if (child + 1 < h->count && sooner(&h->at[child + 1], &h->at[child])) child++;
        if (!sooner(&h->at[child], &h->at[i])) return;
        pair other = h->at[i];
        h->at[i] = h->at[child];
        h->at[child] = other;
        i = child;
    }
}

static void push(heap *h, pair p) {
    size_t i = h->count++;
    for (; i && sooner(&p, &h->at[(i - 1) / 2]); i = (i - 1) / 2) h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = p;
}

static pair pop(heap *h) {
    pair first = h->at[0];
    h->at[0] = h->at[--h->count];
    sink(h, 0);
    return first;
}

/* Each merge takes one pair out and puts two in at most, and there are fewer merges than symbols: so many pairs are there at once. */
static size_t most_pairs(size_t count) {
    return 2 * count;
}

int ns_merge(ns_symbol *symbols, size_t count, const char *word, ns_merge_find find,
             const void *user, ns_scratch *scratch, ns_error *err) {
    if (count < 2) return NS_OK;
    if (count <= SHORT) return merge_short(symbols, count, word, find, user), NS_OK;
    heap h = {ns_scratch_room(scratch, ROOM_HEAP, most_pairs(count), sizeof(pair), err), 0};
    if (!h.at) return NS_EFAIL;
    pair p;
    for (size_t i = 0; i + 1 < count; i++)
        if (find(user, word, &symbols[i], &symbols[i + 1], &p.rank, &p.id)) {
            p.at = (int32_t)i;
            h.at[h.count++] = p;
        }
    for (size_t i = h.count / 2; i-- > 0;) sink(&h, i);
    while (h.count) {
        p = pop(&h);
        ns_symbol *left = &symbols[p.at];
        pair now = p;
        /* A pair that was there before one of its halves grew. */
        if (!left->size || left->next < 0 ||
            !find(user, word, left, &symbols[left->next], &now.rank, &now.id) || now.id != p.id)
            continue;
        join(symbols, p.at, p.id);
        if (left->next >= 0 && find(user, word, left, &symbols[left->next], &now.rank, &now.id))
            push(&h, now);
        now.at = left->previous;
        if (now.at >= 0 && find(user, word, &symbols[now.at], left, &now.rank, &now.id))
            push(&h, now);
    }
    return NS_OK;
}
