/* PNG by libpng. Its errors come by longjmp; everything that must survive one lies in a struct of the caller. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/pixels.h"
#include "probe/base/mem.h"

typedef struct png_reading {
    const unsigned char *bytes;
    size_t size, at;
    const char *path;
    ns_error *err;
    int status;
    ns_pixels *pixels;
    unsigned char **rows;
} png_reading;

static void on_error(png_structp png, png_const_charp message) {
    png_reading *r = png_get_error_ptr(png);
    if (!r->status)
        r->status = ns_fail(r->err, NS_EINPUT, "%s: damaged PNG image: %s", r->path, message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void take_bytes(png_structp png, png_bytep to, size_t count) {
    png_reading *r = png_get_io_ptr(png);
    if (count > r->size - r->at) {
        r->status =
            ns_fail(r->err, NS_EINPUT, "%s: the PNG image is cut short: it ends at byte %zu",
                    r->path, r->size);
        png_error(png, "end of file");
    }
    memcpy(to, r->bytes + r->at, count);
    r->at += count;
}

/* To 8 bits, grey or RGB: palettes and small depths expanded, of 16 bits the upper byte, alpha dropped. */
static void ask_for_8_bits(png_structp png, png_infop info) {
    int colour = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (depth == 16) png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static int read_image(png_reading *r, png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png))) return r->status;
    png_set_read_fn(png, r, take_bytes);
    png_read_info(png, info);
    ask_for_8_bits(png, info);
    int channels = png_get_channels(png, info);
    uint64_t height = png_get_image_height(png, info);
    r->status = ns_pixels_make(r->pixels, height, png_get_image_width(png, info), channels, r->path,
                               r->err);
    if (r->status) return r->status;
    size_t row = (size_t)r->pixels->width * (size_t)channels;
    if (png_get_rowbytes(png, info) != row) png_error(png, "unexpected length of a row");
    r->rows = ns_calloc((size_t)height, sizeof *r->rows, r->err);
    if (!r->rows) return r->status = NS_EFAIL;
    for (size_t y = 0; y < height; y++) r->rows[y] = r->pixels->values + y * row;
    png_read_image(png, r->rows);
    png_read_end(png, NULL);
    return NS_OK;
}

int ns_png_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                  ns_error *err) {
    *out = (ns_pixels){0};
    png_reading r = {.bytes = bytes, .size = size, .path = path, .err = err, .pixels = out};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int status =
        info ? read_image(&r, png, info) : ns_fail(err, NS_EFAIL, "%s: libpng cannot begin", path);
    png_destroy_read_struct(&png, &info, NULL);
    free(r.rows);
    if (status) {
        free(out->values);
        *out = (ns_pixels){0};
    }
    return status;
}
