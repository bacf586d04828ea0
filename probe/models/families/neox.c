/* GPT-NeoX (Black et al. 2022, arXiv 2204.06745) and Pythia with Hugging Face's names: attention and MLP side by side, a share of each head turned
 * by its position, queries, keys and values of a head beside each other in one matrix. */
#include "probe/models/families/decoder.h"

#define BLOCK "@layers.%d."

static const ns_names names = {.name = "huggingface",
                               .prefixes = "gpt_neox.|",
                               .parts = {[NS_PART_WORDS] = "@embed_in.weight",
                                         [NS_PART_NORM1] = BLOCK "input_layernorm",
                                         [NS_PART_QKV] = BLOCK "attention.query_key_value.",
                                         [NS_PART_PROJECTION] = BLOCK "attention.dense.",
                                         [NS_PART_NORM2] = BLOCK "post_attention_layernorm",
                                         [NS_PART_FC1] = BLOCK "mlp.dense_h_to_4h.",
                                         [NS_PART_FC2] = BLOCK "mlp.dense_4h_to_h.",
                                         [NS_PART_NORM] = "@final_layer_norm",
                                         [NS_PART_HEAD] = "embed_out.|lm_head.",
                                         [NS_PART_UNUSED] = BLOCK
                                         "attention.bias|" BLOCK "attention.masked_bias|" BLOCK
                                         "attention.rotary_emb.inv_freq|@rotary_emb.inv_freq"}};

static int open_neox(ns_reading *r) {
    static const ns_rotary_keys keys = {.base = "rope_theta|rotary_emb_base",
                                        .usual = 10000,
                                        .share = "partial_rotary_factor|rotary_pct",
                                        .usual_share = 0.25};
    ns_decoder d = {.blocks = {.causal = true, .by_head = true}};
    bool parallel = true, found;
    int64_t none = 0;
    ns_origin from;
    r->usual_norm = "layernorm";
    int status = ns_read_norms(r, "layer_norm_eps", 1e-5);
    if (!status) status = ns_read_words(r, &d.blocks, &none);
    if (!status) status = ns_read_blocks(r, &d.blocks, "gelu");
    if (!status) status = ns_read_rotary(r, "rotary base", &keys, d.blocks.dim, &d.blocks.rotary);
    if (!status) status = ns_reading_check_bias(r, "attention_bias", NS_PART_QKV);
    if (!status)
        status = ns_config_flag(&r->config, "use_parallel_residual", &parallel, &found, from);
    d.blocks.order = parallel ? NS_PARALLEL : NS_PRE_NORM;
    if (!status)
        status = ns_reading_fact(r, "attention and MLP", found ? from : "default", "%s",
                                 parallel ? "side by side" : "one after the other");
    if (!status) status = ns_decoder_read(r, &d);
    return status ? status : ns_decoder_build(r, &d, "GPT-NeoX");
}

static const ns_names *const all_names[] = {&names};

extern const ns_family ns_family_neox;
const ns_family ns_family_neox = {.name = "neox",
                                  .summary = "GPT-NeoX, Pythia (names of Hugging Face)",
                                  .model_types = "gpt_neox",
                                  .architectures = "GPTNeoXFor*|GPTNeoXModel",
                                  .names = all_names,
                                  .name_count = 1,
                                  .open = open_neox};
