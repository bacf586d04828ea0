/* A ViT from a checkpoint: the shapes say nearly all, config.json the rest, and where both speak they must agree. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/models/vit_opening.h"

/* weight [rows, columns], and bias [rows] where there is one. */
static int linear(vit_opening *o, vit_part part, int block, int64_t rows, int64_t columns,
                  vit_linear *out) {
    vit_name name;
    vit_opening_name(o, part, block, "weight", &name);
    bool turned = o->scheme->turned;
    const int64_t shape[] = {turned ? columns : rows, turned ? rows : columns};
    int status = ns_reading_tensor(&o->reading, name.text, 2, shape, &out->weight);
    out->turned = turned;
    if (!status && vit_opening_name(o, part, block, "bias", &name))
        status = ns_reading_tensor(&o->reading, name.text, 1, &rows, &out->bias);
    return status;
}

/* ---- the blocks ---- */

static int read_heads(vit_opening *o) {
    vit *v = o->v;
    vit_name name;
    vit_part part = v->fused_qkv ? VIT_QKV : VIT_Q;
    vit_opening_name(o, part, 0, "weight", &name);
    const ns_tensor_info *info = ns_weights_find(o->weights, name.text);
    int64_t outputs = info->dims == 2 ? info->shape[o->scheme->turned] : 0;
    int64_t inner = outputs / (v->fused_qkv ? 3 : 1);
    if (inner < 1 || inner > 1 << 16 || (v->fused_qkv && outputs % 3))
        return ns_fail(o->reading.err, NS_EINPUT, "%s: %s: expected %s outputs, found %lld",
                       info->file, name.text,
                       v->fused_qkv ? "3 * heads * head_dim" : "heads * head_dim",
                       (long long)outputs);
    int64_t heads = 0, dim = 0;
    bool has_heads, has_dim;
    ns_source from_heads, from_dim;
    int status = ns_config_int(&o->reading, "num_heads|num_attention_heads|heads|n_head", 1,
                               1 << 16, &heads, &has_heads, from_heads);
    if (!status)
        status =
            ns_config_int(&o->reading, "head_dim|dim_head", 1, 1 << 16, &dim, &has_dim, from_dim);
    if (status) return status;
    if (!has_dim) {
        dim = has_heads ? inner / heads : 64;
        snprintf(from_dim, sizeof from_dim, has_heads ? "%lld rows of queries / heads" : "default",
                 (long long)inner);
    }
    if (!has_heads) {
        heads = inner / dim;
        snprintf(from_heads, sizeof from_heads, "%lld rows of queries / head_dim",
                 (long long)inner);
    }
    if (heads * dim != inner) {
        char expected[96], other[96];
        snprintf(expected, sizeof expected, "heads * head_dim = %lld (shape of %.50s)",
                 (long long)inner, name.text);
        snprintf(other, sizeof other, "%lld heads of %lld", (long long)heads, (long long)dim);
        if (has_heads || has_dim)
            return ns_config_contradicts(&o->reading, has_heads ? from_heads : from_dim, expected,
                                         other);
        return ns_fail(o->reading.err, NS_EINPUT,
                       "%s: expected \"num_heads\" in config.json, since %lld rows of queries are "
                       "no multiple of the usual head_dim, 64",
                       info->file, (long long)inner);
    }
    v->heads = (int)heads;
    v->head_dim = (int)dim;
    status = ns_reading_fact(&o->reading, "heads", from_heads, "%d", v->heads);
    if (!status) status = ns_reading_fact(&o->reading, "head_dim", from_dim, "%d", v->head_dim);
    return status;
}

