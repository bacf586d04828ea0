/* LLaMA (Touvron et al. 2023, arXiv 2302.13971) and those that are built like it, with Hugging Face's names: RMSNorm, rotary positions, heads of
 * queries that share keys and values, a gated MLP, and a head of its own or the rows of words again. A row of `variants` each. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/models/families/decoder.h"

#define BLOCK "@layers.%d."
#define COMMON                                                                                     \
    [NS_PART_WORDS] = "@embed_tokens.weight", [NS_PART_NORM1] = BLOCK "input_layernorm",           \
    [NS_PART_Q] = BLOCK "self_attn.q_proj.", [NS_PART_K] = BLOCK "self_attn.k_proj.",              \
    [NS_PART_V] = BLOCK "self_attn.v_proj.", [NS_PART_QUERY_NORM] = BLOCK "self_attn.q_norm",      \
    [NS_PART_KEY_NORM] = BLOCK "self_attn.k_norm",                                                 \
    [NS_PART_PROJECTION] = BLOCK "self_attn.o_proj.", [NS_PART_GATE] = BLOCK "mlp.gate_proj.",     \
    [NS_PART_FC1] = BLOCK "mlp.up_proj.", [NS_PART_FC2] = BLOCK "mlp.down_proj.",                  \
    [NS_PART_NORM] = "@norm", [NS_PART_HEAD] = "lm_head.",                                         \
    [NS_PART_UNUSED] = "@rotary_emb.inv_freq|" BLOCK "self_attn.rotary_emb.inv_freq"

static const ns_names names = {
    .name = "huggingface",
    .prefixes = "model.|",
    .parts = {COMMON, [NS_PART_NORM2] = BLOCK "post_attention_layernorm"}};

/* Norms on the branches have the name of LLaMA's second norm. */
static const ns_names branch_names = {
    .name = "huggingface",
    .prefixes = "model.|",
    .parts = {COMMON, [NS_PART_BRANCH_NORM1] = BLOCK "post_attention_layernorm",
              [NS_PART_NORM2] = BLOCK "pre_feedforward_layernorm",
              [NS_PART_BRANCH_NORM2] = BLOCK "post_feedforward_layernorm"}};

/* Which blocks see a window of tokens, where no "layer_types" says it. */
typedef enum windows {
    NO_WINDOW,
    OF_ALL,  /* where "sliding_window" is a number */
    OF_LAST, /* from "max_window_layers" up, where "use_sliding_window" is set */
    BUT_EVERY_2ND,
    BUT_EVERY_NTH /* of "sliding_window_pattern", 6 */
} windows;

/* What holds where config.json does not say it, and what it never says. */
typedef struct variant {
    const char *model_type, *classes, *title;
    double eps;        /* 0: 1e-6 */
    double base;       /* of rotary positions; 0: 10000 */
    double local_base; /* of blocks with a window; 0: the same */
    ns_block_order order;
    windows windows;
    bool gemma;           /* norms' weights are gamma - 1, words scaled by the root of the width */
    bool scalar;          /* scores are divided by the root of "query_pre_attn_scalar", 256 */
    double cap, head_cap; /* of scores and of logits */
} variant;

static const variant variants[] = {
    {.model_type = "llama", .classes = "Llama*", .title = "LLaMA"},
    {.model_type = "mistral",
     .classes = "MistralFor*|MistralModel",
     .title = "Mistral",
     .windows = OF_ALL},
    {.model_type = "qwen2",
     .classes = "Qwen2For*|Qwen2Model",
     .title = "Qwen2",
     .windows = OF_LAST},
    {.model_type = "qwen3",
     .classes = "Qwen3For*|Qwen3Model",
     .title = "Qwen3",
     .windows = OF_LAST},
    {.model_type = "olmo2",
     .classes = "Olmo2For*|Olmo2Model",
     .title = "OLMo 2",
     .eps = 1e-5,
     .order = NS_BRANCH_NORMS},
    {.model_type = "gemma", .classes = "GemmaFor*|GemmaModel", .title = "Gemma", .gemma = true},
    {.model_type = "gemma2",
     .classes = "Gemma2For*|Gemma2Model",
     .title = "Gemma 2",
     .order = NS_BOTH_NORMS,
     .windows = BUT_EVERY_2ND,
     .gemma = true,
     .scalar = true,
     .cap = 50,
     .head_cap = 30},
    {.model_type = "gemma3_text",
     .classes = "Gemma3ForCausalLM|Gemma3TextModel",
     .title = "Gemma 3",
     .base = 1e6,
     .local_base = 1e4,
     .order = NS_BOTH_NORMS,
     .windows = BUT_EVERY_NTH,
     .gemma = true,
     .scalar = true}};
