/* normscope fit: curves through the points of every site. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit.h"
#include "analysis/runs.h"
#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

typedef struct settings {
    ns_selection_words sites;
    const char *curve, *rows;
    ns_row_choice choice; /* of rows */
    int scale, weighting, format, from;
    bool shift, offset, held_out, store;
    int64_t seed;
} settings;

typedef struct work {
    const settings *settings;
    ns_fit_options options;
    ns_table *table, *file_table; /* of all files; of one, where it is stored */
    ns_fit *fits;
    ns_progress progress;
    bool sketched;
    ns_sampled sampled;
    bool errors;       /* some standard error is known */
    uint64_t left_out; /* rows that --rows does not take, at most of a site */
} work;

enum {
    RUN,
    CURVE = 5,
    RANK = 7,
    HELD_OUT,
    ALPHA_SE = 10,
    S_SE = 13,
    D = 15,
    B = 18,
    R2 = 25,
    NOT_FIRST = 28,
    COLUMNS = 57
};

/* The columns for people fit into 80: `run` joins them where there are several, `d` and `b` where they are free, and several curves'
 * names, ranks and errors take the place of some others. */
static const ns_column all_columns[COLUMNS] = {
    {"run", NULL, NS_TEXT, 0, true, NULL},
    {"site", "1", NS_INT, 0, false, NULL},
    {"name", NULL, NS_TEXT, 0, false, NULL},
    {"role", NULL, NS_TEXT, 0, true, NULL},
    {"kind", NULL, NS_TEXT, 0, true, NULL},
    {"curve", NULL, NS_TEXT, 0, true, NULL},
    {"weighting", NULL, NS_TEXT, 0, true, NULL},
    {"rank", "1", NS_INT, 0, true, NULL},
    {"held_out_rmse", "y", NS_REAL, 4, true, "held out"},
    {"alpha", "1/x", NS_REAL, 4, false, NULL},
    {"alpha_se", "1/x", NS_REAL, 2, false, "+-"},
    {"alpha_se_nominal", "1/x", NS_REAL, 0, true, NULL},
    {"s", "y", NS_REAL, 4, false, NULL},
    {"s_se", "y", NS_REAL, 2, false, "+-"},
    {"s_se_nominal", "y", NS_REAL, 0, true, NULL},
    {"d", "1", NS_REAL, 3, true, NULL},
    {"d_se", "1", NS_REAL, 0, true, NULL},
    {"d_se_nominal", "1", NS_REAL, 0, true, NULL},
    {"b", "y", NS_REAL, 3, true, NULL},
    {"b_se", "y", NS_REAL, 0, true, NULL},
    {"b_se_nominal", "y", NS_REAL, 0, true, NULL},
    {"slope", "y/x", NS_REAL, 3, false, "slope"},
    {"slope_se", "y/x", NS_REAL, 0, true, NULL},
    {"slope_se_nominal", "y/x", NS_REAL, 0, true, NULL},
    {"correlation_s_alpha", "1", NS_REAL, 0, true, NULL},
    {"r2", "1", NS_REAL, 4, false, "R2"},
    {"r2_linear", "1", NS_REAL, 0, true, NULL},
    {"s_index", "1", NS_REAL, 2, false, "S-index"},
    {"s_index_not_first", "1", NS_REAL, 2, false, "no 1st"},
    {"s_index_first", "1", NS_REAL, 0, true, NULL},
    {"s_index_class", "1", NS_REAL, 0, true, NULL},
    {"s_index_register", "1", NS_REAL, 0, true, NULL},
    {"s_index_word", "1", NS_REAL, 0, true, NULL},
    {"s_index_patch", "1", NS_REAL, 0, true, NULL},
    {"rmse", "y", NS_REAL, 0, true, NULL},
    {"tail_rmse", "y", NS_REAL, 0, true, NULL},
    {"sse", "y^2", NS_REAL, 0, true, NULL},
    {"sst", "y^2", NS_REAL, 0, true, NULL},
    {"aic", "1", NS_REAL, 0, true, NULL},
    {"huber_threshold", "y", NS_REAL, 0, true, NULL},
    {"points", "1", NS_INT, 0, true, NULL},
    {"nonfinite", "1", NS_INT, 0, true, NULL},
    {"padding_rows", "1", NS_INT, 0, true, NULL},
    {"chosen_rows", NULL, NS_TEXT, 0, true, NULL},
    {"rows_left_out", "1", NS_INT, 0, true, NULL},
    {"samples", "1", NS_INT, 0, true, NULL},
    {"iterations", "1", NS_INT, 0, true, NULL},
    {"converged", NULL, NS_BOOL, 0, true, NULL},
    {"stop", NULL, NS_TEXT, 0, true, NULL},
    {"degenerate", NULL, NS_BOOL, 0, true, NULL},
    {"reason", NULL, NS_TEXT, 0, true, NULL},
    {"rows_stored", "1", NS_INT, 0, true, NULL},
    {"rows_seen", "1", NS_INT, 0, true, NULL},
    {"from", NULL, NS_TEXT, 0, true, NULL},
    {"sketch_error", "1", NS_REAL, 0, true, NULL},
    {"formula", NULL, NS_TEXT, 0, true, NULL},
    {"flag", NULL, NS_TEXT, 0, false, ""},
};

