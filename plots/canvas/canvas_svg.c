/* SVG, written here: text stays text, and every id begins with a prefix made from the file's name and content, so that many figures can
 * stand in one page. Cairo's SVG turns text into outlines whose ids repeat from file to file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/canvas/canvas.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/version.h"

enum { PREFIX = 10, MOST_IDS = 65536 }; /* "ns" and eight digits */

typedef struct page {
    ns_bytes body;
    size_t *ids; /* where in the body a prefix stands */
    size_t id_count;
    int clips;
    double width, height; /* of all pages, one below the other */
} page;

static int open_svg(ns_canvas *canvas, ns_error *err) {
    page *p = ns_calloc(1, sizeof *p, err);
    canvas->state = p;
    if (!p) return NS_EFAIL;
    p->width = canvas->document.width;
    p->height = canvas->document.height;
    p->ids = ns_calloc(MOST_IDS, sizeof *p->ids, err);
    return p->ids ? NS_OK : NS_EFAIL;
}

static void no_next_page(ns_canvas *canvas, double width, double height) {
    (void)width, (void)height;
    ns_error err = {0};
    ns_fail(&err, NS_EUSAGE, "a file of this format holds one page");
    ns_canvas_failed(canvas, &err);
}

/* Leaves room for the prefix. */
static void add_id(page *p) {
    if (p->id_count < MOST_IDS) p->ids[p->id_count++] = p->body.size;
    ns_bytes_print(&p->body, "%*s", PREFIX, "");
}

/* A length with at most four decimals and no more than it needs, whatever the locale. */
static void add_number(ns_bytes *out, double value) {
    long long units = llround(value * 1e4);
    const char *sign = units < 0 ? "-" : "";
    unsigned long long size = (unsigned long long)(units < 0 ? -units : units);
    unsigned rest = (unsigned)(size % 10000);
    int digits = 4;
    while (digits && rest % 10 == 0) rest /= 10, digits--;
    if (digits)
        ns_bytes_print(out, "%s%llu.%0*u", sign, size / 10000, digits, rest);
    else
        ns_bytes_print(out, "%s%llu", sign, size / 10000);
}

static void add_attribute(ns_bytes *out, const char *name, double value) {
    ns_bytes_print(out, " %s=\"", name);
    add_number(out, value);
    ns_bytes_print(out, "\"");
}

static void add_color(ns_bytes *out, const char *name, ns_color c) {
    ns_bytes_print(out, " %s=\"#%02x%02x%02x\"", name, (unsigned)lround(c.r * 255),
                   (unsigned)lround(c.g * 255), (unsigned)lround(c.b * 255));
    if (c.a < 1) {
        ns_bytes_print(out, " %s-opacity=\"", name);
        add_number(out, c.a);
        ns_bytes_print(out, "\"");
    }
}

static void add_paint(ns_bytes *out, const ns_stroke *stroke, const ns_color *fill) {
    if (fill && fill->a > 0)
        add_color(out, "fill", *fill);
    else
        ns_bytes_print(out, " fill=\"none\"");
    if (!stroke || stroke->width <= 0) return;
    add_color(out, "stroke", stroke->color);
    add_attribute(out, "stroke-width", stroke->width);
    if (stroke->round) ns_bytes_print(out, " stroke-linecap=\"round\" stroke-linejoin=\"round\"");
    if (stroke->dash > 0) {
        ns_bytes_print(out, " stroke-dasharray=\"");
        add_number(out, stroke->dash);
        ns_bytes_print(out, " ");
        add_number(out, stroke->gap);
        ns_bytes_print(out, "\"");
    }
}

static void path(ns_canvas *canvas, const ns_spot *spots, size_t count, bool closed,
                 const ns_stroke *stroke, const ns_color *fill) {
    ns_bytes *out = &((page *)canvas->state)->body;
    ns_bytes_print(out, "<path d=\"");
    for (size_t i = 0; i < count; i++) {
        ns_bytes_print(out, i ? (i == 1 ? "L" : " ") : "M");
        add_number(out, spots[i].x);
        ns_bytes_print(out, ",");
        add_number(out, spots[i].y);
    }
    ns_bytes_print(out, closed ? "Z\"" : "\"");
    add_paint(out, stroke, fill);
    ns_bytes_print(out, "/>\n");
}

