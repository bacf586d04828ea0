/* A ViT's forward pass. The big products run over all rows of the batch at once, with the weights where the file has them;
 * attention's small ones run one head of one sample at a time, spread over threads. */
#include "probe/models/vit.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

/* One batch on its way. */
typedef struct pass {
    ns_model *model;
    vit *v;
    const ns_batch *batch;
    const ns_observer *observer;
    int last_site; /* 0: to the end */
    bool done;     /* the last site has been delivered */
    ns_error *err;
} pass;

static size_t inner_of(const vit *v) {
    return (size_t)v->heads * (size_t)v->head_dim;
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

static int reserve_floats(float **block, size_t rows, size_t width, ns_error *err) {
    free(*block);
    size_t n;
    *block =
        __builtin_mul_overflow(rows, width, &n) ? NULL : ns_alloc_aligned(n, sizeof **block, err);
    if (*block) return NS_OK;
    return err && err->status ? err->status : ns_fail(err, NS_EFAIL, "batch too large for memory");
}

/* Room for a batch; y only once somebody looks. */
static int reserve(vit *v, size_t samples, int channels, bool observed, ns_error *err) {
    size_t w = (size_t)v->width, rows, tokens = (size_t)v->tokens;
    if (__builtin_mul_overflow(samples, tokens, &rows) || rows > INT_MAX)
        return ns_fail(err, NS_EUSAGE, "a batch of %zu samples of %zu tokens: too many rows",
                       samples, tokens);
    int status = NS_OK, threads = omp_get_max_threads();
    if (samples > v->room) {
        size_t p = (size_t)v->patch, columns = (size_t)channels * p * p;
        size_t wide = most(most(3 * inner_of(v), (size_t)v->hidden), columns);
        v->room = 0;
        free(v->y);
        v->y = NULL;
        status = reserve_floats(&v->x, rows, w, err);
        if (!status) status = reserve_floats(&v->z, rows, most(w, inner_of(v)), err);
        if (!status) status = reserve_floats(&v->wide, rows, wide, err);
        if (!status) status = reserve_floats(&v->pooled, samples, w, err);
        if (!status) status = reserve_floats(&v->pooled_z, samples, w, err);
        free(v->kinds);
        free(v->pooled_kinds);
        v->kinds = v->pooled_kinds = NULL;
        if (!status && (!(v->kinds = ns_calloc(rows, 1, err)) ||
                        !(v->pooled_kinds = ns_calloc(samples, 1, err))))
            status = NS_EFAIL;
        if (status) return status;
        for (size_t r = 0; r < rows; r++) {
            size_t t = r % tokens, extra = tokens - (size_t)v->patches;
            v->kinds[r] = v->words                     ? NS_ROW_WORD
                          : t >= extra                 ? NS_ROW_PATCH
                          : t < (size_t)v->class_token ? NS_ROW_CLASS
                                                       : NS_ROW_REGISTER;
        }
        memset(v->pooled_kinds, v->mean_pooling ? NS_ROW_PATCH : NS_ROW_CLASS, samples);
        v->room = samples;
    }
    if (observed && !v->y) status = reserve_floats(&v->y, v->room * tokens, w, err);
    if (!status && threads > v->threads) {
        v->threads = 0;
        status = reserve_floats(&v->scores, (size_t)threads * tokens, tokens, err);
        if (!status) v->threads = threads;
    }
    return status;
}

/* Runs the norm of site `index` from x to z, and shows it to the observer. positions: rows that a sample has here. */
static int visit(pass *p, int index, const float *x, float *z) {
    const vit *v = p->v;
    const ns_site *site = &p->model->sites[index];
    const ns_observer *o = p->observer;
    size_t rows = p->batch->samples * (size_t)site->positions;
    bool wanted = o && o->wants(o->user, site);
    p->done = site->index == p->last_site;
    if (p->done) z = NULL;
    float *y = NULL;
    if (wanted && o->place_output) y = o->place_output(o->user, site, rows);
    if (wanted && !y) y = v->y;
    if (y || z) site->norm.kind->forward(&site->norm, rows, x, y, z, NULL, NULL);
    if (!wanted) return NS_OK;
    ns_rows shown = {.samples = p->batch->samples,
                     .positions = (size_t)site->positions,
                     .sample_ids = p->batch->sample_ids,
                     .position_ids = v->position_ids,
                     .kinds = index == v->pooled_norm ? v->pooled_kinds : v->kinds,
                     .x = x,
                     .y = y};
    return o->deliver(o->user, site, &shown, p->err);
}

/* out [rows, n] (ldo floats a row) = in [rows, k] * weight' + bias. Bias goes in first, the product is added to it: that
 * costs no more than the zeros which the product would else begin with. */
static void product(size_t rows, size_t n, size_t k, const float *in, const vit_linear *l,
                    float *out, size_t ldo) {
    float beta = 0;
    if (l->bias && ldo == n) {
        vit_fill_rows(out, l->bias, rows, n);
        beta = 1;
    } else if (l->bias) {
        for (size_t r = 0; r < rows; r++) memcpy(out + r * ldo, l->bias, n * sizeof *out);
        beta = 1;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, l->turned ? CblasNoTrans : CblasTrans, (int)rows,
                (int)n, (int)k, 1, in, (int)k, l->weight, (int)(l->turned ? n : k), beta, out,
                (int)ldo);
}

/* x [rows, W] += scale * (in [rows, k] * weight' + bias); room [rows, W] is used where there is a scale. */
static void add_product(const vit *v, size_t rows, size_t k, const float *in, const vit_linear *l,
                        const float *scale, float *room, float *x) {
    size_t w = (size_t)v->width;
    if (scale) {
        product(rows, w, k, in, l, room, w);
        vit_add_scaled(x, room, scale, rows, w);
        return;
    }
    if (l->bias) vit_add_rows(x, l->bias, rows, w);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, l->turned ? CblasNoTrans : CblasTrans, (int)rows,
                (int)w, (int)k, 1, in, (int)k, l->weight, (int)(l->turned ? w : k), 1, x, (int)w);
}

