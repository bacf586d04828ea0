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
    int steps, most_steps;      /* taken, and at most */
    double marked;              /* the sum of squares some steps ago, see crawls() */
    bool started, done, converged, at_bound;
    bool taken;  /* the last trial became theta */
    bool placed; /* its corners are where they should be: sums at trial are all that is missing */
    const char *stop;
} ns_solver;

bool ns_solver_is_free(const ns_solver *solver, int parameter);
void ns_solver_begin(ns_solver *solver, const double theta[NS_PARAMETERS]);
/* The sums at solver->trial. Afterwards it is done, or trial is the next. */
void ns_solver_feed(ns_solver *solver, const ns_fit_sums *sums);

/* The Newton step from solver->theta with the sums there, into ->step; returns the fall of the sum of squares that it promises. */
double ns_solver_step(ns_solver *solver);
/* The largest part of ->step relative to its parameter. */
double ns_solver_size(const ns_solver *solver);
/* theta, moved by `length` of ->step and held to the limits of alpha. */
void ns_solver_move(const ns_solver *solver, double length, double to[NS_PARAMETERS]);
/* Of one that ended with alpha at a bound: where s and b, in which the curve is linear, are not the best for that alpha, it goes on to
 * there. Not for a robust weighting, whose sums are no squares. */
void ns_solver_relax(ns_solver *solver);
/* Takes the trial with its sums, and ends. */
void ns_solver_take(ns_solver *solver, const ns_fit_sums *sums, const char *why);
void ns_solver_finish(ns_solver *solver, bool converged, const char *why);

/* The matrices over the free parameters: half the Hessian (with_curvature) or J'J, [count][count]. */
void ns_sums_matrix(const ns_fit_sums *sums, const int *free, int count, bool with_curvature,
                    double out[NS_PARAMETERS][NS_PARAMETERS]);
/* Inverse of a symmetric positive definite matrix, scaled by its diagonal first. False where it is not. */
bool ns_invert(int count, double in[NS_PARAMETERS][NS_PARAMETERS],
               double out[NS_PARAMETERS][NS_PARAMETERS]);

/* to += factor * from. */
void ns_sums_add(ns_fit_sums *to, double factor, const ns_fit_sums *from);

/* Points with weights that stand for all points: what a start is searched on, and what tells how sums change nearby. */
typedef struct ns_pseudo {
    size_t count;
    float *x, *y;
    double *w;
    bool exact; /* they are the points themselves */
} ns_pseudo;

/* Sums over pseudo-points at theta, of all parameters; tails beyond low and high. */
ns_fit_sums ns_pseudo_sums(const ns_curve *curve, const ns_pseudo *pseudo, const double *theta,
                           double low, double high);

/* The lowest minimum over the pseudo-points: solver->theta and ->sums. solver->curve, free and the fixed parameters in
 * solver->theta are given; solver->low and high are set. coarse: fewer pseudo-points, on which minima are looked for first. */
int ns_search(ns_solver *solver, const ns_pseudo *pseudo, const ns_pseudo *coarse,
              const ns_bins *bins, ns_error *err);

/* See analysis/fit.h, step 2. The solver has been fed with exact sums and wants to go on. True: it is done, theta and sums have moved
 * to the minimum, without another pass. False: it goes on, from a better trial where there is one. */
bool ns_model_settle(ns_solver *solver, const ns_pseudo *pseudo, double low, double high,
                     double tolerance);

/* The sum of squares at solver->theta of points whose exact sums at `from` are given and for which pseudo stands. */
double ns_model_squares(const ns_solver *solver, const ns_pseudo *pseudo, const ns_fit_sums *exact,
                        const double *from);

/* Parameters move by less than this, relative, when a fit has settled. */
#define NS_SETTLED 1e-10

