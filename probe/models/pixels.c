/* How a checkpoint takes images: what its files say about resize, crop and normalization. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/models/reading.h"

enum { MOST_SIDE = 1 << 16 }; /* pixels */

/* A list of a number a channel, which may be absent (NULL), to `to` [channels]. */
static int read_channels(ns_reading *r, const json_t *list, const ns_origin from, const char *name,
                         bool positive, float *to) {
    int channels = r->model->input.image.channels;
    if (list && (!json_is_array(list) || json_array_size(list) != (size_t)channels))
        return ns_config_refuse(&r->config, from, "a list with one number a channel", list);
    char text[96] = "";
    for (int c = 0; c < channels; c++) {
        const json_t *one = json_array_get(list, (size_t)c);
        if (one) to[c] = (float)json_number_value(one);
        if (one && (!json_is_number(one) || !isfinite(to[c]) || (positive && !(to[c] > 0))))
            return ns_config_refuse(&r->config, from, positive ? "positive numbers" : "numbers",
                                    list);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%g", c ? ", " : "",
                 (double)to[c]);
    }
    return ns_reading_fact(r, name, list ? from : "default", "%s", text);
}

/* ---- Hugging Face ---- */

static const json_t *preprocessor_key(const ns_reading *r, const char *key, ns_origin from) {
    snprintf(from, sizeof(ns_origin), "preprocessor_config.json: %s", key);
    const json_t *found = json_object_get(ns_weights_preprocessor(r->model->weights), key);
    return json_is_null(found) ? NULL : found;
}

/* A step that may be switched off. */
static bool does(const ns_reading *r, const char *key, bool otherwise) {
    ns_origin from;
    const json_t *j = preprocessor_key(r, key, from);
    return j ? json_is_true(j) : otherwise;
}

static bool processor_is(const ns_reading *r, const char *begin) {
    ns_origin from;
    const json_t *type = preprocessor_key(r, "image_processor_type", from);
    if (!type) type = preprocessor_key(r, "feature_extractor_type", from);
    const char *name = json_string_value(type);
    return name && !strncmp(name, begin, strlen(begin));
}

/* CLIP's processor and DINOv2's keep the ratio of the sides and cut the centre out. */
static bool crops_by_default(const ns_reading *r) {
    return processor_is(r, "CLIP") || processor_is(r, "BitImage");
}

/* A size of an image, N or {"height": N, "width": N}, which stretch it, or {"shortest_edge": N}. */
static int read_side(ns_reading *r, const char *key, int *side, bool *stretch) {
    ns_origin from;
    const json_t *j = preprocessor_key(r, key, from), *other = NULL;
    if (!j) return NS_OK;
    const json_t *number = j;
    if (json_is_object(j)) {
        number = json_object_get(j, "shortest_edge");
        *stretch = !number;
        if (!number) {
            number = json_object_get(j, "height");
            other = json_object_get(j, "width");
        }
    } else {
        *stretch = !crops_by_default(r); /* one number is the shorter side's with those */
    }
    json_int_t n = json_integer_value(number);
    if (!json_is_integer(number) || n < 1 || n > MOST_SIDE || (other && !json_equal(number, other)))
        return ns_config_refuse(&r->config, from,
                                "one length in pixels for both sides, or a shortest_edge", j);
    *side = (int)n;
    return NS_OK;
}

static int read_filter(ns_reading *r) {
    ns_origin from;
    bool bicubic = processor_is(r, "DeiT") || crops_by_default(r);
    const json_t *j = preprocessor_key(r, "resample", from);
    if (j && (!json_is_integer(j) || (json_integer_value(j) != 2 && json_integer_value(j) != 3)))
        return ns_config_refuse(&r->config, from, "2 (bilinear) or 3 (bicubic)", j);
    bool bilinear = j ? json_integer_value(j) == 2 : !bicubic;
    r->model->input.image.bilinear = bilinear;
    return ns_reading_fact(r, "interpolation", j ? from : "default", "%s",
                           bilinear ? "bilinear" : "bicubic");
}

static bool crops(const ns_reading *r) {
    ns_origin from;
    return does(r, "do_center_crop", preprocessor_key(r, "crop_size", from) != NULL);
}

int ns_reading_side(ns_reading *r, int *side, ns_origin from) {
    bool square = true;
    const char *key = crops(r) ? "crop_size" : "size";
    *side = 0;
    if (!ns_weights_preprocessor(r->model->weights)) return NS_OK;
    int status =
        !crops(r) && !does(r, "do_resize", true) ? NS_OK : read_side(r, key, side, &square);
    if (!square) *side = 0; /* of the shorter one alone */
    preprocessor_key(r, key, from);
    return status;
}

