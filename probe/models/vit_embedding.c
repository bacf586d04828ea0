/* The embedding of a ViT that is read from a checkpoint: patches, the tokens before them, positions, the size of an image. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "probe/models/vit_opening.h"

enum { MOST_TOKENS = 1 << 20 };

int vit_opening_tensor(vit_opening *o, vit_part part, int block, int dims, const int64_t *shape,
                       const float **out) {
    vit_name name;
    if (!vit_opening_name(o, part, block, "", &name)) return NS_OK;
    return ns_reading_tensor(&o->reading, name.text, dims, shape, out);
}

/* Columns of a linear patch embedding: which patch and how many channels? */
static int patch_from_columns(vit_opening *o, int64_t columns, int64_t *channels) {
    static const int64_t likely[] = {3, 1, 4, 2};
    int64_t patch = 0;
    bool has_channels, has_patch;
    ns_source from;
    int status = ns_config_int(&o->reading, "in_chans|num_channels|channels|in_channels", 1, 4,
                               channels, &has_channels, from);
    if (!status)
        status = ns_config_int(&o->reading, "patch_size", 1, 1024, &patch, &has_patch, from);
    if (status) return status;
    for (int i = 0; i < 4; i++) {
        int64_t c = has_channels ? *channels : likely[i];
        int64_t p = has_patch ? patch : (int64_t)lround(sqrt((double)columns / (double)c));
        if (c * p * p != columns) continue;
        *channels = c;
        o->v->patch = (int)p;
        return NS_OK;
    }
    return ns_fail(o->reading.err, NS_EINPUT,
                   "%s: patch embedding: expected channels * patch * patch columns (config.json: "
                   "channels %lld, patch %lld; 0: not given), found %lld",
                   ns_weights_path(o->weights), (long long)(has_channels ? *channels : 0),
                   (long long)patch, (long long)columns);
}

int vit_opening_embedding(vit_opening *o) {
    vit *v = o->v;
    vit_name name;
    ns_error *err = o->reading.err;
    vit_opening_name(o, VIT_PATCH, 0, "weight", &name);
    const ns_tensor_info *info = ns_weights_find(o->weights, name.text);
    if (!info) /* for the message with near names */
        return ns_reading_tensor(&o->reading, name.text, 4, (int64_t[]){-1, -1, -1, -1},
                                 &v->embedding.weight);
    int64_t channels = 0;
    if (info->dims == 2) {
        int status = patch_from_columns(o, info->shape[1], &channels);
        if (status) return status;
    } else if (info->dims == 4 && info->shape[2] == info->shape[3]) {
        channels = info->shape[1];
        v->patch = (int)info->shape[2];
    }
    if (channels < 1 || channels > 4 || v->patch < 1 || v->patch > 1024 || info->shape[0] < 1 ||
        info->shape[0] > 1 << 16)
        return ns_fail(err, NS_EINPUT,
                       "%s: %s: expected [width, 1 to 4 channels, patch, patch], found %d "
                       "dimensions, the first of %lld",
                       info->file, name.text, info->dims,
                       (long long)(info->dims ? info->shape[0] : 0));
    v->width = (int)info->shape[0];
    v->patch_last = info->dims == 2 && o->scheme->patch_last;
    o->reading.model->image.channels = (int)channels;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    int status =
        ns_reading_tensor(&o->reading, name.text, info->dims, info->shape, &v->embedding.weight);
    int64_t width = v->width;
    if (!status && vit_opening_name(o, VIT_PATCH, 0, "bias", &name))
        status = ns_reading_tensor(&o->reading, name.text, 1, &width, &v->embedding.bias);
    if (!status)
        status = ns_reading_agree(&o->reading, "width", "embed_dim|hidden_size|hidden_dim|dim",
                                  v->width, source);
    if (!status) status = ns_reading_agree(&o->reading, "patch", "patch_size", v->patch, source);
    if (!status)
        status = ns_reading_agree(&o->reading, "channels",
                                  "in_chans|num_channels|channels|in_channels", channels, source);
    return status;
}

/* Height and width of the image, if config.json says so. */
static int read_image_size(vit_opening *o, int64_t size[2], bool *found, ns_source from) {
    const json_t *j = ns_config_find(&o->reading, "img_size|image_size", from);
    size_t first = 0;
    if (!j) {
        j = ns_config_find(&o->reading, "input_size", from); /* timm: [channels, height, width] */
        first = 1;
    }
    *found = j != NULL;
    for (size_t i = 0; i < 2 && j; i++) {
        const json_t *one = json_is_array(j) ? json_array_get(j, first + i) : j;
        if (!json_is_integer(one) || json_integer_value(one) < 1 ||
            json_integer_value(one) > 1 << 16)
            return ns_reading_refuse(&o->reading, from, "a size in pixels from 1 to 65536", j);
        size[i] = json_integer_value(one);
    }
    return NS_OK;
}

