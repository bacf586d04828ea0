/* What the files of the fit share: the solver, which is fed with sums, and the pass that makes them. */
#ifndef NS_FIT_INTERNAL_H
#define NS_FIT_INTERNAL_H

#include "analysis/bins.h"
#include "analysis/fit.h"

/* Newton's method turned inside out: `trial` is where sums are wanted next, ns_solver_feed takes them. So several curves share a pass. */
typedef struct ns_solver {
    const ns_curve *curve;
    int free[NS_PARAMETERS], count; /* indices of the free parameters */
    double low, high;               /* limits of alpha */
    double theta[NS_PARAMETERS], trial[NS_PARAMETERS];
    double step[NS_PARAMETERS]; /* from theta, in (ln alpha, s, d, b) */
    double length;              /* share of it that trial is away */
    ns_fit_sums sums;           /* at theta */
    int steps;
    bool started, done, converged, at_bound;
    const char *stop;
} ns_solver;

void ns_solver_begin(ns_solver *solver, const double theta[NS_PARAMETERS]);
/* The sums at solver->trial. Afterwards it is done, or trial is the next. */
void ns_solver_feed(ns_solver *solver, const ns_fit_sums *sums);

/* The matrices over the free parameters: half the Hessian (with_curvature) or J'J, [count][count]. */
void ns_sums_matrix(const ns_fit_sums *sums, const int *free, int count, bool with_curvature,
                    double out[NS_PARAMETERS][NS_PARAMETERS]);
/* Inverse of a symmetric positive definite matrix, scaled by its diagonal first. False where it is not. */
bool ns_invert(int count, double in[NS_PARAMETERS][NS_PARAMETERS],
               double out[NS_PARAMETERS][NS_PARAMETERS]);

/* Points with weights, on which a start is searched. */
typedef struct ns_pseudo {
    size_t count;
    float *x, *y;
    double *w;
    bool exact; /* they are the points themselves */
} ns_pseudo;

/* The lowest minimum over the pseudo-points: solver->theta and ->sums. solver->curve, free and the fixed parameters in
 * solver->theta are given; solver->low and high are set. scale_free: s is solved for. */
void ns_search(ns_solver *solver, const ns_pseudo *pseudo, const ns_bins *bins);

/* Sums over pseudo-points at theta. */
ns_fit_sums ns_pseudo_sums(const ns_solver *solver, const ns_pseudo *pseudo, const double *theta);

/* One curve in a pass. */
typedef struct ns_job {
    const ns_curve *curve;
    ns_pass pass;
    ns_fit_sums sums, held; /* of the samples in the fit, and of those left out */
    double meat[10];        /* sum over samples of g g', packed as jj */
    uint64_t samples;
} ns_job;

typedef struct ns_fit_pass {
    const ns_points *points;
    const ns_bins *bins;
    const double *density; /* [NS_DENSITY_BINS] weights, or NULL */
    bool held_out;
    uint64_t seed;
    ns_progress *progress;
} ns_fit_pass;

/* Sums of all jobs in one walk. */
int ns_fit_pass_run(const ns_fit_pass *pass, ns_job *jobs, int count, ns_error *err);

/* Points in each of the density's bins -> their weights, with the same total as one a point. */
int ns_density_weights(const ns_fit_pass *pass, double weights[NS_DENSITY_BINS], ns_error *err);
double ns_density_weight(const double *weights, double least, double most, double x);

/* The median of |r| over all points, to half a percent. */
int ns_residual_median(const ns_fit_pass *pass, const ns_curve *curve, const double *theta,
                       double *median, ns_error *err);

/* A fit of which nothing is known yet. */
void ns_fit_blank(ns_fit *fit, const ns_curve *curve, const ns_bins *bins);
/* Which parameters the options leave free for a curve. */
void ns_fit_free_parameters(ns_solver *solver, const ns_curve *curve,
                            const ns_fit_options *options);
/* Why nothing can be fitted, or NULL. */
const char *ns_fit_hopeless(const ns_bins *bins, int parameters);
/* The sums at s = 0 that the straight line needs, every point alike. */
ns_fit_sums ns_fit_line_sums(const ns_bin *total);
/* Everything that a fit tells, from the solver's end: the job's sums there, the plain sums of squares, and those of the line. */
void ns_fit_fill(ns_fit *fit, const ns_fit_options *options, const ns_solver *solver,
                 const ns_job *job, const ns_fit_sums *plain, const ns_fit_sums *line);

#endif
