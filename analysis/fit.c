#include "analysis/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "probe/base/mem.h"

enum { MOST_CURVES = 64 };

typedef struct fitting {
    const ns_fit_options *options;
    ns_fit_pass pass;
    ns_bins bins, part_bins[NS_PARTS];
    ns_pseudo fine, coarse;    /* for all points; coarse is empty where fine is short */
    ns_pseudo parts[NS_PARTS]; /* for the samples kept and held out */
    double density[NS_DENSITY_BINS];
    double low, high;     /* limits of the tails */
    ns_solver *solvers;   /* [curves] */
    ns_solver *training;  /* [curves], without the samples held out */
    ns_job *jobs;         /* [curves + 1] */
    ns_job *last;         /* [curves]: exact sums, where they were last taken */
    ns_corners **corners; /* [curves], NULL for curves without */
    ns_fit_sums line;     /* the straight line's, see ns_fit_line_sums */
    bool line_known;
} fitting;

void ns_fit_free_parameters(ns_solver *s, const ns_curve *curve, const ns_fit_options *o) {
    *s = (ns_solver){.curve = curve,
                     .theta = {1, o->scale_fixed ? o->scale : 1, 0, 0},
                     .most_steps = 100,
                     .stop = ""};
    if (!curve->is_linear) s->free[s->count++] = NS_ALPHA;
    if (!o->scale_fixed || curve->is_linear) s->free[s->count++] = NS_SCALE;
    if (o->shift && !curve->is_linear) s->free[s->count++] = NS_SHIFT;
    if (o->offset) s->free[s->count++] = NS_OFFSET;
}

/* A few points are searched as they are; many by what stands for their bins. */
enum { FEW_POINTS = 16384, COARSE = 4 };

static int pseudo_room(ns_pseudo *s, size_t room, ns_error *err) {
    s->x = ns_alloc_aligned(room, sizeof *s->x, err);
    s->y = ns_alloc_aligned(room, sizeof *s->y, err);
    s->w = ns_alloc_aligned(room, sizeof *s->w, err);
    return s->x && s->y && s->w ? NS_OK : NS_EFAIL;
}

static void pseudo_free(ns_pseudo *s) {
    free(s->x);
    free(s->y);
    free(s->w);
}

static void weigh(const fitting *f, ns_pseudo *s) {
    for (size_t i = 0; i < s->count && f->pass.density; i++)
        s->w[i] *= ns_density_weight(f->density, f->bins.least, f->bins.most,
                                     fmin(fmax((double)s->x[i], f->bins.least), f->bins.most));
}

static int pseudo_of_bins(const ns_bins *bins, int group, ns_pseudo *s, ns_error *err) {
    if (pseudo_room(s, 2 * (size_t)bins->used, err)) return NS_EFAIL;
    s->count = ns_bins_pseudo(bins, group, s->x, s->y, s->w);
    return NS_OK;
}

static int pseudo_of_points(const fitting *f, ns_pseudo *s, ns_error *err) {
    const ns_points *p = f->pass.points;
    size_t room = (size_t)p->rows * (size_t)p->channels;
    int status = pseudo_room(s, room, err);
    if (!status) status = p->read(p, 0, p->rows, s->x, s->y, err);
    if (status) return status;
    for (size_t i = 0; i < room; i++) s->w[i] = 1;
    s->count = room;
    s->exact = true;
    weigh(f, s);
    return NS_OK;
}

static int make_pseudo(fitting *f, ns_error *err) {
    const ns_points *p = f->pass.points;
    bool few =
        p->rows * (uint64_t)p->channels <= FEW_POINTS && !f->bins.nonfinite && !f->bins.padding;
    ns_bins weighed = {0};
    int status = f->pass.density && !few ? ns_density_bins(&weighed, &f->pass, err) : NS_OK;
    const ns_bins *bins = f->pass.density ? &weighed : &f->bins;
    if (!status)
        status = few ? pseudo_of_points(f, &f->fine, err) : pseudo_of_bins(bins, 1, &f->fine, err);
    if (!status && !few) status = pseudo_of_bins(bins, COARSE, &f->coarse, err);
    ns_bins_free(&weighed);
    for (int k = 0; k < NS_PARTS && f->options->held_out && !status; k++)
        if (!(status = pseudo_of_bins(&f->part_bins[k], 1, &f->parts[k], err)))
            weigh(f, &f->parts[k]);
    return status;
}

/* Where f' jumps, the second derivative of the sum of squares has a part that no point carries: the residual at the corner
 * times the density of the points there. Taken from the bins, it turns Gauss-Newton's slow steps into nearly Newton's. */
