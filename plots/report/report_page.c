/* The markup of a report. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plots/report/report_internal.h"
#include "probe/base/hash.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/version.h"

static void markup(ns_page *page, const char *text) {
    ns_bytes_add(&page->text, text, strlen(text));
}

void ns_page_text(ns_page *page, const char *text) {
    char *clean = ns_label_clean(text, NULL);
    if (clean) ns_bytes_escape(&page->text, clean, strlen(clean));
    page->text.failed |= !clean;
    free(clean);
}

int ns_page_flush(ns_page *page, ns_error *err) {
    int status =
        page->text.size || page->text.failed ? ns_bytes_write(&page->text, page->file, err) : NS_OK;
    page->text.size = 0;
    return status;
}

/* What the browser may do: nothing but show what is in the page. */
#define POLICY                                                                                     \
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "   \
    "base-uri 'none'; form-action 'none'"

void ns_page_head(ns_page *page, const char *title, const ns_plot_request *r) {
    int sites = 0;
    for (int k = 0; k < r->run_count; k++) sites += r->runs[k].site_count;
    markup(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta name=\"generator\" content=\"normscope " NS_VERSION "\">\n<title>");
    ns_page_text(page, title);
    markup(page, "</title>\n<style>\n");
    markup(page, ns_report_page_css);
    markup(page, "</style>\n</head>\n<body>\n<header>\n<h1>");
    ns_page_text(page, title);
    ns_bytes_print(&page->text,
                   "</h1>\n<p>%d run%s, %d normalization layer%s</p>\n<nav "
                   "aria-label=\"Sections\"><a href=\"#runs\">Runs</a> <a "
                   "href=\"#sites\">Layers</a> <a href=\"#figures\">Figures</a> <a "
                   "href=\"#curves\">Every layer</a></nav>\n</header>\n<main>\n",
                   r->run_count, r->run_count == 1 ? "" : "s", sites, sites == 1 ? "" : "s");
}

void ns_page_foot(ns_page *page, const char *command_line) {
    markup(page, "</main>\n<footer><p>Made by normscope " NS_VERSION);
    if (command_line) {
        markup(page, ": <code>");
        ns_page_text(page, command_line);
        markup(page, "</code>");
    }
    markup(page, "</p></footer>\n"
                 "<dialog id=\"enlarged\" aria-labelledby=\"enlarged-name\">\n"
                 "<div class=\"bar\"><p id=\"enlarged-name\"></p><button type=\"button\" "
                 "id=\"close\">Close</button></div>\n"
                 "<div class=\"stage\"></div>\n</dialog>\n<script>\n");
    markup(page, ns_report_page_js);
    markup(page, "</script>\n</body>\n</html>\n");
}

void ns_page_site_id(char id[NS_SITE_ID], const ns_plot_run *run, int run_number, int site) {
    snprintf(id, NS_SITE_ID, "site-%d-%d", run_number,
             ns_store_site_at(run->store, site)->site.index);
}

void ns_page_section(ns_page *page, const char *id, const char *heading) {
    if (id)
        ns_bytes_print(&page->text, "<section id=\"%s\">\n<h2>%s</h2>\n", id, heading);
    else
        markup(page, "</section>\n");
}

/* ---- runs ---- */

static void term(ns_page *page, const char *name, const char *value, bool code) {
    markup(page, "<div><dt>");
    for (const char *c = name; *c; c++) ns_bytes_add(&page->text, *c == '_' ? " " : c, 1);
    markup(page, code ? "</dt><dd><code>" : "</dt><dd>");
    ns_page_text(page, value);
    markup(page, code ? "</code></dd></div>\n" : "</dd></div>\n");
}

static bool is_code(const char *name) {
    return strstr(name, "sha256") || strstr(name, "path") || strstr(name, "command");
}

/* How much of it there is. */
static void extent(ns_page *page, const ns_plot_run *run) {
    char text[160];
    uint64_t done = ns_store_samples(run->store), planned = ns_store_samples_planned(run->store),
             rows = 0, seen = 0;
    int all = ns_store_site_count(run->store);
    for (int i = 0; i < run->site_count; i++) {
        const ns_store_site *site = ns_store_site_at(run->store, run->sites[i]);
        rows += site->rows;
        seen += site->rows_seen;
    }
    snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64 " complete%s", done, planned,
             done < planned ? " (interrupted, or being written)" : "");
    term(page, "samples", text, false);
    if (run->site_count < all)
        snprintf(text, sizeof text, "%d of the %d in the file", run->site_count, all);
    else
        snprintf(text, sizeof text, "%d", all);
    term(page, "layers", text, false);
    if (rows < seen)
        snprintf(text, sizeof text, "%" PRIu64 " kept, of %" PRIu64 " that were run", rows, seen);
    else
        snprintf(text, sizeof text, "%" PRIu64, rows);
    term(page, "rows", text, false);
}

/* How right the model was, where it was judged; and what is not in the file. */
static int score(ns_page *page, const ns_plot_run *run, ns_error *err) {
    ns_store_score said;
    char text[160];
    int status = ns_store_read_score(run->store, &said, err);
    if (status) return status;
    if (said.judged) {
        snprintf(text, sizeof text, "%.2f %% (%" PRIu64 " of %" PRIu64 "%s)",
                 100.0 * (double)said.hits / (double)said.judged, said.hits, said.judged,
                 said.of_words ? " next words" : "");
        term(page, "top-1 accuracy", text, false);
    }
    if (said.judged && said.has_loss) {
        snprintf(text, sizeof text, "%.4f nats", said.loss / (double)said.judged);
        term(page, "loss", text, false);
    }
    const char *left_out = ns_store_attribute(run->store, "files_left_out");
    if (left_out) term(page, "files_left_out", left_out, false);
    return NS_OK;
}

