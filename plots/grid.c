#include "plots/grid.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/runs.h"
#include "probe/base/mem.h"
#include "probe/base/simd.h"
#include "probe/base/stop.h"

enum { CHUNK_POINTS = 1 << 16, BLOCK = 4096 };

/* Which rows those are: sample, position and head. */
typedef struct places {
    int64_t *samples;
    int32_t *positions, *heads;
} places;

static int places_new(places *p, uint64_t n, ns_error *err) {
    *p = (places){ns_calloc(n, sizeof *p->samples, err), ns_calloc(n, sizeof *p->positions, err),
                  ns_calloc(n, sizeof *p->heads, err)};
    return p->samples && p->positions && p->heads ? NS_OK : NS_EFAIL;
}

static void places_free(places *p) {
    free(p->samples);
    free(p->positions);
    free(p->heads);
}

static bool same_place(const places *a, uint64_t i, const places *b, uint64_t k) {
    return a->samples[i] == b->samples[k] && a->positions[i] == b->positions[k] &&
           a->heads[i] == b->heads[k];
}

/* Empties the slots of those of the n extreme rows that are among `rows` others, so that each is drawn once. */
static void drop_doubles(places *extreme, uint64_t n, const places *others, uint64_t rows) {
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t e = 0; e < n; e++)
            if (same_place(extreme, e, others, r)) extreme->samples[e] = -1;
}

/* Takes from the extreme rows what is empty, or is in the sample as well. */
static int keep_others(ns_cloud *cloud, const ns_store *store, int i, places *extreme, uint64_t n,
                       ns_error *err) {
    enum { ROWS = 4096 };
    places some;
    int status = places_new(&some, ROWS, err);
    const ns_points *p = &cloud->points;
    for (uint64_t first = 0; first < p->rows && !status; first += ROWS) {
        uint64_t rows = p->rows - first < ROWS ? p->rows - first : ROWS;
        status = p->read_rows(p, first, rows, some.samples, some.positions, NULL, err);
        if (!status) status = ns_store_read_heads(store, i, first, rows, some.heads, err);
        if (!status) drop_doubles(extreme, n, &some, rows);
    }
    size_t channels = (size_t)p->channels;
    for (uint64_t e = 0; e < n && !status; e++) {
        bool double_entry = extreme->samples[e] < 0;
        for (uint64_t before = 0; before < e && !double_entry; before++)
            double_entry = same_place(extreme, before, extreme, e);
        if (double_entry) continue;
        memmove(cloud->extra_x + cloud->extra_rows * channels, cloud->extra_x + e * channels,
                channels * sizeof(float));
        memmove(cloud->extra_y + cloud->extra_rows * channels, cloud->extra_y + e * channels,
                channels * sizeof(float));
        cloud->extra_rows++;
    }
    places_free(&some);
    return status;
}

static int read_extremes(ns_cloud *cloud, ns_store *store, int i, ns_error *err) {
    uint64_t n = ns_store_site_at(store, i)->extreme_rows;
    size_t count = (size_t)n * (size_t)cloud->points.channels;
    places extreme;
    int status = places_new(&extreme, n, err);
    cloud->extra_x = ns_calloc(count, sizeof *cloud->extra_x, err);
    cloud->extra_y = ns_calloc(count, sizeof *cloud->extra_y, err);
    if (!cloud->extra_x || !cloud->extra_y) status = NS_EFAIL;
    if (!status)
        status = ns_store_read_extreme(store, i, cloud->extra_x, cloud->extra_y, extreme.samples,
                                       extreme.positions, extreme.heads, err);
    if (!status) status = keep_others(cloud, store, i, &extreme, n, err);
    places_free(&extreme);
    return status;
}

int ns_cloud_open_rows(ns_cloud *out, ns_store *store, int i, const ns_row_choice *rows,
                       ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    *out = (ns_cloud){0};
    int status = ns_points_store(&out->points, store, i, err);
    if (!status) status = ns_chosen_new(&out->chosen, &out->points, rows, err);
    if (!status && site->sampled && site->extreme_rows && !out->chosen)
        status = read_extremes(out, store, i, err);
    if (status) ns_cloud_free(out);
    return status;
}

int ns_cloud_open(ns_cloud *out, ns_store *store, int i, const ns_row_choice *rows, ns_error *err) {
    bool some = rows && rows->count;
    if (some || !ns_source_is_sketch(NS_FROM_BEST, ns_store_site_at(store, i)))
        return ns_cloud_open_rows(out, store, i, rows, err);
    *out = (ns_cloud){.from_sketch = true};
    int status = ns_sketch_read(&out->sketch, store, i, err);
    if (status) ns_cloud_free(out);
    return status;
}

