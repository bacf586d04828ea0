/* Figures of a benchmark: some runs of each measure, told as median, least and largest. */
#ifndef NS_BENCH_H
#define NS_BENCH_H

#include "probe/base/cli.h"
#include "probe/base/error.h"
#include "probe/base/table.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_BENCH_RUNS 101

/* The options that every benchmark has: `runs` an int64_t, `usual` its default as text; `format` an int. */
#define NS_BENCH_RUNS_OPTION(runs, usual)                                                          \
    { "runs", 0, NS_OPT_INT, &(runs), "N", "runs of each, in turn", usual, 1, NS_BENCH_RUNS }
#define NS_BENCH_FORMAT_OPTION(format)                                                             \
    {                                                                                              \
        "format", 'f', NS_OPT_CHOICE, &(format), NS_TABLE_FORMATS, "form of the table", "table",   \
            0, 0                                                                                   \
    }

typedef struct ns_bench_runs {
    double values[NS_BENCH_RUNS];
    int count;
} ns_bench_runs;

/* Values beyond NS_BENCH_RUNS are dropped. */
void ns_bench_add(ns_bench_runs *runs, double value);
/* NaN without runs. */
double ns_bench_median(const ns_bench_runs *runs);
void ns_bench_range(const ns_bench_runs *runs, double *least, double *most);

/* A table of measure, unit, median, min, max, and a row of it. */
ns_table *ns_bench_table(ns_error *err);
void ns_bench_row(ns_table *table, const char *measure, const char *unit,
                  const ns_bench_runs *runs);

/* Writes a byte of each page of a file as it is, so that a later write meets no page that has still to be found. */
int ns_bench_touch(const char *path, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
