#include "probe/base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

typedef struct cell {
    bool present;
    union {
        char *text;
        int64_t whole;
        double real;
    } as;
} cell;

struct ns_table {
    const ns_column *columns;
    int width;
    size_t used, room;
    cell *cells;
    bool failed;
    int *widths;  /* of the columns, for people */
    cell nowhere; /* written to and never read, after memory ran out */
};

ns_table *ns_table_new(const ns_column *columns, int count, ns_error *err) {
    ns_table *table = ns_calloc(1, sizeof *table, err);
    if (!table) return NULL;
    table->columns = columns;
    table->width = count;
    table->widths = ns_calloc((size_t)count, sizeof *table->widths, err);
    if (!table->widths) {
        free(table);
        return NULL;
    }
    return table;
}

void ns_table_clear(ns_table *table) {
    for (size_t i = 0; i < table->used; i++)
        if (table->cells[i].present && table->columns[i % (size_t)table->width].type == NS_TEXT)
            free(table->cells[i].as.text);
    table->used = 0;
    table->failed = false;
}

void ns_table_free(ns_table *table) {
    if (!table) return;
    ns_table_clear(table);
    free(table->cells);
    free(table->widths);
    free(table);
}

static cell *next_cell(ns_table *table) {
    if (table->used == table->room) {
        size_t room = table->room ? 2 * table->room : 64;
        cell *cells = ns_realloc(table->cells, room, sizeof *cells, NULL);
        if (!cells) {
            table->failed = true;
            return &table->nowhere;
        }
        table->cells = cells;
        table->room = room;
    }
    cell *next = &table->cells[table->used++];
    *next = (cell){0};
    return next;
}

void ns_table_text(ns_table *table, const char *text) {
    char *copy = ns_strdup(text, NULL);
    if (!copy) table->failed = true;
    cell *c = next_cell(table);
    c->present = copy != NULL;
    c->as.text = copy;
    if (table->failed) free(copy), c->present = false;
}

void ns_table_int(ns_table *table, int64_t value) {
    cell *c = next_cell(table);
    c->present = true;
    c->as.whole = value;
}

void ns_table_real(ns_table *table, double value) {
    cell *c = next_cell(table);
    c->present = true;
    c->as.real = value;
}

void ns_table_missing(ns_table *table) {
    next_cell(table);
}

void ns_table_known(ns_table *table, double value) {
    if (isnan(value))
        ns_table_missing(table);
    else
        ns_table_real(table, value);
}

int ns_table_rows(const ns_table *table) {
    return (int)(table->used / (size_t)table->width);
}

char *ns_shortest(double value, char text[32]) {
    if (isnan(value)) return strcpy(text, "nan");
    if (isinf(value)) return strcpy(text, value > 0 ? "inf" : "-inf");
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return text;
}

/* For people: so many significant digits, trailing zeros kept so that columns line up by eye. */
static void friendly(double value, int digits, char text[32]) {
    double magnitude = fabs(value);
    if (!isfinite(value)) {
        ns_shortest(value, text);
    } else if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
        snprintf(text, 32, "%.*e", digits - 1, value);
    } else {
        int after = magnitude > 0 ? digits - 1 - (int)floor(log10(magnitude)) : digits - 1;
        snprintf(text, 32, "%.*f", after < 0 ? 0 : after, value);
    }
}

/* The text of a cell for people; `room` is used for numbers. */
static const char *shown(const ns_column *column, const cell *c, char room[32]) {
    if (!c->present) return "-";
    switch (column->type) {
    case NS_TEXT:
        return c->as.text;
    case NS_INT:
        snprintf(room, 32, "%lld", (long long)c->as.whole);
        break;
    case NS_REAL:
        friendly(c->as.real, column->digits ? column->digits : 4, room);
        break;
    case NS_BOOL:
        return c->as.whole ? "yes" : "no";
    case NS_SHARE:
        if (!isfinite(c->as.real)) return "-";
        snprintf(room, 32, "%.*f %%", column->digits ? column->digits : 2, 100 * c->as.real);
        break;
    }
    return room;
}

const char *ns_table_cell(const ns_table *table, int row, int column, char seen[32],
                          const char **exact, char room[32]) {
    const ns_column *kind = &table->columns[column];
    const cell *c = &table->cells[(size_t)row * (size_t)table->width + (size_t)column];
    if (exact && !c->present) {
        *exact = "";
    } else if (exact && kind->type == NS_TEXT) {
        *exact = c->as.text;
    } else if (exact && (kind->type == NS_REAL || kind->type == NS_SHARE)) {
        *exact = ns_shortest(c->as.real, room);
    } else if (exact) {
        snprintf(room, 32, "%lld", (long long)c->as.whole);
        *exact = room;
    }
    return shown(kind, c, seen);
}

