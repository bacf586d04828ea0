/* The tokens of a ViT: which there are, which of them have positions, and the grid of patches, whose image may be of another size than the
 * positions were learned for. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "probe/models/families/vit_read.h"

enum { MOST_TOKENS = 1 << 20 };

/* Height and width of the image, if config.json says so. */
static int read_image_size(ns_vit_opening *o, int64_t size[2], bool *found, ns_origin from) {
    const json_t *j = ns_config_find(&o->r->config, "img_size|image_size", from), *other;
    ns_origin elsewhere;
    other = ns_config_find(&o->r->config, "input_size", elsewhere); /* timm: [channels, h, w] */
    size_t first = j ? 0 : 1;
    if (!j && other) memcpy(from, elsewhere, sizeof elsewhere);
    if (!j) j = other;
    *found = j != NULL;
    for (size_t i = 0; i < 2 && j; i++) {
        const json_t *one = json_is_array(j) ? json_array_get(j, first + i) : j;
        if (!json_is_integer(one) || json_integer_value(one) < 1 ||
            json_integer_value(one) > 1 << 16)
            return ns_config_refuse(&o->r->config, from, "a size in pixels from 1 to 65536", j);
        size[i] = json_integer_value(one);
    }
    return NS_OK;
}

static int64_t square_root(int64_t n) {
    int64_t r = n < 1 ? 0 : (int64_t)lround(sqrt((double)n));
    return r * r == n ? r : 0;
}

/* The image from config.json, else from the number of positions, which is square. */
static int find_image(ns_vit_opening *o, int64_t positions, int64_t extra, int64_t size[2],
                      ns_origin from) {
    int64_t patch = (int64_t)o->spec.grid.patch;
    bool found;
    int status = read_image_size(o, size, &found, from);
    if (status) return status;
    if (found && (size[0] % patch || size[1] % patch)) {
        char expected[64], other[64];
        snprintf(expected, sizeof expected, "a multiple of the patch, %lld", (long long)patch);
        snprintf(other, sizeof other, "%lld x %lld", (long long)size[0], (long long)size[1]);
        return ns_config_contradicts(&o->r->config, from, expected, other);
    }
    if (found) return NS_OK;
    int64_t side = square_root(positions - extra);
    if (!side) side = square_root(positions);
    if (!side)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected \"img_size\" in config.json, or a square number of "
                       "positions, found %lld positions and %lld other tokens",
                       ns_weights_path(o->r->model->weights), (long long)positions,
                       (long long)extra);
    size[0] = size[1] = side * patch;
    snprintf(from, sizeof(ns_origin), "shape of the position embedding");
    return NS_OK;
}

static size_t area(const ns_vit_opening *o, const int64_t size[2]) {
    size_t patch = o->spec.grid.patch;
    return (size_t)size[0] / patch * ((size_t)size[1] / patch);
}

/* Which tokens have positions, by their number. */
static int read_placed(ns_vit_opening *o, int64_t positions, const int64_t size[2],
                       const ns_origin from) {
    ns_vit_spec *s = &o->spec;
    int64_t patches = (int64_t)area(o, size), extra = (int64_t)ns_vit_extra(s),
            placed = o->usual.registers_unplaced ? extra - (int64_t)s->registers : extra;
    s->positions = NS_NO_POSITIONS;
    if (!positions) return NS_OK;
    if (positions == patches + placed)
        s->positions = placed == extra ? NS_POSITIONS_OF_ALL : NS_POSITIONS_BUT_OF_REGISTERS;
    else if (positions == patches)
        s->positions = NS_POSITIONS_OF_PATCHES;
    else {
        char expected[96], other[64];
        snprintf(expected, sizeof expected, "an image of %lld patches, as there are positions",
                 (long long)(positions - placed));
        snprintf(other, sizeof other, "%lld x %lld, which is %lld", (long long)size[0],
                 (long long)size[1], (long long)patches);
        return ns_config_contradicts(&o->r->config, from, expected, other);
    }
    return NS_OK;
}

