/* GGUF's words for networks, as llama.cpp's converter (convert_hf_to_gguf.py, gguf-py/gguf/constants.py) has them, in Hugging Face's: keys
 * of config.json and names of tensors. So families know nothing of GGUF. An architecture is one row of `architectures`. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/weights/gguf_internal.h"

typedef struct pair {
    const char *gguf, *face;
} pair;

typedef struct architecture {
    const char *name;  /* general.architecture, which begins its keys, too */
    const char *fixed; /* JSON: what the converter takes for granted */
    const pair *keys;  /* behind "NAME." */
    const pair *parts; /* beginnings of tensors' names; "blk.%d." is a block */
    bool turns_pairs;  /* rows of queries and keys stand so that neighbours turn together */
    bool has_head;     /* without output.weight the head is the rows of words */
} architecture;

/* ---- keys ---- */

static const pair llama_keys[] = {{"vocab_size", "vocab_size"},
                                  {"context_length", "max_position_embeddings"},
                                  {"embedding_length", "hidden_size"},
                                  {"block_count", "num_hidden_layers"},
                                  {"feed_forward_length", "intermediate_size"},
                                  {"attention.head_count", "num_attention_heads"},
                                  {"attention.head_count_kv", "num_key_value_heads"},
                                  {"attention.key_length", "head_dim"},
                                  {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                  {"attention.sliding_window", "sliding_window"},
                                  {"rope.freq_base", "rope_theta"},
                                  {NULL, NULL}};

static const pair gpt2_keys[] = {{"vocab_size", "vocab_size"},
                                 {"context_length", "n_positions"},
                                 {"embedding_length", "n_embd"},
                                 {"block_count", "n_layer"},
                                 {"feed_forward_length", "n_inner"},
                                 {"attention.head_count", "n_head"},
                                 {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
                                 {NULL, NULL}};

static const pair bert_keys[] = {{"vocab_size", "vocab_size"},
                                 {"context_length", "max_position_embeddings"},
                                 {"embedding_length", "hidden_size"},
                                 {"block_count", "num_hidden_layers"},
                                 {"feed_forward_length", "intermediate_size"},
                                 {"attention.head_count", "num_attention_heads"},
                                 {"attention.layer_norm_epsilon", "layer_norm_eps"},
                                 {NULL, NULL}};

/* Keys of every architecture that change nothing while they have this value (JSON; "any": whatever it is). */
static const pair harmless[] = {{"attention.causal", "any"}, /* as the architecture has it */
                                {"pooling_type", "any"},     /* behind all sites */
                                {"rope.scaling.finetuned", "any"},
                                {"rope.scale_linear", "1"},
                                {"expert_count", "0"},
                                {"expert_used_count", "0"},
                                {"attention.max_alibi_bias", "0"},
                                {"attention.clamp_kqv", "0"},
                                {"use_parallel_residual", "false"},
                                {"logit_scale", "1"},
                                {"tensor_data_layout", "\"Meta AI original pth\""}};

/* ---- tensors ---- */

#define LLAMA_BLOCK "model.layers.%d."
static const pair llama_parts[] = {{"token_embd.", "model.embed_tokens."},
                                   {"output_norm.", "model.norm."},
                                   {"output.", "lm_head."},
                                   {"blk.%d.attn_norm.", LLAMA_BLOCK "input_layernorm."},
                                   {"blk.%d.attn_q.", LLAMA_BLOCK "self_attn.q_proj."},
                                   {"blk.%d.attn_k.", LLAMA_BLOCK "self_attn.k_proj."},
                                   {"blk.%d.attn_v.", LLAMA_BLOCK "self_attn.v_proj."},
                                   {"blk.%d.attn_q_norm.", LLAMA_BLOCK "self_attn.q_norm."},
                                   {"blk.%d.attn_k_norm.", LLAMA_BLOCK "self_attn.k_norm."},
                                   {"blk.%d.attn_output.", LLAMA_BLOCK "self_attn.o_proj."},
                                   {"blk.%d.ffn_norm.", LLAMA_BLOCK "post_attention_layernorm."},
                                   {"blk.%d.ffn_gate.", LLAMA_BLOCK "mlp.gate_proj."},
                                   {"blk.%d.ffn_up.", LLAMA_BLOCK "mlp.up_proj."},
                                   {"blk.%d.ffn_down.", LLAMA_BLOCK "mlp.down_proj."},
                                   {NULL, NULL}};

#define GPT2_BLOCK "transformer.h.%d."
static const pair gpt2_parts[] = {{"token_embd.", "transformer.wte."},
                                  {"position_embd.", "transformer.wpe."},
                                  {"output_norm.", "transformer.ln_f."},
                                  {"output.", "lm_head."},
                                  {"blk.%d.attn_norm.", GPT2_BLOCK "ln_1."},
                                  {"blk.%d.attn_qkv.", GPT2_BLOCK "attn.c_attn."},
                                  {"blk.%d.attn_output.", GPT2_BLOCK "attn.c_proj."},
                                  {"blk.%d.ffn_norm.", GPT2_BLOCK "ln_2."},
                                  {"blk.%d.ffn_up.", GPT2_BLOCK "mlp.c_fc."},
                                  {"blk.%d.ffn_down.", GPT2_BLOCK "mlp.c_proj."},
                                  {NULL, NULL}};

#define BERT_BLOCK "encoder.layer.%d."
static const pair bert_parts[] = {
    {"token_embd.", "embeddings.word_embeddings."},
    {"position_embd.", "embeddings.position_embeddings."},
    {"token_types.", "embeddings.token_type_embeddings."},
    {"token_embd_norm.", "embeddings.LayerNorm."},
    {"blk.%d.attn_q.", BERT_BLOCK "attention.self.query."},
    {"blk.%d.attn_k.", BERT_BLOCK "attention.self.key."},
    {"blk.%d.attn_v.", BERT_BLOCK "attention.self.value."},
    {"blk.%d.attn_output.", BERT_BLOCK "attention.output.dense."},
    {"blk.%d.attn_output_norm.", BERT_BLOCK "attention.output.LayerNorm."},
    {"blk.%d.ffn_up.", BERT_BLOCK "intermediate.dense."},
    {"blk.%d.ffn_down.", BERT_BLOCK "output.dense."},
    {"blk.%d.layer_output_norm.", BERT_BLOCK "output.LayerNorm."},
    {"cls.output.", "classifier.out_proj."},
    {"cls.", "classifier.dense."},
    {NULL, NULL}};

/* ---- architectures ---- */

/* The converter turns Hugging Face's GPT-2's matrices, so that they look like nanoGPT's; the function is the one that its models have. */
static const architecture architectures[] = {
    {.name = "llama",
     .fixed = "{\"model_type\": \"llama\"}",
     .keys = llama_keys,
     .parts = llama_parts,
     .turns_pairs = true,
     .has_head = true},
    {.name = "qwen2",
     .fixed = "{\"model_type\": \"qwen2\"}",
     .keys = llama_keys,
     .parts = llama_parts,
     .has_head = true},
    {.name = "qwen3",
     .fixed = "{\"model_type\": \"qwen3\"}",
     .keys = llama_keys,
     .parts = llama_parts,
     .has_head = true},
    {.name = "gpt2",
     .fixed = "{\"model_type\": \"gpt2\", \"activation_function\": \"gelu_new\"}",
     .keys = gpt2_keys,
     .parts = gpt2_parts,
     .has_head = true},
    {.name = "bert",
     .fixed = "{\"model_type\": \"bert\"}",
     .keys = bert_keys,
     .parts = bert_parts}};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

static int no_memory(const ns_weights_file *file, ns_error *err) {
    return ns_fail(err, NS_EFAIL, "%s: no memory", file->path);
}

static int find_architecture(const ns_weights_file *file, const architecture **out, ns_error *err) {
    const char *type = json_string_value(json_object_get(file->metadata, "general.type"));
    const char *name = json_string_value(json_object_get(file->metadata, "general.architecture"));
    if (type && strcmp(type, "model") != 0)
        return ns_fail(err, NS_EINPUT,
                       "%s: general.type: expected \"model\", found \"%.60s\", which is no network "
                       "by itself",
                       file->path, type);
    for (int i = 0; name && i < ARCHITECTURES; i++)
        if (!strcmp(architectures[i].name, name)) {
            *out = &architectures[i];
            return NS_OK;
        }
    ns_fail(err, NS_EINPUT, "%s: general.architecture: expected ", file->path);
    for (int i = 0; i < ARCHITECTURES; i++)
        ns_fail_more(err, "%s%s", i ? i + 1 < ARCHITECTURES ? ", " : " or " : "",
                     architectures[i].name);
    ns_fail_more(err, ", found %.60s", name ? name : "no text");
    return NS_EINPUT;
}

/* ---- config ---- */

static int set(ns_weights_file *file, const char *face, const char *gguf, json_t *value,
               ns_error *err) {
    if (!value || json_object_set_new(file->config, face, value) ||
        json_object_set_new(file->config_keys, face, json_string(gguf)))
        return no_memory(file, err);
    return NS_OK;
}

/* Whether a value is what a harmless key may be. */
static bool is_allowed(const char *allowed, const json_t *value) {
    if (!strcmp(allowed, "any")) return true;
    json_t *expected = json_loads(allowed, JSON_DECODE_ANY, NULL);
    bool same = json_is_number(expected) && json_is_number(value)
                    ? !(json_number_value(expected) < json_number_value(value)) &&
                          !(json_number_value(expected) > json_number_value(value))
                    : json_equal(expected, value);
    json_decref(expected);
    return same;
}

static int refuse_key(const ns_weights_file *file, const char *key, const char *expected,
                      const json_t *value, ns_error *err) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    ns_fail(err, NS_EINPUT, "%s: %s: expected %s, found %.80s", file->path, key, expected,
            text ? text : "something else");
    free(text);
    return NS_EINPUT;
}

/* Keys whose value says the same as another's, or what the family asks in other words. */
static int take_special(const ns_weights_file *file, const architecture *a, const char *name,
                        const char *key, const json_t *value, bool *taken, ns_error *err) {
    char other[96], expected[96];
    json_int_t heads, dim, width;
    if (!strcmp(name, "rope.scaling.type") || !strcmp(name, "rope.scaling.factor")) {
        *taken = true; /* together: take_scaling */
        return NS_OK;
    }
    *taken = !strcmp(name, "rope.dimension_count") || !strcmp(name, "attention.value_length");
    if (!*taken) return NS_OK;
    snprintf(other, sizeof other, "%s.attention.head_count", a->name);
    heads = json_integer_value(json_object_get(file->metadata, other));
    snprintf(other, sizeof other, "%s.embedding_length", a->name);
    width = json_integer_value(json_object_get(file->metadata, other));
    snprintf(other, sizeof other, "%s.attention.key_length", a->name);
    dim = json_integer_value(json_object_get(file->metadata, other));
    if (!dim && heads > 0) dim = width / heads;
    if (json_is_integer(value) && json_integer_value(value) == dim) return NS_OK;
    snprintf(expected, sizeof expected, "%lld, the channels of a head", (long long)dim);
    return refuse_key(file, key, expected, value, err);
}

static int take_key(ns_weights_file *file, const architecture *a, const char *key,
                    const json_t *value, ns_error *err) {
    const char *name = key + strlen(a->name) + 1;
    for (const pair *p = a->keys; p->gguf; p++)
        if (!strcmp(p->gguf, name)) {
            if (!json_is_number(value)) return refuse_key(file, key, "a number", value, err);
            return set(file, p->face, key, json_copy((json_t *)(uintptr_t)value), err);
        }
    bool taken;
    int status = take_special(file, a, name, key, value, &taken, err);
    if (status || taken) return status;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        if (strcmp(harmless[i].gguf, name) != 0) continue;
        return is_allowed(harmless[i].face, value)
                   ? NS_OK
                   : refuse_key(file, key, harmless[i].face, value, err);
    }
    return refuse_key(file, key,
                      "no setting that is not known here: it may change what the network computes",
                      value, err);
}

