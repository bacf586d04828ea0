/* normscope bench: what things cost on this machine, as ratios to a peer or a physical limit in the same run. Each kind is a file
 * with an ns_command called ns_bench_NAME, beside the code that it measures, and a line here. */
#include <stdio.h>
#include <string.h>

#include "probe/base/cli.h"

#define KINDS(X) X(forward) X(fit) X(norms) X(train)

#define DECLARE(name) extern const ns_command ns_bench_##name;
KINDS(DECLARE)

#define ROW(name) {#name, &ns_bench_##name},
static const struct {
    const char *name;
    const ns_command *command;
} kinds[] = {KINDS(ROW)};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        printf("Usage: normscope bench %s\n\nKinds:\n", self->usage);
        for (int i = 0; i < KIND_COUNT; i++)
            printf("  %-10s  %s\n", kinds[i].name, kinds[i].command->summary);
        printf("\nEach kind explains its options: normscope bench KIND --help\n");
        return NS_OK;
    }
    for (int i = 0; argc > 1 && i < KIND_COUNT; i++)
        if (!strcmp(argv[1], kinds[i].name))
            return kinds[i].command->run(kinds[i].command, argc - 1, argv + 1, err);
    ns_fail(err, NS_EUSAGE, "expected what to measure first%s%s; one of",
            argc < 2 ? "" : ", found ", argc < 2 ? "" : argv[1]);
    for (int i = 0; i < KIND_COUNT; i++) ns_fail_more(err, "%s %s", i ? "," : "", kinds[i].name);
    return NS_EUSAGE;
}

const ns_command ns_command_bench = {
    .name = "bench",
    .group = "Measure",
    .summary = "what things cost on this machine, beside a limit or a peer",
    .usage = "KIND [options]",
    .run = run,
};
