/* The table of sites: what `stats` and `fit` say of each, by the names of analysis/OUTPUT.md. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/runs.h"
#include "plots/report/report_internal.h"
#include "probe/base/mem.h"

/* X(name, unit, digits, heading, what it is, value) */
#define REALS(X)                                                                                   \
    X("sigma", "x", 4, "\317\203", "standard deviation of all inputs x", s->sigma)                 \
    X("min", "x", 4, "min", "least x", s->least)                                                   \
    X("max", "x", 4, "max", "largest x", s->most)                                                  \
    X("excess_kurtosis", "1", 3, "kurtosis", "excess kurtosis of x; 0 for a normal distribution",  \
      s->excess_kurtosis)                                                                          \
    X("max_abs_over_median", "1", 3, "max/med", "largest |x| over the median of |x|",              \
      s->largest_over_median)                                                                      \
    X("inverse_sigma", "1/x", 4, "1/\317\203", "1/\317\203 of all points", s->inverse_sigma)       \
    X("inverse_sigma_row", "1/x", 4, "1/\317\203 rows", "median over rows of 1/\317\203 of a row", \
      s->inverse_sigma_row)                                                                        \
    X("alpha_learned", "1/x", 4, "\316\261 learned",                                               \
      "\316\261 of the layer itself; the mean where each channel has one", learned)                \
    X("alpha", "1/x", 4, "\316\261",                                                               \
      "of the curve y = s\302\267tanh(\316\261x) fitted to all "                                   \
      "points",                                                                                    \
      s->fit.theta[NS_ALPHA])                                                                      \
    X("alpha_se", "1/x", 2, "\302\261 \316\261",                                                   \
      "standard error of \316\261, clustered by sample", s->fit.clustered[NS_ALPHA])               \
    X("s", "y", 4, "s", "of that curve", s->fit.theta[NS_SCALE])                                   \
    X("s_se", "y", 2, "\302\261 s", "standard error of s", s->fit.clustered[NS_SCALE])             \
    X("slope", "y/x", 4, "s\302\267\316\261",                                                      \
      "slope of that curve at its centre, what compares "                                          \
      "with 1/\317\203",                                                                           \
      s->fit.slope)                                                                                \
    X("slope_se", "y/x", 2, "\302\261 s\302\267\316\261", "standard error of s\302\267\316\261",   \
      s->fit.slope_clustered)                                                                      \
    X("s_index", "1", 3, "S-index",                                                                \
      "share of what a straight line leaves unexplained that the "                                 \
      "curve explains",                                                                            \
      s->fit.s_index)                                                                              \
    X("r2", "1", 5, "R\302\262", "of the curve", s->fit.r2)

#define SHARES(X)                                                                                  \
    X("linear_share", "linear",                                                                    \
      "points within 0.1 of the best line through the origin (relative "                           \
      "beyond 1)",                                                                                 \
      s->linear_share)                                                                             \
    X("saturated_1", "|\316\261x| > 1",                                                            \
      "points beyond 1 in units of 1/\316\261, where the curve "                                   \
      "bends",                                                                                     \
      s->saturated[1])                                                                             \
    X("saturated_2", "|\316\261x| > 2", "points beyond 2, where the curve is nearly flat",         \
      s->saturated[2])

#define REAL_COLUMN(name, unit, digits, title, help, value)                                        \
    {{name, unit, NS_REAL, digits, false, title}, help},
