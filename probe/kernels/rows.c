/* What stands between the products of a block: sums of columns, biases, the residual. */
#include <string.h>

#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

/* Values that a thread takes at once. */
enum { PIECE = 8192 };

NS_CLONES static void sum_columns(size_t rows, size_t n, const ns_real *x, ns_real *sums) {
    for (size_t c = 0; c < n; c++) sums[c] = 0;
    for (size_t r = 0; r < rows; r++, x += n) {
#pragma omp simd
        for (size_t c = 0; c < n; c++) sums[c] += x[c];
    }
}

void ns_add_column_sums(size_t rows, size_t n, const ns_real *x, ns_real *sums, ns_real *work) {
    size_t piece = ns_piece_rows(rows), pieces = (rows + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t i = 0; i < pieces; i++) {
        size_t first = i * piece, count = rows - first < piece ? rows - first : piece;
        sum_columns(count, n, x + first * n, work + i * n);
    }
    ns_add_pieces(pieces, n, work, sums);
}

size_t ns_column_work(size_t n) {
    return NS_MOST_PIECES * n;
}

NS_CLONES static void add_row(size_t n, const ns_real *x, const ns_real *y, ns_real scale,
                              ns_real *out) {
#pragma omp simd
    for (size_t c = 0; c < n; c++) out[c] = x[c] + scale * y[c];
}

NS_CLONES static void scale_row(size_t n, const ns_real *x, ns_real scale, ns_real *out) {
#pragma omp simd
    for (size_t c = 0; c < n; c++) out[c] = scale * x[c];
}

NS_CLONES static void multiply_row(size_t n, const ns_real *x, const ns_real *y, ns_real *out) {
#pragma omp simd
    for (size_t c = 0; c < n; c++) out[c] = x[c] * y[c];
}

NS_CLONES static void add_scaled_row(size_t n, const ns_real *scale, const ns_real *y, ns_real *x) {
#pragma omp simd
    for (size_t c = 0; c < n; c++) x[c] += scale[c] * y[c];
}

void ns_copy_columns(size_t rows, size_t n, const ns_real *x, size_t ldx, ns_real *out,
                     size_t ldo) {
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) memcpy(out + r * ldo, x + r * ldx, n * sizeof *out);
}

void ns_fill_rows(size_t rows, size_t n, const ns_real *bias, ns_real *x) {
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) memcpy(x + r * n, bias, n * sizeof *x);
}

void ns_add_bias(size_t rows, size_t n, const ns_real *bias, ns_real *x) {
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) add_row(n, x + r * n, bias, 1, x + r * n);
}

void ns_add_rows(size_t count, const ns_real *x, const ns_real *y, ns_real *out) {
#pragma omp parallel for schedule(static) if (count > NS_WORTH_THREADS)
    for (size_t i = 0; i < count; i += PIECE)
        add_row(count - i < PIECE ? count - i : PIECE, x + i, y + i, 1, out + i);
}

void ns_multiply_rows(size_t count, const ns_real *x, const ns_real *y, ns_real *out) {
#pragma omp parallel for schedule(static) if (count > NS_WORTH_THREADS)
    for (size_t i = 0; i < count; i += PIECE)
        multiply_row(count - i < PIECE ? count - i : PIECE, x + i, y + i, out + i);
}

void ns_add_scaled(size_t rows, size_t n, const ns_real *scale, const ns_real *branch, ns_real *x) {
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) add_scaled_row(n, scale, branch + r * n, x + r * n);
}

void ns_add_kept(size_t samples, size_t n, const ns_real *x, const ns_real *keep,
                 const ns_real *branch, ns_real *out) {
#pragma omp parallel for schedule(static) if (samples * n > NS_WORTH_THREADS)
    for (size_t s = 0; s < samples; s++)
        add_row(n, x + s * n, branch + s * n, keep[s], out + s * n);
}

void ns_keep_rows(size_t samples, size_t n, const ns_real *keep, const ns_real *x, ns_real *out) {
#pragma omp parallel for schedule(static) if (samples * n > NS_WORTH_THREADS)
    for (size_t s = 0; s < samples; s++) scale_row(n, x + s * n, keep[s], out + s * n);
}
