#include "analysis/correlate_internal.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/correlation.h"
#include "probe/base/mem.h"
#include "probe/base/order.h"

static const char *const sigma_columns[NS_SIGMAS] = {"inverse_sigma", "inverse_sigma_rows",
                                                     "inverse_sigma_robust"};

/* ---- what a training brings ---- */

/* Each end of an epoch has a record, the start and --watch-every have others. */
static int find_records(ns_epochs *e, ns_error *err) {
    int64_t all = ns_training_records(e->training);
    int64_t length = ns_training_steps_per_epoch(e->training);
    const int64_t *steps = ns_training_record_steps(e->training);
    e->records = ns_calloc((size_t)all + 1, sizeof *e->records, err);
    if (!e->records) return NS_EFAIL;
    for (int i = 0; i < all; i++)
        if (steps[i] > 0 && steps[i] % length == 0) e->records[e->count++] = i;
    if (e->count && steps[e->records[e->count - 1]] == length * e->count) return NS_OK;
    return ns_fail(err, NS_EINPUT,
                   "%s: watch/step: expected a record after each epoch of %lld steps, found %d",
                   ns_training_path(e->training), (long long)length, e->count);
}

int ns_epochs_of(ns_epochs *out, const ns_training *t, ns_error *err) {
    *out = (ns_epochs){.training = t};
    int status = find_records(out, err);
    if (!status && !(out->alpha = ns_training_column(t, NS_TRAINING_WATCH, "alpha", err)))
        status = NS_EINPUT;
    for (int s = 0; s < NS_SIGMAS && !status; s++) {
        out->inverse[s] = ns_training_column(t, NS_TRAINING_WATCH, sigma_columns[s], err);
        if (!out->inverse[s]) status = NS_EINPUT;
    }
    if (status) return status;
    int64_t n = ns_training_records(t) * ns_training_sites(t);
    for (int64_t i = 0; i < n; i++)
        if (isfinite(out->alpha[i])) return NS_OK;
    return ns_fail(err, NS_EINPUT,
                   "%s: expected sites with an alpha, found %s, which has none; dump the trained "
                   "network and correlate that run: the fitted slope stands for alpha",
                   ns_training_path(t), ns_training_norm(t));
}

void ns_epochs_free(ns_epochs *epochs) {
    free(epochs->records);
    *epochs = (ns_epochs){0};
}

/* Pairs of finite numbers, [sites] or [epochs]. */
typedef struct series {
    double *x, *y;
    int count;
} series;

static bool series_new(series *s, size_t most, ns_error *err) {
    s->x = ns_calloc(2 * most, sizeof *s->x, err);
    s->y = s->x ? s->x + most : NULL;
    return s->x != NULL;
}

static void add_pair(series *s, const ns_epochs *e, int sigma, int epoch, int site) {
    int64_t at = (int64_t)e->records[epoch] * ns_training_sites(e->training) + site;
    if (!isfinite(e->alpha[at]) || !isfinite(e->inverse[sigma][at])) return;
    s->x[s->count] = e->alpha[at];
    s->y[s->count++] = e->inverse[sigma][at];
}

static int pearson(ns_correlation *out, const series *s, ns_error *err) {
    return ns_correlate(out, NS_PEARSON, s->count, s->x, s->y, NULL, 0, 0, err);
}

/* ---- over the sites, epoch by epoch ---- */

const ns_column ns_epochs_columns[NS_EPOCHS_COLUMNS] = {
    {"run", NULL, NS_TEXT, 0, true, NULL},          {"epoch", "1", NS_INT, 0, false, NULL},
    {"sites", NULL, NS_TEXT, 0, false, NULL},       {"n", "1", NS_INT, 0, false, NULL},
    {"r", "1", NS_REAL, 2, false, "all points"},    {"low", "1", NS_REAL, 2, false, "from"},
    {"high", "1", NS_REAL, 2, false, "to"},         {"r_row", "1", NS_REAL, 2, false, "median row"},
    {"low_row", "1", NS_REAL, 2, true, NULL},       {"high_row", "1", NS_REAL, 2, true, NULL},
    {"r_robust", "1", NS_REAL, 2, false, "robust"}, {"low_robust", "1", NS_REAL, 2, true, NULL},
    {"high_robust", "1", NS_REAL, 2, true, NULL}};

/* Whether site i stands for the group: role, or all where that is < 0. */
static bool in_group(const ns_epochs *e, const bool *wanted, int role, int i) {
    return wanted[i] && (role < 0 || (int)ns_training_site_role(e->training, i) == role);
}

static void gather(series *s, const ns_epochs *e, const bool *wanted, int sigma, int epoch,
                   int role) {
    s->count = 0;
    for (int i = 0; i < ns_training_sites(e->training); i++)
        if (in_group(e, wanted, role, i)) add_pair(s, e, sigma, epoch, i);
}

