/* What a fit tells: its parameters' errors, how good it is, and when it says too little. */
#include <math.h>
#include <string.h>

#include "analysis/fit_internal.h"

/* Relative standard error of alpha above which only s alpha is told. */
#define NEAR_LINEAR 0.3

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
    for (int k = 0; k < NS_ROWS_KINDS; k++) fit->s_index_of[k] = missing();
}

const char *ns_fit_hopeless(const ns_bins *bins, int parameters) {
    double n = bins->total.n, spread = bins->yy - bins->total.y * bins->total.y / n;
    if (!bins->points) return bins->nonfinite ? "no finite points" : "no points";
    if (bins->least >= bins->most) return "constant input";
    if (bins->points < (uint64_t)parameters + 2) return "too few points";
    if (spread <= 1e-14 * bins->yy) return "constant output";
    return NULL;
}

ns_fit_sums ns_fit_line_sums(const ns_bins *bins) {
    const ns_bin *t = &bins->total;
    ns_fit_sums sums = {.n = t->n, .rr = bins->yy};
    sums.jj[9] = t->n, sums.jj[7] = t->x, sums.jj[2] = t->xx;
    sums.jr[NS_SCALE] = -t->xy, sums.jr[NS_OFFSET] = -t->y;
    return sums;
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
    /* alpha at a bound is none that was estimated */
    const int bound = s->at_bound && s->count > 1 && s->free[0] == NS_ALPHA,
              *free_ = s->free + bound, n = s->count - bound;
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

static const char NEAR[] = "near-linear",
                  OFF_CENTRE[] = "near-linear: the centre lies beyond the points";

/* With d free, a tail of the curve can lie over all points: where it explains little more than the line does, its centre, which is that of no
 * point, tells nothing. */
#define LITTLE 0.2 /* S-index */
static void judge_centre(ns_fit *fit, const ns_solver *s, const ns_job *job) {
    double centre = -fit->theta[NS_SHIFT] / fit->theta[NS_ALPHA];
    if (fit->degenerate || s->curve->is_linear || !fit->free[NS_SHIFT]) return;
    if (centre >= job->pass.low && centre <= job->pass.high) return;
    if (fit->s_index > LITTLE) return;
    fit->reason = OFF_CENTRE;
    fit->degenerate = true;
}

/* Of the straight line, from its sums. */
static double line_slope(const ns_fit_sums *at, bool offset) {
    double n = at->jj[9], x = at->jj[7], xx = at->jj[2], xy = -at->jr[NS_SCALE],
           y = -at->jr[NS_OFFSET];
    return offset ? (xy - x * y / n) / (xx - x * x / n) : xy / xx;
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
    judge_centre(fit, s, job);
    /* With d free, what is not decided can be any far part of the curve. */
    fit->only_slope =
        fit->degenerate && (fit->free[NS_SHIFT] || !strncmp(fit->reason, NEAR, strlen(NEAR)));
    if (!fit->only_slope) return;
    if (fabs(fit->s_index) < 1e-6) fit->s_index = 0; /* alpha's bound is not quite a line */
    if (fit->free[NS_SHIFT]) {
        fit->slope = line_slope(line, options->offset);
        fit->slope_nominal = fit->slope_clustered = missing();
    }
}