static int read_hidden(vit_opening *o) {
    vit *v = o->v;
    vit_name name;
    vit_opening_name(o, VIT_FC1, 0, "weight", &name);
    const ns_tensor_info *info = ns_weights_find(o->weights, name.text);
    int64_t hidden = info && info->dims == 2 ? info->shape[o->scheme->turned] : 0;
    if (info && (hidden < 1 || hidden > 1 << 20))
        return ns_fail(o->reading.err, NS_EINPUT,
                       "%s: %s: expected [hidden, %d], found %d dimensions", info->file, name.text,
                       v->width, info->dims);
    v->hidden = info ? (int)hidden : 1; /* a missing one is named where it is read */
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    double ratio = 0;
    bool found;
    ns_source from;
    int status = ns_config_real(&o->reading, "mlp_ratio", 0, 65536, &ratio, &found, from);
    if (!status && found && (int64_t)(ratio * v->width) != v->hidden) {
        char expected[96], other[48];
        snprintf(expected, sizeof expected, "%.6g (%d / %d)", (double)v->hidden / v->width,
                 v->hidden, v->width);
        snprintf(other, sizeof other, "%.6g", ratio);
        return ns_config_contradicts(&o->reading, from, expected, other);
    }
    return status ? status
                  : ns_reading_agree(&o->reading, "hidden", "mlp_dim|intermediate_size|n_inner",
                                     v->hidden, source);
}

static int read_block(vit_opening *o, int d) {
    vit *v = o->v;
    vit_block *b = &v->blocks[d];
    int64_t width = v->width, inner = (int64_t)v->heads * v->head_dim;
    int status = vit_opening_site(o, VIT_NORM1, d, NS_ROLE_ATTENTION, v->tokens, true, &b->norm1);
    if (v->fused_qkv) {
        if (!status) status = linear(o, VIT_QKV, d, 3 * inner, width, &b->qkv[0]);
    } else {
        for (int i = 0; i < 3 && !status; i++)
            status = linear(o, (vit_part)(VIT_Q + i), d, inner, width, &b->qkv[i]);
    }
    if (!status) status = linear(o, VIT_PROJECTION, d, width, inner, &b->projection);
    if (!status) status = vit_opening_tensor(o, VIT_SCALE1, d, 1, &width, &b->scale1);
    if (!status)
        status = vit_opening_site(o, VIT_NORM2, d, NS_ROLE_MLP, v->tokens, true, &b->norm2);
    if (!status) status = linear(o, VIT_FC1, d, v->hidden, width, &b->fc1);
    if (!status) status = linear(o, VIT_FC2, d, width, v->hidden, &b->fc2);
    if (!status) status = vit_opening_tensor(o, VIT_SCALE2, d, 1, &width, &b->scale2);
    return status;
}

static int read_activation(vit_opening *o) {
    static const struct {
        const char *name, *shown;
        vit_activation f;
    } activations[] = {{"gelu", "GELU (erf)", vit_gelu_erf},
                       {"gelu_erf", "GELU (erf)", vit_gelu_erf},
                       {"gelu_tanh", "GELU (tanh)", vit_gelu_tanh},
                       {"gelu_new", "GELU (tanh)", vit_gelu_tanh},
                       {"gelu_pytorch_tanh", "GELU (tanh)", vit_gelu_tanh},
                       {"relu", "ReLU", vit_relu}};
    const char *word = o->scheme->activation ? o->scheme->activation : "gelu";
    bool found;
    ns_source from;
    int status =
        ns_config_word(&o->reading, "act|hidden_act|act_layer|activation|activation_function",
                       &word, &found, from);
    if (status) return status;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (!strcmp(activations[i].name, word)) {
            o->v->activation = activations[i].f;
            return ns_reading_fact(&o->reading, "activation", found ? from : "default", "%s",
                                   activations[i].shown);
        }
    return ns_config_contradicts(&o->reading, from,
                                 "gelu, gelu_tanh, gelu_new, gelu_pytorch_tanh or relu", word);
}

