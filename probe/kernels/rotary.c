/* Rotary positions: Su et al., arXiv 2104.09864. */
#include <math.h>

#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

/* In double: at position 10^5 a float's angle has lost five digits. */
void ns_rotary_angles(size_t tokens, size_t dim, double base, ns_real *angles) {
    size_t half = dim / 2;
#pragma omp parallel for schedule(static) if (tokens * dim > NS_WORTH_THREADS)
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < half; i++) {
            double angle = (double)t * pow(base, -2 * (double)i / (double)dim);
            angles[t * dim + i] = (ns_real)cos(angle);
            angles[t * dim + half + i] = (ns_real)sin(angle);
        }
}

NS_CLONES static void rotate_row(size_t heads, size_t dim, const ns_real *angles, ns_real *x) {
    size_t half = dim / 2;
    const ns_real *cosines = angles, *sines = angles + half;
    for (size_t h = 0; h < heads; h++, x += dim) {
        ns_real *low = x, *high = x + half;
#pragma omp simd
        for (size_t i = 0; i < half; i++) {
            ns_real a = low[i], b = high[i];
            low[i] = a * cosines[i] - b * sines[i];
            high[i] = b * cosines[i] + a * sines[i];
        }
    }
}

void ns_rotate(size_t samples, size_t tokens, size_t heads, size_t dim, const ns_real *angles,
               ns_real *x, size_t ldx) {
    size_t rows = samples * tokens;
#pragma omp parallel for schedule(static) if (rows * heads * dim > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++)
        rotate_row(heads, dim, angles + r % tokens * dim, x + r * ldx);
}
