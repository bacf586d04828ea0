#include "probe/models/blocks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- names ---- */

/* Expands one template of `length` bytes. */
static void expand(const ns_naming *naming, const char *from, size_t length, int block,
                   const char *suffix, ns_name *out) {
    size_t used = 0, room = sizeof out->text;
    for (size_t i = 0; i < length && used + 1 < room; i++) {
        int n = 1;
        if (from[i] == '@')
            n = snprintf(out->text + used, room - used, "%.*s", naming->prefix_length,
                         naming->prefix);
        else if (from[i] == '%' && i + 1 < length)
            n = snprintf(out->text + used, room - used, "%d", block), i++;
        else
            out->text[used] = from[i];
        used += (size_t)n;
        if (used >= room) used = room - 1;
    }
    snprintf(out->text + used, room - used, "%s", suffix);
}

bool ns_part_name(const ns_naming *naming, const ns_source *source, ns_part part, int block,
                  const char *suffix, ns_name *out) {
    return ns_name_of(naming, source, naming->names->parts[part], block, suffix, out);
}

bool ns_name_of(const ns_naming *naming, const ns_source *source, const char *all, int block,
                const char *suffix, ns_name *out) {
    out->text[0] = 0;
    if (!all) return false;
    for (const char *at = all;;) {
        size_t length = strcspn(at, "|");
        expand(naming, at, length, block, suffix, out);
        if (source->has(source->user, out->text)) return true;
        if (!at[length]) break;
        at += length + 1;
    }
    expand(naming, all, strcspn(all, "|"), block, suffix, out);
    return false;
}

ns_array ns_build_part(ns_builder *b, const ns_naming *naming, ns_part part, int dims,
                       const int64_t *shape, bool decays) {
    ns_name name;
    ns_array none = {NULL, NULL};
    if (!ns_part_name(naming, &b->source, part, 0, "", &name)) return none;
    return ns_build_tensor(b, name.text, dims, shape, decays, false);
}

ns_linear ns_build_part_rows(ns_builder *b, const ns_naming *naming, ns_part part, size_t rows,
                             size_t width) {
    ns_name name;
    ns_part_name(naming, &b->source, part, 0, "", &name);
    return ns_build_rows(b, name.text, rows, width);
}

ns_linear ns_build_part_layer(ns_builder *b, const ns_naming *naming, ns_part part, int block,
                              size_t out, size_t in, bool turned) {
    ns_name name;
    ns_part_name(naming, &b->source, part, block, "weight", &name);
    size_t length = strlen(name.text);
    if (length >= 6) name.text[length - 6] = 0; /* without "weight" */
    return ns_build_layer(b, name.text, out, in, turned);
}

/* A norm may have any of several arrays, so that its path is told by the scheme alone. */
static int build_part_norm(ns_builder *b, const ns_naming *naming, ns_part part, int block, int x,
                           size_t heads, ns_role role, bool required) {
    ns_name path;
    if (!naming->names->parts[part]) return x;
    ns_part_name(naming, &b->source, part, block, "", &path);
    return ns_build_head_norm(b, x, path.text, heads, role, required);
}

int ns_build_part_norm(ns_builder *b, const ns_naming *naming, ns_part part, int block, int x,
                       ns_role role, bool required) {
    return build_part_norm(b, naming, part, block, x, 1, role, required);
}

/* ---- blocks ---- */

typedef struct block {
    ns_builder *b;
    const ns_block_spec *spec;
    const ns_naming *naming;
    int number, angles, local_angles;
} block;

static ns_linear layer(const block *k, ns_part part, size_t out, size_t in) {
    return ns_build_part_layer(k->b, k->naming, part, k->number, out, in, k->spec->turned);
}

static int norm(const block *k, ns_part part, int x, ns_role role) {
    return ns_build_part_norm(k->b, k->naming, part, k->number, x, role, true);
}

/* x + norm(layer(branch)). */
static int add_normed(const block *k, int x, int branch, ns_linear last, ns_part part,
                      ns_role role) {
    int z = ns_build_linear(k->b, branch, last, NS_NO_ACTIVATION);
    z = norm(k, part, z, role);
    int out = ns_build_buffer(k->b, NS_OF_TOKENS, k->spec->width);
    return ns_build_step(k->b, &ns_sum_operation, x, z, out, NULL, 0);
}

