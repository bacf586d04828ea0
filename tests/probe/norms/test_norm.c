#include "probe/norms/norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "tests/runner.h"

enum { ROWS = 70 };

static float uniform(uint64_t *seed, double low, double high) {
    return (float)(low + (high - low) * ns_random_unit(seed));
}

static float *random_array(uint64_t *seed, size_t n, double low, double high) {
    float *a = malloc(n * sizeof *a);
    assert_non_null(a);
    for (size_t i = 0; i < n; i++) a[i] = uniform(seed, low, high);
    return a;
}

/* A layer of `kind` with all the arrays that it may have. */
static ns_norm make(const ns_norm_kind *kind, int channels, int alphas, uint64_t *seed) {
    size_t n = (size_t)channels;
    ns_norm norm = {.kind = kind, .channels = channels, .eps = kind->has & NS_HAS_EPS ? 1e-6f : 0};
    norm.gamma = random_array(seed, n, -2, 2);
    norm.beta = random_array(seed, n, -1, 1);
    norm.alpha = random_array(seed, n, 0.1, 1.5);
    norm.alpha_count = kind->has & NS_HAS_ALPHA ? alphas : 0;
    norm.shift = random_array(seed, 1, -0.5, 0.5);
    norm.mean = random_array(seed, n, -1, 1);
    norm.variance = random_array(seed, n, 0.01, 4);
    return norm;
}

static void release(ns_norm *norm) {
    free((void *)(uintptr_t)norm->gamma);
    free((void *)(uintptr_t)norm->beta);
    free((void *)(uintptr_t)norm->alpha);
    free((void *)(uintptr_t)norm->shift);
    free((void *)(uintptr_t)norm->mean);
    free((void *)(uintptr_t)norm->variance);
}

/* y and z against the reference; z alone, and z over x, give the same bits. */
static void compare(const ns_norm *norm, const float *x, double tolerance) {
    size_t n = ROWS * (size_t)norm->channels;
    float *y = malloc(n * sizeof *y), *z = malloc(n * sizeof *z), *over = malloc(n * sizeof *over);
    double *wanted = malloc(n * sizeof *wanted), bound = norm->kind->bound(norm), largest = 0;
    assert_true(y && z && over && wanted);
    norm->kind->reference(norm, ROWS, x, wanted);
    norm->kind->forward(norm, ROWS, x, y, z, NULL, NULL);
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < n; i++) {
        size_t c = i % (size_t)norm->channels;
        double g = norm->gamma ? (double)norm->gamma[c] : 1,
               b = norm->beta ? (double)norm->beta[c] : 0;
        assert_true(fabs((double)y[i] - wanted[i]) <= tolerance * largest);
        assert_true(fabs((double)z[i] - (g * wanted[i] + b)) <= 3 * tolerance * (largest + 1));
        assert_true(fabs((double)y[i]) <= bound * (1 + 1e-6));
    }
    memset(over, 0, n * sizeof *over);
    norm->kind->forward(norm, ROWS, x, over, NULL, NULL, NULL);
    assert_memory_equal(over, y, n * sizeof *y);
    memset(over, 0, n * sizeof *over);
    norm->kind->forward(norm, ROWS, x, NULL, over, NULL, NULL);
    assert_memory_equal(over, z, n * sizeof *z);
    memcpy(over, x, n * sizeof *over);
    norm->kind->forward(norm, ROWS, over, NULL, over, NULL, NULL);
    assert_memory_equal(over, z, n * sizeof *z);
    memcpy(over, x, n * sizeof *over);
    norm->kind->forward(norm, ROWS, over, y, over, NULL, NULL);
    assert_memory_equal(over, z, n * sizeof *z);
    free(y);
    free(z);
    free(over);
    free(wanted);
}

static void forward_is_the_reference(void **state) {
    (void)state;
    static const int widths[] = {1, 2, 7, 16, 96, 513, 768, 1600};
    uint64_t seed = 1;
    for (int k = 0; k < ns_norm_kind_count; k++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            int channels = widths[w], alphas = w % 2 ? channels : 1;
            ns_norm norm = make(ns_norm_kinds[k], channels, alphas, &seed);
            float *x = random_array(&seed, ROWS * (size_t)channels, -3, 3);
            compare(&norm, x, 2e-6);
            ns_norm bare = norm;
            bare.beta = NULL;
            compare(&bare, x, 2e-6);
            bare.gamma = NULL;
            compare(&bare, x, 2e-6);
            free(x);
            release(&norm);
        }
}

