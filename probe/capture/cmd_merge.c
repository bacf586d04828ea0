/* normscope merge: several runs of one model as one file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/capture/merge.h"

static int merge(const ns_list *files, const char *output, bool force, bool link, const char *line,
                 ns_error *err) {
    ns_store **runs = ns_calloc((size_t)files->count, sizeof *runs, err);
    char *full = ns_asprintf(err, "normscope %s", line), created[32];
    int status = runs && full ? NS_OK : NS_EFAIL;
    ns_cli_timestamp(created);
    if (!status) status = ns_output_ready(output, force, files->items, files->count, err);
    for (int i = 0; i < files->count && !status; i++) {
        status = ns_store_open(&runs[i], files->items[i], err);
    }
    if (!status) {
        ns_progress progress;
        uint64_t samples = 0;
        for (int i = 0; i < files->count; i++) samples += ns_store_samples(runs[i]);
        ns_progress_begin(&progress, "merge", "samples", samples);
        const ns_merge_options options = {output, force, link, full, created, &progress};
        ns_merge_result result;
        status = ns_merge_runs(runs, files->count, &options, &result, err);
        ns_progress_end(&progress);
        if (!status)
            printf("%s: %" PRIu64 " samples of %d runs at %d sites\n", output, result.samples,
                   files->count, result.sites);
    }
    for (int i = 0; runs && i < files->count; i++) ns_store_close(runs[i]);
    free(runs);
    free(full);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    const char *output = NULL;
    bool force = false, link = false;
    const ns_option options[] = {
        {"output", 'o', NS_OPT_TEXT, &output, "FILE", "HDF5 file to write", NULL, 0, 0},
        {"link", 0, NS_OPT_FLAG, &link, NULL,
         "refer to the rows of the files, which must then stay where they are, instead of copying "
         "them",
         NULL, 0, 0},
        {"force", 'f', NS_OPT_FLAG, &force, NULL, "overwrite an existing file", NULL, 0, 0},
        {0},
    };
    ns_list rest;
    int status = ns_cli_parse(self, options, argc, argv, 1, -1, &rest, err);
    char *line = status ? NULL : ns_command_line(argc, argv, err);
    if (!status && !output) status = ns_fail(err, NS_EUSAGE, "expected -o FILE, the file to write");
    if (!status) status = line ? merge(&rest, output, force, link, line, err) : NS_EFAIL;
    free(line);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_merge = {
    .name = "merge",
    .group = "Capture",
    .summary = "several runs of one model as one file",
    .usage = "FILE... -o FILE",
    .details = "Rows are copied, samples of rows joined by their priority, sketches merged: the "
               "result is that of one run over all "
               "samples, in the order of the files. The runs must be of one model with the same "
               "sites and the same mode; a sample "
               "that is in two of them is an error. The file appears when it is whole.",
    .examples = "  normscope merge monday.h5 tuesday.h5 -o both.h5\n",
    .run = run,
};
