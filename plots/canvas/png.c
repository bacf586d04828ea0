/* PNG by libpng, into memory. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "plots/canvas/canvas.h"
#include "probe/base/mem.h"
#include "probe/base/version.h"

static void add_bytes(png_structp png, png_bytep data, png_size_t size) {
    ns_bytes_add(png_get_io_ptr(png), data, size);
}

static void flush_nothing(png_structp png) {
    (void)png;
}

static void on_error(png_structp png, png_const_charp message) {
    ns_error *err = png_get_error_ptr(png);
    ns_fail(err, NS_EFAIL, "libpng: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png, (void)message;
}

bool ns_picture_is_opaque(const ns_picture *p) {
    size_t count = (size_t)p->width * (size_t)p->height;
    for (size_t i = 0; i < count; i++)
        if (p->rgba[4 * i + 3] != 255) return false;
    return true;
}

/* iTXt, since command lines are UTF-8. */
static void add_texts(png_structp png, png_infop info, const ns_document *d) {
    const char *const pairs[][2] = {{"Title", d->title},
                                    {"Software", "normscope " NS_VERSION},
                                    {"Comment", d->command_line},
                                    {"Source", d->source}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!pairs[i][1] || !*pairs[i][1]) continue;
        png_text text = {.compression = PNG_ITXT_COMPRESSION_NONE,
                         .key = (char *)(uintptr_t)pairs[i][0],
                         .text = (char *)(uintptr_t)pairs[i][1],
                         .itxt_length = strlen(pairs[i][1])};
        png_set_text(png, info, &text, 1);
    }
    png_time when;
    png_convert_from_time_t(&when, (time_t)d->date);
    png_set_tIME(png, info, &when);
}

/* Between here and the return libpng may jump back to the caller's setjmp: no variable of this function is needed afterwards. */
static void encode(png_structp png, png_infop info, const ns_picture *p, double dpi,
                   const ns_document *document) {
    bool opaque = ns_picture_is_opaque(p);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8,
                 opaque ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_uint_32 per_metre = (png_uint_32)(dpi / 0.0254 + 0.5);
    png_set_pHYs(png, info, per_metre, per_metre, PNG_RESOLUTION_METER);
    if (document) add_texts(png, info, document);
    png_set_compression_level(png, 6);
    png_write_info(png, info);
    if (opaque) png_set_filler(png, 0, PNG_FILLER_AFTER);
    for (int y = 0; y < p->height; y++)
        png_write_row(png, p->rgba + 4 * (size_t)y * (size_t)p->width);
    png_write_end(png, NULL);
}

int ns_png_encode(ns_bytes *out, const ns_picture *p, double dpi, const ns_document *document,
                  ns_error *err) {
    ns_error local = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &local, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int status = info ? NS_OK : ns_fail(&local, NS_EFAIL, "libpng: no memory");
    if (!status) {
        png_set_write_fn(png, out, add_bytes, flush_nothing);
        if (setjmp(png_jmpbuf(png)) == 0) encode(png, info, p, dpi, document);
        status = local.status;
    }
    if (!status && out->failed)
        status = ns_fail(&local, NS_EFAIL, "no memory for a picture of %d by %d pixels", p->width,
                         p->height);
    if (png) png_destroy_write_struct(&png, &info);
    if (status && err) *err = local;
    return status;
}
