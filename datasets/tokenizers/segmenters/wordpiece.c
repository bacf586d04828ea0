/* WordPiece: of a word, the longest piece that begins it, and so on; one that cannot be made of pieces is unknown as a whole. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/segmenters/segmenters.h"
#include "datasets/tokenizers/trie.h"
#include "probe/base/mem.h"

typedef struct wordpiece {
    ns_trie *words;
    uint32_t inner; /* behind "##", where the walk of a later piece begins; 0: there are none */
    int32_t unknown;
    int64_t most; /* characters; longer words are unknown */
} wordpiece;

static void close_wordpiece(void *state) {
    wordpiece *w = state;
    if (w) ns_trie_free(w->words);
    free(w);
}

/* As many steps a byte a word takes at most. */
enum { LONGEST = 512 };

static int make_trie(wordpiece *w, const ns_vocabulary *words, const char *prefix, size_t size,
                     ns_error *err) {
    w->words = ns_trie_new(ns_vocabulary_bytes(words), err);
    int status = w->words ? NS_OK : NS_EFAIL;
    for (int32_t id = 0; id < ns_vocabulary_size(words) && !status; id++) {
        size_t length;
        const char *word = ns_vocabulary_word(words, id, &length);
        if (word && length > LONGEST)
            return ns_fail(err, NS_EINPUT, "expected words of at most %d bytes, found %zu", LONGEST,
                           length);
        if (word) status = ns_trie_add(w->words, word, length, id, err);
    }
    if (status) return status;
    w->inner = NS_TRIE_ROOT;
    for (size_t i = 0; i < size && w->inner; i++)
        w->inner = ns_trie_step(w->words, w->inner, (unsigned char)prefix[i]);
    return NS_OK;
}

static int open_wordpiece(void **state, const ns_node *node, ns_vocabulary *words) {
    wordpiece *w = ns_calloc(1, sizeof *w, node->err);
    if (!(*state = w)) return NS_EFAIL;
    const char *prefix = "##";
    size_t size = 2;
    w->most = 100;
    int status = ns_node_keys(
        node, "type|vocab|unk_token|continuing_subword_prefix|max_input_chars_per_word");
    if (!status) status = ns_segmenter_words(node, words);
    if (!status) status = ns_segmenter_word(node, "unk_token", words, &w->unknown);
    if (!status) status = ns_node_text(node, "continuing_subword_prefix", &prefix, &size);
    if (!status) status = ns_node_int(node, "max_input_chars_per_word", 0, INT32_MAX, &w->most);
    return status ? status : make_trie(w, words, prefix, size, node->err);
}

static bool too_long(const wordpiece *w, const char *word, size_t size) {
    if (size <= (size_t)w->most) return false;
    int64_t characters = 0;
    for (size_t i = 0; i < size; i++) characters += ((unsigned char)word[i] & 0xc0) != 0x80;
    return characters > w->most;
}

static int unknown(const wordpiece *w, size_t size, ns_emitted *out, ns_error *err) {
    if (w->unknown >= 0) return ns_emit(out, w->unknown, 0, size, err);
    return ns_fail(err, NS_EINPUT,
                   "expected a word of the vocabulary, or an unknown token in it, found neither");
}

static int encode(const void *state, const ns_vocabulary *words, const char *word, size_t size,
                  ns_scratch *scratch, ns_emitted *out, ns_error *err) {
    const wordpiece *w = state;
    size_t kept = out->count;
    (void)words;
    (void)scratch;
    if (too_long(w, word, size)) return unknown(w, size, out, err);
    for (size_t at = 0; at < size;) {
        uint32_t node = at ? w->inner : NS_TRIE_ROOT;
        size_t length = 0;
        int32_t id = node ? ns_trie_longest(w->words, node, word + at, size - at, &length) : -1;
        if (id < 0) {
            out->count = kept;
            return unknown(w, size, out, err);
        }
        if (ns_emit(out, id, at, at + length, err)) return NS_EFAIL;
        at += length;
    }
    return NS_OK;
}

const ns_segmenter_kind ns_segmenter_wordpiece = {
    .name = "WordPiece", .open = open_wordpiece, .close = close_wordpiece, .encode = encode};
