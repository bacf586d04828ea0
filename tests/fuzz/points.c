/* Values as a run's file may hold them, NaN and the largest floats among them: fits end, and without a number that is none.
 * The first three bytes say how many channels there are and which fit of which curve is asked for. */
#include <string.h>

#include "analysis/fit.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 96 }; /* in all: some hundred runs a second find more than long ones */

static void fit(const ns_points *points, uint8_t how, uint8_t which) {
    const ns_fit_options options = {.curves = &ns_curves[which % ns_curve_count],
                                    .curve_count = 1,
                                    .scale_fixed = how & 1,
                                    .scale = 1,
                                    .shift = how & 2,
                                    .offset = how & 4,
                                    .weighting = (ns_weighting)(how / 8 % 3),
                                    .held_out = how & 32};
    ns_fit fitted;
    ns_error err = {0};
    ns_fit_points(points, &options, &fitted, &err);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    static float x[MOST], y[MOST];
    static int64_t samples[MOST];
    if (size < 11) return;
    int channels = 1 + data[0] % 16;
    size_t rows = (size - 3) / 8 / (size_t)channels;
    if (rows * (size_t)channels > MOST) rows = MOST / (size_t)channels;
    size_t bytes = rows * (size_t)channels * 4;
    memcpy(x, data + 3, bytes);
    memcpy(y, data + 3 + bytes, bytes);
    for (size_t i = 0; i < rows; i++) samples[i] = (int64_t)(i / 3);
    ns_points points = ns_points_memory(x, y, samples, rows, channels);
    fit(&points, data[1], data[2]);
}
NS_FUZZ("points")
