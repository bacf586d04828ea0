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
#include "probe/train/vit.h"

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

static void start_fixup(ns_network *net) {
    double scale = 1 / sqrt(2 * (double)net->trunk.shape.depth);
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

static void start_norms(ns_network *net, const ns_start *start) {
    const ns_trunk *t = &net->trunk;
    const ns_norm_kind *kind = t->shape.norm;
    ns_real *values = net->parameters.values;
    size_t w = t->shape.width;
    double alpha = isnan(start->alpha) ? kind->alpha : start->alpha;
    double before = isnan(start->alpha_attention) ? alpha : start->alpha_attention;
    for (int i = 0; i < t->site_count; i++) {
        const ns_trunk_site *s = &t->sites[i];
        size_t alphas = kind->alpha_per_channel ? w : 1;
        if (s->gamma != NS_NOWHERE) fill(1, w, values + s->gamma);
        if (s->alpha != NS_NOWHERE)
            fill((ns_real)(s->attention ? before : alpha), alphas, values + s->alpha);
        if (s->variance != NS_NOWHERE) fill(1, w, values + s->variance);
    }
}

void ns_start_vit(ns_network *net, const ns_start *start) {
    const ns_vit_shape *shape = &((const ns_vit *)net)->shape;
    ns_parameters *p = &net->parameters;
    memset(p->values, 0, p->total * sizeof *p->values);
    double deviation =
        start->deviation > 0 ? start->deviation : 0.02 * sqrt(768 / (double)shape->embed);
    double bound = 1 / sqrt((double)(shape->channels * shape->patch * shape->patch));
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
    start_norms(net, start);
    if (shape->norm->small_start) start_fixup(net);
}

void ns_start_gpt(ns_network *net, const ns_start *start) {
    const ns_trunk_shape *shape = &net->trunk.shape;
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
    start_norms(net, start);
    if (shape->norm->small_start) start_fixup(net);
}