/* The size of the images that the network is given, where it is another than the positions'. */
static int find_wanted(ns_vit_opening *o, int64_t size[2], ns_origin from) {
    const ns_model_options *asked = &o->r->options;
    int64_t patch = (int64_t)o->spec.grid.patch;
    ns_origin cropped;
    int side = 0, status = asked->height || !o->usual.any_size
                               ? NS_OK
                               : ns_reading_side(o->r, &side, cropped);
    if (status) return status;
    if (side) memcpy(from, cropped, sizeof cropped);
    if (side) size[0] = size[1] = side;
    if (asked->height) snprintf(from, sizeof(ns_origin), "asked for");
    if (asked->height) size[0] = asked->height, size[1] = asked->width;
    if (size[0] % patch || size[1] % patch || size[0] < patch || size[1] < patch)
        return ns_fail(o->r->err, asked->height ? NS_EUSAGE : NS_EINPUT,
                       "%s: expected images of a multiple of the patch, %lld, found %lld x %lld "
                       "(%s)",
                       ns_weights_path(o->r->model->weights), (long long)patch, (long long)size[0],
                       (long long)size[1], from);
    return NS_OK;
}

static int resample(ns_vit_opening *o, const int64_t learned[2], const int64_t size[2],
                    const ns_origin from) {
    ns_vit_spec *s = &o->spec;
    size_t patch = s->grid.patch;
    s->resampled =
        s->positions != NS_NO_POSITIONS && (learned[0] != size[0] || learned[1] != size[1]);
    if (!s->resampled) return NS_OK;
    s->resampling = (ns_resampling){.from_height = (size_t)learned[0] / patch,
                                    .from_width = (size_t)learned[1] / patch,
                                    .height = (size_t)size[0] / patch,
                                    .width = (size_t)size[1] / patch,
                                    .antialias = o->usual.antialias,
                                    .offset = o->usual.offset};
    const ns_resampling *r = &s->resampling;
    char offset[32] = "";
    if (r->offset != 0) snprintf(offset, sizeof offset, ", offset %g", r->offset);
    return ns_reading_fact(o->r, "positions", from, "%zu x %zu to %zu x %zu, bicubic%s%s",
                           r->from_height, r->from_width, r->height, r->width,
                           r->antialias ? ", antialiased" : "", offset);
}

static int read_grid(ns_vit_opening *o, int64_t positions) {
    ns_vit_spec *s = &o->spec;
    ns_origin from;
    int64_t learned[2] = {0, 0}, size[2], extra = (int64_t)ns_vit_extra(s);
    if (o->usual.registers_unplaced) extra -= (int64_t)s->registers;
    int status = find_image(o, positions, extra, learned, from);
    if (!status) status = read_placed(o, positions, learned, from);
    memcpy(size, learned, sizeof size);
    if (!status) status = find_wanted(o, size, from);
    if (status) return status;
    size_t patches = area(o, size);
    if (patches > MOST_TOKENS)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected at most %d patches, found images of %lld x %lld (%s)",
                       ns_weights_path(o->r->model->weights), MOST_TOKENS, (long long)size[0],
                       (long long)size[1], from);
    s->grid.height = (size_t)size[0];
    s->grid.width = (size_t)size[1];
    status = resample(o, learned, size, from);
    ns_image_shape *image = &o->r->model->input.image;
    image->height = (int)size[0];
    image->width = (int)size[1];
    if (!status)
        status = ns_reading_fact(o->r, "image", from, "%d x %d", image->height, image->width);
    return status
               ? status
               : ns_reading_fact(o->r, "tokens", "class, registers and patches", "%d + %zu + %zu",
                                 s->class_token + s->distillation_token, s->registers, patches);
}

/* Rows of a tensor [1, rows, W] or [rows, W]; 0 where the checkpoint has none. */
static int64_t rows_of(const ns_vit_opening *o, ns_part part) {
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(o->r, part, 0, "", &name);
    if (!info) return 0;
    return info->dims == 3 ? info->shape[1] : info->dims == 2 ? info->shape[0] : 1;
}

int ns_vit_read_tokens(ns_vit_opening *o) {
    int64_t positions = rows_of(o, NS_PART_POSITIONS), registers = rows_of(o, NS_PART_REGISTERS);
    o->spec.class_token = rows_of(o, NS_PART_CLASS) > 0;
    o->spec.distillation_token = rows_of(o, NS_PART_DISTILLATION) > 0;
    if (positions > MOST_TOKENS || registers > MOST_TOKENS)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected at most %d tokens, found %lld positions and %lld registers",
                       ns_weights_path(o->r->model->weights), MOST_TOKENS, (long long)positions,
                       (long long)registers);
    if (o->spec.distillation_token && registers)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: expected a distillation token or registers, found both",
                       ns_weights_path(o->r->model->weights));
    o->spec.registers = (size_t)registers;
    return read_grid(o, positions);
}
