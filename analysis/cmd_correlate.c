/* normscope correlate: alpha, learned or fitted, against 1/sigma of the input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/correlate_internal.h"
#include "analysis/correlation.h"
#include "analysis/runs.h"
#include "analysis/stats.h"
#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

static const char *const sigma_names[NS_SIGMAS] = {"all points", "median row", "robust"};

typedef struct settings {
    ns_selection_words sites;
    int format, from;
    int64_t resamples, seed;
    bool pairs, by_epoch, within;
    const char *rows;
    ns_row_choice choice; /* of rows */
} settings;

/* What a site brings. */
typedef struct pair {
    int run, depth;
    ns_role role;
    bool learned, degenerate;
    bool
        by_sigma; /* the norm divides by the sigma of its row: the slope is near 1/sigma whatever the network is */
    char *name, *kind;
    double alpha, error; /* 1/x; the slope s alpha where it was fitted, and its standard error */
    double inverse[NS_SIGMAS];
} pair;

typedef struct work {
    const settings *settings;
    const ns_list *files;
    pair *pairs;
    int count, room, run, kept; /* kept: pairs before this file's */
    ns_table *over_time;        /* of --by-epoch or --within, else NULL */
    ns_progress progress;
} work;

/* ---- what is correlated ---- */

static pair *next_pair(work *w, ns_error *err) {
    if (w->count == w->room) {
        int room = w->room ? 2 * w->room : 64;
        pair *grown = ns_realloc(w->pairs, (size_t)room, sizeof *grown, err);
        if (!grown) return NULL;
        w->pairs = grown;
        w->room = room;
    }
    w->pairs[w->count] = (pair){0};
    return &w->pairs[w->count++];
}

static int take_site(void *user, ns_store *store, int i, ns_error *err) {
    work *w = user;
    const ns_site *site = &ns_store_site_at(store, i)->site;
    if (w->over_time)
        return ns_fail(
            err, NS_EINPUT,
            "%s: expected what normscope train recorded over its epochs (training.h5, or "
            "the run's folder), found a run of dump",
            ns_store_path(store));
    ns_stats stats = {0};
    bool learned = site->norm.alpha != NULL;
    const ns_stats_options options = {.tolerance = 0.1,
                                      .no_fit = learned,
                                      .progress = &w->progress,
                                      .rows = &w->settings->choice};
    int status =
        ns_runs_stats(&stats, store, i, (ns_source_choice)w->settings->from, &options, err);
    pair *p = status ? NULL : next_pair(w, err);
    if (p) {
        *p = (pair){
            .run = w->run,
            .depth = site->index,
            .role = site->role,
            .learned = learned,
            .degenerate = !learned && stats.fit.degenerate,
            .by_sigma = !learned,
            .name = ns_strdup(site->name, err),
            .kind = ns_strdup(site->norm.kind->name, err),
            .alpha = learned ? ns_norm_mean_alpha(&site->norm) : stats.fit.slope,
            .error = learned ? (double)NAN : stats.fit.slope_clustered,
            .inverse = {stats.inverse_sigma, stats.inverse_sigma_row, stats.inverse_sigma_robust}};
        if (!p->name || !p->kind) status = NS_EFAIL;
    } else if (!status) {
        status = NS_EFAIL;
    }
    ns_stats_free(&stats);
    return status;
}

static int take_record(work *w, const ns_epochs *e, const bool *wanted, ns_error *err) {
    const ns_training *t = e->training;
    int64_t at = (int64_t)e->records[e->count - 1] * ns_training_sites(t);
    for (int i = 0; i < ns_training_sites(t); i++, at++) {
        pair *p = wanted[i] ? next_pair(w, err) : NULL;
        if (!wanted[i]) continue;
        if (!p) return NS_EFAIL;
        *p = (pair){.run = w->run,
                    .depth = i + 1,
                    .role = ns_training_site_role(t, i),
                    .learned = true,
                    .name = ns_strdup(ns_training_site_name(t, i), err),
                    .kind = ns_strdup(ns_training_norm(t), err),
                    .alpha = e->alpha[at],
                    .error = (double)NAN};
        for (int s = 0; s < NS_SIGMAS; s++) p->inverse[s] = e->inverse[s][at];
        if (!p->name || !p->kind) return NS_EFAIL;
    }
    return NS_OK;
}

