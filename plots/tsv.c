#include "plots/tsv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/near.h"

enum { MOST_COLUMNS = 4096, MOST_CELLS = 1 << 24 };
static const size_t MOST_BYTES = (size_t)64 << 20;

static int count_cells(const char *line) {
    int n = 1;
    for (; *line; line++) n += *line == '\t';
    return n;
}

/* Cuts a line at its tabs into at most `most` cells, in place; the others stay empty. */
static void cut(char *line, char **cells, int most) {
    static char empty[1] = "";
    for (int i = 0; i < most; i++) {
        char *tab = line ? strchr(line, '\t') : NULL;
        cells[i] = line ? line : empty;
        if (tab) *tab = 0;
        ns_printable(cells[i], false);
        line = tab ? tab + 1 : NULL;
    }
}

/* The next line, closed by a zero, without its end; NULL at the end of the text. */
static char *next_line(char **at) {
    if (!**at) return NULL;
    char *line = *at;
    size_t length = strcspn(line, "\n");
    *at = line + length + (line[length] == '\n');
    line[length] = 0;
    if (length && line[length - 1] == '\r') line[length - 1] = 0;
    return line;
}

static int read_head(ns_tsv *t, char *units, char *names, ns_error *err) {
    int count = count_cells(names);
    if (count > MOST_COLUMNS)
        return ns_fail(err, NS_EINPUT, "%s: expected at most %d columns, found %d", t->path,
                       MOST_COLUMNS, count);
    t->names = ns_calloc((size_t)count, sizeof *t->names, err);
    t->units = ns_calloc((size_t)count, sizeof *t->units, err);
    if (!t->names || !t->units) return NS_EFAIL;
    t->columns = count;
    cut(names, t->names, count);
    cut(units ? units + 1 : NULL, t->units, count);
    return NS_OK;
}

static int add_row(ns_tsv *t, char *line, int number, int *room, ns_error *err) {
    int count = count_cells(line);
    if (count > t->columns)
        return ns_fail(err, NS_EINPUT, "%s: line %d: expected %d cells, found %d", t->path, number,
                       t->columns, count);
    if (t->rows == *room) {
        int more = *room ? 2 * *room : 64;
        if ((int64_t)t->rows * t->columns > MOST_CELLS)
            return ns_fail(err, NS_EINPUT, "%s: expected at most %d cells, found more", t->path,
                           MOST_CELLS);
        char **cells = ns_realloc(t->cells, (size_t)more * (size_t)t->columns, sizeof *cells, err);
        if (cells) t->cells = cells;
        int *lines = cells ? ns_realloc(t->lines, (size_t)more, sizeof *lines, err) : NULL;
        if (!lines) return NS_EFAIL;
        t->lines = lines;
        *room = more;
    }
    cut(line, t->cells + (size_t)t->rows * (size_t)t->columns, t->columns);
    t->lines[t->rows++] = number;
    return NS_OK;
}

int ns_tsv_open(ns_tsv *t, const char *path, ns_error *err) {
    size_t size;
    *t = (ns_tsv){.path = ns_strdup(path, err)};
    int status = t->path ? ns_read_text(&t->text, &size, path, MOST_BYTES, err) : NS_EFAIL;
    if (status) return status;
    char *at = t->text, *units = NULL, *line;
    int room = 0;
    for (int number = 1; !status && (line = next_line(&at)); number++) {
        if (*line == '#')
            units = line;
        else if (*line && !t->names)
            status = read_head(t, units, line, err);
        else if (*line)
            status = add_row(t, line, number, &room, err);
    }
    if (!status && !t->rows)
        status = ns_fail(err, NS_EINPUT, "%s: expected a line of names and rows below it, found %s",
                         path, t->names ? "names alone" : "nothing");
    return status;
}

void ns_tsv_close(ns_tsv *t) {
    free(t->path);
    free(t->text);
    free(t->names);
    free(t->units);
    free(t->cells);
    free(t->lines);
    *t = (ns_tsv){0};
}

static const char *name_at(const void *user, size_t i) {
    return ((char *const *)user)[i];
}

int ns_tsv_column(const ns_tsv *t, const char *name, ns_error *err) {
    for (int i = 0; i < t->columns; i++)
        if (!strcmp(t->names[i], name)) return i;
    ns_fail(err, NS_EINPUT, "%s: expected a column '%s', found", t->path, name);
    for (int i = 0; i < t->columns && i < 12; i++)
        ns_fail_more(err, "%s %s", i ? "," : "", t->names[i]);
    ns_near_names(err, name, (size_t)t->columns, name_at, t->names, 2);
    return -1;
}

const char *ns_tsv_cell(const ns_tsv *t, int row, int column) {
    return t->cells[(size_t)row * (size_t)t->columns + (size_t)column];
}

int ns_tsv_number(const ns_tsv *t, int row, int column, double *out, ns_error *err) {
    const char *cell = ns_tsv_cell(t, row, column);
    char *end;
    *out = strtod(cell, &end);
    if (end == cell && !*cell) *out = (double)NAN;
    return *end ? ns_fail(err, NS_EINPUT, "%s: line %d, column %s: expected a number, found '%s'",
                          t->path, t->lines[row], t->names[column], cell)
                : NS_OK;
}