/* One curve in a pass. */
typedef struct ns_job {
    const ns_curve *curve;
    ns_pass pass;
    ns_fit_sums sums, held;          /* of all samples, and of those held out */
    double meat[10];                 /* sum over samples of g g', packed as jj */
    double drift[NS_PARAMETERS][10]; /* its derivatives by the parameters */
    uint64_t samples;
} ns_job;

typedef struct ns_fit_pass {
    const ns_points *points;
    const ns_bins *bins;
    const double *density; /* [NS_DENSITY_BINS] weights, or NULL */
    bool held_out;         /* tell the sums of the samples held out too */
    uint64_t seed;
    ns_progress *progress;
} ns_fit_pass;

/* Sums of all jobs in one walk. */
int ns_fit_pass_run(const ns_fit_pass *pass, ns_job *jobs, int count, ns_error *err);

/* The surroundings of a curve's corners, for points that count alike; see analysis/fit_corners.c. */
typedef struct ns_corners ns_corners;
/* About the corners at solver->theta. parts: NS_PARTS where samples are held out, else 1. NULL on failure. */
ns_corners *ns_corners_new(const ns_solver *solver, int parts, ns_error *err);
void ns_corners_free(ns_corners *corners);
/* Fills all of them in one walk. */
int ns_corners_walk(const ns_fit_pass *pass, ns_corners *const *corners, int count, ns_error *err);
/* The lowest place of the corners near those at solver->theta, into solver->trial. part: of the samples, -1 for all; bins: theirs. False
 * where it is not in the surroundings. */
bool ns_corners_place(const ns_corners *corners, int part, const ns_bins *bins, ns_solver *solver);
/* The sum of squares at theta. */
double ns_corners_squares(const ns_corners *corners, int part, const ns_bins *bins,
                          const ns_solver *solver, const double *theta);

/* Points in each of the density's bins -> their weights, with the same total as one a point. */
int ns_density_weights(const ns_fit_pass *pass, double weights[NS_DENSITY_BINS], ns_error *err);
double ns_density_weight(const double *weights, double least, double most, double x);

/* The bins of pass->points, each point with its weight of pass->density, in one walk: their counts and sums alone. ns_bins_free of them
 * afterwards, also after a failure. */
int ns_density_bins(ns_bins *out, const ns_fit_pass *pass, ns_error *err);

/* The medians of |r| over all points for each curve at its theta, to half a percent, in one walk. */
int ns_residual_medians(const ns_fit_pass *pass, const ns_solver *solvers, int count,
                        double *medians, ns_error *err);

/* Every curve of the options on pseudo-points of the bins alone: parameters and S-index to about 1e-6, no clustered errors. Every point
 * alike. */
int ns_fit_of_bins(const ns_bins *bins, const ns_fit_options *options, ns_fit *fits, ns_error *err);
/* The S-indices of the sets of rows of fits [curve_count], see ns_fit.s_index_of (analysis/fit_kinds.c). */
int ns_fit_kinds_of_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
                           ns_error *err);
int ns_fit_kinds_of_sketch(const ns_sketch *sketch, const ns_fit_options *options, ns_fit *fits,
                           ns_error *err);

/* A fit of which nothing is known yet. */
void ns_fit_blank(ns_fit *fit, const ns_curve *curve, const ns_bins *bins);
/* Which parameters the options leave free for a curve. */
void ns_fit_free_parameters(ns_solver *solver, const ns_curve *curve,
                            const ns_fit_options *options);
/* Why nothing can be fitted, or NULL. */
const char *ns_fit_hopeless(const ns_bins *bins, int parameters);
/* The sums at s = 0 that the straight line needs, every point alike. */
ns_fit_sums ns_fit_line_sums(const ns_bins *bins);
/* Everything that a fit tells, from the solver's end: the job's sums there, the plain sums of squares, and those of the line. */
void ns_fit_fill(ns_fit *fit, const ns_fit_options *options, const ns_solver *solver,
                 const ns_job *job, const ns_fit_sums *plain, const ns_fit_sums *line);

#endif
