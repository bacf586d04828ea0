/* JPEG by libjpeg-turbo, with its default transforms, which are Pillow's as well. Its errors come by longjmp; everything
 * that must survive one lies in a struct of the caller. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "datasets/pixels.h"
#include "probe/base/mem.h"

#define MOST_SCANS                                                                                 \
    500 /* of a progressive image; each goes over all of it, and real ones have about ten */

typedef struct jpeg_reading {
    struct jpeg_error_mgr errors; /* first: libjpeg hands back its address */
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const char *path;
    ns_error *err;
    int status;
    ns_pixels *pixels;
    unsigned char *row; /* of CMYK */
} jpeg_reading;

static void on_error(j_common_ptr info) {
    jpeg_reading *r = (jpeg_reading *)(void *)info->err;
    char message[JMSG_LENGTH_MAX];
    info->err->format_message(info, message);
    if (!r->status)
        r->status = ns_fail(r->err, NS_EINPUT, "%s: damaged JPEG image: %s", r->path, message);
    longjmp(r->jump, 1);
}

/* libjpeg goes on with grey where data are missing or make no sense. Such pixels would be measured as if they were
 * real, so they end the reading; bytes too many and odd headers do no harm. */
static void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_MUST_RESYNC:
        on_error(info);
    }
}

static void on_output(j_common_ptr info) {
    (void)info;
}

static void on_progress(j_common_ptr info) {
    jpeg_reading *r = (jpeg_reading *)(void *)info->err;
    if (!info->is_decompressor || ((j_decompress_ptr)info)->input_scan_number <= MOST_SCANS) return;
    r->status =
        ns_fail(r->err, NS_EINPUT, "%s: expected a JPEG image of at most %d scans, found more",
                r->path, MOST_SCANS);
    on_error(info);
}

/* Four inks, inverted as Adobe's programs write them, to RGB in Pillow's arithmetic. */
static void cmyk_to_rgb(const unsigned char *from, size_t count, unsigned char *to) {
    for (size_t i = 0; i < count; i++, from += 4, to += 3)
        for (int c = 0; c < 3; c++) {
            int product = (255 - from[c]) * from[3] + 128;
            int value = from[3] - (((product >> 8) + product) >> 8);
            to[c] = (unsigned char)(value < 0 ? 0 : value);
        }
}

static int ask_for_colours(jpeg_reading *r, j_decompress_ptr jpeg) {
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        jpeg->out_color_space = JCS_GRAYSCALE;
        return 1;
    case JCS_YCbCr:
    case JCS_RGB:
        jpeg->out_color_space = JCS_RGB;
        return 3;
    case JCS_CMYK:
    case JCS_YCCK:
        jpeg->out_color_space = JCS_CMYK;
        return 4;
    default:
        r->status = ns_fail(r->err, NS_EINPUT,
                            "%s: expected a JPEG image in grey, RGB, YCbCr, CMYK or YCCK, found %d "
                            "components of another kind",
                            r->path, jpeg->num_components);
        return 0;
    }
}

static int read_image(jpeg_reading *r, j_decompress_ptr jpeg, const unsigned char *bytes,
                      size_t size) {
    if (setjmp(r->jump)) return r->status;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &r->progress;
    jpeg_mem_src(jpeg, bytes, (unsigned long)size);
    jpeg_read_header(jpeg, TRUE);
    int channels = ask_for_colours(r, jpeg);
    if (!channels) return r->status;
    r->status = ns_pixels_make(r->pixels, jpeg->image_height, jpeg->image_width,
                               channels == 1 ? 1 : 3, r->path, r->err);
    if (r->status) return r->status;
    jpeg_start_decompress(jpeg);
    size_t width = jpeg->output_width, stride = width * (size_t)r->pixels->channels;
    if (channels == 4 && !(r->row = ns_calloc(width, 4, r->err))) return r->status = NS_EFAIL;
    while (jpeg->output_scanline < jpeg->output_height) {
        unsigned char *to = r->pixels->values + jpeg->output_scanline * stride;
        JSAMPROW row = r->row ? r->row : to;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (r->row) cmyk_to_rgb(r->row, width, to);
    }
    jpeg_finish_decompress(jpeg);
    return NS_OK;
}

int ns_jpeg_decode(ns_pixels *out, const unsigned char *bytes, size_t size, const char *path,
                   ns_error *err) {
    *out = (ns_pixels){0};
    struct jpeg_decompress_struct jpeg = {0};
    jpeg_reading r = {.path = path, .err = err, .pixels = out};
    jpeg.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    r.errors.output_message = on_output;
    r.progress.progress_monitor = on_progress;
    int status = read_image(&r, &jpeg, bytes, size);
    jpeg_destroy_decompress(&jpeg);
    free(r.row);
    if (status) {
        free(out->values);
        *out = (ns_pixels){0};
    }
    return status;
}
