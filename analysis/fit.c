#include "analysis/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "probe/base/mem.h"

/* Relative standard error of alpha above which only s alpha is told. */
#define NEAR_LINEAR 0.3

typedef struct fitting {
    const ns_fit_options *options;
    ns_fit_pass pass;
    ns_bins bins;
    ns_pseudo pseudo;
    double density[NS_DENSITY_BINS];
    double low, high;    /* limits of the tails */
    ns_solver *solvers;  /* [curves] */
    ns_solver *training; /* [curves], without the samples left out */
    ns_job *jobs;        /* [curves] */
    ns_job *final;       /* [curves]: sums at the result */
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
    *s = (ns_solver){.curve = curve, .theta = {1, o->scale_fixed ? o->scale : 1, 0, 0}, .stop = ""};
    if (!curve->is_linear) s->free[s->count++] = NS_ALPHA;
    if (!o->scale_fixed || curve->is_linear) s->free[s->count++] = NS_SCALE;
    if (o->shift && !curve->is_linear) s->free[s->count++] = NS_SHIFT;
    if (o->offset) s->free[s->count++] = NS_OFFSET;
}

const char *ns_fit_hopeless(const ns_bins *bins, int parameters) {
    double n = bins->total.n, spread = bins->total.yy - bins->total.y * bins->total.y / n;
    if (!bins->points) return bins->nonfinite ? "no finite points" : "no points";
    if (bins->least >= bins->most) return "constant input";
    if (bins->points < (uint64_t)parameters + 2) return "too few points";
    if (spread <= 1e-14 * bins->total.yy) return "constant output";
    return NULL;
}

/* A few points are searched as they are; many by what stands for their bins. */
enum { FEW_POINTS = 16384 };

