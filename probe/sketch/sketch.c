/* Sketches: what they are made of, and how two become one. Filling them is in probe/sketch/sketch_add.c. */
#include "probe/sketch/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/sketch/sketch_internal.h"

int ns_sketch_new(ns_sketch *s, int channels, int positions, ns_error *err) {
    *s = (ns_sketch){.channels = channels, .positions = positions, .has_parts = true};
    s->bins = ns_calloc(NS_SKETCH_BINS, sizeof *s->bins, err);
    s->grid = ns_calloc(NS_SKETCH_WIDTH * NS_SKETCH_HEIGHT, sizeof *s->grid, err);
    s->channel = ns_calloc((size_t)channels, sizeof *s->channel, err);
    s->position = ns_calloc((size_t)positions, sizeof *s->position, err);
    s->row_sigma = ns_calloc(NS_SKETCH_SIDE, sizeof *s->row_sigma, err);
    s->part_bins = ns_calloc((size_t)NS_SKETCH_PARTS * NS_SKETCH_BINS, sizeof *s->part_bins, err);
    s->part_row_sigma =
        ns_calloc((size_t)NS_SKETCH_PARTS * NS_SKETCH_SIDE, sizeof *s->part_row_sigma, err);
    if (!s->bins || !s->grid || !s->channel || !s->position || !s->row_sigma || !s->part_bins ||
        !s->part_row_sigma)
        return NS_EFAIL;
    for (int i = 0; i < 6; i++) s->extent[i] = i % 2 ? -INFINITY : INFINITY;
    for (int p = 0; p < NS_SKETCH_PARTS; p++)
        memcpy(s->part_extent[p], s->extent, sizeof s->extent);
    for (int c = 0; c < channels; c++)
        s->channel[c][NS_CHANNEL_LEAST] = INFINITY, s->channel[c][NS_CHANNEL_MOST] = -INFINITY;
    for (int p = 0; p < positions; p++)
        s->position[p][NS_POSITION_LEAST] = INFINITY, s->position[p][NS_POSITION_MOST] = -INFINITY;
    for (int i = 0; i < 2; i++) s->grid_exponents[i] = NS_GRID_FINEST;
    for (int i = 0; i < NS_SKETCH_TOP; i++)
        s->top_sample[i] = s->top_position[i] = s->top_channel[i] = -1;
    return NS_OK;
}

void ns_sketch_free(ns_sketch *s) {
    free(s->bins);
    free(s->grid);
    free(s->channel);
    free(s->position);
    free(s->row_sigma);
    free(s->part_bins);
    free(s->part_row_sigma);
    *s = (ns_sketch){0};
}

int ns_sketch_bin(float x) {
    return ns_sketch_bin_inline(x);
}

int ns_sketch_sigma_bin(float sigma) {
    return ns_sketch_bin_inline(sigma) - NS_SKETCH_SIDE;
}

/* The size at which bin k of a side begins. */
static double size_of(int k) {
    if (k <= 0) return 0;
    if (k >= NS_SKETCH_SIDE) return INFINITY;
    return ldexp(1 + (double)(k % NS_SKETCH_PER_OCTAVE) / NS_SKETCH_PER_OCTAVE,
                 NS_SKETCH_LOW + k / NS_SKETCH_PER_OCTAVE);
}

double ns_sketch_bin_edge(int bin) {
    return bin < NS_SKETCH_SIDE ? -size_of(NS_SKETCH_SIDE - bin) : size_of(bin - NS_SKETCH_SIDE);
}

double ns_sketch_sigma_edge(int bin) {
    return size_of(bin);
}

/* ---- the picture ---- */