static void add_corners(const fitting *f, const double *theta, ns_fit_sums *sums) {
    enum { REACH = 2 };
    for (int side = -1; side <= 1; side += 2) {
        double x = (side - theta[NS_SHIFT]) / theta[NS_ALPHA];
        int at = 0, used = f->bins.used;
        while (at + 1 < used && f->bins.bins[at].x < x * f->bins.bins[at].n) at++;
        int from = at > REACH ? at - REACH : 0, to = at + REACH < used ? at + REACH : used - 1;
        const ns_bin *low = &f->bins.bins[from], *high = &f->bins.bins[to];
        double n = 0, y = 0, width = high->x / high->n - low->x / low->n;
        if (!(width > 0) || x < f->bins.least || x > f->bins.most) continue;
        for (int i = from; i <= to; i++) n += f->bins.bins[i].n, y += f->bins.bins[i].y;
        double weight =
            f->pass.density ? ns_density_weight(f->density, f->bins.least, f->bins.most, x) : 1;
        double density = weight * (n - 0.5 * (low->n + high->n)) / width;
        double r = theta[NS_SCALE] * side + theta[NS_OFFSET] - y / n;
        double jump = -side * theta[NS_SCALE] * r * density / theta[NS_ALPHA];
        sums->rh[0] += jump * x * x;
        sums->rh[2] += jump * x;
        sums->rh[4] += jump;
    }
}

static ns_job job_of(const fitting *f, const ns_solver *s, double huber) {
    ns_job job = {.curve = s->curve,
                  .pass = {.shift = ns_solver_is_free(s, NS_SHIFT),
                           .offset = ns_solver_is_free(s, NS_OFFSET),
                           .low = f->low,
                           .high = f->high,
                           .huber = huber}};
    memcpy(job.pass.theta, s->trial, sizeof job.pass.theta);
    return job;
}

/* The straight line's sums: from the bins where every point counts alike, else from a pass that is made anyway. */
static ns_job line_job(const fitting *f) {
    ns_job job = {.curve = ns_curve_find("linear", NULL),
                  .pass = {.theta = {1, 0, 0, 0},
                           .offset = true,
                           .low = f->low,
                           .high = f->high,
                           .huber = INFINITY}};
    return job;
}

/* Which sums a solver is fed with. */
typedef enum whose { ALL_SAMPLES, KEPT_SAMPLES } whose;

/* The error on samples held out does not need all digits of the parameters. */
#define HELD_OUT_SETTLED 1e-7

static void feed(fitting *f, ns_solver *s, whose samples, bool robust, const ns_job *job) {
    ns_fit_sums sums = job->sums;
    bool all = samples == ALL_SAMPLES;
    if (!all) ns_sums_add(&sums, -1, &job->held);
    if (s->curve->has_corners) add_corners(f, s->trial, &sums);
    if (s->placed) {
        ns_solver_take(s, &sums, "lowest at a corner");
        return;
    }
    ns_solver_feed(s, &sums);
    if (!robust) ns_solver_relax(s);
    if (!s->done && s->taken && s->theta[NS_ALPHA] > s->low && !s->curve->has_corners && !robust)
        ns_model_settle(s, all ? &f->fine : &f->parts[NS_KEPT], f->low, f->high,
                        all ? NS_SETTLED : HELD_OUT_SETTLED);
}

/* Feeds the solvers until all are done: each pass serves those that are not. huber: thresholds [count], or NULL. `last` receives the
 * exact sums of each where its last step was taken from. */
static int solve(fitting *f, ns_solver *solvers, int count, whose samples, const double *huber,
                 ns_job *last, ns_error *err) {
    for (;;) {
        int waiting = 0, which[MOST_CURVES];
        for (int i = 0; i < count; i++) {
            if (solvers[i].done) continue;
            f->jobs[waiting] = job_of(f, &solvers[i], huber ? huber[i] : INFINITY);
            which[waiting++] = i;
        }
        if (!waiting) return NS_OK;
        int line = f->line_known ? 0 : 1;
        if (line) f->jobs[waiting] = line_job(f);
        int status = ns_fit_pass_run(&f->pass, f->jobs, waiting + line, err);
        if (status) return status;
        if (line) f->line = f->jobs[waiting].sums, f->line_known = true;
        for (int k = 0; k < waiting; k++) {
            ns_solver *s = &solvers[which[k]];
            feed(f, s, samples, huber != NULL, &f->jobs[k]);
            if (s->taken) last[which[k]] = f->jobs[k];
        }
    }
}

