#include "probe/base/order.h"

#include <math.h>
#include <stdlib.h>

#include "tests/runner.h"

static void doubles_rise(void **state) {
    (void)state;
    double values[] = {2, -INFINITY, 1e-300, -0.5, INFINITY, 0, 2, -1e300};
    const double wanted[] = {-INFINITY, -1e300, -0.5, 0, 1e-300, 2, 2, INFINITY};
    enum { COUNT = sizeof values / sizeof *values };
    qsort(values, COUNT, sizeof *values, ns_rising);
    for (int i = 0; i < COUNT; i++) assert_true(values[i] == wanted[i]);
    assert_int_equal(ns_rising(&wanted[5], &wanted[6]), 0);
}

/* Whatever the order they come in; that which NaN broke was of a few values among many. */
static void what_is_no_number_comes_last(void **state) {
    (void)state;
    const double some[] = {3, (double)NAN, 1, (double)NAN, INFINITY, 2, -INFINITY};
    enum { COUNT = sizeof some / sizeof *some };
    double values[COUNT];
    for (int turn = 0; turn < COUNT; turn++) {
        for (int i = 0; i < COUNT; i++) values[i] = some[(i + turn) % COUNT];
        qsort(values, COUNT, sizeof *values, ns_rising);
        for (int i = 1; i < COUNT - 2; i++) assert_true(values[i - 1] < values[i]);
        assert_true(isnan(values[COUNT - 2]) && isnan(values[COUNT - 1]));
    }
    assert_int_equal(ns_compare((double)NAN, (double)NAN), 0);
    assert_int_equal(ns_compare((double)NAN, INFINITY), 1);
    assert_int_equal(ns_compare(-1, (double)NAN), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(doubles_rise),
    cmocka_unit_test(what_is_no_number_comes_last),
};
NS_TESTS("order", tests)
