/* binary16 against the definition in IEEE 754: every one of the 65,536 patterns, and rounding at every midpoint. */
#include "probe/base/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runner.h"

/* The definition, by powers of two. */
static double definition(unsigned h) {
    double sign = h & 0x8000 ? -1 : 1;
    int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 0x3ff);
    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static void widening_is_exact(void **state) {
    (void)state;
    uint16_t *all = malloc(65536 * sizeof *all);
    float *wide = malloc(65536 * sizeof *wide);
    for (unsigned h = 0; h < 65536; h++) all[h] = (uint16_t)h;
    ns_f16_to_f32(wide, all, 65536);
    for (unsigned h = 0; h < 65536; h++) {
        double expected = definition(h);
        float one = ns_f16_value((uint16_t)h);
        if (isnan(expected)) {
            assert_true(isnan(one) && isnan(wide[h]));
            continue;
        }
        assert_true((double)one == expected && (double)wide[h] == expected);
        assert_int_equal(signbit(one) != 0, h >> 15);
    }
    free(all);
    free(wide);
}

static void narrowing_rounds_to_even(void **state) {
    (void)state;
    for (unsigned h = 0; h < 0x7c00; h++) {
        double low = definition(h), high = h == 0x7bff ? 65536 : definition(h + 1);
        float in[8], middle = (float)((low + high) / 2); /* exact: one bit more */
        in[0] = (float)low;
        in[1] = middle;
        in[2] = nextafterf(middle, 0);
        in[3] = nextafterf(middle, INFINITY);
        for (int i = 0; i < 4; i++) in[4 + i] = -in[i];
        uint16_t out[8];
        ns_f32_to_f16(out, in, 8);
        unsigned even = h & 1 ? h + 1 : h;
        unsigned expected[4] = {h, even, h, h + 1};
        for (int i = 0; i < 8; i++) {
            unsigned want = expected[i & 3] | (i < 4 ? 0 : 0x8000);
            assert_int_equal(out[i], want);
            assert_int_equal(ns_f16_from(in[i]), want);
        }
    }
    assert_int_equal(ns_f16_from(1e30f), 0x7c00);
    assert_int_equal(ns_f16_from(-INFINITY), 0xfc00);
    assert_true(isnan(ns_f16_value(ns_f16_from(NAN))));
}

static void bfloat16_is_the_upper_half(void **state) {
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        uint16_t in = (uint16_t)h;
        uint32_t bits = h << 16;
        float out, expected;
        memcpy(&expected, &bits, 4);
        ns_bf16_to_f32(&out, &in, 1);
        assert_memory_equal(&out, &expected, 4);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(widening_is_exact),
    cmocka_unit_test(narrowing_rounds_to_even),
    cmocka_unit_test(bfloat16_is_the_upper_half),
};
NS_TESTS("half", tests)
