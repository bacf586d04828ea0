#include "probe/weights/config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

struct ns_config_key {
    char name[64];
};

static const char *const places[] = {NULL, "model_args", "pretrained_cfg"};
enum { PLACES = sizeof places / sizeof *places, PRETRAINED = PLACES - 1 };

void ns_config_end(ns_config *c) {
    free(c->read);
    c->read = NULL;
    c->read_count = c->read_room = 0;
}

static bool was_read(const ns_config *c, const char *key) {
    for (int i = 0; i < c->read_count; i++)
        if (!strcmp(c->read[i].name, key)) return true;
    return false;
}

/* Without memory the key stays unread, and ns_config_all_read names it. */
static void record(ns_config *c, const char *key) {
    if (was_read(c, key)) return;
    if (c->read_count == c->read_room) {
        int room = 2 * c->read_room + 32;
        struct ns_config_key *read = ns_realloc(c->read, (size_t)room, sizeof *read, NULL);
        if (!read) return;
        c->read = read;
        c->read_room = room;
    }
    snprintf(c->read[c->read_count++].name, sizeof c->read->name, "%s", key);
}

/* The name of the p-th object that is read, NULL for all of the file, and the object. */
static const char *place(const ns_config *c, int p) {
    return p ? places[p] : c->within;
}

static const json_t *object_at(const ns_config *c, int p) {
    const json_t *config = ns_weights_config(c->weights);
    return place(c, p) ? json_object_get(config, place(c, p)) : config;
}

/* Where a key of the p-th place stands: "config.json: model_args.depth", or as the file that brings its own config calls it. */
static void say_origin(const ns_config *c, int p, const char *key, ns_origin from) {
    const char *in = place(c, p), *own = in ? NULL : ns_weights_config_key(c->weights, key);
    if (own)
        snprintf(from, sizeof(ns_origin), "%s: %s", ns_weights_format_title(c->weights), own);
    else
        snprintf(from, sizeof(ns_origin), "config.json: %s%s%s", in ? in : "", in ? "." : "", key);
}

const json_t *ns_config_find(ns_config *c, const char *keys, ns_origin from) {
    const json_t *config = ns_weights_config(c->weights), *first = NULL;
    for (int p = 0; p < PLACES && config; p++) {
        const json_t *object = object_at(c, p);
        for (const char *key = keys; *key;) {
            char name[64];
            size_t n = strcspn(key, "|");
            snprintf(name, sizeof name, "%.*s", (int)n, key);
            key += n + (key[n] == '|');
            record(c, name);
            const json_t *value = json_object_get(object, name);
            if (first || !value || json_is_null(value)) continue;
            say_origin(c, p, name, from);
            first = value;
        }
    }
    return first;
}

/* What follows "config.json: " in an origin. */
static const char *key_of(const char *from) {
    const char *key = strstr(from, ": ");
    return key ? key + 2 : from;
}

int ns_config_refuse(ns_config *c, const ns_origin from, const char *expected,
                     const json_t *found) {
    bool config = strncmp(from, "preprocessor_config.json", 24) != 0;
    char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    ns_fail(c->err, NS_EINPUT, "%s: \"%s\": expected %s, found %.80s",
            config ? ns_weights_config_path(c->weights) : ns_weights_preprocessor_path(c->weights),
            key_of(from), expected, text ? text : "something else");
    free(text);
    return NS_EINPUT;
}

int ns_config_contradicts(ns_config *c, const ns_origin from, const char *expected,
                          const char *found) {
    return ns_fail(c->err, NS_EINPUT, "%s: \"%s\": expected %s, found %s",
                   ns_weights_config_path(c->weights), key_of(from), expected, found);
}

static bool are_equal(const json_t *a, const json_t *b) {
    return json_equal(a, b) ||
           (json_is_number(a) && json_is_number(b) && json_number_value(a) == json_number_value(b));
}

/* Another of `keys`, or the same key in another place, says something else than `value`, which stands at `from`. What pretrained_cfg says
 * is of the weights that a training began with: the others come before it. */
static int refuse_if_disputed(ns_config *c, const char *keys, const ns_origin from,
                              const json_t *value) {
    for (int p = 0; p < PRETRAINED; p++) {
        const json_t *object = object_at(c, p);
        for (const char *key = keys; *key; key += *key == '|') {
            char name[64];
            size_t n = strcspn(key, "|");
            snprintf(name, sizeof name, "%.*s", (int)n, key);
            key += n;
            const json_t *other = json_object_get(object, name);
            if (!other || json_is_null(other) || are_equal(value, other)) continue;
            ns_origin elsewhere;
            char expected[160], *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            say_origin(c, p, name, elsewhere);
            snprintf(expected, sizeof expected, "%.60s as under \"%s\"", text ? text : "the same",
                     key_of(from));
            free(text);
            return ns_config_refuse(c, elsewhere, expected, other);
        }
    }
    return NS_OK;
}

