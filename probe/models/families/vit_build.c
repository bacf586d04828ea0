#include "probe/models/families/vit.h"

#include <string.h>

size_t ns_vit_patches(const ns_vit_spec *s) {
    return (s->grid.height / s->grid.patch) * (s->grid.width / s->grid.patch);
}

size_t ns_vit_extra(const ns_vit_spec *s) {
    return (size_t)s->class_token + s->distillation_token + s->registers;
}

size_t ns_vit_tokens(const ns_vit_spec *s) {
    return ns_vit_extra(s) + ns_vit_patches(s);
}

const ns_names ns_names_timm = {
    .name = "timm",
    .prefixes = "",
    .parts = {[NS_PART_CLASS] = "cls_token",
              [NS_PART_DISTILLATION] = "dist_token",
              [NS_PART_REGISTERS] = "reg_token",
              [NS_PART_POSITIONS] = "pos_embed",
              [NS_PART_PATCH] = "patch_embed.proj.",
              [NS_PART_NORM_PRE] = "norm_pre",
              [NS_PART_NORM1] = "blocks.%d.norm1",
              [NS_PART_QKV] = "blocks.%d.attn.qkv.",
              [NS_PART_QUERY_NORM] = "blocks.%d.attn.q_norm",
              [NS_PART_KEY_NORM] = "blocks.%d.attn.k_norm",
              [NS_PART_PROJECTION] = "blocks.%d.attn.proj.",
              [NS_PART_SCALE1] = "blocks.%d.ls1.gamma|blocks.%d.gamma_1",
              [NS_PART_NORM2] = "blocks.%d.norm2",
              [NS_PART_GATE] = "blocks.%d.mlp.fc1_g.",
              [NS_PART_FC1] = "blocks.%d.mlp.fc1.|blocks.%d.mlp.fc1_x.",
              [NS_PART_FC2] = "blocks.%d.mlp.fc2.",
              [NS_PART_SCALE2] = "blocks.%d.ls2.gamma|blocks.%d.gamma_2",
              [NS_PART_NORM] = "norm",
              [NS_PART_POOLED_NORM] = "fc_norm",
              [NS_PART_PROBE] = "attn_pool.latent",
              [NS_PART_PROBE_Q] = "attn_pool.q.",
              [NS_PART_PROBE_KV] = "attn_pool.kv.",
              [NS_PART_PROBE_PROJECTION] = "attn_pool.proj.",
              [NS_PART_PROBE_NORM] = "attn_pool.norm",
              [NS_PART_PROBE_FC1] = "attn_pool.mlp.fc1.",
              [NS_PART_PROBE_FC2] = "attn_pool.mlp.fc2.",
              [NS_PART_HEAD] = "head.",
              [NS_PART_DISTILLATION_HEAD] = "head_dist."}};

/* ---- tokens ---- */

/* Positions [placed + P, W] from those of another grid, [placed + P', W]. */
static const ns_real *resample(ns_builder *b, const ns_vit_spec *s, size_t placed,
                               const ns_real *from) {
    const size_t w = s->blocks.width, count = placed + ns_vit_patches(s);
    ns_real *to = from ? ns_build_memory(b, count * w * sizeof *to) : NULL;
    if (!to) return NULL;
    memcpy(to, from, placed * w * sizeof *to);
    b->status = ns_resample(&s->resampling, w, from + placed * w, to + placed * w, b->err);
    return to;
}

static size_t tokens_placed(const ns_vit_spec *s) {
    if (s->positions == NS_POSITIONS_OF_PATCHES) return 0;
    return ns_vit_extra(s) - (s->positions == NS_POSITIONS_OF_ALL ? 0 : s->registers);
}

static void place(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming,
                  ns_token_rows *rows) {
    const ns_resampling *r = &s->resampling;
    size_t patches = s->resampled ? r->from_height * r->from_width : ns_vit_patches(s);
    rows->placed = tokens_placed(s);
    const int64_t shape[] = {1, (int64_t)(rows->placed + patches), (int64_t)s->blocks.width};
    ns_array array = ns_build_part(b, naming, NS_PART_POSITIONS, s->flat_tokens ? 2 : 3,
                                   shape + s->flat_tokens, false);
    rows->positions = s->resampled ? resample(b, s, rows->placed, array.values) : array.values;
    rows->dpositions = array.gradient;
}