/* Places the corners of the curves that have any, at the price of one walk for all of them. */
static int place_corners(fitting *f, ns_error *err) {
    int count = 0, parts = f->options->held_out ? NS_PARTS : 1;
    ns_corners *some[MOST_CURVES];
    if (f->fine.exact || f->pass.density) return NS_OK;
    for (int i = 0; i < f->options->curve_count; i++) {
        if (!f->solvers[i].curve->has_corners) continue;
        if (!(f->corners[i] = ns_corners_new(&f->solvers[i], parts, err))) return NS_EFAIL;
        some[count++] = f->corners[i];
    }
    int status = count ? ns_corners_walk(&f->pass, some, count, err) : NS_OK;
    for (int i = 0; i < f->options->curve_count && !status; i++)
        if (f->corners[i])
            f->solvers[i].placed = ns_corners_place(f->corners[i], -1, &f->bins, &f->solvers[i]);
    return status;
}

/* Robust: the least-squares fits' residuals give the thresholds, and the solvers go on from there. */
static int solve_robustly(fitting *f, ns_fit *fits, double *thresholds, ns_error *err) {
    int count = f->options->curve_count;
    int status = ns_residual_medians(&f->pass, f->solvers, count, thresholds, err);
    for (int i = 0; i < count && !status; i++) {
        fits[i].huber = thresholds[i] *= 1.345 * 1.4826;
        double theta[NS_PARAMETERS];
        memcpy(theta, f->solvers[i].theta, sizeof theta);
        ns_solver_begin(&f->solvers[i], theta);
    }
    return status ? status : solve(f, f->solvers, count, ALL_SAMPLES, thresholds, f->last, err);
}

/* Plain squares at the result: the solvers have them, but for the robust weighting, which takes one pass more. */
static int plain_sums(fitting *f, ns_fit_sums *plain, ns_error *err) {
    int count = f->options->curve_count;
    for (int i = 0; i < count; i++) plain[i] = f->solvers[i].sums;
    if (f->options->weighting != NS_WEIGH_HUBER) return NS_OK;
    for (int i = 0; i < count; i++) {
        f->jobs[i] = job_of(f, &f->solvers[i], INFINITY);
        memcpy(f->jobs[i].pass.theta, f->solvers[i].theta, sizeof f->jobs[i].pass.theta);
    }
    int status = ns_fit_pass_run(&f->pass, f->jobs, count, err);
    for (int i = 0; i < count && !status; i++) plain[i] = f->jobs[i].sums;
    return status;
}

/* The error on the samples held out, where the corners' surroundings tell all of it. */
static bool held_out_of_cells(fitting *f, int i, ns_fit *fit) {
    ns_solver *s = &f->training[i];
    if (!ns_corners_place(f->corners[i], NS_KEPT, &f->part_bins[NS_KEPT], s)) return false;
    double rr = ns_corners_squares(f->corners[i], NS_HELD, &f->part_bins[NS_HELD], s, s->trial);
    fit->held_out_rmse = sqrt(rr / f->last[i].held.n);
    ns_solver_finish(s, true, "lowest at a corner");
    return true;
}

/* The error on the samples held out of a fit to the others, from the sums of both at the fit to all. False where the bins do not
 * tell enough. */
static bool held_out_of_bins(fitting *f, int i, ns_fit *fit) {
    const ns_job *job = &f->last[i];
    ns_solver *s = &f->training[i];
    if (f->options->weighting == NS_WEIGH_HUBER) return false;
    if (f->solvers[i].placed) return held_out_of_cells(f, i, fit);
    if (s->curve->has_corners) return false;
    ns_solver_begin(s, job->pass.theta);
    s->sums = job->sums;
    ns_sums_add(&s->sums, -1, &job->held);
    if (!ns_model_settle(s, &f->parts[NS_KEPT], f->low, f->high, HELD_OUT_SETTLED)) return false;
    double rr = ns_model_squares(s, &f->parts[NS_HELD], &job->held, job->pass.theta);
    fit->held_out_rmse = sqrt(rr / job->held.n);
    return true;
}

/* Second fits that leave the samples held out to judge them by: passes are made for those that need any. */
static int hold_out(fitting *f, ns_fit *fits, const double *huber, ns_error *err) {
    int count = f->options->curve_count, status = NS_OK;
    ns_job *last = ns_calloc((size_t)count, sizeof *last, err);
    if (!last) return NS_EFAIL;
    if (!(f->last[0].held.n > 0)) count = 0;
    for (int i = 0; i < count; i++) {
        f->training[i] = f->solvers[i];
        if (held_out_of_bins(f, i, &fits[i])) continue;
        ns_solver_begin(&f->training[i], f->solvers[i].theta);
    }
    status = solve(f, f->training, count, KEPT_SAMPLES, huber, last, err);
    for (int i = 0; i < count && !status; i++)
        if (isnan(fits[i].held_out_rmse) && last[i].held.n > 0)
            fits[i].held_out_rmse = sqrt(last[i].held.rr / last[i].held.n);
    free(last);
    return status;
}

