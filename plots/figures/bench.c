/* bench: the table of `normscope bench --format tsv` as bars, with whiskers from the least to the largest run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plots/plot.h"
#include "plots/series.h"
#include "plots/tsv.h"
#include "probe/base/mem.h"

enum { MOST_BARS = 32, MOST_UNITS = 32 };

typedef struct settings {
    bool log;
} settings;

typedef struct bar {
    int file, unit, measure; /* places */
    double median, least, most;
} bar;

typedef struct unit {
    const char *name;                /* the figure's */
    const char *measures[MOST_BARS]; /* the figure's, in the order in which they come */
    int count;
} unit;

typedef struct work {
    const ns_plot_request *request;
    const settings *settings;
    ns_figure *figure;
    unit units[MOST_UNITS];
    int unit_count, most; /* most measures of a unit */
    bar *bars;
    int count;
} work;

/* ---- reading ---- */

static unit *find_unit(work *w, const char *name, const char *path, ns_error *err) {
    for (int i = 0; i < w->unit_count; i++)
        if (!strcmp(w->units[i].name, name)) return &w->units[i];
    if (w->unit_count == MOST_UNITS) {
        ns_fail(err, NS_EINPUT, "%s: expected at most %d different units, found more", path,
                MOST_UNITS);
        return NULL;
    }
    unit *u = &w->units[w->unit_count];
    u->name = ns_figure_text(w->figure, err, "%s", name);
    return u->name ? w->unit_count++, u : NULL;
}

/* -1 on failure. */
static int find_measure(work *w, unit *u, const char *name, const char *path, ns_error *err) {
    for (int i = 0; i < u->count; i++)
        if (!strcmp(u->measures[i], name)) return i;
    if (u->count == MOST_BARS) {
        ns_fail(err, NS_EINPUT, "%s: expected at most %d measures in %s, found more", path,
                MOST_BARS, u->name);
        return -1;
    }
    const char *label = ns_figure_text(w->figure, err, "%s", name);
    if (!label) return -1;
    u->measures[u->count++] = label;
    if (u->count > w->most) w->most = u->count;
    return u->count - 1;
}

/* Which columns hold what. */
typedef struct layout {
    const char *measure, *median, *least, *most;
    const char *unit; /* the column */
    const char *says; /* where there is none: the unit of all */
} layout;

static const layout tall = {"measure", "median", "min", "max", "unit", NULL};
/* Of `normscope bench norms`: its times go over decades with the shapes, so what is drawn is relative to a copy. */
static const layout norms[] = {{"norm", "forward_of_copy", "forward_of_copy_min",
                                "forward_of_copy_max", NULL, "forward / copy"},
                               {"norm", "both_of_copy", "both_of_copy_min", "both_of_copy_max",
                                NULL, "forward + backward / copy"}};

/* The name of a row's measure; of norms with the shape, where the table has several. NULL: no memory. */
static char *name_of_row(const ns_tsv *t, const layout *l, int i, ns_error *err) {
    const char *name = ns_tsv_cell(t, i, ns_tsv_column(t, l->measure, err));
    if (l->unit) return ns_asprintf(err, "%s", name);
    static const char *const shape[] = {"rows", "width"};
    const char *cells[2];
    bool several = false;
    for (int k = 0; k < 2; k++) {
        int column = ns_tsv_column(t, shape[k], err);
        if (column < 0) return NULL;
        cells[k] = ns_tsv_cell(t, i, column);
        for (int row = 0; row < t->rows; row++)
            several |= strcmp(ns_tsv_cell(t, row, column), cells[k]) != 0;
    }
    return several ? ns_asprintf(err, "%s, %s \303\227 %s", name, cells[0], cells[1])
                   : ns_asprintf(err, "%s", name);
}

static int add_row(work *w, int file, const ns_tsv *t, const double numbers[3], const char *of,
                   const char *name, ns_error *err) {
    if (!isfinite(numbers[0]) || (w->settings->log && numbers[0] <= 0)) return NS_OK;
    unit *u = find_unit(w, of, t->path, err);
    int measure = u ? find_measure(w, u, name, t->path, err) : -1;
    if (measure < 0) return NS_EINPUT;
    for (int k = 0; k < w->count; k++)
        if (w->bars[k].file == file && w->bars[k].measure == measure &&
            w->bars[k].unit == (int)(u - w->units))
            return ns_fail(err, NS_EINPUT, "%s: expected one row for each measure, found two of %s",
                           t->path, u->measures[measure]);
    w->bars[w->count++] =
        (bar){file, (int)(u - w->units), measure, numbers[0], numbers[1], numbers[2]};
    return NS_OK;
}

