/* One walk over points: pieces of whole rows that fit into a core's cache, each thread its own contiguous share of them.
 *
 * The share depends on the number of threads alone, so that what a thread sums up, added in the order of the threads, is the
 * same in every run. Padding rows are left out and counted; so are points that are not finite, where that is asked for.
 *
 * Memory: NS_WALK_POINTS points (or one row, where that is longer) and its row table, for each thread. */
#ifndef NS_WALK_H
#define NS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/points.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 128 KiB each of x and y. */
#define NS_WALK_POINTS 32768

typedef struct ns_piece {
    int thread;
    uint64_t first_row; /* of the points, before padding was left out */
    size_t rows, points;
    int channels;
    const float *x, *y; /* [points] */
    /* Where the walk asked for rows, else NULL. [rows + 1]: row r has the points starts[r] to starts[r + 1]; channels of them,
     * unless some were not finite. */
    const uint32_t *starts;
    const int64_t *samples;   /* [rows], with them */
    const int32_t *positions; /* [rows], where the walk asked for positions */
    const uint8_t *kinds;     /* [rows], with rows */
} ns_piece;

typedef struct ns_walk {
    const ns_points *points;
    bool finite_only;      /* leave out points of which x or y is not finite */
    bool rows;             /* tell which points and which sample a row has */
    bool positions;        /* and its position */
    ns_progress *progress; /* or NULL; moved by the rows of thread 0, times the threads */
    /* Called for each piece that is not empty; several threads at once, each in the order of the rows. */
    int (*visit)(void *user, const ns_piece *piece, ns_error *err);
    void *user;
} ns_walk;

/* How many threads a walk uses: what OpenMP has, at most one a piece. */
int ns_walk_threads(const ns_points *points);

/* The end of the run of rows that belong to one sample and begins at `row`. */
static inline size_t ns_piece_run(const ns_piece *piece, size_t row) {
    size_t end = row + 1;
    while (end < piece->rows && piece->samples[end] == piece->samples[row]) end++;
    return end;
}

/* Walks over rows [first, first + rows). Returns what the first failing visit returned; NS_ESTOP after a request to stop. */
int ns_walk_rows(const ns_walk *walk, uint64_t first, uint64_t rows, ns_error *err);

/* Over all rows. */
int ns_walk_all(const ns_walk *walk, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
