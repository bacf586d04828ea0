/* Runs that are alike in what a sweep shows are one point: their mean, their spread, and what they differ in. */
#include "plots/figures/sweep.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probe/base/mem.h"
#include "probe/base/order.h"

/* By series, second and x. */
int ns_sweep_compare(const void *a, const void *b) {
    const ns_sweep_row *p = a, *q = b;
    if (p->series != q->series) return p->series < q->series ? -1 : 1;
    int order = ns_compare(p->second, q->second);
    return order ? order : ns_compare(p->x, q->x);
}

/* Those that begin at row `at` of the sorted rows. */
ns_sweep_point ns_sweep_summarize(const ns_sweep_work *w, int at) {
    const ns_sweep_row *first = &w->rows[at];
    ns_sweep_point p = {0, INFINITY, -INFINITY, 0};
    double squares = 0;
    for (int i = at; i < w->count && !ns_sweep_compare(first, &w->rows[i]); i++, p.count++) {
        p.mean += w->rows[i].y;
        p.low = fmin(p.low, w->rows[i].y);
        p.high = fmax(p.high, w->rows[i].y);
    }
    p.mean /= p.count;
    if (w->settings->spread == NS_SWEEP_RANGE) return p;
    for (int i = at; i < at + p.count; i++) squares += pow(w->rows[i].y - p.mean, 2);
    double deviation = p.count > 1 ? sqrt(squares / (p.count - 1)) : 0;
    p.low = p.mean - deviation;
    p.high = p.mean + deviation;
    return p;
}

/* ---- what is averaged over ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_whole_number(const char *text) {
    if (*text == '-' || *text == '+') text++;
    if (!*text) return false;
    while (isdigit((unsigned char)*text)) text++;
    return !*text;
}

static bool is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return end != text && !*end;
}

/* What a table does not say is guessed by its values: words are a setting unless every run has its own, which are names of runs; whole
 * numbers are one; other numbers are one where there are at most half as many as runs, else they are other results. */
static int is_setting(const ns_tsv *t, int column, bool *setting, ns_error *err) {
    const char **values = ns_calloc((size_t)t->rows, sizeof *values, err);
    if (!values) return NS_EFAIL;
    bool numbers = true, whole = true;
    int count = 0, different = 0;
    for (int i = 0; i < t->rows; i++) {
        const char *value = ns_tsv_cell(t, i, column);
        if (!*value) continue;
        numbers &= is_number(value);
        whole &= is_whole_number(value);
        values[count++] = value;
    }
    qsort(values, (size_t)count, sizeof *values, by_text);
    for (int i = 0; i < count; i++) different += !i || strcmp(values[i], values[i - 1]) != 0;
    free(values);
    *setting = whole || (numbers ? 2 * different <= count : different < count);
    return NS_OK;
}

static bool is_seed(const char *name) {
    return !strcasecmp(name, "seed");
}

static bool is_shown(const ns_sweep_settings *s, const char *name) {
    const char *const shown[] = {s->x, s->y, s->group, s->second};
    for (int i = 0; i < 4; i++)
        if (shown[i] && !strcmp(shown[i], name)) return true;
    return false;
}

/* Whether runs of one point differ in a column of their table. */
static bool varies(const ns_sweep_work *w, int file, int column) {
    for (int i = 0, first = 0; i < w->count; i++) {
        if (ns_sweep_compare(&w->rows[first], &w->rows[i])) first = i;
        if (w->rows[i].file != file || w->rows[first].file != file) continue;
        const ns_tsv *t = &w->tables[file];
        if (strcmp(ns_tsv_cell(t, w->rows[first].line, column),
                   ns_tsv_cell(t, w->rows[i].line, column)) != 0)
            return true;
    }
    return false;
}

static bool is_told(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

/* The columns in which runs of a point differ, seeds first: names [all columns of all tables], borrowed from the tables. */
static int averaged_columns(const ns_sweep_work *w, const char **names, int *count, ns_error *err) {
    for (int seeds = 1; seeds >= 0; seeds--)
        for (int f = 0; f < w->request->file_count; f++) {
            const ns_tsv *t = &w->tables[f];
            for (int c = 0; c < t->columns; c++) {
                bool setting = true;
                if (is_seed(t->names[c]) != (bool)seeds || is_shown(w->settings, t->names[c]) ||
                    is_told(names, *count, t->names[c]) || !varies(w, f, c))
                    continue;
                if (!seeds && is_setting(t, c, &setting, err)) return NS_EFAIL;
                if (setting) names[(*count)++] = t->names[c];
            }
        }
    return NS_OK;
}

/* "seed, width", without the seeds where others are wanted alone. NULL on failure. */
static const char *list(ns_sweep_work *w, const char *const *names, int count, bool seeds,
                        ns_error *err) {
    const char *text = "";
    for (int i = 0; i < count && text; i++) {
        if (!seeds && is_seed(names[i])) continue;
        const char *name = ns_figure_label(w->figure, names[i], err);
        text =
            name ? ns_figure_text(w->figure, err, "%s%s%s", text, *text ? ", " : "", name) : NULL;
    }
    return text;
}

/* "Mean of 3 runs" or "Means of 1 to 3 runs", and what those differ in. */
static int tell(ns_sweep_work *w, const char *const *names, int count, int least, int most,
                ns_error *err) {
    ns_figure *figure = w->figure;
    const char *over = list(w, names, count, true, err), *more = list(w, names, count, false, err);
    if (!over || !more) return NS_EFAIL;
    const char *runs = least == most
                           ? ns_figure_text(figure, err, "Mean of %d runs", most)
                           : ns_figure_text(figure, err, "Mean of %d to %d runs", least, most);
    figure->caption =
        runs ? ns_figure_text(figure, err, "%s%s%s.", runs, *over ? " over: " : "", over) : NULL;
    if (*more)
        figure->warning = ns_figure_text(
            figure, err,
            "%s: a point is the mean of runs that differ in more than their seed: %s; --group, "
            "--second, or a table of only some of the runs, keeps them apart",
            w->request->files[0], more);
    return figure->caption && (figure->warning || !*more) ? NS_OK : NS_EFAIL;
}

int ns_sweep_tell_means(ns_sweep_work *w, ns_error *err) {
    int least = w->count, most = 0, columns = 0, count = 0;
    ns_sweep_point p;
    for (int i = 0; i < w->count; i += p.count) {
        p = ns_sweep_summarize(w, i);
        if (p.count < least) least = p.count;
        if (p.count > most) most = p.count;
    }
    if (most < 2) return NS_OK;
    for (int f = 0; f < w->request->file_count; f++) columns += w->tables[f].columns;
    const char **names = ns_calloc((size_t)columns, sizeof *names, err);
    int status = names ? averaged_columns(w, names, &count, err) : NS_EFAIL;
    if (!status) status = tell(w, names, count, least, most, err);
    free(names);
    return status;
}
