#include "plots/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "plots/report/report_internal.h"
#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/stop.h"

typedef struct making {
    const ns_plot_request *request;
    const ns_report_options *options;
    ns_report_counts *counts;
    ns_page page;
    ns_bytes missing; /* what could not be drawn, and why */
    ns_text_kit *text;
    int drawn; /* pictures in the page: makes their ids differ */
} making;

/* ---- figures ---- */

/* A figure with its layout, and the settings that it was built by, which its layers may still look at. */
typedef struct drawing {
    ns_figure figure;
    ns_figure_places places;
    void *settings;
} drawing;

static void drawing_free(drawing *d) {
    ns_figure_places_free(&d->places);
    ns_figure_free(&d->figure);
    free(d->settings);
}

/* By the kind's usual settings. drawing_free afterwards, also after a failure. */
static int build(const making *m, const ns_figure_kind *kind, ns_plot_request *request,
                 drawing *out, ns_error *err) {
    ns_option unused[NS_MOST_KIND_OPTIONS + 1] = {{0}};
    const ns_figure_size size = {.dpi = m->options->dpi};
    *out = (drawing){.settings = ns_calloc(1, kind->settings_size, err)};
    if (!out->settings) return NS_EFAIL;
    if (kind->options) kind->options(out->settings, unused);
    request->settings = out->settings;
    int status = kind->build(request, &out->figure, err);
    if (!status)
        status = ns_figure_arrange(&out->places, &out->figure, request->style, m->text, &size, err);
    return status;
}

/* One page of a figure, as an element. */
static int draw_page(making *m, const drawing *d, int page, const char *title, ns_error *err) {
    char salt[32];
    snprintf(salt, sizeof salt, "report %d", ++m->drawn);
    const ns_document document = {.width = d->places.width,
                                  .height = d->places.height,
                                  .dpi = m->options->dpi,
                                  .title = title,
                                  .part = true,
                                  .salt = salt};
    const ns_canvas_kind *svg = ns_canvas_kind_for("part.svg", err);
    ns_canvas *canvas = NULL;
    int status = svg ? ns_canvas_open(&canvas, svg, &document, m->text, err) : NS_EFAIL;
    if (!status)
        status = ns_figure_draw(&d->figure, &d->places, page, m->request->style, canvas, NULL, err);
    if (!status) status = ns_page_flush(&m->page, err);
    if (!status) status = ns_canvas_finish(canvas, m->page.file, err);
    ns_canvas_close(canvas);
    return status;
}

/* All pages, each a sheet of its own. */
static int draw_pages(making *m, const drawing *d, const char *title, ns_error *err) {
    int status = NS_OK;
    ns_bytes_print(&m->page.text, "<div class=\"picture\">\n");
    for (int page = 0; page < d->places.pages && !status; page++) {
        ns_bytes_print(&m->page.text, "<div class=\"sheet\">\n");
        status = draw_page(m, d, page, title, err);
        ns_bytes_print(&m->page.text, "</div>\n");
    }
    ns_bytes_print(&m->page.text, "</div>\n");
    m->counts->figures++;
    return status;
}

/* The page's choices as far as the kind has them, in words[most]; returns how many. */
static int add_choices(const making *m, const ns_figure_kind *kind, const ns_plot_request *r,
                       const char **words) {
    const ns_selection *s = r->selection;
    int n = 0;
    if (kind->per_site) {
        for (int i = 0; i < s->select_count; i++)
            words[n++] = "--select", words[n++] = s->select[i];
        for (int i = 0; i < s->exclude_count; i++)
            words[n++] = "--exclude", words[n++] = s->exclude[i];
        if (s->layers) words[n++] = "--layers", words[n++] = s->layers;
    }
    if (kind->fits && r->no_fit) words[n++] = "--no-fit";
    if (r->style != ns_styles[0]) words[n++] = "--style", words[n++] = r->style->name;
    if (m->options->font) words[n++] = "--font", words[n++] = m->options->font;
    return n;
}

/* "normscope plot scurve run.h5 -o scurve.pdf", for those who want the figure alone. */
static void add_command(making *m, const ns_figure_kind *kind, const ns_plot_request *r) {
    const ns_selection *s = r->selection;
    enum { OTHERS = 7 };
    int most = r->file_count + 2 * (s->select_count + s->exclude_count) + OTHERS;
    const char **words = ns_calloc((size_t)most, sizeof *words, NULL);
    int count = 0;
    for (int i = 0; words && i < r->file_count; i++) words[count++] = r->files[i];
    if (words) count += add_choices(m, kind, r, words + count);
    char *rest = words ? ns_command_line(count, (char **)(uintptr_t)words, NULL) : NULL;
    char *line =
        rest ? ns_asprintf(NULL, "normscope plot %s %s -o %s.pdf", kind->name, rest, kind->name)
             : NULL;
    ns_bytes_print(&m->page.text, "<code>");
    ns_page_text(&m->page, line ? line : kind->name);
    ns_bytes_print(&m->page.text, "</code>");
    free(words);
    free(rest);
    free(line);
}

