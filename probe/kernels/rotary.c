/* Rotary positions: Su et al., arXiv 2104.09864. */
#include <math.h>

#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"
#include "probe/kernels/pieces.h"

/* Between the long and the short waves the share of what is divided falls evenly with the frequency. */
static double frequency(const ns_rotary *r, size_t i) {
    double f = pow(r->base, -2 * (double)i / (double)r->dim);
    if (r->scaling == NS_ROTARY_LINEAR) return f / r->factor;
    if (r->scaling == NS_ROTARY_PLAIN) return f;
    double turns = r->original * f / (2 * 3.14159265358979323846);
    if (turns < r->low) return f / r->factor;
    if (turns > r->high) return f;
    double kept = (turns - r->low) / (r->high - r->low);
    return (1 - kept) * f / r->factor + kept * f;
}

/* In double: at position 10^5 a float's angle has lost five digits. */
void ns_rotary_angles(size_t tokens, const ns_rotary *r, ns_real *angles) {
    size_t dim = r->dim, half = dim / 2;
#pragma omp parallel for schedule(static) if (tokens * dim > NS_WORTH_THREADS)
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < half; i++) {
            double angle = (double)t * frequency(r, i);
            angles[t * dim + i] = (ns_real)cos(angle);
            angles[t * dim + half + i] = (ns_real)sin(angle);
        }
}

NS_CLONES static void rotate_row(size_t heads, size_t dim, size_t turned, const ns_real *angles,
                                 ns_real *x) {
    size_t half = turned / 2;
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

void ns_rotate(size_t samples, size_t tokens, size_t heads, size_t dim, size_t turned,
               const ns_real *angles, ns_real *x, size_t ldx) {
    size_t rows = samples * tokens;
#pragma omp parallel for schedule(static) if (rows * heads * dim > NS_WORTH_THREADS)
    for (size_t r = 0; r < rows; r++)
        rotate_row(heads, dim, turned, angles + r % tokens * turned, x + r * ldx);
}
