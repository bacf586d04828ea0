/* normscope stats: the distribution of every site's input. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/runs.h"
#include "analysis/stats.h"
#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

typedef struct settings {
    ns_selection_words sites;
    int format, from;
    double tolerance;
    bool no_fit, store;
    const char *rows;
    ns_row_choice choice; /* of rows */
} settings;

typedef struct work {
    const settings *settings;
    ns_table *table, *file_table; /* of all files; of one, where it is stored */
    ns_progress progress;
    /* Channels that were outliers, over the sites of one file with the same width. */
    int sites, width;
    int *votes;
    int massive_sites;
    bool sketched;
    ns_sampled sampled;
    uint64_t left_out; /* rows that --rows does not take, at most of a site */
    char note[512];
} work;

/* One place for a real column: its name, unit, what people see, and where its value stands. */
#define REALS(X)                                                                                   \
    X("mean", "x", true, NULL, s->mean)                                                            \
    X("sigma", "x", true, NULL, s->sigma)                                                          \
    X("min", "x", true, NULL, s->least)                                                            \
    X("max", "x", true, NULL, s->most)                                                             \
    X("skewness", "1", true, NULL, s->skewness)                                                    \
    X("excess_kurtosis", "1", true, NULL, s->excess_kurtosis)                                      \
    X("q0.001", "x", true, NULL, s->quantiles[0])                                                  \
    X("q0.01", "x", true, NULL, s->quantiles[1])                                                   \
    X("q0.25", "x", true, NULL, s->quantiles[2])                                                   \
    X("median", "x", true, NULL, s->quantiles[3])                                                  \
    X("q0.75", "x", true, NULL, s->quantiles[4])                                                   \
    X("q0.99", "x", true, NULL, s->quantiles[5])                                                   \
    X("q0.999", "x", true, NULL, s->quantiles[6])                                                  \
    X("mad", "x", true, NULL, s->mad)                                                              \
    X("inverse_sigma", "1/x", false, "1/sigma", s->inverse_sigma)                                  \
    X("inverse_sigma_row", "1/x", false, "of rows", s->inverse_sigma_row)                          \
    X("inverse_sigma_robust", "1/x", false, "robust", s->inverse_sigma_robust)                     \
    X("row_sigma_min", "x", true, NULL, s->row_sigma[0])                                           \
    X("row_sigma_q0.05", "x", true, NULL, s->row_sigma[1])                                         \
    X("row_sigma_median", "x", true, NULL, s->row_sigma[2])                                        \
    X("row_sigma_q0.95", "x", true, NULL, s->row_sigma[3])                                         \
    X("row_sigma_max", "x", true, NULL, s->row_sigma[4])                                           \
    X("median_abs", "x", true, NULL, s->median_size)                                               \
    X("max_abs_over_median", "1", false, "max/med", s->largest_over_median)                        \
    X("max_abs_y", "y", true, NULL, s->largest_y)                                                  \
    X("channel_kurtosis", "1", true, NULL, s->channel_kurtosis)                                    \
    X("sigma_first", "x", true, NULL, ns_moments_sigma(&s->first))                                 \
    X("sigma_others", "x", true, NULL, ns_moments_sigma(&s->others))                               \
    X("line_slope", "y/x", true, NULL, s->line)                                                    \
    X("alpha", "1/x", true, NULL, s->fit.theta[NS_ALPHA])                                          \
    X("slope", "y/x", true, NULL, s->fit.slope)                                                    \
    X("gain", "1/x^2", true, NULL, s->gain)                                                        \
    X("s_index", "1", false, "S-index", s->fit.s_index)                                            \
    X("s_index_not_first", "1", false, "no 1st", s->fit.s_index_of[NS_ROWS_NOT_FIRST])             \
    X("s_index_first", "1", true, NULL, s->fit.s_index_of[NS_ROWS_FIRST])                          \
    X("s_index_class", "1", true, NULL, s->fit.s_index_of[NS_ROWS_CLASS])                          \
    X("s_index_register", "1", true, NULL, s->fit.s_index_of[NS_ROWS_REGISTER])                    \
    X("s_index_word", "1", true, NULL, s->fit.s_index_of[NS_ROWS_WORD])                            \
    X("s_index_patch", "1", true, NULL, s->fit.s_index_of[NS_ROWS_PATCH])

#define SHARES(X)                                                                                  \
    X("linear_share", false, "linear", s->linear_share)                                            \
    X("saturated_0.5", true, NULL, s->saturated[0])                                                \
    X("saturated_1", true, NULL, s->saturated[1])                                                  \
    X("saturated_2", true, NULL, s->saturated[2])                                                  \
    X("saturated_3", true, NULL, s->saturated[3])

