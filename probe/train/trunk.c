/* The parts of a trunk: its tensors, its memory, its norms. The passes are in trunk_run.c. */
#include "probe/train/trunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

const ns_trunk_names ns_names_timm = {"blocks.", "norm1",   "attn.qkv", "attn.proj", "norm2",
                                      "mlp.fc1", "mlp.fc2", "norm",     false};
const ns_trunk_names ns_names_gpt2 = {
    "h.", "ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj", "ln_f", true};

static int add_site(ns_trunk *t, const char *name, bool attention, bool final, ns_error *err) {
    ns_trunk_site *s = &t->sites[t->site_count++];
    const ns_norm_kind *kind = t->shape.norm;
    int64_t w = (int64_t)t->shape.width, one = 1;
    int status = NS_OK;
    *s = (ns_trunk_site){.attention = attention, .final = final};
    s->gamma = s->beta = s->alpha = s->shift = s->mean = s->variance = NS_NOWHERE;
    snprintf(s->name, sizeof s->name, "%s", name);
    const struct {
        unsigned flag;
        const char *suffix;
        int64_t *shape;
        size_t *at;
    } arrays[] = {{NS_HAS_GAMMA, "weight", &w, &s->gamma},
                  {NS_HAS_BETA, "bias", &w, &s->beta},
                  {NS_HAS_ALPHA, "alpha", kind->alpha_per_channel ? &w : &one, &s->alpha},
                  {NS_HAS_SHIFT, "shift", &one, &s->shift}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !status; i++)
        if (kind->learns & arrays[i].flag)
            status = ns_parameters_add(t->parameters, true, false, 1, arrays[i].shape, arrays[i].at,
                                       err, "%s.%s", name, arrays[i].suffix);
    return status;
}

/* weight [rows, columns] and bias [rows]. */
static int add_linear(ns_trunk *t, size_t block, const char *name, size_t rows, size_t columns,
                      ns_trunk_linear *l, ns_error *err) {
    const int64_t shape[] = {(int64_t)rows, (int64_t)columns};
    int status = ns_parameters_add(t->parameters, true, true, 2, shape, &l->weight, err,
                                   "%s%zu.%s.weight", t->shape.names->block, block, name);
    if (status) return status;
    t->parameters->items[t->parameters->count - 1].turned = t->shape.names->turned;
    return ns_parameters_add(t->parameters, true, false, 1, shape, &l->bias, err, "%s%zu.%s.bias",
                             t->shape.names->block, block, name);
}

static int add_block(ns_trunk *t, size_t i, ns_error *err) {
    const ns_trunk_shape *s = &t->shape;
    const ns_trunk_names *names = s->names;
    ns_trunk_block *b = &t->blocks[i];
    char name[40];
    snprintf(name, sizeof name, "%s%zu.%s", names->block, i, names->norm1);
    int status = add_site(t, name, true, false, err);
    if (!status) status = add_linear(t, i, names->qkv, 3 * s->width, s->width, &b->qkv, err);
    if (!status)
        status = add_linear(t, i, names->projection, s->width, s->width, &b->projection, err);
    snprintf(name, sizeof name, "%s%zu.%s", names->block, i, names->norm2);
    if (!status) status = add_site(t, name, false, false, err);
    if (!status) status = add_linear(t, i, names->fc1, s->hidden, s->width, &b->fc1, err);
    if (!status) status = add_linear(t, i, names->fc2, s->width, s->hidden, &b->fc2, err);
    return status;
}

int ns_trunk_new(ns_trunk *t, const ns_trunk_shape *shape, ns_parameters *parameters,
                 ns_error *err) {
    *t = (ns_trunk){.shape = *shape, .parameters = parameters};
    t->blocks = ns_calloc(shape->depth, sizeof *t->blocks, err);
    t->sites = t->blocks ? ns_calloc(2 * shape->depth + 1, sizeof *t->sites, err) : NULL;
    int status = t->sites ? NS_OK : NS_EFAIL;
    for (size_t i = 0; i < shape->depth && !status; i++) status = add_block(t, i, err);
    return status ? status : add_site(t, t->shape.names->norm, false, true, err);
}

int ns_trunk_add_running(ns_trunk *t, ns_error *err) {
    const int64_t w = (int64_t)t->shape.width;
    int status = NS_OK;
    if (!(t->shape.norm->has & NS_HAS_RUNNING)) return NS_OK;
    for (int i = 0; i < t->site_count && !status; i++) {
        ns_trunk_site *s = &t->sites[i];
        status = ns_parameters_add(t->parameters, false, false, 1, &w, &s->mean, err,
                                   "%s.running_mean", s->name);
        if (!status)
            status = ns_parameters_add(t->parameters, false, false, 1, &w, &s->variance, err,
                                       "%s.running_var", s->name);
    }
    return status;
}

