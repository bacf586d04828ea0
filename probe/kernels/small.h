/* Products of matrices that are too small for a library: what it spends on a call and on packing is more than the product itself.
 * Included by one file, into a function that NS_CLONES builds for several instruction sets. */
#ifndef NS_KERNELS_SMALL_H
#define NS_KERNELS_SMALL_H

#include <stddef.h>

#include "probe/base/real.h"
#include "probe/base/vmath.h"

/* Rows of the left matrix whose sums are held in registers at once. */
enum { NS_SMALL_ROWS = 4 };

/* `lanes` columns of `rows` rows. With constants for both, the sums stay in registers. */
NS_INLINE void ns_small_block(int rows, int lanes, size_t k, const ns_real *a, size_t step,
                              size_t next, const ns_real *b, size_t ldb, ns_real scale, ns_real *c,
                              size_t ldc) {
    ns_real sums[NS_SMALL_ROWS][24] = {{0}};
    for (size_t i = 0; i < k; i++, b += ldb)
        for (int r = 0; r < rows; r++) {
            ns_real x = a[(size_t)r * step + i * next];
#pragma omp simd
            for (int l = 0; l < lanes; l++) sums[r][l] += x * b[l];
        }
    for (int r = 0; r < rows; r++)
#pragma omp simd
        for (int l = 0; l < lanes; l++) c[(size_t)r * ldc + (size_t)l] = scale * sums[r][l];
}

NS_INLINE void ns_small_rows(int rows, size_t n, size_t k, const ns_real *a, size_t step,
                             size_t next, const ns_real *b, size_t ldb, ns_real scale, ns_real *c,
                             size_t ldc) {
    size_t j = 0;
    for (; j + 24 <= n; j += 24)
        ns_small_block(rows, 24, k, a, step, next, b + j, ldb, scale, c + j, ldc);
    for (; j + 8 <= n; j += 8)
        ns_small_block(rows, 8, k, a, step, next, b + j, ldb, scale, c + j, ldc);
    for (; j < n; j++) ns_small_block(rows, 1, k, a, step, next, b + j, ldb, scale, c + j, ldc);
}

/* c [m, n] = scale * a b, where a's element (r, i) is a[r * step + i * next], so that it may be transposed, and b is [k, n] with ldb
 * values a row. */
NS_INLINE void ns_small_product(size_t m, size_t n, size_t k, const ns_real *a, size_t step,
                                size_t next, const ns_real *b, size_t ldb, ns_real scale,
                                ns_real *c, size_t ldc) {
    size_t r = 0;
    for (; r + NS_SMALL_ROWS <= m; r += NS_SMALL_ROWS)
        ns_small_rows(NS_SMALL_ROWS, n, k, a + r * step, step, next, b, ldb, scale, c + r * ldc,
                      ldc);
    for (; r < m; r++)
        ns_small_rows(1, n, k, a + r * step, step, next, b, ldb, scale, c + r * ldc, ldc);
}

/* to [columns, ld] = the transpose of from [rows, columns] (step values a row), with zeros up to ld. */
NS_INLINE void ns_small_transpose(size_t rows, size_t columns, const ns_real *from, size_t step,
                                  ns_real *to, size_t ld) {
    for (size_t c = 0; c < columns; c++) {
        for (size_t r = 0; r < rows; r++) to[c * ld + r] = from[r * step + c];
        for (size_t r = rows; r < ld; r++) to[c * ld + r] = 0;
    }
}

#endif
