/* WordLevel: a word is one token, or unknown. */
#include <stdlib.h>

#include "datasets/tokenizers/segmenters/segmenters.h"
#include "probe/base/mem.h"

static int open_wordlevel(void **state, const ns_node *node, ns_vocabulary *words) {
    int32_t *unknown = ns_calloc(1, sizeof *unknown, node->err);
    if (!(*state = unknown)) return NS_EFAIL;
    int status = ns_node_keys(node, "type|vocab|unk_token");
    if (!status) status = ns_segmenter_words(node, words);
    return status ? status : ns_segmenter_word(node, "unk_token", words, unknown);
}

static int encode(const void *state, const ns_vocabulary *words, const char *word, size_t size,
                  ns_scratch *scratch, ns_emitted *out, ns_error *err) {
    int32_t id = ns_vocabulary_find(words, word, size);
    (void)scratch;
    if (id < 0) id = *(const int32_t *)state;
    if (id >= 0) return ns_emit(out, id, 0, size, err);
    return ns_fail(err, NS_EINPUT,
                   "expected a word of the vocabulary, or an unknown token in it, found neither");
}

const ns_segmenter_kind ns_segmenter_wordlevel = {
    .name = "WordLevel", .open = open_wordlevel, .close = free, .encode = encode};