#define REAL_COLUMN(name, unit, machine, title, value) {name, unit, NS_REAL, 3, machine, title},
#define SHARE_COLUMN(name, machine, title, value)      {name, "1", NS_SHARE, 1, machine, title},
static const ns_column all_columns[] = {
    {"run", NULL, NS_TEXT, 0, true, NULL},
    {"site", "1", NS_INT, 0, false, NULL},
    {"name", NULL, NS_TEXT, 0, false, NULL},
    {"role", NULL, NS_TEXT, 0, true, NULL},
    {"kind", NULL, NS_TEXT, 0, true, NULL},
    {"rows", "1", NS_INT, 0, true, NULL},
    {"padding_rows", "1", NS_INT, 0, true, NULL},
    {"rows_left_out", "1", NS_INT, 0, true, NULL},
    {"channels", "1", NS_INT, 0, true, NULL},
    {"points", "1", NS_INT, 0, true, NULL},
    {"nonfinite", "1", NS_INT, 0, true, NULL},
    REALS(REAL_COLUMN) SHARES(SHARE_COLUMN){"massive", "1", NS_INT, 0, true, NULL},
    {"massive_channels", "1", NS_INT, 0, true, NULL},
    {"outlier_channels", "1", NS_INT, 0, true, NULL},
    {"extremes", NULL, NS_TEXT, 0, true, NULL},
    {"from", NULL, NS_TEXT, 0, true, NULL},
    {"quantile_error", "1", NS_REAL, 0, true, NULL},
    {"reason", NULL, NS_TEXT, 0, true, NULL},
    {"chosen_rows", NULL, NS_TEXT, 0, true, NULL},
};
enum { COLUMNS = sizeof all_columns / sizeof all_columns[0] };

/* "x@sample:position:channel ..." */
static void write_extremes(const ns_stats *s, char *text, size_t size) {
    size_t at = 0;
    *text = 0;
    for (int i = 0; i < s->top && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%.6g@%" PRId64 ":%d:%d", i ? " " : "",
                               s->extremes[i].x, s->extremes[i].sample, s->extremes[i].position,
                               s->extremes[i].channel);
}

/* A sketch of some rows tells of no channels. */
static void add_count(ns_table *t, int count) {
    if (count >= 0)
        ns_table_int(t, count);
    else
        ns_table_missing(t);
}

static void add_row(ns_table *t, const ns_store *store, const ns_store_site *site,
                    const ns_stats *s, const ns_row_choice *choice) {
    char extremes[512];
    ns_table_text(t, ns_store_path(store));
    ns_table_int(t, site->site.index);
    ns_table_text(t, site->site.name);
    ns_table_text(t, ns_role_name(site->site.role));
    ns_table_text(t, site->site.norm.kind->name);
    const uint64_t counts[] = {s->rows,   s->padding,  s->left_out, (uint64_t)s->channels,
                               s->points, s->nonfinite};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) ns_table_int(t, (int64_t)counts[i]);
#define REAL_CELL(name, unit, machine, title, value) ns_table_known(t, value);
#define SHARE_CELL(name, machine, title, value)      ns_table_known(t, value);
    REALS(REAL_CELL)
    SHARES(SHARE_CELL)
    ns_table_int(t, (int64_t)s->massive);
    add_count(t, s->massive_channels);
    add_count(t, s->outlier_channels);
    write_extremes(s, extremes, sizeof extremes);
    ns_table_text(t, extremes);
    ns_table_text(t, s->from_sketch ? "sketch" : site->sampled ? "sample" : "rows");
    ns_table_known(t, s->quantile_error);
    ns_table_text(t, s->fit.reason);
    ns_table_text(t, choice->text);
}

static int vote(work *w, const ns_stats *s, ns_error *err) {
    if (w->width != s->channels) {
        free(w->votes);
        w->votes = ns_calloc((size_t)s->channels, sizeof *w->votes, err);
        if (!w->votes) return NS_EFAIL;
        w->width = s->channels;
        w->sites = 0;
    }
    w->sites++;
    for (int c = 0; c < s->channels; c++) w->votes[c] += s->is_outlier[c];
    w->massive_sites += s->massive > 0;
    return NS_OK;
}

static int stats_of_site(void *user, ns_store *store, int i, ns_error *err) {
    work *w = user;
    const ns_store_site *site = ns_store_site_at(store, i);
    ns_stats stats = {0};
    const ns_stats_options options = {.tolerance = w->settings->tolerance,
                                      .no_fit = w->settings->no_fit,
                                      .progress = &w->progress,
                                      .rows = &w->settings->choice,
                                      .by_kind = true};
    int status =
        ns_runs_stats(&stats, store, i, (ns_source_choice)w->settings->from, &options, err);
    w->sketched |= stats.from_sketch;
    if (!status && !stats.from_sketch) ns_sampled_note(&w->sampled, site);
    if (!status) {
        add_row(w->table, store, site, &stats, &w->settings->choice);
        if (w->file_table) add_row(w->file_table, store, site, &stats, &w->settings->choice);
        if (stats.left_out > w->left_out) w->left_out = stats.left_out;
        status = vote(w, &stats, err);
    } else {
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(store), site->site.index,
                        site->site.name);
    }
    ns_stats_free(&stats);
    return status;
}

static void forget_votes(work *w) {
    free(w->votes);
    w->votes = NULL;
    w->width = w->sites = w->massive_sites = 0;
}

enum { MOST_NAMED = 8 };

