#include "plots/figure/venue.h"

#define MM_AN_INCH 25.4

/* Widths as the venues' styles set them:
 * - CVPR (cvpr.sty of the author kit, 2022 on): text of 6.875 in, two columns of 3.25 in, 0.375 in between them;
 * - ICML (icml.sty, 2021 on): text of 6.75 in, two columns of 3.25 in, 0.25 in between them;
 * - NeurIPS (neurips.sty, 2020 on): one column of 5.5 in, which is the text;
 * - Nature (guide to authors, final artwork): 89 mm and 183 mm; text of 5 to 7 points, lines of 0.25 to 1 point, no gridlines.
 * Text is two or three points below that of the page (10 points), notes four. */
const ns_venue ns_venues[] = {
    {"cvpr", 3.25 * MM_AN_INCH, 6.875 * MM_AN_INCH, 7, 8, 9, 6, 0.6, 0.45, 1.0},
    {"icml", 3.25 * MM_AN_INCH, 6.75 * MM_AN_INCH, 7, 8, 9, 6, 0.6, 0.45, 1.0},
    {"neurips", 5.5 * MM_AN_INCH, 5.5 * MM_AN_INCH, 7, 8.5, 9, 6, 0.6, 0.45, 1.0},
    {"nature", 89, 183, 6.5, 7, 7, 5.5, 0.5, 0, 0.9},
};
const int ns_venue_count = sizeof ns_venues / sizeof ns_venues[0];

void ns_venue_apply(const ns_venue *venue, ns_style *style) {
    style->tick_size = venue->tick_size;
    style->label_size = venue->label_size;
    style->title_size = venue->title_size;
    style->small_size = venue->small_size;
    style->frame.width = style->tick.width = venue->frame;
    style->grid.width = venue->grid;
    style->curve.width = venue->curve;
}