static void add_parameter(ns_table *table, const ns_fit *fit, int k) {
    if (fit->only_slope && fit->free[k]) {
        for (int i = 0; i < 3; i++) ns_table_missing(table);
        return;
    }
    ns_table_known(table, fit->theta[k]);
    ns_table_known(table, fit->clustered[k]);
    ns_table_known(table, fit->nominal[k]);
}

/* What a person has to know at a glance. */
static const char *flag(const ns_fit *fit, const ns_store_site *site) {
    bool rests = ns_fit_rests_on_first(fit),
         hidden = fit->s_index < fit->s_index_of[NS_ROWS_NOT_FIRST];
    if (fit->degenerate) return rests ? "near-linear, but for an S behind position 0" : fit->reason;
    if (rests) return hidden ? "S behind position 0" : "S of position 0";
    if (fit->from_sketch) return "sketch";
    if (fit->nonfinite) return "not all finite";
    return site->sampled && site->rows < site->rows_seen ? "sample" : "";
}

static const char *const weightings[] = {"points", "density", "huber"};

static void add_row(work *w, ns_table *t, const ns_store *store, const ns_store_site *s,
                    const ns_fit *fit, int rank) {
    ns_table_text(t, ns_store_path(store));
    ns_table_int(t, s->site.index);
    ns_table_text(t, s->site.name);
    ns_table_text(t, ns_role_name(s->site.role));
    ns_table_text(t, s->site.norm.kind->name);
    ns_table_text(t, fit->curve->name);
    ns_table_text(t, weightings[w->settings->weighting]);
    if (rank)
        ns_table_int(t, rank);
    else
        ns_table_missing(t);
    ns_table_known(t, fit->held_out_rmse);
    for (int k = 0; k < NS_PARAMETERS; k++) add_parameter(t, fit, k);
    const double rest[] = {fit->slope,
                           fit->slope_clustered,
                           fit->slope_nominal,
                           fit->correlation,
                           fit->r2,
                           fit->r2_linear,
                           fit->s_index,
                           fit->s_index_of[NS_ROWS_NOT_FIRST],
                           fit->s_index_of[NS_ROWS_FIRST],
                           fit->s_index_of[NS_ROWS_CLASS],
                           fit->s_index_of[NS_ROWS_REGISTER],
                           fit->s_index_of[NS_ROWS_WORD],
                           fit->s_index_of[NS_ROWS_PATCH],
                           fit->rmse,
                           fit->tail_rmse,
                           fit->sse,
                           fit->sst,
                           fit->aic,
                           fit->huber};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) ns_table_known(t, rest[i]);
    ns_table_int(t, (int64_t)fit->points);
    ns_table_int(t, (int64_t)fit->nonfinite);
    ns_table_int(t, (int64_t)fit->padding);
    ns_table_text(t, w->settings->choice.text);
    ns_table_int(t, (int64_t)fit->left_out);
    ns_table_int(t, (int64_t)fit->samples);
    ns_table_int(t, fit->iterations);
    ns_table_int(t, fit->converged);
    ns_table_text(t, fit->stop);
    ns_table_int(t, fit->degenerate);
    ns_table_text(t, fit->reason);
    ns_table_int(t, (int64_t)s->rows);
    ns_table_int(t, (int64_t)s->rows_seen);
    ns_table_text(t, fit->from_sketch ? "sketch" : s->sampled ? "sample" : "rows");
    ns_table_known(t, fit->sketch_error);
    ns_table_text(t, fit->curve->formula);
    ns_table_text(t, flag(fit, s));
}

/* 1 for the least error on the samples left out; 0 where it is not known. */
static int rank_of(const ns_fit *fits, int count, int i) {
    int rank = 1;
    if (isnan(fits[i].held_out_rmse)) return 0;
    for (int k = 0; k < count; k++)
        rank += fits[k].held_out_rmse < fits[i].held_out_rmse ||
                (fits[k].held_out_rmse == fits[i].held_out_rmse && k < i);
    return rank;
}

