/* From counts to pixels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/grid.h"
#include "plots/figure/style.h"
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
            for (int v = 0; v < 16; v++)
                for (int u = 0; u < 16; u++) {
                    double dx = i - reach + (u - 7.5) / 16, dy = j - reach + (v - 7.5) / 16;
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

/* Adds a row of counts, of which few are not 0, to the discs over a row; in the order of those rows that are full. */
static void add_sparse(const ns_grid *g, const uint32_t *counts, const float *kernel, int side,
                       float *over) {
    for (int x = g->width - 1; x >= 0; x--) {
        if (!counts[x]) continue;
        for (int i = 0; i < side; i++) {
            int at = x + i - side / 2;
            if (at >= 0 && at < g->width && kernel[i] > 0) over[at] += kernel[i] * (float)counts[x];
        }
    }
}

static void add_dense(const ns_grid *g, const uint32_t *counts, const float *kernel, int side,
                      float *over) {
    for (int i = 0; i < side; i++) {
        int shift = i - side / 2; /* pixel p takes from bin p - shift */
        int begin = shift > 0 ? shift : 0, end = shift < 0 ? g->width + shift : g->width;
        if (kernel[i] > 0 && end > begin)
            add_row(over + begin, counts + begin - shift, kernel[i], (size_t)(end - begin));
    }
}

/* How many bins of a row hold points. */
NS_CLONES static int occupied(const uint32_t *counts, int width) {
    int n = 0;
    for (int x = 0; x < width; x++) n += counts[x] != 0;
    return n;
}

/* How many discs lie over each pixel of row `y` (from the top), partly covered ones in part. */
static void discs_over_row(const ns_grid *g, const float *kernel, int side, int y, float *over) {
    enum { FEW = 16 }; /* one bin in so many */
    memset(over, 0, (size_t)g->width * sizeof *over);
    for (int j = 0; j < side; j++) {
        int from = g->height - 1 - (y + j - side / 2); /* row of counts, lowest y first */
        if (from < 0 || from >= g->height) continue;
        const uint32_t *counts = g->counts + (size_t)from * (size_t)g->width;
        int n = occupied(counts, g->width);
        if (n > g->width / FEW)
            add_dense(g, counts, kernel + j * side, side, over);
        else if (n)
            add_sparse(g, counts, kernel + j * side, side, over);
    }
}

/* Numbers of discs wait in the pixels' own four bytes until the largest is known. */
static float waiting(const uint8_t *pixel) {
    float n;
    memcpy(&n, pixel, sizeof n);
    return n;
}

/* Fills `out`, which need not be aligned for floats, with numbers of discs, and finds the largest. */
static int count_discs(const ns_grid *grid, double diameter, uint8_t *out, float *most,
                       ns_error *err) {
    int side, status = NS_OK;
    float *kernel = disc_kernel(diameter, &side, err), largest = 0;
    if (!kernel) return NS_EFAIL;
#pragma omp parallel reduction(max : largest)
    {
        float *over = ns_alloc_aligned((size_t)grid->width, sizeof *over, NULL);
#pragma omp for schedule(static)
        for (int y = 0; y < grid->height; y++) {
            if (!over) continue;
            discs_over_row(grid, kernel, side, y, over);
            memcpy(out + sizeof *over * (size_t)y * (size_t)grid->width, over,
                   (size_t)grid->width * sizeof *over);
            for (int x = 0; x < grid->width; x++) largest = over[x] > largest ? over[x] : largest;
        }
        if (!over) {
#pragma omp critical
            status = NS_EFAIL;
        }
        free(over);
    }
    free(kernel);
    *most = largest;
    return status ? ns_fail(err, status, "no memory for a row of pixels") : NS_OK;
}

int ns_grid_over(const ns_grid *grid, double diameter, float *over, float *most, ns_error *err) {
    return count_discs(grid, diameter, (uint8_t *)over, most, err);
}

/* How numbers of discs become colours. */
typedef struct ramp {
    ns_color from, to;
    double through;      /* log of what a disc lets through */
    double begin, scale; /* log n where `to` begins to show, and 1 / its length */
} ramp;

static ramp make_ramp(ns_color color, ns_color deep, float most) {
    ramp r = {color, deep, log1p(-fmin(color.a, 0.9999)), 0, 0};
    double opaque = log(0.05) / r.through, end = fmax(100 * opaque, (double)most);
    r.begin = log(opaque);
    r.scale = 1 / (log(end) - r.begin);
    return r;
}

static uint8_t mixed(double from, double to, double t) {
    return (uint8_t)lround(255 * (from + t * (to - from)));
}

static void paint_pixel(const ramp *r, uint8_t *pixel) {
    double n = (double)waiting(pixel), t = n > 0 ? (log(n) - r->begin) * r->scale : 0;
    t = fmin(fmax(t, 0), 1);
    pixel[0] = mixed(r->from.r, r->to.r, t);
    pixel[1] = mixed(r->from.g, r->to.g, t);
    pixel[2] = mixed(r->from.b, r->to.b, t);
    pixel[3] = (uint8_t)lround(255 * -expm1(r->through * n));
}

/* The picture with its numbers of discs still waiting. The caller frees out->rgba. */
static int begin_picture(const ns_grid *grid, double diameter, ns_picture *out, float *most,
                         ns_error *err) {
    size_t pixels = (size_t)grid->width * (size_t)grid->height;
    *out = (ns_picture){grid->width, grid->height, ns_calloc(pixels, 4, err)};
    if (!out->rgba) return NS_EFAIL;
    int status = count_discs(grid, diameter, out->rgba, most, err);
    if (status) {
        free(out->rgba);
        out->rgba = NULL;
    }
    return status;
}

int ns_grid_discs(const ns_grid *grid, double diameter, ns_color color, ns_color deep,
                  ns_picture *out, ns_error *err) {
    float most;
    int status = begin_picture(grid, diameter, out, &most, err);
    if (status) return status;
    const ramp r = make_ramp(color, deep, most);
    size_t pixels = (size_t)grid->width * (size_t)grid->height;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < pixels; i++) paint_pixel(&r, out->rgba + 4 * i);
    return NS_OK;
}

int ns_grid_density(const ns_grid *grid, double diameter, int decades, ns_picture *out,
                    ns_error *err) {
    float most;
    int status = begin_picture(grid, diameter, out, &most, err);
    if (status) return status;
    size_t pixels = (size_t)grid->width * (size_t)grid->height;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < pixels; i++) {
        uint8_t *pixel = out->rgba + 4 * i;
        double n = (double)waiting(pixel);
        ns_color c = ns_color_map(n > 0 ? 1 + log10(n / (double)most) / decades : 0);
        const double channels[] = {c.r, c.g, c.b, fmin(n, 1)};
        for (int k = 0; k < 4; k++) pixel[k] = (uint8_t)lround(255 * channels[k]);
    }
    return NS_OK;
}
