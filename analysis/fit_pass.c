/* The passes of a fit over all points: sums of several curves at once, with the gradient of every sample on the side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "analysis/walk.h"
#include "probe/base/mem.h"
#include "probe/base/vmath.h"

/* A sample's gradient and half its Hessian, packed as jj. */
typedef struct turn {
    double g[NS_PARAMETERS], h[10];
} turn;

/* Those of one sample for each job. Where two threads share a sample, they are put together at the end. */
typedef struct run {
    int64_t sample;
    bool open;
    turn turns[];
} run;

/* What a thread sums up. */
typedef struct share {
    /* Sums, and meat of this thread's samples, but for the first and the last. */
    ns_job *jobs;
    run *first, *last;
    double *weights;
} share;

typedef struct passing {
    const ns_fit_pass *pass;
    share *shares;
    int threads, count;
} passing;

double ns_density_weight(const double *weights, double least, double most, double x) {
    double at = (x - least) * (NS_DENSITY_BINS / (most - least));
    int bin = at < NS_DENSITY_BINS ? (int)at : NS_DENSITY_BINS - 1;
    return weights[bin];
}

static int packed(int k, int l) {
    return k > l ? k * (k + 1) / 2 + l : l * (l + 1) / 2 + k;
}

static void close_run(const run *r, ns_job *jobs, int count) {
    for (int j = 0; j < count; j++) {
        const turn *t = &r->turns[j];
        for (int k = 0; k < NS_PARAMETERS; k++)
            for (int l = 0; l <= k; l++) {
                jobs[j].meat[packed(k, l)] += t->g[k] * t->g[l];
                for (int m = 0; m < NS_PARAMETERS; m++)
                    jobs[j].drift[m][packed(k, l)] +=
                        t->g[k] * t->h[packed(l, m)] + t->g[l] * t->h[packed(k, m)];
            }
        jobs[j].samples++;
    }
}

static void add_turn(turn *to, const turn *from) {
    for (int k = 0; k < NS_PARAMETERS; k++) to->g[k] += from->g[k];
    for (int i = 0; i < 10; i++) to->h[i] += from->h[i];
}

static void note_turn(turn *to, const ns_fit_sums *sums) {
    for (int k = 0; k < NS_PARAMETERS; k++) to->g[k] += sums->jr[k];
    for (int i = 0; i < 10; i++) to->h[i] += sums->jj[i];
    to->h[packed(NS_ALPHA, NS_ALPHA)] += sums->rh[0];
    to->h[packed(NS_SCALE, NS_ALPHA)] += sums->rh[1];
    to->h[packed(NS_SHIFT, NS_ALPHA)] += sums->rh[2];
    to->h[packed(NS_SHIFT, NS_SCALE)] += sums->rh[3];
    to->h[packed(NS_SHIFT, NS_SHIFT)] += sums->rh[4];
}

/* Another sample begins: what is in `last` belongs to a finished one, unless it is the thread's first. */
static void next_run(share *s, int count, int64_t sample) {
    size_t bytes = sizeof(run) + (size_t)count * sizeof s->last->turns[0];
    if (s->last->open) {
        if (!s->first->open)
            memcpy(s->first, s->last, bytes);
        else
            close_run(s->last, s->jobs, count);
    }
    memset(s->last, 0, bytes);
    s->last->sample = sample;
    s->last->open = true;
}

/* Points [from, to) of a piece, which belong to one sample if samples are told apart. */
static void visit_run(const passing *p, share *s, const ns_piece *piece, size_t from, size_t to,
                      int64_t sample) {
    bool out = p->pass->held_out && ns_held_out(p->pass->seed, sample),
         clusters = p->pass->points->read_rows != NULL;
    if (clusters && (!s->last->open || s->last->sample != sample)) next_run(s, p->count, sample);
    for (int j = 0; j < p->count; j++) {
        ns_job *job = &s->jobs[j];
        ns_fit_sums one = {0};
        job->curve->pass(&job->pass, to - from, piece->x + from, piece->y + from,
                         s->weights ? s->weights + from : NULL, &one);
        ns_sums_add(&job->sums, 1, &one);
        if (out) ns_sums_add(&job->held, 1, &one);
        if (clusters) note_turn(&s->last->turns[j], &one);
    }
}