/* "general.", "tokenizer." and what tools note change nothing; other keys must be the architecture's. */
static int take_keys(ns_weights_file *file, const architecture *a, ns_error *err) {
    static const char *const beside[] = {"general.", "tokenizer.", "split.", "quantize."};
    const size_t length = strlen(a->name);
    const char *key;
    json_t *value;
    int status = NS_OK;
    json_object_foreach(file->metadata, key, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
            known |= !strncmp(key, beside[i], strlen(beside[i]));
        if (known) continue;
        if (!strncmp(key, a->name, length) && key[length] == '.')
            status = take_key(file, a, key, value, err);
        else if (!strcmp(key, "normscope.vocabulary.rows")) /* scripts/make_minilm.py */
            status = set(file, "vocabulary_rows", key, json_copy((json_t *)(uintptr_t)value), err);
        else
            status = refuse_key(file, key, "keys of general, tokenizer and the architecture alone",
                                value, err);
        if (status) return status;
    }
    return status;
}

/* Scaled rotary positions: linear ones are told as Hugging Face tells them. */
static int take_scaling(ns_weights_file *file, const architecture *a, ns_error *err) {
    char type_key[96], factor_key[96];
    snprintf(type_key, sizeof type_key, "%s.rope.scaling.type", a->name);
    snprintf(factor_key, sizeof factor_key, "%s.rope.scaling.factor", a->name);
    const json_t *type = json_object_get(file->metadata, type_key),
                 *factor = json_object_get(file->metadata, factor_key);
    const char *word = json_string_value(type);
    const bool linear = word && !strcmp(word, "linear"), none = !word || !strcmp(word, "none");
    if ((type && !word) || (!linear && !none))
        return refuse_key(file, type_key, "\"none\" or \"linear\"", type, err);
    if (factor && !json_is_number(factor))
        return refuse_key(file, factor_key, "a number", factor, err);
    if (!linear)
        return !factor || is_allowed("1", factor)
                   ? NS_OK
                   : refuse_key(file, factor_key, "1 without a type", factor, err);
    return set(file, "rope_scaling", type_key,
               json_pack("{s:s, s:f}", "rope_type", "linear", "factor",
                         factor ? json_number_value(factor) : 1.0),
               err);
}

