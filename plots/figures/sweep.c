/* sweep: a result over a setting, from a table with a row for each run (Zhu et al. 2025, figures 9 to 11): lines with the spread over
 * seeds, or a heat map over two settings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plots/plot.h"
#include "plots/series.h"
#include "plots/tsv.h"
#include "probe/base/mem.h"

enum { RANGE, DEVIATION };
enum { MOST_SERIES = 16, MOST_LEVELS = 64, BAR_STEPS = 64 };

typedef struct settings {
    const char *x, *y, *group, *second, *x_label, *y_label;
    int spread;
    bool log_x, log_y;
} settings;

/* A run. */
typedef struct row {
    int series;
    double x, second, y; /* x, second: number, or place among the words from 1 */
} row;

/* The words of a column that is not numbers alone, in the order in which they come. */
typedef struct words {
    bool numbers;
    const char *names[MOST_LEVELS]; /* the figure's */
    int count;
} words;

typedef struct work {
    const ns_plot_request *request;
    const settings *settings;
    ns_figure *figure;
    ns_tsv *tables; /* [file_count] */
    row *rows;
    int count, failed; /* failed: runs without a result, left out of rows */
    words x, second;
    const char *series[MOST_SERIES]; /* the figure's */
    int series_count;
    const char *x_label, *y_label, *second_label;
} work;

/* ---- reading ---- */

/* "alpha_0 (1/x)", where the table tells a unit. */
static const char *column_label(const work *w, const char *name, int column, ns_error *err) {
    const char *unit = w->tables[0].units[column];
    bool told = *unit && strcmp(unit, "1") != 0 && strcmp(unit, "text") != 0;
    const char *clean = ns_figure_label(w->figure, name, err);
    return clean && told ? ns_figure_text(w->figure, err, "%s (%s)", clean, unit) : clean;
}

/* The place of a word among those known, from 0; it is added where it is new. -1 on failure. */
static int place_of(work *w, const char *word, const char **known, int *count, int most,
                    const char *what, ns_error *err) {
    for (int i = 0; i < *count; i++)
        if (!strcmp(known[i], word)) return i;
    if (*count == most) {
        ns_fail(err, NS_EINPUT, "%s: expected at most %d different values of %s, found more",
                w->request->files[0], most, what);
        return -1;
    }
    known[*count] = ns_figure_text(w->figure, err, "%s", word);
    return known[*count] ? (*count)++ : -1;
}

static int all_numbers(const work *w, const char *name, bool *numbers, ns_error *err) {
    *numbers = true;
    for (int f = 0; f < w->request->file_count; f++) {
        int column = ns_tsv_column(&w->tables[f], name, err);
        double value;
        if (column < 0) return NS_EINPUT;
        for (int i = 0; i < w->tables[f].rows; i++)
            if (*ns_tsv_cell(&w->tables[f], i, column) && /* an empty one is no word either */
                (ns_tsv_number(&w->tables[f], i, column, &value, NULL) || !isfinite(value)))
                *numbers = false;
    }
    return NS_OK;
}

static int read_setting(work *w, const ns_tsv *t, int i, int column, words *of, double *out,
                        ns_error *err) {
    if (of->numbers) return ns_tsv_number(t, i, column, out, err);
    int place = place_of(w, ns_tsv_cell(t, i, column), of->names, &of->count, MOST_LEVELS,
                         t->names[column], err);
    *out = place + 1;
    return place < 0 ? NS_EINPUT : NS_OK;
}

/* A row's series: its word of the group column, with the file's name before it where there are several. */
static int read_series(work *w, int file, int i, int group, int *out, ns_error *err) {
    const bool several = w->request->file_count > 1;
    const char *word = group < 0 ? "" : ns_tsv_cell(&w->tables[file], i, group),
               *label = several ? ns_series_file_label(w->figure, w->request->files,
                                                       w->request->file_count, file, err)
                                : "";
    char *name =
        label ? ns_asprintf(err, "%s%s%s", label, several && *word ? " " : "", word) : NULL;
    if (!name) return NS_EFAIL;
    *out = place_of(w, name, w->series, &w->series_count, MOST_SERIES, "the group", err);
    free(name);
    return *out < 0 ? NS_EINPUT : NS_OK;
}

