/* Linear layers: three matrix products. */
#include <string.h>

#include "probe/kernels/gemm.h"
#include "probe/kernels/kernels.h"

static void product(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y, size_t ldy,
                    bool adds) {
    ns_multiply((ns_product){.m = rows,
                             .n = l->out,
                             .k = l->in,
                             .a = x,
                             .lda = l->in,
                             .b = l->weight,
                             .ldb = l->turned ? l->out : l->in,
                             .turn_b = !l->turned,
                             .c = y,
                             .ldc = ldy,
                             .adds = adds});
}

/* The bias goes in first and the product is added to it: no dearer than the zeros that it would else begin with. */
void ns_linear_forward(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y, size_t ldy) {
    if (l->bias && ldy == l->out)
        ns_fill_rows(rows, l->out, l->bias, y);
    else if (l->bias)
        for (size_t r = 0; r < rows; r++) memcpy(y + r * ldy, l->bias, l->out * sizeof *y);
    product(l, rows, x, y, ldy, l->bias != NULL);
}

void ns_linear_add(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y) {
    if (l->bias) ns_add_bias(rows, l->out, l->bias, y);
    product(l, rows, x, y, l->out, true);
}

void ns_linear_back(const ns_linear *l, size_t rows, const ns_real *x, const ns_real *dy,
                    ns_real *dx, ns_real *work) {
    const size_t n = l->out, k = l->in;
    if (dx)
        ns_multiply((ns_product){.m = rows,
                                 .n = k,
                                 .k = n,
                                 .a = dy,
                                 .lda = n,
                                 .b = l->weight,
                                 .ldb = k,
                                 .c = dx,
                                 .ldc = k});
    ns_multiply((ns_product){.m = n,
                             .n = k,
                             .k = rows,
                             .a = dy,
                             .lda = n,
                             .turn_a = true,
                             .b = x,
                             .ldb = k,
                             .c = l->dweight,
                             .ldc = k,
                             .adds = true});
    if (l->dbias) ns_add_column_sums(rows, n, dy, l->dbias, work);
}
