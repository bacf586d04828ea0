/* Values as a run's file may hold them, NaN and the largest floats among them: statistics are made of them, and take ten times as long as a fit
 * (tests/fuzz/points.c). The first byte says how many channels there are. */
#include <string.h>

#include "analysis/stats.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 96 };

static void fuzz_one(const uint8_t *data, size_t size) {
    static float x[MOST], y[MOST];
    static int64_t samples[MOST];
    if (size < 9) return;
    int channels = 1 + data[0] % 16;
    size_t rows = (size - 1) / 8 / (size_t)channels;
    if (rows * (size_t)channels > MOST) rows = MOST / (size_t)channels;
    size_t bytes = rows * (size_t)channels * 4;
    memcpy(x, data + 1, bytes);
    memcpy(y, data + 1 + bytes, bytes);
    for (size_t i = 0; i < rows; i++) samples[i] = (int64_t)(i / 3);
    ns_points points = ns_points_memory(x, y, samples, rows, channels);
    const ns_stats_options options = {.tolerance = 0.1};
    ns_stats stats;
    ns_error err = {0};
    ns_stats_make(&stats, &points, &options, &err);
    ns_stats_free(&stats);
}
NS_FUZZ("stats")
