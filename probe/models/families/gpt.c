/* A GPT-2 from a checkpoint, in Hugging Face's layout (matrices [in, out]) or nanoGPT's ([out, in]). */
#include "probe/models/families/gpt.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "probe/models/reading.h"

/* Which way the matrices lie, and so whose network it is (nanoGPT's function is the GELU by erf), shows in the first block's, [W, 3 W] or [3 W, W]. */
static int read_layout(ns_reading *r, ns_block_spec *spec) {
    ns_name name;
    const ns_tensor_info *info;
    int status = ns_reading_need(r, NS_PART_QKV, 0, "weight", &name, &info);
    if (status) return status;
    spec->turned = info->dims == 2 && info->shape[0] == (int64_t)spec->width;
    return ns_reading_fact(r, "matrices", "shape of block 0's", "%s",
                           spec->turned ? "[in, out]" : "[out, in]");
}

/* How scores are scaled: divided by the root of a head's channels, or not, and by the block's number. */
static int read_scale(ns_reading *r, ns_block_spec *spec) {
    bool scaled = true, by_layer = false, found;
    ns_origin from;
    int status = ns_config_flag(&r->config, "scale_attn_weights", &scaled, &found, from);
    if (!status)
        status =
            ns_config_flag(&r->config, "scale_attn_by_inverse_layer_idx", &by_layer, &found, from);
    if (!scaled) spec->scale = 1;
    spec->scale_by_layer = by_layer;
    return status;
}

/* What text becomes: bytes, or the characters that config.json lists; ids may always be given. */
static int read_text(ns_reading *r) {
    ns_text_shape *text = &r->model->input.text;
    bool found;
    ns_origin from = "default";
    int status = ns_config_word(&r->config, "vocabulary", &text->vocabulary, &found, from);
    const char *what = text->vocabulary ? "characters" : text->words == 256 ? "bytes" : "ids";
    return status ? status : ns_reading_fact(r, "tokens", from, "%s", what);
}

/* Whether two tables, floats or packed, hold the same. */
static bool are_same(const ns_linear *a, const ns_linear *b) {
    const ns_element *type = a->packed.type;
    const size_t n = a->out * a->in;
    if (type != b->packed.type) return false;
    return type ? !memcmp(a->packed.bytes, b->packed.bytes, n / type->values * type->bytes)
                : !memcmp(a->weight, b->weight, n * sizeof *a->weight);
}

/* The head is the rows of words again, or one of its own; where neither may be, there is none. */
static int read_head(ns_reading *r, const ns_gpt_spec *spec, bool tied) {
    const ns_weights *weights = r->model->weights;
    ns_network *n = &r->model->network;
    const ns_tensor_info *head = ns_weights_find(weights, "lm_head.weight");
    if (!head && tied) return NS_OK;
    if (!head) {
        n->has_head = n->head_of_words = false;
        r->model->classes = 0;
        return ns_reading_fact(r, "head", "config.json: tie_word_embeddings", "none in the file");
    }
    ns_builder b = {n, ns_reading_source(r), r->err, NS_OK};
    const ns_linear own = ns_build_rows(&b, "lm_head.weight", spec->vocabulary, spec->blocks.width);
    if (b.status || are_same(&own, &n->head)) return b.status;
    n->head = own; /* untied */
    return ns_reading_fact(r, "head", "lm_head.weight", "its own");
}

static int open_gpt(ns_reading *r) {
    static const ns_config_fixed fixed[] = {
        {"add_cross_attention", "false"}, {"is_decoder", "false"},
        {"is_encoder_decoder", "false"},  {"cross_attention_hidden_size", "0"},
        {"tie_encoder_decoder", "false"}, {"pruned_heads", "{}"}};
    ns_gpt_spec spec = {.blocks = {.causal = true}};
    int64_t context = 0;
    bool tied = true, found;
    ns_origin from;
    r->usual_norm = "layernorm"; /* nanoGPT's may have no bias */
    int status = ns_read_norms(r, "layer_norm_epsilon|norm_eps", 1e-5);
    if (!status) status = ns_read_words(r, &spec.blocks, &context);
    if (!status) status = read_layout(r, &spec.blocks);
    if (!status) status = ns_read_blocks(r, &spec.blocks, spec.blocks.turned ? "gelu_new" : "gelu");
    if (!status) status = read_scale(r, &spec.blocks);
    if (!status) status = ns_reading_check_bias(r, "bias", NS_PART_QKV);
    if (!status) status = read_text(r);
    if (!status) status = ns_config_check_fixed(&r->config, fixed, sizeof fixed / sizeof *fixed);
    if (!status) status = ns_config_flag(&r->config, "tie_word_embeddings", &tied, &found, from);
    if (status) return status;
    ns_config_find(&r->config, "dropout|n_ctx", from);
    spec.context = (size_t)context;
    spec.vocabulary = (size_t)r->model->input.text.words;
    r->model->classes = (int)spec.vocabulary;
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, NS_OK};
    status = ns_gpt_build(&b, &spec, &r->naming);
    if (!status) status = read_head(r, &spec, tied);
    if (!status) status = ns_reading_ignore_unused(r);
    return status ? status : ns_reading_all_used(r, "GPT");
}

static const ns_names *const all_names[] = {&ns_names_gpt2};

extern const ns_family ns_family_gpt;
const ns_family ns_family_gpt = {.name = "gpt",
                                 .summary = "GPT-2 (names of Hugging Face, nanoGPT)",
                                 .model_types = "gpt2",
                                 .architectures = "GPT2*",
                                 .timm = "gpt",
                                 .names = all_names,
                                 .name_count = 1,
                                 .open = open_gpt};
