/* PDF, PNG and EPS by cairo.
 *
 * EPS knows no opacity, and cairo would turn the whole page into pixels for it. So the EPS canvas draws everything twice, the second
 * time into a page of pixels (the shadow); what is translucent is drawn there alone, and the pixels that it changed then go into
 * the file. Lines, opaque areas and text stay vectors. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include <cairo-pdf.h>
#include <cairo-ps.h>
#include <cairo.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/canvas/canvas.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/version.h"

typedef struct page {
    cairo_surface_t *surface, *shadow_surface;
    cairo_t *cr, *shadow; /* shadow: EPS alone */
    ns_bytes bytes;
    double scale; /* pixels a point, of the shadow or of a PNG */
} page;

static cairo_status_t add_bytes(void *bytes, const unsigned char *data, unsigned length) {
    ns_bytes_add(bytes, data, length);
    return ((ns_bytes *)bytes)->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static int check(cairo_status_t status, ns_error *err) {
    return status == CAIRO_STATUS_SUCCESS
               ? NS_OK
               : ns_fail(err, NS_EFAIL, "cairo: %s", cairo_status_to_string(status));
}

static page *page_new(ns_canvas *canvas, ns_error *err) {
    page *p = ns_calloc(1, sizeof *p, err);
    if (p) p->scale = canvas->document.dpi / 72;
    canvas->state = p;
    return p;
}

static int open_pdf(ns_canvas *canvas, ns_error *err) {
    const ns_document *d = &canvas->document;
    page *p = page_new(canvas, err);
    if (!p) return NS_EFAIL;
    p->surface = cairo_pdf_surface_create_for_stream(add_bytes, &p->bytes, d->width, d->height);
    char date[32];
    ns_document_date(d, date);
    cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_CREATE_DATE, date);
    cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_MOD_DATE, date);
    cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_CREATOR, "normscope " NS_VERSION);
    if (d->title) cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_TITLE, d->title);
    if (d->command_line)
        cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_SUBJECT, d->command_line);
    if (d->source)
        cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_KEYWORDS, d->source);
    p->cr = cairo_create(p->surface);
    return check(cairo_status(p->cr), err);
}

/* A white page of pixels, drawn on in points. */
static cairo_surface_t *pixels(double width, double height, double scale, cairo_t **cr) {
    int w = (int)fmax(1, ceil(width * scale - 1e-6)), h = (int)fmax(1, ceil(height * scale - 1e-6));
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    *cr = cairo_create(surface);
    cairo_set_source_rgb(*cr, 1, 1, 1);
    cairo_paint(*cr);
    cairo_scale(*cr, scale, scale);
    return surface;
}

static int open_png(ns_canvas *canvas, ns_error *err) {
    page *p = page_new(canvas, err);
    if (!p) return NS_EFAIL;
    p->surface = pixels(canvas->document.width, canvas->document.height, p->scale, &p->cr);
    return check(cairo_status(p->cr), err);
}

