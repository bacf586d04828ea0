/* Results as a table: aligned for people, TSV or JSON for machines. Cells are typed, and added row by row in the order
 * of the columns.
 *
 * TSV: a line "#" with the units, then the names, then the rows; real numbers in the fewest digits that read back to
 * the same double; `nan`, `inf`, `-inf`; a missing value is empty. JSON: {"columns": [{"name", "unit"}], "rows":
 * [{name: value}]}, null for what is missing or not finite. */
#ifndef NS_TABLE_H
#define NS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_column_type {
    NS_TEXT,
    NS_INT,
    NS_REAL,
    NS_BOOL, /* "yes" and "no"; true and false in JSON */
    NS_SHARE /* a share of 1: "12.3 %" for people, the number itself for machines */
} ns_column_type;

typedef struct ns_column {
    const char *name; /* as in TSV and JSON: lower case, words joined by _ */
    const char *unit; /* "1", "B", "x", "1/x"; NULL for text */
    ns_column_type type;
    int digits;        /* significant digits of a real for people; 0 is 4 */
    bool machine_only; /* left out for people, whose terminal has 80 columns */
    const char *title; /* heading for people; NULL: the name */
} ns_column;

typedef enum ns_table_format { NS_ALIGNED, NS_TSV, NS_JSON } ns_table_format;
#define NS_TABLE_FORMATS                                                                           \
    "table|tsv|json" /* for an NS_OPT_CHOICE whose target is an ns_table_format */

typedef struct ns_table ns_table;

/* `columns` must live as long as the table. NULL on failure. */
ns_table *ns_table_new(const ns_column *columns, int count, ns_error *err);
void ns_table_free(ns_table *table);
/* Takes away all rows. */
void ns_table_clear(ns_table *table);

/* The next cell. A failure (no memory) is kept and reported by ns_table_print. */
void ns_table_text(ns_table *table, const char *text);
void ns_table_int(ns_table *table, int64_t value); /* also for NS_BOOL */
void ns_table_real(ns_table *table, double value); /* also for NS_SHARE */
void ns_table_missing(ns_table *table);
void ns_table_known(ns_table *table, double value); /* missing where it is NaN */

int ns_table_rows(const ns_table *table);

/* A cell as people see it ("-": missing) and, where `exact` is not NULL, as TSV has it ("": missing). Borrowed from the table or from the
 * two buffers. */
const char *ns_table_cell(const ns_table *table, int row, int column, char seen[32],
                          const char **exact, char room[32]);

/* NS_EFAIL where a row is incomplete, memory was out, or `file` cannot be written. */
int ns_table_print(const ns_table *table, FILE *file, ns_table_format format, ns_error *err);

/* `value` in the fewest digits that read back to the same double ("nan", "inf", "-inf"), into `text`. */
char *ns_shortest(double value, char text[32]);

/* `text` as a JSON string with its quotes. */
void ns_json_string(FILE *file, const char *text);

#ifdef __cplusplus
}
#endif
#endif
