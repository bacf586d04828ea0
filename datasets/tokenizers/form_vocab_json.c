/* vocab.json and merges.txt: GPT-2's byte-level BPE, and RoBERTa's, which puts tokens around a text. */
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/forms.h"
#include "datasets/tokenizers/vocabulary.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

enum { MOST_FILE = 1 << 27 };

/* The lines of merges.txt, without the first where it says the version. */
static int read_merges(json_t *merges, const char *path, ns_error *err) {
    char *text;
    size_t size;
    int status = ns_read_text(&text, &size, path, MOST_FILE, err);
    if (status) return status;
    for (const char *at = text, *end = text + size; at < end && !status;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line ? line : end) - at);
        if (length && at[length - 1] == '\r') length--;
        if (length && (at != text || strncmp(at, "#version", 8) != 0)) {
            json_t *merge = json_stringn(at, length);
            if (!merge || json_array_append_new(merges, merge))
                status = ns_fail(err, NS_EINPUT, "%s: expected lines of two words in UTF-8", path);
        }
        at = line ? line + 1 : end;
    }
    free(text);
    return status;
}

/* The classes of tokenizers that such files are known to be of. */
enum { GPT2, ROBERTA, OTHER };

static int class_of(const json_t *settings, const json_t *vocab) {
    const char *name = json_string_value(json_object_get(settings, "tokenizer_class"));
    if (!name)
        return json_object_get(vocab, "<s>") && json_object_get(vocab, "</s>") ? ROBERTA : GPT2;
    if (!strncmp(name, "GPT2Tokenizer", 13)) return GPT2;
    if (!strncmp(name, "RobertaTokenizer", 16) || !strncmp(name, "BartTokenizer", 13))
        return ROBERTA;
    return OTHER;
}

static json_t *added(const json_t *vocab, const char *const *words, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_object_get(vocab, words[i]);
        if (json_is_integer(id))
            json_array_append_new(list,
                                  json_pack("{s:I, s:s, s:b, s:b, s:b}", "id",
                                            json_integer_value(id), "content", words[i], "special",
                                            1, "normalized", strcmp(words[i], "<|endoftext|>") == 0,
                                            "lstrip", strcmp(words[i], "<mask>") == 0));
    }
    return list;
}

static json_t *post_of(int class, const json_t *vocab, bool prefix) {
    if (class == GPT2) return json_pack("{s:s, s:b}", "type", "ByteLevel", "trim_offsets", 0);
    return json_pack("{s:s, s:[s, I], s:[s, I], s:b, s:b}", "type", "RobertaProcessing", "cls",
                     "<s>", json_integer_value(json_object_get(vocab, "<s>")), "sep", "</s>",
                     json_integer_value(json_object_get(vocab, "</s>")), "trim_offsets", 1,
                     "add_prefix_space", prefix);
}

static int describe(json_t **out, json_t *vocab, json_t *merges, const char *path,
                    const json_t *settings, ns_error *err) {
    static const char *const gpt2[] = {"<|endoftext|>"}, *const roberta[] = {"<s>", "<pad>", "</s>",
                                                                             "<unk>", "<mask>"};
    int class = class_of(settings, vocab);
    if (class == OTHER)
        return ns_fail(err, NS_EINPUT,
                       "%s: tokenizer_config.json: tokenizer_class: expected GPT2Tokenizer, "
                       "RobertaTokenizer or BartTokenizer beside vocab.json, found '%s'; a "
                       "tokenizer.json says how it works (save_pretrained of the fast tokenizer)",
                       path, json_string_value(json_object_get(settings, "tokenizer_class")));
    if (class == ROBERTA && (!json_object_get(vocab, "<s>") || !json_object_get(vocab, "</s>")))
        return ns_fail(err, NS_EINPUT, "%s: expected the words <s> and </s>, found none", path);
    bool prefix = json_is_true(json_object_get(settings, "add_prefix_space"));
    json_t *words = class == GPT2 ? added(vocab, gpt2, 1) : added(vocab, roberta, 5);
    *out = json_pack("{s:o, s:{s:s, s:b}, s:o, s:{s:s}, s:{s:s, s:O, s:O}}", "added_tokens", words,
                     "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", prefix,
                     "post_processor", post_of(class, vocab, prefix), "decoder", "type",
                     "ByteLevel", "model", "type", "BPE", "vocab", vocab, "merges", merges);
    return *out ? NS_OK : ns_fail(err, NS_EFAIL, "out of memory");
}

int ns_form_vocab_json(json_t **out, const char *path, const json_t *settings, ns_error *err) {
    json_t *vocab = NULL, *merges = json_array();
    char *folder = ns_folder_of(path, err),
         *list = folder ? ns_path_join(folder, "merges.txt", err) : NULL;
    *out = NULL;
    int status = list ? ns_load_json(&vocab, path, err) : NS_EFAIL;
    if (!status) status = read_merges(merges, list, err);
    if (!status) status = describe(out, vocab, merges, path, settings, err);
    json_decref(vocab);
    json_decref(merges);
    free(folder);
    free(list);
    return status;
}
