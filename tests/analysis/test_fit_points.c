/* How points reach a fit must not matter: cut into rows, spread over threads, read through a file, with values that are odd. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit.h"
#include "probe/base/half.h"
#include "probe/norms/norm.h"
#include "probe/store/store_write.h"
#include "tests/runner.h"

typedef struct layer {
    uint64_t rows;
    int channels;
    float *x, *y;
    int64_t *samples;
} layer;

static uint64_t next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double gauss(uint64_t *state) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += (double)(next(state) >> 11) * 0x1p-53;
    return sum;
}

/* y = 2 tanh(x / 2) with noise, and a part of it that samples have in common. */
static layer make_layer(uint64_t rows, int channels, uint64_t rows_a_sample) {
    size_t n = (size_t)rows * (size_t)channels;
    layer l = {rows, channels, malloc(n * sizeof(float) + 1), malloc(n * sizeof(float) + 1),
               malloc(rows * sizeof(int64_t) + 1)};
    assert_true(l.x && l.y && l.samples);
    uint64_t state = 5, shared = 6;
    double common = 0;
    for (size_t r = 0; r < rows; r++) {
        if (r % rows_a_sample == 0) common = 0.05 * gauss(&shared);
        l.samples[r] = (int64_t)(r / rows_a_sample);
        for (int c = 0; c < channels; c++) {
            size_t i = r * (size_t)channels + (size_t)c;
            l.x[i] = (float)(gauss(&state) * exp(gauss(&state)));
            l.y[i] = (float)((2 + common) * tanh(0.5 * l.x[i]) + 0.1 * gauss(&state));
        }
    }
    return l;
}

static void drop(layer *l) {
    free(l->x);
    free(l->y);
    free(l->samples);
}

static ns_fit fit_points(const ns_points *points, const char *name) {
    const ns_curve *curve = ns_curve_find(name, NULL);
    const ns_fit_options options = {.curves = &curve, .curve_count = 1, .held_out = true};
    ns_fit fit;
    ns_error err = {0};
    int status = ns_fit_points(points, &options, &fit, &err);
    if (status) fail_msg("%s", err.message);
    return fit;
}

static ns_fit fit_layer(const layer *l, const char *name) {
    ns_points points = ns_points_memory(l->x, l->y, l->samples, l->rows, l->channels);
    return fit_points(&points, name);
}

static bool near(double got, double expected, double relative) {
    return fabs(got - expected) <= relative * fmax(fabs(expected), DBL_MIN);
}

static void same_fit(const ns_fit *a, const ns_fit *b, double relative) {
    assert_int_equal(a->points, b->points);
    assert_int_equal(a->samples, b->samples);
    const double pairs[][2] = {{a->theta[NS_ALPHA], b->theta[NS_ALPHA]},
                               {a->theta[NS_SCALE], b->theta[NS_SCALE]},
                               {a->sse, b->sse},
                               {a->tail_rmse, b->tail_rmse},
                               {a->clustered[NS_ALPHA], b->clustered[NS_ALPHA]},
                               {a->nominal[NS_SCALE], b->nominal[NS_SCALE]},
                               {a->held_out_rmse, b->held_out_rmse}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!near(pairs[i][0], pairs[i][1], relative))
            fail_msg("figure %d: %.15g and %.15g", (int)i, pairs[i][0], pairs[i][1]);
}

/* The same points as rows of 60, 4, 1 and 240 channels: samples begin and end in pieces and threads elsewhere. */
static void cut_into_rows(void **state) {
    (void)state;
    layer l = make_layer(4000, 60, 40);
    ns_fit whole = fit_layer(&l, "tanh");
    assert_int_equal(whole.samples, 100);
    const int channels[] = {4, 1, 240};
    for (int i = 0; i < 3; i++) {
        layer other = l;
        other.channels = channels[i];
        other.rows = l.rows * 60 / (uint64_t)channels[i];
        other.samples = malloc(other.rows * sizeof(int64_t));
        assert_non_null(other.samples);
        for (uint64_t r = 0; r < other.rows; r++)
            other.samples[r] = l.samples[r * (uint64_t)channels[i] / 60];
        ns_fit fit = fit_layer(&other, "tanh");
        same_fit(&fit, &whole, 1e-9);
        free(other.samples);
    }
    drop(&l);
}

static void over_threads(void **state) {
    (void)state;
    layer l = make_layer(5000, 60, 77);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    ns_fit one = fit_layer(&l, "tanh");
    for (int t = 2; t <= 5; t++) {
        omp_set_num_threads(t);
        ns_fit more = fit_layer(&l, "tanh");
        same_fit(&more, &one, 1e-9);
    }
    omp_set_num_threads(threads);
    drop(&l);
}