int ns_config_int(ns_config *c, const char *keys, int64_t least, int64_t most, int64_t *value,
                  bool *found, ns_origin from) {
    const json_t *j = ns_config_find(c, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    char expected[96];
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)least,
             (long long)most);
    if (!json_is_integer(j) || json_integer_value(j) < least || json_integer_value(j) > most)
        return ns_config_refuse(c, from, expected, j);
    *value = json_integer_value(j);
    return refuse_if_disputed(c, keys, from, j);
}

int ns_config_real(ns_config *c, const char *keys, double least, double most, double *value,
                   bool *found, ns_origin from) {
    const json_t *j = ns_config_find(c, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    char expected[96];
    snprintf(expected, sizeof expected, "a number from %g to %g", least, most);
    double said = json_number_value(j);
    if (!json_is_number(j) || !(said >= least && said <= most))
        return ns_config_refuse(c, from, expected, j);
    *value = said;
    return refuse_if_disputed(c, keys, from, j);
}

int ns_config_word(ns_config *c, const char *keys, const char **value, bool *found,
                   ns_origin from) {
    const json_t *j = ns_config_find(c, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    if (!json_is_string(j)) return ns_config_refuse(c, from, "a word", j);
    *value = json_string_value(j);
    return refuse_if_disputed(c, keys, from, j);
}

int ns_config_flag(ns_config *c, const char *keys, bool *value, bool *found, ns_origin from) {
    const json_t *j = ns_config_find(c, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    if (!json_is_boolean(j)) return ns_config_refuse(c, from, "true or false", j);
    *value = json_is_true(j);
    return refuse_if_disputed(c, keys, from, j);
}

int ns_config_check_fixed(ns_config *c, const ns_config_fixed *fixed, int count) {
    for (int i = 0; i < count; i++) {
        ns_origin from;
        const json_t *j = ns_config_find(c, fixed[i].key, from);
        json_t *expected = j ? json_loads(fixed[i].value, JSON_DECODE_ANY, NULL) : NULL;
        bool same = !j || are_equal(expected, j);
        json_decref(expected);
        if (!same) return ns_config_refuse(c, from, fixed[i].value, j);
        int status = j ? refuse_if_disputed(c, fixed[i].key, from, j) : NS_OK;
        if (status) return status;
    }
    return NS_OK;
}

/* Keys that change nothing that a norm sees when a network is run, in the words of transformers 4 and 5 and timm 1.0: names, what is
 * returned, how text is made, what training drops, how weights begin, kinds of numbers, ids of special tokens. */
static const char *const harmless[] = {"_attn_implementation",
                                       "_attn_implementation_autoset",
                                       "_commit_hash",
                                       "_name_or_path",
                                       "_num_labels",
                                       "architecture",
                                       "architectures",
                                       "assistant_confidence_threshold",
                                       "assistant_lookbehind",
                                       "attention_dropout",
                                       "attention_probs_dropout_prob",
                                       "attn_drop_rate",
                                       "attn_implementation",
                                       "attn_pdrop",
                                       "auto_map",
                                       "bad_words_ids",
                                       "begin_suppress_tokens",
                                       "bos_token_id",
                                       "cache_implementation",
                                       "chunk_size_feed_forward",
                                       "classifier",
                                       "classifier_dropout",
                                       "cls_token_id",
                                       "custom_load",
                                       "decoder_start_token_id",
                                       "description",
                                       "device",
                                       "directionality",
                                       "diversity_penalty",
                                       "do_sample",
                                       "drop_path_rate",
                                       "drop_rate",
                                       "dtype",
                                       "dynamic_img_size",
                                       "early_stopping",
                                       "embd_pdrop",
                                       "encoder_no_repeat_ngram_size",
                                       "encoder_repetition_penalty",
                                       "encoder_stride",
                                       "eos_token_id",
                                       "epsilon_cutoff",
                                       "eta_cutoff",
                                       "experts_implementation",
                                       "exponential_decay_length_penalty",
                                       "file",
                                       "finetuning_task",
                                       "first_conv",
                                       "fix_init",
                                       "fixed_input_size",
                                       "forced_bos_token_id",
                                       "forced_eos_token_id",
                                       "gradient_checkpointing",
                                       "hf_hub_filename",
                                       "hf_hub_id",
                                       "hidden_dropout",
                                       "hidden_dropout_prob",
                                       "id2label",
                                       "initializer_factor",
                                       "initializer_range",
                                       "keep_cls",
                                       "label2id",
                                       "label_descriptions",
                                       "label_names",
                                       "label_offset",
                                       "language",
                                       "length_penalty",
                                       "library_name",
                                       "license",
                                       "mask_token_id",
                                       "max_length",
                                       "max_sequence_length",
                                       "min_input_size",
                                       "min_length",
                                       "model_args",
                                       "model_max_length",
                                       "model_name",
                                       "name_or_path",
                                       "naming",
                                       "no_embed_class",
                                       "no_repeat_ngram_size",
                                       "notes",
                                       "num_assistant_tokens",
                                       "num_assistant_tokens_schedule",
                                       "num_beam_groups",
                                       "num_beams",
                                       "num_features",
                                       "num_labels",
                                       "num_return_sequences",
                                       "origin_url",
                                       "output_attentions",
                                       "output_hidden_states",
                                       "output_past",
                                       "output_scores",
                                       "pad_token_id",
                                       "paper_ids",
                                       "paper_name",
                                       "patch_drop_rate",
                                       "pool_size",
                                       "pooler_act",
                                       "pooler_fc_size",
                                       "pooler_num_attention_heads",
                                       "pooler_num_fc_layers",
                                       "pooler_output_size",
                                       "pooler_size_per_head",
                                       "pooler_type",
                                       "pos_drop_rate",
                                       "predict_special_tokens",
                                       "prefix",
                                       "pretrained",
                                       "pretrained_cfg",
                                       "pretrained_strict",
                                       "pretraining_tp",
                                       "problem_type",
                                       "proj_drop_rate",
                                       "remove_invalid_values",
                                       "reorder_and_upcast_attn",
                                       "repetition_penalty",
                                       "resid_pdrop",
                                       "return_dict",
                                       "return_dict_in_generate",
                                       "sep_token_id",
                                       "source",
                                       "source_url",
                                       "state_dict",
                                       "strict_img_size",
                                       "summary_activation",
                                       "summary_first_dropout",
                                       "summary_last_dropout",
                                       "summary_proj_to_labels",
                                       "summary_type",
                                       "summary_use_proj",
                                       "suppress_tokens",
                                       "tag",
                                       "target_lookbehind",
                                       "task_specific_params",
                                       "temperature",
                                       "test_crop_pct",
                                       "test_input_size",
                                       "test_pool_size",
                                       "tf_legacy_loss",
                                       "tie_last_hidden_states",
                                       "tokenizer_class",
                                       "top_k",
                                       "top_p",
                                       "torch_dtype",
                                       "torchscript",
                                       "transformers.js_config",
                                       "transformers_version",
                                       "typical_p",
                                       "unk_token_id",
                                       "unsloth_fixed",
                                       "unsloth_version",
                                       "url",
                                       "use_bfloat16",
                                       "use_cache",
                                       "use_return_dict",
                                       "weight_init"};

static bool is_harmless(const char *key) {
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (!strcmp(harmless[i], key)) return true;
    return false;
}

/* NS_EINPUT where an object, called `in`, or NULL for all of the file, has a key that was not read. */
static int check_keys(ns_config *c, const char *in, const json_t *object) {
    const char *key;
    json_t *value;
    if (object && !json_is_object(object) && !json_is_null(object)) {
        ns_origin from;
        snprintf(from, sizeof from, "config.json: %s", in);
        return ns_config_refuse(c, from, "an object", object);
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (json_is_null(value) || was_read(c, key) || is_harmless(key)) continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
        ns_fail(c->err, NS_EINPUT,
                "%s: \"%s%s%s\": found %.60s, expected no setting that is not known here: it "
                "may change what the network computes (take it out if it does not)",
                ns_weights_config_path(c->weights), in ? in : "", in ? "." : "", key,
                text ? text : "something");
        free(text);
        return NS_EINPUT;
    }
    return NS_OK;
}

int ns_config_all_read(ns_config *c) {
    const json_t *config = ns_weights_config(c->weights);
    int status = c->within ? check_keys(c, NULL, config) : NS_OK;
    for (int p = 0; p < PLACES && config && !status; p++)
        status = check_keys(c, place(c, p), object_at(c, p));
    return status;
}
