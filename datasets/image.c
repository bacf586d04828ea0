/* From decoded pixels to a model's tensor: channels, resize, centre, normalization; and the words that describe it. */
#include "datasets/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/kinds.h"
#include "datasets/pixels.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

int ns_pixels_make(ns_pixels *out, uint64_t height, uint64_t width, int channels, const char *path,
                   ns_error *err) {
    if (!height || !width || height > NS_MOST_PIXELS / width)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected an image of 1 to %llu pixels, found %llu x %llu", path,
                       (unsigned long long)NS_MOST_PIXELS, (unsigned long long)width,
                       (unsigned long long)height);
    if (channels != 1 && channels != 3)
        return ns_fail(err, NS_EINPUT, "%s: expected an image of 1 or 3 channels, found %d", path,
                       channels);
    *out = (ns_pixels){.height = (int)height, .width = (int)width, .channels = channels};
    out->values = ns_calloc((size_t)(height * width), (size_t)channels, err);
    return out->values ? NS_OK : NS_EFAIL;
}

int ns_pixels_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                     ns_error *err) {
    *out = (ns_pixels){0};
    static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (size >= sizeof png && !memcmp(bytes, png, sizeof png))
        return ns_png_decode(out, bytes, size, path, err);
    if (size >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3))
        return ns_jpeg_decode(out, bytes, size, path, err);
    if (size >= 12 && !memcmp(bytes, "RIFF", 4) && !memcmp(bytes + 8, "WEBP", 4))
        return ns_webp_decode(out, bytes, size, path, err);
    return ns_fail(err, NS_EINPUT, "%s: expected a PNG, JPEG or WebP image, found %s", path,
                   ns_looks_like(bytes, size));
}

int ns_pixels_channels(ns_pixels *pixels, int channels, ns_error *err) {
    if (pixels->channels == channels) return NS_OK;
    size_t count = (size_t)pixels->height * (size_t)pixels->width;
    unsigned char *to = ns_calloc(count, (size_t)channels, err), *from = pixels->values;
    if (!to) return NS_EFAIL;
    for (size_t i = 0; i < count; i++)
        if (channels == 3)
            memset(to + 3 * i, from[i], 3);
        else
            to[i] = (unsigned char)((19595u * from[3 * i] + 38470u * from[3 * i + 1] +
                                     7471u * from[3 * i + 2] + 0x8000u) >>
                                    16);
    free(from);
    pixels->values = to;
    pixels->channels = channels;
    return NS_OK;
}

/* Python's round(): ties to even. n may be odd by one half only. */
static int64_t half_of(int64_t n) {
    int64_t half = n / 2;
    return n % 2 ? half + half % 2 : half;
}

/* Height and width before the centre is cut out. With `resize`, or a square model, the shorter side gets its length and
 * the longer one what the ratio gives, cut to whole pixels (torchvision); for another model the image just covers it. */
static void resized_size(const ns_pixels *in, const ns_image_shape *s, int64_t *height,
                         int64_t *width) {
    int64_t h = in->height, w = in->width, least_h = s->resize, least_w = s->resize;
    if (!s->resize) {
        least_h = (int64_t)floor(s->height / s->crop);
        least_w = (int64_t)floor(s->width / s->crop);
    }
    if (s->stretch) {
        *height = least_h;
        *width = least_w;
    } else if (least_h * w >=
               least_w * h) { /* the height is the side that must grow or shrink least */
        *height = least_h;
        *width = least_h * w / h;
    } else {
        *width = least_w;
        *height = least_w * h / w;
    }
}

int ns_pixels_to_tensor(ns_pixels *pixels, const ns_image_shape *shape, const char *path,
                        float *tensor, ns_error *err) {
    if (shape->channels != 1 && shape->channels != 3)
        return ns_fail(err, NS_EINPUT, "%s: images have 1 or 3 channels, this model takes %d", path,
                       shape->channels);
    if (!(shape->crop > 0) && !shape->resize &&
        (pixels->height != shape->height || pixels->width != shape->width))
        return ns_fail(err, NS_EINPUT, "%s: expected an image of %d x %d pixels, found %d x %d",
                       path, shape->width, shape->height, pixels->width, pixels->height);
    int status = ns_pixels_channels(pixels, shape->channels, err);
    if (status) return status;
    int64_t height = shape->height, width = shape->width;
    if (shape->crop > 0 || shape->resize) resized_size(pixels, shape, &height, &width);
    if (height < shape->height || width < shape->width)
        return ns_fail(err, NS_EUSAGE,
                       "resized to %lld x %lld, an image does not cover the model's %d x %d",
                       (long long)width, (long long)height, shape->width, shape->height);
    ns_pixels window = {.height = shape->height, .width = shape->width};
    status = ns_pixels_resize(&window, pixels, height, width, half_of(height - shape->height),
                              half_of(width - shape->width), shape->bilinear, err);
    if (!status) ns_image_to_tensor(window.values, window.channels, shape, tensor);
    free(window.values);
    return status;
}

