/* Sizes that journals and conferences ask of figures. One venue, one row of the table in plots/figure/venue.c. */
#ifndef NS_VENUE_H
#define NS_VENUE_H

#include "plots/figure/style.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_venue {
    const char *name;
    double column, text; /* width of a column and of the whole text, mm */
    double tick_size, label_size, title_size, small_size; /* of text, points */
    double frame, grid, curve; /* widths of lines, points; grid 0: no lines behind the data */
} ns_venue;

extern const ns_venue ns_venues[];
extern const int ns_venue_count;
#define NS_VENUE_WORDS "cvpr|icml|neurips|nature"

typedef enum ns_span { NS_SPAN_COLUMN, NS_SPAN_TEXT } ns_span;
#define NS_SPAN_WORDS "column|text"

/* Puts the venue's sizes into the style; its font and colours stay. */
void ns_venue_apply(const ns_venue *venue, ns_style *style);

#ifdef __cplusplus
}
#endif
#endif
