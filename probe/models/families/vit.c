/* The Vision Transformer: the names that four libraries give to its parts, their habits, and timm's names of architectures. */
#include <jansson.h>
#include <string.h>

#include "probe/models/families/vit_read.h"

/* ---- names ---- */

/* A linear layer of torchvision's MLP: by its place in newer versions, by a name in older ones. */
#define TORCHVISION_BLOCK "encoder.layers.encoder_layer_%d."
#define TORCHVISION_MLP(place, name)                                                               \
    TORCHVISION_BLOCK "mlp." place ".|" TORCHVISION_BLOCK "mlp." name "."

static const ns_names torchvision = {
    .name = "torchvision",
    .prefixes = "",
    .parts = {[NS_PART_CLASS] = "class_token",
              [NS_PART_POSITIONS] = "encoder.pos_embedding",
              [NS_PART_PATCH] = "conv_proj.",
              [NS_PART_NORM1] = TORCHVISION_BLOCK "ln_1",
              [NS_PART_QKV] = TORCHVISION_BLOCK "self_attention.in_proj_",
              [NS_PART_PROJECTION] = TORCHVISION_BLOCK "self_attention.out_proj.",
              [NS_PART_NORM2] = TORCHVISION_BLOCK "ln_2",
              [NS_PART_FC1] = TORCHVISION_MLP("0", "linear_1"),
              [NS_PART_FC2] = TORCHVISION_MLP("3", "linear_2"),
              [NS_PART_NORM] = "encoder.ln",
              [NS_PART_HEAD] = "heads.head."}};

/* Hugging Face's files call a block's parts otherwise than transformers 5 does in memory, whose state_dict() people save, too. */
#define HUGGINGFACE_EMBEDDING                                                                      \
    [NS_PART_CLASS] = "@embeddings.cls_token",                                                     \
    [NS_PART_DISTILLATION] = "@embeddings.distillation_token",                                     \
    [NS_PART_POSITIONS] = "@embeddings.position_embeddings",                                       \
    [NS_PART_PATCH] = "@embeddings.patch_embeddings.projection."
#define HUGGINGFACE_END                                                                            \
    [NS_PART_NORM] = "@layernorm", [NS_PART_HEAD] = "classifier.|cls_classifier.",                 \
    [NS_PART_DISTILLATION_HEAD] = "distillation_classifier.",                                      \
    [NS_PART_UNUSED] = "@pooler.|@embeddings.mask_token|decoder."

#define HUGGINGFACE_BLOCK "@encoder.layer.%d."
static const ns_names huggingface = {
    .name = "huggingface",
    .prefixes = "vit.|deit.|",
    .parts = {HUGGINGFACE_EMBEDDING, [NS_PART_NORM1] = HUGGINGFACE_BLOCK "layernorm_before",
              [NS_PART_Q] = HUGGINGFACE_BLOCK "attention.attention.query.",
              [NS_PART_K] = HUGGINGFACE_BLOCK "attention.attention.key.",
              [NS_PART_V] = HUGGINGFACE_BLOCK "attention.attention.value.",
              [NS_PART_PROJECTION] = HUGGINGFACE_BLOCK "attention.output.dense.",
              [NS_PART_NORM2] = HUGGINGFACE_BLOCK "layernorm_after",
              [NS_PART_FC1] = HUGGINGFACE_BLOCK "intermediate.dense.",
              [NS_PART_FC2] = HUGGINGFACE_BLOCK "output.dense.", HUGGINGFACE_END}};

#define IN_MEMORY_BLOCK "@layers.%d."
static const ns_names in_memory = {
    .name = "transformers 5",
    .prefixes = "vit.|deit.|",
    .parts = {
        HUGGINGFACE_EMBEDDING, [NS_PART_NORM1] = IN_MEMORY_BLOCK "layernorm_before",
        [NS_PART_Q] = IN_MEMORY_BLOCK "attention.q_proj.",
        [NS_PART_K] = IN_MEMORY_BLOCK "attention.k_proj.",
        [NS_PART_V] = IN_MEMORY_BLOCK "attention.v_proj.",
        [NS_PART_PROJECTION] = IN_MEMORY_BLOCK "attention.o_proj.",
        [NS_PART_NORM2] = IN_MEMORY_BLOCK "layernorm_after",
        [NS_PART_FC1] = IN_MEMORY_BLOCK "mlp.fc1.", [NS_PART_FC2] = IN_MEMORY_BLOCK "mlp.fc2.",
        HUGGINGFACE_END}};

static const ns_names vit_pytorch = {
    .name = "vit-pytorch",
    .prefixes = "",
    .parts = {[NS_PART_CLASS] = "cls_token",
              [NS_PART_POSITIONS] = "pos_embedding",
              [NS_PART_PATCH] = "to_patch_embedding.1.",
              [NS_PART_NORM1] = "transformer.layers.%d.0.norm",
              [NS_PART_QKV] = "transformer.layers.%d.0.fn.to_qkv.",
              [NS_PART_PROJECTION] = "transformer.layers.%d.0.fn.to_out.0.",
              [NS_PART_NORM2] = "transformer.layers.%d.1.norm",
              [NS_PART_FC1] = "transformer.layers.%d.1.fn.net.0.",
              [NS_PART_FC2] = "transformer.layers.%d.1.fn.net.3.",
              [NS_PART_POOLED_NORM] = "mlp_head.0",
              [NS_PART_HEAD] = "mlp_head.1."}};

static const ns_names *const all_names[] = {&ns_names_timm, &torchvision, &huggingface, &in_memory,
                                            &vit_pytorch};

/* ---- habits ---- */

