#include "probe/train/trainee.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

static int check_vit(const ns_vit_shape *s, ns_error *err) {
    if (!s->patch || s->height % s->patch || s->width % s->patch)
        return ns_fail(err, NS_EUSAGE,
                       "patch: expected a divisor of the image, %zu x %zu, found %zu", s->height,
                       s->width, s->patch);
    if (!s->heads || s->embed % s->heads)
        return ns_fail(err, NS_EUSAGE, "heads: expected a divisor of the width, %zu, found %zu",
                       s->embed, s->heads);
    if (!s->depth || !s->hidden || !s->channels || s->classes < 2)
        return ns_fail(err, NS_EUSAGE,
                       "expected blocks, hidden values, channels and at least two classes, found "
                       "%zu, %zu, %zu and %zu",
                       s->depth, s->hidden, s->channels, s->classes);
    return NS_OK;
}

static int check_gpt(const ns_gpt_shape *s, ns_error *err) {
    if (!s->heads || s->width % s->heads)
        return ns_fail(err, NS_EUSAGE, "heads: expected a divisor of the width, %zu, found %zu",
                       s->width, s->heads);
    if (!s->depth || !s->hidden || s->context < 2 || s->vocabulary < 2)
        return ns_fail(err, NS_EUSAGE,
                       "expected blocks, hidden values, two tokens or more and two words or more, "
                       "found %zu, %zu, %zu and %zu",
                       s->depth, s->hidden, s->context, s->vocabulary);
    return NS_OK;
}

/* The steps, and the arrays where there are any. */
static int build(ns_trainee *t, ns_error *err) {
    ns_builder b = {&t->network, ns_parameters_source(&t->parameters), err, NS_OK};
    if (t->words) return ns_gpt_build(&b, &t->gpt, &(ns_naming){&ns_names_gpt2, "", 0});
    return ns_vit_build(&b, &t->vit, &(ns_naming){&ns_names_timm, "", 0});
}

/* Built twice: what there is to allocate, then where it lies. */
static int assemble(ns_trainee *t, const ns_parameters *of, ns_error *err) {
    int status = build(t, err);
    ns_network_free(&t->network);
    if (!status) status = ns_parameters_allocate(&t->parameters, of, err);
    return status ? status : build(t, err);
}

static int finish(ns_trainee **out, ns_trainee *t, const ns_parameters *of, ns_error *err) {
    int status = assemble(t, of, err);
    if (status)
        ns_trainee_free(t);
    else
        *out = t;
    return status;
}

static ns_block_spec blocks_of(size_t width, size_t depth, size_t heads, size_t hidden,
                               ns_activation activation) {
    return (ns_block_spec){.depth = depth,
                           .width = width,
                           .hidden = hidden,
                           .heads = heads,
                           .groups = heads,
                           .dim = width / heads,
                           .activation = activation};
}

int ns_vit_new(ns_trainee **out, const ns_vit_shape *s, ns_error *err) {
    *out = NULL;
    int status = check_vit(s, err);
    ns_trainee *t = status ? NULL : ns_calloc(1, sizeof *t, err);
    if (!t) return status ? status : NS_EFAIL;
    t->vit =
        (ns_vit_spec){.grid = {.channels = s->channels,
                               .height = s->height,
                               .width = s->width,
                               .patch = s->patch},
                      .class_token = true,
                      .positions = NS_POSITIONS_OF_ALL,
                      .norm = true,
                      .classes = s->classes,
                      .blocks = blocks_of(s->embed, s->depth, s->heads, s->hidden, s->activation)};
    t->parameters.norm = s->norm;
    t->parameters.eps = s->eps;
    t->tokens = ns_vit_tokens(&t->vit);
    t->input_bytes = s->channels * s->height * s->width * sizeof(ns_real);
    t->labels = 1;
    t->classes = s->classes;
    return finish(out, t, NULL, err);
}

int ns_gpt_new(ns_trainee **out, const ns_gpt_shape *s, ns_error *err) {
    *out = NULL;
    int status = check_gpt(s, err);
    ns_trainee *t = status ? NULL : ns_calloc(1, sizeof *t, err);
    if (!t) return status ? status : NS_EFAIL;
    t->words = true;
    t->gpt =
        (ns_gpt_spec){.context = s->context,
                      .vocabulary = s->vocabulary,
                      .blocks = blocks_of(s->width, s->depth, s->heads, s->hidden, s->activation)};
    t->gpt.blocks.causal = t->gpt.blocks.turned = true;
    t->parameters.norm = s->norm;
    t->parameters.eps = s->eps;
    t->tokens = t->labels = s->context;
    t->input_bytes = s->context * sizeof(int32_t);
    t->classes = s->vocabulary;
    return finish(out, t, NULL, err);
}

int ns_trainee_twin(ns_trainee **out, const ns_trainee *of, ns_error *err) {
    *out = NULL;
    ns_trainee *t = ns_calloc(1, sizeof *t, err);
    if (!t) return NS_EFAIL;
    t->words = of->words;
    t->vit = of->vit;
    t->gpt = of->gpt;
    t->parameters.norm = of->parameters.norm;
    t->parameters.eps = of->parameters.eps;
    t->tokens = of->tokens;
    t->labels = of->labels;
    t->input_bytes = of->input_bytes;
    t->classes = of->classes;
    return finish(out, t, &of->parameters, err);
}

void ns_trainee_free(ns_trainee *t) {
    if (!t) return;
    ns_run_free(&t->run);
    ns_network_free(&t->network);
    ns_parameters_free(&t->parameters);
    free(t->logits);
    free(t);
}

const ns_block_spec *ns_trainee_blocks(const ns_trainee *t) {
    return t->words ? &t->gpt.blocks : &t->vit.blocks;
}

int ns_trainee_reserve(ns_trainee *t, size_t samples, ns_error *err) {
    if (samples > t->room) {
        size_t half = (samples * t->labels * t->classes + 15) / 16 * 16;
        t->room = 0;
        free(t->logits);
        t->logits = ns_alloc_aligned(2 * half, sizeof *t->logits, err);
        if (!t->logits) return NS_EFAIL;
        t->dlogits = t->logits + half;
        t->room = samples;
    }
    bool observed = t->observer && t->observer->deliver;
    return ns_run_reserve(&t->run, &t->network, samples, t->tokens, true, observed, err);
}

const ns_real *ns_trainee_forward(ns_trainee *t, size_t samples, const void *input, bool training,
                                  ns_keep keep) {
    const ns_run_options pass = {.observer = t->observer,
                                 .keep = keep,
                                 .batch_statistics = training,
                                 .hold_running = t->hold_running};
    t->batch = (ns_batch){.samples = samples, .positions = t->tokens};
    if (t->words)
        t->batch.ids = input;
    else
        t->batch.pixels = input;
    t->failed = ns_run_forward(&t->run, &t->network, &t->batch, pass, NULL) != NS_OK;
    if (!t->failed) ns_run_head(&t->run, t->logits);
    return t->logits;
}

/* A pass that could not be made has no loss, which the trainer sees as it sees any that is not finite. */
ns_loss ns_trainee_loss(ns_trainee *t, const int32_t *labels, double smoothing, size_t of) {
    if (t->failed) return (ns_loss){(double)NAN, 0};
    return ns_cross_entropy(t->batch.samples * t->labels, t->classes, t->logits, labels, smoothing,
                            of, t->dlogits);
}

void ns_trainee_backward(ns_trainee *t) {
    if (!t->failed) ns_run_backward(&t->run, t->dlogits);
}