static void add_box(ns_bytes *out, ns_box b) {
    add_attribute(out, "x", b.x);
    add_attribute(out, "y", b.y);
    add_attribute(out, "width", b.width);
    add_attribute(out, "height", b.height);
}

static void box(ns_canvas *canvas, ns_box where, double radius, const ns_stroke *stroke,
                const ns_color *fill) {
    ns_bytes *out = &((page *)canvas->state)->body;
    ns_bytes_print(out, "<rect");
    add_box(out, where);
    if (radius > 0) add_attribute(out, "rx", fmin(radius, fmin(where.width, where.height) / 2));
    add_paint(out, stroke, fill);
    ns_bytes_print(out, "/>\n");
}

static void add_base64(ns_bytes *out, const uint8_t *data, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0);
        const char four[] = {digits[word >> 18], digits[word >> 12 & 63],
                             left > 1 ? digits[word >> 6 & 63] : '=',
                             left > 2 ? digits[word & 63] : '='};
        ns_bytes_add(out, four, 4);
    }
}

static void picture(ns_canvas *canvas, ns_box where, const ns_picture *image) {
    ns_bytes *out = &((page *)canvas->state)->body, png = {0};
    ns_error err = {0};
    if (ns_png_encode(&png, image, canvas->document.dpi, NULL, &err)) {
        ns_canvas_failed(canvas, &err);
    } else {
        ns_bytes_print(out, "<image");
        add_box(out, where);
        ns_bytes_print(out, " preserveAspectRatio=\"none\" href=\"data:image/png;base64,");
        add_base64(out, png.data, png.size);
        ns_bytes_print(out, "\"/>\n");
    }
    free(png.data);
}

static void text(ns_canvas *canvas, double x, double y, ns_anchor anchor, bool turned, double size,
                 ns_color color, const char *label) {
    static const char *const anchors[] = {"start", "middle", "end"};
    ns_bytes *out = &((page *)canvas->state)->body;
    ns_bytes_print(out, "<text");
    if (turned) {
        ns_bytes_print(out, " transform=\"translate(");
        add_number(out, x);
        ns_bytes_print(out, " ");
        add_number(out, y);
        ns_bytes_print(out, ") rotate(-90)\"");
    } else {
        add_attribute(out, "x", x);
        add_attribute(out, "y", y);
    }
    if (anchor != NS_START) ns_bytes_print(out, " text-anchor=\"%s\"", anchors[anchor]);
    add_attribute(out, "font-size", size);
    add_color(out, "fill", color);
    /* Browsers run spaces together, whatever the file's xml:space says. */
    ns_bytes_print(out, strstr(label, "  ") ? " style=\"white-space:pre\">" : ">");
    ns_text_run run;
    double rise = 0;
    for (const char *rest = label; ns_text_next(&rest, size, &run);) {
        bool plain = run.rise == rise && run.size == size;
        if (!plain) {
            ns_bytes_print(out, "<tspan");
            if (run.size != size) add_attribute(out, "font-size", run.size);
            if (run.rise != rise) add_attribute(out, "dy", rise - run.rise);
            ns_bytes_print(out, ">");
        }
        ns_bytes_escape(out, run.text, run.bytes);
        if (!plain) ns_bytes_print(out, "</tspan>");
        rise = run.rise;
    }
    ns_bytes_print(out, "</text>\n");
}

static void clip(ns_canvas *canvas, ns_box where) {
    page *p = canvas->state;
    ns_bytes_print(&p->body, "<clipPath id=\"");
    add_id(p);
    ns_bytes_print(&p->body, "-clip%d\"><rect", ++p->clips);
    add_box(&p->body, where);
    ns_bytes_print(&p->body, "/></clipPath>\n<g clip-path=\"url(#");
    add_id(p);
    ns_bytes_print(&p->body, "-clip%d)\">\n", p->clips);
}

static void end_group(ns_canvas *canvas) {
    ns_bytes_print(&((page *)canvas->state)->body, "</g>\n");
}

static void group(ns_canvas *canvas, const char *name) {
    page *p = canvas->state;
    if (!name) {
        end_group(canvas);
        return;
    }
    ns_bytes_print(&p->body, "<g id=\"");
    add_id(p);
    ns_bytes_print(&p->body, "-%s\">\n", name);
}