/* x + scale * layer(branch), with what the order of the norms has behind it. */
static int add_residual(const block *k, int x, int branch, ns_linear last, size_t which) {
    static const ns_part scales[] = {NS_PART_SCALE1, NS_PART_SCALE2},
                         norms[] = {NS_PART_NORM1, NS_PART_NORM2},
                         branch_norms[] = {NS_PART_BRANCH_NORM1, NS_PART_BRANCH_NORM2};
    static const ns_role roles[] = {NS_ROLE_POST_ATTENTION, NS_ROLE_POST_MLP};
    if (k->spec->order == NS_BOTH_NORMS || k->spec->order == NS_BRANCH_NORMS)
        return add_normed(k, x, branch, last, branch_norms[which], roles[which]);
    ns_part scale = scales[which];
    ns_builder *b = k->b;
    ns_residual_options options = {.layer = last, .branch = 2 * (size_t)k->number + which};
    const int64_t width = (int64_t)k->spec->width;
    ns_name name;
    if (k->spec->scaled && ns_part_name(k->naming, &b->source, scale, k->number, "", &name))
        options.scale = ns_build_tensor(b, name.text, 1, &width, false, false).values;
    int out = ns_build_buffer(b, NS_OF_TOKENS, k->spec->width);
    ns_build_step(b, &ns_residual_operation, x, branch, out, &options, sizeof options);
    return k->spec->order == NS_POST_NORM ? norm(k, norms[which], out, roles[which]) : out;
}

/* From rows of a head's queries, keys and values, one head after the other, to those of all queries, keys, values. */
static int gather_heads(const block *k, int x) {
    const ns_block_spec *s = k->spec;
    int out = ns_build_buffer(k->b, NS_OF_TOKENS, 3 * s->heads * s->dim);
    for (size_t i = 0; i < 3; i++) {
        const ns_columns_options options = {i * s->dim, i * s->heads * s->dim, s->dim, s->heads,
                                            3 * s->dim};
        ns_build_step(k->b, &ns_columns_operation, x, NS_NO_BUFFER, out, &options, sizeof options);
    }
    return out;
}

/* Queries, keys and values of x as the columns of one buffer. */
static int queries(const block *k, int x) {
    const ns_block_spec *s = k->spec;
    const size_t inner = s->heads * s->dim, shared = s->groups * s->dim;
    if (k->naming->names->parts[NS_PART_QKV]) {
        int all = ns_build_linear(k->b, x, layer(k, NS_PART_QKV, inner + 2 * shared, s->width),
                                  NS_NO_ACTIVATION);
        return s->by_head ? gather_heads(k, all) : all;
    }
    int out = ns_build_buffer(k->b, NS_OF_TOKENS, inner + 2 * shared);
    const size_t columns[] = {0, inner, inner + shared}, sizes[] = {inner, shared, shared};
    for (int i = 0; i < 3; i++) {
        const ns_linear_options options = {layer(k, (ns_part)(NS_PART_Q + i), sizes[i], s->width),
                                           NS_NO_ACTIVATION, columns[i]};
        ns_build_step(k->b, &ns_linear_operation, x, NS_NO_BUFFER, out, &options, sizeof options);
    }
    return out;
}

/* Columns [from, from + heads * D) of qkv through a norm, where the checkpoint has one. */
static void norm_columns(const block *k, int qkv, size_t from, size_t heads, ns_part part,
                         ns_role role) {
    const ns_block_spec *s = k->spec;
    size_t count = heads * s->dim;
    int x = ns_build_buffer(k->b, NS_OF_TOKENS, count);
    ns_build_columns(k->b, qkv, from, count, x, 0);
    int y = build_part_norm(k->b, k->naming, part, k->number, x, s->norm_of_heads ? heads : 1, role,
                            true);
    ns_build_columns(k->b, y, 0, count, qkv, from);
}

