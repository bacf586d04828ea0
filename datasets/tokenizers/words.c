/* Words through the segmenter: a table of those that came last, each in the slot of its hash. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/words.h"
#include "probe/base/mem.h"

/* Short texts are done before a table pays; long words do not come again. */
enum { SLOTS = 1 << 13, AFTER = 256, MOST_BYTES = 32, MOST_TOKENS = 7 };

typedef struct ns_word_slot {
    char word[MOST_BYTES];
    uint8_t size, count; /* size 0: empty */
    uint8_t end[MOST_TOKENS];
    int32_t ids[MOST_TOKENS];
} slot;

void ns_words_end(ns_words *w) {
    ns_scratch_end(&w->scratch);
    free(w->slots);
    w->slots = NULL;
}

static void remember(slot *s, const char *word, size_t size, const ns_token *tokens, size_t count) {
    if (count > MOST_TOKENS) return;
    size_t begin = 0;
    for (size_t i = 0; i < count;
         i++) { /* a slot holds ends alone: each token begins where the last ends */
        if (tokens[i].begin != begin) return;
        begin = tokens[i].end;
    }
    memcpy(s->word, word, size);
    s->size = (uint8_t)size;
    s->count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        s->end[i] = (uint8_t)tokens[i].end;
        s->ids[i] = tokens[i].id;
    }
}

static int recall(const slot *s, size_t at, ns_emitted *out, ns_error *err) {
    int status = NS_OK;
    for (size_t i = 0; i < s->count && !status; i++)
        status = ns_emit(out, s->ids[i], at + (i ? s->end[i - 1] : 0), at + s->end[i], err);
    return status;
}

int ns_words_encode(ns_words *w, const ns_flow *flow, const ns_cut *piece, ns_emitted *out,
                    ns_error *err) {
    const char *word = flow->bytes + piece->begin;
    size_t size = piece->end - piece->begin, before = out->count;
    slot *s = NULL;
    if (!w->slots && ++w->seen > AFTER && !(w->slots = ns_calloc(SLOTS, sizeof *w->slots, err)))
        return NS_EFAIL;
    if (w->slots && size <= MOST_BYTES) {
        s = &w->slots[ns_mix_bytes(word, size) % SLOTS];
        if (s->size == size && !memcmp(s->word, word, size))
            return recall(s, piece->begin, out, err);
    }
    int status = w->segmenter->encode(w->state, w->words, word, size, &w->scratch, out, err);
    if (status) return status;
    if (s) remember(s, word, size, out->at + before, out->count - before);
    for (size_t i = before; i < out->count; i++) {
        out->at[i].begin += piece->begin;
        out->at[i].end += piece->begin;
    }
    return NS_OK;
}