/* What holds over the layers of a file: outlier channels (LLM.int8) and massive activations. */
static int note_file(void *user, ns_store *store, ns_error *err) {
    work *w = user;
    int found = 0;
    size_t at = 0;
    w->note[0] = 0;
    for (int c = 0; c < w->width; c++) {
        if (w->votes[c] * 4 < w->sites) continue;
        if (found < MOST_NAMED)
            at += (size_t)snprintf(w->note + at, sizeof w->note - at, "%s%d", found ? ", " : "", c);
        else if (found == MOST_NAMED)
            snprintf(w->note + at, sizeof w->note - at, ", ...");
        found++;
    }
    if (w->settings->format == NS_ALIGNED)
        fprintf(stdout, "%s: %d outlier channel%s%s%s; massive activations at %d of %d sites\n",
                ns_store_path(store), found, found == 1 ? "" : "s", found ? ": " : "", w->note,
                w->massive_sites, w->sites);
    forget_votes(w);
    /* With --store, each file gets the rows that are its own. */
    return w->file_table ? ns_runs_store_table(w->file_table, store, NS_RESULT_STATS, err) : NS_OK;
}

/* What a file gave before it failed goes into no other file's result. */
static void drop_file(void *user) {
    work *w = user;
    forget_votes(w);
    if (w->file_table) ns_table_clear(w->file_table);
}

static int stats_of_files(const settings *s, const ns_list *files, ns_error *err) {
    ns_column columns[COLUMNS];
    memcpy(columns, all_columns, sizeof columns);
    columns[0].machine_only = files->count < 2;
    work w = {.settings = s, .table = ns_table_new(columns, COLUMNS, err)};
    if (s->store) w.file_table = ns_table_new(all_columns, COLUMNS, err);
    if (!w.table || (s->store && !w.file_table)) {
        ns_table_free(w.table);
        ns_table_free(w.file_table);
        return NS_EFAIL;
    }
    const ns_runs runs = {.files = files->items,
                          .file_count = files->count,
                          .selection = ns_selection_of(&s->sites),
                          .site = stats_of_site,
                          .file_done = note_file,
                          .file_failed = drop_file,
                          .user = &w};
    int status = ns_runs_each(&runs, err);
    if (ns_table_rows(w.table) > 0 && status != NS_ESTOP) {
        ns_error printing = {0};
        if (s->format == NS_ALIGNED) printf("\n");
        int printed = ns_table_print(w.table, stdout, (ns_table_format)s->format, &printing);
        if (printed && !status) *err = printing, status = printed;
        if (s->format == NS_ALIGNED)
            printf(
                "\nOf the input x. 1/sigma: of all points; median over rows; robust. max/med:\n"
                "largest |x| over median |x|. S-index: of all rows; no 1st: without position 0.\n"
                "linear: points within %g of the line y = k x (times max(1, |k x|)).\n"
                "--format tsv has every figure, and the S-index by kind of row.\n",
                s->tolerance);
        if (s->format == NS_ALIGNED && s->choice.count)
            printf("Rows: %s; %" PRIu64 " others of a site are left out.\n", s->choice.text,
                   w.left_out);
        if (s->format == NS_ALIGNED && w.sketched)
            printf("From a sketch: moments are exact, quantiles within 1/32 of themselves.\n");
        if (s->format == NS_ALIGNED) ns_sampled_print(&w.sampled);
    }
    ns_table_free(w.table);
    ns_table_free(w.file_table);
    free(w.votes);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.tolerance = 0.1};
    const ns_option options[] = {
        {"tolerance", 't', NS_OPT_REAL, &s.tolerance, "T",
         "a point is in the linear range where |y - k x| <= T max(1, |k x|)", "0.1", 0, 1e6},
        NS_SOURCE_OPTION(s.from),
        NS_ROWS_OPTION(s.rows),
        {"no-fit", 0, NS_OPT_FLAG, &s.no_fit, NULL, "leave out what needs the fitted alpha", NULL,
         0, 0},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Sites", NULL, 0, 0},
        NS_SELECTION_OPTIONS(s.sites),
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Output", NULL, 0, 0},
        NS_STORE_OPTION(s.store),
        {"format", 'f', NS_OPT_CHOICE, &s.format, NS_TABLE_FORMATS,
         "form of the table; tsv and json have every column", "table", 0, 0},
        {0},
    };
    ns_list rest = {0};
    int status = ns_cli_parse(self, options, argc, argv, 1, -1, &rest, err);
    if (!status) status = ns_row_choice_parse(&s.choice, s.rows, err);
    if (!status) status = stats_of_files(&s, &rest, err);
    ns_selection_free(&s.sites);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_stats = {
    .name = "stats",
    .group = "Analyse",
    .summary = "the distribution of every site's input",
    .usage = "[options] FILE...",
    .details = "Exact over all points, streamed: moments, quantiles, the three 1/sigma, the spread "
               "of the rows' sigma, largest |x| over "
               "the median, outlier channels and massive activations, the share of points on the "
               "line, and, with the alpha of the "
               "fitted tanh, saturation and gradient gain.",
    .examples = "  normscope stats run.h5\n"
                "  normscope stats runs/*.h5 --format tsv > stats.tsv\n",
    .run = run,
};