static int add_card(making *m, const ns_figure_kind *kind, const ns_plot_request *r,
                    const drawing *d, ns_error *err) {
    ns_bytes_print(&m->page.text, "<figure class=\"card\">\n");
    int status = draw_pages(m, d, kind->summary, err);
    ns_bytes_print(&m->page.text, "<figcaption><span class=\"name\">");
    ns_page_text(&m->page, kind->in_report ? kind->in_report : kind->summary);
    ns_bytes_print(&m->page.text, "</span>");
    if (d->figure.summary) {
        ns_bytes_print(&m->page.text, " <span class=\"summary\">");
        ns_page_text(&m->page, d->figure.summary);
        ns_bytes_print(&m->page.text, ".</span>");
    }
    ns_bytes_print(&m->page.text, " ");
    add_command(m, kind, r);
    ns_bytes_print(&m->page.text, "</figcaption>\n</figure>\n");
    return status;
}

static void note_missing(making *m, const ns_figure_kind *kind, const char *message) {
    m->counts->missing++;
    ns_page out = {.text = m->missing};
    ns_bytes_print(&out.text, "<li><b>");
    ns_page_text(&out, kind->name);
    ns_bytes_print(&out.text, "</b>: ");
    ns_page_text(&out, message);
    ns_bytes_print(&out.text, "</li>\n");
    m->missing = out.text;
}

/* Runs that do not have what a kind needs, or too many of them, are no failure of the page. */
static bool is_missing(int status) {
    return status == NS_EINPUT || status == NS_EUSAGE;
}

/* The kind for all runs at once; where it does not take them together, for each. */
static int add_kind(making *m, const ns_figure_kind *kind, const ns_plot_request *whole,
                    ns_error *err) {
    ns_plot_request r = *whole;
    drawing d;
    ns_error why = {0};
    int status = build(m, kind, &r, &d, &why);
    if (!status) {
        status = add_card(m, kind, &r, &d, err);
    } else if (is_missing(status) && r.run_count > 1) {
        status = NS_OK;
        for (int k = 0; k < whole->run_count && !status; k++) {
            ns_plot_request one = *whole;
            one.runs = &whole->runs[k], one.files = &whole->files[k];
            one.run_count = one.file_count = 1;
            status = add_kind(m, kind, &one, err);
        }
    } else if (is_missing(status)) {
        note_missing(m, kind, why.message);
        status = NS_OK;
    } else if (err) {
        *err = why;
    }
    drawing_free(&d);
    return status;
}

static int add_figures(making *m, ns_error *err) {
    int status = NS_OK;
    ns_page_section(&m->page, "figures", "Figures");
    ns_bytes_print(&m->page.text, "<div class=\"figures\">\n");
    for (int i = 0; i < ns_figure_kind_count && !status; i++) {
        if (ns_stop_requested()) return ns_fail(err, NS_ESTOP, "stopped by request");
        if (ns_figure_kinds[i]->takes_runs || ns_figure_kinds[i]->in_report)
            status = add_kind(m, ns_figure_kinds[i], m->request, err);
    }
    ns_bytes_print(&m->page.text, "</div>\n");
    if (m->counts->missing) {
        ns_bytes_print(&m->page.text, "<h3>Not drawn</h3>\n<ul class=\"missing\">\n");
        ns_bytes_add(&m->page.text, m->missing.data, m->missing.size);
        ns_bytes_print(&m->page.text, "</ul>\n");
    }
    m->page.text.failed |= m->missing.failed;
    ns_page_section(&m->page, NULL, NULL);
    return status;
}

/* ---- the S-curve of every site ---- */

