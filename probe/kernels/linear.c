/* Linear layers: three matrix products. */
#include <string.h>

#include "probe/kernels/gemm.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

/* ---- packed matrices ---- */

/* Values that are widened at a time: a few MiB, which most layers of small networks fit into, so that they are one product. */
enum { PIECE = 1 << 20 };

/* Rows of the matrix as it lies, and values of each. */
static size_t lying_rows(const ns_linear *l) {
    return l->turned ? l->in : l->out;
}

static size_t lying_width(const ns_linear *l) {
    return l->turned ? l->out : l->in;
}

static size_t piece_rows(const ns_linear *l) {
    size_t rows = lying_rows(l), piece = PIECE / lying_width(l);
    if (!piece) piece = 1;
    return piece < rows ? piece : rows;
}

size_t ns_linear_work(const ns_linear *l) {
    return l->packed.type ? piece_rows(l) * lying_width(l) : 0;
}

#ifdef NS_REAL_DOUBLE
/* Only checkpoints have packed matrices, and they are run with floats. */
static void packed_product(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y,
                           size_t ldy, bool adds, ns_real *work) {
    (void)l, (void)rows, (void)x, (void)y, (void)ldy, (void)adds, (void)work;
}
#else
static void widen(const ns_linear *l, size_t first, size_t count, float *work) {
    const size_t k = lying_width(l);
#pragma omp parallel for schedule(static) if (count * k > NS_WORTH_THREADS)
    for (size_t r = 0; r < count; r++) ns_widen_rows(&l->packed, k, first + r, 1, work + r * k);
}

/* Rows of the matrix are widened by pieces: outputs of y, or, of a turned one, inputs whose share is added to it. */
static void packed_product(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y,
                           size_t ldy, bool adds, ns_real *work) {
    const size_t all = lying_rows(l), piece = piece_rows(l);
    for (size_t first = 0; first < all; first += piece) {
        const size_t count = all - first < piece ? all - first : piece;
        widen(l, first, count, work);
        ns_multiply((ns_product){.m = rows,
                                 .n = l->turned ? l->out : count,
                                 .k = l->turned ? count : l->in,
                                 .a = l->turned ? x + first : x,
                                 .lda = l->in,
                                 .b = work,
                                 .ldb = lying_width(l),
                                 .turn_b = !l->turned,
                                 .c = l->turned ? y : y + first,
                                 .ldc = ldy,
                                 .adds = adds || (l->turned && first)});
    }
}
#endif

/* ---- layers ---- */

void ns_linear_row(const ns_linear *l, size_t output, ns_real *row) {
#ifndef NS_REAL_DOUBLE
    if (l->packed.type) {
        ns_widen_rows(&l->packed, l->in, output, 1, row);
        return;
    }
#endif
    memcpy(row, l->weight + output * l->in, l->in * sizeof *row);
}

ns_linear ns_linear_rows(const ns_linear *l, size_t first, size_t count) {
    ns_linear part = *l;
    const ns_element *type = l->packed.type;
    part.out = count;
    if (l->weight) part.weight = l->weight + first * l->in;
    if (type) part.packed.bytes = l->packed.bytes + first * l->in / type->values * type->bytes;
    if (l->bias) part.bias = l->bias + first;
    return part;
}

static void product(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y, size_t ldy,
                    bool adds, ns_real *work) {
    if (l->packed.type) {
        packed_product(l, rows, x, y, ldy, adds, work);
        return;
    }
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
void ns_linear_forward(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y, size_t ldy,
                       ns_real *work) {
    if (l->bias && ldy == l->out)
        ns_fill_rows(rows, l->out, l->bias, y);
    else if (l->bias)
        for (size_t r = 0; r < rows; r++) memcpy(y + r * ldy, l->bias, l->out * sizeof *y);
    product(l, rows, x, y, ldy, l->bias != NULL, work);
}

void ns_linear_add(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y, ns_real *work) {
    if (l->bias) ns_add_bias(rows, l->out, l->bias, y);
    product(l, rows, x, y, l->out, true, work);
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