int ns_page_run(ns_page *page, const ns_plot_request *r, int k, ns_error *err) {
    const ns_plot_run *run = &r->runs[k];
    char hex[NS_HASH_HEX];
    int status = ns_hash_file(r->files[k], hex, err);
    if (status) return status;
    ns_bytes_print(&page->text, "<article id=\"run-%d\">\n<h3>", k + 1);
    ns_page_text(page, r->files[k]);
    markup(page, "</h3>\n<dl>\n");
    extent(page, run);
    if ((status = score(page, run, err))) return status;
    for (const char *const *name = ns_store_provenance; *name; name++) {
        const char *value = ns_store_attribute(run->store, *name);
        if (value && *value && !(!strcmp(*name, "sample_rows") && !strcmp(value, "0")))
            term(page, *name, value, is_code(*name));
    }
    term(page, "file_sha256", hex, true);
    markup(page, "</dl>\n</article>\n");
    return NS_OK;
}

/* ---- the table of sites ---- */

static const char *heading(const ns_column *column) {
    return column->title ? column->title : column->name;
}

static void table_head(ns_page *page, const ns_site_table *sites) {
    markup(page, "<thead><tr>");
    for (int c = 0; c < sites->count; c++) {
        const ns_column *column = &sites->columns[c];
        if (column->machine_only) continue;
        const char *type = column->type == NS_TEXT ? "text" : "number";
        ns_bytes_print(&page->text,
                       "<th scope=\"col\" data-column=\"%s\" data-type=\"%s\" class=\"%s\" "
                       "aria-sort=\"none\"><button type=\"button\">",
                       column->name, type, type);
        ns_page_text(page, heading(column));
        if (column->unit && strcmp(column->unit, "1") != 0)
            ns_bytes_print(&page->text, " <small>%s</small>", column->unit);
        markup(page, "</button></th>\n");
    }
    markup(page, "</tr></thead>\n");
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The file's name where it tells the run from the others, else its path. */
static const char *run_label(const ns_plot_request *r, int k) {
    for (int i = 0; i < r->file_count; i++)
        if (i != k && !strcmp(file_name(r->files[i]), file_name(r->files[k]))) return r->files[k];
    return file_name(r->files[k]);
}

static void table_cell(ns_page *page, const ns_site_table *sites, int row, int c, const char *id,
                       const char *run) {
    const ns_column *column = &sites->columns[c];
    if (column->machine_only) return;
    char seen[32], room[32];
    const char *exact, *shown = ns_table_cell(sites->table, row, c, seen, &exact, room);
    bool name = !strcmp(column->name, "name"), text = column->type == NS_TEXT;
    ns_bytes_print(&page->text, "<%s class=\"%s%s\" data-value=\"",
                   name ? "th scope=\"row\"" : "td", text ? "text " : "number",
                   text ? column->name : "");
    ns_page_text(page, exact);
    ns_bytes_print(&page->text, "\">");
    if (!strcmp(column->name, "site"))
        ns_bytes_print(&page->text, "<a href=\"#%s\">%s</a>", id, shown);
    else
        ns_page_text(page, !strcmp(column->name, "run") ? run : shown);
    markup(page, name ? "</th>" : "</td>");
}

/* What the columns are, for those who do not know. */
static void table_legend(ns_page *page, const ns_site_table *sites) {
    markup(page, "<details><summary>What the columns are</summary>\n<dl>\n");
    for (int c = 0; c < sites->count; c++) {
        if (sites->columns[c].machine_only) continue;
        markup(page, "<div><dt>");
        ns_page_text(page, heading(&sites->columns[c]));
        markup(page, "</dt><dd>");
        ns_page_text(page, sites->about[c].help);
        markup(page, "</dd></div>\n");
    }
    markup(page, "</dl>\n</details>\n");
}

void ns_page_sites(ns_page *page, const ns_plot_request *r, const ns_site_table *sites) {
    markup(page, "<p class=\"controls\"><label>Filter by name, role or kind <input type=\"search\" "
                 "id=\"filter\" autocomplete=\"off\"></label> <span id=\"count\" "
                 "role=\"status\"></span></p>\n"
                 "<div class=\"scroll\" role=\"region\" aria-label=\"Table of layers\" "
                 "tabindex=\"0\">\n<table id=\"table\">\n");
    table_head(page, sites);
    markup(page, "<tbody>\n");
    for (int k = 0, row = 0; k < r->run_count; k++)
        for (int i = 0; i < r->runs[k].site_count; i++, row++) {
            char id[NS_SITE_ID];
            ns_page_site_id(id, &r->runs[k], k + 1, r->runs[k].sites[i]);
            ns_bytes_print(&page->text, "<tr data-site=\"%s\">", id);
            for (int c = 0; c < sites->count; c++)
                table_cell(page, sites, row, c, id, run_label(r, k));
            markup(page, "</tr>\n");
        }
    markup(page, "</tbody>\n</table>\n</div>\n");
    table_legend(page, sites);
}
