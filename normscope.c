/* The command line: one table of subcommands, grouped by theme. */
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "normscope.h"
#include "plots/canvas/libraries.h"
#include "probe/base/cli.h"
#include "probe/base/near.h"
#include "probe/base/stop.h"
#include "probe/base/threads.h"

/* A command is a file with an ns_command called ns_command_NAME, and a line here: the order of `normscope help`. */
#define COMMANDS(X)                                                                                \
    X(list)                                                                                        \
    X(dump)                                                                                        \
    X(info)                                                                                        \
    X(verify)                                                                                      \
    X(merge)                                                                                       \
    X(stats)                                                                                       \
    X(fit)                                                                                         \
    X(correlate)                                                                                   \
    X(plot)                                                                                        \
    X(report)                                                                                      \
    X(train)                                                                                       \
    X(bench)

#define DECLARE(name) extern const ns_command ns_command_##name;
COMMANDS(DECLARE)

static int run_help(const ns_command *self, int argc, char **argv, ns_error *err);
static int run_version(const ns_command *self, int argc, char **argv, ns_error *err);

static const ns_command command_help = {.name = "help",
                                        .group = "About",
                                        .summary = "show this list, or the help of a command",
                                        .usage = "[COMMAND]",
                                        .run = run_help};
static const ns_command command_version = {.name = "version",
                                           .group = "About",
                                           .summary = "show the version and the libraries in use",
                                           .usage = "",
                                           .run = run_version};

#define ROW(name) &ns_command_##name,
static const ns_command *const commands[] = {COMMANDS(ROW) & command_help, &command_version};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const char *command_name(const void *user, size_t i) {
    (void)user;
    return commands[i]->name;
}

static const ns_command *find_command(const char *name, ns_error *err) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    ns_fail(err, NS_EUSAGE, "unknown command '%s'", name);
    ns_near_names(err, name, COMMAND_COUNT, command_name, NULL, 2);
    ns_fail_more(err, "; see normscope help");
    return NULL;
}

static void print_commands(FILE *file) {
    fprintf(file,
            "normscope %s: what normalization layers do in trained networks\n\n"
            "Usage: normscope COMMAND [options] FILE...\n",
            NS_VERSION);
    const char *group = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(group, commands[i]->group) != 0) {
            group = commands[i]->group;
            fprintf(file, "\n%s\n", group);
        }
        fprintf(file, "  %-10s  %s\n", commands[i]->name, commands[i]->summary);
    }
    fprintf(file,
            "\nEach command explains itself: normscope COMMAND --help\n"
            "Exit status: 0 success, 1 a failed run, 2 wrong usage, 3 bad input, 4 stopped\n");
}

static int run_help(const ns_command *self, int argc, char **argv, ns_error *err) {
    static const ns_option options[] = {{0}};
    ns_list rest;
    int status = ns_cli_parse(self, options, argc, argv, 0, 1, &rest, err);
    if (status) return status < 0 ? NS_OK : status;
    if (rest.count) {
        const ns_command *command = find_command(rest.items[0], err);
        char *words[] = {(char *)(uintptr_t)rest.items[0], (char[]){"--help"}, NULL};
        status = command ? command->run(command, 2, words, err) : NS_EUSAGE;
    } else {
        print_commands(stdout);
    }
    ns_list_free(&rest);
    return status;
}

static int run_version(const ns_command *self, int argc, char **argv, ns_error *err) {
    static const ns_option options[] = {{0}};
    int status = ns_cli_parse(self, options, argc, argv, 0, 0, NULL, err);
    if (status) return status < 0 ? NS_OK : status;
    char libraries[1024];
    printf("normscope %s\n%s", NS_VERSION, ns_libraries(libraries, sizeof libraries));
    return NS_OK;
}

/* A result that did not reach the disk is no result: the close of stdout is checked too. */
static int close_stdout(int status) {
    int failed = ferror(stdout);
    failed |= fclose(stdout) != 0;
    if (failed && status == NS_OK) {
        fprintf(stderr, "normscope: standard output could not be written\n");
        return NS_EFAIL;
    }
    return status;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_commands(stderr);
        return NS_EUSAGE;
    }
    ns_stop_on_signals();
    int asked = ns_threads_cap();
    if (asked)
        fprintf(stderr,
                "normscope: warning: OMP_NUM_THREADS asks for %d threads; %d are used, more would "
                "not help\n",
                asked, omp_get_max_threads());
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    if (!strcmp(name, "--version")) name = "version";
    ns_error err = {0};
    const ns_command *command = find_command(name, &err);
    int status = command ? command->run(command, argc - 1, argv + 1, &err) : NS_EUSAGE;
    if (status) {
        fflush(stdout);
        if (command)
            fprintf(stderr, "normscope %s: %s\n", command->name, err.message);
        else
            fprintf(stderr, "normscope: %s\n", err.message);
    }
    return close_stdout(status);
}
