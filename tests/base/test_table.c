#include "probe/base/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runner.h"

static const ns_column columns[] = {
    {"name", NULL, NS_TEXT, 0, false, NULL},  {"n", "1", NS_INT, 0, false, NULL},
    {"alpha", "1/x", NS_REAL, 4, false, "α"}, {"good", "1", NS_BOOL, 0, true, NULL},
    {"share", "1", NS_SHARE, 1, false, NULL},
};

static ns_table *example(void) {
    ns_table *table = ns_table_new(columns, 5, NULL);
    ns_table_text(table, "tab\there \"q\"");
    ns_table_int(table, -3);
    ns_table_real(table, 0.1 + 0.2);
    ns_table_int(table, 1);
    ns_table_real(table, 0.1234);
    ns_table_text(table, "σ");
    ns_table_int(table, INT64_MAX);
    ns_table_real(table, NAN);
    ns_table_missing(table);
    ns_table_missing(table);
    return table;
}

/* What is not known is missing, and a table that is emptied takes rows anew. */
static void known_and_cleared(void **state) {
    (void)state;
    char seen[32], room[32];
    const char *exact;
    ns_table *table = example();
    ns_table_clear(table);
    assert_int_equal(ns_table_rows(table), 0);
    ns_table_text(table, "again");
    ns_table_int(table, 7);
    ns_table_known(table, NAN);
    ns_table_int(table, 0);
    ns_table_known(table, 0.5);
    assert_int_equal(ns_table_rows(table), 1);
    assert_string_equal(ns_table_cell(table, 0, 0, seen, &exact, room), "again");
    assert_string_equal(ns_table_cell(table, 0, 2, seen, &exact, room), "-");
    assert_string_equal(exact, "");
    ns_table_cell(table, 0, 4, seen, &exact, room);
    assert_string_equal(exact, "0.5");
    ns_table_free(table);
}

static char *printed(ns_table_format format) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    ns_table *table = example();
    assert_int_equal(ns_table_print(table, file, format, NULL), NS_OK);
    fclose(file);
    ns_table_free(table);
    return text;
}

static void formats(void **state) {
    (void)state;
    static const char *const expected[] = {
        "name                            n       α   share\n"
        "tab\there \"q\"                   -3  0.3000  12.3 %\n"
        "σ             9223372036854775807     nan       -\n",
        "#text\t1\t1/x\t1\t1\n"
        "name\tn\talpha\tgood\tshare\n"
        "tab here \"q\"\t-3\t0.30000000000000004\t1\t0.1234\n"
        "σ\t9223372036854775807\tnan\t\t\n",
        "{\n  \"columns\": [\n"
        "    {\"name\": \"name\", \"unit\": null},\n    {\"name\": \"n\", \"unit\": \"1\"},\n"
        "    {\"name\": \"alpha\", \"unit\": \"1/x\"},\n    {\"name\": \"good\", \"unit\": "
        "\"1\"},\n"
        "    {\"name\": \"share\", \"unit\": \"1\"}\n  ],\n  \"rows\": [\n"
        "    {\"name\": \"tab\\u0009here \\\"q\\\"\", \"n\": -3, \"alpha\": 0.30000000000000004, "
        "\"good\": true, \"share\": 0.1234},\n"
        "    {\"name\": \"σ\", \"n\": 9223372036854775807, \"alpha\": null, \"good\": null, "
        "\"share\": null}\n  ]\n}\n"};
    for (int format = NS_ALIGNED; format <= NS_JSON; format++) {
        char *text = printed((ns_table_format)format);
        assert_string_equal(text, expected[format]);
        free(text);
    }
}

/* A last column that is empty in most rows, and one that is empty in the middle. */
static void no_blanks_end_a_line(void **state) {
    (void)state;
    static const ns_column three[] = {{"n", "1", NS_INT, 0, false, NULL},
                                      {"note", NULL, NS_TEXT, 0, false, NULL},
                                      {"flag", NULL, NS_TEXT, 0, false, ""}};
    static const char *const cells[][2] = {{"", ""}, {"wide", ""}, {"", "odd"}};
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    ns_table *table = ns_table_new(three, 3, NULL);
    for (int i = 0; i < 3; i++) {
        ns_table_int(table, i);
        ns_table_text(table, cells[i][0]);
        ns_table_text(table, cells[i][1]);
    }
    assert_int_equal(ns_table_print(table, file, NS_ALIGNED, NULL), NS_OK);
    fclose(file);
    assert_string_equal(text, "n  note\n0\n1  wide\n2        odd\n");
    ns_table_free(table);
    free(text);
}

static void shortest_reads_back(void **state) {
    (void)state;
    const double values[] = {0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789, 0.30000000000000004};
    char text[32];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(strtod(ns_shortest(values[i], text), NULL) == values[i]);
    assert_string_equal(ns_shortest(0.1, text), "0.1");
    assert_string_equal(ns_shortest(-INFINITY, text), "-inf");
}

static void an_incomplete_row_is_an_error(void **state) {
    (void)state;
    ns_error err = {0};
    ns_table *table = ns_table_new(columns, 5, NULL);
    ns_table_text(table, "x");
    assert_int_equal(ns_table_print(table, stderr, NS_TSV, &err), NS_EFAIL);
    ns_table_free(table);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(formats),
    cmocka_unit_test(no_blanks_end_a_line),
    cmocka_unit_test(shortest_reads_back),
    cmocka_unit_test(an_incomplete_row_is_an_error),
    cmocka_unit_test(known_and_cleared),
};
NS_TESTS("table", tests)
