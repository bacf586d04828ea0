/* How the sums over all points change nearby, as the pseudo-points tell it. */
#include <math.h>
#include <string.h>

#include "analysis/fit_internal.h"

enum { MOST_STEPS = 12 };
#define SETTLED 1e-13

/* Beyond a step of this size the second derivatives of the difference, which nobody measured, could matter. */
#define FARTHEST 0.1

/* Exact sums at `from`, less those of the pseudo-points there, carried along to theta: the sum of squares with its slope. */
static ns_fit_sums moved(const ns_solver *s, const ns_pseudo *pseudo, const ns_fit_sums *difference,
                         const double *from, const double *theta, double low, double high) {
    ns_fit_sums sums = ns_pseudo_sums(s->curve, pseudo, theta, low, high);
    ns_sums_add(&sums, 1, difference);
    for (int i = 0; i < s->count; i++) {
        int k = s->free[i];
        sums.rr += 2 * difference->jr[k] * (theta[k] - from[k]);
    }
    return sums;
}

/* The Newton step that a second pass would find: what the matrix of `difference` makes of the way from `from` to the solver's
 * theta is missing in the gradient there. Relative, as ns_solver_size tells it; infinite where that cannot be said. */
static double missing(const ns_solver *s, const ns_fit_sums *difference, const double *from) {
    double matrix[NS_PARAMETERS][NS_PARAMETERS], inverse[NS_PARAMETERS][NS_PARAMETERS];
    double hessian[NS_PARAMETERS][NS_PARAMETERS];
    ns_solver there = *s;
    ns_sums_matrix(difference, s->free, s->count, true, matrix);
    ns_sums_matrix(&s->sums, s->free, s->count, true, hessian);
    if (!ns_invert(s->count, hessian, inverse)) return (double)INFINITY;
    memset(there.step, 0, sizeof there.step);
    for (int i = 0; i < s->count; i++)
        for (int j = 0; j < s->count; j++)
            for (int k = 0; k < s->count; k++)
                there.step[s->free[i]] +=
                    inverse[i][j] * matrix[j][k] * (s->theta[s->free[k]] - from[s->free[k]]);
    there.step[NS_ALPHA] /= s->theta[NS_ALPHA];
    return ns_solver_size(&there);
}

bool ns_model_settle(ns_solver *s, const ns_pseudo *pseudo, double low, double high,
                     double tolerance) {
    ns_solver model = *s;
    ns_fit_sums difference = s->sums, there = ns_pseudo_sums(s->curve, pseudo, s->theta, low, high);
    ns_sums_add(&difference, -1, &there);
    double size = INFINITY;
    for (int i = 0; i < MOST_STEPS && size > SETTLED; i++) {
        ns_solver_step(&model);
        double last = size;
        size = ns_solver_size(&model);
        if (!(size < last) || size > FARTHEST) break;
        ns_solver_move(&model, 1, model.theta);
        model.sums = moved(s, pseudo, &difference, s->theta, model.theta, low, high);
    }
    bool inside = model.theta[NS_ALPHA] > s->low && model.theta[NS_ALPHA] < s->high;
    if (!(size <= tolerance) || !(model.sums.rr <= s->sums.rr * (1 + 1e-14)) ||
        (!inside && s->free[0] == NS_ALPHA))
        return false;
    memcpy(s->trial, model.theta, sizeof s->trial);
    if (!(missing(&model, &difference, s->theta) <= tolerance)) return false;
    memcpy(s->theta, model.theta, sizeof s->theta);
    s->sums = model.sums;
    ns_solver_finish(s, true, "parameters settled");
    return true;
}

double ns_model_squares(const ns_solver *s, const ns_pseudo *pseudo, const ns_fit_sums *exact,
                        const double *from) {
    double matrix[NS_PARAMETERS][NS_PARAMETERS];
    ns_fit_sums difference = *exact,
                there = ns_pseudo_sums(s->curve, pseudo, from, -(double)INFINITY, (double)INFINITY);
    ns_sums_add(&difference, -1, &there);
    ns_sums_matrix(&difference, s->free, s->count, true, matrix);
    double rr = moved(s, pseudo, &difference, from, s->theta, 0, 0).rr;
    for (int i = 0; i < s->count; i++)
        for (int j = 0; j < s->count; j++)
            rr += (s->theta[s->free[i]] - from[s->free[i]]) * matrix[i][j] *
                  (s->theta[s->free[j]] - from[s->free[j]]);
    return rr;
}
