#include "plots/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/gnuplot/gnuplot.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/near.h"

/* X(name): a file of plots/figures/ exports ns_figure_NAME. */
#define FIGURE_KINDS(X)                                                                            \
    X(scurve)                                                                                      \
    X(tokens)                                                                                      \
    X(channels) X(residual) X(rows) X(curves) X(alpha) X(training) X(depth) X(sweep) X(bench)

#define DECLARE(name) extern const ns_figure_kind ns_figure_##name;
FIGURE_KINDS(DECLARE)

#define ROW(name) &ns_figure_##name,
const ns_figure_kind *const ns_figure_kinds[] = {FIGURE_KINDS(ROW)};
const int ns_figure_kind_count = sizeof ns_figure_kinds / sizeof ns_figure_kinds[0];

static const char *kind_name(const void *user, size_t i) {
    (void)user;
    return ns_figure_kinds[i]->name;
}

const ns_figure_kind *ns_figure_kind_find(const char *name, ns_error *err) {
    for (int i = 0; i < ns_figure_kind_count; i++)
        if (!strcmp(ns_figure_kinds[i]->name, name)) return ns_figure_kinds[i];
    ns_fail(err, NS_EUSAGE, "unknown kind of figure '%s'", name);
    ns_near_names(err, name, (size_t)ns_figure_kind_count, kind_name, NULL, 2);
    ns_fail_more(err, "; expected one of");
    for (int i = 0; i < ns_figure_kind_count; i++)
        ns_fail_more(err, "%s %s", i ? "," : "", ns_figure_kinds[i]->name);
    return NULL;
}

int ns_plot_run_open(ns_plot_run *run, const char *path, const ns_selection *selection,
                     ns_error *err) {
    *run = (ns_plot_run){0};
    int status = ns_store_open(&run->store, path, err);
    if (status) return status;
    int count = ns_store_site_count(run->store);
    if (!ns_store_samples(run->store))
        return ns_fail(err, NS_EINPUT, "%s: expected complete samples, found none of %llu", path,
                       (unsigned long long)ns_store_samples_planned(run->store));
    bool *wanted = ns_calloc((size_t)count, sizeof *wanted, err);
    run->sites = ns_calloc((size_t)count, sizeof *run->sites, err);
    status = wanted && run->sites ? NS_OK : NS_EFAIL;
    if (!status) {
        status = ns_select_sites(selection, count, ns_store_select_at, run->store, wanted, err);
        if (status) ns_fail_context(err, "%s", path);
    }
    for (int i = 0; i < count && !status; i++)
        if (wanted[i]) run->sites[run->site_count++] = i;
    run->chosen = selection->select_count || selection->exclude_count || selection->layers;
    free(wanted);
    return status;
}

int ns_plot_runs_open(ns_plot_request *request, const ns_selection *selection, ns_error *err) {
    request->runs = ns_calloc((size_t)request->file_count, sizeof *request->runs, err);
    if (!request->runs) return NS_EFAIL;
    int status = NS_OK;
    for (int i = 0; i < request->file_count && !status; i++, request->run_count++)
        status = ns_plot_run_open(&request->runs[i], request->files[i], selection, err);
    return status;
}

void ns_plot_run_close(ns_plot_run *run) {
    ns_store_close(run->store);
    free(run->sites);
    *run = (ns_plot_run){0};
}

void ns_plot_runs_close(ns_plot_request *request) {
    for (int i = 0; i < request->run_count; i++) ns_plot_run_close(&request->runs[i]);
    free(request->runs);
    request->runs = NULL;
    request->run_count = 0;
}

int ns_plot_spread(const ns_plot_run *run, int most, int *chosen) {
    int n = run->site_count, count = n < most ? n : most;
    for (int k = 0; k < count; k++)
        chosen[k] = run->sites[(int)lround((double)n * (k + 1) / count) - 1];
    return count;
}

int ns_plot_columns(const ns_plot_request *r, int most, double least) {
    if (r->columns) return r->columns;
    int fit = r->width > 0 ? (int)(r->width / least) : most, rows;
    if (fit >= most || most < 1) return most;
    if (fit < 1) fit = 1;
    rows = (most + fit - 1) / fit;
    return (most + rows - 1) / rows; /* as many in each */
}

const char *ns_plot_norm_title(const ns_norm_kind *kind) {
    return kind->short_title ? kind->short_title : kind->title;
}

const char *ns_plot_norms_title(const ns_plot_run *run, const int *sites, int count) {
    const char *title = NULL;
    for (int i = 0; i < count; i++) {
        const char *its =
            ns_plot_norm_title(ns_store_site_at(run->store, sites[i])->site.norm.kind);
        if (title && strcmp(its, title) != 0) return "normalization";
        title = its;
    }
    return title;
}

