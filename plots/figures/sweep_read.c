/* The runs of a sweep, from its tables. */
#include "plots/figures/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/series.h"
#include "probe/base/mem.h"

/* "alpha_0 (1/x)", where the table tells a unit. */
static const char *column_label(const ns_sweep_work *w, const char *name, int column,
                                ns_error *err) {
    const char *unit = w->tables[0].units[column];
    bool told = *unit && strcmp(unit, "1") != 0 && strcmp(unit, "text") != 0;
    const char *clean = ns_figure_label(w->figure, name, err);
    return clean && told ? ns_figure_text(w->figure, err, "%s (%s)", clean, unit) : clean;
}

/* The place of a word among those known, from 0; it is added where it is new. -1 on failure. */
static int place_of(ns_sweep_work *w, const char *word, const char **known, int *count, int most,
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

static int all_numbers(const ns_sweep_work *w, const char *name, bool *numbers, ns_error *err) {
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

static int read_setting(ns_sweep_work *w, const ns_tsv *t, int i, int column, ns_sweep_words *of,
                        double *out, ns_error *err) {
    if (of->numbers) return ns_tsv_number(t, i, column, out, err);
    int place = place_of(w, ns_tsv_cell(t, i, column), of->names, &of->count, NS_SWEEP_LEVELS,
                         t->names[column], err);
    *out = place + 1;
    return place < 0 ? NS_EINPUT : NS_OK;
}

/* A row's series: its word of the group column, with the file's name before it where there are several. */
static int read_series(ns_sweep_work *w, int file, int i, int group, int *out, ns_error *err) {
    const bool several = w->request->file_count > 1;
    const char *word = group < 0 ? "" : ns_tsv_cell(&w->tables[file], i, group),
               *label = several ? ns_series_file_label(w->figure, w->request->files,
                                                       w->request->file_count, file, err)
                                : "";
    char *name =
        label ? ns_asprintf(err, "%s%s%s", label, several && *word ? " " : "", word) : NULL;
    if (!name) return NS_EFAIL;
    *out = place_of(w, name, w->series, &w->series_count, NS_SWEEP_SERIES, "the group", err);
    free(name);
    return *out < 0 ? NS_EINPUT : NS_OK;
}

static int read_file(ns_sweep_work *w, int file, ns_error *err) {
    const ns_sweep_settings *s = w->settings;
    const ns_tsv *t = &w->tables[file];
    int x = ns_tsv_column(t, s->x, err), y = x < 0 ? -1 : ns_tsv_column(t, s->y, err);
    int group = s->group && y >= 0 ? ns_tsv_column(t, s->group, err) : 0,
        second = s->second && y >= 0 && group >= 0 ? ns_tsv_column(t, s->second, err) : 0;
    if (x < 0 || y < 0 || group < 0 || second < 0) return NS_EINPUT;
    int status = NS_OK;
    for (int i = 0; i < t->rows && !status; i++) {
        ns_sweep_row *r = &w->rows[w->count];
        r->file = file;
        r->line = i;
        if (!*ns_tsv_cell(t, i, x)) continue; /* a run without this setting is not of the sweep */
        status = read_setting(w, t, i, x, &w->x, &r->x, err);
        if (!status && s->second && !*ns_tsv_cell(t, i, second))
            status = ns_fail(err, NS_EINPUT, "%s: line %d: expected a value of %s, found none",
                             t->path, t->lines[i], s->second);
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

int ns_sweep_read(ns_sweep_work *w, ns_error *err) {
    const ns_sweep_settings *s = w->settings;
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