#define SHARE_COLUMN(name, title, help, value) {{name, "1", NS_SHARE, 1, false, title}, help},
static const ns_site_column all_columns[] = {
    {{"run", NULL, NS_TEXT, 0, false, NULL}, "file"},
    {{"site", "1", NS_INT, 0, false, "layer"}, "number of the layer in the order of execution"},
    {{"name", NULL, NS_TEXT, 0, false, NULL}, "module path"},
    {{"role", NULL, NS_TEXT, 0, false, NULL}, "where the layer stands"},
    {{"kind", NULL, NS_TEXT, 0, false, NULL}, "of normalization"},
    {{"channels", "1", NS_INT, 0, false, NULL}, "values of a row"},
    {{"rows", "1", NS_INT, 0, false, NULL}, "tokens or positions that were read, without padding"},
    REALS(REAL_COLUMN) SHARES(SHARE_COLUMN){{"nonfinite", "1", NS_INT, 0, false, "not finite"},
                                            "points that are not finite, left out"},
    {{"massive", "1", NS_INT, 0, false, NULL},
     "massive activations: |x| > 100 and at least 1000 times the median of |x|"},
    {{"outlier_channels", "1", NS_INT, 0, false, "outlier ch."},
     "channels with |x| at least 6 in 6 % of the rows or more"},
    {{"from", NULL, NS_TEXT, 0, false, NULL},
     "what the row was computed from: all rows, a sample of them, or a sketch of all"},
    {{"note", NULL, NS_TEXT, 0, false, NULL}, "why there is no \316\261, and the like"},
};
enum { COLUMNS = sizeof all_columns / sizeof all_columns[0], RUN = 0 };

static void add_row(ns_table *t, const ns_store *store, const ns_store_site *site,
                    const ns_stats *s) {
    double learned = ns_norm_mean_alpha(&site->site.norm);
    char note[64] = "";
    ns_table_text(t, ns_store_path(store));
    ns_table_int(t, site->site.index);
    ns_table_text(t, site->site.name);
    ns_table_text(t, ns_role_name(site->site.role));
    ns_table_text(t, site->site.norm.kind->name);
    ns_table_int(t, s->channels);
    ns_table_int(t, (int64_t)s->rows);
#define REAL_CELL(name, unit, digits, title, help, value) ns_table_known(t, value);
#define SHARE_CELL(name, title, help, value)              ns_table_known(t, value);
    REALS(REAL_CELL)
    SHARES(SHARE_CELL)
    ns_table_int(t, (int64_t)s->nonfinite);
    ns_table_int(t, (int64_t)s->massive);
    ns_table_int(t, s->outlier_channels);
    ns_table_text(t, s->from_sketch ? "sketch" : site->sampled ? "sample" : "rows");
    if (site->sampled && !s->from_sketch)
        snprintf(note, sizeof note, "%" PRIu64 " of %" PRIu64 " rows", site->rows, site->rows_seen);
    ns_table_text(t, s->fit.degenerate ? s->fit.reason : note);
}

static int add_site(ns_table *table, ns_store *store, int i, ns_progress *progress, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    const ns_stats_options options = {.tolerance = 0.1, .progress = progress};
    ns_stats stats;
    int status = ns_runs_stats(&stats, store, i, NS_FROM_BEST, &options, err);
    if (status)
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(store), site->site.index,
                        site->site.name);
    else
        add_row(table, store, site, &stats);
    ns_stats_free(&stats);
    return status;
}

/* Columns that these runs need. */
static void choose_columns(ns_site_table *out, const ns_plot_request *r) {
    bool learned = false;
    for (int k = 0; k < r->run_count; k++)
        for (int i = 0; i < r->runs[k].site_count; i++)
            learned |=
                ns_store_site_at(r->runs[k].store, r->runs[k].sites[i])->site.norm.alpha_count > 0;
    for (int c = 0; c < out->count; c++) {
        out->columns[c] = all_columns[c].column;
        if (!strcmp(out->columns[c].name, "alpha_learned")) out->columns[c].machine_only = !learned;
    }
    out->columns[RUN].machine_only = r->run_count < 2;
}

int ns_site_table_make(ns_site_table *out, const ns_plot_request *r, ns_progress *progress,
                       ns_error *err) {
    *out = (ns_site_table){.about = all_columns, .count = COLUMNS};
    out->columns = ns_calloc(COLUMNS, sizeof *out->columns, err);
    if (!out->columns) return NS_EFAIL;
    choose_columns(out, r);
    out->table = ns_table_new(out->columns, COLUMNS, err);
    int status = out->table ? NS_OK : NS_EFAIL;
    for (int k = 0; k < r->run_count; k++)
        for (int i = 0; i < r->runs[k].site_count && !status; i++)
            status = add_site(out->table, r->runs[k].store, r->runs[k].sites[i], progress, err);
    return status;
}

void ns_site_table_free(ns_site_table *sites) {
    ns_table_free(sites->table);
    free(sites->columns);
    *sites = (ns_site_table){0};
}