static int64_t square_root(int64_t n) {
    int64_t r = n < 1 ? 0 : (int64_t)lround(sqrt((double)n));
    return r * r == n ? r : 0;
}

static int read_grid(vit_opening *o, int64_t positions, int extra) {
    vit *v = o->v;
    ns_source from;
    int64_t size[2] = {0, 0};
    bool found;
    int status = read_image_size(o, size, &found, from);
    if (status) return status;
    if (found) {
        if (size[0] % v->patch || size[1] % v->patch) {
            char expected[64], other[64];
            snprintf(expected, sizeof expected, "a multiple of the patch, %d", v->patch);
            snprintf(other, sizeof other, "%lld x %lld", (long long)size[0], (long long)size[1]);
            return ns_config_contradicts(&o->reading, from, expected, other);
        }
        v->grid_height = (int)(size[0] / v->patch);
        v->grid_width = (int)(size[1] / v->patch);
    } else {
        int64_t side = square_root(positions - extra);
        if (!side) side = square_root(positions);
        if (!side)
            return ns_fail(o->reading.err, NS_EINPUT,
                           "%s: expected \"img_size\" in config.json, or a square number of "
                           "positions, found %lld positions and %d other tokens",
                           ns_weights_path(o->weights), (long long)positions, extra);
        v->grid_height = v->grid_width = (int)side;
        snprintf(from, sizeof from, "shape of the position embedding");
    }
    if ((int64_t)v->grid_height * v->grid_width > MOST_TOKENS)
        return ns_fail(
            o->reading.err, NS_EINPUT, "%s: expected at most %d patches, found %d x %d (%s)",
            ns_weights_path(o->weights), MOST_TOKENS, v->grid_height, v->grid_width, from);
    v->patches = v->grid_height * v->grid_width;
    v->tokens = v->patches + extra;
    if (positions && positions != v->patches && positions != v->tokens) {
        char expected[96], other[64];
        snprintf(expected, sizeof expected, "an image of %lld patches, as there are positions",
                 (long long)(positions - extra));
        snprintf(other, sizeof other, "%lld x %lld, which is %d", (long long)size[0],
                 (long long)size[1], v->patches);
        return ns_config_contradicts(&o->reading, from, expected, other);
    }
    ns_image_shape *image = &o->reading.model->image;
    image->height = v->grid_height * v->patch;
    image->width = v->grid_width * v->patch;
    status = ns_reading_fact(&o->reading, "image", from, "%d x %d", image->height, image->width);
    if (!status)
        status = ns_reading_fact(&o->reading, "tokens", "class, registers and patches",
                                 "%d + %d + %d", v->class_token, v->registers, v->patches);
    return status;
}

int vit_opening_tokens(vit_opening *o) {
    vit *v = o->v;
    int64_t width = v->width, positions = 0;
    vit_name name;
    int status = vit_opening_tensor(o, VIT_CLASS, 0, 3, (int64_t[]){1, 1, width}, &v->class_row);
    if (!status)
        status = vit_opening_tensor(o, VIT_REGISTERS, 0, 3, (int64_t[]){1, -1, width},
                                    &v->register_rows);
    if (!status)
        status =
            vit_opening_tensor(o, VIT_POSITIONS, 0, 3, (int64_t[]){1, -1, width}, &v->positions);
    if (status) return status;
    v->class_token = v->class_row != NULL;
    if (v->positions && vit_opening_name(o, VIT_POSITIONS, 0, "", &name))
        positions = ns_weights_find(o->weights, name.text)->shape[1];
    int64_t registers = v->register_rows && vit_opening_name(o, VIT_REGISTERS, 0, "", &name)
                            ? ns_weights_find(o->weights, name.text)->shape[1]
                            : 0;
    if (positions > MOST_TOKENS || registers > MOST_TOKENS)
        return ns_fail(o->reading.err, NS_EINPUT,
                       "%s: expected at most %d tokens, found %lld positions and %lld registers",
                       ns_weights_path(o->weights), MOST_TOKENS, (long long)positions,
                       (long long)registers);
    v->registers = (int)registers;
    status = read_grid(o, positions, v->class_token + v->registers);
    v->positions_of_all = positions == v->tokens;
    return status;
}
