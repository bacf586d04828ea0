/* Figures by gnuplot: the description as a script with its data beside it, which a person can restyle and run again.
 *
 * For FIGURE.pdf (or .svg, .png, .eps) there stand in the same folder FIGURE.pdf.gp, the script; FIGURE.pdf.dat, the spots of curves, marks
 * and areas, a block each; and FIGURE.pdf-layer-1.png and so on, the layers of pixels: the names have the ending, so that FIGURE.png beside
 * it has files of its own. `gnuplot FIGURE.pdf.gp` in that folder makes FIGURE.pdf anew. In the script fonts are in points and widths of lines too (SVG: fonts in its pixels); panels and texts stand where
 * plots/figure/figure_layout.c puts them. */
#ifndef NS_GNUPLOT_H
#define NS_GNUPLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "plots/figure/figure.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether PATH has a gnuplot that can make such a file: version 5.2 or later, with the terminal. NS_EFAIL says what is missing. */
int ns_gnuplot_ready(const char *path, ns_error *err);

/* Pages [first, last) of a figure for one file; all borrowed. */
typedef struct ns_gnuplot_job {
    const ns_figure *figure;
    const ns_figure_places *places;
    const ns_style *style;
    const ns_document *document;
    ns_text_kit *text;
    const char *path;
    bool force; /* overwrites, the script and its data too */
    int first, last;
    FILE *data; /* as in ns_figure_draw, or NULL */
} ns_gnuplot_job;

/* Writes the script and its data and runs it. All files appear when all are complete, and none where it fails: NS_EFAIL with what
 * gnuplot said, NS_EUSAGE where the name of the file or of the font cannot stand in a script. */
int ns_gnuplot_write(const ns_gnuplot_job *job, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
