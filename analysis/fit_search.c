/* The search for the lowest minimum, on pseudo-points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "probe/base/mem.h"
#include "probe/base/order.h"
#include "probe/base/simd.h"

ns_fit_sums ns_pseudo_sums(const ns_curve *curve, const ns_pseudo *pseudo, const double *theta,
                           double low, double high) {
    ns_pass pass = {
        .shift = true, .offset = true, .low = low, .high = high, .huber = (double)INFINITY};
    memcpy(pass.theta, theta, sizeof pass.theta);
    ns_fit_sums sums = {0};
    curve->pass(&pass, pseudo->count, pseudo->x, pseudo->y, pseudo->w, &sums);
    return sums;
}

/* Where a minimum is looked for: the points, and what of their sums does not depend on the curve. */
typedef struct ground {
    const ns_pseudo *pseudo;
    double *f; /* [count] */
    double n, y, yy;
} ground;

static int ground_make(ground *g, const ns_pseudo *pseudo, ns_error *err) {
    *g = (ground){.pseudo = pseudo, .f = ns_alloc_aligned(pseudo->count, sizeof *g->f, err)};
    for (size_t i = 0; i < pseudo->count; i++) {
        double w = pseudo->w[i], y = (double)pseudo->y[i];
        g->n += w, g->y += w * y, g->yy += w * y * y;
    }
    return g->f ? NS_OK : NS_EFAIL;
}

NS_CLONES
static void project_sums(size_t n, const double *f, const float *y, const double *w, double *ff,
                         double *f1, double *fy) {
    double squares = 0, sum = 0, products = 0;
#pragma omp simd reduction(+ : squares, sum, products)
    for (size_t i = 0; i < n; i++) {
        double wf = w[i] * f[i];
        squares += wf * f[i], sum += wf, products += wf * (double)y[i];
    }
    *ff = squares, *f1 = sum, *fy = products;
}

/* Variable projection: with alpha and d given, s and b where they are free, and the sum of squares. */
static double project(const ns_solver *s, const ground *g, double *theta) {
    double scale = theta[NS_SCALE], b = 0, n = g->n, y = g->y, ff, f, fy;
    bool offset = ns_solver_is_free(s, NS_OFFSET);
    s->curve->values(theta[NS_ALPHA], theta[NS_SHIFT], g->pseudo->count, g->pseudo->x, g->f);
    project_sums(g->pseudo->count, g->f, g->pseudo->y, g->pseudo->w, &ff, &f, &fy);
    if (ns_solver_is_free(s, NS_SCALE)) {
        double det = offset ? ff * n - f * f : 0;
        scale = offset ? (det > 1e-12 * ff * n ? (fy * n - f * y) / det : 0) : ff > 0 ? fy / ff : 0;
    }
    if (offset) b = (y - scale * f) / n;
    theta[NS_SCALE] = scale;
    theta[NS_OFFSET] = b;
    return g->yy - 2 * scale * fy - 2 * b * y + scale * scale * ff + 2 * scale * b * f + b * b * n;
}

/* Golden-section search on ln alpha for curves with corners, where a Newton step knows only one side. */
static void narrow(const ns_solver *s, const ground *g, double *theta, double ratio) {
    const double golden = 0.6180339887498949;
    double a = log(theta[NS_ALPHA] / ratio), b = log(theta[NS_ALPHA] * ratio);
    double at[2] = {b - golden * (b - a), a + golden * (b - a)}, value[2];
    double work[2][NS_PARAMETERS];
    for (int k = 0; k < 2; k++) {
        memcpy(work[k], theta, sizeof work[k]);
        work[k][NS_ALPHA] = exp(at[k]);
        value[k] = project(s, g, work[k]);
    }
    while (b - a > 1e-12) {
        int drop = value[0] < value[1] ? 1 : 0, keep = 1 - drop; /* the larger one goes */
        *(drop ? &b : &a) = at[drop];
        at[drop] = at[keep], value[drop] = value[keep];
        memcpy(work[drop], work[keep], sizeof work[drop]);
        at[keep] = drop ? b - golden * (b - a) : a + golden * (b - a);
        memcpy(work[keep], theta, sizeof work[keep]);
        work[keep][NS_ALPHA] = exp(at[keep]);
        value[keep] = project(s, g, work[keep]);
        if (at[0] >= at[1]) break; /* rounding */
    }
    memcpy(theta, work[value[0] < value[1] ? 0 : 1], sizeof work[0]);
}

