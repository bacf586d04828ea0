#include "probe/train/vit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

static int check(const ns_vit_shape *s, ns_error *err) {
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

static int add_embedding(ns_vit *v, ns_error *err) {
    const ns_vit_shape *s = &v->shape;
    int64_t w = (int64_t)s->embed, p = (int64_t)s->patch;
    const int64_t class_shape[] = {1, 1, w}, position_shape[] = {1, (int64_t)v->tokens, w},
                  patch_shape[] = {w, (int64_t)s->channels, p, p};
    ns_parameters *all = &v->net.parameters;
    int status =
        ns_parameters_add(all, true, false, 3, class_shape, &v->class_row, err, "cls_token");
    if (!status)
        status =
            ns_parameters_add(all, true, false, 3, position_shape, &v->positions, err, "pos_embed");
    if (!status)
        status = ns_parameters_add(all, true, true, 4, patch_shape, &v->embedding_weight, err,
                                   "patch_embed.proj.weight");
    if (!status)
        status = ns_parameters_add(all, true, false, 1, &w, &v->embedding_bias, err,
                                   "patch_embed.proj.bias");
    return status;
}

static int add_head(ns_vit *v, ns_error *err) {
    const int64_t shape[] = {(int64_t)v->shape.classes, (int64_t)v->shape.embed};
    ns_parameters *all = &v->net.parameters;
    int status = ns_parameters_add(all, true, true, 2, shape, &v->head_weight, err, "head.weight");
    if (!status)
        status = ns_parameters_add(all, true, false, 1, shape, &v->head_bias, err, "head.bias");
    return status;
}

int ns_vit_new(ns_vit **out, const ns_vit_shape *shape, ns_error *err) {
    *out = NULL;
    int status = check(shape, err);
    ns_vit *v = status ? NULL : ns_calloc(1, sizeof *v, err);
    if (!v) return status ? status : NS_EFAIL;
    v->net.kind = &ns_network_vit;
    v->net.input_bytes = shape->channels * shape->height * shape->width * sizeof(ns_real);
    v->net.labels = 1;
    v->net.classes = shape->classes;
    v->shape = *shape;
    v->patches = (shape->height / shape->patch) * (shape->width / shape->patch);
    v->tokens = v->patches + 1;
    const ns_trunk_shape trunk = {v->tokens,     shape->embed,  shape->depth, shape->heads,
                                  shape->hidden, shape->norm,   shape->eps,   shape->activation,
                                  false,         &ns_names_timm};
    status = add_embedding(v, err);
    if (!status) status = ns_trunk_new(&v->net.trunk, &trunk, &v->net.parameters, err);
    if (!status) status = add_head(v, err);
    if (!status) status = ns_trunk_add_running(&v->net.trunk, err);
    if (!status) status = ns_parameters_allocate(&v->net.parameters, err);
    if (status)
        ns_vit_free(v);
    else
        *out = v;
    return status;
}

void ns_vit_free(ns_vit *v) {
    if (!v) return;
    ns_trunk_free(&v->net.trunk);
    ns_parameters_free(&v->net.parameters);
    free(v->memory);
    free(v);
}

int ns_vit_reserve(ns_vit *v, size_t samples, ns_error *err) {
    if (samples <= v->room) return NS_OK;
    const ns_vit_shape *s = &v->shape;
    size_t w = s->embed, rows = samples * v->tokens, pixels = s->channels * s->height * s->width;
    if (rows > INT_MAX / 4 || !rows)
        return ns_fail(err, NS_EUSAGE, "a batch of %zu samples of %zu tokens: too many rows",
                       samples, v->tokens);
    size_t wide = w > s->classes ? w : s->classes;
    const size_t counts[] = {samples * pixels,
                             samples * v->patches * w,
                             samples * w,
                             samples * s->classes,
                             samples * s->classes,
                             samples * w,
                             rows * w,
                             ns_column_work(wide)};
    ns_real **const pieces[] = {&v->columns, &v->embedded, &v->pooled, &v->logits,
                                &v->dlogits, &v->dpooled,  &v->dz,     &v->work};
    enum { PIECES = sizeof counts / sizeof *counts };
    size_t total = 0;
    for (int i = 0; i < PIECES; i++) total += (counts[i] + 15) / 16 * 16;
    v->room = 0;
    free(v->memory);
    v->memory = ns_alloc_aligned(total, sizeof *v->memory, err);
    int status = v->memory ? ns_trunk_reserve(&v->net.trunk, samples, err) : NS_EFAIL;
    if (status) return status;
    total = 0;
    for (int i = 0; i < PIECES; i++) {
        *pieces[i] = v->memory + total;
        total += (counts[i] + 15) / 16 * 16;
    }
    v->room = samples;
    return NS_OK;
}

const ns_real *ns_vit_forward(ns_vit *v, size_t samples, const ns_real *pixels, bool training,
                              ns_keep keep) {
    const ns_vit_shape *s = &v->shape;
    const ns_real *p = v->net.parameters.values;
    size_t w = s->embed, columns = s->channels * s->patch * s->patch;
    ns_patches(samples, s->channels, s->height, s->width, s->patch, pixels, v->columns);
    ns_linear(samples * v->patches, w, columns, v->columns, p + v->embedding_weight,
              p + v->embedding_bias, v->embedded);
    ns_place_tokens(samples, v->patches, w, p + v->class_row, v->embedded, p + v->positions,
                    ns_trunk_input(&v->net.trunk));
    const ns_real *z = ns_trunk_forward(&v->net.trunk, samples, training, keep);
    for (size_t i = 0; i < samples; i++)
        memcpy(v->pooled + i * w, z + i * v->tokens * w, w * sizeof *z);
    ns_linear(samples, s->classes, w, v->pooled, p + v->head_weight, p + v->head_bias, v->logits);
    return v->logits;
}

ns_loss ns_vit_loss(ns_vit *v, size_t samples, const int32_t *labels, double smoothing, size_t of) {
    return ns_cross_entropy(samples, v->shape.classes, v->logits, labels, smoothing, of,
                            v->dlogits);
}

void ns_vit_backward(ns_vit *v, size_t samples) {
    const ns_vit_shape *s = &v->shape;
    const ns_real *p = v->net.parameters.values;
    ns_real *g = v->net.parameters.gradient;
    size_t w = s->embed, columns = s->channels * s->patch * s->patch, row = v->tokens * w;
    ns_linear_back(samples, s->classes, w, v->pooled, p + v->head_weight, v->dlogits, v->dpooled,
                   g + v->head_weight, g + v->head_bias, v->work);
    memset(v->dz, 0, samples * row * sizeof *v->dz);
    for (size_t i = 0; i < samples; i++)
        memcpy(v->dz + i * row, v->dpooled + i * w, w * sizeof *v->dz);
    const ns_real *dx = ns_trunk_backward(&v->net.trunk, samples, v->dz);
    ns_place_tokens_back(samples, v->patches, w, dx, v->embedded, g + v->class_row,
                         g + v->positions);
    ns_linear_back(samples * v->patches, w, columns, v->columns, p + v->embedding_weight,
                   v->embedded, NULL, g + v->embedding_weight, g + v->embedding_bias, v->work);
}

/* ---- as a kind of network ---- */

static int twin(ns_network **out, const ns_network *network, ns_error *err) {
    ns_vit *v;
    int status = ns_vit_new(&v, &((const ns_vit *)network)->shape, err);
    if (status) return status;
    ns_parameters_borrow(&v->net.parameters, &network->parameters);
    *out = &v->net;
    return NS_OK;
}

static int reserve(ns_network *network, size_t samples, ns_error *err) {
    return ns_vit_reserve((ns_vit *)network, samples, err);
}

static void forward(ns_network *network, size_t samples, const void *input, bool training,
                    ns_keep keep) {
    ns_vit_forward((ns_vit *)network, samples, input, training, keep);
}

static ns_loss loss(ns_network *network, size_t samples, const int32_t *labels, double smoothing,
                    size_t of) {
    return ns_vit_loss((ns_vit *)network, samples, labels, smoothing, of);
}

static void backward(ns_network *network, size_t samples) {
    ns_vit_backward((ns_vit *)network, samples);
}

static void close_vit(ns_network *network) {
    ns_vit_free((ns_vit *)network);
}

const ns_network_kind ns_network_vit = {.name = "vit",
                                        .twin = twin,
                                        .initialize = ns_start_vit,
                                        .reserve = reserve,
                                        .forward = forward,
                                        .loss = loss,
                                        .backward = backward,
                                        .close = close_vit};
