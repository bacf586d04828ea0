/* normscope plot: figures, one kind a word. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strptime, timegm */
#endif
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/runs.h"
#include "plots/gnuplot/gnuplot.h"
#include "plots/plot.h"
#include "plots/figure/venue.h"
#include "probe/base/cli.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/near.h"
#include "probe/store/training.h"

typedef struct settings {
    ns_selection_words sites;
    const char *output, *data, *font, *title;
    double width, height, dpi;
    int64_t columns;
    int backend, style, venue, span; /* venue, span: -1 where not given */
    bool force, all, no_fit;
    const char *rows;
} settings;

enum { BACKEND_CAIRO, BACKEND_GNUPLOT };
enum { MOST_OPTIONS = 20 + NS_MOST_KIND_OPTIONS + 1 }; /* and the end of the list */

static int add_options(settings *s, const ns_figure_kind *kind, void *own, ns_option *out) {
    const ns_option common[] = {
        {"output", 'o', NS_OPT_TEXT, &s->output, "FILE", "what to write: .pdf, .svg, .png or .eps",
         NULL, 0, 0},
        {"force", 'f', NS_OPT_FLAG, &s->force, NULL, "overwrite existing files", NULL, 0, 0},
        {"data", 0, NS_OPT_TEXT, &s->data, "FILE",
         "also write what was drawn, as TSV: for points, the bins", NULL, 0, 0},
        {"backend", 0, NS_OPT_CHOICE, &s->backend, "cairo|gnuplot",
         "who draws; gnuplot's script (FIGURE.pdf.gp) and data stay beside the figure, to be "
         "changed "
         "and run again",
         "cairo", 0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Look", NULL, 0, 0},
        {"style", 0, NS_OPT_CHOICE, &s->style, NS_STYLE_WORDS,
         "colours that every eye can tell apart, or those of the paper", "default", 0, 0},
        {"venue", 0, NS_OPT_CHOICE, &s->venue, NS_VENUE_WORDS,
         "width, sizes of text and widths of lines as it asks for them", NULL, 0, 0},
        {"span", 0, NS_OPT_CHOICE, &s->span, NS_SPAN_WORDS,
         "width of the venue's column or of its whole text",
         "column for panels below each other, else text", 0, 0},
        {"width", 0, NS_OPT_REAL, &s->width, "MM", "of the figure", "the span, else 84, 126 or 174",
         10, 5000},
        {"height", 0, NS_OPT_REAL, &s->height, "MM", "of the figure, all on one page",
         "by the panels", 10, 5000},
        {"dpi", 0, NS_OPT_REAL, &s->dpi, "N", "pixels an inch of points, and of PNG", "600", 36,
         2400},
        {"font", 0, NS_OPT_TEXT, &s->font, "FAMILY", "font family", "DejaVu Sans", 0, 0},
        {"columns", 0, NS_OPT_INT, &s->columns, "N", "panels beside each other", "by the kind", 1,
         64},
        {"title", 0, NS_OPT_TEXT, &s->title, "TEXT", "line above the panels", NULL, 0, 0},
    };
    const ns_option per_site[] = {
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Sites", NULL, 0, 0},
        NS_SELECTION_OPTIONS(s->sites),
    };
    const ns_option every_site = {"all",   0,    NS_OPT_FLAG,
                                  &s->all, NULL, "every site, on as many pages as it takes",
                                  NULL,    0,    0};
    const ns_option no_fit = {
        "no-fit", 0, NS_OPT_FLAG, &s->no_fit, NULL, "points without the fitted curve", NULL, 0, 0};
    const ns_option rows = NS_ROWS_OPTION(s->rows);
    int count = 0, own_count = kind->options ? kind->options(own, out) : 0;
    count += own_count;
    memcpy(out + count, common, sizeof common);
    count += (int)(sizeof common / sizeof *common);
    if (kind->per_site) {
        memcpy(out + count, per_site, sizeof per_site);
        count += (int)(sizeof per_site / sizeof *per_site);
    }
    if (kind->some_sites) out[count++] = every_site;
    if (kind->fits) out[count++] = no_fit;
    if (kind->takes_rows) out[count++] = rows;
    return count;
}

/* The text as a document may hold it; the one given is freed. */
static char *cleaned(char *text, ns_error *err) {
    char *clean = text ? ns_label_clean(text, err) : NULL;
    free(text);
    return clean;
}

static char *describe_command(int argc, char **argv, ns_error *err) {
    char *line = ns_command_line(argc, argv, err),
         *full = line ? ns_asprintf(err, "normscope %s", line) : NULL;
    free(line);
    return cleaned(full, err);
}

/* "run.h5 sha256:...; ...": what the figure was made from. Of the folder of a training run, what it recorded. */
static char *describe_source(const ns_list *files, ns_error *err) {
    char *text = ns_strdup("", err);
    for (int i = 0; i < files->count && text; i++) {
        char hex[NS_HASH_HEX], *longer = NULL;
        char *path = ns_training_file(files->items[i], err);
        const char *slash = strrchr(files->items[i], '/');
        if (path && !ns_hash_file(path, hex, err))
            longer = ns_asprintf(err, "%s%s%s sha256:%s", text, i ? "; " : "",
                                 slash && slash[1] ? slash + 1 : files->items[i], hex);
        free(path);
        free(text);
        text = longer;
    }
    return cleaned(text, err);
}

/* That of SOURCE_DATE_EPOCH, else that of the first run, so that the same input gives the same bytes. */
static int64_t figure_date(const ns_plot_request *r) {
    const char *given = getenv("SOURCE_DATE_EPOCH"),
               *created = r->run_count ? ns_store_attribute(r->runs[0].store, "created") : NULL;
    struct tm utc = {0};
    if (given && *given) return strtoll(given, NULL, 10);
    return created && strptime(created, "%Y-%m-%dT%H:%M:%SZ", &utc) ? timegm(&utc) : 0;
}

/* mm: what it may have at most, before its panels are known; 0 where neither --width nor --venue say it. */
static double most_width(const settings *s) {
    if (s->width > 0 || s->venue < 0) return s->width;
    return s->span == NS_SPAN_COLUMN ? ns_venues[s->venue].column : ns_venues[s->venue].text;
}

/* mm; 0 where neither --width nor --venue say it. */
static double figure_width(const settings *s, const ns_figure *figure) {
    if (s->width > 0 || s->venue < 0) return s->width;
    const ns_venue *v = &ns_venues[s->venue];
    bool whole = s->span < 0 ? figure->columns > 1 : s->span == NS_SPAN_TEXT;
    return whole ? v->text : v->column;
}

static int draw(const settings *s, const ns_figure_kind *kind, ns_plot_request *r,
                const ns_list *files, int argc, char **argv, ns_error *err) {
    ns_figure figure = {0};
    int written = 0, status = kind->build(r, &figure, err);
    char *line = NULL, *source = NULL;
    if (!status && s->title && !(figure.title = ns_figure_label(&figure, s->title, err)))
        status = NS_EFAIL;
    if (!status && !(line = describe_command(argc, argv, err))) status = NS_EFAIL;
    if (!status && !(source = describe_source(files, err))) status = NS_EFAIL;
    if (!status) {
        const ns_plot_output output = {.path = s->output,
                                       .data = s->data,
                                       .force = s->force,
                                       .gnuplot = s->backend == BACKEND_GNUPLOT,
                                       .size = {figure_width(s, &figure), s->height, s->dpi},
                                       .font = s->font,
                                       .title = figure.title ? figure.title : kind->summary,
                                       .command_line = line,
                                       .source = source,
                                       .date = figure_date(r)};
        status = ns_plot_write(&figure, r->style, &output, &written, err);
    }
    if (!status) {
        printf("%s: %d panel%s", s->output, figure.panel_count, figure.panel_count == 1 ? "" : "s");
        if (written > 1) printf(", and %d more files", written - 1);
        printf("%s%s\n", figure.summary ? "; " : "", figure.summary ? figure.summary : "");
        if (figure.warning) fprintf(stderr, "normscope plot: warning: %s\n", figure.warning);
    }
    free(line);
    free(source);
    ns_figure_free(&figure);
    return status;
}

/* Figure and data before anything is read: a figure of hundreds of millions of points takes its time. */
static int outputs_ready(const settings *s, const ns_list *files, ns_error *err) {
    char **owned = ns_calloc((size_t)files->count + 1, sizeof *owned, err);
    const char *const *inputs = (const char *const *)owned;
    int count = files->count, status = owned ? NS_OK : NS_EFAIL;
    for (int i = 0; i < count && !status; i++)
        if (!(owned[i] = ns_training_file(files->items[i], err))) status = NS_EFAIL;
    if (!status) status = ns_output_ready(s->output, s->force, inputs, count, err);
    if (!status && s->data && !strcmp(s->data, s->output))
        status =
            ns_fail(err, NS_EUSAGE, "--data: expected another file than -o, found %s", s->data);
    if (!status && s->data) status = ns_output_ready(s->data, s->force, inputs, count, err);
    for (int i = 0; owned && i < count; i++) free(owned[i]);
    free(owned);
    return status;
}

static int run_kind(const ns_command *self, const ns_figure_kind *kind, int argc, char **argv,
                    ns_error *err) {
    settings s = {.dpi = 600, .venue = -1, .span = -1};
    void *own = ns_calloc(1, kind->settings_size, err);
    ns_option options[MOST_OPTIONS] = {{0}};
    if (!own) return NS_EFAIL;
    int end = add_options(&s, kind, own, options);
    options[end] = (ns_option){0};
    char name[64];
    bool takes = kind->takes_runs || kind->takes_files;
    snprintf(name, sizeof name, "plot %s", kind->name);
    const ns_command command = {.name = name,
                                .group = self->group,
                                .usage =
                                    takes ? "FILE... -o FIGURE [options]" : "-o FIGURE [options]",
                                .details = kind->details,
                                .examples = kind->examples};
    ns_list rest = {0};
    int status = ns_cli_parse(&command, options, argc - 1, argv + 1, takes ? 1 : 0, takes ? -1 : 0,
                              &rest, err);
    if (!status && !s.output)
        status = ns_fail(err, NS_EUSAGE,
                         "expected -o FILE, the figure to write (.pdf, .svg, .png or .eps)");
    if (!status && !ns_canvas_kind_for(s.output, err)) status = NS_EUSAGE;
    if (!status && s.span >= 0 && s.venue < 0)
        status = ns_fail(err, NS_EUSAGE, "--span: expected --venue with it, whose width it is");
    if (!status && s.backend == BACKEND_GNUPLOT) status = ns_gnuplot_ready(s.output, err);
    if (!status) status = outputs_ready(&s, &rest, err);
    ns_style style = *ns_styles[s.style];
    if (s.venue >= 0) ns_venue_apply(&ns_venues[s.venue], &style);
    ns_row_choice choice = {.text = "all"};
    if (!status) status = ns_row_choice_parse(&choice, s.rows, err);
    ns_plot_request request = {.files = rest.items,
                               .file_count = rest.count,
                               .style = &style,
                               .columns = (int)s.columns,
                               .width = most_width(&s),
                               .all = s.all,
                               .no_fit = s.no_fit,
                               .rows = &choice,
                               .settings = own};
    const ns_selection selection = ns_selection_of(&s.sites);
    request.selection = &selection;
    if (!status && kind->takes_runs) status = ns_plot_runs_open(&request, &selection, err);
    if (!status) status = draw(&s, kind, &request, &rest, argc, argv, err);
    ns_plot_runs_close(&request);
    ns_selection_free(&s.sites);
    ns_list_free(&rest);
    free(own);
    return status < 0 ? NS_OK : status;
}

static void print_kinds(const ns_command *self) {
    printf("Usage: normscope plot %s\n\nKinds:\n", self->usage);
    for (int i = 0; i < ns_figure_kind_count; i++)
        printf("  %-10s  %s\n", ns_figure_kinds[i]->name, ns_figure_kinds[i]->summary);
    printf("\nEach kind explains its options: normscope plot KIND --help\n\nExamples:\n%s",
           self->examples);
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        print_kinds(self);
        return NS_OK;
    }
    if (argc < 2 || argv[1][0] == '-') {
        ns_fail(err, NS_EUSAGE, "expected a kind of figure first%s%s; one of",
                argc < 2 ? "" : ", found ", argc < 2 ? "" : argv[1]);
        for (int i = 0; i < ns_figure_kind_count; i++)
            ns_fail_more(err, "%s %s", i ? "," : "", ns_figure_kinds[i]->name);
        return NS_EUSAGE;
    }
    const ns_figure_kind *kind = ns_figure_kind_find(argv[1], err);
    return kind ? run_kind(self, kind, argc, argv, err) : NS_EUSAGE;
}

const ns_command ns_command_plot = {
    .name = "plot",
    .group = "Draw",
    .summary = "figures for papers: output against input, and more",
    .usage = "KIND FILE... -o FIGURE [options]",
    .examples = "  normscope plot scurve run.h5 -o scurve.pdf\n",
    .run = run,
};