enum { VARIANTS = sizeof variants / sizeof *variants };

/* By "model_type", else by the class; where config.json names none it is LLaMA. */
static int find_variant(ns_reading *r, const variant **out) {
    const char *type, *class;
    ns_origin from;
    int status = ns_reading_called(r, &type, &class, from);
    *out = NULL;
    for (int i = 0; i < VARIANTS && !status; i++) {
        bool called = class && ns_list_has(variants[i].classes, class);
        if (type ? !strcmp(type, variants[i].model_type) : called) *out = &variants[i];
        if (type && called && strcmp(type, variants[i].model_type) != 0)
            status = ns_config_contradicts(&r->config, from, variants[i].model_type, type);
    }
    if (!status && !*out) *out = &variants[0];
    return status ? status
                  : ns_reading_fact(r, "variant", type || class ? from : "default", "%s",
                                    (*out)->title);
}

/* ---- windows ---- */

/* A number that stands for something else where it is null than where it is not there. */
static int read_or_null(ns_reading *r, const char *key, double usual, double *value) {
    const json_t *config = ns_weights_config(r->model->weights);
    bool found;
    ns_origin from;
    *value = json_is_null(json_object_get(config, key)) ? 0 : usual;
    return ns_config_real(&r->config, key, 1e-6, 1e9, value, &found, from);
}

/* "layer_types" where it is there. */
static int read_types(ns_reading *r, size_t depth, uint8_t *local) {
    ns_origin from;
    const json_t *types = ns_config_find(&r->config, "layer_types", from);
    if (!types) return NS_OK;
    if (json_array_size(types) != depth)
        return ns_config_refuse(&r->config, from, "a word for each block", types);
    for (size_t i = 0; i < depth; i++) {
        const char *word = json_string_value(json_array_get(types, i));
        bool full = word && !strcmp(word, "full_attention");
        if (!full && (!word || strcmp(word, "sliding_attention") != 0))
            return ns_config_refuse(&r->config, from, "\"full_attention\" or \"sliding_attention\"",
                                    json_array_get(types, i));
        local[i] = !full;
    }
    return NS_OK;
}

/* What the keys of the variant say, into local [depth]. */
static int read_rule(ns_reading *r, const variant *v, size_t depth, bool windowed, uint8_t *local) {
    int64_t first = 28, pattern = v->windows == BUT_EVERY_2ND ? 2 : 6;
    bool found;
    ns_origin from;
    int status = NS_OK;
    if (v->windows == OF_LAST)
        status = ns_config_int(&r->config, "max_window_layers", 0, 1 << 16, &first, &found, from);
    if (v->windows == BUT_EVERY_NTH)
        status =
            ns_config_int(&r->config, "sliding_window_pattern", 1, 1 << 16, &pattern, &found, from);
    if (v->windows == BUT_EVERY_NTH) /* what transformers writes and does not read */
        ns_config_find(&r->config, "_sliding_window_pattern", from);
    for (size_t i = 0; i < depth; i++)
        local[i] = windowed && (v->windows == OF_ALL    ? true
                                : v->windows == OF_LAST ? (int64_t)i >= first
                                                        : (int64_t)(i + 1) % pattern != 0);
    return status;
}

/* local is [depth]. Without windows spec->local stays NULL. */
static int read_windows(ns_reading *r, const variant *v, ns_block_spec *spec, uint8_t *local) {
    double window = 0;
    bool used = true, found;
    ns_origin from;
    if (v->windows == NO_WINDOW) return NS_OK;
    int status = read_or_null(r, "sliding_window", 4096, &window);
    if (!status && v->windows == OF_LAST) {
        used = false;
        status = ns_config_flag(&r->config, "use_sliding_window", &used, &found, from);
    }
    used = used && window > 0;
    if (!status) status = read_rule(r, v, spec->depth, used, local);
    uint8_t rule = spec->depth ? local[0] : 0;
    if (!status) status = read_types(r, spec->depth, local);
    size_t count = 0;
    for (size_t i = 0; i < spec->depth && !status; i++) {
        count += local[i];
        if (v->windows == OF_ALL && local[i] != rule)
            return ns_fail(
                r->err, NS_EINPUT,
                "%s: \"layer_types\": expected what \"sliding_window\" says of every block",
                ns_weights_config_path(r->model->weights));
    }
    if (status || !count) return status;
    if (!used || window != floor(window))
        return ns_fail(r->err, NS_EINPUT,
                       "%s: expected \"sliding_window\", a whole number, for the %zu blocks that "
                       "\"layer_types\" says have one, found none",
                       ns_weights_config_path(r->model->weights), count);
    spec->window = (size_t)window;
    spec->local = local;
    return ns_reading_fact(r, "window", "config.json", "%zu tokens, in %zu of %zu blocks",
                           spec->window, count, spec->depth);
}