/* out [N * T, H*D] = softmax(Q K' / sqrt(D)) V for each head of each sample; qkv [N * T, 3*H*D]. */
static void attend(const vit *v, size_t samples, const float *qkv, float *out) {
    size_t tokens = (size_t)v->tokens, heads = (size_t)v->heads, dim = (size_t)v->head_dim;
    size_t inner = heads * dim;
    int t = v->tokens, d = v->head_dim, row = (int)(3 * inner);
    float scale = (float)(1 / sqrt((double)dim));
#pragma omp parallel for schedule(static) num_threads(v->threads)
    for (size_t i = 0; i < samples * heads; i++) {
        size_t s = i / heads, h = i % heads;
        const float *q = qkv + s * tokens * 3 * inner + h * dim, *k = q + inner,
                    *values = k + inner;
        float *scores = v->scores + (size_t)omp_get_thread_num() * tokens * tokens;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, t, d, scale, q, row, k, row, 0,
                    scores, t);
        vit_softmax(scores, tokens, tokens, v->causal);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, d, t, 1, scores, t, values, row,
                    0, out + s * tokens * inner + h * dim, (int)inner);
    }
}

static int run_block(pass *p, const vit_block *b) {
    vit *v = p->v;
    size_t rows = p->batch->samples * (size_t)v->tokens, w = (size_t)v->width;
    size_t inner = inner_of(v), hidden = (size_t)v->hidden;
    int status = visit(p, b->norm1, v->x, v->z);
    if (status || p->done) return status;
    if (v->fused_qkv)
        product(rows, 3 * inner, w, v->z, &b->qkv[0], v->wide, 3 * inner);
    else
        for (size_t i = 0; i < 3; i++)
            product(rows, inner, w, v->z, &b->qkv[i], v->wide + i * inner, 3 * inner);
    attend(v, p->batch->samples, v->wide, v->z);
    add_product(v, rows, inner, v->z, &b->projection, b->scale1, v->wide, v->x);

    status = visit(p, b->norm2, v->x, v->z);
    if (status || p->done) return status;
    product(rows, hidden, w, v->z, &b->fc1, v->wide, hidden);
    vit_activate(v->activation, v->wide, rows * hidden);
    add_product(v, rows, hidden, v->wide, &b->fc2, b->scale2, v->z, v->x);
    return NS_OK;
}

static int embed(pass *p) {
    vit *v = p->v;
    if (v->words) return vit_place_words(v, p->batch->pixels, p->batch->samples, v->x, p->err);
    int channels = p->model->image.channels;
    size_t samples = p->batch->samples, patches = samples * (size_t)v->patches;
    size_t columns = (size_t)channels * (size_t)v->patch * (size_t)v->patch;
    vit_linear bare = {v->embedding.weight, NULL, false};
    vit_unfold(v, channels, p->batch->pixels, samples, v->wide);
    product(patches, (size_t)v->width, columns, v->wide, &bare, v->z, (size_t)v->width);
    vit_assemble(v, v->z, samples, v->x);
    return NS_OK;
}

static int run(pass *p, float *logits) {
    vit *v = p->v;
    const float *t = v->x;
    int status = embed(p);
    if (!status && v->norm_pre >= 0) {
        status = visit(p, v->norm_pre, v->x, v->z);
        memcpy(v->x, v->z, p->batch->samples * (size_t)v->tokens * (size_t)v->width * sizeof *v->x);
    }
    for (int d = 0; d < v->depth && !status && !p->done; d++) status = run_block(p, &v->blocks[d]);
    if (!status && !p->done && v->norm >= 0) {
        status = visit(p, v->norm, v->x, v->z);
        t = v->z;
    }
    if (status || p->done || v->words) return status; /* a GPT's head is not run */
    vit_pool(v, t, p->batch->samples, v->pooled);
    t = v->pooled;
    if (v->pooled_norm >= 0) {
        status = visit(p, v->pooled_norm, v->pooled, v->pooled_z);
        t = v->pooled_z;
    }
    size_t classes = (size_t)p->model->classes;
    if (!status && !p->done && logits && classes)
        product(p->batch->samples, classes, (size_t)v->width, t, &v->head, logits, classes);
    return status;
}

int vit_forward(ns_model *model, const ns_batch *batch, const ns_observer *observer, int last_site,
                float *logits, ns_error *err) {
    pass p = {model, model->state, batch, observer, last_site, false, err};
    int status = reserve(p.v, batch->samples, model->image.channels, observer != NULL, err);
    return status ? status : run(&p, logits);
}

static bool vit_recognise(const ns_weights *weights) {
    const char *prefix;
    int length;
    return vit_find_scheme(weights, &prefix, &length) != NULL;
}

extern const ns_model_kind ns_model_vit;
const ns_model_kind ns_model_vit = {
    .name = "vit",
    .summary = "Vision Transformer, pre-LN (names of timm, torchvision, Hugging Face, vit-pytorch)",
    .recognise = vit_recognise,
    .open = vit_open,
    .close = vit_close,
    .forward = vit_forward};
