#include "probe/models/families/vit.h"

size_t ns_vit_patches(const ns_vit_spec *s) {
    return (s->grid.height / s->grid.patch) * (s->grid.width / s->grid.patch);
}

size_t ns_vit_tokens(const ns_vit_spec *s) {
    return s->class_token + s->registers + ns_vit_patches(s);
}

const ns_names ns_names_timm = {.name = "timm",
                                .prefixes = "",
                                .parts = {[NS_PART_CLASS] = "cls_token",
                                          [NS_PART_REGISTERS] = "reg_token",
                                          [NS_PART_POSITIONS] = "pos_embed",
                                          [NS_PART_PATCH] = "patch_embed.proj.",
                                          [NS_PART_NORM_PRE] = "norm_pre",
                                          [NS_PART_NORM1] = "blocks.%d.norm1",
                                          [NS_PART_QKV] = "blocks.%d.attn.qkv.",
                                          [NS_PART_PROJECTION] = "blocks.%d.attn.proj.",
                                          [NS_PART_SCALE1] = "blocks.%d.ls1.gamma",
                                          [NS_PART_NORM2] = "blocks.%d.norm2",
                                          [NS_PART_FC1] = "blocks.%d.mlp.fc1.",
                                          [NS_PART_FC2] = "blocks.%d.mlp.fc2.",
                                          [NS_PART_SCALE2] = "blocks.%d.ls2.gamma",
                                          [NS_PART_NORM] = "norm",
                                          [NS_PART_POOLED_NORM] = "fc_norm",
                                          [NS_PART_HEAD] = "head."}};

/* The class token, registers and positions, before the patches: the order in which new ones are made. */
static ns_token_rows token_rows(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming) {
    const int64_t w = (int64_t)s->blocks.width, one[] = {1, 1, w},
                  registers[] = {1, (int64_t)s->registers, w};
    const size_t count = s->positions == NS_POSITIONS_OF_ALL ? ns_vit_tokens(s) : ns_vit_patches(s);
    const int64_t positions[] = {1, (int64_t)count, w};
    ns_token_rows rows = {.patches = ns_vit_patches(s),
                          .registers = s->registers,
                          .width = s->blocks.width,
                          .positions_of_patches = s->positions == NS_POSITIONS_OF_PATCHES};
    if (s->class_token) {
        ns_array array = ns_build_part(b, naming, NS_PART_CLASS, 3, one, false);
        rows.class_row = array.values;
        rows.dclass = array.gradient;
    }
    if (s->registers)
        rows.register_rows =
            ns_build_part(b, naming, NS_PART_REGISTERS, 3, registers, false).values;
    if (s->positions != NS_NO_POSITIONS) {
        ns_array array = ns_build_part(b, naming, NS_PART_POSITIONS, 3, positions, false);
        rows.positions = array.values;
        rows.dpositions = array.gradient;
    }
    return rows;
}

/* The embedding of patches is a convolution that does not overlap, so it is a linear layer over them. */
static ns_linear patch_layer(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming) {
    const ns_patch_grid *g = &s->grid;
    const size_t columns = g->channels * g->patch * g->patch;
    const int64_t w = (int64_t)s->blocks.width, p = (int64_t)g->patch, flat = (int64_t)columns,
                  shape[] = {w, s->flat_patch ? flat : (int64_t)g->channels, p, p};
    ns_linear layer = {.in = columns, .out = s->blocks.width};
    ns_name name;
    ns_part_name(naming, &b->source, NS_PART_PATCH, 0, "weight", &name);
    ns_array weight = ns_build_tensor(b, name.text, s->flat_patch ? 2 : 4, shape, true, false);
    ns_part_name(naming, &b->source, NS_PART_PATCH, 0, "bias", &name);
    ns_array bias = ns_build_tensor(b, name.text, 1, &w, false, true);
    layer.weight = weight.values;
    layer.dweight = weight.gradient;
    layer.bias = bias.values;
    layer.dbias = bias.gradient;
    return layer;
}

static int embed(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming) {
    const ns_token_rows rows = token_rows(b, s, naming);
    const ns_linear layer = patch_layer(b, s, naming);
    int columns = ns_build_buffer(b, NS_OF_PATCHES, layer.in);
    ns_build_step(b, &ns_patches_operation, NS_NO_BUFFER, NS_NO_BUFFER, columns, &s->grid,
                  sizeof s->grid);
    int embedded = ns_build_linear(b, columns, layer, NS_NO_ACTIVATION);
    int x = ns_build_buffer(b, NS_OF_TOKENS, s->blocks.width);
    return ns_build_step(b, &ns_tokens_operation, embedded, NS_NO_BUFFER, x, &rows, sizeof rows);
}

int ns_vit_build(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming) {
    ns_network *n = b->network;
    n->input = NS_INPUT_PIXELS;
    n->patches = ns_vit_patches(s);
    n->tokens = ns_vit_tokens(s);
    n->classes_first = s->class_token;
    n->registers = s->registers;
    n->pooled_kind = s->mean_pooling ? NS_ROW_PATCH : NS_ROW_CLASS;
    int x = embed(b, s, naming);
    if (s->norm_pre) x = ns_build_part_norm(b, naming, NS_PART_NORM_PRE, 0, x, NS_ROLE_STEM, true);
    x = ns_build_blocks(b, &s->blocks, naming, x);
    if (s->norm) x = ns_build_part_norm(b, naming, NS_PART_NORM, 0, x, NS_ROLE_FINAL, true);
    if (!s->pooled_norm && !s->classes) return b->status;
    const ns_pooling pooling = {n->tokens, s->blocks.width, s->pool_from, s->mean_pooling};
    int pooled = ns_build_buffer(b, NS_OF_SAMPLES, s->blocks.width);
    ns_build_step(b, &ns_pool_operation, x, NS_NO_BUFFER, pooled, &pooling, sizeof pooling);
    if (s->pooled_norm)
        pooled = ns_build_part_norm(b, naming, NS_PART_POOLED_NORM, 0, pooled,
                                    s->norm ? NS_ROLE_HEAD : NS_ROLE_FINAL, true);
    if (s->classes)
        ns_build_head(
            b, pooled,
            ns_build_part_layer(b, naming, NS_PART_HEAD, 0, s->classes, s->blocks.width, false));
    return b->status;
}