/* Newton's method on the pseudo-points from theta on. */
static void settle(ns_solver *s, const ns_pseudo *pseudo, const double *theta) {
    ns_solver_begin(s, theta);
    while (!s->done) {
        ns_fit_sums sums =
            ns_pseudo_sums(s->curve, pseudo, s->trial, -(double)INFINITY, (double)INFINITY);
        ns_solver_feed(s, &sums);
    }
}

static void polish(ns_solver *s, const ground *g, double *theta, double ratio) {
    if (s->curve->has_corners && !ns_solver_is_free(s, NS_SHIFT)) narrow(s, g, theta, ratio);
    settle(s, g->pseudo, theta);
}

/* Places where a corner may stand: the points themselves, in order. */
typedef struct knots {
    size_t count;
    const float *x; /* ascending */
} knots;

static int ascending(const void *a, const void *b) {
    return ns_compare((double)*(const float *)a, (double)*(const float *)b);
}

/* theta with the corner `side` (u = -1 or 1) at x; the other one stays where d is free, d stays where it is not. False where
 * that cannot be. */
static bool place_corner(const ns_solver *s, int side, double x, double *theta) {
    double alpha;
    if (ns_solver_is_free(s, NS_SHIFT)) {
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
static bool move_corner(ns_solver *s, const ground *g, const knots *places, int side,
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
        project(s, g, theta);
        settle(s, g->pseudo, theta);
        if (s->sums.rr < best->sums.rr) *best = *s;
    }
    return best->sums.rr < start * (1 - 1e-12);
}

/* With corners, the sum of squares has a minimum near every other point, and descent ends in the nearest. Where all points
 * are at hand, the corners are moved from point to point until no neighbour is lower. */
static void settle_corners(ns_solver *s, const ground *g, ns_solver *best) {
    const ns_pseudo *pseudo = g->pseudo;
    float *x = ns_alloc_aligned(pseudo->count, sizeof *x, NULL);
    if (!x || !best->started) return;
    memcpy(x, pseudo->x, pseudo->count * sizeof *x);
    qsort(x, pseudo->count, sizeof *x, ascending);
    const knots places = {pseudo->count, x};
    bool lower = true;
    for (int round = 0; round < ROUNDS && lower; round++) {
        lower = move_corner(s, g, &places, 1, best);
        lower |= move_corner(s, g, &places, -1, best);
    }
    free(x);
}

enum {
    SHIFTS = 13,
    MIDDLE_SHIFT = 6,
    PER_OCTAVE = 4,
    PER_OCTAVE_CORNERS = 24,
    DEEPEST = 4,
    ROUGH_STEPS = 20,
    MOST_ALPHAS = 2048
};

/* The lowest minima so far, by rising sum of squares. */
enum { CANDIDATES = 3 };
typedef struct minima {
    ns_solver at[CANDIDATES];
    int count;
} minima;

static void note_minimum(minima *m, const ns_solver *s) {
    int at = m->count;
    while (at > 0 && s->sums.rr < m->at[at - 1].sums.rr) at--;
    if (at > 0 && s->sums.rr <= m->at[at - 1].sums.rr * (1 + 1e-9)) return; /* the same again */
    if (m->count < CANDIDATES) m->count++;
    if (at >= m->count) return;
    memmove(&m->at[at + 1], &m->at[at], (size_t)(m->count - 1 - at) * sizeof m->at[0]);
    m->at[at] = *s;
}

/* One search. */
typedef struct search {
    ground fine, coarse;
    double fixed[NS_PARAMETERS]; /* theta with the parameters that are not free */
    double alphas[MOST_ALPHAS], values[MOST_ALPHAS];
    int count; /* of them */
    double ratio;
    minima found; /* over the coarse pseudo-points */
} search;

/* The scan along alpha at one d: its deepest local minima are polished. */
static void scan(search *q, ns_solver *s, double shift) {
    double theta[NS_PARAMETERS], *values = q->values;
    int count = q->count;
    for (int i = 0; i < count; i++) {
        memcpy(theta, q->fixed, sizeof theta);
        theta[NS_ALPHA] = q->alphas[i];
        theta[NS_SHIFT] = shift;
        values[i] = project(s, &q->coarse, theta);
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
        memcpy(theta, q->fixed, sizeof theta);
        theta[NS_ALPHA] = q->alphas[at];
        theta[NS_SHIFT] = shift;
        project(s, &q->coarse, theta);
        polish(s, &q->coarse, theta, q->ratio);
        note_minimum(&q->found, s);
    }
}

/* The lowest minimum over all pseudo-points, of those found. */
static void choose(search *q, ns_solver *s, ns_solver *best) {
    for (int i = 0; i < q->found.count; i++) {
        double theta[NS_PARAMETERS];
        memcpy(theta, q->found.at[i].theta, sizeof theta);
        if (q->fine.pseudo == q->coarse.pseudo)
            *s = q->found.at[i];
        else
            polish(s, &q->fine, theta, q->ratio);
        if (!best->started || s->sums.rr < best->sums.rr) *best = *s;
    }
}

/* The largest power of ten of u up to which nobody can tell f from its tangent at 0. */
static double straight_below(const ns_curve *curve) {
    double u = 1e-4;
    while (u > 1e-9 && fabs(curve->value(u, NULL, NULL) / (curve->slope * u) - 1) > 1e-8) u /= 10;
    return u;
}

/* The grid of alpha, between limits beyond which the curve is a line or a step. */
static void make_grid(search *q, ns_solver *s, const ns_bins *bins) {
    double largest = fmax(fabs(bins->least), fabs(bins->most)),
           typical = sqrt(bins->total.xx / bins->total.n);
    s->low = straight_below(s->curve) / largest;
    s->high = fmax(1e5 / typical, 1e2 / largest);
    int per_octave = s->curve->has_corners ? PER_OCTAVE_CORNERS : PER_OCTAVE;
    while (log2(s->high / s->low) * per_octave >= MOST_ALPHAS) per_octave--;
    q->ratio = exp2(1.0 / (per_octave > 0 ? per_octave : 1));
    for (double alpha = s->low; alpha <= s->high && q->count < MOST_ALPHAS; alpha *= q->ratio)
        q->alphas[q->count++] = alpha;
}

static void search_all(search *q, ns_solver *s, const ns_bins *bins) {
    ns_solver best = *s;
    best.started = false;
    bool rough = q->fine.pseudo != q->coarse.pseudo;
    memcpy(q->fixed, s->theta, sizeof q->fixed);
    if (s->curve->is_linear) {
        project(s, &q->fine, q->fixed);
        s->low = s->high = q->fixed[NS_ALPHA];
        polish(s, &q->fine, q->fixed, 1);
        return;
    }
    make_grid(q, s, bins);
    best.low = s->low, best.high = s->high;
    if (rough) s->most_steps = ROUGH_STEPS;
    int shifts = ns_solver_is_free(s, NS_SHIFT) ? SHIFTS : 1;
    for (int k = 0; k < shifts; k++)
        scan(q, s, shifts > 1 ? 0.5 * (k - MIDDLE_SHIFT) : q->fixed[NS_SHIFT]);
    s->most_steps = best.most_steps;
    choose(q, s, &best);
    if (s->curve->has_corners && q->fine.pseudo->exact) settle_corners(s, &q->fine, &best);
    *s = best;
}

int ns_search(ns_solver *s, const ns_pseudo *pseudo, const ns_pseudo *coarse, const ns_bins *bins,
              ns_error *err) {
    search *q = ns_calloc(1, sizeof *q, err);
    int status = q ? ground_make(&q->fine, pseudo, err) : NS_EFAIL;
    if (!status) status = ground_make(&q->coarse, coarse, err);
    if (!status) search_all(q, s, bins);
    if (q) {
        free(q->fine.f);
        free(q->coarse.f);
    }
    free(q);
    return status;
}