/* What the tokenizer's keys say of the network, and tensors that are not there. */
static int take_rest(ns_weights_file *file, const architecture *a, bool own_head, ns_error *err) {
    static const pair keys[] = {{"tokenizer.ggml.padding_token_id", "pad_token_id"},
                                {"tokenizer.ggml.token_type_count", "type_vocab_size"}};
    int status = NS_OK;
    const bool types = !strcmp(a->name, "bert");
    for (int i = 0; i < 2 && types && !status; i++) {
        const json_t *value = json_object_get(file->metadata, keys[i].gguf);
        if (json_is_integer(value))
            status =
                set(file, keys[i].face, keys[i].gguf, json_copy((json_t *)(uintptr_t)value), err);
    }
    if (!status && a->has_head)
        status = set(file, "tie_word_embeddings",
                     own_head ? "tensor output.weight" : "no tensor output.weight",
                     json_boolean(!own_head), err);
    return status;
}

/* ---- names ---- */

/* Whether `name` begins as the template does; *block is its number and *rest what follows. */
static bool matches(const char *template, const char *name, int *block, const char **rest) {
    *block = 0;
    for (; *template; template ++) {
        if (*template != '%') {
            if (*name++ != *template) return false;
            continue;
        }
        template ++; /* d */
        int digits = 0;
        if (*name == '0' && name[1] >= '0' && name[1] <= '9') return false;
        for (; *name >= '0' && *name <= '9'; name++)
            if (++digits <= 6) *block = 10 * *block + (*name - '0');
        if (digits < 1 || digits > 6) return false;
    }
    *rest = name;
    return !strcmp(name, "weight") || !strcmp(name, "bias");
}