void ns_cloud_free(ns_cloud *cloud) {
    free(cloud->extra_x);
    free(cloud->extra_y);
    ns_sketch_free(&cloud->sketch);
    ns_chosen_free(cloud->chosen);
    *cloud = (ns_cloud){0};
}

/* What a thread gathers, and how the gathered parts become one. */
typedef struct gather {
    /* n points of rows that are no padding. */
    void (*take)(void *part, size_t n, const float *x, const float *y);
    size_t size;       /* bytes of a part */
    void **parts;      /* [threads] */
    uint64_t *padding; /* [threads], rows */
} gather;

/* Gives the rows of a chunk to `take`, those of padding excepted: stretch by stretch of other rows. */
static void take_rows(const gather *g, void *part, uint64_t *padding, uint64_t rows,
                      size_t channels, const uint8_t *kinds, const float *x, const float *y) {
    for (uint64_t begin = 0; begin < rows;) {
        uint64_t end = begin;
        while (end < rows && (!kinds || kinds[end] != NS_ROW_PADDING)) end++;
        if (end > begin)
            g->take(part, (size_t)(end - begin) * channels, x + begin * channels,
                    y + begin * channels);
        begin = end;
        while (begin < rows && kinds && kinds[begin] == NS_ROW_PADDING) begin++, ++*padding;
    }
}

/* A thread's memory for a chunk. */
typedef struct chunk {
    float *x, *y;
    uint8_t *kinds;
} chunk;

static int take_chunk(const gather *g, int thread, const ns_points *p, uint64_t first,
                      uint64_t rows, const chunk *c, ns_error *err) {
    size_t channels = (size_t)p->channels;
    const float *x = p->x ? p->x + first * channels : c->x,
                *y = p->y ? p->y + first * channels : c->y;
    int status =
        p->x && p->y ? NS_OK : p->read(p, first, rows, p->x ? NULL : c->x, p->y ? NULL : c->y, err);
    if (!status && p->read_rows) status = p->read_rows(p, first, rows, NULL, NULL, c->kinds, err);
    if (!status)
        take_rows(g, g->parts[thread], &g->padding[thread], rows, channels,
                  p->read_rows ? c->kinds : NULL, x, y);
    return status;
}

static int stream(const gather *g, const ns_cloud *cloud, int threads, ns_error *err) {
    const ns_points *p = &cloud->points;
    uint64_t rows_each = CHUNK_POINTS / (uint64_t)p->channels;
    if (!rows_each) rows_each = 1;
    int64_t chunks = (int64_t)((p->rows + rows_each - 1) / rows_each);
    int status = NS_OK;
#pragma omp parallel num_threads(threads)
    {
        ns_error own = {0};
        size_t room = (size_t)rows_each * (size_t)p->channels;
        chunk c = {p->x ? NULL : ns_alloc_aligned(room, sizeof(float), &own),
                   p->y ? NULL : ns_alloc_aligned(room, sizeof(float), &own),
                   ns_calloc(rows_each, 1, &own)};
        int bad = own.status;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < chunks; i++) {
            if (bad) continue;
            uint64_t first = (uint64_t)i * rows_each,
                     rows = p->rows - first < rows_each ? p->rows - first : rows_each;
            bad = ns_stop_requested()
                      ? ns_fail(&own, NS_ESTOP, "stopped")
                      : take_chunk(g, omp_get_thread_num(), p, first, rows, &c, &own);
        }
        if (bad) {
#pragma omp critical
            if (!status) {
                status = bad;
                if (err) *err = own;
            }
        }
        free(c.x);
        free(c.y);
        free(c.kinds);
    }
    if (!status && cloud->extra_rows)
        g->take(g->parts[0], (size_t)cloud->extra_rows * (size_t)p->channels, cloud->extra_x,
                cloud->extra_y);
    return status;
}

static void gather_free(gather *g, int threads) {
    for (int t = 0; t < threads && g->parts; t++) free(g->parts[t]);
    free(g->parts);
    free(g->padding);
}

static int gather_new(gather *g, int threads, ns_error *err) {
    g->parts = ns_calloc((size_t)threads, sizeof *g->parts, err);
    g->padding = ns_calloc((size_t)threads, sizeof *g->padding, err);
    bool good = g->parts && g->padding;
    for (int t = 0; t < threads && good; t++)
        good = (g->parts[t] = ns_calloc(1, g->size, err)) != NULL;
    return good ? NS_OK : NS_EFAIL;
}

typedef struct limits {
    float x_low, x_high, y_low, y_high;
    uint64_t points, not_finite;
} limits;

