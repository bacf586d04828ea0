/* The fit from a sketch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "analysis/row_choice.h"
#include "probe/base/mem.h"

int ns_bins_of_sketch(ns_bins *out, const ns_sketch *sketch, int step, ns_error *err) {
    *out = (ns_bins){.points = sketch->counts.points,
                     .nonfinite = sketch->counts.nonfinite,
                     .padding = sketch->counts.padding,
                     .least = sketch->counts.points ? sketch->extent[0] : (double)NAN,
                     .most = sketch->counts.points ? sketch->extent[1] : (double)NAN};
    out->bins = ns_calloc(NS_SKETCH_BINS, sizeof *out->bins, err);
    if (!out->bins) return NS_EFAIL;
    for (int b = 0; b < NS_SKETCH_BINS; b += step) {
        ns_bin sum = {0};
        for (int k = b; k < b + step; k++) {
            const double *s = sketch->bins[k];
            sum.n += s[NS_BIN_N], sum.x += s[NS_BIN_X], sum.y += s[NS_BIN_Y];
            sum.xx += s[NS_BIN_XX], sum.xy += s[NS_BIN_XY], out->yy += s[NS_BIN_YY];
        }
        if (sum.n == 0) continue;
        out->bins[out->used++] = sum;
        ns_bin *t = &out->total;
        t->n += sum.n, t->x += sum.x, t->y += sum.y;
        t->xx += sum.xx, t->xy += sum.xy;
    }
    return NS_OK;
}

static int make_pseudo(ns_pseudo *out, const ns_bins *bins, ns_error *err) {
    size_t room = 2 * (size_t)bins->used + 1;
    *out = (ns_pseudo){.x = ns_alloc_aligned(room, sizeof *out->x, err),
                       .y = ns_alloc_aligned(room, sizeof *out->y, err),
                       .w = ns_alloc_aligned(room, sizeof *out->w, err)};
    if (!out->x || !out->y || !out->w) return NS_EFAIL;
    out->count = ns_bins_pseudo(bins, 1, out->x, out->y, out->w);
    return NS_OK;
}

static void free_pseudo(ns_pseudo *pseudo) {
    free(pseudo->x);
    free(pseudo->y);
    free(pseudo->w);
}

/* What the points scatter in y about the pseudo-points, whatever the curve: taken about the straight line, so that what lies near one keeps
 * its digits. */
static double scatter(const ns_bins *bins, const ns_pseudo *pseudo) {
    const ns_bin *t = &bins->total;
    double line = t->xx > 0 ? t->xy / t->xx : 0, kept = 0;
    for (size_t i = 0; i < pseudo->count; i++) {
        double r = (double)pseudo->y[i] - line * (double)pseudo->x[i];
        kept += pseudo->w[i] * r * r;
    }
    return fmax(bins->yy - line * t->xy - kept, 0);
}

static int fit_one(const ns_bins *bins, const ns_pseudo *pseudo, const ns_fit_options *o,
                   const ns_curve *curve, ns_fit *fit, ns_error *err) {
    ns_solver solver;
    ns_fit_blank(fit, curve, bins);
    ns_fit_free_parameters(&solver, curve, o);
    fit->from_sketch = true;
    const char *reason = ns_fit_hopeless(bins, solver.count);
    if (reason) {
        fit->degenerate = true;
        fit->reason = fit->stop = reason;
        return NS_OK;
    }
    int status = ns_search(&solver, pseudo, pseudo, bins, err);
    if (status) return status;
    ns_job job = {.curve = curve,
                  .sums = ns_pseudo_sums(curve, pseudo, solver.theta, ns_bins_quantile(bins, 0.01),
                                         ns_bins_quantile(bins, 0.99))};
    job.pass.low = ns_bins_quantile(bins, 0.01), job.pass.high = ns_bins_quantile(bins, 0.99);
    job.sums.rr += scatter(bins, pseudo);
    solver.sums = job.sums;
    const ns_fit_sums line = ns_fit_line_sums(bins);
    ns_fit_fill(fit, o, &solver, &job, &job.sums, &line);
    fit->tail_rmse = (double)NAN; /* the scatter is not known apart for the tails */
    return NS_OK;
}