/* Structured comments are lines of at most 255 bytes of ASCII. */
static void comment(cairo_surface_t *surface, const char *key, const char *text) {
    char line[240];
    if (!text || !*text) return;
    snprintf(line, sizeof line, "%%%%%s: %s", key, text);
    for (char *c = line; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    cairo_ps_surface_dsc_comment(surface, line);
}

/* An EPS goes through a temporary file of cairo's own, which is asked for room before anything is drawn, for the sake of the message. */
static int check_temporary(ns_error *err) {
    const off_t room = 1 << 24;
    FILE *file = tmpfile();
    int code = file ? posix_fallocate(fileno(file), 0, room) : errno;
    if (file) fclose(file);
    if (!code || code == EOPNOTSUPP || code == EINVAL) return NS_OK;
    char size[24];
    return ns_fail(err, NS_EFAIL,
                   "the figure cannot be written: no room for a temporary file of %s: %s",
                   ns_human_bytes((double)room, size), strerror(code));
}

static int open_eps(ns_canvas *canvas, ns_error *err) {
    const ns_document *d = &canvas->document;
    page *p = check_temporary(err) ? NULL : page_new(canvas, err);
    if (!p) return NS_EFAIL;
    p->surface = cairo_ps_surface_create_for_stream(add_bytes, &p->bytes, d->width, d->height);
    cairo_ps_surface_set_eps(p->surface, 1);
    /* Level 2 packs pixels by LZW. Level 3 packs them by a stream that cairo 1.16 frees twice where the temporary file cannot be written
     * (_cairo_ps_surface_emit_base85_string). */
    cairo_ps_surface_restrict_to_level(p->surface, CAIRO_PS_LEVEL_2);
    comment(p->surface, "Title", d->title);
    comment(p->surface, "NormscopeVersion", NS_VERSION);
    comment(p->surface, "NormscopeCommand", d->command_line);
    comment(p->surface, "NormscopeSource", d->source);
    p->cr = cairo_create(p->surface);
    p->shadow_surface = pixels(d->width, d->height, p->scale, &p->shadow);
    int status = check(cairo_status(p->cr), err);
    return status ? status : check(cairo_status(p->shadow), err);
}

static void next_page_pdf(ns_canvas *canvas, double width, double height) {
    page *p = canvas->state;
    cairo_show_page(p->cr);
    cairo_pdf_surface_set_size(p->surface, width, height);
}

static void no_next_page(ns_canvas *canvas, double width, double height) {
    (void)width, (void)height;
    ns_error err = {0};
    ns_fail(&err, NS_EUSAGE, "a file of this format holds one page");
    ns_canvas_failed(canvas, &err);
}

static void set_color(cairo_t *cr, ns_color c) {
    cairo_set_source_rgba(cr, c.r, c.g, c.b, c.a);
}

/* What white under it makes of a translucent colour. */
static ns_color over_white(ns_color c) {
    return (ns_color){1 - c.a * (1 - c.r), 1 - c.a * (1 - c.g), 1 - c.a * (1 - c.b), 1};
}

static void stroke_path(cairo_t *cr, const ns_stroke *s, bool opaque) {
    set_color(cr, opaque ? over_white(s->color) : s->color);
    cairo_set_line_width(cr, s->width);
    cairo_set_line_cap(cr, s->round ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_BUTT);
    cairo_set_line_join(cr, s->round ? CAIRO_LINE_JOIN_ROUND : CAIRO_LINE_JOIN_MITER);
    const double dashes[] = {s->dash, s->gap};
    cairo_set_dash(cr, dashes, s->dash > 0 ? 2 : 0, 0);
    cairo_stroke(cr);
}

/* Copies the part of the shadow that the current path of cr covers into the file. */
static void fill_from_shadow(page *p) {
    double x0, y0, x1, y1, s = p->scale;
    cairo_path_extents(p->cr, &x0, &y0, &x1, &y1);
    int width = cairo_image_surface_get_width(p->shadow_surface),
        height = cairo_image_surface_get_height(p->shadow_surface);
    int left = (int)fmax(0, floor(x0 * s + 1e-6)), top = (int)fmax(0, floor(y0 * s + 1e-6));
    int right = (int)fmin(width, ceil(x1 * s - 1e-6)),
        bottom = (int)fmin(height, ceil(y1 * s - 1e-6));
    if (right <= left || bottom <= top) {
        cairo_new_path(p->cr);
        return;
    }
    cairo_surface_flush(p->shadow_surface);
    cairo_surface_t *part =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, right - left, bottom - top);
    cairo_t *copy = cairo_create(part);
    cairo_set_source_surface(copy, p->shadow_surface, -left, -top);
    cairo_paint(copy);
    cairo_destroy(copy);
    cairo_save(p->cr);
    cairo_clip(p->cr);
    cairo_translate(p->cr, left / s, top / s);
    cairo_scale(p->cr, 1 / s, 1 / s);
    cairo_set_source_surface(p->cr, part, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(p->cr), CAIRO_FILTER_NEAREST);
    cairo_paint(p->cr);
    cairo_restore(p->cr);
    cairo_surface_destroy(part);
}

/* Fills and strokes the path that `trace` makes. */
static void paint(page *p, void (*trace)(cairo_t *cr, const void *shape), const void *shape,
                  const ns_stroke *stroke, const ns_color *fill) {
    bool line = stroke && stroke->width > 0, area = fill && fill->a > 0;
    cairo_t *const targets[] = {p->cr, p->shadow};
    for (int t = 1; t >= 0; t--) { /* the shadow first: the file may take its pixels */
        if (!targets[t]) continue;
        if (area) {
            trace(targets[t], shape);
            if (t == 0 && p->shadow && fill->a < 1) {
                fill_from_shadow(p);
            } else {
                set_color(targets[t], *fill);
                cairo_fill(targets[t]);
            }
        }
        if (!line) continue;
        trace(targets[t], shape);
        stroke_path(targets[t], stroke, p->shadow != NULL);
    }
}

typedef struct polyline {
    const ns_spot *spots;
    size_t count;
    bool closed;
} polyline;

static void trace_polyline(cairo_t *cr, const void *shape) {
    const polyline *l = shape;
    cairo_new_path(cr);
    for (size_t i = 0; i < l->count; i++) cairo_line_to(cr, l->spots[i].x, l->spots[i].y);
    if (l->closed) cairo_close_path(cr);
}

