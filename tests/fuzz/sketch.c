/* A sketch as a run's file may hold it. The bytes say how many points stand in a few bins, and what the other arrays hold; where the
 * reader finds nothing wrong with it, statistics, a fit and a picture are made of it. */
#include <math.h>

#include "analysis/fit.h"
#include "analysis/stats.h"
#include "plots/grid.h"
#include "probe/sketch/sketch_internal.h"
#include "tests/fuzz/fuzz.h"

enum { CHANNELS = 5, POSITIONS = 3 };

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static unsigned next(reader *r) {
    return r->at < r->end ? *r->at++ : 0;
}

/* Mostly `usual`. */
static double odd(reader *r, double usual) {
    static const double values[] = {0,    -1,    1,     0.5,      100,       -3e38,
                                    3e38, 1e-40, 1e300, INFINITY, -INFINITY, NAN};
    unsigned b = next(r);
    return b < 200 ? usual : values[b % (sizeof values / sizeof *values)];
}

/* n points in one bin, about y = x / 2. */
static void put_points(ns_sketch *s, reader *r) {
    int bin = (int)((next(r) << 8 | next(r)) % NS_SKETCH_BINS);
    double n = next(r), x = ns_sketch_bin_edge(bin);
    if (!isfinite(x)) x = ldexp(x > 0 ? 1 : -1, 24);
    const double sums[NS_BIN_SUMS] = {n, n * x, n * x / 2, n * x * x, n * x * x / 2, n * x * x / 4};
    for (int k = 0; k < NS_BIN_SUMS; k++) s->bins[bin][k] += odd(r, sums[k]);
    s->counts.points += (uint64_t)n;
    s->moments.n += n;
    s->row_sigma[next(r) * 6] += (uint64_t)n;
    const double extent[6] = {fmin(s->extent[0], x),
                              fmax(s->extent[1], x),
                              fmin(s->extent[2], x / 2),
                              fmax(s->extent[3], x / 2),
                              0,
                              1};
    for (int i = 0; i < 6; i++) s->extent[i] = odd(r, extent[i]);
}

static void put_rest(ns_sketch *s, reader *r) {
    const int cells[2] = {NS_SKETCH_WIDTH, NS_SKETCH_HEIGHT};
    for (int i = 0; i < 2; i++) {
        int usual = ns_grid_exponent(s->extent[2 * i], s->extent[2 * i + 1], cells[i]);
        unsigned b = next(r);
        s->grid_exponents[i] = b < 200 ? usual : (int)b * 2 - 280;
    }
    for (int i = 0; i < 8; i++)
        s->grid[(next(r) << 8 | next(r)) * 8u + next(r) % 8] = next(r) < 250 ? 3 : UINT32_MAX;
    for (int c = 0; c < CHANNELS; c++)
        for (int k = 0; k < NS_CHANNEL_SUMS; k++) s->channel[c][k] = odd(r, 4);
    for (int p = 0; p < POSITIONS; p++)
        for (int k = 0; k < NS_POSITION_SUMS; k++) s->position[p][k] = odd(r, 4);
    for (int i = 0; i < 4; i++) {
        s->top_x[i] = (float)fmax(fmin(odd(r, 7), 3e38), -3e38);
        s->top_sample[i] = (int8_t)next(r);
        s->top_channel[i] = (int8_t)next(r);
    }
    s->counts.rows = next(r);
    s->counts.padding = next(r) / 16;
    double *moments[] = {&s->moments.mean, &s->moments.m2, &s->moments.m3, &s->moments.m4};
    for (int i = 0; i < 4; i++) *moments[i] = odd(r, 1);
}

static void use(ns_sketch *s, uint8_t which) {
    ns_error err = {0};
    ns_stats stats;
    ns_stats_sketch(&stats, s, &(ns_stats_options){.tolerance = 0.1}, &err);
    ns_stats_free(&stats);
    const ns_fit_options options = {.curves = &ns_curves[which % ns_curve_count],
                                    .curve_count = 1,
                                    .shift = which & 64,
                                    .offset = which & 128};
    ns_fit fit;
    ns_fit_sketch(s, &options, &fit, &err);
    const ns_cloud cloud = {.from_sketch = true, .sketch = *s};
    ns_extent extent;
    ns_cloud_sketch_extent(&cloud, &extent);
    if (!extent.points) return;
    ns_grid grid = {.width = 300,
                    .height = 200,
                    .x_low = extent.x_low - 1,
                    .x_high = extent.x_high + 1,
                    .y_low = extent.y_low - 1,
                    .y_high = extent.y_high + 1};
    ns_grid_fill_sketch(&grid, &cloud, &err);
    ns_grid_free(&grid);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    reader r = {data, data + size};
    ns_error err = {0};
    ns_sketch sketch;
    uint8_t which = (uint8_t)next(&r);
    if (ns_sketch_new(&sketch, CHANNELS, POSITIONS, &err) == NS_OK) {
        for (unsigned n = 1 + next(&r) % 8; n--;) put_points(&sketch, &r);
        put_rest(&sketch, &r);
        if (!ns_sketch_wrong(&sketch)) use(&sketch, which);
    }
    ns_sketch_free(&sketch);
}
NS_FUZZ("sketch")
NS_FUZZ_MUTATOR(ns_fuzz_script)
