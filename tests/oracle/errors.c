/* Standard errors against what they stand for: on real sites, those that a fit to 100 images gives, clustered by sample, beside the
 * spread of the parameters over disjoint sets of 100 images, and beside a bootstrap over the images of one set.
 *
 *     oracle-errors RUN.h5
 *
 * For each site, the mean of the clustered errors over the sets has to be within 20 % of the spread, and the errors of single sets within
 * 20 % of their bootstraps, taken over the first sets. Exit status 1 where one is not. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/fit.h"
#include "probe/base/random.h"

enum { IMAGES = 100, MOST_SETS = 100, BOOTSTRAPPED = 5, DRAWS = 400 };

/* Samples of a run, each of `positions` rows, in any order and as often as asked for. */
typedef struct chosen {
    const ns_store *store;
    int site, positions;
    int64_t samples[IMAGES]; /* place in the run */
} chosen;

static int read_chosen(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                       ns_error *err) {
    const chosen *c = points->user;
    uint64_t per = (uint64_t)c->positions, channels = (uint64_t)points->channels;
    int status = NS_OK;
    for (uint64_t at = 0, n; at < rows && !status; at += n) {
        uint64_t row = first + at, inside = row % per,
                 from = (uint64_t)c->samples[row / per] * per + inside;
        n = per - inside < rows - at ? per - inside : rows - at;
        if (x) status = ns_store_read(c->store, c->site, NS_INPUT, from, n, x + at * channels, err);
        if (y && !status)
            status = ns_store_read(c->store, c->site, NS_OUTPUT, from, n, y + at * channels, err);
    }
    return status;
}

/* A sample that is drawn twice counts as two. */
static int read_places(const ns_points *points, uint64_t first, uint64_t rows, int64_t *samples,
                       int32_t *positions, uint8_t *kinds, ns_error *err) {
    (void)err;
    const chosen *c = points->user;
    for (uint64_t i = 0; i < rows; i++) {
        if (samples) samples[i] = (int64_t)((first + i) / (uint64_t)c->positions);
        if (positions) positions[i] = (int32_t)((first + i) % (uint64_t)c->positions);
        if (kinds) kinds[i] = NS_ROW_PATCH;
    }
    return NS_OK;
}

enum { ALPHA, SCALE, SLOPE, FIGURES };
static const char *const names[FIGURES] = {"alpha", "s", "slope"};

typedef struct answer {
    double value[FIGURES], clustered[FIGURES], nominal[FIGURES];
} answer;

static int fit_chosen(chosen *c, answer *out, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(c->store, c->site);
    ns_points points = {.rows = (uint64_t)(IMAGES * c->positions),
                        .channels = site->site.norm.channels,
                        .read = read_chosen,
                        .read_rows = read_places,
                        .user = c};
    const ns_curve *curve = ns_curve_find("tanh", err);
    const ns_fit_options options = {.curves = &curve, .curve_count = 1};
    ns_fit fit;
    int status = ns_fit_points(&points, &options, &fit, err);
    *out = (answer){{fit.theta[NS_ALPHA], fit.theta[NS_SCALE], fit.slope},
                    {fit.clustered[NS_ALPHA], fit.clustered[NS_SCALE], fit.slope_clustered},
                    {fit.nominal[NS_ALPHA], fit.nominal[NS_SCALE], fit.slope_nominal}};
    return status;
}

typedef struct spread {
    double n, sum, squares;
} spread;

static void note(spread *s, double value) {
    s->n++, s->sum += value, s->squares += value * value;
}

static double mean(const spread *s) {
    return s->sum / s->n;
}

static double deviation(const spread *s) {
    return sqrt(fmax(0, (s->squares - s->sum * s->sum / s->n) / (s->n - 1)));
}

/* Bootstraps the set: the deviation of each figure over redrawn sets. */
static int bootstrap(const chosen *set, uint64_t seed, double out[FIGURES], ns_error *err) {
    spread drawn[FIGURES] = {{0}};
    chosen again = *set;
    uint64_t state = seed;
    for (int draw = 0; draw < DRAWS; draw++) {
        answer a;
        for (int i = 0; i < IMAGES; i++)
            again.samples[i] = set->samples[ns_random_below(&state, IMAGES)];
        int status = fit_chosen(&again, &a, err);
        if (status) return status;
        for (int k = 0; k < FIGURES; k++) note(&drawn[k], a.value[k]);
    }
    for (int k = 0; k < FIGURES; k++) out[k] = deviation(&drawn[k]);
    return NS_OK;
}

/* Prints the figures of a site; counts in *bad those that are not within 20 %. */
static int one_site(const ns_store *store, int site, int *bad, ns_error *err) {
    const ns_store_site *s = ns_store_site_at(store, site);
    int sets = (int)(ns_store_samples(store) / IMAGES);
    spread values[FIGURES] = {{0}}, clustered[FIGURES] = {{0}}, nominal[FIGURES] = {{0}};
    spread ratios[FIGURES] = {{0}};
    sets = sets < MOST_SETS ? sets : MOST_SETS;
    for (int set = 0; set < sets; set++) {
        chosen c = {.store = store, .site = site, .positions = s->site.positions};
        for (int i = 0; i < IMAGES; i++) c.samples[i] = set * IMAGES + i;
        answer a;
        double drawn[FIGURES] = {0};
        int status = fit_chosen(&c, &a, err);
        if (!status && set < BOOTSTRAPPED) status = bootstrap(&c, (uint64_t)set, drawn, err);
        if (status) return status;
        for (int k = 0; k < FIGURES; k++) {
            note(&values[k], a.value[k]);
            note(&clustered[k], a.clustered[k]);
            note(&nominal[k], a.nominal[k]);
            if (set < BOOTSTRAPPED) note(&ratios[k], a.clustered[k] / drawn[k]);
        }
    }
    for (int k = 0; k < FIGURES; k++) {
        double true_spread = deviation(&values[k]), ratio = mean(&clustered[k]) / true_spread,
               booted = mean(&ratios[k]);
        bool good = fabs(ratio - 1) <= 0.2 && fabs(booted - 1) <= 0.2;
        printf("%-14s %-6s %10.5g %10.3g %10.3g %7.3f %7.3f %7.3f  %s\n", s->site.name, names[k],
               mean(&values[k]), true_spread, mean(&clustered[k]), ratio, booted,
               mean(&nominal[k]) / true_spread, good ? "good" : "BAD");
        *bad += !good;
    }
    return NS_OK;
}

int main(int argc, char **argv) {
    ns_error err = {0};
    ns_store *store = NULL;
    int bad = 0, status = argc == 2 ? ns_store_open(&store, argv[1], &err)
                                    : ns_fail(&err, NS_EUSAGE, "usage: oracle-errors RUN.h5");
    if (!status)
        printf("%d images a set, %d sets, %d draws\n%-14s %-6s %10s %10s %10s %7s %7s %7s\n",
               IMAGES, (int)(ns_store_samples(store) / IMAGES), DRAWS, "site", "", "mean", "spread",
               "clustered", "/spread", "/boot", "nominal");
    for (int i = 0; !status && i < ns_store_site_count(store); i++)
        status = one_site(store, i, &bad, &err);
    if (status) fprintf(stderr, "%s\n", err.message);
    ns_store_close(store);
    return status ? status : bad > 0;
}