static int attention(const block *k, int x) {
    const ns_block_spec *s = k->spec;
    ns_attention options = {
        .heads = s->heads, .dim = s->dim, .groups = s->groups, .causal = s->causal, .cap = s->cap};
    bool local = s->local && s->local[k->number];
    if (local || !s->local) options.window = s->window;
    options.scale = s->scale;
    if (s->scale_by_layer)
        options.scale = (s->scale != 0 ? s->scale : 1 / sqrt((double)s->dim)) / (k->number + 1);
    int qkv = queries(k, x), out = ns_build_buffer(k->b, NS_OF_TOKENS, s->heads * s->dim);
    if (s->norms_queries) {
        norm_columns(k, qkv, 0, s->heads, NS_PART_QUERY_NORM, NS_ROLE_QUERY);
        norm_columns(k, qkv, s->heads * s->dim, s->groups, NS_PART_KEY_NORM, NS_ROLE_KEY);
    }
    if (k->angles >= 0) {
        const ns_rotary_options rotary = {s->heads + s->groups, s->dim,
                                          local ? s->local_rotary : s->rotary};
        ns_build_step(k->b, &ns_rotate_operation, qkv, local ? k->local_angles : k->angles, qkv,
                      &rotary, sizeof rotary);
    }
    return ns_build_step(k->b, &ns_attention_operation, qkv, NS_NO_BUFFER, out, &options,
                         sizeof options);
}

/* The layers before the gate's product. */
static void gate_layers(const block *k, ns_linear *gate, ns_linear *up) {
    const ns_block_spec *s = k->spec;
    if (!s->packed) {
        *gate = layer(k, NS_PART_GATE, s->hidden, s->width);
        *up = layer(k, NS_PART_FC1, s->hidden, s->width);
        return;
    }
    ns_part part = k->naming->names->parts[NS_PART_PACKED] ? NS_PART_PACKED : NS_PART_FC1;
    const ns_linear both = layer(k, part, 2 * s->hidden, s->width);
    *gate = ns_linear_rows(&both, 0, s->hidden);
    *up = ns_linear_rows(&both, s->hidden, s->hidden);
}

static int mlp(const block *k, int x) {
    const ns_block_spec *s = k->spec;
    if (!s->gated)
        return ns_build_linear(k->b, x, layer(k, NS_PART_FC1, s->hidden, s->width), s->activation);
    ns_linear layers[2];
    gate_layers(k, &layers[0], &layers[1]);
    int gate = ns_build_linear(k->b, x, layers[0], s->activation);
    int up = ns_build_linear(k->b, x, layers[1], NS_NO_ACTIVATION);
    int out = ns_build_buffer(k->b, NS_OF_TOKENS, s->hidden);
    return ns_build_step(k->b, &ns_gate_operation, gate, up, out, NULL, 0);
}

static int add_block(const block *k, int x) {
    const ns_block_spec *s = k->spec;
    bool before = s->order != NS_POST_NORM && s->order != NS_BRANCH_NORMS;
    int z = before ? norm(k, NS_PART_NORM1, x, NS_ROLE_ATTENTION) : x;
    int branch = attention(k, z);
    int y =
        add_residual(k, x, branch, layer(k, NS_PART_PROJECTION, s->width, s->heads * s->dim), 0);
    z = s->order == NS_PARALLEL ? x : y;
    if (before) z = norm(k, NS_PART_NORM2, z, NS_ROLE_MLP);
    branch = mlp(k, z);
    return add_residual(k, y, branch, layer(k, NS_PART_FC2, s->width, s->hidden), 1);
}

static int build_angles(ns_builder *b, const ns_block_spec *spec, const ns_rotary *rotary) {
    if (!(rotary->base > 0) || b->status) return NS_NO_BUFFER;
    const ns_rotary_options options = {spec->heads + spec->groups, spec->dim, *rotary};
    int angles = ns_build_buffer(b, NS_OF_POSITIONS, rotary->dim);
    return ns_build_step(b, &ns_angles_operation, NS_NO_BUFFER, NS_NO_BUFFER, angles, &options,
                         sizeof options);
}

int ns_build_blocks(ns_builder *b, const ns_block_spec *spec, const ns_naming *naming, int x) {
    block k = {b, spec, naming, 0, build_angles(b, spec, &spec->rotary), NS_NO_BUFFER};
    if (spec->local) k.local_angles = build_angles(b, spec, &spec->local_rotary);
    for (; (size_t)k.number < spec->depth && !b->status; k.number++) x = add_block(&k, x);
    return x;
}
