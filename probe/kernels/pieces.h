/* Sums over rows in a fixed order: rows are cut into pieces by their number alone, each piece is summed by one thread, and the
 * pieces are added in order, in double. */
#ifndef NS_KERNELS_PIECES_H
#define NS_KERNELS_PIECES_H

#include <stddef.h>

#include "probe/base/real.h"

enum { NS_MOST_PIECES = 32, NS_LEAST_ROWS = 32 };

/* Values below which waking a thread costs more than it brings. */
enum { NS_WORTH_THREADS = 32768 };

static inline size_t ns_piece_rows(size_t rows) {
    size_t piece = (rows + NS_MOST_PIECES - 1) / NS_MOST_PIECES;
    return piece < NS_LEAST_ROWS ? NS_LEAST_ROWS : piece;
}

/* sums [n] += the pieces' work [pieces, n]. */
static inline void ns_add_pieces(size_t pieces, size_t n, const ns_real *work, ns_real *sums) {
    for (size_t c = 0; c < n; c++) {
        double sum = 0;
        for (size_t i = 0; i < pieces; i++) sum += (double)work[i * n + c];
        sums[c] += (ns_real)sum;
    }
}

#endif
