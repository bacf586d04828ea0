#include "probe/base/error.h"

#include <stdio.h>
#include <string.h>

#include "tests/runner.h"

/* Which byte sequences are well-formed: The Unicode Standard, table 3-7, at the limits of each of its rows. */
static void text_is_made_printable(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain \xce\xb1 \xe2\x82\xac \xf0\x9f\x98\x80",
         "plain \xce\xb1 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x1b[31mred\x07\x7f", "?[31mred??"},
        {"tab\tline\n", "tab?line?"},
        {"\xc2\x9b"
         "31m \xc2\xa0",
         "??31m \xc2\xa0"},             /* CSI as one character of the C1 set */
        {"\xc1\xbf \xc0\x80", "?? ??"}, /* overlong */
        {"\xe0\x9f\xbf \xe0\xa0\x80", "??? \xe0\xa0\x80"},
        {"\xed\x9f\xbf \xed\xa0\x80", "\xed\x9f\xbf ???"}, /* a surrogate */
        {"\xf0\x8f\xbf\xbf \xf0\x90\x80\x80", "???? \xf0\x90\x80\x80"},
        {"\xf4\x8f\xbf\xbf \xf4\x90\x80\x80 \xf5\x80\x80\x80", "\xf4\x8f\xbf\xbf ???? ????"},
        {"cut \xe2\x82", "cut ??"},
        {"cut \xf0\x9f\x98", "cut ???"},
        {"\x80 \xff", "? ?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", cases[i].text);
        ns_printable(text, false);
        assert_string_equal(text, cases[i].expected);
    }
    char lines[] = "a\nb\r\n";
    ns_printable(lines, true);
    assert_string_equal(lines, "a\nb?\n");
}

/* A message that is longer than its room is cut, and what is left is text. */
static void a_long_message_is_cut(void **state) {
    (void)state;
    ns_error err = {0};
    char name[3001];
    for (size_t i = 0; i + 2 < sizeof name; i += 2) memcpy(name + i, "\xce\xb1", 2);
    name[sizeof name - 1] = 0;
    assert_int_equal(ns_fail(&err, NS_EINPUT, "x%s", name), NS_EINPUT);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    ns_fail_more(&err, "more");
    ns_fail_context(&err, "%s", "odd");
    assert_memory_equal(err.message, "odd: x\xce\xb1", 8);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    char again[sizeof err.message];
    strcpy(again, err.message);
    ns_printable(again, true);
    assert_string_equal(again, err.message);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_made_printable),
                                          cmocka_unit_test(a_long_message_is_cut)};
NS_TESTS("error", tests)
