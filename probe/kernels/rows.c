/* What stands between the products of a block: sums of columns, biases, the residual. */
#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

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

void ns_add_rows(size_t count, const ns_real *x, const ns_real *y, ns_real *out) {
    enum { PIECE = 8192 };
#pragma omp parallel for schedule(static) if (count > NS_WORTH_THREADS)
    for (size_t i = 0; i < count; i += PIECE)
        add_row(count - i < PIECE ? count - i : PIECE, x + i, y + i, 1, out + i);
}

void ns_add_kept(size_t samples, size_t tokens, size_t w, const ns_real *x, const ns_real *keep,
                 const ns_real *branch, ns_real *out) {
    size_t n = tokens * w;
#pragma omp parallel for schedule(static) if (samples * n > NS_WORTH_THREADS)
    for (size_t s = 0; s < samples; s++)
        add_row(n, x + s * n, branch + s * n, keep[s], out + s * n);
}

void ns_keep_rows(size_t samples, size_t tokens, size_t w, const ns_real *keep, const ns_real *x,
                  ns_real *out) {
    size_t n = tokens * w;
#pragma omp parallel for schedule(static) if (samples * n > NS_WORTH_THREADS)
    for (size_t s = 0; s < samples; s++) scale_row(n, x + s * n, keep[s], out + s * n);
}
