/* The safeguarded Newton method, and the search for its start. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"

#define MOST_STEPS 100
#define TOLERANCE  1e-10

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
    for (int i = 0; i < s->count; i++) g[i] = s->sums.jr[s->free[i]];
    if (s->free[0] != NS_ALPHA) return;
    for (int i = 0; i < s->count; i++) m[0][i] *= alpha, m[i][0] *= alpha;
    g[0] *= alpha;
    if (with_curvature) m[0][0] += g[0];
}

/* The step, from the full Hessian where that is positive definite, else Gauss-Newton's, with a ridge where even that fails. Returns
 * the fall of the sum of squares that the quadratic model promises. */
static double find_step(ns_solver *s) {
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

static void take(const ns_solver *s, double length, double *to) {
    memcpy(to, s->theta, sizeof s->theta);
    to[NS_ALPHA] =
        fmin(fmax(s->theta[NS_ALPHA] * exp(length * s->step[NS_ALPHA]), s->low), s->high);
    for (int k = NS_SCALE; k < NS_PARAMETERS; k++) to[k] += length * s->step[k];
}

/* The largest step relative to its parameter; d and b may be about zero, so they are compared with what matters beside them. */
static double relative_step(const ns_solver *s) {
    double scale = fabs(s->theta[NS_SCALE]), most = fabs(s->step[NS_ALPHA]);
    most = fmax(most, fabs(s->step[NS_SCALE]) / fmax(scale, 1e-300));
    most = fmax(most, fabs(s->step[NS_SHIFT]) / fmax(fabs(s->theta[NS_SHIFT]), 1e-2));
    return fmax(most, fabs(s->step[NS_OFFSET]) /
                          fmax(fmax(fabs(s->theta[NS_OFFSET]), 1e-2 * scale), 1e-300));
}

static void finish(ns_solver *s, bool converged, const char *why) {
    s->done = true;
    s->converged = converged;
    s->stop = why;
}

void ns_solver_begin(ns_solver *s, const double theta[NS_PARAMETERS]) {
    memcpy(s->theta, theta, sizeof s->theta);
    memcpy(s->trial, theta, sizeof s->trial);
    s->started = s->done = s->converged = s->at_bound = false;
    s->steps = 0;
    s->stop = "not started";
}

static void accept(ns_solver *s, const ns_fit_sums *sums) {
    double last_step = s->step[NS_ALPHA], last = s->started ? s->sums.rr : INFINITY;
    memcpy(s->theta, s->trial, sizeof s->theta);
    s->sums = *sums;
    s->started = true;
    double fall = find_step(s), size = relative_step(s), log_step = s->step[NS_ALPHA],
           alpha = s->theta[NS_ALPHA];
    if ((alpha <= s->low && log_step < 0) || (alpha >= s->high && log_step > 0)) {
        s->at_bound = true;
        finish(s, true, "alpha at a bound");
    } else if (size <= TOLERANCE) {
        take(s, 1, s->theta); /* the sums move by the square of the step: by nothing */
        finish(s, true, "parameters settled");
    } else if (size <= 1e-6 && fall <= (s->curve->has_corners ? 1e-13 : 4e-16) * sums->rr) {
        finish(s, true, "sum of squares settled");
    } else if (s->curve->has_corners && size < 1e-4 && last - sums->rr <= 1e-12 * last) {
        finish(s, true, "lowest at a corner");
    } else if (s->steps >= MOST_STEPS) {
        finish(s, false, "too many steps");
    } else {
        s->steps++;
        /* To and fro over a kink: meet in the middle. */
        s->length = s->curve->has_corners && log_step * last_step < 0 &&
                            fabs(log_step) > 0.5 * fabs(last_step)
                        ? 0.5
                        : 1;
        take(s, s->length, s->trial);
    }
}

void ns_solver_feed(ns_solver *s, const ns_fit_sums *sums) {
    if (!s->started || sums->rr <= s->sums.rr * (1 + 1e-14)) {
        accept(s, sums);
    } else if (s->curve->has_corners && s->length * relative_step(s) < 1e-4 &&
               sums->rr <= s->sums.rr * (1 + 3e-10)) {
        /* A corner stands on data: the sum of squares has a kink there, and no step tells more. */
        finish(s, true, "lowest at a corner");
    } else if (s->length * relative_step(s) < TOLERANCE) {
        finish(s, true, "no lower sum of squares");
    } else {
        s->length /= s->length > 0.1 ? 2 : 8;
        take(s, s->length, s->trial);
    }
}

static ns_fit_sums sums_at(const ns_solver *s, const ns_pseudo *pseudo, const double *theta) {
    ns_pass pass = {.low = -INFINITY, .high = INFINITY, .huber = INFINITY};
    memcpy(pass.theta, theta, sizeof pass.theta);
    ns_fit_sums sums = {0};
    s->curve->pass(&pass, pseudo->count, pseudo->x, pseudo->y, pseudo->w, &sums);
    return sums;
}

static bool is_free(const ns_solver *s, int parameter) {
    for (int i = 0; i < s->count; i++)
        if (s->free[i] == parameter) return true;
    return false;
}

/* Variable projection: with alpha and d given, s and b where they are free, and the sum of squares, from the sums at s = 1, b = 0. */
static double project(const ns_solver *s, const ns_pseudo *pseudo, double *theta) {
    double fixed = theta[NS_SCALE];
    bool scale = is_free(s, NS_SCALE), offset = is_free(s, NS_OFFSET);
    theta[NS_SCALE] = 1;
    theta[NS_OFFSET] = 0;
    ns_fit_sums at = sums_at(s, pseudo, theta);
    double ff = at.jj[2], f = at.jj[7], n = at.n, fy = ff - at.jr[NS_SCALE],
           y = f - at.jr[NS_OFFSET];
    double yy = at.rr - ff + 2 * fy, b = 0;
    if (scale) {
        double det = offset ? ff * n - f * f : 0;
        fixed = offset ? (det > 1e-12 * ff * n ? (fy * n - f * y) / det : 0) : ff > 0 ? fy / ff : 0;
    }
    if (offset) b = (y - fixed * f) / n;
    theta[NS_SCALE] = fixed;
    theta[NS_OFFSET] = b;
    return yy - 2 * fixed * fy - 2 * b * y + fixed * fixed * ff + 2 * fixed * b * f + b * b * n;
}

/* Golden-section search on ln alpha for curves with corners, where a Newton step knows only one side. */
static void narrow(const ns_solver *s, const ns_pseudo *pseudo, double *theta, double ratio) {
    const double golden = 0.6180339887498949;
    double a = log(theta[NS_ALPHA] / ratio), b = log(theta[NS_ALPHA] * ratio);
    double at[2] = {b - golden * (b - a), a + golden * (b - a)}, value[2];
    double work[2][NS_PARAMETERS];
    for (int k = 0; k < 2; k++) {
        memcpy(work[k], theta, sizeof work[k]);
        work[k][NS_ALPHA] = exp(at[k]);
        value[k] = project(s, pseudo, work[k]);
    }
    while (b - a > 1e-12) {
        int drop = value[0] < value[1] ? 1 : 0, keep = 1 - drop; /* the larger one goes */
        *(drop ? &b : &a) = at[drop];
        at[drop] = at[keep], value[drop] = value[keep];
        memcpy(work[drop], work[keep], sizeof work[drop]);
        at[keep] = drop ? b - golden * (b - a) : a + golden * (b - a);
        memcpy(work[keep], theta, sizeof work[keep]);
        work[keep][NS_ALPHA] = exp(at[keep]);
        value[keep] = project(s, pseudo, work[keep]);
        if (at[0] >= at[1]) break; /* rounding */
    }
    memcpy(theta, work[value[0] < value[1] ? 0 : 1], sizeof work[0]);
}

static void polish(ns_solver *s, const ns_pseudo *pseudo, double *theta, double ratio) {
    if (s->curve->has_corners && !is_free(s, NS_SHIFT)) narrow(s, pseudo, theta, ratio);
    ns_solver_begin(s, theta);
    while (!s->done) {
        ns_fit_sums sums = sums_at(s, pseudo, s->trial);
        ns_solver_feed(s, &sums);
    }
}

enum { SHIFTS = 13, PER_OCTAVE = 4, PER_OCTAVE_CORNERS = 24, DEEPEST = 4, MOST_ALPHAS = 2048 };

/* The scan along alpha at one d: polishes its deepest local minima, keeps the lowest in `best`. */
static void scan(ns_solver *s, const ns_pseudo *pseudo, double shift, const double *fixed,
                 double *alphas, double *values, int count, double ratio, ns_solver *best) {
    double theta[NS_PARAMETERS];
    for (int i = 0; i < count; i++) {
        memcpy(theta, fixed, sizeof theta);
        theta[NS_ALPHA] = alphas[i];
        theta[NS_SHIFT] = shift;
        values[i] = project(s, pseudo, theta);
    }
    double floor = -INFINITY;
    for (int turn = 0; turn < DEEPEST; turn++) { /* the next deepest minimum above `floor` */
        int at = -1;
        for (int i = 0; i < count; i++) {
            bool lowest =
                (!i || values[i] <= values[i - 1]) && (i == count - 1 || values[i] < values[i + 1]);
            if (lowest && values[i] > floor && (at < 0 || values[i] < values[at])) at = i;
        }
        if (at < 0) break;
        floor = values[at];
        memcpy(theta, fixed, sizeof theta);
        theta[NS_ALPHA] = alphas[at];
        theta[NS_SHIFT] = shift;
        project(s, pseudo, theta);
        polish(s, pseudo, theta, ratio);
        if (!best->started || s->sums.rr < best->sums.rr) *best = *s;
    }
}

void ns_search(ns_solver *s, const ns_pseudo *pseudo, const ns_bins *bins) {
    double fixed[NS_PARAMETERS], alphas[MOST_ALPHAS], values[MOST_ALPHAS];
    memcpy(fixed, s->theta, sizeof fixed);
    ns_solver best = *s;
    best.started = false;
    if (s->curve->is_linear) {
        project(s, pseudo, fixed);
        s->low = s->high = fixed[NS_ALPHA];
        polish(s, pseudo, fixed, 1);
        return;
    }
    double largest = fmax(fabs(bins->least), fabs(bins->most)),
           typical = sqrt(bins->total.xx / bins->total.n);
    s->low = 1e-4 / largest;
    s->high = fmax(1e5 / typical, 1e2 / largest);
    int per_octave = s->curve->has_corners ? PER_OCTAVE_CORNERS : PER_OCTAVE;
    while (log2(s->high / s->low) * per_octave >= MOST_ALPHAS) per_octave--;
    double ratio = exp2(1.0 / (per_octave > 0 ? per_octave : 1));
    int count = 0;
    for (double alpha = s->low; alpha <= s->high && count < MOST_ALPHAS; alpha *= ratio)
        alphas[count++] = alpha;
    int shifts = is_free(s, NS_SHIFT) ? SHIFTS : 1;
    for (int k = 0; k < shifts; k++)
        scan(s, pseudo, shifts > 1 ? 0.5 * (k - SHIFTS / 2) : fixed[NS_SHIFT], fixed, alphas,
             values, count, ratio, &best);
    *s = best;
}