static int read_file(work *w, int file, ns_error *err) {
    const settings *s = w->settings;
    const ns_tsv *t = &w->tables[file];
    int x = ns_tsv_column(t, s->x, err), y = x < 0 ? -1 : ns_tsv_column(t, s->y, err);
    int group = s->group && y >= 0 ? ns_tsv_column(t, s->group, err) : 0,
        second = s->second && y >= 0 && group >= 0 ? ns_tsv_column(t, s->second, err) : 0;
    if (x < 0 || y < 0 || group < 0 || second < 0) return NS_EINPUT;
    int status = NS_OK;
    for (int i = 0; i < t->rows && !status; i++) {
        row *r = &w->rows[w->count];
        if (!*ns_tsv_cell(t, i, x)) continue; /* a run without this setting is not of the sweep */
        status = read_setting(w, t, i, x, &w->x, &r->x, err);
        if (!status && s->second)
            status = read_setting(w, t, i, second, &w->second, &r->second, err);
        if (!status) status = read_series(w, file, i, s->group ? group : -1, &r->series, err);
        if (!status) status = ns_tsv_number(t, i, y, &r->y, err);
        bool drawn =
            isfinite(r->y) && (!s->log_y || r->y > 0) && (!s->log_x || !w->x.numbers || r->x > 0);
        w->count += drawn;
        w->failed += !drawn;
    }
    return status;
}

static int read_all(work *w, ns_error *err) {
    const settings *s = w->settings;
    size_t total = 0;
    int status = NS_OK;
    for (int f = 0; f < w->request->file_count && !status; f++) {
        status = ns_tsv_open(&w->tables[f], w->request->files[f], err);
        total += (size_t)w->tables[f].rows;
    }
    if (!status) status = all_numbers(w, s->x, &w->x.numbers, err);
    if (!status && s->second) status = all_numbers(w, s->second, &w->second.numbers, err);
    if (!status && !(w->rows = ns_calloc(total + 1, sizeof *w->rows, err))) status = NS_EFAIL;
    for (int f = 0; f < w->request->file_count && !status; f++) status = read_file(w, f, err);
    if (!status && !w->count)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected rows with a %s that can be drawn, found none of %d",
                         w->request->files[0], s->y, w->failed);
    if (status) return status;
    const ns_tsv *t = &w->tables[0];
    w->x_label = s->x_label ? ns_figure_label(w->figure, s->x_label, err)
                            : column_label(w, s->x, ns_tsv_column(t, s->x, err), err);
    w->y_label = s->y_label ? ns_figure_label(w->figure, s->y_label, err)
                            : column_label(w, s->y, ns_tsv_column(t, s->y, err), err);
    if (s->second)
        w->second_label = column_label(w, s->second, ns_tsv_column(t, s->second, err), err);
    return w->x_label && w->y_label && (w->second_label || !s->second) ? NS_OK : NS_EFAIL;
}

/* By series, second and x. */
static int compare(const void *a, const void *b) {
    const row *p = a, *q = b;
    if (p->series != q->series) return p->series < q->series ? -1 : 1;
    if (p->second != q->second) return p->second < q->second ? -1 : 1;
    return p->x < q->x ? -1 : p->x > q->x;
}

/* Runs with the same settings. */
typedef struct point {
    double mean, low, high;
    int count;
} point;

/* Those that begin at row `at` of the sorted rows. */
static point summarize(const work *w, int at) {
    const row *first = &w->rows[at];
    point p = {0, INFINITY, -INFINITY, 0};
    double squares = 0;
    for (int i = at; i < w->count && !compare(first, &w->rows[i]); i++, p.count++) {
        p.mean += w->rows[i].y;
        p.low = fmin(p.low, w->rows[i].y);
        p.high = fmax(p.high, w->rows[i].y);
    }
    p.mean /= p.count;
    if (w->settings->spread == RANGE) return p;
    for (int i = at; i < at + p.count; i++) squares += pow(w->rows[i].y - p.mean, 2);
    double deviation = p.count > 1 ? sqrt(squares / (p.count - 1)) : 0;
    p.low = p.mean - deviation;
    p.high = p.mean + deviation;
    return p;
}

/* ---- lines ---- */

