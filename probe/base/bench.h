/* Figures of a benchmark: some runs of each measure, told as median, least and largest. */
#ifndef NS_BENCH_H
#define NS_BENCH_H

#include "probe/base/error.h"
#include "probe/base/table.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_BENCH_RUNS 101

typedef struct ns_bench_runs {
    double values[NS_BENCH_RUNS];
    int count;
} ns_bench_runs;

/* Values beyond NS_BENCH_RUNS are dropped. */
void ns_bench_add(ns_bench_runs *runs, double value);
double ns_bench_median(const ns_bench_runs *runs); /* NaN without runs */

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
