/* A processor that OpenBLAS does not know costs two to three times the time, and is told of. */
#include "probe/base/blas.h"

#include <stdlib.h>
#include <string.h>

#include "tests/runner.h"

static void an_unknown_processor_is_told_of(void **state) {
    (void)state;
    assert_non_null(strstr(ns_blas_advice_for("Prescott", true, true), "=SkylakeX"));
    assert_non_null(strstr(ns_blas_advice_for("Prescott", true, false), "=Haswell"));
    assert_null(ns_blas_advice_for("Prescott", false, false)); /* it is one */
    static const char *const good[] = {"Haswell", "Zen", "SkylakeX", "Cooperlake",
                                       "SapphireRapids"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(ns_blas_advice_for(good[i], true, true));
}

static void a_choice_is_not_commented_on(void **state) {
    (void)state;
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    assert_null(ns_blas_advice());
    unsetenv("OPENBLAS_CORETYPE");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(an_unknown_processor_is_told_of),
                                          cmocka_unit_test(a_choice_is_not_commented_on)};
NS_TESTS("blas", tests)
