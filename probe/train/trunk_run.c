/* The passes of a trunk, forward and backward. */
#include <math.h>

#include "probe/train/trunk.h"

static size_t rows_of(const ns_trunk *t, size_t samples) {
    return samples * t->shape.tokens;
}

static ns_attention attention_of(const ns_trunk *t, size_t samples) {
    const ns_trunk_shape *s = &t->shape;
    return (ns_attention){samples, s->tokens, s->heads, s->width / s->heads, s->causal};
}

/* Running statistics move a tenth of the way to the batch's, the variance to its unbiased estimate (PyTorch's BatchNorm). */
static void move_running(ns_trunk *t, const ns_trunk_site *s, size_t rows) {
    ns_real *v = t->parameters->values;
    double unbiased = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    for (size_t c = 0; c < t->shape.width; c++) {
        double rstd = (double)s->rstd_[c], variance = 1 / (rstd * rstd) - t->shape.eps;
        ns_real *mean = v + s->mean + c, *running = v + s->variance + c;
        *mean = (ns_real)(0.9 * (double)*mean + 0.1 * (double)s->mean_[c]);
        *running = (ns_real)(0.9 * (double)*running + 0.1 * unbiased * variance);
    }
}

static void norm_forward(ns_trunk *t, int site, size_t rows, ns_real *z) {
    ns_trunk_site *s = &t->sites[site];
    ns_norm norm = ns_trunk_norm(t, site);
    if (norm.kind->forward_batch && t->batch_statistics) {
        norm.kind->forward_batch(&norm, rows, s->x, z, s->mean_, s->rstd_, t->work);
        if (!t->hold_running) move_running(t, s, rows);
    } else {
        norm.kind->forward(&norm, rows, s->x, NULL, z, s->mean_, s->rstd_);
    }
}

/* out = x + keep * (in weight' + bias). */
static void branch(ns_trunk *t, size_t samples, size_t k, const ns_real *in,
                   const ns_trunk_linear *l, const ns_real *keep, const ns_real *x, ns_real *out) {
    const ns_real *v = t->parameters->values;
    size_t rows = rows_of(t, samples), w = t->shape.width;
    ns_linear(rows, w, k, in, v + l->weight, v + l->bias, t->spare);
    if (keep)
        ns_add_kept(samples, t->shape.tokens, w, x, keep, t->spare, out);
    else
        ns_add_rows(rows * w, x, t->spare, out);
}

/* Factors of a block's branch, 0 (attention) or 1 (the MLP). */
static const ns_real *factors_of(const ns_trunk *t, size_t block, size_t which) {
    const ns_keep *k = &t->keep;
    return k->factors ? k->factors + (2 * block + which) * k->stride : NULL;
}

static void block_forward(ns_trunk *t, size_t i, size_t samples, ns_real *out) {
    ns_trunk_block *b = &t->blocks[i];
    const ns_real *v = t->parameters->values;
    size_t rows = rows_of(t, samples), w = t->shape.width, f = t->shape.hidden;
    const ns_attention a = attention_of(t, samples);
    norm_forward(t, (int)(2 * i), rows, b->z1);
    ns_linear(rows, 3 * w, w, b->z1, v + b->qkv.weight, v + b->qkv.bias, b->qkv_);
    ns_attend(&a, b->qkv_, b->weights, b->attended, t->scratch);
    branch(t, samples, w, b->attended, &b->projection, factors_of(t, i, 0), b->x, b->middle);
    norm_forward(t, (int)(2 * i + 1), rows, b->z2);
    ns_linear(rows, f, w, b->z2, v + b->fc1.weight, v + b->fc1.bias, b->slope);
    ns_activate(t->shape.activation, rows * f, b->slope, b->active);
    branch(t, samples, f, b->active, &b->fc2, factors_of(t, i, 1), b->middle, out);
}

ns_real *ns_trunk_input(ns_trunk *t) {
    return t->shape.depth ? t->blocks[0].x : t->out;
}

const ns_real *ns_trunk_forward(ns_trunk *t, size_t samples, bool training, ns_keep keep) {
    size_t depth = t->shape.depth;
    t->batch_statistics = training;
    t->keep = keep;
    for (size_t i = 0; i < depth; i++)
        block_forward(t, i, samples, i + 1 < depth ? t->blocks[i + 1].x : t->out);
    norm_forward(t, t->site_count - 1, rows_of(t, samples), t->z);
    return t->z;
}

/* dx += the norm's share of dz. */
static void norm_backward(ns_trunk *t, int site, size_t rows, const ns_real *dz) {
    const ns_trunk_site *s = &t->sites[site];
    ns_norm norm = ns_trunk_norm(t, site);
    const ns_norm_gradient gradient = ns_trunk_norm_gradient(t, site);
    if (t->arriving) {
        double sum = 0;
        for (size_t i = 0; i < rows * t->shape.width; i++) sum += (double)dz[i] * (double)dz[i];
        t->arriving[site] = sqrt(sum);
    }
    norm.kind->backward(&norm, rows, s->x, s->mean_, s->rstd_, dz, t->dx, &gradient, t->work);
}

/* The gradient that enters a branch: dx, times what drop path kept. */
static const ns_real *branch_gradient(ns_trunk *t, size_t samples, const ns_real *keep) {
    if (!keep) return t->dx;
    ns_keep_rows(samples, t->shape.tokens, t->shape.width, keep, t->dx, t->spare);
    return t->spare;
}

static void linear_backward(ns_trunk *t, size_t rows, size_t n, size_t k, const ns_real *in,
                            const ns_trunk_linear *l, bool biased, const ns_real *dout,
                            ns_real *din) {
    ns_real *g = t->parameters->gradient;
    ns_linear_back(rows, n, k, in, t->parameters->values + l->weight, dout, din, g + l->weight,
                   biased ? g + l->bias : NULL, t->work);
}

static void block_backward(ns_trunk *t, size_t i, size_t samples) {
    ns_trunk_block *b = &t->blocks[i];
    size_t rows = rows_of(t, samples), w = t->shape.width, f = t->shape.hidden;
    const ns_attention a = attention_of(t, samples);
    const ns_real *d = branch_gradient(t, samples, factors_of(t, i, 1));
    linear_backward(t, rows, w, f, b->active, &b->fc2, true, d, t->dwide);
    ns_activate_back(rows, f, b->slope, t->dwide, t->parameters->gradient + b->fc1.bias, t->work);
    linear_backward(t, rows, f, w, b->z2, &b->fc1, false, t->dwide, t->dz);
    norm_backward(t, (int)(2 * i + 1), rows, t->dz);

    d = branch_gradient(t, samples, factors_of(t, i, 0));
    linear_backward(t, rows, w, w, b->attended, &b->projection, true, d, t->dz);
    ns_attend_back(&a, b->qkv_, b->weights, t->dz, t->dwide, t->scratch);
    linear_backward(t, rows, 3 * w, w, b->z1, &b->qkv, true, t->dwide, t->dz);
    norm_backward(t, (int)(2 * i), rows, t->dz);
}

ns_real *ns_trunk_backward(ns_trunk *t, size_t samples, const ns_real *dz) {
    size_t rows = rows_of(t, samples), n = rows * t->shape.width;
    for (size_t i = 0; i < n; i++) t->dx[i] = 0;
    norm_backward(t, t->site_count - 1, rows, dz);
    for (size_t i = t->shape.depth; i-- > 0;) block_backward(t, i, samples);
    return t->dx;
}
