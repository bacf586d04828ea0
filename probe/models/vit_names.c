/* The names that four libraries give to the parts of a ViT, one row each. */
#include <stdio.h>
#include <string.h>

#include "probe/models/vit.h"

/* A linear layer of torchvision's MLP: by its place in newer versions, by a name in older ones. */
#define TORCHVISION_BLOCK "encoder.layers.encoder_layer_%d."
#define TORCHVISION_MLP(place, name)                                                               \
    TORCHVISION_BLOCK "mlp." place ".|" TORCHVISION_BLOCK "mlp." name "."

static const vit_scheme schemes[] = {
    {.name = "timm",
     .prefixes = "",
     .eps = 1e-6,
     .parts = {[VIT_CLASS] = "cls_token",
               [VIT_REGISTERS] = "reg_token",
               [VIT_POSITIONS] = "pos_embed",
               [VIT_PATCH] = "patch_embed.proj.",
               [VIT_NORM_PRE] = "norm_pre",
               [VIT_NORM1] = "blocks.%d.norm1",
               [VIT_QKV] = "blocks.%d.attn.qkv.",
               [VIT_PROJECTION] = "blocks.%d.attn.proj.",
               [VIT_SCALE1] = "blocks.%d.ls1.gamma",
               [VIT_NORM2] = "blocks.%d.norm2",
               [VIT_FC1] = "blocks.%d.mlp.fc1.",
               [VIT_FC2] = "blocks.%d.mlp.fc2.",
               [VIT_SCALE2] = "blocks.%d.ls2.gamma",
               [VIT_NORM] = "norm",
               [VIT_POOLED_NORM] = "fc_norm",
               [VIT_HEAD] = "head."}},
    {.name = "torchvision",
     .prefixes = "",
     .eps = 1e-6,
     .parts = {[VIT_CLASS] = "class_token",
               [VIT_POSITIONS] = "encoder.pos_embedding",
               [VIT_PATCH] = "conv_proj.",
               [VIT_NORM1] = "encoder.layers.encoder_layer_%d.ln_1",
               [VIT_QKV] = "encoder.layers.encoder_layer_%d.self_attention.in_proj_",
               [VIT_PROJECTION] = "encoder.layers.encoder_layer_%d.self_attention.out_proj.",
               [VIT_NORM2] = "encoder.layers.encoder_layer_%d.ln_2",
               [VIT_FC1] = TORCHVISION_MLP("0", "linear_1"),
               [VIT_FC2] = TORCHVISION_MLP("3", "linear_2"),
               [VIT_NORM] = "encoder.ln",
               [VIT_HEAD] = "heads.head."}},
    {.name = "huggingface",
     .prefixes = "vit.|deit.|",
     .eps = 1e-12,
     .parts = {[VIT_CLASS] = "@embeddings.cls_token",
               [VIT_POSITIONS] = "@embeddings.position_embeddings",
               [VIT_PATCH] = "@embeddings.patch_embeddings.projection.",
               [VIT_NORM1] = "@encoder.layer.%d.layernorm_before",
               [VIT_Q] = "@encoder.layer.%d.attention.attention.query.",
               [VIT_K] = "@encoder.layer.%d.attention.attention.key.",
               [VIT_V] = "@encoder.layer.%d.attention.attention.value.",
               [VIT_PROJECTION] = "@encoder.layer.%d.attention.output.dense.",
               [VIT_NORM2] = "@encoder.layer.%d.layernorm_after",
               [VIT_FC1] = "@encoder.layer.%d.intermediate.dense.",
               [VIT_FC2] = "@encoder.layer.%d.output.dense.",
               [VIT_NORM] = "@layernorm",
               [VIT_HEAD] = "classifier.",
               [VIT_UNUSED] = "@pooler.|@embeddings.mask_token"}},
    {.name = "vit-pytorch",
     .prefixes = "",
     .eps = 1e-5,
     .patch_last = true,
     .class_pooled = true,
     .mean_of_all = true,
     .parts = {[VIT_CLASS] = "cls_token",
               [VIT_POSITIONS] = "pos_embedding",
               [VIT_PATCH] = "to_patch_embedding.1.",
               [VIT_NORM1] = "transformer.layers.%d.0.norm",
               [VIT_QKV] = "transformer.layers.%d.0.fn.to_qkv.",
               [VIT_PROJECTION] = "transformer.layers.%d.0.fn.to_out.0.",
               [VIT_NORM2] = "transformer.layers.%d.1.norm",
               [VIT_FC1] = "transformer.layers.%d.1.fn.net.0.",
               [VIT_FC2] = "transformer.layers.%d.1.fn.net.3.",
               [VIT_POOLED_NORM] = "mlp_head.0",
               [VIT_HEAD] = "mlp_head.1."}},
};
enum { SCHEMES = sizeof schemes / sizeof schemes[0] };

const vit_scheme *vit_schemes(int *count) {
    *count = SCHEMES;
    return schemes;
}

/* Expands one template of `length` bytes. */
static void expand(const char *from, size_t length, const char *prefix, int prefix_len, int block,
                   const char *suffix, vit_name *out) {
    size_t used = 0, room = sizeof out->text;
    for (size_t i = 0; i < length && used + 1 < room; i++) {
        int n = 1;
        if (from[i] == '@')
            n = snprintf(out->text + used, room - used, "%.*s", prefix_len, prefix);
        else if (from[i] == '%' && i + 1 < length)
            n = snprintf(out->text + used, room - used, "%d", block), i++;
        else
            out->text[used] = from[i];
        used += (size_t)n;
        if (used >= room) used = room - 1;
    }
    snprintf(out->text + used, room - used, "%s", suffix);
}

bool vit_part_name(const ns_weights *weights, const vit_scheme *scheme, const char *prefix,
                   int prefix_len, vit_part part, int block, const char *suffix, vit_name *out) {
    const char *template = scheme->parts[part];
    out->text[0] = 0;
    if (!template) return false;
    for (const char *at = template;;) {
        size_t length = strcspn(at, "|");
        expand(at, length, prefix, prefix_len, block, suffix, out);
        if (ns_weights_find(weights, out->text)) return true;
        if (!at[length]) break;
        at += length + 1;
    }
    expand(template, strcspn(template, "|"), prefix, prefix_len, block, suffix, out);
    return false;
}

const vit_scheme *vit_find_scheme(const ns_weights *weights, const char **prefix, int *prefix_len) {
    for (int s = 0; s < SCHEMES; s++) {
        vit_part part = schemes[s].parts[VIT_QKV] ? VIT_QKV : VIT_Q;
        for (const char *at = schemes[s].prefixes;;) {
            vit_name name;
            int length = (int)strcspn(at, "|");
            if (vit_part_name(weights, &schemes[s], at, length, part, 0, "weight", &name)) {
                *prefix = at;
                *prefix_len = length;
                return &schemes[s];
            }
            if (!at[length]) break;
            at += length + 1;
        }
    }
    return NULL;
}
