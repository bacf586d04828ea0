/* A canvas whose page is a gnuplot script: text, boxes and lines beside the data become labels, objects and arrows in front of it. */
#include <math.h>
#include <stdlib.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/mem.h"

static int open_page(ns_canvas *canvas, ns_error *err) {
    return (canvas->state = ns_calloc(1, sizeof(ns_gnuplot), err)) ? NS_OK : NS_EFAIL;
}

static ns_bytes *target(ns_gnuplot *g) {
    return g->in_panel ? &g->setup : &g->texts;
}

static void add_at(ns_bytes *out, const ns_gnuplot *g, double x, double y) {
    ns_gnuplot_number(out, " screen ", ns_gnuplot_x(g, x));
    ns_gnuplot_number(out, ",", ns_gnuplot_y(g, y));
}

/* How an object is filled and what goes around it. */
static void add_paint(ns_bytes *out, const ns_gnuplot *g, const ns_stroke *stroke,
                      const ns_color *fill) {
    ns_bytes_print(out, " front");
    if (fill && fill->a > 0) {
        ns_bytes_print(out, " fc");
        ns_gnuplot_color(out, g, *fill);
        ns_bytes_print(out, " fs solid");
    } else {
        ns_bytes_print(out, " fs empty");
    }
    if (stroke && stroke->width > 0) {
        ns_bytes_print(out, " border");
        ns_gnuplot_color(out, g, stroke->color);
        ns_gnuplot_number(out, " lw ", stroke->width);
    } else {
        ns_bytes_print(out, " noborder");
    }
    ns_bytes_print(out, "\n");
}

static void path(ns_canvas *canvas, const ns_spot *spots, size_t count, bool closed,
                 const ns_stroke *stroke, const ns_color *fill) {
    ns_gnuplot *g = canvas->state;
    ns_bytes *out = target(g);
    if (closed) {
        ns_bytes_print(out, "set object polygon from");
        for (size_t i = 0; i <= count; i++) {
            if (i) ns_bytes_print(out, " to");
            add_at(out, g, spots[i % count].x, spots[i % count].y);
        }
        add_paint(out, g, stroke, fill);
        return;
    }
    for (size_t i = 1; i < count && stroke && stroke->width > 0; i++) {
        ns_bytes_print(out, "set arrow from");
        add_at(out, g, spots[i - 1].x, spots[i - 1].y);
        ns_bytes_print(out, " to");
        add_at(out, g, spots[i].x, spots[i].y);
        ns_bytes_print(out, " nohead front");
        ns_gnuplot_stroke(out, g, stroke);
        ns_bytes_print(out, "\n");
    }
}

/* Corners stay square; what is all corner is a circle. */
static void box(ns_canvas *canvas, ns_box b, double radius, const ns_stroke *stroke,
                const ns_color *fill) {
    ns_gnuplot *g = canvas->state;
    ns_bytes *out = target(g);
    if (radius > 0 && 2 * radius >= fmax(b.width, b.height)) {
        ns_bytes_print(out, "set object circle at");
        add_at(out, g, b.x + b.width / 2, b.y + b.height / 2);
        ns_gnuplot_number(out, " size screen ", ns_gnuplot_dx(g, radius));
    } else {
        ns_bytes_print(out, "set object rectangle from");
        add_at(out, g, b.x, b.y + b.height);
        ns_bytes_print(out, " to");
        add_at(out, g, b.x + b.width, b.y);
    }
    add_paint(out, g, stroke, fill);
}

/* Layers reach the panels' writer; a canvas draws no other pictures. */
static void picture(ns_canvas *canvas, ns_box where, const ns_picture *image) {
    (void)where, (void)image;
    ns_error err = {0};
    ns_fail(&err, NS_EUSAGE, "a gnuplot script takes pictures as layers of panels alone");
    ns_canvas_failed(canvas, &err);
}

static void text(ns_canvas *canvas, double x, double y, ns_anchor anchor, bool turned, double size,
                 ns_color color, const char *label) {
    static const char *const anchors[] = {"left", "center", "right"};
    ns_gnuplot *g = canvas->state;
    ns_bytes *out = target(g);
    ns_error err = {0};
    char *known = ns_label_known(canvas->text, label, &err);
    if (!known) {
        ns_canvas_failed(canvas, &err);
        return;
    }
    double drop = g->terminal->drop * size;
    ns_bytes_print(out, "set label ");
    bool enhanced = ns_gnuplot_label(out, known, size, false);
    free(known);
    ns_bytes_print(out, " at");
    add_at(out, g, turned ? x - drop : x, turned ? y : y - drop);
    ns_bytes_print(out, " %s%s", anchors[anchor], turned ? " rotate by 90" : "");
    ns_gnuplot_number(out, " font ',", size * g->terminal->font);
    ns_bytes_print(out, "' tc");
    ns_gnuplot_color(out, g, color);
    ns_bytes_print(out, " %s front\n", enhanced ? "enhanced" : "noenhanced");
}

static void no_clip(ns_canvas *canvas, ns_box where) {
    (void)canvas, (void)where; /* what is clipped are items, and gnuplot clips those */
}

static void no_unclip(ns_canvas *canvas) {
    (void)canvas;
}

static void move_bytes(ns_bytes *to, ns_bytes *from) {
    if (from->size) ns_bytes_add(to, from->data, from->size);
    to->failed |= from->failed;
    from->size = 0;
}

static void end_page(ns_gnuplot *g) {
    ns_bytes_print(&g->script, "set multiplot\n");
    move_bytes(&g->script, &g->texts);
    move_bytes(&g->script, &g->panels);
    ns_bytes_print(&g->script, "unset multiplot\n");
}

static void next_page(ns_canvas *canvas, double width, double height) {
    (void)width, (void)height; /* all pages have one size */
    end_page(canvas->state);
}

static int finish(ns_canvas *canvas, FILE *file, ns_error *err) {
    ns_gnuplot *g = canvas->state;
    end_page(g);
    return ns_bytes_write(&g->script, file, err);
}

static void close_page(ns_canvas *canvas) {
    ns_gnuplot *g = canvas->state;
    if (!g) return;
    free(g->script.data);
    free(g->texts.data);
    free(g->panels.data);
    free(g->setup.data);
    free(g->plot.data);
    free(g->flat.rgba);
    free(g->data.data);
    free(g);
    canvas->state = NULL;
}

const ns_canvas_kind ns_canvas_gnuplot = {.name = "gnuplot",
                                          .pages = true,
                                          .open = open_page,
                                          .next_page = next_page,
                                          .path = path,
                                          .box = box,
                                          .picture = picture,
                                          .text = text,
                                          .clip = no_clip,
                                          .unclip = no_unclip,
                                          .finish = finish,
                                          .close = close_page};