/* Rows in another order are the same rows where each is a sample of its own. */
static void rows_in_any_order(void **state) {
    (void)state;
    layer l = make_layer(4000, 16, 1), turned = make_layer(4000, 16, 1);
    for (uint64_t r = 0; r < l.rows; r++) {
        uint64_t from = r * 1237 % l.rows; /* 1237 and 4000 have no common divisor */
        memcpy(turned.x + r * 16, l.x + from * 16, 16 * sizeof(float));
        memcpy(turned.y + r * 16, l.y + from * 16, 16 * sizeof(float));
        turned.samples[r] = l.samples[from];
    }
    ns_fit a = fit_layer(&l, "isru"), b = fit_layer(&turned, "isru");
    same_fit(&a, &b, 1e-9);
    drop(&l);
    drop(&turned);
}

/* A fit to all is where the gradients of the fits' halves cancel: the sums of squares add up. */
static void halves_add_up(void **state) {
    (void)state;
    layer l = make_layer(4000, 20, 20), half[2];
    ns_fit whole = fit_layer(&l, "tanh");
    double squares = 0;
    for (int h = 0; h < 2; h++) {
        half[h] =
            (layer){l.rows / 2, l.channels, l.x + h * 40000, l.y + h * 40000, l.samples + h * 2000};
        ns_fit fit = fit_layer(&half[h], "tanh");
        assert_true(fit.theta[NS_ALPHA] != whole.theta[NS_ALPHA]);
        squares += fit.sse;
    }
    assert_true(squares < whole.sse && squares > 0.99 * whole.sse);
    /* Merged again in the other order. */
    layer merged = make_layer(4000, 20, 20);
    for (int h = 0; h < 2; h++) {
        memcpy(merged.x + h * 40000, half[1 - h].x, 40000 * sizeof(float));
        memcpy(merged.y + h * 40000, half[1 - h].y, 40000 * sizeof(float));
        memcpy(merged.samples + h * 2000, half[1 - h].samples, 2000 * sizeof(int64_t));
    }
    ns_fit again = fit_layer(&merged, "tanh");
    same_fit(&again, &whole, 1e-9);
    drop(&merged);
    drop(&l);
}

/* Stretching x by any c divides alpha by it, as far as the floats allow. */
static void stretched_by_any_factor(void **state) {
    (void)state;
    layer l = make_layer(2000, 20, 20), other = make_layer(2000, 20, 20);
    ns_fit before = fit_layer(&l, "tanh");
    for (double c = 1e-12; c < 1e13; c *= 977) {
        for (int i = 0; i < 40000; i++) other.x[i] = (float)(c * l.x[i]);
        ns_fit after = fit_layer(&other, "tanh");
        assert_true(near(after.theta[NS_ALPHA] * c, before.theta[NS_ALPHA], 1e-6));
        assert_true(near(after.theta[NS_SCALE], before.theta[NS_SCALE], 1e-6));
    }
    drop(&l);
    drop(&other);
}

/* Denormal inputs and outputs are points like others; so are zeros of either sign. */
static void denormals_and_zeros(void **state) {
    (void)state;
    layer l = make_layer(2000, 20, 20);
    ns_fit before = fit_layer(&l, "tanh");
    for (int i = 0; i < 40000; i += 5) l.x[i] = i % 2 ? 0x1p-149f : -0x1p-140f, l.y[i] = 0;
    for (int i = 1; i < 40000; i += 5) l.x[i] = i % 2 ? 0.0f : -0.0f, l.y[i] = 0x1p-149f;
    ns_fit after = fit_layer(&l, "tanh");
    assert_int_equal(after.points, 40000);
    assert_int_equal(after.nonfinite, 0);
    assert_true(near(after.theta[NS_ALPHA], before.theta[NS_ALPHA], 0.05));
    /* All of x denormal: alpha is beyond reach, and that is told or right. */
    for (int i = 0; i < 40000; i++) l.x[i] *= 0x1p-130f;
    ns_fit tiny = fit_layer(&l, "tanh");
    if (!tiny.degenerate)
        assert_true(near(tiny.theta[NS_ALPHA] * 0x1p-130, after.theta[NS_ALPHA], 1e-2));
    drop(&l);
}

/* Channels that never change, a row alone, no row at all. */
static void odd_shapes(void **state) {
    (void)state;
    layer l = make_layer(3000, 20, 20);
    for (uint64_t r = 0; r < l.rows; r++) l.x[r * 20] = 0.25f, l.y[r * 20 + 3] = -1;
    ns_fit constant = fit_layer(&l, "tanh");
    assert_true(constant.converged && !constant.degenerate);
    l.rows = 1;
    ns_fit row = fit_layer(&l, "tanh");
    assert_int_equal(row.points, 20);
    assert_true(row.converged && row.samples == 1 && isnan(row.clustered[NS_ALPHA]));
    l.rows = 0;
    ns_fit none = fit_layer(&l, "tanh");
    assert_true(none.degenerate && none.points == 0);
    assert_string_equal(none.reason, "no points");
    drop(&l);
}

