/* Runs every test of every file: the C tests that registered themselves, then each script test_*.sh and test_*.py
 * of a room's folder (tests/<room>, tests/probe/<room>) as one test, so that cmocka's closing count is the count of everything.
 *
 * run-tests [PATTERN]: only the tests whose name matches (cmocka's * and ?). Scripts get NORMSCOPE (the program),
 * BUILD, PYTHON and TMP (a folder of their own); exit status 77 means skipped, with the reason on the last line. */
#include "tests/runner.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_TESTS 4096

static struct CMUnitTest all[MOST_TESTS];
static size_t used;
static char work[64] = "";
static int folders;

void ns_tests_add(const char *name, const struct CMUnitTest *tests, size_t count) {
    for (size_t i = 0; i < count && used < MOST_TESTS; i++) {
        all[used] = tests[i];
        char *full = malloc(strlen(name) + strlen(tests[i].name) + 3);
        if (!full) abort();
        sprintf(full, "%s: %s", name, tests[i].name);
        all[used++].name = full;
    }
}

const char *ns_tests_build(void) {
    const char *build = getenv("BUILD");
    return build && *build ? build : "build";
}

static void remove_work(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", work);
    if (*work && system(command) != 0) fprintf(stderr, "could not remove %s\n", work);
}

const char *ns_tests_folder(void) {
    static char folder[128];
    if (!*work) {
        strcpy(work, P_tmpdir "/normscope-tests-XXXXXX");
        if (!mkdtemp(work)) abort();
        atexit(remove_work);
    }
    char command[192];
    snprintf(folder, sizeof folder, "%s/%d", work, folders++);
    snprintf(command, sizeof command, "mkdir -p '%s'", folder);
    if (system(command) != 0) abort();
    return folder;
}

int ns_tests_shell(char *output, size_t size, const char *format, ...) {
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    fflush(NULL);
    FILE *pipe = popen(command, "r");
    if (!pipe) return -1;
    size_t got = 0;
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, pipe)) > 0;) {
        size_t room = size > got + 1 ? size - got - 1 : 0, take = n < room ? n : room;
        if (take) memcpy(output + got, piece, take);
        got += take;
    }
    if (size) output[got] = 0;
    int status = pclose(pipe);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* One script. Its output is shown where it fails. */
static void run_script(void **state) {
    const char *path = *state;
    static char output[1 << 16];
    const char *python = getenv("PYTHON");
    const char *dot = strrchr(path, '.');
    int status = ns_tests_shell(
        output, sizeof output,
        "NORMSCOPE=$(realpath '%s/normscope') BUILD='%s' PYTHON='%s' TMP='%s' %s '%s' 2>&1",
        ns_tests_build(), ns_tests_build(), python ? python : "python3", ns_tests_folder(),
        strcmp(dot, ".py") == 0 ? (python ? python : "python3") : "bash", path);
    if (status == 77) {
        print_message("%s: skipped: %s", path, output);
        skip();
    }
    if (status != 0) fail_msg("%s ended with status %d:\n%s", path, status, output);
}

static void add_scripts(const char *pattern) {
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && used < MOST_TESTS; i++) {
            char *path = strdup(found.gl_pathv[i]);
            all[used++] = (struct CMUnitTest){path, run_script, NULL, NULL, path};
        }
    globfree(&found);
}

int main(int argc, char **argv) {
    add_scripts("tests/*/test_*.sh");
    add_scripts("tests/*/*/test_*.sh");
    add_scripts("tests/*/test_*.py");
    add_scripts("tests/*/*/test_*.py");
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return _cmocka_run_group_tests("normscope", all, used, NULL, NULL) ? 1 : 0;
}
