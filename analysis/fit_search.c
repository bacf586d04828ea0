/* The search for the lowest minimum, on pseudo-points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "probe/base/mem.h"

ns_fit_sums ns_pseudo_sums(const ns_solver *s, const ns_pseudo *pseudo, const double *theta) {
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
    ns_fit_sums at = ns_pseudo_sums(s, pseudo, theta);
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

/* Newton's method on the pseudo-points from theta on. */
static void settle(ns_solver *s, const ns_pseudo *pseudo, const double *theta) {
    ns_solver_begin(s, theta);
    while (!s->done) {
        ns_fit_sums sums = ns_pseudo_sums(s, pseudo, s->trial);
        ns_solver_feed(s, &sums);
    }
}

static void polish(ns_solver *s, const ns_pseudo *pseudo, double *theta, double ratio) {
    if (s->curve->has_corners && !is_free(s, NS_SHIFT)) narrow(s, pseudo, theta, ratio);
    settle(s, pseudo, theta);
}

/* Places where a corner may stand: the points themselves, in order. */
typedef struct knots {
    size_t count;
    const float *x; /* ascending */
} knots;

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* theta with the corner `side` (u = -1 or 1) at x; the other one stays where d is free, d stays where it is not. False where
 * that cannot be. */
static bool place_corner(const ns_solver *s, int side, double x, double *theta) {
    double alpha;
    if (is_free(s, NS_SHIFT)) {
        double other = (-side - theta[NS_SHIFT]) / theta[NS_ALPHA];
        alpha = 2 * side / (x - other);
        theta[NS_SHIFT] = side - alpha * x;
    } else {
        alpha = (side - theta[NS_SHIFT]) / x;
    }
    theta[NS_ALPHA] = alpha;
    return alpha >= s->low && alpha <= s->high;
}

enum { REACH = 16, ROUNDS = 20 };

/* Tries the knots about a corner, and the stationary point of every interval between two. True where `best` got lower. */
static bool move_corner(ns_solver *s, const ns_pseudo *pseudo, const knots *places, int side,
                        ns_solver *best) {
    double corner = (side - best->theta[NS_SHIFT]) / best->theta[NS_ALPHA], start = best->sums.rr;
    size_t at = 0;
    while (at < places->count && places->x[at] < corner) at++;
    size_t from = at > REACH ? at - REACH : 0,
           to = at + REACH < places->count ? at + REACH : places->count;
    ns_solver base = *best;
    for (size_t i = 2 * from; i + 1 < 2 * to;
         i++) { /* a knot, then the middle of it and the next */
        double x = 0.5 * ((double)places->x[i / 2] + (double)places->x[(i + 1) / 2]);
        double theta[NS_PARAMETERS];
        memcpy(theta, base.theta, sizeof theta);
        if (!place_corner(s, side, x, theta)) continue;
        project(s, pseudo, theta);
        settle(s, pseudo, theta);
        if (s->sums.rr < best->sums.rr) *best = *s;
    }
    return best->sums.rr < start * (1 - 1e-12);
}

/* With corners, the sum of squares has a minimum near every other point, and descent ends in the nearest. Where all points
 * are at hand, the corners are moved from point to point until no neighbour is lower. */
static void settle_corners(ns_solver *s, const ns_pseudo *pseudo, ns_solver *best) {
    float *x = ns_alloc_aligned(pseudo->count, sizeof *x, NULL);
    if (!x || !best->started) return;
    memcpy(x, pseudo->x, pseudo->count * sizeof *x);
    qsort(x, pseudo->count, sizeof *x, ascending);
    const knots places = {pseudo->count, x};
    bool lower = true;
    for (int round = 0; round < ROUNDS && lower; round++) {
        lower = move_corner(s, pseudo, &places, 1, best);
        lower |= move_corner(s, pseudo, &places, -1, best);
    }
    free(x);
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

/* The largest power of ten of u up to which nobody can tell f from its tangent at 0. */
static double straight_below(const ns_curve *curve) {
    double u = 1e-4;
    while (u > 1e-9 && fabs(curve->value(u, NULL, NULL) / (curve->slope * u) - 1) > 1e-8) u /= 10;
    return u;
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
    s->low = straight_below(s->curve) / largest;
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
    if (s->curve->has_corners && pseudo->exact) settle_corners(s, pseudo, &best);
    *s = best;
}