/* A few values that are not finite among many points, in the middle of pieces. */
static void few_nonfinite_values(void **state) {
    (void)state;
    layer l = make_layer(3000, 50, 30), clean = make_layer(3000, 50, 30);
    const int at[] = {0, 777, 33333, 65535, 65536, 149999};
    const float bad[] = {NAN, INFINITY, -INFINITY, NAN, INFINITY, -NAN};
    for (int i = 0; i < 6; i++) (i % 2 ? l.x : l.y)[at[i]] = bad[i];
    ns_fit with = fit_layer(&l, "tanh");
    assert_int_equal(with.nonfinite, 6);
    assert_int_equal(with.points, 150000 - 6);
    /* The same without those points: put where they weigh nothing, at x = 0 with y = 0 for an odd curve. */
    for (int i = 0; i < 6; i++) clean.x[at[i]] = clean.y[at[i]] = 0;
    ns_fit without = fit_layer(&clean, "tanh");
    assert_true(near(with.theta[NS_ALPHA], without.theta[NS_ALPHA], 1e-9));
    assert_true(near(with.sse, without.sse, 1e-9));
    drop(&l);
    drop(&clean);
}

enum { POSITIONS = 25, CHANNELS = 30, SAMPLES = 60 };

static void write_store(const char *path, const layer *l, ns_dtype type) {
    ns_error err = {0};
    ns_site site = {.index = 1, .name = "norm", .role = NS_ROLE_OTHER, .positions = POSITIONS};
    site.norm.kind = ns_norm_kind_find("layernorm", &err);
    site.norm.channels = CHANNELS;
    site.norm.eps = 1e-6f;
    bool wanted = true;
    int64_t ids[SAMPLES];
    int32_t positions[POSITIONS];
    uint8_t kinds[SAMPLES * POSITIONS];
    for (int i = 0; i < SAMPLES; i++) ids[i] = i;
    for (int i = 0; i < POSITIONS; i++) positions[i] = i;
    memset(kinds, NS_ROW_PATCH, sizeof kinds);
    ns_store_plan plan = {.path = path,
                          .sites = &site,
                          .site_count = 1,
                          .wanted = &wanted,
                          .samples = SAMPLES,
                          .sample_ids = ids,
                          .batch = SAMPLES,
                          .dtype = type,
                          .rows = true};
    ns_store_writer *writer = NULL;
    assert_int_equal(ns_store_create(&writer, &plan, &err), NS_OK);
    ns_observer store = ns_store_writer_observer(writer);
    ns_rows rows = {SAMPLES, POSITIONS, ids, positions, kinds, l->x, l->y};
    assert_int_equal(store.deliver(store.user, &site, &rows, &err), NS_OK);
    assert_int_equal(ns_store_writer_commit(writer, SAMPLES, NULL, &err), NS_OK);
    assert_int_equal(ns_store_writer_close(writer, &err), NS_OK);
}

/* From a file of either type the fit is that of the values which the file holds. */
static void through_a_file(void **state) {
    (void)state;
    layer l = make_layer(SAMPLES * POSITIONS, CHANNELS, POSITIONS);
    for (int type = 0; type < 2; type++) {
        char path[300];
        snprintf(path, sizeof path, "%s/run.h5", ns_tests_folder());
        write_store(path, &l, type ? NS_F16 : NS_F32);
        for (int i = 0; type && i < SAMPLES * POSITIONS * CHANNELS; i++) {
            l.x[i] = ns_f16_value(ns_f16_from(l.x[i]));
            l.y[i] = ns_f16_value(ns_f16_from(l.y[i]));
        }
        ns_fit memory = fit_layer(&l, "tanh");
        ns_store *store = NULL;
        ns_points points;
        ns_error err = {0};
        assert_int_equal(ns_store_open(&store, path, &err), NS_OK);
        assert_int_equal(ns_points_store(&points, store, 0, &err), NS_OK);
        ns_fit file = fit_points(&points, "tanh");
        ns_store_close(store);
        assert_memory_equal(file.theta, memory.theta, sizeof file.theta);
        assert_memory_equal(file.clustered, memory.clustered, sizeof file.clustered);
        assert_true(file.sse == memory.sse && file.held_out_rmse == memory.held_out_rmse);
    }
    drop(&l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cut_into_rows),
    cmocka_unit_test(over_threads),
    cmocka_unit_test(rows_in_any_order),
    cmocka_unit_test(halves_add_up),
    cmocka_unit_test(stretched_by_any_factor),
    cmocka_unit_test(denormals_and_zeros),
    cmocka_unit_test(odd_shapes),
    cmocka_unit_test(few_nonfinite_values),
    cmocka_unit_test(through_a_file),
};
NS_TESTS("fit points", tests)
