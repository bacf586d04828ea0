/* Axes: ranges that can be drawn whatever the data, and ticks at round numbers whose labels say where they stand. */
#include "plots/figure/axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/text.h"
#include "probe/base/random.h"
#include "tests/runner.h"

#define TIMES_TEN                                                                                  \
    "\303\227"                                                                                     \
    "10" NS_SUP

/* The number that a label shows. */
static double read_label(const char *label) {
    char text[128] = "";
    for (const char *c = label; *c;) {
        if (!strncmp(c, NS_MINUS, strlen(NS_MINUS)))
            strcat(text, "-"), c += strlen(NS_MINUS);
        else if (!strncmp(c, TIMES_TEN, 5))
            strcat(text, "e"), c += 5;
        else if (!strncmp(c, "10" NS_SUP, 3)) /* a decade of a log axis */
            strcat(text, "1e"), c += 3;
        else if (*c == *NS_END)
            c++;
        else
            strncat(text, c++, 1);
    }
    char *end;
    double value = strtod(text, &end);
    if (*end) fail_msg("no number: %s", text);
    return value;
}

/* 1, 2, 2.5, 3, 4 or 5 times a power of ten. */
static bool is_round(double step) {
    static const double factors[] = {1, 2, 2.5, 3, 4, 5, 10};
    double mantissa = step / pow(10, floor(log10(step) + 1e-9));
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        if (fabs(mantissa / factors[i] - 1) < 1e-9) return true;
    return false;
}

static void check_ticks(const ns_axis *axis, int most) {
    ns_tick t[NS_MOST_TICKS];
    int count = ns_axis_ticks(axis, most, t);
    double span = axis->high - axis->low;
    if (count > most || (most > 2 && count < 2))
        fail_msg("%d of at most %d ticks in [%.17g, %.17g]", count, most, axis->low, axis->high);
    for (int i = 0; i < count; i++) {
        double place = ns_axis_place(axis, t[i].value), said = read_label(t[i].label);
        double least = axis->log ? t[i].value : span; /* what the label may be off by 1e-6 of */
        if (!(place > -1e-6 && place < 1 + 1e-6) || fabs(said - t[i].value) > 1e-6 * least ||
            (i && t[i].value <= t[i - 1].value) || strlen(t[i].label) > 24)
            fail_msg("tick %d of [%.17g, %.17g]: %.17g, '%s'", i, axis->low, axis->high, t[i].value,
                     t[i].label);
        if (i && !axis->log && !is_round(t[1].value - t[0].value))
            fail_msg("[%.17g, %.17g]: a step of %.17g", axis->low, axis->high,
                     t[1].value - t[0].value);
        if (i > 1 && !axis->log &&
            fabs((t[i].value - t[i - 1].value) / (t[1].value - t[0].value) - 1) > 1e-6)
            fail_msg("[%.17g, %.17g]: uneven ticks", axis->low, axis->high);
    }
}

static void ticks_are_round_and_read_back(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int k = 0; k < 6000; k++) {
        double span = pow(10, -6 + 12 * ns_random_unit(&random)), low = 0;
        if (k % 3 == 1) low = (2 * ns_random_unit(&random) - 1) * 3 * span;
        if (k % 3 == 2) low = (2 * ns_random_unit(&random) - 1) * 1000 * span;
        ns_axis axis = {.low = k % 3 ? low : -span / 2, .high = k % 3 ? low + span : span / 2};
        for (int most = 2; most <= 9; most++) check_ticks(&axis, most);
        ns_axis logs = {.low = span, .log = true};
        logs.high = span * pow(10, 0.1 + 8 * ns_random_unit(&random));
        for (int most = 2; most <= 9; most++) check_ticks(&logs, most);
    }
}

static void known_ticks(void **state) {
    (void)state;
    static const struct {
        ns_axis axis;
        int most;
        const char *labels;
    } cases[] = {
        {{.low = -4.4, .high = 4.4}, 6, NS_MINUS "4 " NS_MINUS "2 0 2 4"},
        {{.low = -4.4, .high = 4.4}, 4, NS_MINUS "4 0 4"},
        {{.low = 0, .high = 1}, 6, "0 0.2 0.4 0.6 0.8 1.0"},
        {{.low = -0.05, .high = 0.05}, 5, NS_MINUS "0.04 " NS_MINUS "0.02 0 0.02 0.04"},
        {{.low = 0, .high = 2e6},
         3,
         "0 1\303\227"
         "10" NS_SUP "6" NS_END " 2\303\227"
         "10" NS_SUP "6" NS_END},
        {{.low = 0.5, .high = 2000, .log = true}, 4, "1 10 100 1000"},
        {{.low = 0.4, .high = 1.6, .whole = true}, 7, "1"},
        {{.low = 0.4, .high = 2.6, .whole = true}, 7, "1 2"},
        {{.low = 0.4, .high = 17.6, .whole = true}, 7, "5 10 15"},
        {{.low = 1e-7, .high = 2e-4, .log = true},
         2,
         "10" NS_SUP NS_MINUS "6" NS_END " 10" NS_SUP NS_MINUS "4" NS_END},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ns_tick t[NS_MOST_TICKS];
        char all[400] = "";
        int count = ns_axis_ticks(&cases[i].axis, cases[i].most, t);
        for (int k = 0; k < count; k++) {
            if (k) strcat(all, " ");
            strcat(all, t[k].label);
        }
        assert_string_equal(all, cases[i].labels);
    }
}

