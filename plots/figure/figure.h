/* A figure, described apart from what it is drawn on: panels in rows and columns, in each axes, and on them items in the units of the data.
 * plots/figure/figure_layout.c gives everything its place, by the measure of its text; plots/figure/figure_draw.c draws it on a canvas.
 *
 * The figure owns everything that it points to: whatever a builder needs is made by ns_figure_alloc, and freed with it. */
#ifndef NS_FIGURE_H
#define NS_FIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/base/api.h"
#include "plots/figure/axis.h"
#include "plots/canvas/canvas.h"
#include "plots/figure/style.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_item_kind {
    NS_ITEM_CURVE, /* spots joined; a NaN in a spot leaves a gap */
    NS_ITEM_MARKS, /* a mark at every spot */
    NS_ITEM_AREA,  /* a closed shape */
    NS_ITEM_LAYER  /* pixels, painted when their number is known */
} ns_item_kind;

typedef enum ns_mark {
    NS_MARK_DISC,
    NS_MARK_SQUARE,
    NS_MARK_TRIANGLE,
    NS_MARK_DIAMOND,
    NS_MARK_CROSS,
    NS_MARK_PLUS,
    NS_MARK_DOWN, /* a triangle */
    NS_MARK_PENTAGON,
    NS_MARK_COUNT
} ns_mark;

typedef struct ns_panel ns_panel;

/* Pixels over the whole panel: [height, width] with the panel's ranges. `data` (or NULL) receives what was drawn, one line each:
 * begin it with ns_figure_data_line. */
typedef struct ns_layer {
    int (*paint)(void *user, const ns_panel *panel, int width, int height, const ns_style *style,
                 double dpi, ns_picture *out, FILE *data, ns_error *err);
    void *user;
} ns_layer;

typedef struct ns_item {
    ns_item_kind kind;
    const char *name; /* in the legend and in the data; NULL: not in the legend */
    bool unlisted;    /* in the data alone */
    const ns_spot *spots;
    size_t count;
    const ns_color *colors; /* [count] of marks, or NULL: fill */
    const double
        *values; /* [count] in the data alone, such as what the colours stand for; or NULL */
    ns_stroke stroke;
    ns_color fill;
    ns_mark mark;
    double size; /* of a mark, points */
    ns_layer layer;
} ns_item;

/* Text in a corner of a panel. */
typedef enum ns_corner { NS_UPPER_LEFT, NS_UPPER_RIGHT, NS_LOWER_RIGHT, NS_LOWER_LEFT } ns_corner;

/* Text within a panel, its middle at a place of the data. */
typedef struct ns_words {
    ns_spot at;
    const char *label;
    ns_color color;
} ns_words;

enum { NS_MOST_NOTES = 6 };

struct ns_panel {
    int row, column;
    ns_axis x, y;
    const char *title;    /* in a framed box in the upper left corner where that is free, or NULL */
    const char *subtitle; /* smaller, below it, or NULL; shortened where the panel is too narrow */
    const ns_item *items; /* drawn in this order */
    int item_count;
    const ns_words *words; /* [word_count]; drawn where every one fits into word_room, else none */
    int word_count;
    ns_spot word_room; /* width and height in units of the axes, none of them logarithmic */
    ns_corner legend;  /* where that corner is free; else in the one where it covers least */
    const char *notes[NS_MOST_NOTES]; /* below the legend, broken into lines; NULL ends them */
    int lasting; /* so many of the last notes stay where a panel has no room for the others */
    bool
        aside; /* legend and notes stand right of the panel (and its bar), where they cover nothing; where that would leave panels too
                 * narrow, below all of them */
    bool no_grid;
    /* A scale of colours right of the panel, from low to high; NULL: none. */
    const ns_axis *bar;
    const ns_color *bar_colors; /* [bar_count] */
    int bar_count;
};

typedef struct ns_figure {
    const char *title;   /* above all panels, or NULL */
    const char *x_label; /* below all, or NULL */
    const char *caption; /* at the bottom, small, broken into lines, or NULL */
    ns_panel *panels;
    int panel_count, rows, columns;
    const char *summary; /* one line for people about what was drawn, or NULL */
    const char *warning; /* one line for people about what they may not have meant, or NULL */
    double aspect;       /* height of a panel over its width */
    double least_height; /* of a panel, points; 0: any */
    struct ns_figure_block *blocks;
} ns_figure;

NS_API void ns_figure_free(ns_figure *figure);

/* Memory that lives as long as the figure, zeroed; NULL on failure. */
NS_API void *ns_figure_alloc(ns_figure *figure, size_t count, size_t size, ns_error *err);
/* A formatted label, not cleaned. */
NS_API char *ns_figure_text(ns_figure *figure, ns_error *err, const char *format, ...)
    NS_PRINTF(3, 4);
/* A name from outside as a label. */
NS_API char *ns_figure_label(ns_figure *figure, const char *name, ns_error *err);
/* Calls release(object) when the figure is freed. */
NS_API int ns_figure_keep(ns_figure *figure, void *object, void (*release)(void *object),
                          ns_error *err);

/* Sizes of a page; 0: chosen. */
typedef struct ns_figure_size {
    double width, height; /* mm */
    double dpi;
} ns_figure_size;

/* How the labels below a panel stand: beside each other, in several lines ('\n' between them), or turned, read upwards. */
typedef enum ns_names_form { NS_NAMES_LEVEL, NS_NAMES_BROKEN, NS_NAMES_TURNED } ns_names_form;

typedef struct ns_panel_place {
    ns_box box; /* points; on whole pixels */
    ns_tick x[NS_MOST_TICKS], y[NS_MOST_TICKS];
    int x_count, y_count;
    ns_names_form x_form;
    double x_size, x_depth; /* of the labels below: size of text, height of all, points */
    double aside;           /* left edge of a legend that stands beside the panel */
} ns_panel_place;

enum { NS_CAPTION_LINES = 8 };

/* Where everything stands. */
typedef struct ns_figure_places {
    double width, height; /* of a page, points */
    int pages, rows_a_page;
    ns_panel_place *panels; /* [figure->panel_count] */
    double title_y, x_label_y;
    double x_depth; /* the largest of the panels' */
    bool below;     /* legends aside stand below all panels, below_lines of them */
    int below_lines;
    double below_y;                  /* baseline of the first */
    char *caption[NS_CAPTION_LINES]; /* owned */
    int caption_lines;
    double caption_y, caption_pitch; /* baseline of its first line, and between lines */
    double label_x[64];              /* baseline of the y axis's label, by column */
} ns_figure_places;

/* NS_EUSAGE where the size leaves no room for the panels. Free with ns_figure_places_free. */
NS_API int ns_figure_arrange(ns_figure_places *out, const ns_figure *figure, const ns_style *style,
                             ns_text_kit *text, const ns_figure_size *size, ns_error *err);
NS_API void ns_figure_places_free(ns_figure_places *layout);

/* Draws page `page`, from 0, on the canvas's open page. `data` may be NULL. */
NS_API int ns_figure_draw(const ns_figure *figure, const ns_figure_places *layout, int page,
                          const ns_style *style, ns_canvas *canvas, FILE *data, ns_error *err);

/* The head of a file of data, and a line of it: panel (from 1), what ("bin", "curve", "mark"), name, x, y, the other end of a bin (NaN:
 * none) and a value (NaN: none). */
NS_API void ns_figure_data_head(FILE *data);
NS_API void ns_figure_data_line(FILE *data, int panel, const char *what, const char *name,
                                const double values[5]);

#ifdef __cplusplus
}
#endif
#endif
