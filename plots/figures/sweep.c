/* sweep: a result over a setting, from a table with a row for each run (Zhu et al. 2025, figures 9 to 11): lines with the spread over
 * seeds, or a heat map over two settings. */
#include "plots/figures/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

static int build_figure(ns_sweep_work *w, ns_error *err) {
    ns_figure *figure = w->figure;
    figure->panels = ns_figure_alloc(figure, 1, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    figure->panel_count = figure->rows = figure->columns = 1;
    figure->aspect = 0.72;
    if (w->settings->second && w->series_count > 1)
        return ns_fail(err, NS_EUSAGE,
                       "--second: a heat map shows one group of one file; found %d groups",
                       w->series_count);
    qsort(w->rows, (size_t)w->count, sizeof *w->rows, ns_sweep_compare);
    int status = w->settings->second ? ns_sweep_heat(w, figure->panels, err)
                                     : ns_sweep_lines(w, figure->panels, err);
    if (status) return status;
    figure->summary = w->failed
                          ? ns_figure_text(figure, err, "%d runs; %d without a result, left out",
                                           w->count, w->failed)
                          : ns_figure_text(figure, err, "%d runs", w->count);
    status = ns_sweep_tell_means(w, err);
    if (!status && w->failed)
        figure->caption =
            ns_figure_text(figure, err, "%s%s%d of %d runs without a result that can be drawn.",
                           figure->caption ? figure->caption : "", figure->caption ? " " : "",
                           w->failed, w->failed + w->count);
    if (status) return status;
    return figure->summary && (figure->caption || !w->failed) ? NS_OK : NS_EFAIL;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    ns_sweep_work *w = ns_figure_alloc(figure, 1, sizeof *w, err); /* axes borrow the words */
    if (!w) return NS_EFAIL;
    *w = (ns_sweep_work){.request = r, .settings = r->settings, .figure = figure};
    int status = NS_OK;
    if (!w->settings->x || !w->settings->y)
        status = ns_fail(err, NS_EUSAGE, "expected --x and --y, columns of the table");
    if (!status && !(w->tables = ns_calloc((size_t)r->file_count, sizeof *w->tables, err)))
        status = NS_EFAIL;
    if (!status) status = ns_sweep_read(w, err);
    if (!status) status = build_figure(w, err);
    for (int f = 0; f < r->file_count && w->tables; f++) ns_tsv_close(&w->tables[f]);
    free(w->tables);
    free(w->rows);
    return status;
}

static int options(void *own, ns_option *out) {
    ns_sweep_settings *s = own;
    const ns_option all[] = {
        {"x", 'x', NS_OPT_TEXT, &s->x, "COLUMN",
         "the setting, numbers or words; a row where it is empty is left out", NULL, 0, 0},
        {"y", 'y', NS_OPT_TEXT, &s->y, "COLUMN", "the result; empty or nan: none", NULL, 0, 0},
        {"group", 'g', NS_OPT_TEXT, &s->group, "COLUMN", "a line for each of its values", NULL, 0,
         0},
        {"second", '2', NS_OPT_TEXT, &s->second, "COLUMN",
         "a heat map: --x across, this, which no row may lack, upwards, the mean of --y as colour",
         NULL, 0, 0},
        {"spread", 0, NS_OPT_CHOICE, &s->spread, "range|sd",
         "of runs with the same --x and group: least to largest, or the standard deviation about "
         "the mean",
         "range", 0, 0},
        {"log-x", 0, NS_OPT_FLAG, &s->log_x, NULL, "a logarithmic axis for --x", NULL, 0, 0},
        {"log-y", 0, NS_OPT_FLAG, &s->log_y, NULL, "a logarithmic axis, or colours, for --y", NULL,
         0, 0},
        {"x-label", 0, NS_OPT_TEXT, &s->x_label, "TEXT", "what the axis of --x is called",
         "the column", 0, 0},
        {"y-label", 0, NS_OPT_TEXT, &s->y_label, "TEXT",
         "what the axis, or the bar, of --y is called", "the column", 0, 0},
    };
    memcpy(out, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

const ns_figure_kind ns_figure_sweep = {
    .name = "sweep",
    .summary = "a result over a setting such as alpha_0, from a table of runs",
    .details =
        "FILE is a table of tab-separated values with the names of its columns in the first line "
        "(after lines that begin with #, the last of which may hold units) and a row for each "
        "run. Several files are so many groups.\n"
        "All runs with the same --x and group (and --second) make one point: their mean, with a "
        "whisker for their spread, whatever else they differ in. The caption says how many runs "
        "and names the columns in which they differ; where that is more than seed, a warning does "
        "as well. Columns that look like other results or like names of runs are not named: "
        "numbers that are not whole and nearly all differ, and words of which every run has its "
        "own.",
    .examples = "  normscope plot sweep runs.tsv -x alpha_0 -y accuracy -g model -o alpha0.pdf\n"
                "  normscope plot sweep runs.tsv -x alpha_0 -2 width -y accuracy -o map.pdf\n",
    .takes_files = true,
    .options = options,
    .settings_size = sizeof(ns_sweep_settings),
    .build = build,
};
