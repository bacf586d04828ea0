#include "plots/canvas/canvas.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "probe/base/mem.h"

extern const ns_canvas_kind ns_canvas_pdf, ns_canvas_svg, ns_canvas_png, ns_canvas_eps;

static const ns_canvas_kind *const kinds[] = {&ns_canvas_pdf, &ns_canvas_svg, &ns_canvas_png,
                                              &ns_canvas_eps};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const ns_canvas_kind *ns_canvas_kind_for(const char *path, ns_error *err) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (size_t k = 0; dot && k < KINDS; k++)
        if (!strcasecmp(dot + 1, kinds[k]->name)) return kinds[k];
    ns_fail(err, NS_EUSAGE, "%s: expected a file whose name ends in", path);
    for (size_t k = 0; k < KINDS; k++)
        ns_fail_more(err, "%s .%s", k ? (k + 1 < KINDS ? "," : " or") : "", kinds[k]->name);
    if (dot) ns_fail_more(err, ", found %s", dot);
    return NULL;
}

char *ns_document_date(const ns_document *document, char text[32]) {
    time_t when = (time_t)document->date;
    struct tm utc;
    gmtime_r(&when, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

int ns_canvas_open(ns_canvas **out, const ns_canvas_kind *kind, const ns_document *document,
                   ns_text_kit *text, ns_error *err) {
    *out = NULL;
    ns_canvas *canvas = ns_calloc(1, sizeof *canvas, err);
    if (!canvas) return NS_EFAIL;
    *canvas = (ns_canvas){.kind = kind, .document = *document, .text = text};
    int status = kind->open(canvas, err);
    if (status)
        ns_canvas_close(canvas);
    else
        *out = canvas;
    return status;
}

void ns_canvas_close(ns_canvas *canvas) {
    if (!canvas) return;
    canvas->kind->close(canvas);
    free(canvas);
}

void ns_canvas_failed(ns_canvas *canvas, const ns_error *err) {
    if (canvas->status) return;
    canvas->status = err->status ? err->status : NS_EFAIL;
    canvas->error = *err;
}

int ns_canvas_finish(ns_canvas *canvas, FILE *file, ns_error *err) {
    if (!canvas->status) return canvas->kind->finish(canvas, file, err);
    if (err) *err = canvas->error;
    return canvas->status;
}

void ns_draw_page(ns_canvas *canvas, double width, double height) {
    if (!canvas->status) canvas->kind->next_page(canvas, width, height);
}

void ns_draw_path(ns_canvas *canvas, const ns_spot *spots, size_t count, bool closed,
                  const ns_stroke *stroke, const ns_color *fill) {
    if (!canvas->status && count) canvas->kind->path(canvas, spots, count, closed, stroke, fill);
}

void ns_draw_line(ns_canvas *canvas, double x0, double y0, double x1, double y1,
                  const ns_stroke *stroke) {
    const ns_spot spots[] = {{x0, y0}, {x1, y1}};
    ns_draw_path(canvas, spots, 2, false, stroke, NULL);
}

void ns_draw_box(ns_canvas *canvas, ns_box box, double radius, const ns_stroke *stroke,
                 const ns_color *fill) {
    if (!canvas->status) canvas->kind->box(canvas, box, radius, stroke, fill);
}

void ns_draw_picture(ns_canvas *canvas, ns_box box, const ns_picture *picture) {
    if (!canvas->status && picture->width > 0 && picture->height > 0)
        canvas->kind->picture(canvas, box, picture);
}

void ns_draw_text(ns_canvas *canvas, double x, double y, ns_anchor anchor, double size,
                  ns_color color, const char *label) {
    if (!canvas->status && *label)
        canvas->kind->text(canvas, x, y, anchor, false, size, color, label);
}

void ns_draw_text_up(ns_canvas *canvas, double x, double y, ns_anchor anchor, double size,
                     ns_color color, const char *label) {
    if (!canvas->status && *label)
        canvas->kind->text(canvas, x, y, anchor, true, size, color, label);
}

void ns_draw_clip(ns_canvas *canvas, ns_box box) {
    if (!canvas->status) canvas->kind->clip(canvas, box);
}

void ns_draw_unclip(ns_canvas *canvas) {
    if (!canvas->status) canvas->kind->unclip(canvas);
}

void ns_draw_group(ns_canvas *canvas, const char *name) {
    if (!canvas->status && canvas->kind->group) canvas->kind->group(canvas, name);
}

void ns_draw_end_group(ns_canvas *canvas) {
    if (!canvas->status && canvas->kind->group) canvas->kind->group(canvas, NULL);
}

void ns_bytes_add(ns_bytes *bytes, const void *data, size_t size) {
    if (bytes->failed) return;
    if (bytes->size + size > bytes->room) {
        size_t room = bytes->room ? bytes->room : 4096;
        while (room < bytes->size + size) room *= 2;
        uint8_t *grown = ns_realloc(bytes->data, room, 1, NULL);
        if (!grown) {
            bytes->failed = true;
            return;
        }
        bytes->data = grown;
        bytes->room = room;
    }
    if (size) memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void ns_bytes_print(ns_bytes *bytes, const char *format, ...) {
    char text[1024];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(text, sizeof text, format, args);
    if (length >= 0 && (size_t)length < sizeof text) {
        ns_bytes_add(bytes, text, (size_t)length);
    } else if (length >= 0) {
        char *more = ns_calloc((size_t)length + 1, 1, NULL);
        if (more) {
            vsnprintf(more, (size_t)length + 1, format, again);
            ns_bytes_add(bytes, more, (size_t)length);
        }
        bytes->failed |= !more;
        free(more);
    }
    va_end(again);
    va_end(args);
}

void ns_bytes_escape(ns_bytes *bytes, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *name = c == '&'   ? "&amp;"
                           : c == '<' ? "&lt;"
                           : c == '>' ? "&gt;"
                           : c == '"' ? "&quot;"
                           : c < ' '  ? " "
                                      : NULL;
        ns_bytes_add(bytes, name ? name : (const char *)&c, name ? strlen(name) : 1);
    }
}

int ns_bytes_write(const ns_bytes *bytes, FILE *file, ns_error *err) {
    if (bytes->failed) return ns_fail(err, NS_EFAIL, "no memory for the figure's file");
    if (fwrite(bytes->data, 1, bytes->size, file) != bytes->size)
        return ns_fail(err, NS_EFAIL, "the figure cannot be written: %s", strerror(errno));
    return NS_OK;
}