int vit_opening_blocks(vit_opening *o) {
    vit *v = o->v;
    vit_name name;
    v->fused_qkv = o->scheme->parts[VIT_QKV] != NULL;
    while (v->depth < 4096 &&
           vit_opening_name(o, v->fused_qkv ? VIT_QKV : VIT_Q, v->depth, "weight", &name))
        v->depth++;
    v->blocks = ns_calloc((size_t)v->depth, sizeof *v->blocks, o->reading.err);
    if (!v->blocks) return NS_EFAIL;
    int status =
        ns_reading_agree(&o->reading, "depth", "depth|num_hidden_layers|num_layers|n_layer",
                         v->depth, "number of blocks");
    if (!status) status = read_heads(o);
    if (!status) status = read_hidden(o);
    if (!status) status = read_activation(o);
    if (!status)
        status = vit_opening_site(o, VIT_NORM_PRE, 0, NS_ROLE_STEM, v->tokens, false, &v->norm_pre);
    for (int d = 0; d < v->depth && !status; d++) status = read_block(o, d);
    if (status) return status;
    bool bias = v->blocks[0].qkv[0].bias != NULL, wanted = bias;
    ns_source from = "tensors of block 0";
    const json_t *j = ns_config_find(&o->reading, "qkv_bias", from);
    if (json_is_boolean(j)) wanted = json_is_true(j);
    if (wanted != bias)
        return ns_config_contradicts(&o->reading, from, bias ? "true" : "false",
                                     wanted ? "true" : "false");
    return ns_reading_fact(&o->reading, "qkv bias", from, "%s", bias ? "yes" : "no");
}

/* ---- what follows the blocks, and how an image is made ready ---- */

static int read_pooling(vit_opening *o, bool pooled_norm) {
    vit *v = o->v;
    const char *word = NULL;
    bool found;
    ns_source from;
    int status = ns_config_word(&o->reading, "global_pool|pool|pooling", &word, &found, from);
    if (status) return status;
    if (!found) {
        v->mean_pooling = !v->class_token || (pooled_norm && !o->scheme->class_pooled);
        snprintf(from, sizeof from, "%s",
                 v->mean_pooling ? (v->class_token ? "a norm of the pooled row" : "no class token")
                                 : "the class token");
    } else if (!strcmp(word, "avg") || !strcmp(word, "mean")) {
        v->mean_pooling = true;
    } else if (strcmp(word, "token") != 0 && strcmp(word, "cls") != 0) {
        return ns_config_contradicts(&o->reading, from, "token, cls, avg or mean", word);
    } else if (!v->class_token) {
        return ns_config_contradicts(&o->reading, from, "avg, since there is no class token", word);
    }
    v->pool_from = o->scheme->mean_of_all ? 0 : v->tokens - v->patches;
    const char *of =
        v->pool_from < v->tokens - v->patches ? "mean of all tokens" : "mean of the patches";
    return ns_reading_fact(&o->reading, "pooling", from, "%s",
                           v->mean_pooling ? of : "class token");
}

static int read_end(vit_opening *o) {
    vit *v = o->v;
    ns_model *model = o->reading.model;
    vit_name name;
    int status = vit_opening_site(o, VIT_NORM, 0, NS_ROLE_FINAL, v->tokens, false, &v->norm);
    if (!status)
        status = vit_opening_site(o, VIT_POOLED_NORM, 0, v->norm < 0 ? NS_ROLE_FINAL : NS_ROLE_HEAD,
                                  1, false, &v->pooled_norm);
    if (!status) status = read_pooling(o, v->pooled_norm >= 0);
    if (status || !vit_opening_name(o, VIT_HEAD, 0, "weight", &name))
        return status ? status : ns_reading_fact(&o->reading, "classes", "no head", "0");
    const ns_tensor_info *info = ns_weights_find(o->weights, name.text);
    int64_t classes = info->dims == 2 ? info->shape[0] : 0;
    if (classes < 1 || classes > 1 << 24)
        return ns_fail(o->reading.err, NS_EINPUT,
                       "%s: %s: expected [1 to %d classes, %d], found %d dimensions, the first of "
                       "%lld",
                       info->file, name.text, 1 << 24, v->width, info->dims,
                       (long long)(info->dims ? info->shape[0] : 0));
    status = linear(o, VIT_HEAD, 0, classes, v->width, &v->head);
    if (status) return status;
    model->classes = (int)classes;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    return ns_reading_agree(&o->reading, "classes", "num_classes|num_labels", classes, source);
}

