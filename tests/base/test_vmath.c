/* The vector functions against libm's double precision, over a fine sweep of the floats. */
#include "probe/base/vmath.h"

#include <math.h>

#include "tests/runner.h"

static double worst(float (*f)(float), double (*g)(double), float from, float to, float step) {
    double most = 0;
    for (float x = from; x <= to; x += step) {
        double expected = g((double)x), error = fabs((double)f(x) - expected);
        if (expected != 0) error /= fabs(expected);
        if (!(error <= most)) most = error;
    }
    return most;
}

static float run_exp(float x) {
    return ns_expf(x);
}
static float run_tanh(float x) {
    return ns_tanhf(x);
}
static float run_erf(float x) {
    return ns_erff(x);
}

static void errors_are_as_stated(void **state) {
    (void)state;
    assert_true(worst(run_exp, exp, -87, 88, 1e-3f) <= 2.5e-7);
    assert_true(worst(run_exp, exp, -1, 1, 1e-6f) <= 2.5e-7);
    assert_true(worst(run_tanh, tanh, -12, 12, 1e-5f) <= 4e-7);
    assert_true(worst(run_tanh, tanh, -1e-3f, 1e-3f, 1e-9f) <= 4e-7);
    assert_true(worst(run_erf, erf, -6, 6, 1e-5f) <= 4e-7);
    assert_true(worst(run_erf, erf, -1e-3f, 1e-3f, 1e-9f) <= 4e-7);
    assert_true(ns_tanhf(1e30f) == 1.0f && ns_erff(-1e30f) == -1.0f && ns_expf(-1e30f) > 0);
    assert_true(isfinite(ns_expf(INFINITY)));
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(errors_are_as_stated)};
NS_TESTS("vmath", tests)