const char *ns_plot_model_title(ns_figure *figure, const ns_store *store, ns_error *err) {
    const char *family = ns_store_attribute(store, "model_title");
    if (!family || !*family) family = ns_store_attribute(store, "model_family");
    if (!family || !*family) family = "model";
    if (!strcmp(family, "vit")) family = "ViT";
    if (!strcmp(family, "gpt")) family = "GPT";
    return ns_figure_label(figure, family, err);
}

const char *ns_plot_site_title(ns_figure *figure, const ns_store *store, const ns_site *site,
                               ns_error *err) {
    const char *model = ns_plot_model_title(figure, store, err);
    return model ? ns_figure_text(figure, err, "%s %s layer %d", model,
                                  ns_plot_norm_title(site->norm.kind), site->index)
                 : NULL;
}

/* NAME-2.ENDING for the second page. */
static char *page_path(const char *path, int page, ns_error *err) {
    if (!page) return ns_strdup(path, err);
    const char *dot = strrchr(path, '.');
    return ns_asprintf(err, "%.*s-%d%s", (int)(dot - path), path, page + 1, dot);
}

typedef struct writing {
    const ns_figure *figure;
    const ns_figure_places *places;
    const ns_style *style;
    const ns_plot_output *output;
    const ns_canvas_kind *kind;
    ns_text_kit *text;
    FILE *data;
} writing;

/* Pages [first, last) into one file. */
static int write_file(const writing *w, const char *path, int first, int last, ns_error *err) {
    const char *slash = strrchr(path, '/');
    const ns_document document = {.width = w->places->width,
                                  .height = w->places->height,
                                  .dpi = w->output->size.dpi,
                                  .title = w->output->title,
                                  .command_line = w->output->command_line,
                                  .source = w->output->source,
                                  .date = w->output->date,
                                  .salt = slash ? slash + 1 : path};
    if (w->output->gnuplot) {
        const ns_gnuplot_job job = {.figure = w->figure,
                                    .places = w->places,
                                    .style = w->style,
                                    .document = &document,
                                    .text = w->text,
                                    .path = path,
                                    .force = w->output->force,
                                    .first = first,
                                    .last = last,
                                    .data = w->data};
        return ns_gnuplot_write(&job, err);
    }
    ns_output file;
    int status = ns_output_open(&file, path, w->output->force, err);
    if (status) return status;
    ns_canvas *canvas = NULL;
    status = ns_canvas_open(&canvas, w->kind, &document, w->text, err);
    for (int page = first; page < last && !status; page++) {
        if (page > first) ns_draw_page(canvas, w->places->width, w->places->height);
        status = ns_figure_draw(w->figure, w->places, page, w->style, canvas, w->data, err);
    }
    if (!status) status = ns_canvas_finish(canvas, file.file, err);
    if (!status) status = ns_output_commit(&file, err);
    ns_canvas_close(canvas);
    ns_output_drop(&file);
    return status;
}

static int write_pages(writing *w, int *files, ns_error *err) {
    int status = NS_OK, pages = w->places->pages;
    for (int page = 0; page < pages && !status; page = w->kind->pages ? pages : page + 1) {
        char *path = page_path(w->output->path, page, err);
        status =
            path ? write_file(w, path, page, w->kind->pages ? pages : page + 1, err) : NS_EFAIL;
        if (status == NS_EFAIL && path) ns_fail_context(err, "%s", path);
        free(path);
        *files += !status;
    }
    return status;
}

int ns_plot_write(const ns_figure *figure, const ns_style *style, const ns_plot_output *o,
                  int *files, ns_error *err) {
    writing w = {
        .figure = figure, .style = style, .output = o, .kind = ns_canvas_kind_for(o->path, err)};
    *files = 0;
    if (!w.kind) return NS_EUSAGE;
    ns_output data = {0};
    ns_figure_places places = {0};
    w.places = &places;
    int status = ns_text_kit_new(&w.text, o->font ? o->font : style->font, err);
    if (!status) status = ns_figure_arrange(&places, figure, style, w.text, &o->size, err);
    if (!status && o->data) status = ns_output_open(&data, o->data, o->force, err);
    if (!status && o->data) ns_figure_data_head(w.data = data.file);
    if (!status) status = write_pages(&w, files, err);
    if (!status && o->data) status = ns_output_commit(&data, err);
    ns_output_drop(&data);
    ns_figure_places_free(&places);
    ns_text_kit_free(w.text);
    return status;
}