static uint32_t saturating(uint32_t a, uint32_t b) {
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* Doubles the cells along one axis in place: cell i of the new ones has cells 2 i and 2 i + 1 of the old, counted from zero. */
static void coarsen_x(uint32_t *grid) {
    enum { W = NS_SKETCH_WIDTH, HALF = W / 2, QUARTER = W / 4 };
    uint32_t line[W];
    for (int j = 0; j < NS_SKETCH_HEIGHT; j++) {
        uint32_t *row = grid + (size_t)j * W;
        memset(line, 0, sizeof line);
        for (int i = 0; i < HALF; i++)
            line[HALF - QUARTER + i] = saturating(row[2 * i], row[2 * i + 1]);
        memcpy(row, line, sizeof line);
    }
}

static void coarsen_y(uint32_t *grid) {
    enum { W = NS_SKETCH_WIDTH, H = NS_SKETCH_HEIGHT, HALF = H / 2, QUARTER = H / 4 };
    /* Upwards from the middle, then downwards: what is read has not been written over. */
    for (int k = 0; k < H; k++) {
        int j = k < HALF ? HALF + k : HALF - 1 - (k - HALF);
        uint32_t *to = grid + (size_t)j * W;
        bool inside = j >= HALF - QUARTER && j < HALF + QUARTER;
        const uint32_t *from = grid + (inside ? (size_t)(2 * j - HALF) * W : 0);
        for (int i = 0; i < W; i++) to[i] = inside ? saturating(from[i], from[W + i]) : 0;
    }
}

void ns_grid_coarsen(uint32_t *grid, int32_t exponents[2], const int32_t wanted[2]) {
    for (; exponents[0] < wanted[0]; exponents[0]++) coarsen_x(grid);
    for (; exponents[1] < wanted[1]; exponents[1]++) coarsen_y(grid);
}

int32_t ns_grid_exponent(double least, double most, int cells) {
    double size = fmax(fabs(least), fabs(most)) * (1 + 1e-7); /* the last cell is open above */
    int exponent = NS_GRID_FINEST;
    if (!(size > 0)) return exponent;
    const int half = cells / 2;
    frexp(size / half, &exponent);
    return exponent > NS_GRID_FINEST ? exponent : NS_GRID_FINEST;
}

void ns_grid_add(uint32_t *to, int32_t exponents[2], uint32_t *from, int32_t from_exponents[2]) {
    const int32_t wanted[2] = {exponents[0] > from_exponents[0] ? exponents[0] : from_exponents[0],
                               exponents[1] > from_exponents[1] ? exponents[1] : from_exponents[1]};
    ns_grid_coarsen(to, exponents, wanted);
    ns_grid_coarsen(from, from_exponents, wanted);
    for (size_t i = 0; i < NS_SKETCH_WIDTH * NS_SKETCH_HEIGHT; i++)
        to[i] = saturating(to[i], from[i]);
}

/* ---- the largest values ---- */

static bool comes_before(const ns_point *a, const ns_point *b) {
    float x = fabsf(a->x), y = fabsf(b->x);
    if (x != y) return x > y;
    if (a->sample != b->sample) return a->sample < b->sample;
    if (a->position != b->position) return a->position < b->position;
    return a->channel < b->channel;
}

static ns_point top_at(const ns_sketch *s, int i) {
    return (ns_point){s->top_x[i], s->top_y[i], s->top_sample[i], s->top_position[i],
                      s->top_channel[i]};
}

static void set_top(ns_sketch *s, int i, const ns_point *p) {
    s->top_x[i] = p->x;
    s->top_y[i] = p->y;
    s->top_sample[i] = p->sample;
    s->top_position[i] = p->position;
    s->top_channel[i] = p->channel;
}

void ns_sketch_note(ns_sketch *s, const ns_point *point) {
    int at = NS_SKETCH_TOP;
    for (; at > 0; at--) {
        ns_point above = top_at(s, at - 1);
        if (above.sample >= 0 && !comes_before(point, &above)) break;
        if (at < NS_SKETCH_TOP) set_top(s, at, &above);
    }
    if (at < NS_SKETCH_TOP) set_top(s, at, point);
}

/* ---- merging ---- */

static void merge_extent(double *to, const double *from, int pairs) {
    for (int i = 0; i < 2 * pairs; i += 2) {
        to[i] = fmin(to[i], from[i]);
        to[i + 1] = fmax(to[i + 1], from[i + 1]);
    }
}

/* A part is known of both or of none. */
static void merge_parts(ns_sketch *to, const ns_sketch *from) {
    to->has_parts = to->has_parts && from->has_parts;
    for (int k = 0; k < NS_SKETCH_KINDS; k++) to->first_kinds[k] += from->first_kinds[k];
    for (int p = 0; p < NS_SKETCH_PARTS; p++) {
        for (int k = 0; k < NS_PART_COUNTS; k++) to->part_counts[p][k] += from->part_counts[p][k];
        ns_moments_merge(&to->part_moments[p], &from->part_moments[p]);
        merge_extent(to->part_extent[p], from->part_extent[p], 3);
    }
    for (int b = 0; b < NS_SKETCH_PARTS * NS_SKETCH_BINS; b++)
        for (int k = 0; k < NS_BIN_SUMS; k++) to->part_bins[b][k] += from->part_bins[b][k];
    for (int b = 0; b < NS_SKETCH_PARTS * NS_SKETCH_SIDE; b++)
        to->part_row_sigma[b] += from->part_row_sigma[b];
}

int ns_sketch_merge(ns_sketch *to, const ns_sketch *from, ns_error *err) {
    if (to->channels != from->channels || to->positions != from->positions)
        return ns_fail(err, NS_EINPUT,
                       "sketches of different sites: expected %d channels and %d positions, found "
                       "%d and %d",
                       to->channels, to->positions, from->channels, from->positions);
    size_t cells = NS_SKETCH_WIDTH * NS_SKETCH_HEIGHT;
    uint32_t *grid = ns_calloc(cells, sizeof *grid, err);
    if (!grid) return NS_EFAIL;
    memcpy(grid, from->grid, cells * sizeof *grid);
    int32_t exponents[2] = {from->grid_exponents[0], from->grid_exponents[1]};
    ns_grid_add(to->grid, to->grid_exponents, grid, exponents);
    free(grid);
    to->counts.rows += from->counts.rows;
    to->counts.padding += from->counts.padding;
    to->counts.points += from->counts.points;
    to->counts.nonfinite += from->counts.nonfinite;
    ns_moments_merge(&to->moments, &from->moments);
    merge_extent(to->extent, from->extent, 3);
    for (int b = 0; b < NS_SKETCH_BINS; b++)
        for (int k = 0; k < NS_BIN_SUMS; k++) to->bins[b][k] += from->bins[b][k];
    for (int c = 0; c < to->channels; c++) {
        const double *f = from->channel[c];
        double *t = to->channel[c];
        t[NS_CHANNEL_N] += f[NS_CHANNEL_N];
        t[NS_CHANNEL_X] += f[NS_CHANNEL_X];
        t[NS_CHANNEL_XX] += f[NS_CHANNEL_XX];
        t[NS_CHANNEL_LARGE] += f[NS_CHANNEL_LARGE];
        merge_extent(t + NS_CHANNEL_LEAST, f + NS_CHANNEL_LEAST, 1);
    }
    for (int p = 0; p < to->positions; p++) {
        const double *f = from->position[p];
        double *t = to->position[p];
        for (int k = NS_POSITION_N; k <= NS_POSITION_XX; k++) t[k] += f[k];
        merge_extent(t + NS_POSITION_LEAST, f + NS_POSITION_LEAST, 1);
    }
    for (int b = 0; b < NS_SKETCH_SIDE; b++) to->row_sigma[b] += from->row_sigma[b];
    merge_parts(to, from);
    for (int i = 0; i < NS_SKETCH_TOP; i++) {
        ns_point point = top_at(from, i);
        if (point.sample >= 0) ns_sketch_note(to, &point);
    }
    return NS_OK;
}

int ns_sketch_of_parts(ns_sketch *out, const ns_sketch *s, unsigned parts, ns_error *err) {
    *out = (ns_sketch){.channels = s->channels, .positions = s->positions};
    out->bins = ns_calloc(NS_SKETCH_BINS, sizeof *out->bins, err);
    out->row_sigma = ns_calloc(NS_SKETCH_SIDE, sizeof *out->row_sigma, err);
    if (!out->bins || !out->row_sigma) return NS_EFAIL;
    out->counts.rows = out->counts.padding = s->counts.padding;
    for (int i = 0; i < 6; i++) out->extent[i] = i % 2 ? -INFINITY : INFINITY;
    for (int i = 0; i < NS_SKETCH_TOP; i++)
        out->top_sample[i] = out->top_position[i] = out->top_channel[i] = -1;
    for (int p = 0; p < NS_SKETCH_PARTS; p++) {
        if (!(parts >> p & 1)) continue;
        const double(*bins)[NS_BIN_SUMS] =
            (const double(*)[NS_BIN_SUMS])s->part_bins + (size_t)p * NS_SKETCH_BINS;
        const uint64_t *sigmas = s->part_row_sigma + (size_t)p * NS_SKETCH_SIDE;
        out->counts.rows += s->part_counts[p][NS_PART_ROWS];
        out->counts.points += s->part_counts[p][NS_PART_POINTS];
        out->counts.nonfinite += s->part_counts[p][NS_PART_NONFINITE];
        ns_moments_merge(&out->moments, &s->part_moments[p]);
        merge_extent(out->extent, s->part_extent[p], 3);
        for (int b = 0; b < NS_SKETCH_BINS; b++)
            for (int k = 0; k < NS_BIN_SUMS; k++) out->bins[b][k] += bins[b][k];
        for (int b = 0; b < NS_SKETCH_SIDE; b++) out->row_sigma[b] += sigmas[b];
    }
    return NS_OK;
}

int ns_sketch_blocks(ns_sketch *s, ns_store_block out[NS_SKETCH_BLOCKS]) {
    const ns_store_block all[NS_SKETCH_BLOCKS] = {
        {"sketch/counts", NULL, NS_BLOCK_U64, 1, {4}, &s->counts},
        {"sketch/moments", NULL, NS_BLOCK_F64, 1, {5}, &s->moments},
        {"sketch/extent", NULL, NS_BLOCK_F64, 2, {3, 2}, s->extent},
        {"sketch/bins", NULL, NS_BLOCK_F64, 2, {NS_SKETCH_BINS, NS_BIN_SUMS}, s->bins},
        {"sketch/grid", NULL, NS_BLOCK_U32, 2, {NS_SKETCH_HEIGHT, NS_SKETCH_WIDTH}, s->grid},
        {"sketch/grid_exponents", NULL, NS_BLOCK_I32, 1, {2}, s->grid_exponents},
        {"sketch/channels",
         NULL,
         NS_BLOCK_F64,
         2,
         {(uint64_t)s->channels, NS_CHANNEL_SUMS},
         s->channel},
        {"sketch/positions",
         NULL,
         NS_BLOCK_F64,
         2,
         {(uint64_t)s->positions, NS_POSITION_SUMS},
         s->position},
        {"sketch/row_sigma", NULL, NS_BLOCK_U64, 1, {NS_SKETCH_SIDE}, s->row_sigma},
        {"sketch/top_input", "x", NS_BLOCK_F32, 1, {NS_SKETCH_TOP}, s->top_x},
        {"sketch/top_output", "1", NS_BLOCK_F32, 1, {NS_SKETCH_TOP}, s->top_y},
        {"sketch/top_sample", NULL, NS_BLOCK_I64, 1, {NS_SKETCH_TOP}, s->top_sample},
        {"sketch/top_position", NULL, NS_BLOCK_I32, 1, {NS_SKETCH_TOP}, s->top_position},
        {"sketch/top_channel", NULL, NS_BLOCK_I32, 1, {NS_SKETCH_TOP}, s->top_channel},
        {"sketch/part_counts",
         NULL,
         NS_BLOCK_U64,
         2,
         {NS_SKETCH_PARTS, NS_PART_COUNTS},
         s->part_counts},
        {"sketch/first_kinds", NULL, NS_BLOCK_U64, 1, {NS_SKETCH_KINDS}, s->first_kinds},
        {"sketch/part_moments", NULL, NS_BLOCK_F64, 2, {NS_SKETCH_PARTS, 5}, s->part_moments},
        {"sketch/part_extent", NULL, NS_BLOCK_F64, 2, {NS_SKETCH_PARTS, 6}, s->part_extent},
        {"sketch/part_bins",
         NULL,
         NS_BLOCK_F64,
         2,
         {NS_SKETCH_PARTS * NS_SKETCH_BINS, NS_BIN_SUMS},
         s->part_bins},
        {"sketch/part_row_sigma",
         NULL,
         NS_BLOCK_U64,
         2,
         {NS_SKETCH_PARTS, NS_SKETCH_SIDE},
         s->part_row_sigma},
    };
    memcpy(out, all, sizeof all);
    return s->has_parts ? NS_SKETCH_BLOCKS : NS_SKETCH_WHOLE_BLOCKS;
}
