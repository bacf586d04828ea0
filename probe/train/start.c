/* How a new network begins: a ViT as timm and the DyT recipe have it: weights of linear layers and positions normal with deviation
 * 0.02 for a width of 768 and, so that a layer's output is as large, 0.02 sqrt(768 / W) for others; the class token with 1e-6, biases
 * 0, gamma 1, beta 0, alpha as asked; the patch embedding uniform within 1/sqrt(columns), which is PyTorch's convolution. Each tensor
 * has a stream of its own, by the seed and its place in the table.
 *
 * A GPT begins as GPT-2 did (Radford et al. 2019): weights as above, those that end a branch divided by sqrt(2 * depth), token rows
 * normal with 1/sqrt(W), so that the logits of unit rows begin with deviation 1, and positions with half of that (GPT-2's 0.02 and 0.01
 * leave a DyT, which does not scale its input up, nothing to work with).
 *
 * Fixup (Zhang, Dauphin, Ma, ICLR 2019, arXiv 1901.09321): the last layer of each branch and the head begin at 0, the first layer
 * is scaled by L^(-1/(2m - 2)), where L = 2 * depth branches have m = 2 layers. */
#include <math.h>
#include <string.h>

#include "probe/base/random.h"
#include "probe/train/trainee.h"

/* Two normal numbers from two uniform ones (Box, Muller 1958); the first is kept away from 0. */
static void normal(uint64_t *stream, double deviation, size_t count, ns_real *values) {
    const double turn = 6.283185307179586;
    for (size_t i = 0; i < count; i += 2) {
        double radius = deviation * sqrt(-2 * log(1 - ns_random_unit(stream)));
        double angle = turn * ns_random_unit(stream);
        values[i] = (ns_real)(radius * cos(angle));
        if (i + 1 < count) values[i + 1] = (ns_real)(radius * sin(angle));
    }
}

static void uniform(uint64_t *stream, double bound, size_t count, ns_real *values) {
    for (size_t i = 0; i < count; i++)
        values[i] = (ns_real)(bound * (2 * ns_random_unit(stream) - 1));
}

static void fill(ns_real value, size_t count, ns_real *values) {
    for (size_t i = 0; i < count; i++) values[i] = value;
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

static void start_fixup(ns_trainee *net) {
    double scale = 1 / sqrt(2 * (double)ns_trainee_blocks(net)->depth);
    for (int i = 0; i < net->parameters.learned_count; i++) {
        const ns_parameter *t = &net->parameters.items[i];
        ns_real *values = net->parameters.values + t->at;
        bool embedding = !strncmp(t->name, "patch_embed.", 12);
        if ((ends_with(t->name, "proj.weight") && !embedding) ||
            ends_with(t->name, "mlp.fc2.weight") || !strcmp(t->name, "head.weight"))
            fill(0, t->count, values);
        if (ends_with(t->name, "attn.qkv.weight") || ends_with(t->name, "mlp.fc1.weight") ||
            ends_with(t->name, "attn.c_attn.weight") || ends_with(t->name, "mlp.c_fc.weight"))
            for (size_t k = 0; k < t->count; k++) values[k] = (ns_real)((double)values[k] * scale);
    }
}

/* The arrays are the trainee's own, which its network reads alone. */
static void fill_array(ns_real value, int count, const ns_real *array) {
    if (array) fill(value, (size_t)count, (ns_real *)(uintptr_t)array);
}

static void start_norms(ns_trainee *net, const ns_start *start) {
    const ns_norm_kind *kind = net->parameters.norm;
    double alpha = isnan(start->alpha) ? kind->alpha : start->alpha;
    double before = isnan(start->alpha_attention) ? alpha : start->alpha_attention;
    for (int i = 0; i < net->network.site_count; i++) {
        const ns_site *s = &net->network.sites[i];
        bool attention = s->role == NS_ROLE_ATTENTION;
        fill_array(1, s->norm.channels, s->norm.gamma);
        fill_array((ns_real)(attention ? before : alpha), s->norm.alpha_count, s->norm.alpha);
        fill_array(1, s->norm.channels, s->norm.variance);
    }
}

static void start_vit(ns_trainee *net, const ns_start *start) {
    const ns_patch_grid *grid = &net->vit.grid;
    ns_parameters *p = &net->parameters;
    memset(p->values, 0, p->total * sizeof *p->values);
    double deviation =
        start->deviation > 0 ? start->deviation : 0.02 * sqrt(768 / (double)net->vit.blocks.width);
    double bound = 1 / sqrt((double)(grid->channels * grid->patch * grid->patch));
    for (int i = 0; i < p->learned_count; i++) {
        const ns_parameter *t = &p->items[i];
        uint64_t stream = ns_mix64(ns_mix64(start->seed + 1) + (uint64_t)i);
        if (!strncmp(t->name, "patch_embed.", 12))
            uniform(&stream, bound, t->count, p->values + t->at);
        else if (t->decays || !strcmp(t->name, "pos_embed"))
            normal(&stream, deviation, t->count, p->values + t->at);
        else if (!strcmp(t->name, "cls_token"))
            normal(&stream, 1e-6, t->count, p->values + t->at);
    }
}

static void start_gpt(ns_trainee *net, const ns_start *start) {
    const ns_block_spec *shape = &net->gpt.blocks;
    ns_parameters *p = &net->parameters;
    double deviation =
        start->deviation > 0 ? start->deviation : 0.02 * sqrt(768 / (double)shape->width);
    memset(p->values, 0, p->total * sizeof *p->values);
    for (int i = 0; i < p->learned_count; i++) {
        const ns_parameter *t = &p->items[i];
        uint64_t stream = ns_mix64(ns_mix64(start->seed + 1) + (uint64_t)i);
        bool last = ends_with(t->name, "c_proj.weight");
        double scale = last ? 1 / sqrt(2 * (double)shape->depth) : 1;
        if (!strcmp(t->name, "wte.weight"))
            scale = 1 / (sqrt((double)shape->width) * deviation);
        else if (!strcmp(t->name, "wpe.weight"))
            scale = 0.5 / (sqrt((double)shape->width) * deviation);
        else if (!t->decays)
            continue;
        normal(&stream, scale * deviation, t->count, p->values + t->at);
    }
}

void ns_trainee_initialize(ns_trainee *t, const ns_start *start) {
    if (t->words)
        start_gpt(t, start);
    else
        start_vit(t, start);
    start_norms(t, start);
    if (t->parameters.norm->small_start) start_fixup(t);
}
