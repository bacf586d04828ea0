/* Linear layers: three matrix products. */
#include <string.h>

#include "probe/kernels/gemm.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

static void fill_rows(size_t rows, size_t n, const ns_real *bias, ns_real *out) {
#pragma omp parallel for schedule(static) if (rows * n > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++) memcpy(out + r * n, bias, n * sizeof *out);
}

/* The bias goes in first and the product is added to it: no dearer than the zeros it would else begin with. */
void ns_linear(size_t rows, size_t n, size_t k, const ns_real *in, const ns_real *weight,
               const ns_real *bias, ns_real *out) {
    if (bias) fill_rows(rows, n, bias, out);
    ns_gemm(0, 1, rows, n, k, 1, in, k, weight, k, bias ? 1 : 0, out, n);
}

void ns_linear_back(size_t rows, size_t n, size_t k, const ns_real *in, const ns_real *weight,
                    const ns_real *dout, ns_real *din, ns_real *dweight, ns_real *dbias,
                    ns_real *work) {
    if (din) ns_gemm(0, 0, rows, k, n, 1, dout, n, weight, k, 0, din, k);
    ns_gemm(1, 0, n, k, rows, 1, dout, n, in, k, 1, dweight, k);
    if (dbias) ns_add_column_sums(rows, n, dout, dbias, work);
}
