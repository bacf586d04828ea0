/* Where statistics, fits and figures get their points from: rows of (x, y), in memory or streamed from a file.
 *
 * Memory: none of its own beyond a row table; the reader's chunks are the caller's. */
#ifndef NS_POINTS_H
#define NS_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/random.h"
#include "probe/store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_points ns_points;
struct ns_points {
    uint64_t rows;
    int channels; /* C; the points are rows * C */
    /* [rows, C] each, where the points are in memory or mapped; NULL: use read. */
    const float *x, *y;
    /* Rows [first, first + rows) into x, y [rows, C], either of which may be NULL. Several threads may call it. */
    int (*read)(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                ns_error *err);
    /* Sample, position and ns_row_kind of those rows; each array may be NULL. A NULL function: every row is a sample
     * of its own, at position 0, of kind patch. */
    int (*read_rows)(const ns_points *points, uint64_t first, uint64_t rows, int64_t *samples,
                     int32_t *positions, uint8_t *kinds, ns_error *err);
    void *user; /* for the two functions */
    uint64_t user_index;
};

/* Points in memory, borrowed. samples [rows] (which rows belong together) may be NULL. */
NS_API ns_points ns_points_memory(const float *x, const float *y, const int64_t *samples,
                                  uint64_t rows, int channels);

/* The points of site i (from 0) of an open store. Never maps: memory stays that of the caller's chunks. NS_EINPUT where
 * the file holds a sketch of the site alone. */
NS_API int ns_points_store(ns_points *out, ns_store *store, int i, ns_error *err);

/* Whether a sample belongs to the tenth that is held out: by its id and the seed alone. */
static inline bool ns_held_out(uint64_t seed, int64_t sample) {
    return ns_mix64(seed ^ ns_mix64((uint64_t)sample + 1)) % 10 == 0;
}

#ifdef __cplusplus
}
#endif
#endif
