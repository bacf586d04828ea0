/* The safeguarded Newton method. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"

void ns_sums_add(ns_fit_sums *to, double factor, const ns_fit_sums *from) {
    double *t = (double *)to;
    const double *f = (const double *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *t; i++) t[i] += factor * f[i];
}

void ns_sums_matrix(const ns_fit_sums *sums, const int *free, int count, bool with_curvature,
                    double out[NS_PARAMETERS][NS_PARAMETERS]) {
    double full[NS_PARAMETERS][NS_PARAMETERS];
    for (int k = 0; k < NS_PARAMETERS; k++)
        for (int l = 0; l <= k; l++) full[k][l] = sums->jj[k * (k + 1) / 2 + l];
    if (with_curvature) {
        full[NS_ALPHA][NS_ALPHA] += sums->rh[0];
        full[NS_SCALE][NS_ALPHA] += sums->rh[1];
        full[NS_SHIFT][NS_ALPHA] += sums->rh[2];
        full[NS_SHIFT][NS_SCALE] += sums->rh[3];
        full[NS_SHIFT][NS_SHIFT] += sums->rh[4];
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            int k = free[i] > free[j] ? free[i] : free[j],
                l = free[i] > free[j] ? free[j] : free[i];
            out[i][j] = full[k][l];
        }
}

/* Cholesky factor of in scaled to a unit diagonal, below the diagonal of l; scale[i] = 1 / sqrt(in[i][i]). */
static bool factor(int n, double in[NS_PARAMETERS][NS_PARAMETERS],
                   double l[NS_PARAMETERS][NS_PARAMETERS], double scale[NS_PARAMETERS]) {
    for (int i = 0; i < n; i++) {
        if (!(in[i][i] > 0) || !isfinite(in[i][i])) return false;
        scale[i] = 1 / sqrt(in[i][i]);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = in[i][j] * scale[i] * scale[j];
            for (int k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
            if (i != j)
                l[i][j] = sum / l[j][j];
            else if (!(sum > 1e-15))
                return false;
            else
                l[i][i] = sqrt(sum);
        }
    return true;
}

static void back_solve(int n, double l[NS_PARAMETERS][NS_PARAMETERS], const double *scale,
                       const double *right, double *out) {
    double v[NS_PARAMETERS];
    for (int i = 0; i < n; i++) {
        v[i] = right[i] * scale[i];
        for (int k = 0; k < i; k++) v[i] -= l[i][k] * v[k];
        v[i] /= l[i][i];
    }
    for (int i = n; i-- > 0;) {
        for (int k = i + 1; k < n; k++) v[i] -= l[k][i] * v[k];
        v[i] /= l[i][i];
    }
    for (int i = 0; i < n; i++) out[i] = v[i] * scale[i];
}

bool ns_invert(int count, double in[NS_PARAMETERS][NS_PARAMETERS],
               double out[NS_PARAMETERS][NS_PARAMETERS]) {
    double l[NS_PARAMETERS][NS_PARAMETERS], scale[NS_PARAMETERS], column[NS_PARAMETERS];
    if (!factor(count, in, l, scale)) return false;
    for (int j = 0; j < count; j++) {
        double unit[NS_PARAMETERS] = {0};
        unit[j] = 1;
        back_solve(count, l, scale, unit, column);
        for (int i = 0; i < count; i++) out[i][j] = column[i];
    }
    return true;
}

/* The matrix and gradient in (ln alpha, s, d, b): d/d ln alpha = alpha d/d alpha. */
static void in_log_alpha(const ns_solver *s, bool with_curvature,
                         double m[NS_PARAMETERS][NS_PARAMETERS], double *g) {
    double alpha = s->theta[NS_ALPHA];
    ns_sums_matrix(&s->sums, s->free, s->count, with_curvature, m);
    g[0] = 0;
    for (int i = 0; i < s->count; i++) g[i] = s->sums.jr[s->free[i]];
    if (!s->count || s->free[0] != NS_ALPHA) return;
    for (int i = 0; i < s->count; i++) m[0][i] *= alpha, m[i][0] *= alpha;
    g[0] *= alpha;
    if (with_curvature) m[0][0] += g[0];
}

/* The step, from the full Hessian where that is positive definite, else Gauss-Newton's, with a ridge where even that fails. Returns
 * the fall of the sum of squares that the quadratic model promises. */
double ns_solver_step(ns_solver *s) {
    double m[NS_PARAMETERS][NS_PARAMETERS], l[NS_PARAMETERS][NS_PARAMETERS], g[NS_PARAMETERS],
        scale[NS_PARAMETERS], v[NS_PARAMETERS] = {0};
    in_log_alpha(s, true, m, g);
    bool good = factor(s->count, m, l, scale);
    for (double ridge = 0; !good && ridge<10; ridge = ridge> 0 ? ridge * 100 : 1e-10) {
        in_log_alpha(s, false, m, g);
        for (int i = 0; i < s->count; i++) m[i][i] += ridge * m[i][i] + (ridge > 0 ? 1e-300 : 0);
        good = factor(s->count, m, l, scale);
    }
    memset(s->step, 0, sizeof s->step);
    if (!good) return 0;
    back_solve(s->count, l, scale, g, v);
    double most = s->free[0] == NS_ALPHA && fabs(v[0]) > 1 ? 1 / fabs(v[0]) : 1, fall = 0;
    for (int i = 0; i < s->count; i++) {
        s->step[s->free[i]] = -most * v[i];
        fall += most * v[i] * g[i];
    }
    return fall;
}

void ns_solver_move(const ns_solver *s, double length, double to[NS_PARAMETERS]) {
    memcpy(to, s->theta, sizeof s->theta);
    to[NS_ALPHA] =
        fmin(fmax(s->theta[NS_ALPHA] * exp(length * s->step[NS_ALPHA]), s->low), s->high);
    for (int k = NS_SCALE; k < NS_PARAMETERS; k++) to[k] += length * s->step[k];
}

/* The largest step relative to its parameter; d and b may be about zero, so they are compared with what matters beside them. */
double ns_solver_size(const ns_solver *s) {
    double scale = fabs(s->theta[NS_SCALE]), most = fabs(s->step[NS_ALPHA]);
    most = fmax(most, fabs(s->step[NS_SCALE]) / fmax(scale, 1e-300));
    most = fmax(most, fabs(s->step[NS_SHIFT]) / fmax(fabs(s->theta[NS_SHIFT]), 1e-2));
    return fmax(most, fabs(s->step[NS_OFFSET]) /
                          fmax(fmax(fabs(s->theta[NS_OFFSET]), 1e-2 * scale), 1e-300));
}

void ns_solver_finish(ns_solver *s, bool converged, const char *why) {
    s->done = true;
    s->converged = converged;
    s->stop = why;
}

void ns_solver_take(ns_solver *s, const ns_fit_sums *sums, const char *why) {
    memcpy(s->theta, s->trial, sizeof s->theta);
    s->sums = *sums;
    s->started = s->taken = true;
    s->steps = 1;
    ns_solver_finish(s, true, why);
}

bool ns_solver_is_free(const ns_solver *s, int parameter) {
    for (int i = 0; i < s->count; i++)
        if (s->free[i] == parameter) return true;
    return false;
}

void ns_solver_begin(ns_solver *s, const double theta[NS_PARAMETERS]) {
    memcpy(s->theta, theta, sizeof s->theta);
    memcpy(s->trial, theta, sizeof s->trial);
    s->started = s->done = s->converged = s->at_bound = s->placed = false;
    s->steps = 0;
    s->marked = INFINITY;
    s->stop = "not started";
}

enum { WATCH = 10, PATIENCE = 20 };

/* On data without an S, the lowest places are steps between two points that happened to fall well: each Newton step goes to a still
 * steeper curve that wins next to nothing, for ever. A fit with a minimum has found it long before. */
static bool crawls(ns_solver *s) {
    if (s->steps % WATCH) return false;
    double before = s->marked;
    s->marked = s->sums.rr;
    return s->steps > PATIENCE && before - s->marked < 1e-6 * s->marked;
}

static void accept(ns_solver *s, const ns_fit_sums *sums) {
    double last_step = s->step[NS_ALPHA], last = s->started ? s->sums.rr : INFINITY;
    memcpy(s->theta, s->trial, sizeof s->theta);
    s->sums = *sums;
    s->started = s->taken = true;
    double fall = ns_solver_step(s), size = ns_solver_size(s), log_step = s->step[NS_ALPHA],
           alpha = s->theta[NS_ALPHA];
    if ((alpha <= s->low && log_step < 0) || (alpha >= s->high && log_step > 0)) {
        s->at_bound = true;
        ns_solver_finish(s, true, "alpha at a bound");
    } else if (size <= NS_SETTLED) {
        ns_solver_move(s, 1, s->theta); /* the sums move by the square of the step: by nothing */
        ns_solver_finish(s, true, "parameters settled");
    } else if (s->steps > 0 && size <= 1e-6 &&
               fall <= (s->curve->has_corners ? 1e-13 : 4e-16) * sums->rr) {
        /* What is left to win is rounding, but the gradient still knows where the minimum is. */
        if (!s->curve->has_corners) ns_solver_move(s, 1, s->theta);
        ns_solver_finish(s, true, "sum of squares settled");
    } else if (s->curve->has_corners && size < 1e-4 && last - sums->rr <= 1e-12 * last) {
        ns_solver_finish(s, true, "lowest at a corner");
    } else if (crawls(s)) {
        ns_solver_finish(s, false, "the sum of squares hardly falls");
    } else if (s->steps >= s->most_steps) {
        ns_solver_finish(s, false, "too many steps");
    } else {
        s->steps++;
        /* To and fro over a kink: meet in the middle. */
        s->length = s->curve->has_corners && log_step * last_step < 0 &&
                            fabs(log_step) > 0.5 * fabs(last_step)
                        ? 0.5
                        : 1;
        ns_solver_move(s, s->length, s->trial);
    }
}

void ns_solver_feed(ns_solver *s, const ns_fit_sums *sums) {
    s->taken = false;
    if (!s->started || sums->rr <= s->sums.rr * (1 + 1e-14)) {
        accept(s, sums);
    } else if (s->curve->has_corners && s->length * ns_solver_size(s) < 1e-4 &&
               sums->rr <= s->sums.rr * (1 + 3e-10)) {
        /* A corner stands on data: the sum of squares has a kink there, and no step tells more. */
        ns_solver_finish(s, true, "lowest at a corner");
    } else if (s->length * ns_solver_size(s) < NS_SETTLED) {
        ns_solver_finish(s, true, "no lower sum of squares");
    } else {
        s->length /= s->length > 0.1 ? 2 : 8;
        ns_solver_move(s, s->length, s->trial);
    }
}

void ns_solver_relax(ns_solver *s) {
    int which[NS_PARAMETERS], n = 0;
    double m[NS_PARAMETERS][NS_PARAMETERS], inverse[NS_PARAMETERS][NS_PARAMETERS], most = 0;
    for (int i = 0; i < s->count; i++)
        if (s->free[i] == NS_SCALE || s->free[i] == NS_OFFSET) which[n++] = s->free[i];
    if (!n || !s->done || !s->at_bound || s->steps >= s->most_steps) return;
    ns_sums_matrix(&s->sums, which, n, false, m);
    if (!ns_invert(n, m, inverse)) return;
    memcpy(s->trial, s->theta, sizeof s->trial);
    for (int i = 0; i < n; i++) {
        double step = 0;
        for (int j = 0; j < n; j++) step -= inverse[i][j] * s->sums.jr[which[j]];
        s->trial[which[i]] += step;
        most = fmax(most, fabs(step) * sqrt(m[i][i]));
    }
    /* What is left to gain is rounding. */
    if (!(most * most > 1e-13 * s->sums.rr)) return;
    s->done = s->converged = s->at_bound = false;
    s->steps++;
}
