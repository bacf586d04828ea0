#include "probe/base/near.h"

#include <string.h>

#include "tests/runner.h"

static void globs_match_whole_components(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"blocks.1", "blocks.1", true},
        {"blocks.1", "blocks.1.norm2", true},
        {"blocks.1", "blocks.10.norm2", false},
        {"blocks.1*", "blocks.10.norm2", true},
        {"*.norm1", "blocks.norm1", true},
        {"*.norm1", "blocks.7.norm1", false},
        {"**.norm1", "blocks.7.norm1", true},
        {"**.norm1", "norm1", true},
        {"**", "a.b.c", true},
        {"blocks.?", "blocks.7.norm1", true},
        {"blocks.?", "blocks.17.norm1", false},
        {"blocks.*.norm?", "blocks.3.norm2", true},
        {"blocks.3.norm2.x", "blocks.3.norm2", false},
        {"norm", "norm", true},
        {"norm", "norm1", false},
        {"", "a", false},
        {"", "", true},
        {"a**b", "axxb", true},
        {"**.b.**.d", "a.b.c.d", true},
        {"**.b.**.d", "a.b.c.e", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (ns_glob_match(cases[i].pattern, cases[i].name) != cases[i].match)
            fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].name);
}

static const char *name_of(const void *user, size_t i) {
    return ((const char *const *)user)[i];
}

static void near_names_come_in_order(void **state) {
    (void)state;
    static const char *const names[] = {"blocks.0.norm1.weight", "norm.weight", "head.weight",
                                        "blocks.0.norm2.weight"};
    ns_error err = {0};
    ns_near_names(&err, "norm.weigth", 4, name_of, names, 2);
    assert_string_equal(err.message, "; near: norm.weight, head.weight");
    err = (ns_error){0};
    ns_near_names(&err, "zz", 4, name_of, names, 2);
    assert_string_equal(err.message, "");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(globs_match_whole_components),
    cmocka_unit_test(near_names_come_in_order),
};
NS_TESTS("near", tests)