static int visit(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    passing *p = user;
    share *s = &p->shares[piece->thread];
    const ns_bins *bins = p->pass->bins;
    if (s->weights)
        for (size_t i = 0; i < piece->points; i++)
            s->weights[i] =
                ns_density_weight(p->pass->density, bins->least, bins->most, (double)piece->x[i]);
    if (!piece->starts) {
        visit_run(p, s, piece, 0, piece->points, 0);
        return NS_OK;
    }
    for (size_t row = 0, end; row < piece->rows; row = end) {
        end = ns_piece_run(piece, row);
        visit_run(p, s, piece, piece->starts[row], piece->starts[end], piece->samples[row]);
    }
    return NS_OK;
}

/* Adds the threads' sums in their order; a sample that ends one share and begins the next is one sample. */
static void reduce(const passing *p, ns_job *jobs) {
    run *open = NULL;
    for (int t = 0; t < p->threads; t++) {
        share *s = &p->shares[t];
        for (int j = 0; j < p->count; j++) {
            ns_sums_add(&jobs[j].sums, 1, &s->jobs[j].sums);
            ns_sums_add(&jobs[j].held, 1, &s->jobs[j].held);
            for (int k = 0; k < 10; k++) {
                jobs[j].meat[k] += s->jobs[j].meat[k];
                for (int m = 0; m < NS_PARAMETERS; m++)
                    jobs[j].drift[m][k] += s->jobs[j].drift[m][k];
            }
            jobs[j].samples += s->jobs[j].samples;
        }
        run *ends[] = {s->first, s->last};
        for (int e = 0; e < 2; e++) {
            if (!ends[e]->open) continue;
            if (open && open->sample == ends[e]->sample) {
                for (int j = 0; j < p->count; j++) add_turn(&ends[e]->turns[j], &open->turns[j]);
            } else if (open) {
                close_run(open, jobs, p->count);
            }
            open = ends[e];
        }
    }
    if (open) close_run(open, jobs, p->count);
}

static int make_share(share *s, const ns_fit_pass *pass, const ns_job *jobs, int count,
                      ns_error *err) {
    size_t bytes = sizeof(run) + (size_t)count * sizeof s->first->turns[0],
           longest = pass->points->channels > NS_WALK_POINTS ? (size_t)pass->points->channels
                                                             : NS_WALK_POINTS;
    s->jobs = ns_calloc((size_t)count, sizeof *s->jobs, err);
    s->first = ns_calloc(1, bytes, err);
    s->last = ns_calloc(1, bytes, err);
    if (pass->density) s->weights = ns_calloc(longest, sizeof *s->weights, err);
    if (!s->jobs || !s->first || !s->last || (pass->density && !s->weights)) return NS_EFAIL;
    for (int j = 0; j < count; j++)
        s->jobs[j].curve = jobs[j].curve, s->jobs[j].pass = jobs[j].pass;
    return NS_OK;
}

int ns_fit_pass_run(const ns_fit_pass *pass, ns_job *jobs, int count, ns_error *err) {
    passing p = {.pass = pass, .threads = ns_walk_threads(pass->points), .count = count};
    p.shares = ns_calloc((size_t)p.threads, sizeof *p.shares, err);
    int status = p.shares ? NS_OK : NS_EFAIL;
    for (int t = 0; t < p.threads && !status; t++)
        status = make_share(&p.shares[t], pass, jobs, count, err);
    for (int j = 0; j < count; j++) {
        jobs[j].sums = jobs[j].held = (ns_fit_sums){0};
        memset(jobs[j].meat, 0, sizeof jobs[j].meat);
        memset(jobs[j].drift, 0, sizeof jobs[j].drift);
        jobs[j].samples = 0;
    }
    ns_walk walk = {.points = pass->points,
                    .finite_only = pass->bins->nonfinite > 0,
                    .rows = pass->points->read_rows || pass->held_out,
                    .progress = pass->progress,
                    .visit = visit,
                    .user = &p};
    if (!status) status = ns_walk_all(&walk, err);
    if (!status) reduce(&p, jobs);
    for (int t = 0; p.shares && t < p.threads; t++) {
        free(p.shares[t].jobs);
        free(p.shares[t].first);
        free(p.shares[t].last);
        free(p.shares[t].weights);
    }
    free(p.shares);
    return status;
}