/* Other weightings need rows, if only a sample of them. */
static bool use_sketch(const settings *s, const ns_store_site *site) {
    return ns_source_is_sketch((ns_source_choice)s->from, site) &&
           (s->from == NS_FROM_SKETCH || s->weighting == NS_WEIGH_POINTS);
}

static int fit_from_sketch(work *w, ns_store *store, int i, ns_fit_options *options,
                           ns_error *err) {
    ns_sketch sketch = {0};
    options->held_out = false;
    if (w->settings->held_out)
        return ns_fail(err, NS_EUSAGE,
                       "--held-out: a sketch does not tell samples apart; --from rows takes rows");
    int status = ns_sketch_read(&sketch, store, i, err);
    if (!status) status = ns_fit_sketch(&sketch, options, w->fits, err);
    ns_sketch_free(&sketch);
    w->sketched = true;
    return status;
}

static int fit_from_rows(work *w, ns_store *store, int i, ns_fit_options *options, ns_error *err) {
    ns_points points;
    int status = ns_points_store(&points, store, i, err);
    if (status) return status;
    ns_sampled_note(&w->sampled, ns_store_site_at(store, i));
    ns_progress_begin(&w->progress, ns_store_site_at(store, i)->site.name, "rows", points.rows);
    options->progress = &w->progress;
    status = ns_fit_points(&points, options, w->fits, err);
    ns_progress_end(&w->progress);
    return status;
}

static int fit_site(void *user, ns_store *store, int i, ns_error *err) {
    work *w = user;
    const ns_store_site *site = ns_store_site_at(store, i);
    int count = w->options.curve_count;
    ns_fit_options options = w->options;
    if (w->settings->scale == 2) options.scale = sqrt((double)site->site.norm.channels);
    int status = use_sketch(w->settings, site) ? fit_from_sketch(w, store, i, &options, err)
                                               : fit_from_rows(w, store, i, &options, err);
    if (status) {
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(store), site->site.index,
                        site->site.name);
        return status;
    }
    for (int k = 0; k < count; k++) w->errors |= isfinite(w->fits[k].slope_clustered);
    if (w->fits[0].left_out > w->left_out) w->left_out = w->fits[0].left_out;
    for (int rank = options.held_out ? 1 : 0, placed = 0; placed < count; rank++)
        for (int k = 0; k < count; k++) {
            int its = rank_of(w->fits, count, k);
            bool now = !options.held_out || its == rank || (rank > count && !its);
            if (!now) continue;
            add_row(w, w->table, store, site, &w->fits[k], its);
            if (w->file_table) add_row(w, w->file_table, store, site, &w->fits[k], its);
            placed++;
        }
    return NS_OK;
}

/* With --store, each file gets the rows that are its own. */
static int store_file(void *user, ns_store *store, ns_error *err) {
    work *w = user;
    return w->file_table ? ns_runs_store_table(w->file_table, store, NS_RESULT_FIT, err) : NS_OK;
}

/* What a file gave before it failed goes into no other file's result. */
static void drop_file(void *user) {
    work *w = user;
    if (w->file_table) ns_table_clear(w->file_table);
}

static void show_columns(ns_column columns[COLUMNS], const ns_fit_options *o, int files) {
    bool several = o->curve_count > 1;
    columns[RUN].machine_only = files < 2;
    columns[CURVE].machine_only = columns[RANK].machine_only = !several;
    columns[ALPHA_SE].machine_only = several;
    columns[NOT_FIRST].machine_only = several || o->held_out || o->shift || o->offset;
    columns[S_SE].machine_only = several || (o->shift && o->offset);
    columns[R2].machine_only = o->held_out || o->shift || o->offset;
    columns[HELD_OUT].machine_only = !o->held_out;
    columns[D].machine_only = !o->shift;
    columns[B].machine_only = !o->offset;
}

/* What people have to know to read the table. */
static void print_notes(const work *w) {
    const settings *s = w->settings;
    bool several = w->options.curve_count > 1;
    printf("\n");
    if (!several)
        printf("y = s %s(alpha x%s)%s.%s\n"
               "slope: s alpha f'(0). S-index: the share of what a straight line leaves\n"
               "unexplained that the curve explains; no 1st: without position 0.\n",
               w->options.curves[0]->name, s->shift ? " + d" : "", s->offset ? " + b" : "",
               w->errors ? " +-: standard error, clustered by sample." : "");
    if (s->choice.count)
        printf("Rows: %s; %" PRIu64 " others of a site are left out.\n", s->choice.text,
               w->left_out);
    if (w->sketched)
        printf("sketch: of all points, by bins of x; tsv and json tell in sketch_error how far\n"
               "that can be off. It does not tell samples apart: no standard errors%s\n",
               several ? ",\nno errors on samples left out, no ranks." : ".");
    ns_sampled_print(&w->sampled);
}

