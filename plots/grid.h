/* All points of a site as counts on a grid of pixels, and the picture that they make.
 *
 * Points that are not finite, and rows of padding, are left out and counted. The bins are those of numpy.histogram2d over the same range:
 * bin i holds edge(i) <= v < edge(i + 1) with edge(i) = low + i ((high - low) / n) in double, the last one its upper edge too.
 * Memory: a grid and a chunk of points a thread, whatever the number of points. Counts are integers, so that the result does not
 * depend on the threads. */
#ifndef NS_GRID_H
#define NS_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/points.h"
#include "analysis/row_choice.h"
#include "plots/canvas/canvas.h"
#include "probe/base/error.h"
#include "probe/sketch/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Points to draw: those of a site, and rows beside them. */
typedef struct ns_cloud {
    ns_points points;
    /* The extreme rows that a sampled site keeps beside its sample, [extra_rows, C], without those that are in the sample too. */
    float *extra_x, *extra_y;
    uint64_t extra_rows;
    /* Where not all rows are there but a sketch of them is: drawn from its picture, whose cells are some thousandth of the range wide. */
    bool from_sketch;
    ns_sketch sketch;
    ns_chosen *chosen; /* what the points stand on where rows were chosen */
} ns_cloud;

/* Site i (from 0) of an open store: its rows where all are there, else its sketch, else a sample of its rows. Where `rows` (or NULL) takes
 * only some, always those of its rows, since a sketch has one picture of all, and none of the extreme ones beside a sample. Free with
 * ns_cloud_free. */
int ns_cloud_open(ns_cloud *out, ns_store *store, int i, const ns_row_choice *rows, ns_error *err);
/* Its rows, all or a sample, even where there is a sketch. NS_EINPUT where it keeps none. */
int ns_cloud_open_rows(ns_cloud *out, ns_store *store, int i, const ns_row_choice *rows,
                       ns_error *err);
void ns_cloud_free(ns_cloud *cloud);

/* Gives the rows of a cloud of stored rows (not of a sketch) to `visit` in their order, x and y [rows, C], without those of padding, and
 * the extra ones last. On one thread; memory: a chunk of 65536 points. */
typedef int ns_cloud_visit(void *user, size_t rows, const float *x, const float *y, ns_error *err);
int ns_cloud_each(const ns_cloud *cloud, ns_cloud_visit *visit, void *user, ns_error *err);

typedef struct ns_extent {
    double x_low, x_high, y_low, y_high; /* of the finite points; NaN where there are none */
    uint64_t points;                     /* finite ones */
    uint64_t not_finite;                 /* points whose x or y is NaN or infinite */
    uint64_t padding;                    /* rows */
} ns_extent;
int ns_cloud_extent(const ns_cloud *cloud, ns_extent *out, ns_error *err);

/* The finite points themselves, in the order of the rows, the first `room` of them; *count of them are there. NS_EINPUT where the cloud
 * is a sketch's. */
int ns_cloud_spots(const ns_cloud *cloud, ns_spot *out, uint64_t room, uint64_t *count,
                   ns_error *err);

typedef struct ns_grid {
    int width, height;                   /* bins along x and y */
    double x_low, x_high, y_low, y_high; /* set by the caller */
    uint32_t *counts;             /* [height, width], lowest y first; a count stays at 2^32 - 1 */
    uint64_t points;              /* in the bins */
    uint64_t outside;             /* finite, beyond the range */
    uint64_t not_finite, padding; /* as in ns_extent */
} ns_grid;

/* counts is allocated and filled from the cloud. Free with ns_grid_free. */
int ns_grid_fill(ns_grid *grid, const ns_cloud *cloud, ns_error *err);
void ns_grid_free(ns_grid *grid);
/* The two above for a cloud from a sketch (plots/grid_sketch.c), which call these: a cell's points are spread evenly over it. */
void ns_cloud_sketch_extent(const ns_cloud *cloud, ns_extent *out);
int ns_grid_fill_sketch(ns_grid *grid, const ns_cloud *cloud, ns_error *err);

/* Edge i, 0 to n, of n bins over [low, high]. */
double ns_grid_edge(double low, double high, int n, int i);
/* All n + 1 of them; the caller frees them. NULL on failure. */
double *ns_grid_edges(double low, double high, int n, ns_error *err);
/* The bin of v between such edges, -1 where it lies in none. */
int ns_grid_bin(double v, const double *edges, int n);

/* The picture of a disc of `diameter` pixels around every point, each of the colour's opacity: a pixel under n discs has the opacity
 * 1 - (1 - a)^n, as if they had been drawn one over the other. From where that hides the ground (n0 discs, 95 %) the colour goes over
 * to `deep` with log n, so that the bulk of millions of points shows where they are dense; it arrives there at the largest n, but not
 * below 100 n0. The first row is the top. The caller frees out->rgba. */
int ns_grid_discs(const ns_grid *grid, double diameter, ns_color color, ns_color deep,
                  ns_picture *out, ns_error *err);

/* The same discs by their number: a pixel under n of them, of at most m, has the colour of the map (plots/figure/style.h) at
 * 1 + log10(n / m) / decades, from its low end on, and hides the ground, but for the rim of a lone disc. */
int ns_grid_density(const ns_grid *grid, double diameter, int decades, ns_picture *out,
                    ns_error *err);

/* How many such discs lie over each pixel, partly covered ones in part, into over [height, width], the first row the top; *most is the
 * largest number. */
int ns_grid_over(const ns_grid *grid, double diameter, float *over, float *most, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
