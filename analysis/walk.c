#include "analysis/walk.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/simd.h"
#include "probe/base/stop.h"
#include "probe/base/vmath.h"

/* A thread's buffers. */
typedef struct room {
    float *x, *y;
    uint32_t *starts, *even; /* even: those of rows that are whole */
    int64_t *samples;
    int32_t *positions;
    uint8_t *kinds;
} room;

static size_t piece_rows(const ns_points *points) {
    size_t channels = (size_t)points->channels;
    return channels >= NS_WALK_POINTS ? 1 : NS_WALK_POINTS / channels;
}

static void room_free(room *r) {
    free(r->x);
    free(r->y);
    free(r->starts);
    free(r->even);
    free(r->samples);
    free(r->positions);
    free(r->kinds);
}

static int room_make(room *r, const ns_points *points, uint64_t most, ns_error *err) {
    size_t piece = piece_rows(points), rows = most < piece ? (size_t)most : piece,
           count = rows * (size_t)points->channels;
    *r = (room){0};
    r->x = ns_alloc_aligned(count, sizeof *r->x, err);
    r->y = ns_alloc_aligned(count, sizeof *r->y, err);
    r->starts = ns_calloc(rows + 1, sizeof *r->starts, err);
    r->even = ns_calloc(rows + 1, sizeof *r->even, err);
    r->samples = ns_calloc(rows, sizeof *r->samples, err);
    r->positions = ns_calloc(rows, sizeof *r->positions, err);
    r->kinds = ns_calloc(rows, sizeof *r->kinds, err);
    if (!r->x || !r->y || !r->starts || !r->even || !r->samples || !r->positions || !r->kinds) {
        room_free(r);
        return NS_EFAIL;
    }
    for (size_t i = 0; i <= rows; i++) r->even[i] = (uint32_t)(i * (size_t)points->channels);
    return NS_OK;
}

/* The row table of a piece. */
static int read_table(const ns_walk *walk, room *r, uint64_t first, size_t rows, ns_error *err) {
    const ns_points *p = walk->points;
    if (p->read_rows)
        return p->read_rows(p, first, rows, walk->rows ? r->samples : NULL,
                            walk->positions ? r->positions : NULL, r->kinds, err);
    for (size_t i = 0; i < rows && walk->rows; i++) r->samples[i] = (int64_t)(first + i);
    return NS_OK;
}

/* Takes padding rows out of the table and, where the values are our own copy, out of the values. */
static size_t drop_padding(room *r, size_t rows, size_t channels) {
    size_t kept = 0;
    for (size_t i = 0; i < rows; i++) {
        if (r->kinds[i] == NS_ROW_PADDING) continue;
        if (kept != i) {
            r->samples[kept] = r->samples[i];
            r->positions[kept] = r->positions[i];
            r->kinds[kept] = r->kinds[i];
            memcpy(r->x + kept * channels, r->x + i * channels, channels * sizeof *r->x);
            memcpy(r->y + kept * channels, r->y + i * channels, channels * sizeof *r->y);
        }
        kept++;
    }
    return kept;
}

static bool is_finite(float v) {
    return (ns_float_bits(v) & UINT32_C(0x7f800000)) != UINT32_C(0x7f800000);
}

NS_CLONES
static bool all_finite(size_t n, const float *x, const float *y) {
    uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (size_t i = 0; i < n; i++) {
        uint32_t u = ns_float_bits(x[i]) & UINT32_C(0x7fffffff),
                 v = ns_float_bits(y[i]) & UINT32_C(0x7fffffff);
        u = u > v ? u : v;
        largest = largest > u ? largest : u;
    }
    return largest < UINT32_C(0x7f800000);
}

static size_t drop_nonfinite(room *r, size_t rows, size_t channels, const float *x,
                             const float *y) {
    size_t to = 0, from = 0;
    for (size_t i = 0; i < rows; i++) {
        for (size_t end = from + channels; from < end; from++) {
            r->x[to] = x[from];
            r->y[to] = y[from];
            to += is_finite(x[from]) && is_finite(y[from]);
        }
        r->starts[i + 1] = (uint32_t)to;
    }
    return to;
}

static int visit_piece(const ns_walk *walk, room *r, int thread, uint64_t first, size_t rows,
                       ns_error *err) {
    const ns_points *p = walk->points;
    size_t channels = (size_t)p->channels;
    int status = read_table(walk, r, first, rows, err);
    if (status) return status;
    bool padded = p->read_rows && memchr(r->kinds, NS_ROW_PADDING, rows);
    const float *x = r->x, *y = r->y;
    if (p->x && !padded)
        x = p->x + (size_t)first * channels, y = p->y + (size_t)first * channels;
    else
        status = p->read(p, first, rows, r->x, r->y, err);
    if (status) return status;
    size_t kept = padded ? drop_padding(r, rows, channels) : rows, count = kept * channels;
    const uint32_t *starts = r->even;
    if (walk->finite_only && !all_finite(count, x, y)) {
        count = drop_nonfinite(r, kept, channels, x, y);
        x = r->x, y = r->y;
        starts = r->starts;
    }
    if (!kept) return NS_OK;
    ns_piece piece = {.thread = thread,
                      .first_row = first,
                      .rows = kept,
                      .points = count,
                      .channels = p->channels,
                      .x = x,
                      .y = y,
                      .starts = walk->rows ? starts : NULL,
                      .samples = walk->rows ? r->samples : NULL,
                      .positions = walk->positions ? r->positions : NULL,
                      .kinds = walk->rows ? r->kinds : NULL};
    return walk->visit(walk->user, &piece, err);
}

int ns_walk_threads(const ns_points *points) {
    uint64_t pieces = (points->rows + piece_rows(points) - 1) / piece_rows(points);
    int threads = omp_get_max_threads();
    return pieces < (uint64_t)threads ? (pieces ? (int)pieces : 1) : threads;
}

static int share(const ns_walk *walk, uint64_t first, uint64_t rows, uint64_t from, uint64_t to,
                 int thread, int threads, ns_error *err) {
    size_t step = piece_rows(walk->points);
    room r;
    int status = room_make(&r, walk->points, rows, err);
    if (status) return status;
    for (uint64_t piece = from; piece < to && !status; piece++) {
        uint64_t at = piece * step, left = rows - at;
        status = visit_piece(walk, &r, thread, first + at, left < step ? (size_t)left : step, err);
        if (!status && ns_stop_requested()) status = ns_fail(err, NS_ESTOP, "stopped by request");
        if (thread == 0 && walk->progress && piece % 64 == 63)
            ns_progress_at(walk->progress, (piece + 1) * step * (uint64_t)threads);
    }
    room_free(&r);
    return status;
}

int ns_walk_rows(const ns_walk *walk, uint64_t first, uint64_t rows, ns_error *err) {
    size_t step = piece_rows(walk->points);
    uint64_t pieces = (rows + step - 1) / step;
    int threads = ns_walk_threads(walk->points), failed = NS_OK;
    ns_error failure = {0};
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        ns_error mine = {0};
        uint64_t from = pieces * (uint64_t)t / (uint64_t)threads,
                 to = pieces * (uint64_t)(t + 1) / (uint64_t)threads;
        int status = share(walk, first, rows, from, to, t, threads, &mine);
        if (status) {
#pragma omp critical(ns_walk_failure)
            if (!failed) failed = status, failure = mine;
        }
    }
    if (failed && err) *err = failure;
    return failed;
}

int ns_walk_all(const ns_walk *walk, ns_error *err) {
    return ns_walk_rows(walk, 0, walk->points->rows, err);
}
