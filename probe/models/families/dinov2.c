/* DINOv2 (Oquab et al., TMLR 2024, arXiv 2304.07193), with registers or without (Darcet et al., ICLR 2024, arXiv 2309.16588): a ViT with
 * LayerScale that sees images of any size, under the names of Hugging Face and of its authors. */
#include <string.h>

#include "probe/models/families/vit_read.h"

#define BLOCK "@encoder.layer.%d."

/* Files, and after each | what transformers 5 calls it in memory. */
static const ns_names huggingface = {
    .name = "huggingface",
    .prefixes = "dinov2.|dinov2_with_registers.|",
    .needs = BLOCK "layer_scale1.lambda1",
    .parts = {[NS_PART_CLASS] = "@embeddings.cls_token",
              [NS_PART_REGISTERS] = "@embeddings.register_tokens",
              [NS_PART_POSITIONS] = "@embeddings.position_embeddings",
              [NS_PART_PATCH] = "@embeddings.patch_embeddings.projection.",
              [NS_PART_NORM1] = BLOCK "norm1",
              [NS_PART_Q] = BLOCK "attention.attention.query.|" BLOCK "attention.q_proj.",
              [NS_PART_K] = BLOCK "attention.attention.key.|" BLOCK "attention.k_proj.",
              [NS_PART_V] = BLOCK "attention.attention.value.|" BLOCK "attention.v_proj.",
              [NS_PART_PROJECTION] = BLOCK "attention.output.dense.|" BLOCK "attention.o_proj.",
              [NS_PART_SCALE1] = BLOCK "layer_scale1.lambda1",
              [NS_PART_NORM2] = BLOCK "norm2",
              [NS_PART_PACKED] = BLOCK "mlp.weights_in.",
              [NS_PART_GATE] = BLOCK "mlp.gate_proj.",
              [NS_PART_FC1] = BLOCK "mlp.fc1.|" BLOCK "mlp.up_proj.",
              [NS_PART_FC2] = BLOCK "mlp.fc2.|" BLOCK "mlp.weights_out.|" BLOCK "mlp.down_proj.",
              [NS_PART_SCALE2] = BLOCK "layer_scale2.lambda1",
              [NS_PART_NORM] = "@layernorm",
              [NS_PART_HEAD] = "classifier.",
              [NS_PART_UNUSED] = "@embeddings.mask_token"}};

/* facebookresearch/dinov2. timm's names are alike, but it has no token for masked patches. */
static const ns_names original = {.name = "dinov2",
                                  .prefixes = "",
                                  .needs = "mask_token|register_tokens",
                                  .parts = {[NS_PART_CLASS] = "cls_token",
                                            [NS_PART_REGISTERS] = "register_tokens",
                                            [NS_PART_POSITIONS] = "pos_embed",
                                            [NS_PART_PATCH] = "patch_embed.proj.",
                                            [NS_PART_NORM1] = "blocks.%d.norm1",
                                            [NS_PART_QKV] = "blocks.%d.attn.qkv.",
                                            [NS_PART_PROJECTION] = "blocks.%d.attn.proj.",
                                            [NS_PART_SCALE1] = "blocks.%d.ls1.gamma",
                                            [NS_PART_NORM2] = "blocks.%d.norm2",
                                            [NS_PART_PACKED] = "blocks.%d.mlp.w12.",
                                            [NS_PART_FC1] = "blocks.%d.mlp.fc1.",
                                            [NS_PART_FC2] = "blocks.%d.mlp.fc2.|blocks.%d.mlp.w3.",
                                            [NS_PART_SCALE2] = "blocks.%d.ls2.gamma",
                                            [NS_PART_NORM] = "norm",
                                            [NS_PART_UNUSED] = "mask_token"}};

static const ns_names *const all_names[] = {&huggingface, &original};

