/* A tokenizer from its files. Each form is brought to what a tokenizer.json says, which alone is read into a tokenizer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/forms.h"
#include "datasets/tokenizers/internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

enum { MOST_FILE = 1 << 28 };

/* The forms, by the file that a folder has: the first that is there counts. */
static const struct {
    const char *file;
    /* Reads the file (and those beside it) into a description of the form of a tokenizer.json, to be freed by json_decref. */
    int (*describe)(json_t **out, const char *path, const json_t *settings, ns_error *err);
} forms[] = {{"tokenizer.json", ns_form_json},
             {"vocab.txt", ns_form_vocab_txt},
             {"vocab.json", ns_form_vocab_json}};
enum { FORMS = sizeof forms / sizeof *forms };

int ns_load_json(json_t **out, const char *path, ns_error *err) {
    char *text;
    size_t size;
    json_error_t where;
    int status = ns_read_text(&text, &size, path, MOST_FILE, err);
    if (status) return status;
    *out = json_loadb(text, size, JSON_ALLOW_NUL, &where);
    /* transformers writes 10^30 as model_max_length where there is no limit. */
    if (!*out && json_error_code(&where) == json_error_numeric_overflow)
        *out = json_loadb(text, size, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &where);
    free(text);
    if (*out) return NS_OK;
    return ns_fail(err, NS_EINPUT, "%s:%d: expected JSON, found: %s", path, where.line, where.text);
}

int ns_form_json(json_t **out, const char *path, const json_t *settings, ns_error *err) {
    (void)settings;
    return ns_load_json(out, path, err);
}

/* Whether a decoder, or one in its Sequence, is ByteLevel: then words are written in the letters that stand for bytes. */
static bool decodes_bytes(const json_t *decoder, int depth) {
    const char *type = json_string_value(json_object_get(decoder, "type"));
    const json_t *list = json_object_get(decoder, "decoders");
    if (type && strcmp(type, "ByteLevel") == 0) return true;
    for (size_t i = 0; i < json_array_size(list) && depth < 8; i++)
        if (decodes_bytes(json_array_get(list, i), depth + 1)) return true;
    return false;
}

int ns_tokenizer_from_json(ns_tokenizer *t, const ns_node *root) {
    int status = ns_node_keys(root, "version|truncation|padding|added_tokens|normalizer|"
                                    "pre_tokenizer|post_processor|decoder|model");
    if (status) return status;
    ns_node model = ns_node_under(root, "model"), added = ns_node_under(root, "added_tokens"),
            normalizer = ns_node_under(root, "normalizer"),
            pretokenizer = ns_node_under(root, "pre_tokenizer"),
            post = ns_node_under(root, "post_processor");
    status = ns_segmenter_open(&t->segmenter, &t->segmenter_state, &model, t->words);
    if (!status) status = ns_normalizers_open(&t->normalizers, &normalizer);
    if (!status) status = ns_pretokenizers_open(&t->pretokenizers, &pretokenizer);
    if (!status) status = ns_added_open(&t->added, &added, t->words, &t->normalizers);
    if (!status) status = ns_posts_open(&t->template, &post);
    if (status) return status;
    t->byte_level = decodes_bytes(json_object_get(root->json, "decoder"), 0);
    int32_t more = ns_vocabulary_size(ns_added_words(t->added));
    t->size = ns_vocabulary_size(t->words);
    if (more > t->size) t->size = more;
    for (size_t i = 0; i < t->template.before_count; i++)
        if (t->template.before[i] >= t->size) return ns_node_refuse(&post, "ids of the vocabulary");
    for (size_t i = 0; i < t->template.after_count; i++)
        if (t->template.after[i] >= t->size) return ns_node_refuse(&post, "ids of the vocabulary");
    return t->size ? NS_OK : ns_node_refuse(&model, "a word at least");
}

/* The JSON file of that name beside another, an empty object where there is none. */
static int load_beside(json_t **out, const char *folder, const char *name, ns_error *err) {
    char *path = ns_path_join(folder, name, err);
    int status = path ? NS_OK : NS_EFAIL;
    *out = NULL;
    if (path && ns_is_there(path))
        status = ns_load_json(out, path, err);
    else if (!status && !(*out = json_object()))
        status = ns_fail(err, NS_EFAIL, "out of memory");
    free(path);
    return status;
}

static int read_form(ns_tokenizer *t, size_t form, const char *path, const char *folder,
                     ns_error *err) {
    static const char *const beside[] = {"tokenizer_config.json", "special_tokens_map.json"};
    json_t *root = NULL, *settings[2] = {NULL, NULL};
    int status = NS_OK;
    for (int i = 0; i < 2 && !status; i++)
        status = load_beside(&settings[i], folder, beside[i], err);
    if (!status) status = forms[form].describe(&root, path, settings[0], err);
    if (!status) status = ns_tokenizer_from_json(t, &(ns_node){root, path, "", err});
    for (int i = 0; i < 2 && !status; i++)
        status = ns_tokenizer_read_roles(t, &(ns_node){settings[i], beside[i], "", err});
    if (!status) ns_tokenizer_guess_roles(t);
    for (int i = 0; i < 2; i++) json_decref(settings[i]);
    json_decref(root);
    return status;
}

/* Which form a file has by its name, FORMS where it has none of theirs; any other *.json is a tokenizer.json. */
static size_t form_of(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t form = 0, size = strlen(name);
    while (form < FORMS && strcmp(name, forms[form].file) != 0) form++;
    if (form == FORMS && size > 5 && strcmp(name + size - 5, ".json") == 0) form = 0;
    return form;
}

/* The first form whose file is in the folder, and that file's path. */
static int find_form(const char *folder, size_t *form, char **path, ns_error *err) {
    for (*form = 0; *form < FORMS; ++*form) {
        *path = ns_path_join(folder, forms[*form].file, err);
        if (!*path) return NS_EFAIL;
        if (ns_is_there(*path)) return NS_OK;
        free(*path);
    }
    *path = NULL;
    return NS_OK;
}

bool ns_tokenizer_is_there(const char *folder) {
    size_t form;
    char *path = NULL;
    ns_error err;
    bool there = !find_form(folder, &form, &path, &err) && path;
    free(path);
    return there;
}

int ns_tokenizer_open(ns_tokenizer **out, const char *path, ns_error *err) {
    bool inside = ns_is_folder(path);
    char *folder = inside ? ns_strdup(path, err) : ns_folder_of(path, err), *file = NULL;
    size_t form = 0;
    *out = NULL;
    int status = folder ? NS_OK : NS_EFAIL;
    if (!status && inside) status = find_form(path, &form, &file, err);
    if (!status && !inside) {
        form = form_of(path);
        file = form < FORMS ? ns_strdup(path, err) : NULL;
    }
    if (!status && !file)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected a tokenizer (tokenizer.json, vocab.txt, or vocab.json with "
                         "merges.txt), found none",
                         path);
    if (!status && !(*out = ns_tokenizer_new(err))) status = NS_EFAIL;
    if (!status) status = read_form(*out, form, file, folder, err);
    if (status) {
        ns_tokenizer_close(*out);
        *out = NULL;
        ns_fail_context(err, "%s", file ? file : path);
    }
    free(folder);
    free(file);
    return status;
}