static void set_words(ns_axis *axis, const words *of, bool log) {
    *axis = ns_axis_unknown(log && of->numbers);
    if (of->numbers) return;
    axis->names = of->names;
    axis->name_count = of->count;
    axis->low = 0.5, axis->high = of->count + 0.5;
}

/* Words have no order that a line would stand for: marks alone, those of several series beside each other. */
static double aside_of(const work *w, int series) {
    if (w->x.numbers) return 0;
    return 0.5 * ((series + 0.5) / w->series_count - 0.5);
}

/* Means joined by lines, whiskers of three spots and a gap, marks; the whiskers where there are several runs. */
static int add_series(work *w, int series, ns_panel *panel, ns_item *items, ns_error *err) {
    size_t n = (size_t)w->count;
    ns_spot *means = ns_figure_alloc(w->figure, n, sizeof *means, err),
            *whiskers = ns_figure_alloc(w->figure, 3 * n, sizeof *whiskers, err);
    double *counts = ns_figure_alloc(w->figure, n, sizeof *counts, err);
    if (!means || !whiskers || !counts) return NS_EFAIL;
    size_t used = 0, ends = 0;
    point p;
    for (int i = 0; i < w->count; i += p.count) {
        p = summarize(w, i);
        if (w->rows[i].series != series) continue;
        double x = w->rows[i].x + aside_of(w, series);
        means[used] = (ns_spot){x, p.mean};
        counts[used++] = p.count;
        if (w->x.numbers) ns_axis_reach(&panel->x, x);
        ns_axis_reach(&panel->y, p.mean);
        if (p.count < 2) continue;
        bool under = panel->y.log && p.low <= 0; /* mean less deviation has no place on the axis */
        whiskers[ends++] = (ns_spot){x, under ? p.mean : p.low};
        whiskers[ends++] = (ns_spot){x, p.high};
        whiskers[ends++] = (ns_spot){NAN, NAN};
        ns_axis_reach(&panel->y, p.low);
        ns_axis_reach(&panel->y, p.high);
    }
    const char *name = *w->series[series] ? w->series[series] : w->y_label;
    ns_stroke stroke = ns_series_stroke(w->request->style, series, 1);
    const ns_stroke thin = {stroke.color, 0.8, 0, 0, false};
    items[0] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = ns_figure_text(w->figure, err, "%s spread", name),
                         .unlisted = true,
                         .spots = whiskers,
                         .count = ends,
                         .stroke = thin};
    if (!w->x.numbers) stroke.width = 0;
    items[1] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = name,
                         .unlisted = true,
                         .spots = means,
                         .count = w->x.numbers ? used : 0,
                         .stroke = stroke};
    items[2] = (ns_item){.kind = NS_ITEM_MARKS,
                         .name = name,
                         .unlisted = w->series_count < 2,
                         .spots = means,
                         .values = counts,
                         .count = used,
                         .fill = stroke.color,
                         .mark = (ns_mark)(series % NS_MARK_COUNT),
                         .size = 4};
    return items[0].name ? NS_OK : NS_EFAIL;
}

static int build_lines(work *w, ns_panel *panel, ns_error *err) {
    ns_item *items = ns_figure_alloc(w->figure, 3 * (size_t)w->series_count, sizeof *items, err);
    if (!items) return NS_EFAIL;
    set_words(&panel->x, &w->x, w->settings->log_x);
    panel->y = ns_axis_unknown(w->settings->log_y);
    panel->items = items;
    int status = NS_OK;
    for (int series = 0; series < w->series_count && !status; series++, panel->item_count += 3)
        status = add_series(w, series, panel, items + panel->item_count, err);
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    if (w->x.numbers) ns_axis_pad(&panel->x, 0.05);
    ns_axis_pad(&panel->y, 0.07);
    panel->x.label = w->x_label;
    panel->y.label = w->y_label;
    panel->legend = NS_LOWER_RIGHT;
    return status;
}

