#include "analysis/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "probe/base/mem.h"

/* Relative standard error of alpha above which only s alpha is told. */
#define NEAR_LINEAR 0.3

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
    ns_fit_sums line;     /* of the straight line's, see line_sse */
    bool line_known;
} fitting;

static double missing(void) {
    return (double)NAN;
}

void ns_fit_blank(ns_fit *fit, const ns_curve *curve, const ns_bins *bins) {
    double *numbers[] = {&fit->slope,
                         &fit->slope_nominal,
                         &fit->slope_clustered,
                         &fit->correlation,
                         &fit->sse,
                         &fit->sst,
                         &fit->r2,
                         &fit->r2_linear,
                         &fit->s_index,
                         &fit->rmse,
                         &fit->tail_rmse,
                         &fit->aic,
                         &fit->held_out_rmse,
                         &fit->huber,
                         &fit->sketch_error};
    *fit = (ns_fit){.curve = curve,
                    .points = bins->points,
                    .nonfinite = bins->nonfinite,
                    .padding = bins->padding,
                    .stop = "not fitted",
                    .reason = ""};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *numbers[i] = missing();
    for (int k = 0; k < NS_PARAMETERS; k++)
        fit->theta[k] = fit->nominal[k] = fit->clustered[k] = missing();
}

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