void ns_image_to_tensor(const unsigned char *image, int channels, const ns_image_shape *shape,
                        float *pixels) {
    int area = shape->height * shape->width;
    for (int c = 0; c < shape->channels; c++) {
        const unsigned char *from = image + (channels == 1 ? 0 : c);
        float mean = shape->mean[c], std = shape->std[c];
        for (int i = 0; i < area; i++)
            pixels[c * area + i] = ((float)from[i * channels] / 255.0f - mean) / std;
    }
}

int ns_image_numbers(const char *option, const char *text, int channels, float out[4],
                     ns_error *err) {
    int used = 0;
    const char *at = text;
    for (;;) {
        char *end;
        float value = strtof(at, &end);
        if (end == at || !isfinite(value) || used == 4 || (*end && *end != ','))
            return ns_fail(err, NS_EUSAGE,
                           "%s: expected numbers with commas between them, found '%s'", option,
                           text);
        out[used++] = value;
        if (!*end) break;
        at = end + 1;
    }
    if (used != channels && used != 1)
        return ns_fail(err, NS_EUSAGE, "%s: expected 1 number or %d, one a channel, found %d",
                       option, channels, used);
    for (; used < channels && used < 4; used++) out[used] = out[0];
    return NS_OK;
}

int ns_image_size(const char *option, const char *text, int *height, int *width, ns_error *err) {
    enum { MOST = 1 << 16 };
    char *end;
    long h = strtol(text, &end, 10), w = h;
    bool good = end != text && *text >= '0' && *text <= '9';
    if (good && *end == 'x') {
        const char *second = end + 1;
        w = strtol(second, &end, 10);
        good = end != second && *second >= '0' && *second <= '9';
    }
    if (!good || *end || h < 1 || h > MOST || w < 1 || w > MOST)
        return ns_fail(err, NS_EUSAGE,
                       "%s: expected pixels of both sides (224), or of height and width (224x336), "
                       "up to %d, found '%s'",
                       option, MOST, text);
    *height = (int)h;
    *width = (int)w;
    return NS_OK;
}

static size_t add_channels(char *text, size_t used, size_t room, const char *name,
                           const float *values, int channels) {
    bool alike = true;
    for (int c = 1; c < channels; c++) alike = alike && values[c] == values[0];
    for (int c = 0; c < (alike ? 1 : channels) && used < room; c++)
        used +=
            (size_t)snprintf(text + used, room - used, "%s%.7g", c ? " " : name, (double)values[c]);
    return used;
}

char *ns_image_steps(const ns_image_shape *s, bool resized, bool scaled, char text[256]) {
    size_t room = 256, used = 0;
    text[0] = 0;
    resized = resized && (s->crop > 0 || s->resize);
    if (resized) {
        int64_t h = s->resize ? s->resize : (int64_t)floor(s->height / s->crop);
        int64_t w = s->resize ? s->resize : (int64_t)floor(s->width / s->crop);
        const char *filter = s->bilinear ? "bilinear" : "bicubic";
        used += (size_t)(s->stretch || h != w
                             ? snprintf(text, room, "%s %lld x %lld %s",
                                        s->stretch ? "stretched to" : "covering", (long long)w,
                                        (long long)h, filter)
                             : snprintf(text, room, "shorter side %lld %s", (long long)h, filter));
        if (!s->stretch || w != s->width || h != s->height)
            used +=
                (size_t)snprintf(text + used, room - used, ", centre %d x %d", s->width, s->height);
    }
    if (scaled) {
        used = add_channels(text, used, room, resized ? ", mean " : "mean ", s->mean, s->channels);
        used = add_channels(text, used, room, ", std ", s->std, s->channels);
    }
    if (!used) snprintf(text, room, "none");
    return text;
}
