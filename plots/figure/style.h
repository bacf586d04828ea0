/* What figures look like. One style, one row of the table in plots/figure/style.c. Lengths are points. */
#ifndef NS_STYLE_H
#define NS_STYLE_H

#include "probe/base/api.h"
#include "plots/canvas/canvas.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NS_STYLE_COLORS = 8 };

typedef struct ns_style {
    const char *name, *summary;
    const char *font;
    double tick_size, label_size, title_size, small_size; /* of text */
    ns_color text, faint;
    ns_stroke frame, tick, grid, box;
    ns_color box_fill;
    double tick_length;
    ns_color point;                   /* of a disc, with its opacity */
    ns_color deep;                    /* where most discs lie over each other */
    double diameter;                  /* of a disc */
    ns_stroke curve;                  /* over points */
    ns_color colors[NS_STYLE_COLORS]; /* of series, in order */
} ns_style;

NS_API extern const ns_style *const ns_styles[];
NS_API extern const int ns_style_count;
#define NS_STYLE_WORDS "default|paper"

/* A color map that is even in lightness (cividis: Nunez, Anderton, Renslow 2018, readable with every common colour blindness, and in grey)
 * at t from 0 to 1. */
NS_API ns_color ns_color_map(double t);

#ifdef __cplusplus
}
#endif
#endif
