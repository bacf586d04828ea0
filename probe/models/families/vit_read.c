#include "probe/models/families/vit_read.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the embedding ---- */

/* Columns of a linear patch embedding: which patch and how many channels? */
static int patch_from_columns(ns_vit_opening *o, int64_t columns, int64_t *channels,
                              int64_t *patch) {
    static const int64_t likely[] = {3, 1, 4, 2};
    bool has_channels, has_patch;
    ns_origin from;
    ns_config *config = &o->r->config;
    int64_t side = 0;
    int status = ns_config_int(config, "in_chans|num_channels|channels|in_channels", 1, 4, channels,
                               &has_channels, from);
    if (!status) status = ns_config_int(config, "patch_size", 1, 1024, &side, &has_patch, from);
    if (status) return status;
    for (int i = 0; i < 4; i++) {
        int64_t c = has_channels ? *channels : likely[i];
        *patch = has_patch ? side : (int64_t)lround(sqrt((double)columns / (double)c));
        if (c * *patch * *patch != columns) continue;
        *channels = c;
        return NS_OK;
    }
    return ns_fail(o->r->err, NS_EINPUT,
                   "%s: patch embedding: expected channels * patch * patch columns (config.json: "
                   "channels %lld, patch %lld; 0: not given), found %lld",
                   ns_weights_path(o->r->model->weights), (long long)(has_channels ? *channels : 0),
                   (long long)side, (long long)columns);
}

static int read_embedding(ns_vit_opening *o) {
    ns_reading *r = o->r;
    ns_name name;
    const ns_tensor_info *info;
    int64_t channels = 0, patch = 0;
    int status = ns_reading_need(r, NS_PART_PATCH, 0, "weight", &name, &info);
    if (!status && info->dims == 2)
        status = patch_from_columns(o, info->shape[1], &channels, &patch);
    if (status) return status;
    if (info->dims == 4 && info->shape[2] == info->shape[3]) {
        channels = info->shape[1];
        patch = info->shape[2];
    }
    if (channels < 1 || channels > 4 || patch < 1 || patch > 1024 || info->shape[0] < 1 ||
        info->shape[0] > 1 << 16)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: %s: expected [width, 1 to 4 channels, patch, patch], found %d "
                       "dimensions, the first of %lld",
                       info->file, name.text, info->dims,
                       (long long)(info->dims ? info->shape[0] : 0));
    int64_t width = info->shape[0];
    o->spec.flat_patch = info->dims == 2;
    o->spec.blocks.width = (size_t)width;
    o->spec.grid = (ns_patch_grid){.channels = (size_t)channels,
                                   .patch = (size_t)patch,
                                   .channels_last = o->spec.flat_patch && o->usual.patch_last};
    r->model->input.image.channels = (int)channels;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    status = ns_reading_agree(r, "width", "embed_dim|hidden_size|hidden_dim|dim", width, source);
    if (!status) status = ns_reading_agree(r, "patch", "patch_size", patch, source);
    if (!status)
        status = ns_reading_agree(r, "channels", "in_chans|num_channels|channels|in_channels",
                                  channels, source);
    return status;
}

/* ---- all of it ---- */

static int read_bias(ns_vit_opening *o) {
    ns_name name;
    ns_part part = o->r->naming.names->parts[NS_PART_QKV] ? NS_PART_QKV : NS_PART_Q;
    bool bias = ns_reading_name(o->r, part, 0, "bias", &name), wanted = bias, found;
    ns_origin from;
    int status = ns_config_flag(&o->r->config, "qkv_bias", &wanted, &found, from);
    if (status) return status;
    if (wanted != bias)
        return ns_config_contradicts(&o->r->config, from, bias ? "true" : "false",
                                     wanted ? "true" : "false");
    return ns_reading_fact(o->r, "qkv bias", found ? from : "tensors of block 0", "%s",
                           bias ? "yes" : "no");
}

static int read_activation(ns_vit_opening *o) {
    ns_origin from;
    if (!o->spec.blocks.gated || !o->usual.gate_is_silu)
        return ns_read_activation(o->r, &o->spec.blocks,
                                  o->spec.blocks.gated ? "silu" : o->activation);
    ns_config_find(&o->r->config, NS_ACTIVATION_KEYS, from); /* the other MLP's */
    o->spec.blocks.activation = NS_SILU;
    return ns_reading_fact(o->r, "activation", "a gated MLP", "%s", ns_activation_title(NS_SILU));
}

ns_vit_usual ns_vit_usual_of(const ns_reading *r, const ns_vit_usual *usuals, size_t count) {
    size_t i = 0;
    while (i + 1 < count && usuals[i].names != r->naming.names) i++;
    return usuals[i];
}

int ns_vit_open(ns_vit_opening *o, const char *family) {
    ns_reading *r = o->r;
    r->model->input.kind = NS_INPUT_PIXELS;
    int status = ns_read_norms(r, "norm_eps|layer_norm_eps|layer_norm_epsilon|eps", o->usual.eps);
    if (!status) status = read_embedding(o);
    if (!status) status = ns_vit_read_tokens(o);
    if (!status) status = ns_read_shapes(r, &o->spec.blocks);
    if (!status) status = read_activation(o);
    if (!status) status = read_bias(o);
    if (!status) status = ns_vit_read_end(o);
    if (!status) status = ns_reading_pixels(r, &o->usual.pixels);
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, status};
    if (!status) status = ns_vit_build(&b, &o->spec, &r->naming);
    if (!status) status = ns_reading_ignore_unused(r);
    return status ? status : ns_reading_all_used(r, family);
}