static int make_pseudo(fitting *f, ns_error *err) {
    const ns_points *p = f->pass.points;
    bool few =
        p->rows * (uint64_t)p->channels <= FEW_POINTS && !f->bins.nonfinite && !f->bins.padding;
    size_t room = few ? (size_t)p->rows * (size_t)p->channels : 2 * (size_t)f->bins.used;
    ns_pseudo *s = &f->pseudo;
    s->x = ns_alloc_aligned(room, sizeof *s->x, err);
    s->y = ns_alloc_aligned(room, sizeof *s->y, err);
    s->w = ns_alloc_aligned(room, sizeof *s->w, err);
    if (!s->x || !s->y || !s->w) return NS_EFAIL;
    if (few) {
        int status = p->read(p, 0, p->rows, s->x, s->y, err);
        if (status) return status;
        for (size_t i = 0; i < room; i++) s->w[i] = 1;
        s->count = room;
        s->exact = true;
    } else {
        s->count = ns_bins_pseudo(&f->bins, s->x, s->y, s->w);
    }
    for (size_t i = 0; i < s->count && f->pass.density; i++)
        s->w[i] *= ns_density_weight(f->density, f->bins.least, f->bins.most,
                                     fmin(fmax((double)s->x[i], f->bins.least), f->bins.most));
    return NS_OK;
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

/* Feeds the solvers until all are done: each pass serves those that are not. `kept` receives the sums of each at its end. */
static int solve(fitting *f, ns_solver *solvers, int count, double huber, ns_job *kept,
                 ns_error *err) {
    for (;;) {
        int waiting = 0, which[64];
        for (int i = 0; i < count && waiting < 64; i++) {
            if (solvers[i].done) continue;
            ns_job *job = &f->jobs[waiting];
            *job = (ns_job){.curve = solvers[i].curve,
                            .pass = {.low = f->low, .high = f->high, .huber = huber}};
            memcpy(job->pass.theta, solvers[i].trial, sizeof job->pass.theta);
            which[waiting++] = i;
        }
        if (!waiting) return NS_OK;
        int status = ns_fit_pass_run(&f->pass, f->jobs, waiting, err);
        if (status) return status;
        for (int k = 0; k < waiting; k++) {
            ns_solver *s = &solvers[which[k]];
            if (s->curve->has_corners) add_corners(f, s->trial, &f->jobs[k].sums);
            ns_solver_feed(s, &f->jobs[k].sums);
            if (s->sums.rr == f->jobs[k].sums.rr)
                kept[which[k]] = f->jobs[k]; /* the trial was taken */
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

/* Standard errors of the parameters and, by the delta method, of the slope s alpha f'(0). */
static void errors(ns_fit *fit, const ns_solver *s, const ns_job *job) {
    double a[NS_PARAMETERS][NS_PARAMETERS], inverse[NS_PARAMETERS][NS_PARAMETERS],
        h[NS_PARAMETERS][NS_PARAMETERS], bread[NS_PARAMETERS][NS_PARAMETERS],
        cov[NS_PARAMETERS][NS_PARAMETERS] = {{0}}, full[NS_PARAMETERS] = {0};
    const int *free_ = s->free, n = s->count;
    double freedom = (double)fit->points - n, slope1 = s->curve->slope;
    full[NS_ALPHA] = fit->theta[NS_SCALE] * slope1;
    full[NS_SCALE] = fit->theta[NS_ALPHA] * slope1;
    ns_sums_matrix(&job->sums, free_, n, false, a);
    if (ns_invert(n, a, inverse)) {
        double variance = job->sums.rr / freedom, v = 0;
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
    ns_sums_matrix(&job->sums, free_, n, true, h);
    if (job->samples <= (uint64_t)n) return;
    /* At a kink the Hessian says nothing; Gauss and Newton's matrix still does. */
    if (!ns_invert(n, h, bread) && !(s->curve->has_corners && ns_invert(n, a, bread))) return;
    double groups = (double)job->samples, v = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++)
                for (int l = 0; l < n; l++) {
                    int p = free_[k] > free_[l] ? free_[k] : free_[l],
                        q = free_[k] > free_[l] ? free_[l] : free_[k];
                    cov[i][j] += bread[i][k] * job->meat[p * (p + 1) / 2 + q] * bread[l][j] *
                                 groups / (groups - 1);
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

ns_fit_sums ns_fit_line_sums(const ns_bin *t) {
    ns_fit_sums sums = {.n = t->n, .rr = t->yy};
    sums.jj[9] = t->n, sums.jj[7] = t->x, sums.jj[2] = t->xx;
    sums.jr[NS_SCALE] = -t->xy, sums.jr[NS_OFFSET] = -t->y;
    return sums;
}

/* The same from the bins where every point counts alike. */
static int line_sums(fitting *f, ns_fit_sums *sums, ns_error *err) {
    if (!f->pass.density) {
        *sums = ns_fit_line_sums(&f->bins.total);
        return NS_OK;
    }
    ns_job job = {
        .curve = ns_curve_find("linear", NULL),
        .pass = {.theta = {1, 0, 0, 0}, .low = f->low, .high = f->high, .huber = INFINITY}};
    int status = ns_fit_pass_run(&f->pass, &job, 1, err);
    *sums = job.sums;
    return status;
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

/* Robust: the least-squares fit's residuals give the threshold, and the solver goes on from there. */
static int solve_robustly(fitting *f, ns_fit *fits, ns_error *err) {
    int status = NS_OK;
    for (int i = 0; i < f->options->curve_count && !status; i++) {
        ns_solver *s = &f->solvers[i];
        double median;
        status = ns_residual_median(&f->pass, s->curve, s->theta, &median, err);
        if (status) break;
        fits[i].huber = 1.345 * 1.4826 * median;
        double theta[NS_PARAMETERS];
        memcpy(theta, s->theta, sizeof theta);
        ns_solver_begin(s, theta);
        status = solve(f, s, 1, fits[i].huber, &f->final[i], err);
    }
    return status;
}

/* The sums of plain squares at the result: those of the last pass, but for the robust weighting. */
static int plain_sums(fitting *f, int i, ns_fit_sums *plain, ns_error *err) {
    *plain = f->final[i].sums;
    if (f->options->weighting != NS_WEIGH_HUBER) return NS_OK;
    ns_job job = {.curve = f->solvers[i].curve,
                  .pass = {.low = f->low, .high = f->high, .huber = INFINITY}};
    memcpy(job.pass.theta, f->solvers[i].theta, sizeof job.pass.theta);
    int status = ns_fit_pass_run(&f->pass, &job, 1, err);
    *plain = job.sums;
    return status;
}

/* A second fit that starts at the first and leaves a tenth of the samples out, to be judged by them. */
static int hold_out(fitting *f, ns_fit *fits, ns_error *err) {
    int count = f->options->curve_count;
    f->pass.held_out = true;
    f->pass.seed = f->options->seed;
    for (int i = 0; i < count; i++) {
        f->training[i] = f->solvers[i];
        ns_solver_begin(&f->training[i], f->solvers[i].theta);
    }
    ns_job *kept = ns_calloc((size_t)count, sizeof *kept, err);
    int status = kept ? NS_OK : NS_EFAIL;
    if (f->options->weighting != NS_WEIGH_HUBER && !status)
        status = solve(f, f->training, count, INFINITY, kept, err);
    for (int i = 0; i < count && !status && f->options->weighting == NS_WEIGH_HUBER; i++)
        status = solve(f, &f->training[i], 1, fits[i].huber, &kept[i], err);
    for (int i = 0; i < count && !status; i++)
        if (kept[i].held.n > 0) fits[i].held_out_rmse = sqrt(kept[i].held.rr / kept[i].held.n);
    free(kept);
    f->pass.held_out = false;
    return status;
}

static int fit_all(fitting *f, ns_fit *fits, ns_error *err) {
    const ns_fit_options *o = f->options;
    int status = NS_OK;
    if (o->weighting == NS_WEIGH_DENSITY) {
        status = ns_density_weights(&f->pass, f->density, err);
        f->pass.density = f->density;
    }
    if (!status) status = make_pseudo(f, err);
    f->low = ns_bins_quantile(&f->bins, 0.01);
    f->high = ns_bins_quantile(&f->bins, 0.99);
    for (int i = 0; i < o->curve_count && !status; i++) {
        ns_search(&f->solvers[i], &f->pseudo, &f->bins);
        double theta[NS_PARAMETERS];
        memcpy(theta, f->solvers[i].theta, sizeof theta);
        ns_solver_begin(&f->solvers[i], theta);
    }
    if (!status) status = solve(f, f->solvers, o->curve_count, INFINITY, f->final, err);
    if (!status && o->weighting == NS_WEIGH_HUBER) status = solve_robustly(f, fits, err);
    ns_fit_sums line = {0};
    if (!status) status = line_sums(f, &line, err);
    for (int i = 0; i < o->curve_count && !status; i++) {
        ns_fit_sums plain;
        status = plain_sums(f, i, &plain, err);
        if (!status) ns_fit_fill(&fits[i], f->options, &f->solvers[i], &f->final[i], &plain, &line);
    }
    if (!status && o->held_out) status = hold_out(f, fits, err);
    return status;
}

int ns_fit_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
                  ns_error *err) {
    fitting f = {.options = options, .pass = {.points = points, .progress = options->progress}};
    size_t count = (size_t)options->curve_count;
    if (options->curve_count < 1 || options->curve_count > 64)
        return ns_fail(err, NS_EUSAGE, "expected 1 to 64 curves, found %d", options->curve_count);
    f.pass.bins = &f.bins;
    f.solvers = ns_calloc(count, sizeof *f.solvers, err);
    f.training = ns_calloc(count, sizeof *f.training, err);
    f.jobs = ns_calloc(count, sizeof *f.jobs, err);
    f.final = ns_calloc(count, sizeof *f.final, err);
    int status = f.solvers && f.training && f.jobs && f.final ? NS_OK : NS_EFAIL, most = 0;
    if (!status) status = ns_bins_make(&f.bins, points, options->progress, err);
    for (size_t i = 0; i < count && !status; i++) {
        ns_fit_blank(&fits[i], options->curves[i], &f.bins);
        ns_fit_free_parameters(&f.solvers[i], options->curves[i], options);
        most = f.solvers[i].count > most ? f.solvers[i].count : most;
    }
    const char *reason = status ? NULL : ns_fit_hopeless(&f.bins, most);
    if (!status && !reason) status = fit_all(&f, fits, err);
    for (size_t i = 0; i < count && reason; i++)
        fits[i].degenerate = true, fits[i].reason = reason, fits[i].stop = reason;
    ns_bins_free(&f.bins);
    free(f.pseudo.x);
    free(f.pseudo.y);
    free(f.pseudo.w);
    free(f.solvers);
    free(f.training);
    free(f.jobs);
    free(f.final);
    return status;
}