#define HALVES                                                                                     \
    { {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1, true, true }
static const ns_vit_usual usuals[] = {
    {.names = &ns_names_timm,
     .eps = 1e-6,
     .antialias = true,
     .pixels = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 0.9, false, false}},
    {.names = &torchvision,
     .eps = 1e-6,
     .pixels = {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.875, true, false}},
    {.names = &huggingface, .eps = 1e-12, .pixels = HALVES},
    {.names = &in_memory, .eps = 1e-12, .pixels = HALVES},
    {.names = &vit_pytorch,
     .eps = 1e-5,
     .patch_last = true,
     .class_pooled = true,
     .mean_of_all = true,
     .pixels = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1, false, false}}};

/* ---- timm's architectures ---- */

/* Names whose networks are no plain pre-LN ViTs though their tensors look like it, or that have other constants. */
static int read_architecture(ns_vit_opening *o) {
    static const struct {
        const char *part, *why;
    } refused[] = {{"rpn", "a ViT with norms behind attention and MLP"},
                   {"parallel", "a ViT with parallel branches"},
                   {"_par_", "a ViT with parallel branches"},
                   {"relpos", "a ViT with relative positions"},
                   {"rope", "a ViT with rotary positions"},
                   {"samvit", "a ViT with windows"}};
    ns_origin from;
    const char *word = "", *class_name = NULL;
    bool found;
    const json_t *j = ns_config_find(&o->r->config, "architecture", from);
    if (json_is_string(j)) word = json_string_value(j);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strstr(word, refused[i].part))
            return ns_config_contradicts(&o->r->config, from, "a plain pre-LN ViT", refused[i].why);
    /* In no tensor and in no key: timm's own constants by the name. */
    static const char *const tanh_gelu[] = {"patch32", "giantopt", "so400m_patch16",
                                            "large_patch16_siglip_512"};
    static const struct {
        const char *part;
        size_t heads;
    } heads[] = {{"vit_base_patch16_gap", 16},
                 {"_huge_", 16},
                 {"_giant_", 16},
                 {"_giantopt_", 16},
                 {"_gigantic_", 16},
                 {"so400m", 16},
                 {"test_vit3", 3},
                 {"test_vit4", 3},
                 {"test_vit", 2}};
    o->activation = strstr(word, "quickgelu") ? "quick_gelu" : "gelu";
    for (size_t i = 0; i < sizeof tanh_gelu / sizeof *tanh_gelu && strstr(word, "siglip"); i++)
        if (strstr(word, tanh_gelu[i])) o->activation = "gelu_tanh";
    for (size_t i = 0; i < sizeof heads / sizeof *heads && !o->spec.blocks.heads; i++)
        if (strstr(word, heads[i].part)) o->spec.blocks.heads = heads[i].heads;
    /* timm's classes of blocks, where model_args names one. */
    int status = ns_config_word(&o->r->config, "block_fn", &class_name, &found, from);
    return status || !found || !strcmp(class_name, "Block")
               ? status
               : ns_config_contradicts(&o->r->config, from, "Block", class_name);
}

/* CLIP's ViTs, which have a norm of the embeddings, come with another eps. */
static void find_usual_eps(ns_vit_opening *o) {
    ns_origin from;
    const char *word = json_string_value(ns_config_find(&o->r->config, "architecture", from));
    if (word && strstr(word, "clip")) o->usual.eps = 1e-5;
}

/* What these keys say stands in the tensors' names; a network where a norm is elsewhere has others. */
static const ns_config_fixed fixed[] = {
    {"post_norm", "false"},           {"norm_first", "true"},       {"pre_norm_only", "true"},
    {"pool_include_prefix", "false"}, {"dynamic_img_pad", "false"}, {"scale_attn_norm", "false"},
    {"scale_mlp_norm", "false"},      {"proj_bias", "true"},        {"attn_drop", "0"},
    {"pooler_type", "\"cls\""},       {"features_only", "false"},   {"use_mask_token", "false"}};

/* A masked autoencoder's encoder is run on all patches, in order; its decoder is not run. */
static int read_masking(ns_reading *r) {
    double ratio = 0;
    bool found;
    ns_origin from;
    int status = ns_config_real(&r->config, "mask_ratio", 0, 1, &ratio, &found, from);
    if (status || !found) return status;
    ns_config_find(&r->config,
                   "decoder_hidden_size|decoder_intermediate_size|decoder_num_attention_heads|"
                   "decoder_num_hidden_layers|norm_pix_loss",
                   (ns_origin){0});
    return ns_reading_fact(r, "mask", from, "none of %g: all patches are seen, in order", ratio);
}

static int open_vit(ns_reading *r) {
    ns_vit_opening o = {.r = r,
                        .usual = ns_vit_usual_of(r, usuals, sizeof usuals / sizeof *usuals)};
    int status = read_architecture(&o);
    find_usual_eps(&o);
    if (!status) status = ns_config_check_fixed(&r->config, fixed, sizeof fixed / sizeof *fixed);
    if (!status) status = read_masking(r);
    return status ? status : ns_vit_open(&o, "ViT");
}

extern const ns_family ns_family_vit;
const ns_family ns_family_vit = {
    .name = "vit",
    .summary = "Vision Transformer, DeiT and MAE's encoder, pre-LN (names of timm, torchvision, "
               "Hugging Face, "
               "vit-pytorch)",
    .model_types = "vit|deit|vit_mae",
    .architectures =
        "ViT*|DeiTModel|DeiTForImageClassification|DeiTForImageClassificationWithTeacher|"
        "VisionTransformer|VisionTransformerDistilled",
    .timm = "vit|vit_*|deit_*|deit3_*",
    .names = all_names,
    .name_count = sizeof all_names / sizeof *all_names,
    .open = open_vit};