static int add_epoch(ns_table *t, const char *run, const ns_epochs *e, const bool *wanted,
                     int epoch, int role, series *room, ns_error *err) {
    int status = NS_OK, members = 0, sites = ns_training_sites(e->training);
    for (int i = 0; i < sites; i++) members += in_group(e, wanted, role, i);
    if (role >= 0 && members < NS_FEWEST_PAIRS) return NS_OK;
    ns_table_text(t, run);
    ns_table_int(t, epoch + 1);
    ns_table_text(t, role < 0 ? "all" : ns_role_name((ns_role)role));
    for (int s = 0; s < NS_SIGMAS && !status; s++) {
        ns_correlation r;
        gather(room, e, wanted, s, epoch, role);
        if (!s) ns_table_int(t, room->count);
        status = pearson(&r, room, err);
        ns_table_known(t, room->count < NS_FEWEST_PAIRS ? (double)NAN : r.r);
        ns_table_known(t, r.low);
        ns_table_known(t, r.high);
    }
    return status;
}

int ns_epochs_add(ns_table *t, const char *run, const ns_epochs *e, const bool *wanted,
                  ns_error *err) {
    series room = {0};
    int status = series_new(&room, (size_t)ns_training_sites(e->training), err) ? NS_OK : NS_EFAIL;
    for (int epoch = 0; epoch < e->count && !status; epoch++)
        for (int role = -1; role < NS_ROLE_COUNT && !status; role++)
            status = add_epoch(t, run, e, wanted, epoch, role, &room, err);
    free(room.x);
    return status;
}

/* ---- within a site, over the epochs ---- */

const ns_column ns_within_columns[NS_WITHIN_COLUMNS] = {
    {"run", NULL, NS_TEXT, 0, true, NULL},         {"is", NULL, NS_TEXT, 0, false, "is"},
    {"site", "1", NS_INT, 0, false, NULL},         {"name", NULL, NS_TEXT, 0, false, NULL},
    {"role", NULL, NS_TEXT, 0, false, NULL},       {"n", "1", NS_INT, 0, false, NULL},
    {"r", "1", NS_REAL, 2, false, "all points"},   {"r_row", "1", NS_REAL, 2, false, "median row"},
    {"r_robust", "1", NS_REAL, 2, false, "robust"}};

/* All but n and what follows it; site < 0: none. */
static void begin_row(ns_table *t, const char *run, const char *is, int site, const ns_epochs *e) {
    ns_table_text(t, run);
    ns_table_text(t, is);
    if (site >= 0) {
        ns_table_int(t, site + 1);
        ns_table_text(t, ns_training_site_name(e->training, site));
        ns_table_text(t, ns_role_name(ns_training_site_role(e->training, site)));
    } else {
        for (int i = 0; i < 3; i++) ns_table_missing(t);
    }
}

/* Of a sorted list; NaN of an empty one. */
static double median(const double *sorted, int n) {
    return n ? 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]) : (double)NAN;
}

/* The correlations of a run's sites that are known. */
typedef struct knowledge {
    double *r[NS_SIGMAS];
    int count[NS_SIGMAS];
} knowledge;

/* The two rows below a run's sites, the median of r and the share of the sites where it is above 0; sorts them. */
static void add_summary(ns_table *t, const char *run, const ns_epochs *e, const knowledge *known) {
    begin_row(t, run, "median", -1, e);
    ns_table_int(t, known->count[0]);
    for (int s = 0; s < NS_SIGMAS; s++) {
        qsort(known->r[s], (size_t)known->count[s], sizeof *known->r[s], ns_rising);
        ns_table_known(t, median(known->r[s], known->count[s]));
    }
    begin_row(t, run, "share above 0", -1, e);
    ns_table_int(t, known->count[0]);
    for (int s = 0; s < NS_SIGMAS; s++) {
        int above = 0;
        for (int i = 0; i < known->count[s]; i++) above += known->r[s][i] > 0;
        ns_table_known(t, known->count[s] ? (double)above / known->count[s] : (double)NAN);
    }
}

static int add_site(ns_table *t, const char *run, const ns_epochs *e, int site, series *pairs,
                    knowledge *known, ns_error *err) {
    int status = NS_OK;
    begin_row(t, run, "site", site, e);
    for (int s = 0; s < NS_SIGMAS && !status; s++) {
        ns_correlation r;
        pairs->count = 0;
        for (int epoch = 0; epoch < e->count; epoch++) add_pair(pairs, e, s, epoch, site);
        if (!s) ns_table_int(t, pairs->count);
        status = pearson(&r, pairs, err);
        ns_table_known(t, r.r);
        if (!isnan(r.r)) known->r[s][known->count[s]++] = r.r;
    }
    return status;
}

int ns_within_add(ns_table *t, const char *run, const ns_epochs *e, const bool *wanted,
                  ns_error *err) {
    size_t sites = (size_t)ns_training_sites(e->training);
    double *room = ns_calloc(NS_SIGMAS * sites, sizeof *room, err);
    series pairs = {0};
    knowledge known = {0};
    int status = room && series_new(&pairs, (size_t)e->count, err) ? NS_OK : NS_EFAIL;
    for (size_t s = 0; s < NS_SIGMAS && !status; s++) known.r[s] = room + s * sites;
    for (int i = 0; i < (int)sites && !status; i++)
        if (wanted[i]) status = add_site(t, run, e, i, &pairs, &known, err);
    if (!status) add_summary(t, run, e, &known);
    free(pairs.x);
    free(room);
    return status;
}