/* Their processor: shorter side 256, of which 224 are cut out. */
#define PIXELS                                                                                     \
    { {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.875, false, false }
static const ns_vit_usual usuals[] = {{.names = &huggingface,
                                       .eps = 1e-6,
                                       .registers_unplaced = true,
                                       .head_of_two = true,
                                       .any_size = true,
                                       .gate_is_silu = true,
                                       .pixels = PIXELS},
                                      {.names = &original,
                                       .eps = 1e-6,
                                       .registers_unplaced = true,
                                       .any_size = true,
                                       .gate_is_silu = true,
                                       .pixels = PIXELS}};

/* How positions are resampled changed with the registers; the authors' own constructor can be told. */
static int read_resampling(ns_vit_opening *o) {
    ns_name name;
    ns_origin from;
    bool found, registers = ns_reading_name(o->r, NS_PART_REGISTERS, 0, "", &name);
    o->usual.antialias = registers;
    if (o->r->naming.names == &huggingface) return NS_OK;
    o->usual.offset = registers ? 0 : 0.1;
    int status =
        ns_config_flag(&o->r->config, "interpolate_antialias", &o->usual.antialias, &found, from);
    return status ? status
                  : ns_config_real(&o->r->config, "interpolate_offset", 0, 0.5, &o->usual.offset,
                                   &found, from);
}

/* Which MLP the tensors are of, where a key says so. */
static int check_mlp(ns_vit_opening *o) {
    ns_name name;
    ns_origin from;
    bool gated = ns_reading_name(o->r, NS_PART_PACKED, 0, "weight", &name) ||
                 ns_reading_name(o->r, NS_PART_GATE, 0, "weight", &name),
         said = gated, found;
    const char *word = gated ? "swiglu" : "mlp";
    int status = ns_config_flag(&o->r->config, "use_swiglu_ffn", &said, &found, from);
    if (!status && said != gated)
        return ns_config_contradicts(&o->r->config, from, gated ? "true" : "false",
                                     said ? "true" : "false");
    if (!status) status = ns_config_word(&o->r->config, "ffn_layer", &word, &found, from);
    if (!status && strncmp(word, gated ? "swiglu" : "mlp", gated ? 6 : 4) != 0)
        return ns_config_contradicts(&o->r->config, from,
                                     gated ? "swiglufused, by the tensors" : "mlp, by the tensors",
                                     word);
    return status;
}

/* Backbones hand out several blocks' outputs; which ones changes no site. */
static int check_keys(ns_vit_opening *o) {
    static const ns_config_fixed fixed[] = {
        {"block_chunks", "0"}, {"ffn_bias", "true"}, {"proj_bias", "true"}};
    ns_origin from;
    ns_config_find(&o->r->config,
                   "out_features|out_indices|stage_names|reshape_hidden_states|apply_layernorm|"
                   "use_mask_token|drop_path_uniform",
                   from);
    return ns_config_check_fixed(&o->r->config, fixed, sizeof fixed / sizeof *fixed);
}

static int open_dinov2(ns_reading *r) {
    enum { GIANT = 1536, GIANT_HEADS = 24 }; /* vit_giant2, which no key tells */
    ns_name name;
    ns_vit_opening o = {.r = r,
                        .usual = ns_vit_usual_of(r, usuals, sizeof usuals / sizeof *usuals),
                        .activation = "gelu"};
    const ns_tensor_info *info = ns_reading_find(r, NS_PART_CLASS, 0, "", &name);
    if (r->naming.names == &original && info && info->dims == 3 && info->shape[2] == GIANT)
        o.spec.blocks.heads = GIANT_HEADS;
    int status = read_resampling(&o);
    if (!status) status = check_mlp(&o);
    if (!status) status = check_keys(&o);
    return status ? status : ns_vit_open(&o, "DINOv2");
}

extern const ns_family ns_family_dinov2;
const ns_family ns_family_dinov2 = {
    .name = "dinov2",
    .summary = "DINOv2, with registers or without (names of Hugging Face and of its authors)",
    .model_types = "dinov2|dinov2_with_registers",
    .architectures = "Dinov2*",
    .names = all_names,
    .name_count = sizeof all_names / sizeof *all_names,
    .open = open_dinov2};
