/* LLaMA (Touvron et al. 2023, arXiv 2302.13971) with Hugging Face's names: RMSNorm, rotary positions, heads of queries that share keys and
 * values, a gated MLP, and a head of its own or the rows of words again. */
#include <jansson.h>
#include <string.h>

#include "probe/models/reading.h"

#define BLOCK "@layers.%d."

static const ns_names names = {.name = "huggingface",
                               .prefixes = "model.|",
                               .parts = {[NS_PART_WORDS] = "@embed_tokens.weight",
                                         [NS_PART_NORM1] = BLOCK "input_layernorm",
                                         [NS_PART_Q] = BLOCK "self_attn.q_proj.",
                                         [NS_PART_K] = BLOCK "self_attn.k_proj.",
                                         [NS_PART_V] = BLOCK "self_attn.v_proj.",
                                         [NS_PART_QUERY_NORM] = BLOCK "self_attn.q_norm",
                                         [NS_PART_KEY_NORM] = BLOCK "self_attn.k_norm",
                                         [NS_PART_PROJECTION] = BLOCK "self_attn.o_proj.",
                                         [NS_PART_NORM2] = BLOCK "post_attention_layernorm",
                                         [NS_PART_GATE] = BLOCK "mlp.gate_proj.",
                                         [NS_PART_FC1] = BLOCK "mlp.up_proj.",
                                         [NS_PART_FC2] = BLOCK "mlp.down_proj.",
                                         [NS_PART_NORM] = "@norm",
                                         [NS_PART_HEAD] = "lm_head.",
                                         [NS_PART_UNUSED] = "@rotary_emb.inv_freq"}};

/* An object with the rotary base alone: positions that are scaled in any way are not understood. */
static int read_rope(ns_reading *r, const char *name, double *base, ns_origin from) {
    ns_origin inner;
    const json_t *parameters = ns_config_find(&r->config, name, inner);
    const char *key;
    json_t *value;
    if (parameters && !json_is_object(parameters))
        return ns_config_refuse(&r->config, inner, "an object", parameters);
    json_object_foreach((json_t *)(uintptr_t)parameters, key, value) {
        bool type = !strcmp(key, "rope_type") || !strcmp(key, "type");
        if (type && json_is_string(value) && !strcmp(json_string_value(value), "default")) continue;
        if (strcmp(key, "rope_theta") != 0 || !(json_number_value(value) >= 1))
            return ns_config_refuse(&r->config, inner,
                                    "rope_theta and \"rope_type\": \"default\" alone", parameters);
        *base = json_number_value(value);
        memcpy(from, inner, sizeof inner);
    }
    return NS_OK;
}

/* The rotary base: "rope_theta", or, from transformers 5 on, within "rope_parameters". */
static int read_rotary(ns_reading *r, ns_block_spec *spec) {
    double base = 10000;
    bool found;
    ns_origin from = "default";
    int status = ns_config_real(&r->config, "rope_theta", 1, 1e12, &base, &found, from);
    if (!found) memcpy(from, "default", 8);
    if (!status) status = read_rope(r, "rope_scaling", &base, from);
    if (!status) status = read_rope(r, "rope_parameters", &base, from);
    spec->rotary_base = base;
    if (!status && spec->dim % 2)
        status = ns_fail(r->err, NS_EINPUT,
                         "%s: expected heads of an even number of channels, found %zu",
                         ns_weights_path(r->model->weights), spec->dim);
    return status ? status : ns_reading_fact(r, "rotary base", from, "%g", base);
}

/* Qwen's keys of windows: one that is set, but not used, means nothing. */
static int check_windows(ns_reading *r) {
    ns_origin from;
    size_t i;
    const json_t *types = ns_config_find(&r->config, "layer_types", from), *type;
    json_array_foreach((json_t *)(uintptr_t)types, i,
                       type) if (!json_is_string(type) ||
                                 strcmp(json_string_value(type), "full_attention") !=
                                     0) return ns_config_refuse(&r->config, from,
                                                                "\"full_attention\" alone", type);
    if (types && !json_is_array(types))
        return ns_config_refuse(&r->config, from, "a list of words", types);
    ns_config_find(&r->config, "max_window_layers", from);
    return NS_OK;
}