static int take_training(void *user, const ns_training *t, const bool *wanted, ns_error *err) {
    work *w = user;
    ns_epochs epochs;
    const char *path = w->files->items[w->run];
    if (w->settings->choice.count)
        return ns_fail(err, NS_EUSAGE,
                       "--rows: %s has the sigma of all rows alone, as a training run recorded it",
                       path);
    int status = ns_epochs_of(&epochs, t, err);
    if (!status)
        status = w->settings->by_epoch ? ns_epochs_add(w->over_time, path, &epochs, wanted, err)
                 : w->settings->within ? ns_within_add(w->over_time, path, &epochs, wanted, err)
                                       : take_record(w, &epochs, wanted, err);
    ns_epochs_free(&epochs);
    return status;
}

static int begin_file(void *user, int file, ns_error *err) {
    (void)err;
    work *w = user;
    w->run = file;
    w->kept = w->count;
    return NS_OK;
}

static void drop_pairs(work *w, int from) {
    for (int i = from; i < w->count; i++) {
        free(w->pairs[i].name);
        free(w->pairs[i].kind);
    }
    w->count = from;
}

/* Sites of a file that then failed are no part of the result. */
static void drop_file(void *user) {
    work *w = user;
    drop_pairs(w, w->kept);
}

/* ---- tables ---- */

static int print_pairs(const work *w, ns_error *err) {
    ns_column columns[] = {{"run", NULL, NS_TEXT, 0, true, NULL},
                           {"site", "1", NS_INT, 0, false, NULL},
                           {"name", NULL, NS_TEXT, 0, false, NULL},
                           {"role", NULL, NS_TEXT, 0, false, NULL},
                           {"kind", NULL, NS_TEXT, 0, true, NULL},
                           {"alpha_is", NULL, NS_TEXT, 0, false, "alpha is"},
                           {"alpha", "1/x", NS_REAL, 4, false, NULL},
                           {"alpha_se", "1/x", NS_REAL, 2, true, "+-"},
                           {"inverse_sigma", "1/x", NS_REAL, 3, false, "1/sigma"},
                           {"inverse_sigma_row", "1/x", NS_REAL, 3, false, "of rows"},
                           {"inverse_sigma_robust", "1/x", NS_REAL, 3, false, "robust"},
                           {"degenerate", NULL, NS_BOOL, 0, true, NULL}};
    columns[0].machine_only = w->files->count < 2;
    ns_table *t = ns_table_new(columns, sizeof columns / sizeof *columns, err);
    if (!t) return NS_EFAIL;
    for (int i = 0; i < w->count; i++) {
        const pair *p = &w->pairs[i];
        ns_table_text(t, w->files->items[p->run]);
        ns_table_int(t, p->depth);
        ns_table_text(t, p->name);
        ns_table_text(t, ns_role_name(p->role));
        ns_table_text(t, p->kind);
        ns_table_text(t, p->learned ? "learned" : "fitted");
        ns_table_known(t, p->alpha);
        ns_table_known(t, p->error);
        for (int k = 0; k < NS_SIGMAS; k++) ns_table_known(t, p->inverse[k]);
        ns_table_int(t, p->degenerate);
    }
    int status = ns_table_print(t, stdout, (ns_table_format)w->settings->format, err);
    ns_table_free(t);
    return status;
}

/* Which pairs a row of the table is about. */
typedef struct group {
    int run;  /* -1: all */
    int role; /* -1: all */
    bool learned;
    const char *name;
} group;