/* x - x is 0 for what is finite, else NaN: a sum of them tells whether a whole block is. */
NS_CLONES static float block_limits(size_t n, const float *x, const float *y, limits *l) {
    float bad = 0, x_low = l->x_low, x_high = l->x_high, y_low = l->y_low, y_high = l->y_high;
    NS_SIMD_EXTREMES(reduction(+ : bad) reduction(min : x_low, y_low) reduction(max : x_high, y_high))
    for (size_t i = 0; i < n; i++) {
        bad += (x[i] - x[i]) + (y[i] - y[i]);
        x_low = x[i] < x_low ? x[i] : x_low;
        x_high = x[i] > x_high ? x[i] : x_high;
        y_low = y[i] < y_low ? y[i] : y_low;
        y_high = y[i] > y_high ? y[i] : y_high;
    }
    if (bad != 0) return bad;
    l->x_low = x_low, l->x_high = x_high, l->y_low = y_low, l->y_high = y_high;
    return 0;
}

static void take_limits(void *part, size_t n, const float *x, const float *y) {
    limits *l = part;
    if (!l->points && !l->not_finite) *l = (limits){INFINITY, -INFINITY, INFINITY, -INFINITY, 0, 0};
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t count = n - first < BLOCK ? n - first : BLOCK;
        if (block_limits(count, x + first, y + first, l) == 0) {
            l->points += count;
            continue;
        }
        for (size_t i = first; i < first + count; i++) {
            if (!isfinite(x[i]) || !isfinite(y[i])) {
                l->not_finite++;
                continue;
            }
            l->points++;
            l->x_low = fminf(l->x_low, x[i]), l->x_high = fmaxf(l->x_high, x[i]);
            l->y_low = fminf(l->y_low, y[i]), l->y_high = fmaxf(l->y_high, y[i]);
        }
    }
}

int ns_cloud_extent(const ns_cloud *cloud, ns_extent *out, ns_error *err) {
    if (cloud->from_sketch) {
        ns_cloud_sketch_extent(cloud, out);
        return NS_OK;
    }
    int threads = omp_get_max_threads();
    gather g = {.take = take_limits, .size = sizeof(limits)};
    *out =
        (ns_extent){.x_low = INFINITY, .x_high = -INFINITY, .y_low = INFINITY, .y_high = -INFINITY};
    int status = gather_new(&g, threads, err);
    if (!status) status = stream(&g, cloud, threads, err);
    for (int t = 0; t < threads && !status; t++) {
        const limits *l = g.parts[t];
        out->padding += g.padding[t];
        out->not_finite += l->not_finite;
        out->points += l->points;
        if (!l->points) continue;
        out->x_low = fmin(out->x_low, (double)l->x_low),
        out->x_high = fmax(out->x_high, (double)l->x_high);
        out->y_low = fmin(out->y_low, (double)l->y_low),
        out->y_high = fmax(out->y_high, (double)l->y_high);
    }
    if (!out->points) out->x_low = out->x_high = out->y_low = out->y_high = NAN;
    gather_free(&g, threads);
    return status;
}

/* The first `room` finite points, in the order of the rows. */
typedef struct spot_list {
    ns_spot *spots;
    uint64_t count, room;
} spot_list;

