/* From the tokens of a sample to one row. */
#include <string.h>

#include "probe/kernels/kernels.h"

/* Sums over tokens are in double: a thousand patches' rounding would else show. */
void ns_pool(const ns_pooling *p, size_t samples, const ns_real *x, ns_real *pooled, size_t ldp) {
    size_t w = p->width;
#pragma omp parallel for schedule(static) if (samples > 4)
    for (size_t s = 0; s < samples; s++) {
        const ns_real *rows = x + s * p->tokens * w;
        if (!p->mean) {
            memcpy(pooled + s * ldp, rows + p->from * w, w * sizeof *pooled);
            continue;
        }
        for (size_t c = 0; c < w; c++) {
            double sum = 0;
            for (size_t i = p->from; i < p->tokens; i++) sum += (double)rows[i * w + c];
            pooled[s * ldp + c] = (ns_real)(sum / (double)(p->tokens - p->from));
        }
    }
}

void ns_pool_back(const ns_pooling *p, size_t samples, const ns_real *dpooled, ns_real *dx) {
    size_t w = p->width, row = p->tokens * w;
    memset(dx, 0, samples * row * sizeof *dx);
    for (size_t s = 0; s < samples; s++) memcpy(dx + s * row, dpooled + s * w, w * sizeof *dx);
}
