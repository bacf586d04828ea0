#include "probe/base/vmath.h"

#include <math.h>
#include <stdio.h>

#include "tests/runner.h"

/* Error in units in the last place of the float nearest to the true value. */
static double ulps(float got, double wanted) {
    float f = (float)wanted;
    if (isinf(f) || isinf(got)) return got == f ? 0 : INFINITY;
    double unit = fabs((double)nextafterf(f, INFINITY) - (double)f);
    return fabs((double)got - wanted) / unit;
}

static float call_exp(float x) {
    return ns_expf(x);
}
static float call_tanh(float x) {
    return ns_tanhf(x);
}
static float call_erf(float x) {
    return ns_erff(x);
}

/* Every 97th of all floats whose magnitude lies in the range of `bits`, of both signs. */
static double worst(float (*f)(float), double (*g)(double), float least, float most) {
    double found = 0;
    for (uint32_t b = ns_float_bits(least); b <= ns_float_bits(most); b += 97)
        for (int negative = 0; negative < 2; negative++) {
            float x = negative ? -ns_bits_float(b) : ns_bits_float(b);
            double wanted = g((double)x);
            if (fabs(wanted) < 0x1p-126 && x != 0 && fabs((double)x) > 1) continue; /* flushed */
            double e = ulps(f(x), wanted);
            if (e > found) found = e;
        }
    return found;
}

static void errors_are_as_stated(void **state) {
    (void)state;
    double e = worst(call_exp, exp, 0x1p-30f, 120.0f), t = worst(call_tanh, tanh, 0x1p-30f, 30.0f),
           r = worst(call_erf, erf, 0x1p-30f, 12.0f);
    print_message("exp %.2f, tanh %.2f, erf %.2f ulp\n", e, t, r);
    assert_true(e <= 1.1);
    assert_true(t <= 1.7);
    assert_true(r <= 1.4);
}

static void ends_of_the_range(void **state) {
    (void)state;
    assert_true(ns_expf(-INFINITY) == 0 && ns_expf(INFINITY) == INFINITY && ns_expf(0) == 1);
    assert_true(ns_expf(-200) == 0 && ns_expf(89) == INFINITY && isfinite(ns_expf(88.7f)));
    assert_true(ns_tanhf(INFINITY) == 1 && ns_tanhf(-INFINITY) == -1 && ns_tanhf(0) == 0);
    assert_true(ns_erff(INFINITY) == 1 && ns_erff(-INFINITY) == -1 && ns_erff(0) == 0);
    assert_true(signbit(ns_tanhf(-0.0f)) && signbit(ns_erff(-0.0f)));
    assert_true(isnan(ns_expf(NAN)) && isnan(ns_tanhf(NAN)) && isnan(ns_erff(NAN)));
}

static void gelu_is_its_definition(void **state) {
    (void)state;
    for (int i = -600; i <= 600; i++) {
        double x = i / 100.0;
        double e = 0.5 * x * (1 + erf(x / sqrt(2))),
               t = 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
        assert_true(fabs((double)ns_gelu_erf((float)x) - e) <= 3e-7 * (1 + fabs(x)));
        assert_true(fabs((double)ns_gelu_tanh((float)x) - t) <= 3e-7 * (1 + fabs(x)));
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(errors_are_as_stated),
                                          cmocka_unit_test(ends_of_the_range),
                                          cmocka_unit_test(gelu_is_its_definition)};
NS_TESTS("vmath", tests)