/* Biases are what the tensors have; config.json must not say otherwise. */
static int check_biases(ns_reading *r) {
    static const struct {
        const char *key;
        ns_part part;
    } biases[] = {{"attention_bias", NS_PART_Q}, {"mlp_bias", NS_PART_FC1}};
    int status = NS_OK;
    for (int i = 0; i < 2 && !status; i++) {
        ns_name name;
        ns_origin from;
        bool has = ns_reading_name(r, biases[i].part, 0, "bias", &name), said = has, found;
        status = ns_config_flag(&r->config, biases[i].key, &said, &found, from);
        if (!status && said != has)
            status = ns_config_contradicts(&r->config, from, has ? "true" : "false",
                                           said ? "true" : "false");
    }
    return status;
}

static int build(ns_builder *b, const ns_block_spec *spec, const ns_naming *naming,
                 size_t vocabulary, size_t longest, bool tied) {
    ns_network *n = b->network;
    const size_t w = spec->width;
    n->input = NS_INPUT_WORDS;
    n->vocabulary = vocabulary;
    n->most_tokens = longest;
    n->head_of_words = true;
    const ns_linear words = ns_build_part_rows(b, naming, NS_PART_WORDS, vocabulary, w);
    const ns_word_rows embedding = {
        .vocabulary = vocabulary, .width = w, .words = words.weight, .packed = words.packed};
    int x = ns_build_buffer(b, NS_OF_TOKENS, w);
    ns_build_step(b, &ns_words_operation, NS_NO_BUFFER, NS_NO_BUFFER, x, &embedding,
                  sizeof embedding);
    x = ns_build_blocks(b, spec, naming, x);
    x = ns_build_part_norm(b, naming, NS_PART_NORM, 0, x, NS_ROLE_FINAL, true);
    ns_name name;
    if (ns_part_name(naming, &b->source, NS_PART_HEAD, 0, "weight", &name))
        ns_build_head(b, x, ns_build_part_layer(b, naming, NS_PART_HEAD, 0, vocabulary, w, false));
    else if (tied)
        ns_build_head(b, x, words);
    return b->status;
}

static int open_llama(ns_reading *r) {
    static const ns_config_fixed fixed[] = {
        {"is_decoder", "false"},         {"add_cross_attention", "false"},
        {"is_encoder_decoder", "false"}, {"tie_encoder_decoder", "false"},
        {"is_llama_config", "true"},     {"rope_interleaved", "false"},
        {"partial_rotary_factor", "1"},  {"use_sliding_window", "false"},
        {"pruned_heads", "{}"}};
    ns_block_spec spec = {.causal = true, .gated = true};
    int64_t none = 0, longest = 0;
    bool tied = false, found, silent;
    ns_origin from;
    r->usual_norm = "rmsnorm";
    int status = ns_read_norms(r, "rms_norm_eps", 1e-6);
    if (!status) status = ns_read_words(r, &spec, &none);
    if (!status) status = ns_read_blocks(r, &spec, "silu");
    if (!status) status = read_rotary(r, &spec);
    if (!status) status = check_biases(r);
    if (!status) status = check_windows(r);
    if (!status)
        status = ns_config_int(&r->config, "max_position_embeddings", 1, 1 << 24, &longest, &found,
                               from);
    if (!status)
        status = ns_reading_fact(r, "context", found ? from : "default",
                                 found ? "%lld" : "any length", (long long)longest);
    if (!status) status = ns_config_flag(&r->config, "tie_word_embeddings", &tied, &silent, from);
    if (!status) status = ns_config_check_fixed(&r->config, fixed, sizeof fixed / sizeof *fixed);
    if (!status) status = ns_reading_fact(r, "tokens", "default", "ids");
    if (status) return status;
    ns_text_shape *text = &r->model->input.text;
    text->length = text->most = (int)longest;
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, NS_OK};
    status = build(&b, &spec, &r->naming, (size_t)text->words, (size_t)longest, tied);
    r->model->classes = r->model->network.has_head ? text->words : 0;
    if (status) return status;
    ns_reading_ignore_unused(r);
    return ns_reading_all_used(r, "LLaMA");
}

static const ns_names *const all_names[] = {&names};

extern const ns_family ns_family_llama;
const ns_family ns_family_llama = {.name = "llama",
                                   .summary = "LLaMA, Qwen3 (names of Hugging Face)",
                                   .model_types = "llama|qwen3",
                                   .architectures = "Llama*|Qwen3For*|Qwen3Model",
                                   .names = all_names,
                                   .name_count = 1,
                                   .open = open_llama};