/* A mean 10,000 times the spread: a variance from mean x^2 - mean^2 in float would have no digit left. */
static void a_large_mean_costs_no_digits(void **state) {
    (void)state;
    uint64_t seed = 2;
    ns_norm norm = make(ns_norm_kind_find("layernorm", NULL), 768, 1, &seed);
    float *x = random_array(&seed, ROWS * 768, 9999, 10001);
    compare(&norm, x, 2e-6);
    free(x);
    release(&norm);
}

/* One channel holds all the spread: |y| comes up to the bound and, but for rounding, not beyond. */
static void bounds_are_reached(void **state) {
    (void)state;
    static const char *const kinds[] = {"layernorm", "rmsnorm"};
    for (int k = 0; k < 2; k++) {
        float x[ROWS * 768] = {0}, y[ROWS * 768];
        ns_norm norm = {.kind = ns_norm_kind_find(kinds[k], NULL), .channels = 768, .eps = 1e-6f};
        for (int i = 0; i < ROWS; i++) x[i * 768 + i] = i % 2 ? 1e4f : -1e4f;
        norm.kind->forward(&norm, ROWS, x, y, NULL, NULL, NULL);
        double bound = norm.kind->bound(&norm);
        assert_true(fabs(bound * bound - (k ? 768 : 767)) < 1e-9);
        for (int i = 0; i < ROWS; i++)
            assert_true(fabs(fabs((double)y[i * 768 + i]) / bound - 1) < 2e-6);
    }
}

static void statistics_of_rows(void **state) {
    (void)state;
    uint64_t seed = 3;
    ns_norm norm = make(ns_norm_kind_find("layernorm", NULL), 100, 1, &seed);
    float *x = random_array(&seed, ROWS * 100, -1, 5), mean[ROWS], rstd[ROWS];
    norm.kind->forward(&norm, ROWS, x, NULL, NULL, mean, rstd);
    for (int i = 0; i < ROWS; i++) {
        double m = 0, v = 0;
        for (int c = 0; c < 100; c++) m += (double)x[i * 100 + c] / 100;
        for (int c = 0; c < 100; c++) v += pow((double)x[i * 100 + c] - m, 2) / 100;
        assert_true(fabs((double)mean[i] - m) < 1e-6);
        assert_true(fabs((double)rstd[i] * sqrt(v + 1e-6) - 1) < 1e-6);
    }
    free(x);
    release(&norm);
}

static void not_finite_stays_in_its_row(void **state) {
    (void)state;
    for (int k = 0; k < ns_norm_kind_count; k++) {
        uint64_t seed = 4;
        ns_norm norm = make(ns_norm_kinds[k], 33, 1, &seed);
        float *x = random_array(&seed, ROWS * 33, -1, 1), *y = malloc(ROWS * 33 * sizeof *y);
        x[5 * 33 + 7] = NAN;
        norm.kind->forward(&norm, ROWS, x, y, NULL, NULL, NULL);
        assert_true(isnan(y[5 * 33 + 7]));
        for (int i = 0; i < ROWS * 33; i++) assert_true(i / 33 == 5 || isfinite(y[i]));
        free(x);
        free(y);
        release(&norm);
    }
}

static void kinds_are_found_by_name(void **state) {
    (void)state;
    ns_error err = {0};
    for (int k = 0; k < ns_norm_kind_count; k++)
        assert_ptr_equal(ns_norm_kind_find(ns_norm_kinds[k]->name, &err), ns_norm_kinds[k]);
    assert_null(ns_norm_kind_find("layer_norm", &err));
    assert_int_equal(err.status, NS_EINPUT);
    assert_non_null(strstr(err.message, "layernorm"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(forward_is_the_reference),    cmocka_unit_test(a_large_mean_costs_no_digits),
    cmocka_unit_test(bounds_are_reached),          cmocka_unit_test(statistics_of_rows),
    cmocka_unit_test(not_finite_stays_in_its_row), cmocka_unit_test(kinds_are_found_by_name)};
NS_TESTS("norm", tests)
