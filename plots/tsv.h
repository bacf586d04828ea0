/* Reading a table of tab-separated values: names of the columns in the first line that does not begin with '#', then rows. A line of '#'
 * right above the names gives units, as our own tables have it. Memory: the file, at most 64 MiB, and a pointer a cell, at most some
 * 2^24 of them, also for the cells that short rows lack. */
#ifndef NS_TSV_H
#define NS_TSV_H

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_tsv {
    char *path, *text;
    int columns, rows;
    char **names, **units; /* [columns]; a unit may be empty */
    char **cells;          /* [rows, columns]; empty where a row is shorter */
    int *lines;            /* [rows], from 1 */
} ns_tsv;

/* NS_EINPUT: cannot be read, no names, no rows, a row with more cells than there are names. Free with ns_tsv_close, also after a
 * failure. */
int ns_tsv_open(ns_tsv *out, const char *path, ns_error *err);
void ns_tsv_close(ns_tsv *tsv);

/* The column of that name, -1 and NS_EINPUT with near names where there is none. */
int ns_tsv_column(const ns_tsv *tsv, const char *name, ns_error *err);
/* A cell; row and column must be there. */
const char *ns_tsv_cell(const ns_tsv *tsv, int row, int column);
/* A cell as a number: NaN where it is empty; NS_EINPUT where it is something else. */
int ns_tsv_number(const ns_tsv *tsv, int row, int column, double *out, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