/* ---- heat map ---- */

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The different values of a setting, rising, into values [MOST_LEVELS]; numbers become names too, since cells are all as large. */
static int levels_of(work *w, words *of, bool second, double *values, ns_axis *axis,
                     ns_error *err) {
    int count = 0;
    for (int i = 0; i < w->count; i++) {
        double value = second ? w->rows[i].second : w->rows[i].x;
        int k = 0;
        while (k < count && values[k] != value) k++;
        if (k == MOST_LEVELS)
            return ns_fail(
                err, NS_EINPUT, "%s: expected at most %d different values of %s, found more",
                w->request->files[0], MOST_LEVELS, second ? w->settings->second : w->settings->x);
        if (k == count) values[count++] = value;
    }
    qsort(values, (size_t)count, sizeof *values, rising);
    const char **names = ns_figure_alloc(w->figure, (size_t)count, sizeof *names, err);
    for (int k = 0; names && k < count; k++) {
        char number[64];
        names[k] = of->numbers
                       ? ns_figure_text(w->figure, err, "%s", ns_number_short(values[k], 4, number))
                       : of->names[(int)values[k] - 1];
        if (!names[k]) return NS_EFAIL;
    }
    *axis = (ns_axis){.low = 0.5,
                      .high = count + 0.5,
                      .names = names,
                      .name_count = count,
                      .ordered = of->numbers};
    return names ? NS_OK : NS_EFAIL;
}

static int place_in(const double *values, int count, double value) {
    int k = 0;
    while (k < count - 1 && values[k] != value) k++;
    return k;
}

/* The mean in the middle of its cell, dark on light colours and light on dark ones. */
static int add_mean(work *w, const ns_item *cell, double mean, ns_words *out, ns_error *err) {
    char number[64];
    const ns_color *c = &cell->fill;
    double light = 0.299 * c->r + 0.587 * c->g + 0.114 * c->b, ink = light > 0.5 ? 0 : 1;
    *out =
        (ns_words){.at = {(cell->spots[0].x + cell->spots[2].x) / 2,
                          (cell->spots[0].y + cell->spots[2].y) / 2},
                   .label = ns_figure_text(w->figure, err, "%s", ns_number_label(mean, 3, number)),
                   .color = {ink, ink, ink, 1}};
    return out->label ? NS_OK : NS_EFAIL;
}

static int add_cell(work *w, const point *p, int column, int line, const ns_panel *panel,
                    ns_item *item, ns_error *err) {
    ns_spot *corners = ns_figure_alloc(w->figure, 4, sizeof *corners, err);
    double *values = ns_figure_alloc(w->figure, 4, sizeof *values, err);
    if (!corners || !values) return NS_EFAIL;
    for (int k = 0; k < 4; k++) {
        corners[k] = (ns_spot){column + (k == 1 || k == 2 ? 1.5 : 0.5), line + (k < 2 ? 0.5 : 1.5)};
        values[k] = p->mean;
    }
    const ns_axis *bar = panel->bar;
    *item = (ns_item){.kind = NS_ITEM_AREA,
                      .name = ns_figure_text(w->figure, err, "%s, %s", panel->x.names[column],
                                             panel->y.names[line]),
                      .unlisted = true,
                      .spots = corners,
                      .values = values,
                      .count = 4,
                      .fill = ns_color_map(ns_axis_place(bar, p->mean)),
                      .stroke = {{1, 1, 1, 1}, 0.4, 0, 0, false}};
    return item->name ? NS_OK : NS_EFAIL;
}

static int build_heat(work *w, ns_panel *panel, ns_error *err) {
    double across[MOST_LEVELS], up[MOST_LEVELS];
    ns_item *items = ns_figure_alloc(w->figure, (size_t)w->count, sizeof *items, err);
    ns_words *means = ns_figure_alloc(w->figure, (size_t)w->count, sizeof *means, err);
    ns_axis *bar = ns_figure_alloc(w->figure, 1, sizeof *bar, err);
    int status =
        items && means && bar ? levels_of(w, &w->x, false, across, &panel->x, err) : NS_EFAIL;
    if (!status) status = levels_of(w, &w->second, true, up, &panel->y, err);
    if (status) return status;
    point p;
    *bar = ns_axis_unknown(w->settings->log_y);
    for (int i = 0; i < w->count; i += p.count) {
        p = summarize(w, i);
        ns_axis_reach(bar, p.mean);
    }
    ns_axis_guard(bar);
    bar->label = w->y_label;
    panel->bar = bar;
    panel->bar_count = BAR_STEPS;
    panel->bar_colors = ns_series_map(w->figure, BAR_STEPS, err);
    for (int i = 0; i < w->count && !status; i += p.count) {
        p = summarize(w, i);
        status = add_cell(w, &p, place_in(across, panel->x.name_count, w->rows[i].x),
                          place_in(up, panel->y.name_count, w->rows[i].second), panel,
                          &items[panel->item_count], err);
        if (!status)
            status = add_mean(w, &items[panel->item_count], p.mean, &means[panel->item_count], err);
        panel->item_count += !status;
    }
    w->figure->least_height = 2 * w->request->style->tick_size * panel->y.name_count;
    panel->items = items;
    panel->words = means;
    panel->word_count = panel->item_count;
    panel->word_room = (ns_spot){1, 1};
    panel->no_grid = true;
    panel->x.label = w->x_label;
    panel->y.label = w->second_label;
    return status ? status : panel->bar_colors ? NS_OK : NS_EFAIL;
}

