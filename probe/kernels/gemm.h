/* Matrix products of ns_reals, row-major, by BLAS. */
#ifndef NS_NET_GEMM_H
#define NS_NET_GEMM_H

#include <cblas.h>
#include <stddef.h>

#include "probe/base/real.h"

/* c [m, n] (ldc values a row) = scale * op(a) op(b) + beta * c; op transposes where the flag is set. op(a) is [m, k], op(b)
 * [k, n]. */
static inline void ns_gemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k,
                           ns_real scale, const ns_real *a, size_t lda, const ns_real *b,
                           size_t ldb, ns_real beta, ns_real *c, size_t ldc) {
    CBLAS_TRANSPOSE ta = transpose_a ? CblasTrans : CblasNoTrans,
                    tb = transpose_b ? CblasTrans : CblasNoTrans;
#ifdef NS_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, scale, a, (int)lda, b, (int)ldb,
                beta, c, (int)ldc);
#else
    cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, scale, a, (int)lda, b, (int)ldb,
                beta, c, (int)ldc);
#endif
}

#endif
