/* A page to draw on, whatever the file becomes. Lengths are points (1/72 inch), y grows downwards from the top edge. Drawing does not
 * fail: the first failure is kept, and ns_canvas_finish reports it. One output format, one ns_canvas_kind, one row of the table in
 * plots/canvas/canvas.c. */
#ifndef NS_CANVAS_H
#define NS_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/base/api.h"
#include "plots/figure/text.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_POINTS_PER_MM (72 / 25.4)

typedef struct ns_color {
    double r, g, b, a; /* sRGB and opacity, 0 to 1, not premultiplied */
} ns_color;

typedef struct ns_spot {
    double x, y;
} ns_spot;

typedef struct ns_box {
    double x, y, width, height;
} ns_box;

/* How a line is drawn; width 0: not at all. */
typedef struct ns_stroke {
    ns_color color;
    double width;
    double dash, gap; /* lengths; dash 0: solid */
    bool round;       /* ends and joins */
} ns_stroke;

/* Pixels, [height, width, 4], top row first: red, green, blue, opacity, not premultiplied. */
typedef struct ns_picture {
    int width, height;
    uint8_t *rgba;
} ns_picture;

typedef enum ns_anchor { NS_START, NS_MIDDLE, NS_FINISH } ns_anchor;

/* What stands in the file besides the drawing. Borrowed until ns_canvas_finish. Texts are clean (ns_label_clean). */
typedef struct ns_document {
    double width, height; /* of the first page, points */
    double dpi;           /* of pixel formats, and of what a vector format must draw as pixels */
    const char *title;
    const char *command_line;
    const char *source; /* the inputs with their hashes */
    int64_t date; /* seconds since 1970: of the data, so that the same input gives the same bytes */
    bool part; /* SVG: an element of a page of HTML, named by the title, not a file with a head */
    const char *salt; /* what makes ids differ from other figures in one page: the output's name */
} ns_document;

/* "2001-09-09T01:46:40Z", into `text`, which is returned. */
NS_API char *ns_document_date(const ns_document *document, char text[32]);

typedef struct ns_canvas ns_canvas;

typedef struct ns_canvas_kind {
    const char *name; /* "pdf" */
    bool pages;       /* can hold more than one */
    int (*open)(ns_canvas *canvas, ns_error *err);
    void (*next_page)(ns_canvas *canvas, double width, double height);
    /* Both ends included; closed: the last point is joined to the first. fill may be NULL. */
    void (*path)(ns_canvas *canvas, const ns_spot *spots, size_t count, bool closed,
                 const ns_stroke *stroke, const ns_color *fill);
    void (*box)(ns_canvas *canvas, ns_box box, double radius, const ns_stroke *stroke,
                const ns_color *fill);
    void (*picture)(ns_canvas *canvas, ns_box box, const ns_picture *picture);
    /* The baseline's start, middle or end at (x, y); turned: it runs upwards. */
    void (*text)(ns_canvas *canvas, double x, double y, ns_anchor anchor, bool turned, double size,
                 ns_color color, const char *label);
    void (*clip)(ns_canvas *canvas, ns_box box);
    void (*unclip)(ns_canvas *canvas);
    void (*group)(ns_canvas *canvas, const char *name); /* NULL ends the group */
    int (*finish)(ns_canvas *canvas, FILE *file, ns_error *err);
    void (*close)(ns_canvas *canvas);
} ns_canvas_kind;

struct ns_canvas {
    const ns_canvas_kind *kind;
    ns_document document;
    ns_text_kit *text; /* borrowed */
    int status;        /* of the first failure */
    ns_error error;
    void *state; /* the kind's own */
};

/* The kind for a file by the ending of its name. NULL and NS_EUSAGE with those that there
 * are. */
NS_API const ns_canvas_kind *ns_canvas_kind_for(const char *path, ns_error *err);

/* The first page is open afterwards. `text` must outlive the canvas. */
NS_API int ns_canvas_open(ns_canvas **out, const ns_canvas_kind *kind, const ns_document *document,
                          ns_text_kit *text, ns_error *err);
NS_API void ns_canvas_close(ns_canvas *canvas);
/* Writes the whole file, once. */
NS_API int ns_canvas_finish(ns_canvas *canvas, FILE *file, ns_error *err);

NS_API void ns_draw_page(ns_canvas *canvas, double width, double height);
NS_API void ns_draw_path(ns_canvas *canvas, const ns_spot *spots, size_t count, bool closed,
                         const ns_stroke *stroke, const ns_color *fill);
NS_API void ns_draw_line(ns_canvas *canvas, double x0, double y0, double x1, double y1,
                         const ns_stroke *stroke);
NS_API void ns_draw_box(ns_canvas *canvas, ns_box box, double radius, const ns_stroke *stroke,
                        const ns_color *fill);
NS_API void ns_draw_picture(ns_canvas *canvas, ns_box box, const ns_picture *picture);
NS_API void ns_draw_text(ns_canvas *canvas, double x, double y, ns_anchor anchor, double size,
                         ns_color color, const char *label);
NS_API void ns_draw_text_up(ns_canvas *canvas, double x, double y, ns_anchor anchor, double size,
                            ns_color color, const char *label);
/* Clips do not nest. */
NS_API void ns_draw_clip(ns_canvas *canvas, ns_box box);
NS_API void ns_draw_unclip(ns_canvas *canvas);
/* Formats that know groups keep what is drawn together under that name: letters, digits and '-'. They nest. */
NS_API void ns_draw_group(ns_canvas *canvas, const char *name);
NS_API void ns_draw_end_group(ns_canvas *canvas);

/* Keeps the first failure; for backends and for those who draw. */
NS_API void ns_canvas_failed(ns_canvas *canvas, const ns_error *err);

/* A growing block of bytes: files are built in memory, where their dates can be put right before they are written. */
typedef struct ns_bytes {
    uint8_t *data;
    size_t size, room;
    bool failed; /* no memory: nothing is added any more */
} ns_bytes;
NS_API void ns_bytes_add(ns_bytes *bytes, const void *data, size_t size);
NS_API void ns_bytes_print(ns_bytes *bytes, const char *format, ...) NS_PRINTF(2, 3);
/* Clean text as it may stand between the tags of XML and HTML, and in attributes between double quotes. */
NS_API void ns_bytes_escape(ns_bytes *bytes, const char *text, size_t size);
NS_API int ns_bytes_write(const ns_bytes *bytes, FILE *file, ns_error *err);

/* Whether no pixel lets anything through. */
NS_API bool ns_picture_is_opaque(const ns_picture *picture);

/* A PNG file of the picture, with the document's title, command line, source and date as text chunks where `document` is not NULL. A
 * picture without transparency is stored without it. */
NS_API int ns_png_encode(ns_bytes *out, const ns_picture *picture, double dpi,
                         const ns_document *document, ns_error *err);

/* Title, program, date, command line and source as elements of an SVG file. */
NS_API void ns_svg_about(ns_bytes *out, const ns_document *document);

#ifdef __cplusplus
}
#endif
#endif