static int add_curve(making *m, const ns_figure_kind *scurve, int k, int site, ns_error *err) {
    const ns_plot_run *run = &m->request->runs[k];
    const ns_site *its = &ns_store_site_at(run->store, site)->site;
    ns_plot_run alone = {.store = run->store, .sites = &site, .site_count = 1, .chosen = true};
    ns_plot_request r = *m->request;
    r.runs = &alone, r.files = &m->request->files[k], r.run_count = r.file_count = 1;
    char id[NS_SITE_ID], title[64];
    ns_page_site_id(id, run, k + 1, site);
    snprintf(title, sizeof title, "output against input of layer %d", its->index);
    drawing d;
    ns_error why = {0};
    int status = build(m, scurve, &r, &d, &why);
    ns_bytes_print(&m->page.text, "<figure class=\"card\" id=\"%s\">\n", id);
    if (!status) {
        status = draw_pages(m, &d, title, err);
    } else if (is_missing(status)) {
        ns_bytes_print(&m->page.text, "<p class=\"missing\">");
        ns_page_text(&m->page, why.message);
        ns_bytes_print(&m->page.text, "</p>\n");
        m->counts->missing++;
        status = NS_OK;
    } else if (err) {
        *err = why;
    }
    drawing_free(&d);
    ns_bytes_print(&m->page.text, "<figcaption><span class=\"name\">%d ", its->index);
    ns_page_text(&m->page, its->name);
    ns_bytes_print(&m->page.text, "</span></figcaption>\n</figure>\n");
    return status;
}

static int add_curves(making *m, ns_error *err) {
    const ns_plot_request *r = m->request;
    const ns_figure_kind *scurve = ns_figure_kind_find("scurve", err);
    int status = scurve ? NS_OK : NS_EFAIL;
    ns_page_section(&m->page, "curves", "Every layer");
    for (int k = 0; k < r->run_count && !status; k++) {
        if (r->run_count > 1) {
            ns_bytes_print(&m->page.text, "<h3>");
            ns_page_text(&m->page, r->files[k]);
            ns_bytes_print(&m->page.text, "</h3>\n");
        }
        ns_bytes_print(&m->page.text, "<div class=\"panels\">\n");
        for (int i = 0; i < r->runs[k].site_count && !status; i++)
            status = ns_stop_requested() ? ns_fail(err, NS_ESTOP, "stopped by request")
                                         : add_curve(m, scurve, k, r->runs[k].sites[i], err);
        ns_bytes_print(&m->page.text, "</div>\n");
    }
    ns_page_section(&m->page, NULL, NULL);
    return status;
}

/* ---- the page ---- */

static int add_runs(making *m, ns_error *err) {
    int status = NS_OK;
    ns_page_section(&m->page, "runs", m->request->run_count > 1 ? "Runs" : "Run");
    ns_bytes_print(&m->page.text, "<div class=\"runs\">\n");
    for (int k = 0; k < m->request->run_count && !status; k++)
        status = ns_page_run(&m->page, m->request, k, err);
    ns_bytes_print(&m->page.text, "</div>\n");
    ns_page_section(&m->page, NULL, NULL);
    return status;
}

static int add_sites(making *m, ns_error *err) {
    ns_site_table sites;
    int status = ns_site_table_make(&sites, m->request, m->options->progress, err);
    if (!status) {
        m->counts->sites = ns_table_rows(sites.table);
        ns_page_section(&m->page, "sites", "Layers");
        ns_page_sites(&m->page, m->request, &sites);
        ns_page_section(&m->page, NULL, NULL);
        status = ns_page_flush(&m->page, err);
    }
    ns_site_table_free(&sites);
    return status;
}

static char *make_title(const ns_plot_request *r, ns_error *err) {
    const char *slash = strrchr(r->files[0], '/'), *name = slash ? slash + 1 : r->files[0];
    return r->run_count == 1 ? ns_asprintf(err, "Normalization layers of %s", name)
                             : ns_asprintf(err, "Normalization layers of %d runs", r->run_count);
}

int ns_report_write(FILE *file, const ns_plot_request *request, const ns_report_options *options,
                    ns_report_counts *counts, ns_error *err) {
    making m = {.request = request, .options = options, .counts = counts, .page = {.file = file}};
    *counts = (ns_report_counts){0};
    char *title = options->title ? ns_strdup(options->title, err) : make_title(request, err);
    int status = title ? NS_OK : NS_EFAIL;
    if (!status)
        status =
            ns_text_kit_new(&m.text, options->font ? options->font : request->style->font, err);
    if (!status) {
        ns_page_head(&m.page, title, request);
        status = add_runs(&m, err);
    }
    if (!status) status = add_sites(&m, err);
    if (!status) status = add_figures(&m, err);
    if (!status) status = add_curves(&m, err);
    if (!status) {
        ns_page_foot(&m.page, options->command_line);
        status = ns_page_flush(&m.page, err);
    }
    ns_text_kit_free(m.text);
    free(m.page.text.data);
    free(m.missing.data);
    free(title);
    return status;
}