void ns_trunk_free(ns_trunk *t) {
    free(t->sites);
    free(t->blocks);
    free(t->memory);
    *t = (ns_trunk){0};
}

/* Deals out pieces of one block; with a NULL block it only counts. */
typedef struct dealer {
    ns_real *memory;
    size_t used;
} dealer;

static ns_real *deal(dealer *d, size_t count) {
    ns_real *piece = d->memory ? d->memory + d->used : NULL;
    d->used += (count + 15) / 16 * 16;
    return piece;
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Statistics of norms: a value for each row, or for each channel of the batch. */
static void deal_all(ns_trunk *t, dealer *d, size_t samples) {
    const ns_trunk_shape *s = &t->shape;
    const ns_attention a = {samples, s->tokens, s->heads, s->width / s->heads, s->causal};
    size_t rows = samples * s->tokens, w = s->width, wide = most(3 * w, s->hidden);
    for (size_t i = 0; i < s->depth; i++) {
        ns_trunk_block *b = &t->blocks[i];
        b->x = deal(d, rows * w);
        b->z1 = deal(d, rows * w);
        b->qkv_ = deal(d, rows * 3 * w);
        b->weights = deal(d, samples * s->heads * s->tokens * s->tokens);
        b->attended = deal(d, rows * w);
        b->middle = deal(d, rows * w);
        b->z2 = deal(d, rows * w);
        b->slope = deal(d, rows * s->hidden);
        b->active = deal(d, rows * s->hidden);
    }
    for (int i = 0; i < t->site_count; i++) {
        t->sites[i].mean_ = deal(d, most(rows, w));
        t->sites[i].rstd_ = deal(d, most(rows, w));
    }
    t->out = deal(d, rows * w);
    t->z = deal(d, rows * w);
    t->dx = deal(d, rows * w);
    t->dz = deal(d, rows * w);
    t->spare = deal(d, rows * w);
    t->dwide = deal(d, rows * wide);
    t->work = deal(d, most(ns_norm_work((int)w), ns_column_work(wide)));
    t->scratch = deal(d, ns_attention_scratch(&a));
}

int ns_trunk_reserve(ns_trunk *t, size_t samples, ns_error *err) {
    if (samples <= t->room) return NS_OK;
    dealer d = {NULL, 0};
    t->room = 0;
    free(t->memory);
    t->memory = NULL;
    deal_all(t, &d, samples);
    ns_real *memory = ns_alloc_aligned(d.used, sizeof *memory, err);
    if (!memory) return NS_EFAIL;
    memset(memory, 0, d.used * sizeof *memory);
    t->memory = memory;
    t->room = samples;
    d = (dealer){memory, 0};
    deal_all(t, &d, samples);
    for (size_t i = 0; i < t->shape.depth; i++) {
        t->sites[2 * i].x = t->blocks[i].x;
        t->sites[2 * i + 1].x = t->blocks[i].middle;
    }
    t->sites[t->site_count - 1].x = t->out;
    return NS_OK;
}

static ns_real *at(ns_real *block, size_t where) {
    return where == NS_NOWHERE ? NULL : block + where;
}

ns_norm ns_trunk_norm(const ns_trunk *t, int site) {
    const ns_trunk_site *s = &t->sites[site];
    ns_real *v = t->parameters->values;
    const ns_norm_kind *kind = t->shape.norm;
    int w = (int)t->shape.width;
    return (ns_norm){.kind = kind,
                     .channels = w,
                     .eps = kind->has & NS_HAS_EPS ? (ns_real)t->shape.eps : 0,
                     .gamma = at(v, s->gamma),
                     .beta = at(v, s->beta),
                     .alpha = at(v, s->alpha),
                     .alpha_count = s->alpha == NS_NOWHERE    ? 0
                                    : kind->alpha_per_channel ? w
                                                              : 1,
                     .shift = at(v, s->shift),
                     .mean = at(v, s->mean),
                     .variance = at(v, s->variance)};
}

ns_norm_gradient ns_trunk_norm_gradient(const ns_trunk *t, int site) {
    const ns_trunk_site *s = &t->sites[site];
    ns_real *g = t->parameters->gradient;
    return (ns_norm_gradient){at(g, s->gamma), at(g, s->beta), at(g, s->alpha), at(g, s->shift)};
}