/* Characters of UTF-8 text: bytes that are no continuation. */
static int columns_of(const char *text) {
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_aligned(const ns_table *table, FILE *file) {
    int rows = ns_table_rows(table);
    int *widths = table->widths;
    char room[32];
    for (int j = 0; j < table->width; j++) {
        const ns_column *column = &table->columns[j];
        if (column->machine_only) continue;
        widths[j] = columns_of(column->title ? column->title : column->name);
        for (int i = 0; i < rows; i++) {
            int n = columns_of(
                shown(column, &table->cells[(size_t)i * (size_t)table->width + (size_t)j], room));
            if (n > widths[j]) widths[j] = n;
        }
    }
    for (int i = -1; i < rows; i++) {
        int blanks = 0; /* owed to the next text: none stand at the end of a line */
        for (int j = 0; j < table->width; j++) {
            const ns_column *column = &table->columns[j];
            if (column->machine_only) continue;
            const char *text = column->title ? column->title : column->name;
            if (i >= 0)
                text = shown(column, &table->cells[(size_t)i * (size_t)table->width + (size_t)j],
                             room);
            int pad = widths[j] - columns_of(text);
            bool left = column->type == NS_TEXT;
            if (!left) blanks += pad;
            if (*text) fprintf(file, "%*s%s", blanks, "", text), blanks = 0;
            blanks += (left ? pad : 0) + 2;
        }
        fputc('\n', file);
    }
}

static void print_tsv(const ns_table *table, FILE *file) {
    int rows = ns_table_rows(table);
    char number[32];
    for (int j = 0; j < table->width; j++)
        fprintf(file, "%s%s", j ? "\t" : "#",
                table->columns[j].unit ? table->columns[j].unit : "text");
    fputc('\n', file);
    for (int j = 0; j < table->width; j++)
        fprintf(file, "%s%s", j ? "\t" : "", table->columns[j].name);
    fputc('\n', file);
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < table->width; j++) {
            const cell *c = &table->cells[(size_t)i * (size_t)table->width + (size_t)j];
            if (j) fputc('\t', file);
            if (!c->present) continue;
            switch (table->columns[j].type) {
            case NS_TEXT: /* the two characters that would break the lines become spaces */
                for (const char *s = c->as.text; *s; s++)
                    fputc(*s == '\t' || *s == '\n' || *s == '\r' ? ' ' : *s, file);
                break;
            case NS_INT:
            case NS_BOOL:
                fprintf(file, "%lld", (long long)c->as.whole);
                break;
            case NS_REAL:
            case NS_SHARE:
                fputs(ns_shortest(c->as.real, number), file);
                break;
            }
        }
        fputc('\n', file);
    }
}

void ns_json_string(FILE *file, const char *text) {
    fputc('"', file);
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(file, "\\%c", *s);
        else if (*s < 0x20)
            fprintf(file, "\\u%04x", *s);
        else
            fputc(*s, file);
    }
    fputc('"', file);
}

static void print_json_cell(const ns_column *column, const cell *c, FILE *file) {
    char number[32];
    bool real = column->type == NS_REAL || column->type == NS_SHARE;
    if (!c->present || (real && !isfinite(c->as.real))) {
        fputs("null", file);
    } else if (real) {
        fputs(ns_shortest(c->as.real, number), file);
    } else if (column->type == NS_TEXT) {
        ns_json_string(file, c->as.text);
    } else if (column->type == NS_BOOL) {
        fputs(c->as.whole ? "true" : "false", file);
    } else {
        fprintf(file, "%lld", (long long)c->as.whole);
    }
}

static void print_json(const ns_table *table, FILE *file) {
    int rows = ns_table_rows(table);
    fputs("{\n  \"columns\": [\n", file);
    for (int j = 0; j < table->width; j++) {
        fputs("    {\"name\": ", file);
        ns_json_string(file, table->columns[j].name);
        fputs(", \"unit\": ", file);
        if (table->columns[j].unit)
            ns_json_string(file, table->columns[j].unit);
        else
            fputs("null", file);
        fputs(j + 1 < table->width ? "},\n" : "}\n", file);
    }
    fputs("  ],\n  \"rows\": [", file);
    for (int i = 0; i < rows; i++) {
        fputs(i ? ",\n    {" : "\n    {", file);
        for (int j = 0; j < table->width; j++) {
            if (j) fputs(", ", file);
            ns_json_string(file, table->columns[j].name);
            fputs(": ", file);
            print_json_cell(&table->columns[j],
                            &table->cells[(size_t)i * (size_t)table->width + (size_t)j], file);
        }
        fputc('}', file);
    }
    fputs(rows ? "\n  ]\n}\n" : "]\n}\n", file);
}

int ns_table_print(const ns_table *table, FILE *file, ns_table_format format, ns_error *err) {
    if (table->failed) return ns_fail(err, NS_EFAIL, "out of memory while building the table");
    if (table->used % (size_t)table->width)
        return ns_fail(err, NS_EFAIL, "internal: the last row of the table has %zu of %d cells",
                       table->used % (size_t)table->width, table->width);
    if (format == NS_TSV)
        print_tsv(table, file);
    else if (format == NS_JSON)
        print_json(table, file);
    else
        print_aligned(table, file);
    if (ferror(file)) return ns_fail(err, NS_EFAIL, "the table could not be written");
    return NS_OK;
}
