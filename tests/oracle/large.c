/* A fit to 2^31 + 1 points, which no 32-bit count holds: a block of 4096 known points again and again, and one of them once more.
 *
 *     oracle-large
 *
 * The fit of the block alone is what all must give, and its moments are known. Nothing of the points is held in memory. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "analysis/bins.h"
#include "analysis/fit.h"

enum { BLOCK = 4096 };
static const uint64_t ROWS = (UINT64_C(1) << 31) + 1;

typedef struct block {
    float x[BLOCK], y[BLOCK];
} block;

static int repeat(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                  ns_error *err) {
    (void)err;
    const block *b = points->user;
    for (uint64_t at = 0; at < rows;) {
        size_t from = (size_t)((first + at) % BLOCK), n = BLOCK - from;
        if (n > rows - at) n = (size_t)(rows - at);
        if (x) memcpy(x + at, b->x + from, n * sizeof *x);
        if (y) memcpy(y + at, b->y + from, n * sizeof *y);
        at += n;
    }
    return NS_OK;
}

static int bad;

static void check(const char *what, double got, double expected, double relative) {
    double error = fabs(got - expected) / fmax(fabs(expected), DBL_MIN);
    printf("%-24s %.15g, expected %.15g: %s\n", what, got, expected,
           error <= relative ? "good" : "BAD");
    bad += !(error <= relative);
}

int main(void) {
    block *b = calloc(1, sizeof *b);
    if (!b) return 1;
    double x = 0, xx = 0, yy = 0, copies = (double)((ROWS - 1) / BLOCK);
    for (int i = 0; i < BLOCK; i++) {
        b->x[i] = (float)(3 * sin(i * 1.7) * exp(sin(i * 0.11)));
        b->y[i] = (float)(1.5 * tanh(0.7 * (double)b->x[i]) + 0.2 * sin(i * 2.9));
        x += (double)b->x[i], xx += (double)b->x[i] * (double)b->x[i];
        yy += (double)b->y[i] * (double)b->y[i];
    }
    double first_x = (double)b->x[0], first_y = (double)b->y[0];
    const ns_curve *curve = ns_curve_find("tanh", NULL);
    const ns_fit_options options = {.curves = &curve, .curve_count = 1};
    ns_error err = {0};
    ns_fit one, all;
    ns_bins bins;
    ns_points alone = ns_points_memory(b->x, b->y, NULL, BLOCK, 1),
              many = {.rows = ROWS, .channels = 1, .read = repeat, .user = b};
    if (ns_fit_points(&alone, &options, &one, &err) || ns_fit_points(&many, &options, &all, &err) ||
        ns_bins_make(&bins, NULL, 0, &many, NULL, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    double r = one.theta[NS_SCALE] * tanh(one.theta[NS_ALPHA] * first_x) - first_y;
    check("points", (double)all.points, (double)ROWS, 0);
    check("sum of x", bins.total.x, copies * x + first_x, 1e-9);
    check("sum of x^2", bins.total.xx, copies * xx + first_x * first_x, 1e-12);
    check("sum of y^2", bins.yy, copies * yy + first_y * first_y, 1e-12);
    check("alpha", all.theta[NS_ALPHA], one.theta[NS_ALPHA], 1e-8);
    check("s", all.theta[NS_SCALE], one.theta[NS_SCALE], 1e-8);
    check("sum of squares", all.sse, copies * one.sse + r * r, 1e-9);
    check("nominal error of alpha", all.nominal[NS_ALPHA],
          one.nominal[NS_ALPHA] / sqrt(copies) * sqrt((BLOCK - 2.0) / BLOCK), 1e-6);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("peak memory %ld MiB\n", usage.ru_maxrss / 1024);
    bad += usage.ru_maxrss > 256 * 1024;
    ns_bins_free(&bins);
    free(b);
    return bad ? 1 : 0;
}
