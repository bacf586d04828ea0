/* The table of segmenters, and what they share. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/segmenters/segmenters.h"
#include "datasets/tokenizers/steps.h"
#include "probe/base/mem.h"

/* Where a file does not name it, the key that only this one has tells it. */
static const struct {
    const ns_segmenter_kind *kind;
    const char *own_key;
} kinds[] = {{&ns_segmenter_bpe, "merges"},
             {&ns_segmenter_wordpiece, "max_input_chars_per_word"},
             {&ns_segmenter_unigram, "unk_id"},
             {&ns_segmenter_spm, "gguf"},
             {&ns_segmenter_wordlevel, "vocab"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *kind_name(const void *user, size_t i) {
    (void)user;
    return kinds[i].kind->name;
}

int ns_segmenter_open(const ns_segmenter_kind **kind, void **state, const ns_node *node,
                      ns_vocabulary *words) {
    const json_t *type = json_object_get(node->json, "type");
    const char *name = json_string_value(type);
    for (size_t i = 0; i < KINDS; i++) {
        if (type ? !name || strcmp(name, kinds[i].kind->name) != 0
                 : !json_object_get(node->json, kinds[i].own_key))
            continue;
        *kind = kinds[i].kind;
        return (*kind)->open(state, node, words);
    }
    return ns_unknown_type(node, kind_name, NULL, KINDS);
}

int ns_segmenter_words(const ns_node *model, ns_vocabulary *words) {
    ns_node vocab = ns_node_under(model, "vocab");
    if (!json_is_object(vocab.json)) return ns_node_refuse(&vocab, "an object of words and ids");
    json_t *all = (json_t *)vocab.json;
    for (void *at = json_object_iter(all); at; at = json_object_iter_next(all, at)) {
        json_t *id = json_object_iter_value(at);
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value >= NS_VOCABULARY_MOST) {
            ns_node found = {id, vocab.file, "model: vocab", vocab.err};
            return ns_node_refuse(&found, "ids that are whole numbers from 0 to 8388607");
        }
        if (ns_vocabulary_add(words, json_object_iter_key(at), json_object_iter_key_len(at),
                              (int32_t)value, model->err))
            return NS_EFAIL;
    }
    return NS_OK;
}

int ns_segmenter_word(const ns_node *model, const char *key, const ns_vocabulary *words,
                      int32_t *id) {
    const char *word = NULL;
    size_t size = 0;
    int status = ns_node_text(model, key, &word, &size);
    *id = word && !status ? ns_vocabulary_find(words, word, size) : -1;
    return status;
}

int ns_emit(ns_emitted *out, int32_t id, size_t begin, size_t end, ns_error *err) {
    if (out->count == out->room) {
        size_t room = out->room ? 2 * out->room : 64;
        ns_token *grown = ns_realloc(out->at, room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        out->at = grown;
        out->room = room;
    }
    out->at[out->count++] = (ns_token){id, begin, end};
    return NS_OK;
}

void ns_emitted_end(ns_emitted *out) {
    free(out->at);
    *out = (ns_emitted){0};
}

void *ns_scratch_room(ns_scratch *scratch, int which, size_t count, size_t size, ns_error *err) {
    if (count <= scratch->size[which] / size && scratch->block[which]) return scratch->block[which];
    size_t room = count + count / 2 + 64;
    void *grown = ns_realloc(scratch->block[which], room, size, err);
    if (!grown) return NULL;
    scratch->block[which] = grown;
    scratch->size[which] = room * size;
    return grown;
}

void ns_scratch_end(ns_scratch *scratch) {
    for (int i = 0; i < NS_SCRATCH_ROOMS; i++) free(scratch->block[i]);
    *scratch = (ns_scratch){{0}, {0}};
}