static char *translated(const architecture *a, const char *name, ns_error *err, bool *known) {
    int block;
    const char *rest;
    *known = false;
    for (const pair *p = a->parts; p->gguf; p++) {
        if (!matches(p->gguf, name, &block, &rest)) continue;
        *known = true;
        const char *number = strstr(p->face, "%d");
        return number ? ns_asprintf(err, "%.*s%d%s%s", (int)(number - p->face), p->face, block,
                                    number + 2, rest)
                      : ns_asprintf(err, "%s%s", p->face, rest);
    }
    return NULL;
}

/* The heads that the rows of a tensor are of, 0 where they stand as they should. */
static int find_order(const ns_weights_file *file, const architecture *a, const ns_stored *t,
                      const char *name, int64_t *heads, ns_error *err) {
    const char *dot = strchr(name, '.');
    const char *part = dot ? strchr(dot + 1, '.') : NULL;
    *heads = 0;
    if (!a->turns_pairs || !part) return NS_OK;
    const bool queries = !strncmp(part, ".attn_q.", 8), keys = !strncmp(part, ".attn_k.", 8);
    if (!queries && !keys) return NS_OK;
    const json_t *all = json_object_get(file->config, "num_attention_heads"),
                 *shared = json_object_get(file->config, "num_key_value_heads");
    const json_int_t n = json_integer_value(keys && shared ? shared : all);
    const int64_t rows = t->info.shape[0];
    if (n < 1 || rows % n || rows / n % 2 || (t->info.dims == 1 && t->type->values != 1))
        return ns_fail(err, NS_EINPUT,
                       "%s: tensor %s: expected rows of %lld heads of an even number of channels, "
                       "found %lld",
                       file->path, name, (long long)n, (long long)rows);
    *heads = n;
    return NS_OK;
}

