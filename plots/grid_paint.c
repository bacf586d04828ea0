/* From counts to pixels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/grid.h"
#include "probe/base/mem.h"
#include "probe/base/simd.h"

/* Share of each pixel that a disc around the middle of the central one covers, [side, side], by 16 by 16 places in each. */
static float *disc_kernel(double diameter, int *side, ns_error *err) {
    double radius = diameter / 2;
    int reach = (int)ceil(radius - 0.5);
    if (reach < 0) reach = 0;
    *side = 2 * reach + 1;
    float *kernel = ns_calloc((size_t)*side * (size_t)*side, sizeof *kernel, err);
    if (!kernel) return NULL;
    for (int j = 0; j < *side; j++)
        for (int i = 0; i < *side; i++) {
            int hits = 0;
            for (int s = 0; s < 256; s++) {
                double dx = i - reach + (s % 16 - 7.5) / 16, dy = j - reach + (s / 16 - 7.5) / 16.0;
                hits += dx * dx + dy * dy <= radius * radius;
            }
            kernel[j * *side + i] = (float)hits / 256;
        }
    return kernel;
}

/* out[i] += k * counts[i] for n pixels. */
NS_CLONES static void add_row(float *out, const uint32_t *counts, float k, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] += k * (float)counts[i];
}

/* How many discs lie over each pixel of row `y` (from the top), partly covered ones in part. */
static void discs_over_row(const ns_grid *g, const float *kernel, int side, int y, float *over) {
    int reach = side / 2;
    memset(over, 0, (size_t)g->width * sizeof *over);
    for (int j = 0; j < side; j++) {
        int from = g->height - 1 - (y + j - reach); /* row of counts, lowest y first */
        if (from < 0 || from >= g->height) continue;
        const uint32_t *counts = g->counts + (size_t)from * (size_t)g->width;
        for (int i = 0; i < side; i++) {
            int shift = i - reach; /* pixel p takes from bin p - shift */
            int begin = shift > 0 ? shift : 0, end = shift < 0 ? g->width + shift : g->width;
            float k = kernel[j * side + i];
            if (k > 0 && end > begin)
                add_row(over + begin, counts + begin - shift, k, (size_t)(end - begin));
        }
    }
}

int ns_grid_discs(const ns_grid *grid, double diameter, ns_color color, ns_picture *out,
                  ns_error *err) {
    int side, status = NS_OK;
    float *kernel = disc_kernel(diameter, &side, err);
    *out = (ns_picture){grid->width, grid->height,
                        ns_calloc((size_t)grid->width * (size_t)grid->height, 4, err)};
    if (!kernel || !out->rgba) {
        free(kernel);
        free(out->rgba);
        out->rgba = NULL;
        return NS_EFAIL;
    }
    const double through = log1p(-fmin(color.a, 0.9999)); /* log of what a disc lets through */
    const uint8_t rgb[3] = {(uint8_t)lround(color.r * 255), (uint8_t)lround(color.g * 255),
                            (uint8_t)lround(color.b * 255)};
#pragma omp parallel
    {
        float *over = ns_alloc_aligned((size_t)grid->width, sizeof *over, NULL);
#pragma omp for schedule(static)
        for (int y = 0; y < grid->height; y++) {
            uint8_t *pixel = out->rgba + 4 * (size_t)y * (size_t)grid->width;
            if (!over) continue;
            discs_over_row(grid, kernel, side, y, over);
            for (int x = 0; x < grid->width; x++, pixel += 4) {
                memcpy(pixel, rgb, 3);
                if (over[x] > 0)
                    pixel[3] = (uint8_t)lround(255 * -expm1(through * (double)over[x]));
            }
        }
        if (!over) {
#pragma omp critical
            status = NS_EFAIL;
        }
        free(over);
    }
    free(kernel);
    if (!status) return NS_OK;
    free(out->rgba);
    out->rgba = NULL;
    return ns_fail(err, NS_EFAIL, "no memory for a row of pixels");
}
