/* Unigram (SentencePiece): of all ways to cut a word into pieces, the one whose scores have the largest sum. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/segmenters/segmenters.h"
#include "datasets/tokenizers/trie.h"
#include "probe/base/mem.h"

/* LONGEST: as many steps a byte a text takes at most. */
enum { LONGEST = 512 };
static const double unknown_penalty = 10;

typedef struct unigram {
    ns_trie *words;
    double *scores; /* [vocabulary size] */
    double unknown_score;
    int64_t unknown;    /* -1: none */
    int32_t bytes[256]; /* of "<0x00>" and so on, -1 where there is none */
    bool fallback;
} unigram;

static void close_unigram(void *state) {
    unigram *u = state;
    if (!u) return;
    ns_trie_free(u->words);
    free(u->scores);
    free(u);
}

static int read_pieces(unigram *u, const ns_node *node, ns_vocabulary *words) {
    ns_node vocab = ns_node_under(node, "vocab");
    size_t count = json_array_size(vocab.json);
    if (!json_is_array(vocab.json) || count >= NS_VOCABULARY_MOST)
        return ns_node_refuse(&vocab, "a list of words and scores");
    u->scores = ns_calloc(count + 1, sizeof *u->scores, node->err);
    int status = u->scores ? NS_OK : NS_EFAIL;
    double least = INFINITY;
    for (size_t i = 0; i < count && !status; i++) {
        ns_node item = {json_array_get(vocab.json, i), vocab.file, "model: vocab", vocab.err};
        const json_t *word = json_array_get(item.json, 0), *score = json_array_get(item.json, 1);
        if (!json_is_string(word) || !json_is_number(score) || json_array_size(item.json) != 2 ||
            json_string_length(word) > LONGEST)
            return ns_node_refuse(&item, "a word of at most 512 bytes and its score");
        u->scores[i] = json_number_value(score);
        if (u->scores[i] < least) least = u->scores[i];
        status = ns_vocabulary_add(words, json_string_value(word), json_string_length(word),
                                   (int32_t)i, node->err);
    }
    u->unknown_score = least - unknown_penalty;
    return status;
}

static int make_trie(unigram *u, const ns_vocabulary *words, ns_error *err) {
    u->words = ns_trie_new(ns_vocabulary_bytes(words), err);
    int status = u->words ? NS_OK : NS_EFAIL;
    for (int32_t id = 0; id < ns_vocabulary_size(words) && !status; id++) {
        size_t size;
        const char *word = ns_vocabulary_word(words, id, &size);
        /* A word that stands twice is the last one. */
        if (word && size)
            status = ns_trie_add(u->words, word, size, ns_vocabulary_find(words, word, size), err);
    }
    return status;
}

static int open_unigram(void **state, const ns_node *node, ns_vocabulary *words) {
    unigram *u = ns_calloc(1, sizeof *u, node->err);
    if (!(*state = u)) return NS_EFAIL;
    u->unknown = -1;
    int status = ns_node_keys(node, "type|unk_id|vocab|byte_fallback");
    if (!status) status = read_pieces(u, node, words);
    if (!status)
        status =
            ns_node_int(node, "unk_id", 0, (int64_t)ns_vocabulary_size(words) - 1, &u->unknown);
    if (!status) status = ns_node_flag(node, "byte_fallback", &u->fallback);
    for (int i = 0; i < 256; i++) {
        char name[8];
        int size = snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        u->bytes[i] = u->fallback ? ns_vocabulary_find(words, name, (size_t)size) : -1;
    }
    return status ? status : make_trie(u, words, node->err);
}

/* The best way to a place in the word: its sum, and the piece that ends there. */
typedef struct way {
    double score;
    uint32_t begin;
    int32_t id; /* -1: no way leads here */
} way;

static void offer(way *w, double score, size_t begin, int32_t id) {
    if (w->id >= 0 && !(score > w->score)) return;
    *w = (way){score, (uint32_t)begin, id};
}

static int missing(ns_error *err) {
    return ns_fail(err, NS_EINPUT,
                   "expected a text of the vocabulary's pieces, or unk_id, found neither");
}

/* ways[i]: the best way to byte i. */
static int find_ways(const unigram *u, const char *word, size_t size, way *ways, ns_error *err) {
    for (size_t i = 0; i <= size; i++) ways[i] = (way){0, 0, -1};
    for (size_t at = 0, length; at < size; at += length) {
        double here = ways[at].score;
        bool whole = false;
        uint32_t node = NS_TRIE_ROOT;
        length = ns_utf8_length(word[at]);
        for (size_t end = at; end < size;) {
            node = ns_trie_step(u->words, node, (unsigned char)word[end++]);
            int32_t id = node ? ns_trie_value(u->words, node) : -1;
            if (!node) break;
            if (id < 0) continue;
            offer(&ways[end], u->scores[id] + here, at, id);
            if (end - at == length) whole = true;
        }
        if (whole) continue;
        if (u->unknown < 0) return missing(err);
        offer(&ways[at + length], u->unknown_score + here, at, (int32_t)u->unknown);
    }
    return NS_OK;
}

/* What could not be made of pieces: bytes, where all of them have tokens, or unknown. */
static int emit_unknown(const unigram *u, const ns_vocabulary *words, const char *word,
                        size_t begin, size_t end, ns_emitted *out, ns_error *err) {
    int32_t id = ns_vocabulary_find(words, word + begin, end - begin);
    bool bytes = u->fallback && id < 0;
    for (size_t i = begin; i < end && bytes; i++) bytes = u->bytes[(unsigned char)word[i]] >= 0;
    if (!bytes) return ns_emit(out, id >= 0 ? id : (int32_t)u->unknown, begin, end, err);
    int status = NS_OK;
    for (size_t i = begin; i < end && !status; i++)
        status = ns_emit(out, u->bytes[(unsigned char)word[i]], begin, end, err);
    return status;
}

static int encode(const void *state, const ns_vocabulary *words, const char *word, size_t size,
                  ns_scratch *scratch, ns_emitted *out, ns_error *err) {
    const unigram *u = state;
    way *ways = ns_scratch_room(scratch, 0, size + 1, sizeof *ways, err);
    uint32_t *ends = ns_scratch_room(scratch, 1, size + 1, sizeof *ends, err);
    if (!ways || !ends) return NS_EFAIL;
    int status = find_ways(u, word, size, ways, err);
    size_t count = 0;
    for (size_t end = size; end && !status; end = ways[end].begin) ends[count++] = (uint32_t)end;
    while (count && !status) {
        size_t end = ends[--count], begin = ways[end].begin;
        if (ways[end].id != u->unknown) {
            status = ns_emit(out, ways[end].id, begin, end, err);
            continue;
        }
        while (count && ways[ends[count - 1]].id == u->unknown) end = ends[--count];
        status = emit_unknown(u, words, word, begin, end, out, err);
    }
    return status;
}

const ns_segmenter_kind ns_segmenter_unigram = {
    .name = "Unigram", .open = open_unigram, .close = close_unigram, .encode = encode};