const char *ns_fit_hopeless(const ns_bins *bins, int parameters) {
    double n = bins->total.n, spread = bins->yy - bins->total.y * bins->total.y / n;
    if (!bins->points) return bins->nonfinite ? "no finite points" : "no points";
    if (bins->least >= bins->most) return "constant input";
    if (bins->points < (uint64_t)parameters + 2) return "too few points";
    if (spread <= 1e-14 * bins->yy) return "constant output";
    return NULL;
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

static int pseudo_of_bins(const fitting *f, const ns_bins *bins, int group, ns_pseudo *s,
                          ns_error *err) {
    if (pseudo_room(s, 2 * (size_t)bins->used, err)) return NS_EFAIL;
    s->count = ns_bins_pseudo(bins, group, s->x, s->y, s->w);
    weigh(f, s);
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
    int status =
        few ? pseudo_of_points(f, &f->fine, err) : pseudo_of_bins(f, &f->bins, 1, &f->fine, err);
    if (!status && !few) status = pseudo_of_bins(f, &f->bins, COARSE, &f->coarse, err);
    for (int k = 0; k < NS_PARTS && f->options->held_out && !status; k++)
        status = pseudo_of_bins(f, &f->part_bins[k], 1, &f->parts[k], err);
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

static bool is_free(const ns_solver *s, int parameter) {
    for (int i = 0; i < s->count; i++)
        if (s->free[i] == parameter) return true;
    return false;
}

static ns_job job_of(const fitting *f, const ns_solver *s, double huber) {
    ns_job job = {.curve = s->curve,
                  .pass = {.shift = is_free(s, NS_SHIFT),
                           .offset = is_free(s, NS_OFFSET),
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

ns_fit_sums ns_fit_line_sums(const ns_bins *bins) {
    const ns_bin *t = &bins->total;
    ns_fit_sums sums = {.n = t->n, .rr = bins->yy};
    sums.jj[9] = t->n, sums.jj[7] = t->x, sums.jj[2] = t->xx;
    sums.jr[NS_SCALE] = -t->xy, sums.jr[NS_OFFSET] = -t->y;
    return sums;
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
    if (!s->done && s->taken && !s->curve->has_corners && !robust)
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

/* Without a curve's nonlinearity nothing tells s from alpha. */
static void judge(ns_fit *fit, const ns_solver *s) {
    double error = fmax(isnan(fit->clustered[NS_ALPHA]) ? 0 : fit->clustered[NS_ALPHA],
                        fit->nominal[NS_ALPHA]);
    bool scale_free = fit->free[NS_SCALE];
    if (s->curve->is_linear) return;
    if (s->at_bound)
        fit->reason = s->theta[NS_ALPHA] <= s->low
                          ? (scale_free ? "near-linear: only s*alpha is determined"
                                        : "alpha at its lower bound")
                          : "alpha at its upper bound: a step";
    else if (scale_free && isnan(fit->s_index)) /* the line leaves rounding alone */
        fit->reason = "near-linear: only s*alpha is determined";
    else if (isnan(fit->nominal[NS_ALPHA]))
        fit->reason = scale_free && fit->r2 - fit->r2_linear < 1e-9
                          ? "near-linear: only s*alpha is determined"
                          : "the points do not determine the parameters";
    else if (error > NEAR_LINEAR * fit->theta[NS_ALPHA])
        fit->reason =
            scale_free ? "near-linear: only s*alpha is determined" : "alpha is not determined";
    else if (!s->converged)
        fit->reason = "not converged";
    fit->degenerate = *fit->reason != 0;
}

/* The sum over samples of g g' at theta, near which it was taken. */
static void meat_at(const ns_job *job, const double *theta, double meat[10]) {
    memcpy(meat, job->meat, sizeof job->meat);
    for (int m = 0; m < NS_PARAMETERS; m++)
        for (int i = 0; i < 10; i++) meat[i] += (theta[m] - job->pass.theta[m]) * job->drift[m][i];
}

/* Standard errors of the parameters and, by the delta method, of the slope s alpha f'(0). */
static void errors(ns_fit *fit, const ns_solver *s, const ns_job *job) {
    const ns_fit_sums *sums = &s->sums;
    double a[NS_PARAMETERS][NS_PARAMETERS], inverse[NS_PARAMETERS][NS_PARAMETERS],
        h[NS_PARAMETERS][NS_PARAMETERS], bread[NS_PARAMETERS][NS_PARAMETERS],
        cov[NS_PARAMETERS][NS_PARAMETERS] = {{0}}, full[NS_PARAMETERS] = {0};
    const int *free_ = s->free, n = s->count;
    double freedom = (double)fit->points - n, slope1 = s->curve->slope;
    full[NS_ALPHA] = fit->theta[NS_SCALE] * slope1;
    full[NS_SCALE] = fit->theta[NS_ALPHA] * slope1;
    ns_sums_matrix(sums, free_, n, false, a);
    if (ns_invert(n, a, inverse)) {
        double variance = sums->rr / freedom, v = 0;
        for (int i = 0; i < n; i++) {
            fit->nominal[free_[i]] = sqrt(variance * inverse[i][i]);
            for (int j = 0; j < n; j++)
                v += variance * full[free_[i]] * full[free_[j]] * inverse[i][j];
        }
        fit->slope_nominal = sqrt(fmax(v, 0));
        if (n > 1 && free_[0] == NS_ALPHA && free_[1] == NS_SCALE)
            fit->correlation = inverse[0][1] / sqrt(inverse[0][0] * inverse[1][1]);
    }
    fit->samples = job->samples;
    ns_sums_matrix(sums, free_, n, true, h);
    if (job->samples <= (uint64_t)n) return;
    /* At a kink the Hessian says nothing; Gauss and Newton's matrix still does. */
    if (!ns_invert(n, h, bread) && !(s->curve->has_corners && ns_invert(n, a, bread))) return;
    double groups = (double)job->samples, v = 0, meat[10];
    meat_at(job, s->theta, meat);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++)
                for (int l = 0; l < n; l++) {
                    int p = free_[k] > free_[l] ? free_[k] : free_[l],
                        q = free_[k] > free_[l] ? free_[l] : free_[k];
                    cov[i][j] += bread[i][k] * meat[p * (p + 1) / 2 + q] * bread[l][j] * groups /
                                 (groups - 1);
                }
    for (int i = 0; i < n; i++) {
        fit->clustered[free_[i]] = sqrt(fmax(cov[i][i], 0));
        for (int j = 0; j < n; j++) v += full[free_[i]] * full[free_[j]] * cov[i][j];
    }
    fit->slope_clustered = sqrt(fmax(v, 0));
}

/* Weighted sums over all points that the straight line needs, from the sums of the curve u at s = 0, b = 0: r = -y. */
static double line_sse(const ns_fit_sums *at, bool offset, double *sst) {
    double n = at->jj[9], x = at->jj[7], xx = at->jj[2], xy = -at->jr[NS_SCALE],
           y = -at->jr[NS_OFFSET], yy = at->rr;
    *sst = yy - y * y / n;
    if (!offset) return yy - xy * xy / xx;
    double cxx = xx - x * x / n, cxy = xy - x * y / n;
    return *sst - cxy * cxy / cxx;
}

void ns_fit_fill(ns_fit *fit, const ns_fit_options *options, const ns_solver *s, const ns_job *job,
                 const ns_fit_sums *plain, const ns_fit_sums *line) {
    memcpy(fit->theta, s->theta, sizeof fit->theta);
    for (int i = 0; i < s->count; i++) fit->free[s->free[i]] = true;
    fit->slope = fit->theta[NS_SCALE] * fit->theta[NS_ALPHA] * s->curve->slope;
    fit->iterations = s->steps;
    fit->converged = s->converged;
    fit->stop = s->stop;
    errors(fit, s, job);
    double linear = line_sse(line, options->offset, &fit->sst), n = (double)fit->points;
    fit->sse = plain->rr;
    fit->r2 = 1 - fit->sse / fit->sst;
    fit->r2_linear = 1 - linear / fit->sst;
    /* Where the line leaves nothing but rounding, there is no share of it to explain. */
    if (linear > 1e-13 * fit->sst)
        fit->s_index = s->curve->is_linear ? 0 : (linear - fit->sse) / linear;
    fit->rmse = sqrt(fit->sse / plain->n);
    if (plain->tail_n > 0) fit->tail_rmse = sqrt(plain->tail_rr / plain->tail_n);
    if (options->weighting == NS_WEIGH_POINTS)
        fit->aic = n * log(fit->sse / n) + 2.0 * (s->count + 1);
    judge(fit, s);
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

int ns_fit_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
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