static void take_spots(void *part, size_t n, const float *x, const float *y) {
    spot_list *l = part;
    for (size_t i = 0; i < n && l->count < l->room; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            l->spots[l->count++] = (ns_spot){(double)x[i], (double)y[i]};
}

int ns_cloud_spots(const ns_cloud *cloud, ns_spot *out, uint64_t room, uint64_t *count,
                   ns_error *err) {
    *count = 0;
    if (cloud->from_sketch)
        return ns_fail(err, NS_EINPUT,
                       "expected all rows, whose points can be drawn one by one, found a sketch");
    gather g = {.take = take_spots, .size = sizeof(spot_list)};
    int status = gather_new(&g, 1, err); /* one thread, so that their order is the rows' */
    spot_list *list = status ? NULL : g.parts[0];
    if (list) *list = (spot_list){out, 0, room};
    if (!status) status = stream(&g, cloud, 1, err);
    if (!status && list) *count = list->count;
    gather_free(&g, 1);
    return status;
}

/* A thread's grid, and what it needs to find bins. */
typedef struct bins {
    uint32_t *counts;
    const double *x_edges, *y_edges; /* [width + 1], [height + 1] */
    double x_low, x_scale, y_low, y_scale;
    int width, height;
    uint64_t points, outside, not_finite;
} bins;

double ns_grid_edge(double low, double high, int n, int i) {
    volatile double offset =
        i * ((high - low) / n); /* rounded as numpy's linspace rounds: never one multiply-add */
    return i == n ? high : offset + low;
}

/* (v - low) * scale of a block, as doubles: the bin and the place in it. */
NS_CLONES static void block_places(size_t n, const float *v, double low, double scale,
                                   double *place) {
    for (size_t i = 0; i < n; i++) place[i] = ((double)v[i] - low) * scale;
}

/* The bin of value v whose scaled place is p, or -1. Near an edge, where rounding decides, the edges themselves are asked. */
static inline int bin_of(double v, double p, const double *edges, int n) {
    if (!(v >= edges[0] && v <= edges[n])) return -1;
    int i = p < 0 ? 0 : (int)p;
    if (i >= n) i = n - 1;
    while (i > 0 && v < edges[i]) i--;
    while (i + 1 < n && v >= edges[i + 1]) i++;
    return i;
}

int ns_grid_bin(double v, const double *edges, int n) {
    return bin_of(v, (v - edges[0]) * (n / (edges[n] - edges[0])), edges, n);
}

static void take_bins(void *part, size_t n, const float *x, const float *y) {
    bins *b = part;
    double px[BLOCK], py[BLOCK];
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t count = n - first < BLOCK ? n - first : BLOCK;
        block_places(count, x + first, b->x_low, b->x_scale, px);
        block_places(count, y + first, b->y_low, b->y_scale, py);
        for (size_t k = 0; k < count; k++) {
            double vx = (double)x[first + k], vy = (double)y[first + k];
            int i = bin_of(vx, px[k], b->x_edges, b->width),
                j = bin_of(vy, py[k], b->y_edges, b->height);
            if (i >= 0 && j >= 0) {
                uint32_t *c = &b->counts[(size_t)j * (size_t)b->width + (size_t)i];
                *c += *c != UINT32_MAX;
                b->points++;
            } else if (isfinite(vx) && isfinite(vy)) {
                b->outside++;
            } else {
                b->not_finite++;
            }
        }
    }
}

double *ns_grid_edges(double low, double high, int n, ns_error *err) {
    double *edges = ns_calloc((size_t)n + 1, sizeof *edges, err);
    for (int i = 0; edges && i <= n; i++) edges[i] = ns_grid_edge(low, high, n, i);
    return edges;
}

/* Adds the threads' grids into the first one's, which becomes the result's. */
static void merge_bins(ns_grid *grid, gather *g, int threads) {
    size_t cells = (size_t)grid->width * (size_t)grid->height;
    bins *first = g->parts[0];
    for (int t = 0; t < threads; t++) {
        bins *b = g->parts[t];
        grid->points += b->points, grid->outside += b->outside, grid->not_finite += b->not_finite,
            grid->padding += g->padding[t];
        for (size_t c = 0; t && c < cells; c++) {
            uint32_t room = UINT32_MAX - first->counts[c];
            first->counts[c] += b->counts[c] < room ? b->counts[c] : room;
        }
    }
    grid->counts = first->counts;
    first->counts = NULL;
}

int ns_grid_fill(ns_grid *grid, const ns_cloud *cloud, ns_error *err) {
    if (cloud->from_sketch) return ns_grid_fill_sketch(grid, cloud, err);
    int threads = omp_get_max_threads(), w = grid->width, h = grid->height;
    grid->counts = NULL;
    grid->points = grid->outside = grid->not_finite = grid->padding = 0;
    gather g = {.take = take_bins, .size = sizeof(bins)};
    double *x_edges = ns_grid_edges(grid->x_low, grid->x_high, w, err),
           *y_edges = ns_grid_edges(grid->y_low, grid->y_high, h, err);
    int status = x_edges && y_edges ? gather_new(&g, threads, err) : NS_EFAIL;
    for (int t = 0; t < threads && !status; t++) {
        uint32_t *counts = ns_calloc((size_t)w * (size_t)h, sizeof *counts, err);
        *(bins *)g.parts[t] = (bins){.counts = counts,
                                     .x_edges = x_edges,
                                     .y_edges = y_edges,
                                     .x_low = grid->x_low,
                                     .x_scale = w / (grid->x_high - grid->x_low),
                                     .y_low = grid->y_low,
                                     .y_scale = h / (grid->y_high - grid->y_low),
                                     .width = w,
                                     .height = h};
        if (!counts) status = NS_EFAIL;
    }
    if (!status) status = stream(&g, cloud, threads, err);
    if (!status) merge_bins(grid, &g, threads);
    for (int t = 0; t < threads && g.parts; t++)
        if (g.parts[t]) free(((bins *)g.parts[t])->counts);
    gather_free(&g, threads);
    free(x_edges);
    free(y_edges);
    return status;
}

void ns_grid_free(ns_grid *grid) {
    free(grid->counts);
    grid->counts = NULL;
}
