/* Mean and central moments to the fourth order, gathered in pieces and merged (Chan, Golub, LeVeque 1979; Pebay, Sandia report
 * SAND2008-6212): no digits are lost where the mean is large beside the spread. */
#ifndef NS_MOMENTS_H
#define NS_MOMENTS_H

#include <stddef.h>

#include "probe/base/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n points, their mean, and sums of (x - mean)^k for k = 2, 3, 4. All zero: no points. */
typedef struct ns_moments {
    double n, mean, m2, m3, m4;
} ns_moments;

/* Of n values, in two passes over them; they should fit into the cache. NaN where one is. */
NS_API ns_moments ns_moments_of(const float *x, size_t n);
/* `to` then has the points of both. */
NS_API void ns_moments_merge(ns_moments *to, const ns_moments *from);

/* sqrt(m2 / n); NaN without points. */
NS_API double ns_moments_sigma(const ns_moments *moments);
/* 1/sigma, of all values or of one row, and the robust one, of the median absolute deviation: 1/(1.4826 MAD), which is 1/sigma of a
 * Gaussian (1.4826 = 1/Phi^-1(3/4)). Wherever 1/sigma is told, it is one of these. */
NS_API double ns_inverse_sigma(double sigma);
NS_API double ns_inverse_sigma_robust(double mad);
/* n m4 / m2^2 - 3: 0 for a Gaussian. NaN where all values are the same. */
NS_API double ns_moments_excess_kurtosis(const ns_moments *moments);
/* sqrt(n) m3 / m2^1.5. */
NS_API double ns_moments_skewness(const ns_moments *moments);

#ifdef __cplusplus
}
#endif
#endif
