/* Learned positions of one grid of patches on another one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/pixels.h"
#include "probe/base/mem.h"
#include "probe/kernels/kernels.h"

enum { CUBIC = 4 }; /* taps of the filter that is not antialiased */

/* The taps of every output of one side. */
typedef struct side {
    int room;        /* taps of an output, at most */
    int *used, *at;  /* [outputs], [outputs, room]: inputs */
    double *weights; /* [outputs, room] */
} side;

static void side_free(side *s) {
    free(s->used);
    free(s->at);
    free(s->weights);
}

/* Keys' cubic with a = -3/4, at the distances 1 + t, t, 1 - t and 2 - t. */
static void cubic(double t, double w[CUBIC]) {
    const double a = -0.75;
    for (int k = 0; k < CUBIC; k++) {
        double x = fabs(t + 1 - k);
        w[k] = x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
                      : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
}

/* Taps that fall over the edge are the edge's. */
static int cubic_taps(double ratio, size_t i, int in, double *weights, int *at) {
    double centre = ((double)i + 0.5) * ratio - 0.5, first = floor(centre);
    cubic(centre - first, weights);
    for (int k = 0; k < CUBIC; k++) {
        int place = (int)first - 1 + k;
        at[k] = place < 0 ? 0 : place >= in ? in - 1 : place;
    }
    return CUBIC;
}

static int side_make(side *s, const ns_resampling *r, size_t in, size_t out, ns_error *err) {
    double ratio = (double)in / ((double)out + r->offset);
    *s = (side){.room = r->antialias ? ns_filter_taps(ratio, false) : CUBIC};
    size_t taps = out * (size_t)s->room;
    s->used = ns_calloc(out, sizeof *s->used, err);
    s->at = ns_calloc(taps, sizeof *s->at, err);
    s->weights = ns_calloc(taps, sizeof *s->weights, err);
    if (!s->used || !s->at || !s->weights) return NS_EFAIL;
    for (size_t i = 0; i < out; i++) {
        double *weights = s->weights + i * (size_t)s->room;
        int *at = s->at + i * (size_t)s->room, begin;
        if (!r->antialias) {
            s->used[i] = cubic_taps(ratio, i, (int)in, weights, at);
            continue;
        }
        ns_filter_weigh(ratio, (int64_t)i, (int)in, false, weights, &begin, &s->used[i]);
        for (int k = 0; k < s->used[i]; k++) at[k] = begin + k;
    }
    return NS_OK;
}

/* One output row, summed in double. */
static void mix(const side *down, const side *across, size_t y, size_t x, size_t line, size_t n,
                const ns_real *from, double *sums, ns_real *to) {
    memset(sums, 0, n * sizeof *sums);
    for (int j = 0; j < down->used[y]; j++)
        for (int i = 0; i < across->used[x]; i++) {
            size_t v = y * (size_t)down->room + (size_t)j, u = x * (size_t)across->room + (size_t)i;
            double w = down->weights[v] * across->weights[u];
            const ns_real *row = from + ((size_t)down->at[v] * line + (size_t)across->at[u]) * n;
            for (size_t c = 0; c < n; c++) sums[c] += w * (double)row[c];
        }
    for (size_t c = 0; c < n; c++) to[c] = (ns_real)sums[c];
}

int ns_resample(const ns_resampling *r, size_t n, const ns_real *from, ns_real *to, ns_error *err) {
    side down = {0}, across = {0};
    double *sums = ns_calloc(n, sizeof *sums, err);
    int status = sums ? side_make(&down, r, r->from_height, r->height, err) : NS_EFAIL;
    if (!status) status = side_make(&across, r, r->from_width, r->width, err);
    for (size_t i = 0; i < r->height * r->width && !status; i++)
        mix(&down, &across, i / r->width, i % r->width, r->from_width, n, from, sums, to + i * n);
    side_free(&down);
    side_free(&across);
    free(sums);
    return status;
}