/* The largest relative difference of what the fit is for. */
static double difference(const ns_fit *a, const ns_fit *b) {
    double most = fabs(a->slope - b->slope) / fabs(a->slope);
    for (int k = 0; k < NS_PARAMETERS; k++) {
        double scale = k == NS_SHIFT    ? fmax(fabs(a->theta[k]), 1)
                       : k == NS_OFFSET ? fmax(fabs(a->theta[k]), fabs(a->theta[NS_SCALE]))
                                        : fabs(a->theta[k]);
        if (a->free[k] && !(a->degenerate && k <= NS_SCALE))
            most = fmax(most, fabs(a->theta[k] - b->theta[k]) / scale);
    }
    return most;
}

/* What is of second order in the width of the bins grows sixteenfold when four are joined; half of what is then seen is thus more than
 * the error, with room for chance. */
enum { JOINED = 4 };
#define ROUNDING 1e-7 /* pseudo-points are floats */

int ns_fit_of_bins(const ns_bins *bins, const ns_fit_options *o, ns_fit *fits, ns_error *err) {
    ns_pseudo pseudo = {0};
    int status = make_pseudo(&pseudo, bins, err);
    for (int i = 0; i < o->curve_count && !status; i++)
        status = fit_one(bins, &pseudo, o, o->curves[i], &fits[i], err);
    free_pseudo(&pseudo);
    return status;
}

static int fit_sketch(const ns_sketch *sketch, const ns_fit_options *o, ns_fit *fits,
                      ns_error *err) {
    if (o->weighting != NS_WEIGH_POINTS)
        return ns_fail(err, NS_EUSAGE, "a sketch can be fitted with the weighting `points` alone");
    ns_bins fine = {0}, joined = {0};
    ns_pseudo of_fine = {0}, of_joined = {0};
    int status = ns_bins_of_sketch(&fine, sketch, 1, err);
    if (!status) status = ns_bins_of_sketch(&joined, sketch, JOINED, err);
    if (!status) status = make_pseudo(&of_fine, &fine, err);
    if (!status) status = make_pseudo(&of_joined, &joined, err);
    for (int i = 0; i < o->curve_count && !status; i++) {
        ns_fit coarse;
        status = fit_one(&fine, &of_fine, o, o->curves[i], &fits[i], err);
        if (!status) status = fit_one(&joined, &of_joined, o, o->curves[i], &coarse, err);
        if (status) break;
        /* Where in its bin a corner lies is not known. */
        fits[i].sketch_error = o->curves[i]->has_corners
                                   ? 1.0 / NS_SKETCH_PER_OCTAVE
                                   : fmax(difference(&fits[i], &coarse) / 2, ROUNDING);
    }
    free_pseudo(&of_fine);
    free_pseudo(&of_joined);
    ns_bins_free(&fine);
    ns_bins_free(&joined);
    return status;
}

int ns_fit_sketch(const ns_sketch *sketch, const ns_fit_options *o, ns_fit *fits, ns_error *err) {
    ns_sketch part = {0};
    bool all = !o->rows || !o->rows->count;
    int status = all ? NS_OK : ns_row_choice_of_sketch(&part, o->rows, sketch, err);
    if (!status) status = fit_sketch(all ? sketch : &part, o, fits, err);
    for (int i = 0; i < o->curve_count && !status && !all; i++)
        fits[i].left_out = sketch->counts.rows - part.counts.rows;
    if (!status && o->by_kind) status = ns_fit_kinds_of_sketch(sketch, o, fits, err);
    ns_sketch_free(&part);
    return status;
}
