/* The words of a gnuplot script: numbers, strings, colours and lines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/table.h"

double ns_gnuplot_x(const ns_gnuplot *g, double x) {
    return (x / g->unit - g->terminal->shift) / (g->width - 2 * g->terminal->shift);
}

double ns_gnuplot_y(const ns_gnuplot *g, double y) {
    return 1 - (y / g->unit - g->terminal->shift) / (g->height - 2 * g->terminal->shift);
}

double ns_gnuplot_dx(const ns_gnuplot *g, double length) {
    return length / g->unit / (g->width - 2 * g->terminal->shift);
}

double ns_gnuplot_dy(const ns_gnuplot *g, double length) {
    return length / g->unit / (g->height - 2 * g->terminal->shift);
}

void ns_gnuplot_number(ns_bytes *out, const char *before, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", fabs(value) < 1e-9 ? 0 : value);
    char *comma = strchr(text, ',');
    if (comma) *comma = '.';
    ns_bytes_print(out, "%s%s", before, text);
}

void ns_gnuplot_value(ns_bytes *out, const char *before, double value) {
    char text[32];
    ns_bytes_print(out, "%s%s", before, ns_shortest(value, text));
}

/* Nothing means anything between single quotes but a quote; gnuplot 5.4 stumbles over several of them, doubled. So text with one stands
 * between double quotes, with numbers for what means something there. */
static const char *quote_for(const char *text) {
    return strchr(text, '\'') ? "\"" : "'";
}

/* gnuplot takes every digit after a number for one more of its digits: then the digit is told by its number as well. */
static void add_char(ns_bytes *out, const char *quote, char c) {
    bool after_number = out->size >= 4 && out->data[out->size - 4] == '\\';
    if (*quote == '"' && (strchr("'\"\\`@$", c) || (after_number && c >= '0' && c <= '7')))
        ns_bytes_print(out, "\\%03o", (unsigned)(unsigned char)c);
    else
        ns_bytes_add(out, &c, 1);
}

void ns_gnuplot_quote(ns_bytes *out, const char *text) {
    const char *quote = quote_for(text);
    ns_bytes_add(out, quote, 1);
    for (; *text; text++) add_char(out, quote, *text);
    ns_bytes_add(out, quote, 1);
}

bool ns_gnuplot_has_markup(const char *label) {
    return strpbrk(label, NS_SUB NS_SUP) != NULL;
}

bool ns_gnuplot_label(ns_bytes *out, const char *label, double size, bool percent) {
    bool enhanced = ns_gnuplot_has_markup(label);
    const char *quote = quote_for(label);
    ns_text_run run;
    ns_bytes_add(out, quote, 1);
    for (const char *rest = label; ns_text_next(&rest, size, &run);) {
        /* Enhanced text makes scripts 0.8 of the size. */
        if (run.rise != 0) {
            ns_bytes_print(out, "%s", run.rise > 0 ? "^" : "_");
            ns_gnuplot_number(out, "{/*", run.size / size / 0.8);
            ns_bytes_print(out, " ");
        }
        for (size_t i = 0; i < run.bytes; i++) {
            char c = run.text[i];
            if (enhanced && strchr("^_{}@&~\\", c)) add_char(out, quote, '\\');
            if (percent && c == '%') add_char(out, quote, c);
            add_char(out, quote, c);
        }
        if (run.rise != 0) ns_bytes_print(out, "}");
    }
    ns_bytes_add(out, quote, 1);
    return enhanced;
}

static unsigned byte_of(double share) {
    return (unsigned)lround(255 * fmin(fmax(share, 0), 1));
}

/* Opacity stands before the colours, 0 for none that shines through. */
uint32_t ns_gnuplot_rgb(const ns_gnuplot *g, ns_color c) {
    if (g->terminal->opaque)
        c = (ns_color){1 - c.a * (1 - c.r), 1 - c.a * (1 - c.g), 1 - c.a * (1 - c.b), 1};
    return (uint32_t)(255 - byte_of(c.a)) << 24 | byte_of(c.r) << 16 | byte_of(c.g) << 8 |
           byte_of(c.b);
}

void ns_gnuplot_color(ns_bytes *out, const ns_gnuplot *g, ns_color color) {
    uint32_t rgb = ns_gnuplot_rgb(g, color);
    ns_bytes_print(out, rgb >> 24 ? " rgb '#%08x'" : " rgb '#%06x'", rgb);
}

void ns_gnuplot_stroke(ns_bytes *out, const ns_gnuplot *g, const ns_stroke *s) {
    const ns_gnuplot_terminal *t = g->terminal;
    ns_gnuplot_number(out, " lw ", s->width);
    ns_bytes_print(out, " lc");
    ns_gnuplot_color(out, g, s->color);
    if (s->dash <= 0) return;
    double step = t->dash * fmax(s->width / g->unit, t->dash_from) * g->unit;
    ns_gnuplot_number(out, " dt (", s->dash / step);
    ns_gnuplot_number(out, ",", s->gap / step);
    ns_bytes_print(out, ")");
}

void ns_gnuplot_comment(ns_bytes *out, const char *text) {
    ns_bytes_print(out, "# ");
    /* A backslash at its end would take the next line into the comment. */
    for (; *text; text++)
        if ((unsigned char)*text >= ' ') ns_bytes_add(out, *text == '\\' ? "/" : text, 1);
    ns_bytes_print(out, "\n");
}
