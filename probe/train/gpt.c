#include "probe/train/gpt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/kernels/gemm.h"

static int check(const ns_gpt_shape *s, ns_error *err) {
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

/* The token rows are the head's matrix too, so they decay as matrices do. */
static int add_embedding(ns_gpt *g, ns_error *err) {
    const ns_gpt_shape *s = &g->shape;
    const int64_t rows[] = {(int64_t)s->vocabulary, (int64_t)s->width},
                  positions[] = {(int64_t)s->context, (int64_t)s->width};
    ns_parameters *all = &g->net.parameters;
    int status = ns_parameters_add(all, true, true, 2, rows, &g->token_rows, err, "wte.weight");
    return status ? status
                  : ns_parameters_add(all, true, false, 2, positions, &g->positions, err,
                                      "wpe.weight");
}

int ns_gpt_new(ns_gpt **out, const ns_gpt_shape *shape, ns_error *err) {
    *out = NULL;
    int status = check(shape, err);
    ns_gpt *g = status ? NULL : ns_calloc(1, sizeof *g, err);
    if (!g) return status ? status : NS_EFAIL;
    g->net.kind = &ns_network_gpt;
    g->net.input_bytes = shape->context * sizeof(ns_real);
    g->net.labels = shape->context;
    g->net.classes = shape->vocabulary;
    g->shape = *shape;
    const ns_trunk_shape trunk = {shape->context, shape->width,  shape->depth, shape->heads,
                                  shape->hidden,  shape->norm,   shape->eps,   shape->activation,
                                  true,           &ns_names_gpt2};
    status = add_embedding(g, err);
    if (!status) status = ns_trunk_new(&g->net.trunk, &trunk, &g->net.parameters, err);
    if (!status) status = ns_trunk_add_running(&g->net.trunk, err);
    if (!status) status = ns_parameters_allocate(&g->net.parameters, err);
    if (status)
        ns_gpt_free(g);
    else
        *out = g;
    return status;
}

void ns_gpt_free(ns_gpt *g) {
    if (!g) return;
    ns_trunk_free(&g->net.trunk);
    ns_parameters_free(&g->net.parameters);
    free(g->memory);
    free(g);
}

int ns_gpt_reserve(ns_gpt *g, size_t samples, ns_error *err) {
    if (samples <= g->room) return NS_OK;
    size_t rows = samples * g->shape.context, v = g->shape.vocabulary, w = g->shape.width;
    if (rows > INT_MAX / 4 || !rows)
        return ns_fail(err, NS_EUSAGE, "a batch of %zu samples of %zu tokens: too many rows",
                       samples, g->shape.context);
    size_t logits = (rows * v + 15) / 16 * 16, dz = (rows * w + 15) / 16 * 16;
    g->room = 0;
    free(g->memory);
    g->memory = ns_alloc_aligned(2 * logits + dz, sizeof *g->memory, err);
    int status = g->memory ? ns_trunk_reserve(&g->net.trunk, samples, err) : NS_EFAIL;
    if (status) return status;
    g->logits = g->memory;
    g->dlogits = g->memory + logits;
    g->dz = g->memory + 2 * logits;
    g->room = samples;
    return NS_OK;
}

const ns_real *ns_gpt_forward(ns_gpt *g, size_t samples, const ns_real *tokens, bool training,
                              ns_keep keep) {
    const ns_gpt_shape *s = &g->shape;
    const ns_real *p = g->net.parameters.values;
    size_t rows = samples * s->context, w = s->width;
    ns_place_words(rows, s->context, w, tokens, p + g->token_rows, p + g->positions,
                   ns_trunk_input(&g->net.trunk));
    const ns_real *z = ns_trunk_forward(&g->net.trunk, samples, training, keep);
    g->input = tokens;
    ns_gemm(0, 1, rows, s->vocabulary, w, 1, z, w, p + g->token_rows, w, 0, g->logits,
            s->vocabulary);
    return g->logits;
}

ns_loss ns_gpt_loss(ns_gpt *g, size_t samples, const int32_t *labels, double smoothing, size_t of) {
    return ns_cross_entropy(samples * g->shape.context, g->shape.vocabulary, g->logits, labels,
                            smoothing, of, g->dlogits);
}

void ns_gpt_backward(ns_gpt *g, size_t samples) {
    const ns_gpt_shape *s = &g->shape;
    ns_real *gradient = g->net.parameters.gradient;
    size_t rows = samples * s->context, w = s->width, v = s->vocabulary;
    ns_gemm(0, 0, rows, w, v, 1, g->dlogits, v, g->net.parameters.values + g->token_rows, w, 0,
            g->dz, w);
    ns_gemm(1, 0, v, w, rows, 1, g->dlogits, v, g->net.trunk.z, w, 1, gradient + g->token_rows, w);
    const ns_real *dx = ns_trunk_backward(&g->net.trunk, samples, g->dz);
    ns_place_words_back(rows, s->context, w, g->input, dx, gradient + g->token_rows,
                        gradient + g->positions);
}

/* ---- as a kind of network ---- */

static int twin(ns_network **out, const ns_network *network, ns_error *err) {
    ns_gpt *g;
    int status = ns_gpt_new(&g, &((const ns_gpt *)network)->shape, err);
    if (status) return status;
    ns_parameters_borrow(&g->net.parameters, &network->parameters);
    *out = &g->net;
    return NS_OK;
}

static int reserve(ns_network *network, size_t samples, ns_error *err) {
    return ns_gpt_reserve((ns_gpt *)network, samples, err);
}

static void forward(ns_network *network, size_t samples, const void *input, bool training,
                    ns_keep keep) {
    ns_gpt_forward((ns_gpt *)network, samples, input, training, keep);
}

static ns_loss loss(ns_network *network, size_t samples, const int32_t *labels, double smoothing,
                    size_t of) {
    return ns_gpt_loss((ns_gpt *)network, samples, labels, smoothing, of);
}

static void backward(ns_network *network, size_t samples) {
    ns_gpt_backward((ns_gpt *)network, samples);
}

static void close_gpt(ns_network *network) {
    ns_gpt_free((ns_gpt *)network);
}

const ns_network_kind ns_network_gpt = {.name = "gpt",
                                        .twin = twin,
                                        .initialize = ns_start_gpt,
                                        .reserve = reserve,
                                        .forward = forward,
                                        .loss = loss,
                                        .backward = backward,
                                        .close = close_gpt};