static void any_range_can_be_drawn(void **state) {
    (void)state;
    static const double values[] = {NAN,    INFINITY, -INFINITY, 0,      1,        -1,
                                    1e-300, 1e300,    5e-324,    3.4e38, 1 + 1e-15};
    enum { N = sizeof values / sizeof *values };
    for (int i = 0; i < N * N; i++)
        for (int log = 0; log < 2; log++) {
            ns_axis axis = {.low = values[i / N], .high = values[i % N], .log = log};
            ns_axis_guard(&axis);
            ns_axis_pad(&axis, 0.05);
            ns_tick t[NS_MOST_TICKS];
            int count = ns_axis_ticks(&axis, 7, t);
            if (!(axis.low < axis.high) || !isfinite(axis.low) || !isfinite(axis.high) ||
                (log && axis.low <= 0) || count < 2 || !isfinite(ns_axis_place(&axis, t[0].value)))
                fail_msg("[%g, %g], log %d: [%.17g, %.17g] with %d ticks", values[i / N],
                         values[i % N], log, axis.low, axis.high, count);
        }
}

static void a_single_value_stands_in_the_middle(void **state) {
    (void)state;
    ns_axis axis = {.low = 3, .high = 3};
    ns_axis_guard(&axis);
    assert_true(fabs(ns_axis_place(&axis, 3) - 0.5) < 1e-12);
    ns_axis none = {.low = NAN, .high = NAN};
    ns_axis_guard(&none);
    assert_true(fabs(ns_axis_place(&none, 0) - 0.5) < 1e-12);
}

static void numbers_keep_their_digits(void **state) {
    (void)state;
    static const struct {
        double value;
        int digits;
        const char *label;
    } cases[] = {{0.102, 2, "0.10"},
                 {4.07, 3, "4.07"},
                 {9.999, 3, "10.0"},
                 {-0.5, 1, NS_MINUS "0.5"},
                 {0, 3, "0"},
                 {12345, 3, "12345"},
                 {999999, 2,
                  "1.0\303\227"
                  "10" NS_SUP "6" NS_END},
                 {-1.234e-7, 3,
                  NS_MINUS "1.23\303\227"
                           "10" NS_SUP NS_MINUS "7" NS_END},
                 {INFINITY, 2, "\342\210\236"},
                 {NAN, 2, "NaN"}};
    char label[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ns_number_label(cases[i].value, cases[i].digits, label),
                            cases[i].label);
    assert_string_equal(ns_number_short(0.5, 4, label), "0.5");
    assert_string_equal(ns_number_short(2000, 4, label), "2000");
    assert_string_equal(ns_number_short(1e-6, 4, label), "10" NS_SUP NS_MINUS "6" NS_END);
    assert_string_equal(ns_number_short(-1.5e6, 4, label), NS_MINUS "1.5\303\227"
                                                                    "10" NS_SUP "6" NS_END);
}

static void long_names_are_cut_between_characters(void **state) {
    (void)state;
    /* Its 127th byte is the first half of a letter. */
    enum { ROOM = sizeof((ns_tick *)0)->label };
    char text[2 * ROOM] = "ab";
    for (int i = 0; i < ROOM / 2 + 4; i++) strcat(text, "\303\251");
    const char *const name = text;
    ns_axis axis = {.low = 0.5, .high = 1.5, .names = &name, .name_count = 1};
    ns_tick t[NS_MOST_TICKS];
    assert_int_equal(ns_axis_ticks(&axis, 4, t), 1);
    assert_int_equal(strlen(t[0].label), ROOM - 2);
    assert_memory_equal(t[0].label, name, ROOM - 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ticks_are_round_and_read_back),
    cmocka_unit_test(known_ticks),
    cmocka_unit_test(any_range_can_be_drawn),
    cmocka_unit_test(a_single_value_stands_in_the_middle),
    cmocka_unit_test(numbers_keep_their_digits),
    cmocka_unit_test(long_names_are_cut_between_characters),
};
NS_TESTS("axis", tests)