typedef struct columns_of {
    double *x, *y, *z; /* alpha, 1/sigma, depth */
    int count, degenerate, by_sigma;
} columns_of;

static void collect(const work *w, const group *g, int sigma, columns_of *out) {
    out->count = out->degenerate = out->by_sigma = 0;
    for (int i = 0; i < w->count; i++) {
        const pair *p = &w->pairs[i];
        if ((g->run >= 0 && p->run != g->run) || (g->role >= 0 && (int)p->role != g->role) ||
            p->learned != g->learned || !isfinite(p->alpha) || !isfinite(p->inverse[sigma]))
            continue;
        out->x[out->count] = p->alpha;
        out->y[out->count] = p->inverse[sigma];
        out->z[out->count++] = p->depth;
        out->degenerate += p->degenerate;
        out->by_sigma += p->by_sigma;
    }
}

static const char *note(const columns_of *c, const ns_correlation *r) {
    if (c->count < NS_FEWEST_PAIRS) return "too few sites";
    if (!isnan(r->r) && c->by_sigma)
        return "near an identity by construction: slope of a norm by sigma";
    return isnan(r->r) ? "values that are all the same, not positive, or told by depth alone" : "";
}

/* People are spared the roles that have too few sites for any r; --format tsv and json have a row of each. */
static int add_group(const work *w, const group *g, columns_of *room, ns_table *t, ns_error *err) {
    static const char *const kinds[NS_CORRELATION_KINDS] = {"Pearson", "Spearman", "of logs",
                                                            "depth fixed"};
    int status = NS_OK;
    for (int s = 0; s < NS_SIGMAS && !status; s++) {
        collect(w, g, s, room);
        if (room->count < (g->role >= 0 && w->settings->format == NS_ALIGNED ? NS_FEWEST_PAIRS : 1))
            return NS_OK;
        for (int k = 0; k < NS_CORRELATION_KINDS && !status; k++) {
            ns_correlation r;
            status =
                ns_correlate(&r, (ns_correlation_kind)k, room->count, room->x, room->y, room->z,
                             (int)w->settings->resamples, (uint64_t)w->settings->seed, err);
            if (room->count < NS_FEWEST_PAIRS) r.r = (double)NAN;
            ns_table_text(t, g->run >= 0 ? w->files->items[g->run] : "all runs");
            ns_table_text(t, g->learned ? "learned" : "fitted");
            ns_table_text(t, g->name);
            ns_table_text(t, sigma_names[s]);
            ns_table_text(t, kinds[k]);
            ns_table_int(t, room->count);
            const double numbers[] = {r.r, r.low, r.high, r.boot_low, r.boot_high};
            for (int i = 0; i < 5; i++) ns_table_known(t, numbers[i]);
            ns_table_int(t, room->degenerate);
            ns_table_text(t, note(room, &r));
        }
    }
    return status;
}

static int add_run(const work *w, int run, columns_of *room, ns_table *t, ns_error *err) {
    int status = NS_OK;
    for (int learned = 1; learned >= 0 && !status; learned--) {
        const group all = {run, -1, learned, "all"};
        status = add_group(w, &all, room, t, err);
        for (int role = 0; role < NS_ROLE_COUNT && !status; role++) {
            const group one = {run, role, learned, ns_role_name((ns_role)role)};
            status = add_group(w, &one, room, t, err);
        }
    }
    return status;
}