/* ---- the rest of config.json ---- */

static int read_positions(ns_reading *r, const variant *v, ns_block_spec *spec) {
    const ns_rotary_keys all = {.base = "rope_theta",
                                .usual = v->base > 0 ? v->base : 10000,
                                .usual_share = 1,
                                .layers = v->local_base > 0 ? "full_attention" : NULL};
    const ns_rotary_keys local = {.base = "rope_local_base_freq",
                                  .usual = v->local_base,
                                  .usual_share = 1,
                                  .layers = "sliding_attention",
                                  .unscaled = true};
    int status = ns_read_rotary(r, "rotary base", &all, spec->dim, &spec->rotary);
    spec->local_rotary = spec->rotary;
    if (!status && v->local_base > 0)
        status = ns_read_rotary(r, "local base", &local, spec->dim, &spec->local_rotary);
    return status;
}

/* Gemma 2's scale of scores, and what they and the logits are bounded by. */
static int read_bounds(ns_reading *r, const variant *v, ns_decoder *d) {
    double scalar = 256;
    bool found;
    ns_origin from;
    if (!v->scalar) return NS_OK;
    int status =
        ns_config_real(&r->config, "query_pre_attn_scalar", 1e-6, 1e9, &scalar, &found, from);
    d->blocks.scale = 1 / sqrt(scalar);
    if (!status) status = read_or_null(r, "attn_logit_softcapping", v->cap, &d->blocks.cap);
    if (!status) status = read_or_null(r, "final_logit_softcapping", v->head_cap, &d->head_cap);
    return status;
}

static int read_config(ns_reading *r, const variant *v, ns_decoder *d) {
    static const ns_config_fixed fixed[] = {{"is_llama_config", "true"},
                                            {"rope_interleaved", "false"},
                                            {"partial_rotary_factor", "1"},
                                            {"use_bidirectional_attention", "false"}};
    int64_t none = 0;
    int status = ns_read_norms(r, "rms_norm_eps", v->eps > 0 ? v->eps : 1e-6);
    if (!status) status = ns_read_words(r, &d->blocks, &none);
    if (!status) status = ns_read_blocks(r, &d->blocks, v->gemma ? "gelu_pytorch_tanh" : "silu");
    if (!status) status = read_positions(r, v, &d->blocks);
    if (!status) status = read_bounds(r, v, d);
    if (!status) status = ns_reading_check_bias(r, "attention_bias", NS_PART_Q);
    if (!status) status = ns_reading_check_bias(r, "mlp_bias", NS_PART_FC1);
    if (!status) status = ns_config_check_fixed(&r->config, fixed, sizeof fixed / sizeof *fixed);
    d->tied = v->gemma;
    d->word_scale = v->gemma ? sqrt((double)d->blocks.width) : 0;
    return status ? status : ns_decoder_read(r, d);
}

static int open_llama(ns_reading *r) {
    const variant *v;
    int status = find_variant(r, &v);
    if (status) return status;
    ns_decoder d = {.blocks = {.causal = true, .gated = true, .order = v->order}};
    r->usual_norm = "rmsnorm";
    r->gamma_plus_one = r->gelu_is_tanh = v->gemma;
    if (v->order != NS_PRE_NORM) r->naming.names = &branch_names;
    status = read_config(r, v, &d);
    uint8_t *local = status ? NULL : ns_calloc(d.blocks.depth, sizeof *local, r->err);
    if (!status) status = local ? read_windows(r, v, &d.blocks, local) : NS_EFAIL;
    if (!status) status = ns_decoder_build(r, &d, v->title);
    free(local);
    return status;
}

static const ns_names *const all_names[] = {&names};

extern const ns_family ns_family_llama;
const ns_family ns_family_llama = {
    .name = "llama",
    .summary = "LLaMA, Mistral, Qwen2, Qwen3, OLMo 2, Gemma 1 to 3 (names of Hugging Face)",
    .model_types = "llama|mistral|qwen2|qwen3|olmo2|gemma|gemma2|gemma3_text",
    .architectures = "Llama*|MistralFor*|MistralModel|Qwen2For*|Qwen2Model|Qwen3For*|Qwen3Model|"
                     "Olmo2For*|Olmo2Model|GemmaFor*|GemmaModel|Gemma2For*|Gemma2Model|"
                     "Gemma3ForCausalLM|Gemma3TextModel",
    .names = all_names,
    .name_count = 1,
    .open = open_llama};