/* The two small walks below count points in bins, a set of them for each thread. */
typedef struct counting {
    uint64_t *counts; /* [threads, sets, bins] */
    size_t bins;
    int sets;
    const ns_bins *range;
    const ns_solver *solvers; /* [sets] */
} counting;

static int count_x(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    counting *c = user;
    uint64_t *counts = c->counts + (size_t)piece->thread * c->bins;
    double least = c->range->least, scale = NS_DENSITY_BINS / (c->range->most - least);
    for (size_t i = 0; i < piece->points; i++) {
        double at = ((double)piece->x[i] - least) * scale;
        counts[at < NS_DENSITY_BINS ? (int)at : NS_DENSITY_BINS - 1]++;
    }
    return NS_OK;
}

static int count_residuals(void *user, const ns_piece *piece, ns_error *err) {
    enum { BLOCK = 1024 };
    (void)err;
    counting *c = user;
    double f[BLOCK];
    for (size_t at = 0, m; at < piece->points; at += m) {
        m = piece->points - at < BLOCK ? piece->points - at : BLOCK;
        for (int k = 0; k < c->sets; k++) {
            uint64_t *counts = c->counts + ((size_t)piece->thread * c->sets + k) * c->bins;
            const double *t = c->solvers[k].theta;
            c->solvers[k].curve->values(t[NS_ALPHA], t[NS_SHIFT], m, piece->x + at, f);
            for (size_t i = 0; i < m; i++) {
                float r = (float)fabs(t[NS_SCALE] * f[i] + t[NS_OFFSET] - (double)piece->y[at + i]);
                counts[ns_float_bits(r) >> 16]++;
            }
        }
    }
    return NS_OK;
}

/* c->counts [sets, bins] afterwards, to be freed also after a failure. */
static int count_points(const ns_fit_pass *pass, counting *c,
                        int (*visit_piece)(void *, const ns_piece *, ns_error *), ns_error *err) {
    int threads = ns_walk_threads(pass->points);
    size_t all = (size_t)c->sets * c->bins;
    c->counts = ns_calloc((size_t)threads * all, sizeof *c->counts, err);
    if (!c->counts) return NS_EFAIL;
    ns_walk walk = {.points = pass->points,
                    .finite_only = pass->bins->nonfinite > 0,
                    .progress = pass->progress,
                    .visit = visit_piece,
                    .user = c};
    int status = ns_walk_all(&walk, err);
    for (int t = 1; t < threads; t++)
        for (size_t i = 0; i < all; i++) c->counts[i] += c->counts[(size_t)t * all + i];
    return status;
}

int ns_density_weights(const ns_fit_pass *pass, double weights[NS_DENSITY_BINS], ns_error *err) {
    counting c = {.bins = NS_DENSITY_BINS, .sets = 1, .range = pass->bins};
    int status = count_points(pass, &c, count_x, err), occupied = 0;
    for (int i = 0; i < NS_DENSITY_BINS && !status; i++) occupied += c.counts[i] > 0;
    for (int i = 0; i < NS_DENSITY_BINS && !status; i++)
        weights[i] = c.counts[i] ? (double)pass->bins->points / occupied / (double)c.counts[i] : 0;
    free(c.counts);
    return status;
}

int ns_residual_medians(const ns_fit_pass *pass, const ns_solver *solvers, int count,
                        double *medians, ns_error *err) {
    counting c = {.bins = 32768, .sets = count, .solvers = solvers};
    int status = count_points(pass, &c, count_residuals, err);
    for (int k = 0; k < count && !status; k++) {
        const uint64_t *counts = c.counts + (size_t)k * c.bins;
        uint64_t half = pass->bins->points / 2, seen = 0;
        size_t i = 0;
        while (i + 1 < c.bins && seen + counts[i] <= half) seen += counts[i++];
        /* The middle of the bin: 1/128 of an octave's step either way. */
        medians[k] = 0.5 * ((double)ns_bits_float((uint32_t)i << 16) +
                            (double)ns_bits_float((uint32_t)(i + 1) << 16));
    }
    free(c.counts);
    return status;
}
