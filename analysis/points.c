#include "analysis/points.h"

#include <string.h>

static int memory_read(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                       ns_error *err) {
    (void)err;
    size_t at = (size_t)first * (size_t)points->channels;
    size_t count = (size_t)rows * (size_t)points->channels;
    if (x) memcpy(x, points->x + at, count * sizeof *x);
    if (y) memcpy(y, points->y + at, count * sizeof *y);
    return NS_OK;
}

static int memory_rows(const ns_points *points, uint64_t first, uint64_t rows, int64_t *samples,
                       int32_t *positions, uint8_t *kinds, ns_error *err) {
    (void)err;
    const int64_t *ids = points->user;
    if (samples) memcpy(samples, ids + first, (size_t)rows * sizeof *samples);
    if (positions) memset(positions, 0, (size_t)rows * sizeof *positions);
    if (kinds) memset(kinds, NS_ROW_PATCH, (size_t)rows);
    return NS_OK;
}

ns_points ns_points_memory(const float *x, const float *y, const int64_t *samples, uint64_t rows,
                           int channels) {
    return (ns_points){.rows = rows,
                       .channels = channels,
                       .x = x,
                       .y = y,
                       .read = memory_read,
                       .read_rows = samples ? memory_rows : NULL,
                       .user = (void *)(uintptr_t)samples};
}
