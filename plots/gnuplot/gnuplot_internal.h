/* What the files share that write a figure for gnuplot. */
#ifndef NS_GNUPLOT_INTERNAL_H
#define NS_GNUPLOT_INTERNAL_H

#include "plots/figure/figure_internal.h"

/* How gnuplot measures on one of its terminals: found by drawing known shapes and reading what it wrote. */
typedef struct ns_gnuplot_terminal {
    const char *ending; /* of the file: "pdf" */
    const char *name;   /* "pdfcairo" */
    double unit;        /* points; 0: a pixel of the document's resolution */
    double shift;       /* screen 0 and 1 lie so many units within the page */
    double font;        /* a font size in the script that makes a point */
    double drop;        /* from where a label is put down to its baseline, of its size */
    double line_height, letter_width; /* of the terminal's font, of its size; 0: the font's own */
    double tick;                      /* length of a tick of scale 1, of line_height */
    double dash,
        dash_from; /* units of a dash: dash * the line's width, taken as at least dash_from units */
    double mark;   /* point size of a mark one unit wide; 0: as wide as two ticks (SVG) */
    bool opaque;   /* knows no opacity */
} ns_gnuplot_terminal;

/* A script that grows: the state of ns_canvas_gnuplot. */
typedef struct ns_gnuplot {
    const ns_gnuplot_terminal *terminal;
    double unit;               /* points */
    int width, height;         /* of a page, units */
    const char *folder, *name; /* where files go, and what their names begin with; borrowed */
    ns_bytes script;           /* finished pages */
    ns_bytes texts;            /* of the open page, beside the panels */
    ns_bytes panels;           /* finished ones of the open page */
    ns_bytes setup, plot;      /* of the open panel: settings; parts of the plot command */
    ns_picture flat;           /* all its layers, where the terminal is opaque */
    ns_bytes data;
    int blocks, layers; /* in the data; files */
    bool in_panel;
} ns_gnuplot;

/* The terminal for a canvas kind's name; NULL: none. */
const ns_gnuplot_terminal *ns_gnuplot_terminal_for(const char *ending);

/* Text and boxes become labels and objects; panels are written by ns_gnuplot_panels. */
extern const ns_canvas_kind ns_canvas_gnuplot;
extern const ns_panel_writer ns_gnuplot_panels;

/* Places on the page (points, y downwards) as screen coordinates; lengths. */
double ns_gnuplot_x(const ns_gnuplot *g, double x);
double ns_gnuplot_y(const ns_gnuplot *g, double y);
double ns_gnuplot_dx(const ns_gnuplot *g, double length);
double ns_gnuplot_dy(const ns_gnuplot *g, double length);

/* A number with at most six digits, whatever the locale. */
void ns_gnuplot_number(ns_bytes *out, const char *before, double value);
/* All digits that it takes to read back the same double. */
void ns_gnuplot_value(ns_bytes *out, const char *before, double value);
/* A string in quotes, as it stands. */
void ns_gnuplot_quote(ns_bytes *out, const char *text);
/* A label that is set in `size` points, in quotes; `percent`: where gnuplot would take a % for a format. True where it is enhanced text. */
bool ns_gnuplot_label(ns_bytes *out, const char *label, double size, bool percent);
bool ns_gnuplot_has_markup(const char *label);
/* " rgb '#rrggbb'", with opacity where the terminal knows it. */
void ns_gnuplot_color(ns_bytes *out, const ns_gnuplot *g, ns_color color);
uint32_t ns_gnuplot_rgb(const ns_gnuplot *g, ns_color color);
/* " lw 1 lc rgb '#...' dt (2,1)". */
void ns_gnuplot_stroke(ns_bytes *out, const ns_gnuplot *g, const ns_stroke *stroke);
/* A line of a comment: nothing in the text can end it. */
void ns_gnuplot_comment(ns_bytes *out, const char *text);

/* Lays a layer of the open panel over those in `flat`, which begins as white with the panel's gridlines; the caller frees flat->rgba. All
 * layers of a panel have one size. */
int ns_gnuplot_flatten(ns_picture *flat, const ns_pen *d, const ns_picture *layer, ns_error *err);

/* NS_EFAIL, with what is needed, where PATH has no gnuplot of version 5.2 or later with that terminal. */
int ns_gnuplot_check(const ns_gnuplot_terminal *terminal, ns_error *err);
/* gnuplot with the script, in that folder, as a person would run it. NS_EFAIL with what it said; NS_ESTOP, gnuplot ended as well. */
int ns_gnuplot_run(const char *folder, const char *script, ns_error *err);

/* Puts into a file that gnuplot wrote what the cairo backend puts into its own: program, command line, source and date (in place of the
 * time of day, so that the same input gives the same bytes), and in SVG a prefix before every id. Nothing that is seen changes. */
int ns_gnuplot_stamp(const char *path, const ns_gnuplot_terminal *terminal,
                     const ns_document *document, ns_error *err);

#endif
