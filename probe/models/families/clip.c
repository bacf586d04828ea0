/* What sees images in CLIP (Radford et al., ICML 2021, arXiv 2103.00020) and SigLIP (Zhai et al., ICCV 2023, arXiv 2303.15343), with Hugging
 * Face's names: out of the whole checkpoint, whose other half is not run, or by itself. */
#include <jansson.h>
#include <string.h>

#include "probe/models/families/vit_read.h"

#define BLOCK "@encoder.layers.%d."
#define SHARED                                                                                     \
    [NS_PART_POSITIONS] = "@embeddings.position_embedding.weight",                                 \
    [NS_PART_PATCH] = "@embeddings.patch_embedding.", [NS_PART_NORM1] = BLOCK "layer_norm1",       \
    [NS_PART_Q] = BLOCK "self_attn.q_proj.", [NS_PART_K] = BLOCK "self_attn.k_proj.",              \
    [NS_PART_V] = BLOCK "self_attn.v_proj.", [NS_PART_PROJECTION] = BLOCK "self_attn.out_proj.",   \
    [NS_PART_NORM2] = BLOCK "layer_norm2", [NS_PART_FC1] = BLOCK "mlp.fc1.",                       \
    [NS_PART_FC2] = BLOCK "mlp.fc2.", [NS_PART_HEAD] = "classifier.",                              \
    [NS_PART_UNUSED] = "text_model.|text_projection.|visual_projection.|logit_scale|logit_bias|"   \
                       "@embeddings.position_ids"

static const ns_names clip = {
    .name = "clip",
    .prefixes = "vision_model.|",
    .needs = "@embeddings.class_embedding",
    .parts = {SHARED, [NS_PART_CLASS] = "@embeddings.class_embedding",
              [NS_PART_NORM_PRE] = "@pre_layrnorm", [NS_PART_POOLED_NORM] = "@post_layernorm"}};

static const ns_names siglip = {
    .name = "siglip",
    .prefixes = "vision_model.|",
    .needs = "@embeddings.patch_embedding.weight",
    .parts = {SHARED, [NS_PART_NORM] = "@post_layernorm", [NS_PART_PROBE] = "@head.probe",
              [NS_PART_PROBE_QKV] = "@head.attention.in_proj_",
              [NS_PART_PROBE_PROJECTION] = "@head.attention.out_proj.",
              [NS_PART_PROBE_NORM] = "@head.layernorm", [NS_PART_PROBE_FC1] = "@head.mlp.fc1.",
              [NS_PART_PROBE_FC2] = "@head.mlp.fc2."}};

static const ns_names *const all_names[] = {&clip, &siglip};

static const ns_vit_usual usuals[] = {
    {.names = &clip,
     .eps = 1e-5,
     .class_pooled = true,
     .head_beside = true,
     .flat_tokens = true,
     .pixels = {{0.48145466f, 0.4578275f, 0.40821073f},
                {0.26862954f, 0.26130258f, 0.27577711f},
                1,
                false,
                false}},
    {.names = &siglip,
     .eps = 1e-6,
     .head_beside = true,
     .flat_tokens = true,
     .pixels = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1, false, true}}};

/* Keys of the whole model beside the part that sees, and that part's own which only the projection behind it needs. */
static int read_whole(ns_reading *r) {
    ns_origin from;
    const json_t *part = ns_config_find(&r->config, "vision_config", from);
    ns_config_find(&r->config,
                   "text_config|text_config_dict|vision_config_dict|projection_dim|"
                   "logit_scale_init_value",
                   from);
    if (part && !json_is_object(part)) {
        ns_config_find(&r->config, "vision_config", from);
        return ns_config_refuse(&r->config, from, "an object", part);
    }
    if (part) r->config.within = "vision_config";
    return part ? ns_reading_fact(r, "part", "config.json: vision_config", "what sees images")
                : NS_OK;
}

static int check_probe(ns_reading *r) {
    ns_name name;
    ns_origin from;
    bool has = ns_reading_name(r, NS_PART_PROBE, 0, "", &name), said = has, found;
    int status = ns_config_flag(&r->config, "vision_use_head", &said, &found, from);
    if (!status && said != has)
        return ns_config_contradicts(&r->config, from, has ? "true" : "false",
                                     said ? "true" : "false");
    return status;
}

static int open_clip(ns_reading *r) {
    ns_vit_opening o = {.r = r,
                        .usual = ns_vit_usual_of(r, usuals, sizeof usuals / sizeof *usuals)};
    o.activation = o.usual.names == &clip ? "quick_gelu" : "gelu_pytorch_tanh";
    int status = read_whole(r);
    if (!status) status = check_probe(r);
    return status ? status : ns_vit_open(&o, "CLIP or SigLIP");
}

extern const ns_family ns_family_clip;
const ns_family ns_family_clip = {
    .name = "clip",
    .summary = "CLIP and SigLIP, what sees images (names of Hugging Face)",
    .model_types = "clip|clip_vision_model|siglip|siglip_vision_model",
    .architectures =
        "CLIPModel|CLIPVisionModel|CLIPVisionModelWithProjection|CLIPForImageClassification|"
        "SiglipModel|SiglipVisionModel|SiglipForImageClassification",
    .names = all_names,
    .name_count = sizeof all_names / sizeof *all_names,
    .open = open_clip};
