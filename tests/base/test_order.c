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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(doubles_rise),
};
NS_TESTS("order", tests)
