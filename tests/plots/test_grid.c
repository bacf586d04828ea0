/* The grid's picture against closed forms; its bins are held against NumPy's in tests/plots/test_grid.py. */
#include "plots/grid.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "tests/runner.h"

static const ns_color blue = {0, 0.4, 0.8, 0.25}, deep = {0, 0, 0.2, 1};

static ns_grid make_grid(const float *x, const float *y, size_t n, int side) {
    ns_cloud cloud = {.points = ns_points_memory(x, y, NULL, n, 1)};
    ns_grid grid = {side, side, -1, 1, -1, 1, NULL, 0, 0, 0, 0};
    ns_error err = {0};
    if (ns_grid_fill(&grid, &cloud, &err)) fail_msg("%s", err.message);
    return grid;
}

static ns_picture discs(const ns_grid *grid, double diameter) {
    ns_picture picture;
    ns_error err = {0};
    if (ns_grid_discs(grid, diameter, blue, deep, &picture, &err)) fail_msg("%s", err.message);
    assert_int_equal(picture.width, grid->width);
    assert_int_equal(picture.height, grid->height);
    return picture;
}

/* n points in the middle of a grid of 41 pixels: its central pixel. */
static void central_pixel(size_t n, uint8_t pixel[4]) {
    float *zeros = calloc(n, sizeof *zeros);
    ns_grid grid = make_grid(zeros, zeros, n, 41);
    ns_picture p = discs(&grid, 9);
    memcpy(pixel, p.rgba + 4 * (20 * 41 + 20), 4);
    assert_int_equal(p.rgba[3], 0);
    free(p.rgba);
    ns_grid_free(&grid);
    free(zeros);
}

static void opacity_of_n_discs(void **state) {
    (void)state;
    for (size_t n = 1; n <= 10; n++) { /* the tenth still lets 5 % through */
        uint8_t pixel[4];
        central_pixel(n, pixel);
        assert_int_equal(pixel[3], lround(255 * (1 - pow(0.75, (double)n))));
        assert_int_equal(pixel[1], lround(255 * 0.4));
        assert_int_equal(pixel[2], lround(255 * 0.8));
    }
}

/* n0 = ln 0.05 / ln 0.75 = 10.41 discs hide the ground; at 100 n0 the colour has arrived, half way in log n at 10 n0. */
static void colour_deepens_with_the_logarithm(void **state) {
    (void)state;
    double n0 = log(0.05) / log(0.75);
    static const size_t counts[] = {11, 50, 104, 500, 1041, 5000};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        uint8_t pixel[4];
        double n = (double)counts[k], t = fmin(log(n / n0) / log(fmax(n, 100 * n0) / n0), 1);
        central_pixel(counts[k], pixel);
        assert_true(abs(pixel[2] - (int)lround(255 * (0.8 - 0.6 * t))) <= 1);
        assert_true(abs(pixel[1] - (int)lround(255 * (0.4 - 0.4 * t))) <= 1);
    }
}

/* A disc's coverage sums to its area, about its middle, whatever its diameter; pixels under two discs let less through. */
static void a_disc_is_round(void **state) {
    (void)state;
    const float zero = 0;
    ns_grid grid = make_grid(&zero, &zero, 1, 41);
    for (double diameter = 0.5; diameter < 30; diameter *= 1.3) {
        ns_picture p = discs(&grid, diameter);
        double area = 0, x = 0, y = 0;
        for (int i = 0; i < 41 * 41; i++) {
            double covered = log1p(-p.rgba[4 * i + 3] / 255.0) / log(0.75);
            area += covered, x += covered * (i % 41 - 20), y += covered * (i / 41 - 20);
        }
        double expected = acos(-1) * diameter * diameter / 4;
        if (fabs(area / expected - 1) > 0.02 + 0.02 / expected || fabs(x) > 1e-9 || fabs(y) > 1e-9)
            fail_msg("diameter %g: area %g, expected %g; middle %g, %g", diameter, area, expected,
                     x, y);
        free(p.rgba);
    }
    ns_grid_free(&grid);
}

/* The top row of the picture is that of the largest y, and discs at the edge are cut, not wrapped. */
static void the_picture_is_upright(void **state) {
    (void)state;
    const float x[] = {-0.99f, 0.99f, 0.99f}, y[] = {0.99f, -0.99f, -0.99f};
    ns_grid grid = make_grid(x, y, 3, 30);
    ns_picture p = discs(&grid, 4);
    const uint8_t *last = p.rgba + 4 * (30 * 30 - 1);
    assert_int_equal(p.rgba[3], lround(255 * 0.25));
    assert_int_equal(last[3], lround(255 * (1 - 0.75 * 0.75)));
    assert_int_equal(p.rgba[4 * 29 + 3], 0);
    assert_int_equal(p.rgba[4 * 29 * 30 + 3], 0);
    free(p.rgba);
    ns_grid_free(&grid);
}

static void threads_change_no_bit(void **state) {
    (void)state;
    enum { N = 300000, SIDE = 200 };
    float *x = calloc(N, sizeof *x), *y = calloc(N, sizeof *y);
    uint64_t random = 5;
    for (int i = 0; i < N; i++) {
        x[i] = (float)(ns_random_unit(&random) * ns_random_unit(&random) * 2.2 - 1.1);
        y[i] = i % 1000 ? x[i] * x[i] * x[i] : NAN;
    }
    int threads = omp_get_max_threads();
    ns_picture one = {0};
    for (int t = 1; t <= 5; t += 2) {
        omp_set_num_threads(t);
        ns_grid grid = make_grid(x, y, N, SIDE);
        ns_picture p = discs(&grid, 3);
        assert_int_equal(grid.points + grid.outside + grid.not_finite, N);
        assert_int_equal(grid.not_finite, N / 1000);
        if (one.rgba)
            assert_memory_equal(p.rgba, one.rgba, 4 * SIDE * SIDE);
        else
            one = p;
        if (p.rgba != one.rgba) free(p.rgba);
        ns_grid_free(&grid);
    }
    omp_set_num_threads(threads);
    free(one.rgba);
    free(x);
    free(y);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(opacity_of_n_discs),    cmocka_unit_test(colour_deepens_with_the_logarithm),
    cmocka_unit_test(a_disc_is_round),       cmocka_unit_test(the_picture_is_upright),
    cmocka_unit_test(threads_change_no_bit),
};
NS_TESTS("grid", tests)
