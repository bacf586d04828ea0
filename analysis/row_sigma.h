/* Quantiles of sigma_row, the standard deviation of a row's x over its channels, of all rows of a site.
 *
 * Memory: 512 KiB for each thread, and as much again for each distinct class of a wanted quantile (analysis/select.h). Two walks. */
#ifndef NS_ROW_SIGMA_H
#define NS_ROW_SIGMA_H

#include <stdint.h>

#include "analysis/points.h"
#include "probe/base/error.h"
#include "probe/sketch/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Quantiles q [count <= 8] of sigma_row, rounded to float, into out [count]: type 7, as NumPy has them; NaN without rows. A row counts
 * where it is no padding and has a finite point, and its sigma is that of its finite points; *rows counts them. */
int ns_row_sigmas(const ns_points *points, const double *q, int count, double *out, uint64_t *rows,
                  ns_error *err);

/* One quantile from a sketch's bins, off by at most 1 / NS_SKETCH_PER_OCTAVE of itself; NaN without rows. */
double ns_row_sigma_sketch(const ns_sketch *sketch, double q);

#ifdef __cplusplus
}
#endif
#endif
