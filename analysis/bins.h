/* Bins of x of a fixed relative width, with the moments of what falls into them: what a fit searches its start on, and where the
 * percentiles of x come from. A bin is a sign, an exponent and the first six bits of the mantissa of a float, so it is 1/64 to
 * 1/128 of its x wide and needs no range to be known beforehand.
 *
 * Memory: 32768 bins of 40 bytes, 1.3 MiB, for each thread while they are filled; twice that where some samples are held out. */
#ifndef NS_BINS_H
#define NS_BINS_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/points.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"
#include "probe/sketch/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef NS_LIBFUZZER
#define NS_BIN_BITS 10 /* for some dozen points, to clear more would take most of the time */
#else
#define NS_BIN_BITS 15
#endif
#define NS_BIN_COUNT (1 << NS_BIN_BITS)

typedef struct ns_bin {
    double n, x, y, xx, xy; /* count and sums */
} ns_bin;

typedef struct ns_bins {
    ns_bin total;
    double yy;          /* sum of y^2 */
    uint64_t points;    /* finite ones */
    uint64_t nonfinite; /* points of which x or y is NaN or infinite: left out */
    uint64_t padding;   /* rows left out */
    double least, most; /* of x; NaN where there are no points */
    int used;           /* occupied bins */
    ns_bin *bins;       /* [used], by rising x; owned */
} ns_bins;

/* One walk over all points. parts: NULL, or receives the bins of the samples that ns_held_out(seed, sample) leaves and of those that it
 * chooses; padding is told in `all`. ns_bins_free of all of them afterwards, also after a failure. */
enum { NS_KEPT, NS_HELD, NS_PARTS };
int ns_bins_make(ns_bins *all, ns_bins parts[NS_PARTS], uint64_t seed, const ns_points *points,
                 ns_progress *progress, ns_error *err);
/* One walk: out[i] receives the bins of the rows in unions[i], bits of ns_row_set (analysis/row_choice.h). ns_bins_free of all of them
 * afterwards, also after a failure. Memory: 1.3 MiB a thread for each set that has rows. */
int ns_bins_of_sets(ns_bins *out, const unsigned *unions, int count, const ns_points *points,
                    ns_progress *progress, ns_error *err);
/* Those of a sketch, `step` of them (a power of two) joined into one. */
int ns_bins_of_sketch(ns_bins *out, const ns_sketch *sketch, int step, ns_error *err);
void ns_bins_free(ns_bins *bins);

/* The q-quantile of x, 0 <= q <= 1, to within a bin (1/64 of its value). NaN where there are no points. */
double ns_bins_quantile(const ns_bins *bins, double q);

/* Points that stand for the bins, or for groups of `group` neighbouring bins: two each, which have its n, sums of x, y, x^2 and
 * x y, so that a smooth curve's sum of squares over them differs from that over the points by a constant and by what is of
 * third order in the bin's width. x, y, w have room for 2 * used; returns how many there are. */
size_t ns_bins_pseudo(const ns_bins *bins, int group, float *x, float *y, double *w);

#ifdef __cplusplus
}
#endif
#endif