static void path(ns_canvas *canvas, const ns_spot *spots, size_t count, bool closed,
                 const ns_stroke *stroke, const ns_color *fill) {
    const polyline line = {spots, count, closed};
    paint(canvas->state, trace_polyline, &line, stroke, fill);
}

typedef struct rounded {
    ns_box box;
    double radius;
} rounded;

static void trace_rounded(cairo_t *cr, const void *shape) {
    const rounded *r = shape;
    const ns_box *b = &r->box;
    double a = fmin(r->radius, fmin(b->width, b->height) / 2), quarter = acos(-1) / 2;
    cairo_new_path(cr);
    if (a <= 0) {
        cairo_rectangle(cr, b->x, b->y, b->width, b->height);
        return;
    }
    cairo_arc(cr, b->x + b->width - a, b->y + a, a, -quarter, 0);
    cairo_arc(cr, b->x + b->width - a, b->y + b->height - a, a, 0, quarter);
    cairo_arc(cr, b->x + a, b->y + b->height - a, a, quarter, 2 * quarter);
    cairo_arc(cr, b->x + a, b->y + a, a, 2 * quarter, 3 * quarter);
    cairo_close_path(cr);
}

static void box(ns_canvas *canvas, ns_box where, double radius, const ns_stroke *stroke,
                const ns_color *fill) {
    const rounded shape = {where, radius};
    paint(canvas->state, trace_rounded, &shape, stroke, fill);
}

/* Cairo's own order of channels, premultiplied. */
static cairo_surface_t *surface_of(const ns_picture *picture) {
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, picture->width, picture->height);
    if (cairo_surface_status(surface)) return surface;
    cairo_surface_flush(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (int y = 0; y < picture->height; y++) {
        const uint8_t *in = picture->rgba + 4 * (size_t)y * (size_t)picture->width;
        uint32_t *out =
            (uint32_t *)(void *)(cairo_image_surface_get_data(surface) + stride * (size_t)y);
        for (int x = 0; x < picture->width; x++, in += 4) {
            uint32_t a = in[3], r = (in[0] * a + 127) / 255, g = (in[1] * a + 127) / 255,
                     b = (in[2] * a + 127) / 255;
            out[x] = a << 24 | r << 16 | g << 8 | b;
        }
    }
    cairo_surface_mark_dirty(surface);
    return surface;
}

static void picture(ns_canvas *canvas, ns_box where, const ns_picture *image) {
    page *p = canvas->state;
    cairo_surface_t *surface = surface_of(image);
    cairo_t *target = p->shadow ? p->shadow : p->cr;
    cairo_save(target);
    cairo_translate(target, where.x, where.y);
    cairo_scale(target, where.width / image->width, where.height / image->height);
    cairo_set_source_surface(target, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(target), CAIRO_FILTER_NEAREST);
    cairo_paint(target);
    cairo_restore(target);
    cairo_surface_destroy(surface);
    if (!p->shadow) return;
    cairo_rectangle(p->cr, where.x, where.y, where.width, where.height);
    fill_from_shadow(p);
}

static void text(ns_canvas *canvas, double x, double y, ns_anchor anchor, bool turned, double size,
                 ns_color color, const char *label) {
    page *p = canvas->state;
    double width = ns_text_measure(canvas->text, label, size).width, at = anchor == NS_START ? 0
                                                                          : anchor == NS_MIDDLE
                                                                              ? -width / 2
                                                                              : -width;
    cairo_t *const targets[] = {p->cr, p->shadow};
    for (int t = 0; t < 2 && targets[t]; t++) {
        cairo_save(targets[t]);
        cairo_translate(targets[t], x, y);
        if (turned) cairo_rotate(targets[t], -acos(-1) / 2);
        set_color(targets[t], color);
        ns_text_run run;
        double pen = at;
        for (const char *rest = label; ns_text_next(&rest, size, &run);) {
            ns_text_run_show(canvas->text, targets[t], &run, pen, -run.rise);
            pen += ns_text_run_width(canvas->text, &run);
        }
        cairo_restore(targets[t]);
    }
}

static void clip(ns_canvas *canvas, ns_box where) {
    page *p = canvas->state;
    cairo_t *const targets[] = {p->cr, p->shadow};
    for (int t = 0; t < 2 && targets[t]; t++) {
        cairo_save(targets[t]);
        cairo_rectangle(targets[t], where.x, where.y, where.width, where.height);
        cairo_clip(targets[t]);
    }
}

static void unclip(ns_canvas *canvas) {
    page *p = canvas->state;
    cairo_restore(p->cr);
    if (p->shadow) cairo_restore(p->shadow);
}

