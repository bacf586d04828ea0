/* Images in memory: decoding, and the way from 8-bit pixels to a model's tensor. */
#ifndef NS_PIXELS_H
#define NS_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/image.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* More pixels than this are refused, so that a small hostile file cannot fill the memory; Pillow's bound. */
#define NS_MOST_PIXELS ((uint64_t)178956970)

typedef struct ns_pixels {
    unsigned char *values;       /* [height, width, channels]; owned, free() */
    int height, width, channels; /* 1 channel is grey, 3 are RGB */
} ns_pixels;

/* A whole file in memory, named `path` in messages, as 8 bits a channel. NS_EINPUT where it is damaged, cut short or of a
 * kind that cannot be read; *out is then empty. What the values are is what Pillow's convert("RGB") or convert("L")
 * gives, except that 16-bit grey keeps its upper byte, where Pillow clips. Alpha is dropped; colour profiles, gamma and
 * EXIF orientation are ignored, as Pillow ignores them. */
int ns_png_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                  ns_error *err);
int ns_jpeg_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                   ns_error *err);
int ns_webp_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                   ns_error *err);
/* Of libwebp, 0x010204 for 1.2.4; 0 where it was not there when the program was built. */
int ns_webp_version(void);
/* Any of them, by what the bytes begin with. */
int ns_pixels_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                     ns_error *err);

/* Checks the bound above and makes room for an image of that size. */
int ns_pixels_make(ns_pixels *out, uint64_t height, uint64_t width, int channels, const char *path,
                   ns_error *err);

/* From 1 channel to 3 by repetition, from 3 to 1 by ITU-R 601-2 luma in Pillow's arithmetic. In place. */
int ns_pixels_channels(ns_pixels *pixels, int channels, ns_error *err);

/* The window [top, top + out->height) x [left, left + out->width) of `in` resized to height x width: what Pillow's
 * Image.resize and crop give, bit for bit. Only the window is computed. out->height, width are set by the caller, its
 * channels and values here. */
int ns_pixels_resize(ns_pixels *out, const ns_pixels *in, int64_t height, int64_t width,
                     int64_t top, int64_t left, bool bilinear, ns_error *err);

/* The filter of one side, of `in` values, each `ratio` (before / after) apart in the outputs: the weights w of output i, which add up to 1,
 * are of inputs *begin to *begin + *used - 1. It widens where the side shrinks (antialiasing). w has room for ns_filter_taps. */
int ns_filter_taps(double ratio, bool bilinear);
void ns_filter_weigh(double ratio, int64_t i, int in, bool bilinear, double *w, int *begin,
                     int *used);

/* Decoded pixels to [shape->channels, shape->height, shape->width]. `pixels` may be changed on the way. */
int ns_pixels_to_tensor(ns_pixels *pixels, const ns_image_shape *shape, const char *path,
                        float *tensor, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
