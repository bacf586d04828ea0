/* The three functions of probe/norms/kinds/dynamic.h for kinds that squash by tanh, and its kernels of them. For the files of this folder. */
#include "probe/base/rmath.h"

NS_INLINE ns_real f(ns_real u) {
    return ns_rtanh(u);
}

NS_INLINE ns_real slope(ns_real u, ns_real y) {
    (void)u;
    return 1 - y * y;
}

static double exact(double u) {
    return tanh(u);
}

#include "probe/norms/kinds/dynamic.h"