/* ---- the figure ---- */

static int build_figure(work *w, ns_error *err) {
    ns_figure *figure = w->figure;
    figure->panels = ns_figure_alloc(figure, 1, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    figure->panel_count = figure->rows = figure->columns = 1;
    figure->aspect = 0.72;
    if (w->settings->second && w->series_count > 1)
        return ns_fail(err, NS_EUSAGE,
                       "--second: a heat map shows one group of one file; found %d groups",
                       w->series_count);
    qsort(w->rows, (size_t)w->count, sizeof *w->rows, compare);
    int status = w->settings->second ? build_heat(w, figure->panels, err)
                                     : build_lines(w, figure->panels, err);
    if (status) return status;
    figure->summary = w->failed
                          ? ns_figure_text(figure, err, "%d runs; %d without a result, left out",
                                           w->count, w->failed)
                          : ns_figure_text(figure, err, "%d runs", w->count);
    if (w->failed)
        figure->caption =
            ns_figure_text(figure, err, "%d of %d runs without a result that can be drawn.",
                           w->failed, w->failed + w->count);
    return figure->summary && (figure->caption || !w->failed) ? NS_OK : NS_EFAIL;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    work *w = ns_figure_alloc(figure, 1, sizeof *w, err); /* axes borrow the words */
    if (!w) return NS_EFAIL;
    *w = (work){.request = r, .settings = r->settings, .figure = figure};
    int status = NS_OK;
    if (!w->settings->x || !w->settings->y)
        status = ns_fail(err, NS_EUSAGE, "expected --x and --y, columns of the table");
    if (!status && !(w->tables = ns_calloc((size_t)r->file_count, sizeof *w->tables, err)))
        status = NS_EFAIL;
    if (!status) status = read_all(w, err);
    if (!status) status = build_figure(w, err);
    for (int f = 0; f < r->file_count && w->tables; f++) ns_tsv_close(&w->tables[f]);
    free(w->tables);
    free(w->rows);
    return status;
}

static int options(void *own, ns_option *out) {
    settings *s = own;
    const ns_option all[] = {
        {"x", 'x', NS_OPT_TEXT, &s->x, "COLUMN",
         "the setting, numbers or words; a row where it is empty is left out", NULL, 0, 0},
        {"y", 'y', NS_OPT_TEXT, &s->y, "COLUMN", "the result; empty or nan: none", NULL, 0, 0},
        {"group", 'g', NS_OPT_TEXT, &s->group, "COLUMN", "a line for each of its values", NULL, 0,
         0},
        {"second", '2', NS_OPT_TEXT, &s->second, "COLUMN",
         "a heat map: --x across, this upwards, the mean of --y as colour", NULL, 0, 0},
        {"spread", 0, NS_OPT_CHOICE, &s->spread, "range|sd",
         "of runs that have all else in common: least to largest, or the standard deviation about "
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
        "(after "
        "lines that begin with #, the last of which may hold units) and a row for each run. Runs "
        "with "
        "the same setting, such as those of several seeds, are averaged; a whisker shows their "
        "spread. Several files are so many groups.",
    .examples = "  normscope plot sweep runs.tsv -x alpha_0 -y accuracy -g model -o alpha0.pdf\n"
                "  normscope plot sweep runs.tsv -x alpha_0 -2 width -y accuracy -o map.pdf\n",
    .takes_files = true,
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
};
