/* The curve family: y = s f(alpha x + d) + b. One curve, one file in analysis/curves/, one row of the table in analysis/curve.c. */
#ifndef NS_CURVE_H
#define NS_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/base/api.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters of a model curve, in this order wherever they stand in an array. */
enum { NS_ALPHA, NS_SCALE, NS_SHIFT, NS_OFFSET, NS_PARAMETERS }; /* alpha, s, d, b */

/* Sums over points of the residual r = s f(alpha x + d) + b - y and its derivatives by the parameters, all weighted. Those that
 * belong to a parameter which the pass does not ask for are 0. */
typedef struct ns_fit_sums {
    double n;                 /* sum of weights */
    double rr;                /* r^2; with `huber` Huber's loss */
    double jr[NS_PARAMETERS]; /* J_k r */
    double jj[NS_PARAMETERS * (NS_PARAMETERS + 1) /
              2];           /* J_k J_l for l <= k: index k (k + 1) / 2 + l */
    double rh[5];           /* r times d2/(alpha alpha), (alpha s), (alpha d), (s d), (d d) */
    double tail_n, tail_rr; /* of the points with x < low or x > high */
} ns_fit_sums;

/* What a pass needs to know. */
typedef struct ns_pass {
    double theta[NS_PARAMETERS];
    bool shift, offset; /* sums for d and b are wanted; without, d and b must be 0 */
    double low, high;   /* limits of the tails */
    double huber;       /* residuals beyond it weigh huber/|r|; infinity: none do */
} ns_pass;

typedef struct ns_curve {
    const char *name;    /* "tanh" */
    const char *formula; /* of f */
    const char *source;
    const char *note; /* relation to what other people write, or NULL */
    double slope;     /* f'(0) */
    bool is_linear;   /* f(u) = u: alpha is then 1 and not free */
    bool has_corners; /* f' jumps: several local minima */
    /* f(u), and its first and second derivative where the pointers are not NULL. */
    double (*value)(double u, double *first, double *second);
    /* f[i] = f(alpha x[i] + d) for n points. */
    void (*values)(double alpha, double d, size_t n, const float *x, double *f);
    /* Adds the sums over n finite points; weights may be NULL (all 1). */
    void (*pass)(const ns_pass *pass, size_t n, const float *x, const float *y,
                 const double *weights, ns_fit_sums *sums);
} ns_curve;

NS_API extern const ns_curve *const ns_curves[];
NS_API extern const int ns_curve_count;

/* By name, or by an alias (sigmoid: 2 sigmoid(2u) - 1 is tanh u). NULL and NS_EUSAGE with the names that there are. */
NS_API const ns_curve *ns_curve_find(const char *name, ns_error *err);

/* Several, as "tanh,erf", or all of the table for "all", into out [most], *count of them. NS_EUSAGE: one that there is not, one named
 * twice, more than `most`. */
NS_API int ns_curves_choose(const ns_curve **out, int most, int *count, const char *text,
                            ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