static int take_tensors(ns_weights_file *file, const architecture *a, ns_gguf_order *orders,
                        bool *own_head, ns_error *err) {
    for (int i = 0; i < file->count; i++) {
        ns_stored *t = &file->tensors[i];
        bool known;
        char *name = (char *)(uintptr_t)t->info.name, *face = translated(a, name, err, &known);
        if (known && !face) return NS_EFAIL;
        if (!known)
            return ns_fail(err, NS_EINPUT,
                           "%s: tensor %s: expected those of the architecture %s "
                           "that are known here, found another%s",
                           file->path, name, a->name,
                           strcmp(name, "rope_freqs.weight") == 0
                               ? " (scaled rotary positions are not computed)"
                               : "");
        int status = find_order(file, a, t, name, &orders[i].heads, err);
        *own_head |= !strcmp(name, "output.weight");
        free(name);
        t->info.name = face;
        if (status) return status;
    }
    return NS_OK;
}

int ns_gguf_translate(ns_weights_file *file, ns_gguf_order *orders, ns_error *err) {
    const architecture *a = NULL;
    bool own_head = false;
    int status = find_architecture(file, &a, err);
    if (status || !a) return status;
    file->config = json_loads(a->fixed, 0, NULL);
    file->config_keys = json_object();
    if (!file->config || !file->config_keys) return no_memory(file, err);
    const char *key;
    json_t *value;
    json_object_foreach(file->config, key, value)
        json_object_set_new(file->config_keys, key, json_string("general.architecture"));
    status = take_keys(file, a, err);
    if (!status) status = take_scaling(file, a, err);
    if (!status) status = take_tensors(file, a, orders, &own_head, err);
    if (!status) status = take_rest(file, a, own_head, err);
    return status;
}
