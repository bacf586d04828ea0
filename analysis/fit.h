/* Fits y = s f(alpha x + d) + b to all points of a site by least squares: exact, streamed, as a rule in two walks.
 *
 * 1. The first walk bins x (analysis/bins.h). The start is searched on two pseudo-points a bin: alpha on a grid of ten decades, the
 *    linear parameters solved for (variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973), every local minimum
 *    polished, the lowest taken.
 * 2. The second walk sums squares, gradient, Hessian and clustered gradients over all points at that start, p, in double. Nearby,
 *    the sums are those plus what the pseudo-points' sums change by: exact at p, and their error grows with the distance alone.
 *    Newton's method with the full Hessian in (ln alpha, s, d, b) goes on with these from p to q, where its step is below 1e-10
 *    of each parameter. What they do not tell of the gradient at q is, to first order, (H - h)(q - p) with H the Hessian over all
 *    points at p and h that over the pseudo-points. The fit ends at q if the Newton step that this would cause, H^-1 (H - h)(q - p),
 *    is below 1e-10 of each parameter too (d and b: of what matters beside them), if no step on the way was longer than a tenth,
 *    and if the sum of squares fell; the gradients of samples are carried from p to q by the samples' own Hessians. Otherwise
 *    another walk is made at q, and so on; with a corner in f or a robust weighting it is Newton's method on walks alone, |step of
 *    ln alpha| <= 1, halved until the sum of squares falls.
 * 3. Standard errors, twice. Nominal: s^2 (J'J)^-1. Clustered by sample: H^-1 (sum over samples of g g') H^-1 G / (G - 1), with
 *    the full Hessian H and g the sample's gradient (White, Econometrica 50, 1982; Liang and Zeger, Biometrika 73, 1986): points of
 *    one sample are not independent and the curve is not the truth, so the nominal ones are far too small.
 * 4. Samples held out: the bins are kept for them and for the others apart, and so are the sums of the second walk; the fit to the
 *    others, and its error on those held out, then follow as in 2, without a walk of their own (to 1e-7 of each parameter).
 *
 * Several curves share the walks. Memory: 3 MiB for each thread, whatever the number of points. The same points and number of threads
 * give the same bits. */
#ifndef NS_FIT_H
#define NS_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "analysis/curve.h"
#include "analysis/points.h"
#include "analysis/row_choice.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"
#include "probe/sketch/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_weighting {
    NS_WEIGH_POINTS, /* every point alike */
    NS_WEIGH_DENSITY, /* every occupied one of NS_DENSITY_BINS equal bins between the least and the largest x alike */
    NS_WEIGH_HUBER /* every point alike, residuals beyond 1.345 robust sigmas of the least-squares fit's count by size */
} ns_weighting;
#define NS_WEIGHTINGS   "points|density|huber"
#define NS_DENSITY_BINS 512

/* Sets of rows whose S-index is told beside that of all rows, since one token can make all of it: what --rows chooses under these names. */
enum {
    NS_ROWS_NOT_FIRST, /* all but position 0 */
    NS_ROWS_FIRST,
    NS_ROWS_CLASS,
    NS_ROWS_REGISTER,
    NS_ROWS_WORD,
    NS_ROWS_PATCH,
    NS_ROWS_KINDS
};
NS_API extern const char *const ns_rows_kind_names[NS_ROWS_KINDS]; /* "not first" */
/* The S of all rows rests on position 0 where the two S-indices are further apart. */
#define NS_S_RESTS 0.1

typedef struct ns_fit_options {
    const ns_curve *const *curves; /* [curve_count] */
    int curve_count;
    bool scale_fixed; /* s is not free but `scale` */
    double scale;
    bool shift, offset; /* d and b are free; else 0 */
    ns_weighting weighting;
    bool held_out;             /* also fit nine tenths of the samples and judge by the others */
    uint64_t seed;             /* of the choice of the tenth */
    const ns_row_choice *rows; /* that count, borrowed; NULL: all */
    bool by_kind;              /* tell s_index_of too; weighting points alone */
    ns_progress *progress;     /* or NULL */
} ns_fit_options;

/* What is not known is NaN. Arrays are in the order NS_ALPHA, NS_SCALE, NS_SHIFT, NS_OFFSET; x and y stand for their units. */
typedef struct ns_fit {
    const ns_curve *curve;
    double theta[NS_PARAMETERS]; /* 1/x, y, 1, y; for the line alpha is 1 and s its slope */
    bool free[NS_PARAMETERS];
    double nominal[NS_PARAMETERS]; /* standard errors; NaN for what is not free */
    double clustered[NS_PARAMETERS];
    double slope, slope_nominal, slope_clustered; /* dy/dx at the centre, s alpha f'(0), y/x */
    double correlation;                           /* of s and alpha */
    double sse; /* weighted sum of squares; for huber the sum of squares too, not the loss */
    double sst; /* about the mean of y, weighted */
    double r2,
        r2_linear;  /* of the curve and of the line, which has an offset where the curve has one */
    double s_index; /* (r2 - r2_linear) / (1 - r2_linear) */
    /* The same of a fit to these rows alone, to 1e-6, with by_kind; NaN where there are none, or where the set is what counts anyway. */
    double s_index_of[NS_ROWS_KINDS];
    double rmse,
        tail_rmse; /* y; the tails are the points below the 1st or above the 99th percentile of x */
    double aic;    /* n ln(sse / n) + 2 (parameters + 1); weighting points alone */
    double
        held_out_rmse; /* y, on the tenth of the samples that was left out of a fit to the others */
    double huber;      /* threshold, y */
    bool from_sketch;  /* of the bins of a sketch; see ns_fit_sketch */
    double sketch_error; /* how far a parameter or the slope may then be off, relative to it */
    uint64_t points, nonfinite, padding; /* used; left out; rows left out */
    uint64_t left_out; /* rows that options->rows does not take, without padding */
    uint64_t samples;  /* clusters; 0 where the points do not know their sample */
    int iterations;    /* Newton steps from sums over all points */
    bool converged;
    const char *stop; /* why it ended */
    bool
        only_slope; /* degenerate in that only the slope is determined; alpha, s, d and b mean nothing */
    bool degenerate;
    const char *reason; /* why; "" where it is not */
} ns_fit;

/* Fits every curve of the options at once: fits [curve_count]. Points that are not finite are counted and left out; data that
 * cannot tell the parameters give a degenerate fit, not an error. Rows of one sample must stand together, as in a store. */
NS_API int ns_fit_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
                         ns_error *err);

/* Whether the S of all rows is another without position 0: by more than NS_S_RESTS. */
NS_API bool ns_fit_rests_on_first(const ns_fit *fit);

/* The same from a sketch's bins: the search and Newton's method run on pseudo-points that have each bin's sums (see ns_bins_pseudo), so that
 * smooth curves agree with the fit to the points to about 1e-6; curves with corners, whose corner lies within a bin, to about 1e-2.
 * sketch_error is half of the largest relative change of a free parameter or the slope when bins are joined in fours, which lets what is
 * of second order in their width grow sixteenfold. Unknown: clustered standard errors,
 * held_out_rmse. Weightings other than by points are NS_EUSAGE. */
NS_API int ns_fit_sketch(const ns_sketch *sketch, const ns_fit_options *options, ns_fit *fits,
                         ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