static int print_correlations(const work *w, ns_error *err) {
    ns_column columns[] = {{"run", NULL, NS_TEXT, 0, true, NULL},
                           {"alpha_is", NULL, NS_TEXT, 0, false, "alpha"},
                           {"sites", NULL, NS_TEXT, 0, false, NULL},
                           {"sigma", NULL, NS_TEXT, 0, false, "1/sigma of"},
                           {"correlation", NULL, NS_TEXT, 0, false, NULL},
                           {"n", "1", NS_INT, 0, false, NULL},
                           {"r", "1", NS_REAL, 3, false, NULL},
                           {"low", "1", NS_REAL, 2, false, "from"},
                           {"high", "1", NS_REAL, 2, false, "to"},
                           {"boot_low", "1", NS_REAL, 2, false, "boot"},
                           {"boot_high", "1", NS_REAL, 2, false, "to"},
                           {"degenerate_fits", "1", NS_INT, 0, true, NULL},
                           {"note", NULL, NS_TEXT, 0, true, NULL}};
    columns[0].machine_only = w->files->count < 2;
    ns_table *t = ns_table_new(columns, sizeof columns / sizeof *columns, err);
    double *numbers = ns_calloc(3 * (size_t)w->count, sizeof *numbers, err);
    columns_of room = {numbers, numbers + w->count, numbers + 2 * w->count, 0, 0, 0};
    int status = t && numbers ? NS_OK : NS_EFAIL;
    for (int run = 0; run < w->files->count && !status; run++)
        status = add_run(w, run, &room, t, err);
    if (!status && w->files->count > 1) status = add_run(w, -1, &room, t, err);
    if (!status) status = ns_table_print(t, stdout, (ns_table_format)w->settings->format, err);
    if (!status && w->settings->format == NS_ALIGNED)
        printf(
            "\nfrom, to: 95 %% by Fisher's transform; boot: 95 %% over %lld resamples of sites.\n"
            "alpha: learned, or the fitted slope s alpha at the centre. depth fixed: partial\n"
            "correlation, since both may fall with depth. Roles of fewer than four sites are\n"
            "left out. --pairs prints the values.\n",
            (long long)w->settings->resamples);
    bool by_sigma = false;
    for (int i = 0; i < w->count; i++) by_sigma |= w->pairs[i].by_sigma;
    if (!status && by_sigma && w->settings->format == NS_ALIGNED)
        printf("\nFitted slopes of norms that divide by sigma are near 1/sigma by construction:\n"
               "random weights give r of 0.99 as well. That is no finding about this network; the\n"
               "paper's is of alpha that was learned (DyT).\n");
    ns_table_free(t);
    free(numbers);
    return status;
}

static int print_over_time(const work *w, ns_error *err) {
    int status = ns_table_print(w->over_time, stdout, (ns_table_format)w->settings->format, err);
    if (status || w->settings->format != NS_ALIGNED) return status;
    if (w->settings->by_epoch)
        printf("\nPearson's r of alpha and 1/sigma over the sites, after each epoch; from, to:\n"
               "95 %% by Fisher's transform. Roles of fewer than four sites are left out.\n");
    else
        printf("\nPearson's r of alpha and 1/sigma over the epochs within each site, then its\n"
               "median over the sites and the share of them above 0. Series that move slowly\n"
               "correlate by themselves, so that a high r of two of them proves little.\n");
    return NS_OK;
}

static int new_over_time(work *w, ns_column *columns, ns_error *err) {
    int count = w->settings->by_epoch ? NS_EPOCHS_COLUMNS : NS_WITHIN_COLUMNS;
    memcpy(columns, w->settings->by_epoch ? ns_epochs_columns : ns_within_columns,
           (size_t)count * sizeof *columns);
    columns[0].machine_only = w->files->count < 2;
    w->over_time = ns_table_new(columns, count, err);
    return w->over_time ? NS_OK : NS_EFAIL;
}

static int print_result(const work *w, ns_error *err) {
    if (w->over_time) return ns_table_rows(w->over_time) ? print_over_time(w, err) : NS_OK;
    if (!w->count) return NS_OK;
    return w->settings->pairs ? print_pairs(w, err) : print_correlations(w, err);
}