static void add_element(ns_bytes *out, const char *tag, const char *content) {
    if (!content || !*content) return;
    ns_bytes_print(out, "<%s>", tag);
    ns_bytes_escape(out, content, strlen(content));
    ns_bytes_print(out, "</%s>\n", tag);
}

void ns_svg_about(ns_bytes *out, const ns_document *d) {
    char date[32];
    add_element(out, "title", d->title);
    ns_bytes_print(
        out,
        "<metadata "
        "xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n<dc:creator>normscope " NS_VERSION
        "</dc:creator>\n<dc:date>%s</dc:date>\n",
        ns_document_date(d, date));
    add_element(out, "dc:description", d->command_line);
    add_element(out, "dc:source", d->source);
    ns_bytes_print(out, "</metadata>\n");
}

static void add_size(ns_bytes *out, const page *p) {
    ns_bytes_print(out, " width=\"");
    add_number(out, p->width);
    ns_bytes_print(out, "pt\" height=\"");
    add_number(out, p->height);
    ns_bytes_print(out, "pt\" viewBox=\"0 0 ");
    add_number(out, p->width);
    ns_bytes_print(out, " ");
    add_number(out, p->height);
    ns_bytes_print(out, "\"");
}

static void add_font(ns_bytes *out, const char *family) {
    ns_bytes_print(out, " font-family=\"'");
    ns_bytes_escape(out, family, strlen(family));
    ns_bytes_print(out, "', Verdana, sans-serif\"");
}

/* HTML knows neither a declaration nor namespaces; its spaces are kept where the page's style says so. */
static void add_part_head(ns_bytes *out, const ns_canvas *canvas) {
    const char *title = canvas->document.title;
    ns_bytes_print(out, "<svg role=\"img\" aria-label=\"");
    ns_bytes_escape(out, title, strlen(title));
    ns_bytes_print(out, "\"");
    add_size(out, canvas->state);
    add_font(out, ns_text_kit_family(canvas->text));
    ns_bytes_print(out, ">\n");
}

static void add_head(ns_bytes *out, const ns_canvas *canvas) {
    ns_bytes_print(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
                        "xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\"");
    add_size(out, canvas->state);
    add_font(out, ns_text_kit_family(canvas->text));
    ns_bytes_print(out, " xml:space=\"preserve\">\n");
    ns_svg_about(out, &canvas->document);
}

static int finish_svg(ns_canvas *canvas, FILE *file, ns_error *err) {
    page *p = canvas->state;
    if (p->body.failed || p->id_count == MOST_IDS)
        return ns_fail(err, NS_EFAIL, "no memory for the figure's file");
    ns_hash *hash = ns_hash_begin(err);
    if (!hash) return NS_EFAIL;
    char hex[NS_HASH_HEX];
    const char *salt = canvas->document.salt;
    if (salt) ns_hash_add(hash, salt, strlen(salt));
    ns_hash_add(hash, p->body.data, p->body.size);
    ns_hash_end(hash, hex);
    memmove(hex + 2, hex, PREFIX - 2);
    hex[0] = 'n', hex[1] = 's';
    for (size_t i = 0; i < p->id_count; i++) memcpy(p->body.data + p->ids[i], hex, PREFIX);
    ns_bytes head = {0}, tail = {0};
    if (canvas->document.part)
        add_part_head(&head, canvas);
    else
        add_head(&head, canvas);
    ns_bytes_print(&head, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n");
    ns_bytes_print(&tail, "</svg>\n");
    int status = ns_bytes_write(&head, file, err);
    if (!status && p->body.size) status = ns_bytes_write(&p->body, file, err);
    if (!status) status = ns_bytes_write(&tail, file, err);
    free(head.data);
    free(tail.data);
    return status;
}

static void close_svg(ns_canvas *canvas) {
    page *p = canvas->state;
    if (!p) return;
    free(p->body.data);
    free(p->ids);
    free(p);
    canvas->state = NULL;
}

const ns_canvas_kind ns_canvas_svg = {.name = "svg",
                                      .open = open_svg,
                                      .next_page = no_next_page,
                                      .path = path,
                                      .box = box,
                                      .picture = picture,
                                      .text = text,
                                      .clip = clip,
                                      .unclip = end_group,
                                      .group = group,
                                      .finish = finish_svg,
                                      .close = close_svg};