/* Where nothing says so, images are made ready as the scheme's usual checkpoints were evaluated. */
static int read_pixels(vit_opening *o) {
    static const ns_pixel_defaults halves = {
        {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1, false, false};
    static const ns_pixel_defaults torchvision = {
        {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0.875, true, false};
    ns_pixel_defaults d = halves;
    if (!strcmp(o->scheme->name, "torchvision") && o->reading.model->image.channels == 3)
        d = torchvision;
    if (!strcmp(o->scheme->name, "timm")) d.crop = 0.9;
    if (!strcmp(o->scheme->name, "huggingface")) d.bilinear = d.stretch = true;
    return ns_reading_pixels(&o->reading, &d);
}

int vit_opening_norms(vit_opening *o) {
    double eps = o->scheme->eps;
    bool found, named;
    ns_source from = "";
    int status = ns_config_real(&o->reading, "norm_eps|layer_norm_eps|layer_norm_epsilon|eps", 0, 1,
                                &eps, &found, from);
    if (status) return status;
    o->eps = (float)eps;
    if (!found) snprintf(from, sizeof from, "default of %s", o->scheme->name);
    status = ns_reading_fact(&o->reading, "eps", from, "%g", eps);
    if (!status)
        status = ns_config_word(&o->reading, "norm|norm_layer|norm_type", &o->norm, &named,
                                o->norm_from);
    if (!status && named && !ns_norm_kind_find(o->norm, o->reading.err)) {
        ns_fail_context(o->reading.err, "%s: \"norm\"", ns_weights_config_path(o->weights));
        return NS_EINPUT;
    }
    return status;
}

static void ignore_unused(vit_opening *o) {
    const char *templates = o->scheme->parts[VIT_UNUSED];
    for (int i = 0; templates && i < ns_weights_count(o->weights); i++) {
        const ns_tensor_info *info = ns_weights_info(o->weights, i);
        for (const char *at = templates; *at; at += *at == '|') {
            size_t n = strcspn(at, "|");
            char start[96];
            snprintf(start, sizeof start, "%.*s%.*s", o->prefix_len, o->prefix, (int)n - 1, at + 1);
            if (!strncmp(info->name, start, strlen(start))) ns_reading_ignore(&o->reading, info);
            at += n;
        }
    }
}

static int read_all(vit_opening *o) {
    int status =
        ns_reading_fact(&o->reading, "naming", "names of the tensors", "%s", o->scheme->name);
    if (!status) status = vit_opening_norms(o);
    if (!status) status = vit_opening_embedding(o);
    if (!status) status = vit_opening_tokens(o);
    if (!status) status = vit_opening_blocks(o);
    if (!status) status = read_end(o);
    if (!status) status = read_pixels(o);
    if (status) return status;
    ignore_unused(o);
    status = ns_reading_all_used(&o->reading, "ViT");
    if (status) return status;
    vit *v = o->v;
    v->position_ids = ns_calloc((size_t)v->tokens, sizeof *v->position_ids, o->reading.err);
    if (!v->position_ids) return NS_EFAIL;
    for (int t = 0; t < v->tokens; t++) v->position_ids[t] = t;
    return NS_OK;
}

int vit_open(ns_model *model, ns_error *err) {
    vit *v = ns_calloc(1, sizeof *v, err);
    if (!v) return NS_EFAIL;
    model->state = v;
    vit_opening o = {.reading = {.model = model, .err = err}, .weights = model->weights, .v = v};
    o.scheme = vit_find_scheme(model->weights, &o.prefix, &o.prefix_len);
    int status = o.scheme ? read_all(&o) : ns_fail(err, NS_EINPUT, "no ViT");
    ns_reading_end(&o.reading);
    return status;
}

void vit_close(ns_model *model) {
    vit *v = model->state;
    if (!v) return;
    void *const blocks[] = {v->blocks,   v->position_ids, v->x,           v->z,
                            v->y,        v->wide,         v->scores,      v->pooled,
                            v->pooled_z, v->kinds,        v->pooled_kinds};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    free(v);
    model->state = NULL;
}