static int correlate_files(const settings *s, const ns_list *files, ns_error *err) {
    work w = {.settings = s, .files = files};
    ns_column columns[NS_EPOCHS_COLUMNS];
    const ns_runs runs = {.files = files->items,
                          .file_count = files->count,
                          .selection = ns_selection_of(&s->sites),
                          .file_begin = begin_file,
                          .site = take_site,
                          .training = take_training,
                          .file_failed = drop_file,
                          .user = &w};
    int status = s->by_epoch || s->within ? new_over_time(&w, columns, err) : NS_OK;
    if (!status) status = ns_runs_each(&runs, err);
    if (status != NS_ESTOP) {
        ns_error printing = {0};
        int printed = print_result(&w, &printing);
        if (printed && !status) *err = printing, status = printed;
    }
    drop_pairs(&w, 0);
    free(w.pairs);
    ns_table_free(w.over_time);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.resamples = 10000};
    const ns_option options[] = {
        {"pairs", 'p', NS_OPT_FLAG, &s.pairs, NULL, "print alpha and 1/sigma of every site instead",
         NULL, 0, 0},
        {"by-epoch", 0, NS_OPT_FLAG, &s.by_epoch, NULL,
         "of training runs: r over the sites after each epoch, of all and of each role of four "
         "sites or more",
         NULL, 0, 0},
        {"within", 0, NS_OPT_FLAG, &s.within, NULL,
         "of training runs: r within each site over the epochs, its median and how many are above "
         "0",
         NULL, 0, 0},
        NS_SOURCE_OPTION(s.from),
        NS_ROWS_OPTION(s.rows),
        {"resamples", 0, NS_OPT_INT, &s.resamples, "N", "of the bootstrap; 0: none", "10000", 0,
         1e7},
        {"seed", 0, NS_OPT_INT, &s.seed, "N", "of the bootstrap", "0", 0, 9e15},
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Sites", NULL, 0, 0},
        NS_SELECTION_OPTIONS(s.sites),
        {NULL, 0, NS_OPT_HEADING, NULL, NULL, "Output", NULL, 0, 0},
        {"format", 'f', NS_OPT_CHOICE, &s.format, NS_TABLE_FORMATS,
         "form of the table; tsv and json have every column", "table", 0, 0},
        {0},
    };
    ns_list rest = {0};
    int status = ns_cli_parse(self, options, argc, argv, 1, -1, &rest, err);
    if (!status) status = ns_row_choice_parse(&s.choice, s.rows, err);
    if (!status && s.pairs + s.by_epoch + s.within > 1)
        status = ns_fail(err, NS_EUSAGE,
                         "expected one of --pairs, --by-epoch and --within, each a table of its "
                         "own, found several");
    if (!status) status = correlate_files(&s, &rest, err);
    ns_selection_free(&s.sites);
    ns_list_free(&rest);
    return status < 0 ? NS_OK : status;
}

const ns_command ns_command_correlate = {
    .name = "correlate",
    .group = "Analyse",
    .summary = "alpha against 1/sigma over the sites",
    .usage = "[options] FILE...",
    .details =
        "FILE is a run of dump, or what a training run recorded (training.h5, or the run's "
        "folder), as it was after its last epoch.\nLayers with an alpha of their own (DyT, Derf; "
        "the mean where each channel has one) "
        "bring that, other layers the slope s "
        "alpha of the fitted tanh, which is determined even where alpha alone is not. "
        "Against each 1/sigma of the "
        "layer's input: of all points, the median over rows, the robust one. Over all sites "
        "and by role, in each run and, where there "
        "are several, over the sites of all runs pooled, as if each were a pair of its "
        "own.\nOf a training run, the median row's is 1 / (median over rows of sigma); epochs are "
        "whole ones, and the start before the first step is none of them.\nSites of one network "
        "are not "
        "independent of each other, so that intervals are rather too narrow.",
    .examples = "  normscope correlate run.h5\n"
                "  normscope correlate runs/*.h5 --pairs --format tsv > pairs.tsv\n"
                "  normscope correlate dyt/ --by-epoch\n"
                "  normscope correlate dyt/ --within\n",
    .run = run,
};
