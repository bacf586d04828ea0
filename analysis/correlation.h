/* Correlations of a few pairs, with what can be said of their uncertainty. */
#ifndef NS_CORRELATION_H
#define NS_CORRELATION_H

#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_correlation_kind {
    NS_PEARSON,
    NS_SPEARMAN, /* Pearson of the ranks; ties share the mean of their ranks */
    NS_LOG,      /* Pearson of the logarithms; unknown where a value is not positive */
    NS_PARTIAL, /* Pearson with z held fixed: (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)) */
    NS_CORRELATION_KINDS
} ns_correlation_kind;

/* What is not known is NaN: fewer than 3 pairs, values that are all the same, an interval of fewer than 4 (5 for NS_PARTIAL, 7 for NS_SPEARMAN). */
typedef struct ns_correlation {
    double r;
    /* 95 %, by Fisher's transform: tanh(atanh r -+ 1.96 se), se^2 = 1 / (n - 3), 1 / (n - 4) with one variable held fixed, and (1 + r^2 / 2) / (n - 3)
     * for ranks (Bonett and Wright, Psychometrika 65, 2000). */
    double low, high;
    /* 95 %, percentiles over resamples of the pairs (Efron 1979); resamples in which it is not defined are left out. */
    double boot_low, boot_high;
} ns_correlation;

/* Of x and y [n], z [n] for NS_PARTIAL alone (else it may be NULL). resamples 0: no bootstrap. The same seed, the same result. */
NS_API int ns_correlate(ns_correlation *out, ns_correlation_kind kind, int n, const double *x,
                        const double *y, const double *z, int resamples, uint64_t seed,
                        ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
