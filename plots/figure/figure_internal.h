/* What the files that draw a figure share. */
#ifndef NS_FIGURE_INTERNAL_H
#define NS_FIGURE_INTERNAL_H

#include "plots/figure/figure.h"

#define NS_LABEL_GAP 3.5 /* points, between the labels of ticks and the y axis's own */

#define NS_NAME_GAP 1.0 /* points, between the ticks below a panel and their labels */
#define NS_LEAST_TEXT                                                                              \
    5.0 /* points: what is smaller cannot be read in print (Nature's guide to authors) */

struct ns_pen;
/* Takes panels as they are described instead of having them drawn: axes and items; texts, legends and bars are drawn on the canvas
 * between begin and end. */
typedef struct ns_panel_writer {
    int (*begin)(const struct ns_pen *d, ns_error *err);
    /* `picture` is what a layer painted, else NULL. */
    int (*item)(const struct ns_pen *d, const ns_item *item, const ns_picture *picture,
                ns_error *err);
    int (*end)(const struct ns_pen *d, ns_error *err);
} ns_panel_writer;

typedef struct ns_pen {
    const ns_figure *figure;
    const ns_figure_places *layout;
    const ns_style *style;
    ns_canvas *canvas;
    FILE *data;
    const ns_panel_writer *writer; /* NULL: everything is drawn */
    int panel;                     /* from 0 */
} ns_pen;

/* ns_figure_draw with a writer of panels, or NULL. */
int ns_figure_write(const ns_figure *figure, const ns_figure_places *layout, int page,
                    const ns_style *style, ns_canvas *canvas, const ns_panel_writer *writer,
                    FILE *data, ns_error *err);

void ns_draw_mark(ns_canvas *canvas, ns_spot at, ns_mark mark, double size, const ns_stroke *stroke,
                  const ns_color *fill);

/* How much is drawn where in a panel, on a coarse net, so that text finds a place that is free. Row 0 is the top. */
enum { NS_INK_SIDE = 128 };
typedef struct ns_ink {
    ns_box box;                            /* of the panel, points */
    float cells[NS_INK_SIDE][NS_INK_SIDE]; /* 1: all of it is covered */
} ns_ink;

void ns_ink_picture(ns_ink *ink, const ns_picture *picture);
/* Spots in points; those joined by lines where `joined`, and a NaN leaves a gap. */
void ns_ink_spots(ns_ink *ink, const ns_spot *spots, size_t count, bool joined);
/* A mark of that size around a spot. */
void ns_ink_mark(ns_ink *ink, ns_spot at, double size);
/* Covered area within the box, points^2. */
double ns_ink_within(const ns_ink *ink, ns_box box);

/* plots/figure/figure_ticks.c. Ticks beside a panel (or a bar) of that height, into ticks [NS_MOST_TICKS]; returns how many. */
int ns_ticks_up(ns_text_kit *kit, const ns_style *style, const ns_axis *axis, double page_width,
                double length, ns_tick *ticks);
/* Ticks below a panel `length` points wide whose labels may reach from `least` to `most` about its left edge; into the x_ members of *out.
 * NS_EUSAGE where a name would be left out for want of room. */
int ns_ticks_along(ns_text_kit *kit, const ns_style *style, const ns_axis *axis, double length,
                   double least, double most, ns_panel_place *out, ns_error *err);
/* The labels below a panel. */
void ns_draw_names(const ns_pen *d, const ns_panel *p, const ns_panel_place *at);

/* The size in which a label has room, at most `size`, and no less than can be read: beyond that it is to be shortened. */
double ns_size_for(ns_text_kit *kit, const char *label, double size, double room);
/* Whether a legend has a line for it. */
bool ns_is_listed(const ns_item *item);
/* What stands before an item's name in a legend: `length` wide from x on, about the height y. */
void ns_draw_sample(const ns_pen *d, const ns_item *item, double x, double y, double length);

/* plots/figure/figure_below.c: the legends and notes of panels that have them aside, below all panels. How many lines they take over that width;
 * drawn, with their first baseline at y. */
#define NS_BELOW_PITCH 1.4 /* of the size of small text */
int ns_below_lines(ns_text_kit *kit, const ns_style *style, const ns_figure *figure, double width,
                   int *lines, ns_error *err);
int ns_below_draw(const ns_pen *d, double left, double width, double y, ns_error *err);

/* Width of the legend beside a panel, points. */
double ns_aside_width(ns_text_kit *kit, const ns_style *style, const ns_panel *p);
/* The panel's words, where all of them fit. */
void ns_draw_words(const ns_pen *d, const ns_panel *p, ns_box b);
/* The framed box with the panel's name, and the legend with its notes, each in the corner where it covers least. */
int ns_draw_labels(const ns_pen *d, const ns_panel *p, const ns_ink *ink, ns_error *err);

#endif