/* The class token, others and positions, before the patches: the order in which new ones are made. */
static ns_token_rows token_rows(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming) {
    const int64_t w = (int64_t)s->blocks.width, one[] = {1, 1, w},
                  registers[] = {1, (int64_t)s->registers, w};
    ns_token_rows rows = {.patches = ns_vit_patches(s),
                          .registers = s->registers + s->distillation_token,
                          .width = s->blocks.width};
    if (s->class_token) {
        ns_array array = s->flat_tokens ? ns_build_part(b, naming, NS_PART_CLASS, 1, &w, false)
                                        : ns_build_part(b, naming, NS_PART_CLASS, 3, one, false);
        rows.class_row = array.values;
        rows.dclass = array.gradient;
    }
    if (s->distillation_token)
        rows.register_rows = ns_build_part(b, naming, NS_PART_DISTILLATION, 3, one, false).values;
    if (s->registers)
        rows.register_rows =
            ns_build_part(b, naming, NS_PART_REGISTERS, 3, registers, false).values;
    if (s->positions != NS_NO_POSITIONS) place(b, s, naming, &rows);
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

/* ---- what follows the blocks ---- */

/* One row of each sample, or two side by side. */
static int pool(ns_builder *b, const ns_vit_spec *s, int x) {
    const size_t w = s->blocks.width, tokens = ns_vit_tokens(s);
    const ns_pooling first = {.tokens = tokens,
                              .width = w,
                              .from = s->pool == NS_POOL_MEAN ? s->pool_from : 0,
                              .mean = s->pool == NS_POOL_MEAN};
    const ns_pooling second = {.tokens = tokens,
                               .width = w,
                               .from = s->pool == NS_POOL_TWO_HEADS ? 1 : s->pool_from,
                               .mean = s->pool == NS_POOL_CLASS_AND_MEAN,
                               .column = w};
    bool two = s->pool == NS_POOL_CLASS_AND_MEAN || s->pool == NS_POOL_TWO_HEADS;
    int out = ns_build_buffer(b, NS_OF_SAMPLES, two ? 2 * w : w);
    ns_build_step(b, &ns_pool_operation, x, NS_NO_BUFFER, out, &first, sizeof first);
    if (two) ns_build_step(b, &ns_pool_operation, x, NS_NO_BUFFER, out, &second, sizeof second);
    return out;
}

/* Half of one head beside half of the other: their mean is one layer over both rows. */
static ns_linear join_heads(ns_builder *b, const ns_linear heads[2]) {
    const size_t w = heads[0].in, classes = heads[0].out;
    ns_linear joined = {.in = 2 * w, .out = classes};
    ns_real *weight = ns_build_memory(b, 2 * w * classes * sizeof *weight);
    ns_real *bias = ns_build_memory(b, classes * sizeof *bias);
    if (b->status) return joined;
    for (size_t k = 0; k < classes; k++)
        for (int h = 0; h < 2; h++) {
            ns_real *row = weight + (2 * k + (size_t)h) * w;
            ns_linear_row(&heads[h], k, row);
            for (size_t c = 0; c < w; c++) row[c] *= (ns_real)0.5;
            if (heads[h].bias) bias[k] += (ns_real)0.5 * heads[h].bias[k];
        }
    joined.weight = weight;
    joined.bias = bias;
    return joined;
}

static void add_head(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming, int pooled) {
    const size_t w = s->blocks.width, in = s->pool == NS_POOL_CLASS_AND_MEAN ? 2 * w : w;
    ns_linear heads[2] = {ns_build_part_layer(b, naming, NS_PART_HEAD, 0, s->classes, in, false)};
    if (s->pool == NS_POOL_TWO_HEADS) {
        heads[1] =
            ns_build_part_layer(b, naming, NS_PART_DISTILLATION_HEAD, 0, s->classes, w, false);
        if (!b->status) heads[0] = join_heads(b, heads);
    }
    ns_build_head(b, pooled, heads[0]);
}

int ns_vit_build(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming) {
    ns_network *n = b->network;
    n->input = NS_INPUT_PIXELS;
    n->patches = ns_vit_patches(s);
    n->tokens = ns_vit_tokens(s);
    n->classes_first = (size_t)s->class_token + s->distillation_token;
    n->registers = s->registers;
    n->pooled_kind = s->pool == NS_POOL_MEAN ? NS_ROW_PATCH : NS_ROW_CLASS;
    int x = embed(b, s, naming);
    if (s->norm_pre) x = ns_build_part_norm(b, naming, NS_PART_NORM_PRE, 0, x, NS_ROLE_STEM, true);
    x = ns_build_blocks(b, &s->blocks, naming, x);
    if (s->norm) x = ns_build_part_norm(b, naming, NS_PART_NORM, 0, x, NS_ROLE_FINAL, true);
    if (s->pool != NS_POOL_PROBE && !s->pooled_norm && !s->classes) return b->status;
    int pooled = s->pool == NS_POOL_PROBE ? ns_vit_build_probe(b, s, naming, x) : pool(b, s, x);
    if (s->pooled_norm)
        pooled = ns_build_part_norm(b, naming, NS_PART_POOLED_NORM, 0, pooled,
                                    s->norm ? NS_ROLE_HEAD : NS_ROLE_FINAL, true);
    if (s->classes && s->head_beside) {
        ns_vit_spec beside = *s;
        beside.pool = NS_POOL_MEAN;
        pooled = pool(b, &beside, x);
    }
    if (s->classes) add_head(b, s, naming, pooled);
    return b->status;
}