static int read_rows(work *w, int file, const ns_tsv *t, const layout *l, ns_error *err) {
    const char *const names[] = {l->measure, l->unit, l->median, l->least, l->most};
    int columns[5];
    for (int k = 0; k < 5; k++)
        if (names[k] && (columns[k] = ns_tsv_column(t, names[k], err)) < 0) return NS_EINPUT;
    bar *grown = ns_realloc(w->bars, (size_t)w->count + (size_t)t->rows, sizeof *grown, err);
    if (!grown) return NS_EFAIL;
    w->bars = grown;
    int status = NS_OK;
    for (int i = 0; i < t->rows && !status; i++) {
        double numbers[3];
        for (int k = 0; k < 3 && !status; k++)
            status = ns_tsv_number(t, i, columns[2 + k], &numbers[k], err);
        if (status) return status;
        char *name = name_of_row(t, l, i, err);
        status = name ? add_row(w, file, t, numbers,
                                l->unit ? ns_tsv_cell(t, i, columns[1]) : l->says, name, err)
                      : NS_EFAIL;
        free(name);
    }
    return status;
}

static int read_file(work *w, int file, ns_error *err) {
    const char *path = w->request->files[file];
    int before = w->count;
    ns_error none = {0};
    ns_tsv t;
    int status = ns_tsv_open(&t, path, err);
    if (!status && ns_tsv_column(&t, norms[0].measure, &none) >= 0) {
        for (int k = 0; k < 2 && !status; k++) status = read_rows(w, file, &t, &norms[k], err);
    } else if (!status) {
        status = read_rows(w, file, &t, &tall, err);
    }
    if (!status && w->count == before)
        status =
            ns_fail(err, NS_EINPUT, "%s: expected medians that can be drawn, found none in %d rows",
                    path, t.rows);
    ns_tsv_close(&t);
    return status;
}

/* ---- drawing ---- */

/* Half of a bar's height in the units of the axis: the same on the page in every panel. */
static double half_of(const work *w, const unit *u) {
    return 0.38 * u->count / w->most / w->request->file_count;
}

/* The first measure is on top; files of one measure lie below each other. */
static double middle_of(const work *w, const unit *u, const bar *b) {
    double half = half_of(w, u);
    return u->count - b->measure + half * (w->request->file_count - 1 - 2 * b->file);
}

static void reach(ns_panel *panel, const bar *b) {
    ns_axis_reach(&panel->x, b->median);
    ns_axis_reach(&panel->x, b->least);
    ns_axis_reach(&panel->x, b->most);
}

/* A bar, and its whisker with ends: ten spots with gaps. */
static int add_bar(work *w, const unit *u, const bar *b, const ns_panel *panel, ns_item *items,
                   ns_error *err) {
    ns_spot *s = ns_figure_alloc(w->figure, 4 + 8, sizeof *s, err);
    double y = middle_of(w, u, b), half = half_of(w, u), from = panel->x.low, cap = half / 2;
    if (!s) return NS_EFAIL;
    const ns_spot spots[4 + 8] = {{from, y - half}, {b->median, y - half}, {b->median, y + half},
                                  {from, y + half}, {b->least, y - cap},   {b->least, y + cap},
                                  {NAN, NAN},       {b->least, y},         {b->most, y},
                                  {NAN, NAN},       {b->most, y - cap},    {b->most, y + cap}};
    memcpy(s, spots, sizeof spots);
    ns_color fill = w->request->style->colors[b->file % NS_STYLE_COLORS];
    fill.a = 0.65;
    const char *file =
        ns_series_file_label(w->figure, w->request->files, w->request->file_count, b->file, err);
    const char *name =
        file ? ns_figure_text(w->figure, err, "%s %s", file, u->measures[b->measure]) : NULL;
    items[0] = (ns_item){
        .kind = NS_ITEM_AREA, .name = name, .unlisted = true, .spots = s, .count = 4, .fill = fill};
    items[1] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = name,
                         .unlisted = true,
                         .spots = s + 4,
                         .count = isfinite(b->least) && isfinite(b->most) ? 8 : 0,
                         .stroke = {w->request->style->text, 0.7, 0, 0, false}};
    return name ? NS_OK : NS_EFAIL;
}

/* Names from below upwards; of one file with the median. */
static int set_names(work *w, int which, ns_panel *panel, ns_error *err) {
    const unit *u = &w->units[which];
    const char **names = ns_figure_alloc(w->figure, (size_t)u->count, sizeof *names, err);
    if (!names) return NS_EFAIL;
    for (int i = 0; i < u->count; i++) names[u->count - 1 - i] = u->measures[i];
    for (int i = 0; i < w->count && w->request->file_count == 1; i++) {
        const bar *b = &w->bars[i];
        char number[64];
        if (b->unit == which)
            names[u->count - 1 - b->measure] =
                ns_figure_text(w->figure, err, "%s  %s", u->measures[b->measure],
                               ns_number_label(b->median, 3, number));
    }
    for (int i = 0; i < u->count; i++)
        if (!names[i]) return NS_EFAIL;
    panel->y =
        (ns_axis){.low = 0.4, .high = u->count + 0.6, .names = names, .name_count = u->count};
    return NS_OK;
}