static int fit_all(fitting *f, ns_fit *fits, ns_error *err) {
    const ns_fit_options *o = f->options;
    double thresholds[MOST_CURVES];
    bool huber = o->weighting == NS_WEIGH_HUBER;
    int status = NS_OK;
    if (o->weighting == NS_WEIGH_DENSITY) {
        status = ns_density_weights(&f->pass, f->density, err);
        f->pass.density = f->density;
    } else {
        f->line = ns_fit_line_sums(&f->bins);
    }
    f->line_known = !f->pass.density;
    if (!status) status = make_pseudo(f, err);
    f->low = ns_bins_quantile(&f->bins, 0.01);
    f->high = ns_bins_quantile(&f->bins, 0.99);
    for (int i = 0; i < o->curve_count && !status; i++) {
        ns_solver *s = &f->solvers[i];
        status = ns_search(s, &f->fine, f->coarse.count ? &f->coarse : &f->fine, &f->bins, err);
        double theta[NS_PARAMETERS];
        memcpy(theta, s->theta, sizeof theta);
        ns_solver_begin(s, theta);
    }
    if (!status) status = place_corners(f, err);
    if (!status) status = solve(f, f->solvers, o->curve_count, ALL_SAMPLES, NULL, f->last, err);
    if (!status && huber) status = solve_robustly(f, fits, thresholds, err);
    ns_fit_sums plain[MOST_CURVES];
    if (!status) status = plain_sums(f, plain, err);
    for (int i = 0; i < o->curve_count && !status; i++)
        ns_fit_fill(&fits[i], f->options, &f->solvers[i], &f->last[i], &plain[i], &f->line);
    if (!status && o->held_out) status = hold_out(f, fits, huber ? thresholds : NULL, err);
    return status;
}

static void fitting_free(fitting *f) {
    ns_bins_free(&f->bins);
    for (int k = 0; k < NS_PARTS; k++) {
        ns_bins_free(&f->part_bins[k]);
        pseudo_free(&f->parts[k]);
    }
    pseudo_free(&f->fine);
    pseudo_free(&f->coarse);
    free(f->solvers);
    free(f->training);
    free(f->jobs);
    free(f->last);
    for (int i = 0; f->corners && i < f->options->curve_count; i++) ns_corners_free(f->corners[i]);
    free(f->corners);
}

static int fit_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
                      ns_error *err) {
    fitting f = {.options = options,
                 .pass = {.points = points,
                          .held_out = options->held_out,
                          .seed = options->seed,
                          .progress = options->progress}};
    size_t count = (size_t)options->curve_count;
    if (options->curve_count < 1 || options->curve_count > MOST_CURVES)
        return ns_fail(err, NS_EUSAGE, "expected 1 to %d curves, found %d", MOST_CURVES,
                       options->curve_count);
    f.pass.bins = &f.bins;
    f.solvers = ns_calloc(count, sizeof *f.solvers, err);
    f.training = ns_calloc(count, sizeof *f.training, err);
    f.jobs = ns_calloc(count + 1, sizeof *f.jobs, err);
    f.last = ns_calloc(count, sizeof *f.last, err);
    f.corners = ns_calloc(count, sizeof(ns_corners *), err);
    int status = f.solvers && f.training && f.jobs && f.last && f.corners ? NS_OK : NS_EFAIL,
        most = 0;
    if (!status)
        status = ns_bins_make(&f.bins, options->held_out ? f.part_bins : NULL, options->seed,
                              points, options->progress, err);
    for (size_t i = 0; i < count && !status; i++) {
        ns_fit_blank(&fits[i], options->curves[i], &f.bins);
        ns_fit_free_parameters(&f.solvers[i], options->curves[i], options);
        most = f.solvers[i].count > most ? f.solvers[i].count : most;
    }
    const char *reason = status ? NULL : ns_fit_hopeless(&f.bins, most);
    if (!status && !reason) status = fit_all(&f, fits, err);
    for (size_t i = 0; i < count && reason; i++)
        fits[i].degenerate = true, fits[i].reason = reason, fits[i].stop = reason;
    fitting_free(&f);
    return status;
}

int ns_fit_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
                  ns_error *err) {
    ns_points taken = *points;
    ns_chosen *chosen = NULL;
    int status = ns_chosen_new(&chosen, &taken, options->rows, err);
    if (!status) status = fit_points(&taken, options, fits, err);
    if (!status && options->by_kind && options->weighting == NS_WEIGH_POINTS)
        status = ns_fit_kinds_of_points(&taken, options, fits, err);
    for (int i = 0; i < options->curve_count && !status; i++)
        fits[i].left_out = ns_chosen_left_out(chosen);
    ns_chosen_free(chosen);
    return status;
}