/* Ends the drawing, so that cairo has written all its bytes. */
static int complete(page *p, ns_error *err) {
    int status = check(cairo_status(p->cr), err);
    if (!status && p->shadow) status = check(cairo_status(p->shadow), err);
    if (status) return status;
    cairo_surface_finish(p->surface);
    return check(cairo_surface_status(p->surface), err);
}

static int finish_pdf(ns_canvas *canvas, FILE *file, ns_error *err) {
    page *p = canvas->state;
    int status = complete(p, err);
    return status ? status : ns_bytes_write(&p->bytes, file, err);
}

/* Cairo puts the time of day into the head of the file: put the document's date in its place. */
static int finish_eps(ns_canvas *canvas, FILE *file, ns_error *err) {
    static const char key[] = "\n%%CreationDate: ", last[] = "showpage\n";
    page *p = canvas->state;
    cairo_show_page(p->cr);
    int status = complete(p, err);
    /* What the temporary file lost at its very end cairo does not see. */
    if (!status && !memmem(p->bytes.data, p->bytes.size, last, sizeof last - 1))
        status = ns_fail(err, NS_EFAIL, "cairo: the drawing is not whole");
    if (status) {
        ns_fail_more(err, ": its temporary file could not be written (no space left there?)");
        return status;
    }
    uint8_t *found =
        memmem(p->bytes.data, p->bytes.size < 4096 ? p->bytes.size : 4096, key, sizeof key - 1);
    if (!found) return ns_bytes_write(&p->bytes, file, err);
    char date[32];
    ns_document_date(&canvas->document, date);
    size_t head = (size_t)(found - p->bytes.data) + sizeof key - 1;
    const uint8_t *line_end = memchr(p->bytes.data + head, '\n', p->bytes.size - head);
    size_t tail = line_end ? (size_t)(line_end - p->bytes.data) : p->bytes.size;
    const ns_bytes parts[] = {{.data = p->bytes.data, .size = head},
                              {.data = (uint8_t *)date, .size = strlen(date)},
                              {.data = p->bytes.data + tail, .size = p->bytes.size - tail}};
    for (int i = 0; i < 3 && !status; i++) status = ns_bytes_write(&parts[i], file, err);
    return status;
}

static int finish_png(ns_canvas *canvas, FILE *file, ns_error *err) {
    page *p = canvas->state;
    int status = check(cairo_status(p->cr), err);
    if (status) return status;
    cairo_surface_flush(p->surface);
    ns_picture image = {cairo_image_surface_get_width(p->surface),
                        cairo_image_surface_get_height(p->surface), NULL};
    size_t stride = (size_t)cairo_image_surface_get_stride(p->surface);
    if (!(image.rgba = ns_calloc((size_t)image.width * (size_t)image.height, 4, err)))
        return NS_EFAIL;
    for (int y = 0; y < image.height; y++) {
        const uint32_t *in =
            (const uint32_t *)(const void *)(cairo_image_surface_get_data(p->surface) +
                                             stride * (size_t)y);
        uint8_t *out = image.rgba + 4 * (size_t)y * (size_t)image.width;
        for (int x = 0; x < image.width; x++, out += 4) {
            out[0] = (uint8_t)(in[x] >> 16);
            out[1] = (uint8_t)(in[x] >> 8);
            out[2] = (uint8_t)in[x];
            out[3] = 255;
        }
    }
    status = ns_png_encode(&p->bytes, &image, canvas->document.dpi, &canvas->document, err);
    free(image.rgba);
    return status ? status : ns_bytes_write(&p->bytes, file, err);
}

static void close_page(ns_canvas *canvas) {
    page *p = canvas->state;
    if (!p) return;
    if (p->cr) cairo_destroy(p->cr);
    if (p->shadow) cairo_destroy(p->shadow);
    if (p->surface) cairo_surface_destroy(p->surface);
    if (p->shadow_surface) cairo_surface_destroy(p->shadow_surface);
    free(p->bytes.data);
    free(p);
    canvas->state = NULL;
}

#define KIND(kind, many, next)                                                                     \
    const ns_canvas_kind ns_canvas_##kind = {.name = #kind,                                        \
                                             .pages = (many),                                      \
                                             .open = open_##kind,                                  \
                                             .next_page = (next),                                  \
                                             .path = path,                                         \
                                             .box = box,                                           \
                                             .picture = picture,                                   \
                                             .text = text,                                         \
                                             .clip = clip,                                         \
                                             .unclip = unclip,                                     \
                                             .finish = finish_##kind,                              \
                                             .close = close_page}
KIND(pdf, true, next_page_pdf);
KIND(png, false, no_next_page);
KIND(eps, false, no_next_page);