static int add_keys(work *w, ns_panel *panel, ns_item *items, ns_error *err) {
    for (int file = 0; file < w->request->file_count && w->request->file_count > 1; file++) {
        ns_color fill = w->request->style->colors[file % NS_STYLE_COLORS];
        fill.a = 0.65;
        items[panel->item_count++] =
            (ns_item){.kind = NS_ITEM_AREA,
                      .name = ns_series_file_label(w->figure, w->request->files,
                                                   w->request->file_count, file, err),
                      .fill = fill};
        if (!items[panel->item_count - 1].name) return NS_EFAIL;
        panel->aside = true;
    }
    return NS_OK;
}

static int build_panel(work *w, int which, ns_error *err) {
    const unit *u = &w->units[which];
    ns_panel *panel = &w->figure->panels[which];
    ns_item *items = ns_figure_alloc(
        w->figure, 2 * (size_t)w->count + (size_t)w->request->file_count, sizeof *items, err);
    if (!items) return NS_EFAIL;
    *panel = (ns_panel){.row = which / w->figure->columns,
                        .column = which % w->figure->columns,
                        .x = ns_axis_unknown(w->settings->log),
                        .items = items};
    for (int i = 0; i < w->count; i++)
        if (w->bars[i].unit == which) reach(panel, &w->bars[i]);
    if (!w->settings->log) ns_axis_reach(&panel->x, 0);
    ns_axis_guard(&panel->x);
    bool from_zero = panel->x.low == 0;
    ns_axis_pad(&panel->x, 0.05);
    if (from_zero) panel->x.low = 0;
    panel->x.label = !strcmp(u->name, "1") ? "ratio" : u->name;
    int status = set_names(w, which, panel, err);
    for (int i = 0; i < w->count && !status; i++) {
        if (w->bars[i].unit != which) continue;
        status = add_bar(w, u, &w->bars[i], panel, items + panel->item_count, err);
        panel->item_count += 2;
    }
    return status || which ? status : add_keys(w, panel, items, err);
}

static int build_figure(work *w, ns_error *err) {
    ns_figure *figure = w->figure;
    figure->panels = ns_figure_alloc(figure, (size_t)w->unit_count, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    figure->columns = w->request->columns ? w->request->columns : 1;
    figure->rows = (w->unit_count + figure->columns - 1) / figure->columns;
    const double bars = w->most * (0.5 + 0.5 * w->request->file_count);
    figure->aspect = 0.08 + 0.08 * bars;
    figure->least_height = 2 * w->request->style->tick_size * bars; /* each with its name */
    int status = NS_OK;
    for (int i = 0; i < w->unit_count && !status; i++) {
        status = build_panel(w, i, err);
        figure->panel_count += !status;
    }
    return status;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    work *w = ns_calloc(1, sizeof *w, err);
    if (!w) return NS_EFAIL;
    *w = (work){.request = r, .settings = r->settings, .figure = figure};
    int status = NS_OK;
    for (int file = 0; file < r->file_count && !status; file++) status = read_file(w, file, err);
    if (!status) status = build_figure(w, err);
    free(w->bars);
    free(w);
    return status;
}

static int options(void *own, ns_option *out) {
    settings *s = own;
    const ns_option all[] = {
        {"log", 0, NS_OPT_FLAG, &s->log, NULL, "logarithmic axes", NULL, 0, 0},
    };
    memcpy(out, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

const ns_figure_kind ns_figure_bench = {
    .name = "bench",
    .summary = "what `normscope bench` measured, as bars",
    .details =
        "FILE is what normscope bench KIND --format tsv printed, or a table like it with the "
        "columns measure, unit, median, min and max. A panel for each unit, a bar for each "
        "measure's median, a whisker from the least run to the largest; bars of several "
        "files stand below each other. Of normscope bench norms: forward, and forward and "
        "backward, "
        "in times of a copy of the same bytes.",
    .examples = "  normscope bench fit --format tsv > fit.tsv\n"
                "  normscope plot bench fit.tsv -o bench.pdf\n"
                "  normscope bench norms --widths 1024 --rows 16384 --format tsv > norms.tsv\n"
                "  normscope plot bench norms.tsv -o norms.pdf\n",
    .takes_files = true,
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
};