static int fit_files(const settings *s, const ns_list *files, ns_error *err) {
    ns_column columns[COLUMNS];
    memcpy(columns, all_columns, sizeof columns);
    const ns_curve *curves[64];
    work w = {.settings = s};
    w.options = (ns_fit_options){.scale_fixed = s->scale > 0,
                                 .scale = 1,
                                 .shift = s->shift,
                                 .offset = s->offset,
                                 .weighting = (ns_weighting)s->weighting,
                                 .rows = &s->choice,
                                 .by_kind = true,
                                 .seed = (uint64_t)s->seed};
    int status = ns_curves_choose(curves, sizeof curves / sizeof *curves, &w.options.curve_count,
                                  s->curve, err);
    if (status) return status;
    w.options.curves = curves;
    w.options.held_out = s->held_out || w.options.curve_count > 1;
    show_columns(columns, &w.options, files->count);
    w.fits = ns_calloc((size_t)w.options.curve_count, sizeof *w.fits, err);
    w.table = ns_table_new(columns, COLUMNS, err);
    if (s->store) w.file_table = ns_table_new(all_columns, COLUMNS, err);
    status = w.fits && w.table && (w.file_table || !s->store) ? NS_OK : NS_EFAIL;
    const ns_runs runs = {.files = files->items,
                          .file_count = files->count,
                          .selection = ns_selection_of(&s->sites),
                          .site = fit_site,
                          .file_done = store_file,
                          .file_failed = drop_file,
                          .user = &w};
    if (!status) status = ns_runs_each(&runs, err);
    if (ns_table_rows(w.table) > 0 && status != NS_ESTOP) {
        ns_error printing = {0};
        if (!w.errors) columns[ALPHA_SE].machine_only = columns[S_SE].machine_only = true;
        int printed = ns_table_print(w.table, stdout, (ns_table_format)s->format, &printing);
        if (printed && !status) *err = printing, status = printed;
        if (s->format == NS_ALIGNED) print_notes(&w);
    }
    ns_table_free(w.table);
    ns_table_free(w.file_table);
    free(w.fits);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.curve = "tanh"};
    const ns_option options[] = {
        {"curve", 'c', NS_OPT_TEXT, &s.curve, "NAMES",
         "tanh, erf, isru, hardtanh, arctan, softsign, linear, several as tanh,erf, or all", "tanh",
         0, 0},
        {"scale", 0, NS_OPT_CHOICE, &s.scale, "free|1|sqrtC", "s: fitted, or fixed", "free", 0, 0},
        {"shift", 0, NS_OPT_FLAG, &s.shift, NULL, "fit d too: f(alpha x + d)", NULL, 0, 0},
        {"offset", 0, NS_OPT_FLAG, &s.offset, NULL, "fit b too: s f(alpha x) + b", NULL, 0, 0},
        {"weighting", 'w', NS_OPT_CHOICE, &s.weighting, NS_WEIGHTINGS,
         "every point alike; every occupied bin of x alike; residuals beyond 1.345 sigma count "
         "less",
         "points", 0, 0},
        NS_SOURCE_OPTION(s.from),
        NS_ROWS_OPTION(s.rows),
        {"held-out", 0, NS_OPT_FLAG, &s.held_out, NULL,
         "also fit nine tenths of the samples and give the error on the others; always with "
         "--curve all",
         NULL, 0, 0},
        {"seed", 0, NS_OPT_INT, &s.seed, "N", "of the choice of that tenth", "0", 0, 9e15},
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
    if (!status) status = fit_files(&s, &rest, err);
    ns_selection_free(&s.sites);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_fit = {
    .name = "fit",
    .group = "Analyse",
    .summary = "fit tanh and its rivals to every site",
    .usage = "[options] FILE...",
    .details =
        "Least squares over all points of each site, streamed, in double precision. "
        "Standard errors are clustered by sample: "
        "points of one image or sentence are not independent, and the nominal ones (in tsv "
        "and json) are some ten times too "
        "small. A fit that the data cannot decide is flagged with its reason; of near-linear data "
        "only "
        "the slope is told. R2 is 1 - SSE / SST, SST about the mean of y; the straight line "
        "of r2_linear and the S-index goes through the origin, but with --offset. Files that "
        "cannot be read are listed at the end "
        "(exit status 1), and the others are fitted.",
    .examples = "  normscope fit run.h5\n"
                "  normscope fit run.h5 --curve all --layers 4,8\n"
                "  normscope fit run.h5 --rows 'not first and |x| < 100'\n"
                "  normscope fit runs/*.h5 --format tsv > fits.tsv\n",
    .run = run,
};
