/* The test runner's side of a test file. A file of tests lists them at its end:
 *
 *     static const struct CMUnitTest tests[] = {cmocka_unit_test(...), ...};
 *     NS_TESTS("half", tests)
 *
 * and is found by the Makefile; nothing else learns its name. */
#ifndef NS_RUNNER_H
#define NS_RUNNER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Adds an array of tests to those that run. `name` is a string literal that begins each test's name. */
void ns_tests_add(const char *name, const struct CMUnitTest *tests, size_t count);

#define NS_TESTS(name, tests)                                                                      \
    __attribute__((constructor)) static void add_tests(void) {                                     \
        ns_tests_add(name, tests, sizeof(tests) / sizeof *(tests));                                \
    }

/* The folder of the build under test ($BUILD, "build"), and a fresh folder for files of one test, removed at the end
 * of the run. Both are static text or owned by the runner. */
const char *ns_tests_build(void);
const char *ns_tests_folder(void);

/* Runs a command by the shell with output into `output` (cut at size - 1); its exit status, or 128 + the signal. */
int ns_tests_shell(char *output, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
