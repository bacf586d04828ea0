/* normscope report: one page of HTML about runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/runs.h"
#include "plots/report/report.h"
#include "probe/base/cli.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"

typedef struct settings {
    ns_selection_words sites;
    const char *output, *font, *title;
    double dpi;
    int style;
    bool force, no_fit;
} settings;

static int make_page(const settings *s, const ns_plot_request *request, int argc, char **argv,
                     ns_error *err) {
    ns_output file;
    int status = ns_output_open(&file, s->output, s->force, err);
    if (status) return status;
    char *line = ns_command_line(argc, argv, err);
    char *full = line ? ns_asprintf(err, "normscope %s", line) : NULL;
    ns_progress progress = {0};
    ns_report_counts counts;
    const ns_report_options options = {.dpi = s->dpi,
                                       .font = s->font,
                                       .title = s->title,
                                       .command_line = full,
                                       .progress = &progress};
    status = full ? ns_report_write(file.file, request, &options, &counts, err) : NS_EFAIL;
    if (status == NS_EFAIL) ns_fail_context(err, "%s", s->output);
    long size = status ? 0 : ftell(file.file);
    if (!status) status = ns_output_commit(&file, err);
    ns_output_drop(&file);
    if (!status) {
        char bytes[24];
        printf("%s: %d layers, %d figures, %s\n", s->output, counts.sites, counts.figures,
               ns_human_bytes((double)size, bytes));
        if (counts.missing)
            printf("%d figure%s not drawn; the page says why\n", counts.missing,
                   counts.missing == 1 ? "" : "s");
    }
    free(full);
    free(line);
    return status;
}

static bool ends_in_html(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (!strcasecmp(dot, ".html") || !strcasecmp(dot, ".htm"));
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.dpi = 150};
    const ns_option options[] = {
        {"output", 'o', NS_OPT_TEXT, &s.output, "FILE", "the page to write, .html", NULL, 0, 0},
        {"force", 'f', NS_OPT_FLAG, &s.force, NULL, "overwrite an existing file", NULL, 0, 0},
        {"title", 0, NS_OPT_TEXT, &s.title, "TEXT", "heading of the page", "by the files' names", 0,
         0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Figures", NULL, 0, 0},
        {"dpi", 0, NS_OPT_REAL, &s.dpi, "N", "pixels an inch of points; more make a larger file",
         "150", 36, 1200},
        {"style", 0, NS_OPT_CHOICE, &s.style, NS_STYLE_WORDS,
         "colours that every eye can tell apart, or those of the paper", "default", 0, 0},
        {"font", 0, NS_OPT_TEXT, &s.font, "FAMILY", "font family", "DejaVu Sans", 0, 0},
        {"no-fit", 0, NS_OPT_FLAG, &s.no_fit, NULL, "points without the fitted curve", NULL, 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Sites", NULL, 0, 0},
        NS_SELECTION_OPTIONS(s.sites),
        {0},
    };
    ns_list rest = {0};
    int status = ns_cli_parse(self, options, argc, argv, 1, -1, &rest, err);
    if (!status && !s.output)
        status = ns_fail(err, NS_EUSAGE, "expected -o FILE, the page to write (.html)");
    if (!status && !ends_in_html(s.output))
        status = ns_fail(err, NS_EUSAGE, "%s: expected a name that ends in .html", s.output);
    if (!status) status = ns_output_ready(s.output, s.force, rest.items, rest.count, err);
    ns_plot_request request = {.files = rest.items,
                               .file_count = rest.count,
                               .style = ns_styles[s.style],
                               .no_fit = s.no_fit};
    const ns_selection selection = ns_selection_of(&s.sites);
    request.selection = &selection;
    if (!status) status = ns_plot_runs_open(&request, &selection, err);
    if (!status) status = make_page(&s, &request, argc, argv, err);
    ns_plot_runs_close(&request);
    ns_selection_free(&s.sites);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_report = {
    .name = "report",
    .group = "Draw",
    .summary = "one HTML page about runs: every layer in numbers and figures",
    .usage = "FILE... -o PAGE.html [options]",
    .details = "The page is whole in itself: a browser fetches nothing, so it can be mailed and "
               "archived. It has a table of all "
               "layers, to sort and filter, with what stats and fit say of them, the figures that "
               "the runs have the data for, and the S-curve of every layer. The same input gives "
               "the same bytes.",
    .examples = "  normscope report run.h5 -o report.html\n"
                "  normscope report runs/*.h5 --layers 1-12 --dpi 300 -o report.html\n",
    .run = run,
};
