/* SentencePiece's BPE as llama.cpp runs it on a GGUF vocabulary: characters, of which neighbours whose joined text is a word are merged, that of
 * the highest score first; what is left without a word is bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/merge.h"
#include "datasets/tokenizers/segmenters/segmenters.h"
#include "probe/base/mem.h"

typedef struct spm {
    uint32_t *ranks; /* [words], 0 for the highest score; words of one score share a rank */
    int32_t bytes[256];
    int64_t unknown;
    size_t longest;
} spm;

static void close_spm(void *state) {
    spm *s = state;
    if (s) free(s->ranks);
    free(s);
}

typedef struct scored {
    double score;
    size_t id;
} scored;

static int falling(const void *a, const void *b) {
    double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x < y) - (x > y);
}

static int read_words(spm *s, scored *scores, const ns_node *vocab, ns_vocabulary *words) {
    size_t count = json_array_size(vocab->json);
    int status = NS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        ns_node item = {json_array_get(vocab->json, i), vocab->file, "model: vocab", vocab->err};
        const json_t *word = json_array_get(item.json, 0), *score = json_array_get(item.json, 1);
        if (!json_is_string(word) || !json_is_number(score))
            return ns_node_refuse(&item, "a word and its score");
        size_t size = json_string_length(word);
        scores[i] = (scored){json_number_value(score), i};
        if (size > s->longest) s->longest = size;
        status = ns_vocabulary_add(words, json_string_value(word), size, (int32_t)i, vocab->err);
    }
    return status;
}

static void find_bytes(spm *s, const ns_vocabulary *words) {
    for (int i = 0; i < 256; i++) {
        char name[8];
        int size = snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        s->bytes[i] = ns_vocabulary_find(words, name, (size_t)size);
    }
}

static int open_spm(void **state, const ns_node *node, ns_vocabulary *words) {
    spm *s = ns_calloc(1, sizeof *s, node->err);
    if (!(*state = s)) return NS_EFAIL;
    ns_node vocab = ns_node_under(node, "vocab");
    size_t count = json_array_size(vocab.json);
    s->unknown = -1;
    int status = ns_node_keys(node, "type|vocab|unk_id");
    if (!status && (!count || count >= NS_VOCABULARY_MOST))
        return ns_node_refuse(&vocab, "a list of words and scores");
    if (!status) status = ns_node_int(node, "unk_id", 0, (int64_t)count - 1, &s->unknown);
    scored *scores = ns_calloc(count + 1, sizeof *scores, node->err);
    s->ranks = ns_calloc(count + 1, sizeof *s->ranks, node->err);
    if (!status && (!scores || !s->ranks)) status = NS_EFAIL;
    if (!status) status = read_words(s, scores, &vocab, words);
    if (!status) {
        qsort(scores, count, sizeof *scores, falling);
        uint32_t rank = 0;
        for (size_t i = 0; i < count; i++) {
            if (i && falling(&scores[i - 1], &scores[i])) rank++;
            s->ranks[scores[i].id] = rank;
        }
        find_bytes(s, words);
    }
    free(scores);
    return status;
}

typedef struct context {
    const spm *spm;
    const ns_vocabulary *words;
} context;

static bool find(const void *user, const char *word, const ns_symbol *left, const ns_symbol *right,
                 uint32_t *rank, int32_t *id) {
    const context *c = user;
    size_t size = (size_t)left->size + right->size;
    if (size > c->spm->longest) return false;
    *id = ns_vocabulary_find(c->words, word + left->begin, size);
    if (*id < 0) return false;
    *rank = c->spm->ranks[*id];
    return true;
}

static int emit_bytes(const spm *s, const char *word, const ns_symbol *symbol, ns_emitted *out,
                      ns_error *err) {
    int status = NS_OK;
    for (size_t i = symbol->begin; i < (size_t)symbol->begin + symbol->size && !status; i++) {
        int32_t id = s->bytes[(unsigned char)word[i]];
        if (id < 0) id = (int32_t)s->unknown;
        if (id < 0)
            return ns_fail(err, NS_EINPUT,
                           "expected a byte of the vocabulary, or an unknown token in it, found "
                           "neither for 0x%02X",
                           (unsigned char)word[i]);
        status = ns_emit(out, id, symbol->begin, (size_t)symbol->begin + symbol->size, err);
    }
    return status;
}

static int encode(const void *state, const ns_vocabulary *words, const char *word, size_t size,
                  ns_scratch *scratch, ns_emitted *out, ns_error *err) {
    const context c = {state, words};
    ns_symbol *symbols = ns_scratch_room(scratch, 0, size, sizeof *symbols, err);
    size_t count = 0;
    if (!symbols) return NS_EFAIL;
    for (size_t at = 0, n; at < size; at += n, count++) {
        n = ns_utf8_length(word[at]);
        symbols[count] =
            (ns_symbol){(uint32_t)at, (uint32_t)n, ns_vocabulary_find(words, word + at, n),
                        (int32_t)count - 1, at + n < size ? (int32_t)count + 1 : -1};
    }
    int status = ns_merge(symbols, count, word, find, &c, scratch, err);
    for (int32_t i = 0; i >= 0 && !status; i = symbols[i].next)
        status = symbols[i].id >= 0 ? ns_emit(out, symbols[i].id, symbols[i].begin,
                                              (size_t)symbols[i].begin + symbols[i].size, err)
                                    : emit_bytes(c.spm, word, &symbols[i], out, err);
    return status;
}

const ns_segmenter_kind ns_segmenter_spm = {
    .name = "GGUF llama", .open = open_spm, .close = close_spm, .encode = encode};
