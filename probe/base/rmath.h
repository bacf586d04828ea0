/* exp, tanh, erf and sqrt of an ns_real, in loops that vectorise where it is a float. */
#ifndef NS_RMATH_H
#define NS_RMATH_H

#include <math.h>

#include "probe/base/real.h"
#include "probe/base/vmath.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef NS_REAL_DOUBLE
NS_INLINE ns_real ns_rexp(ns_real x) {
    return exp(x);
}
NS_INLINE ns_real ns_rtanh(ns_real x) {
    return tanh(x);
}
NS_INLINE ns_real ns_rerf(ns_real x) {
    return erf(x);
}
NS_INLINE ns_real ns_rsqrt(ns_real x) {
    return sqrt(x);
}
#else
NS_INLINE ns_real ns_rexp(ns_real x) {
    return ns_expf(x);
}
NS_INLINE ns_real ns_rtanh(ns_real x) {
    return ns_tanhf(x);
}
NS_INLINE ns_real ns_rerf(ns_real x) {
    return ns_erff(x);
}
NS_INLINE ns_real ns_rsqrt(ns_real x) {
    return sqrtf(x);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
