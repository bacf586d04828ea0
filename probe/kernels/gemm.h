/* Matrix products of ns_reals, row-major, by BLAS. */
#ifndef NS_KERNELS_GEMM_H
#define NS_KERNELS_GEMM_H

#include <cblas.h>
#include <stdbool.h>
#include <stddef.h>

#include "probe/base/real.h"

/* c [m, n] = scale * op(a) op(b), or, where it adds, c +=. op(a) is [m, k] and op(b) [k, n]; op transposes what is turned. lda, ldb and
 * ldc are values from row to row. */
typedef struct ns_product {
    size_t m, n, k;
    const ns_real *a, *b;
    size_t lda, ldb;
    bool turn_a, turn_b;
    ns_real *c;
    size_t ldc;
    bool adds;
    ns_real scale; /* 0 stands for 1 */
} ns_product;

static inline void ns_multiply(ns_product p) {
    const CBLAS_TRANSPOSE ta = p.turn_a ? CblasTrans : CblasNoTrans,
                          tb = p.turn_b ? CblasTrans : CblasNoTrans;
    const ns_real scale = p.scale != 0 ? p.scale : 1, beta = p.adds ? 1 : 0;
    const int m = (int)p.m, n = (int)p.n, k = (int)p.k;
#ifdef NS_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, scale, p.a, (int)p.lda, p.b, (int)p.ldb, beta, p.c,
                (int)p.ldc);
#else
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, scale, p.a, (int)p.lda, p.b, (int)p.ldb, beta, p.c,
                (int)p.ldc);
#endif
}

#endif