static int read_geometry(ns_reading *r) {
    ns_image_shape *image = &r->model->input.image;
    int side = image->height, cut = image->height;
    bool square, cuts = crops(r);
    if (!does(r, "do_resize", true)) { /* images must come in the model's size */
        image->crop = 0;
        return ns_reading_fact(r, "resize", "preprocessor_config.json: do_resize", "none");
    }
    image->stretch = true;
    image->crop = 1;
    int status = read_side(r, "size", &side, &image->stretch);
    if (!status && cuts) status = read_side(r, "crop_size", &cut, &square);
    if (status) return status;
    ns_origin from;
    const json_t *j = preprocessor_key(r, cuts ? "crop_size" : "size", from);
    int last = cuts ? cut : side;
    if (r->options.height && side >= last) { /* another size: the same share of the image */
        image->crop = (double)last / side;
        return ns_reading_fact(r, "crop", from, "%g", image->crop);
    }
    if (last != image->height || last != image->width || side < last ||
        (!cuts && !image->stretch)) {
        char expected[96];
        snprintf(expected, sizeof expected, "images of %d x %d in the end, as the tensors have it",
                 image->width, image->height);
        return ns_config_refuse(&r->config, from, expected, j);
    }
    image->resize = side;
    preprocessor_key(r, "size", from);
    return ns_reading_fact(r, "resize", from, image->stretch ? "%d x %d" : "shorter side %d", side,
                           side);
}

static int read_preprocessor(ns_reading *r) {
    ns_image_shape *image = &r->model->input.image;
    ns_origin from;
    bool normalizes = does(r, "do_normalize", true);
    const json_t *rescales = preprocessor_key(r, "do_rescale", from);
    if (json_is_false(rescales)) return ns_config_refuse(&r->config, from, "true", rescales);
    const json_t *factor = preprocessor_key(r, "rescale_factor", from);
    if (factor && !(fabs(json_number_value(factor) * 255 - 1) < 1e-6))
        return ns_config_refuse(&r->config, from, "1/255", factor);
    for (int c = 0; c < image->channels && !normalizes; c++) image->mean[c] = 0, image->std[c] = 1;
    const json_t *list = normalizes ? preprocessor_key(r, "image_mean", from) : NULL;
    int status = read_channels(r, list, from, "mean", false, image->mean);
    if (!status) {
        list = normalizes ? preprocessor_key(r, "image_std", from) : NULL;
        status = read_channels(r, list, from, "std", true, image->std);
    }
    if (!status) status = read_geometry(r);
    return status ? status : read_filter(r);
}

/* ---- timm ---- */

static int read_config(ns_reading *r) {
    ns_image_shape *image = &r->model->input.image;
    ns_origin from = "default";
    const json_t *list = ns_config_find(&r->config, "mean|image_mean", from);
    int status = read_channels(r, list, from, "mean", false, image->mean);
    if (status) return status;
    list = ns_config_find(&r->config, "std|image_std", from);
    status = read_channels(r, list, from, "std", true, image->std);
    if (status) return status;
    bool found;
    status = ns_config_real(&r->config, "crop_pct", 0.01, 1, &image->crop, &found, from);
    const char *word = image->stretch ? "squash" : "center";
    if (!status) status = ns_reading_fact(r, "crop", found ? from : "default", "%g", image->crop);
    if (!status) status = ns_config_word(&r->config, "crop_mode", &word, &found, from);
    if (status) return status;
    if (strcmp(word, "squash") != 0 && strcmp(word, "center") != 0)
        return ns_config_contradicts(&r->config, from, "center or squash", word);
    image->stretch = !strcmp(word, "squash");
    status = ns_reading_fact(r, "crop mode", found ? from : "default", "%s", word);
    word = image->bilinear ? "bilinear" : "bicubic";
    if (!status) status = ns_config_word(&r->config, "interpolation", &word, &found, from);
    if (status) return status;
    image->bilinear = !strcmp(word, "bilinear");
    if (!image->bilinear && strcmp(word, "bicubic") != 0)
        return ns_config_contradicts(&r->config, from, "bilinear or bicubic", word);
    return ns_reading_fact(r, "interpolation", found ? from : "default", "%s", word);
}

int ns_reading_pixels(ns_reading *r, const ns_pixel_defaults *defaults) {
    ns_image_shape *image = &r->model->input.image;
    for (int c = 0; c < image->channels; c++) {
        image->mean[c] = defaults->mean[c < 3 ? c : 2];
        image->std[c] = defaults->std[c < 3 ? c : 2];
    }
    image->crop = defaults->crop;
    image->bilinear = defaults->bilinear;
    image->stretch = defaults->stretch;
    if (!ns_weights_preprocessor(r->model->weights)) return read_config(r);
    ns_origin unused; /* config.json's own words on it count for nothing beside that file */
    ns_config_find(&r->config, "mean|image_mean|std|image_std|crop_pct|crop_mode|interpolation",
                   unused);
    return read_preprocessor(r);
}
