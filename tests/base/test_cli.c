#include "probe/base/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runner.h"

typedef struct values {
    bool flag;
    int64_t whole;
    double real;
    const char *text;
    int choice;
    ns_list list;
} values;

static const ns_command command = {
    .name = "try", .group = "Test", .summary = "s", .usage = "[options] FILE..."};

/* Parses the words, which end with NULL; the values and the other arguments go to *v and *rest. */
static int parse(values *v, ns_list *rest, ns_error *err, int least, int most, const char *word,
                 ...) {
    const ns_option options[] = {
        {"flag", 'f', NS_OPT_FLAG, &v->flag, NULL, "a flag", NULL, 0, 0},
        {"whole", 'w', NS_OPT_INT, &v->whole, "N", "a number", NULL, 1, 10},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "More", NULL, 0, 0},
        {"real", 'r', NS_OPT_REAL, &v->real, "X", "a number", NULL, 0, 0},
        {"text", 0, NS_OPT_TEXT, &v->text, "T", "text", NULL, 0, 0},
        {"choice", 'c', NS_OPT_CHOICE, &v->choice, "red|green|blue", "one", NULL, 0, 0},
        {"list", 'l', NS_OPT_LIST, &v->list, "L", "many", NULL, 0, 0},
        {0},
    };
    static char words[16][32];
    char *argv[17] = {words[0]};
    int argc = 1;
    va_list args;
    va_start(args, word);
    for (const char *w = word; w; w = va_arg(args, const char *)) {
        snprintf(words[argc], sizeof words[argc], "%s", w);
        argv[argc] = words[argc];
        argc++;
    }
    va_end(args);
    return ns_cli_parse(&command, options, argc, argv, least, most, rest, err);
}

static void options_stand_anywhere(void **state) {
    (void)state;
    values v = {0};
    ns_list rest;
    ns_error err = {0};
    assert_int_equal(parse(&v, &rest, &err, 0, -1, "a", "--whole", "7", "-f", "b", "--real=-1.5",
                           "-cblue", "-l", "x", "--list=y", "--text=", "--", "-f", NULL),
                     NS_OK);
    assert_true(v.flag && v.whole == 7 && v.real == -1.5 && v.choice == 2);
    assert_string_equal(v.text, "");
    assert_int_equal(v.list.count, 2);
    assert_string_equal(v.list.items[1], "y");
    assert_int_equal(rest.count, 3);
    assert_string_equal(rest.items[2], "-f");
    ns_list_free(&rest);
    ns_list_free(&v.list);
}

static void wrong_words_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *words[3], *expected;
    } cases[] = {
        {{"--whole", "11"}, "--whole: expected a whole number between 1 and 10, found 11"},
        {{"--whole", "3x"}, "--whole: expected a whole number, found '3x'"},
        {{"--whole", "99999999999999999999"}, "--whole: expected a whole number"},
        {{"--whole"}, "--whole: expected a value (N), found none"},
        {{"--real", "nan"}, "--real: expected a number, found 'nan'"},
        {{"--choice", "re"}, "--choice: expected red|green|blue, found 're'"},
        {{"--flag=1"}, "--flag takes no value, found '1'"},
        {{"--flg"}, "unknown option '--flg'; near: flag"},
        {{"-fx"}, "unknown option '-fx'"},
        {{"-q"}, "unknown option '-q'"},
        {{"a", "b"}, "unexpected argument 'b'"},
        {{NULL}, "too few arguments"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        values v = {0};
        ns_list rest;
        ns_error err = {0};
        assert_int_equal(parse(&v, &rest, &err, 1, 1, cases[i].words[0], cases[i].words[1], NULL),
                         NS_EUSAGE);
        if (strncmp(err.message, cases[i].expected, strlen(cases[i].expected)) != 0)
            fail_msg("expected '%s', found '%s'", cases[i].expected, err.message);
        ns_list_free(&v.list);
    }
}

static void number_lists(void **state) {
    (void)state;
    int *numbers, count;
    ns_error err = {0};
    assert_int_equal(ns_parse_numbers("20-23,5,5,21", 1, 25, &numbers, &count, &err), NS_OK);
    const int expected[] = {5, 20, 21, 22, 23};
    assert_int_equal(count, 5);
    assert_memory_equal(numbers, expected, sizeof expected);
    free(numbers);
    static const char *const wrong[] = {"", ",", "5,", "x", "5-", "7-5", "-5", "1-2-3", "5 6"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ns_parse_numbers(wrong[i], 1, 25, &numbers, &count, &err), NS_EUSAGE);
        assert_null(numbers);
    }
    static const char *const outside[] = {"0", "26", "24-26", "99999999999999999999"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        assert_int_equal(ns_parse_numbers(outside[i], 1, 25, &numbers, &count, &err), NS_EINPUT);
        assert_null(numbers);
    }
}

static void command_lines_are_quoted_for_a_shell(void **state) {
    (void)state;
    char a[] = "normscope", b[] = "a b", c[] = "it's", d[] = "", e[] = "x=1,2";
    char *argv[] = {a, b, c, d, e};
    char *line = ns_command_line(5, argv, NULL);
    assert_string_equal(line, "normscope 'a b' 'it'\\''s' '' x=1,2");
    free(line);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(options_stand_anywhere),
    cmocka_unit_test(wrong_words_are_refused),
    cmocka_unit_test(number_lists),
    cmocka_unit_test(command_lines_are_quoted_for_a_shell),
};
NS_TESTS("cli", tests)
