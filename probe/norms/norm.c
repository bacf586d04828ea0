#include "probe/norms/norm.h"

#include <math.h>
#include <string.h>

#include "probe/base/near.h"
#include "probe/norms/kinds/row.h"

/* X(name): probe/norms/NAME.c exports ns_norm_NAME. */
#define NORM_KINDS(X)                                                                              \
    X(layernorm)                                                                                   \
    X(rmsnorm)                                                                                     \
    X(batchnorm)                                                                                   \
    X(dyt)                                                                                         \
    X(dyt_channel)                                                                                 \
    X(dyt_noalpha)                                                                                 \
    X(dyt_hardtanh)                                                                                \
    X(dyt_sigmoid)                                                                                 \
    X(derf)                                                                                        \
    X(dyisru)                                                                                      \
    X(none)                                                                                        \
    X(fixup)

#define DECLARE(name) extern const ns_norm_kind ns_norm_##name;
NORM_KINDS(DECLARE)

#define ROW(name) &ns_norm_##name,
const ns_norm_kind *const ns_norm_kinds[] = {NORM_KINDS(ROW)};
const int ns_norm_kind_count = sizeof ns_norm_kinds / sizeof ns_norm_kinds[0];

static const char *kind_name(const void *user, size_t i) {
    (void)user;
    return ns_norm_kinds[i]->name;
}

const ns_norm_kind *ns_norm_kind_find(const char *name, ns_error *err) {
    for (int i = 0; i < ns_norm_kind_count; i++)
        if (!strcmp(ns_norm_kinds[i]->name, name)) return ns_norm_kinds[i];
    ns_fail(err, NS_EINPUT, "no normalization layer is called '%s'; there are", name);
    for (int i = 0; i < ns_norm_kind_count; i++)
        ns_fail_more(err, "%s %s", i ? "," : "", ns_norm_kinds[i]->name);
    ns_near_names(err, name, (size_t)ns_norm_kind_count, kind_name, NULL, 1);
    return NULL;
}

double ns_norm_mean_alpha(const ns_norm *norm) {
    double sum = 0;
    for (int i = 0; i < norm->alpha_count; i++) sum += (double)norm->alpha[i];
    return norm->alpha_count ? sum / norm->alpha_count : (double)NAN;
}

void ns_norm_spread(ns_norm_rows kernel, const ns_norm *norm, size_t rows, const ns_real *x,
                    ns_real *y, ns_real *z, ns_real *mean, ns_real *rstd) {
    size_t channels = (size_t)norm->channels;
    if (!channels) return;
    size_t piece = 16384 / channels;
    if (!piece) piece = 1;
    size_t pieces = (rows + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (pieces > 3)
    for (size_t i = 0; i < pieces; i++) {
        size_t first = i * piece, n = rows - first < piece ? rows - first : piece;
        size_t at = first * channels;
        kernel(norm, n, x + at, y ? y + at : NULL, z ? z + at : NULL, mean ? mean + first : NULL,
               rstd ? rstd + first : NULL);
    }
}

/* Pieces of the backward pass: at least so many values, and at most so many pieces. */
enum { PIECE_VALUES = 16384, MOST_PIECES = 64, ARRAYS = 4 };

size_t ns_norm_work(int channels) {
    return (size_t)MOST_PIECES * ARRAYS * (size_t)channels;
}

size_t ns_norm_pieces_back(ns_norm_rows_back kernel, const ns_norm *norm, size_t rows,
                           const ns_real *x, const ns_real *mean, const ns_real *rstd,
                           const ns_real *dz, ns_real *dx, ns_real *work) {
    size_t channels = (size_t)norm->channels, piece = PIECE_VALUES / channels;
    if (piece < 1) piece = 1;
    if ((rows + piece - 1) / piece > MOST_PIECES) piece = (rows + MOST_PIECES - 1) / MOST_PIECES;
    size_t pieces = (rows + piece - 1) / piece;
    bool rowwise = !norm->kind->over_batch; /* else mean and rstd are of channels */
#pragma omp parallel for schedule(static) if (pieces > 1)
    for (size_t i = 0; i < pieces; i++) {
        size_t first = i * piece, n = rows - first < piece ? rows - first : piece;
        size_t at = first * channels, moved = rowwise ? first : 0;
        ns_real *s = work + i * ARRAYS * channels;
        for (size_t k = 0; k < ARRAYS * channels; k++) s[k] = 0;
        const ns_norm_sums sums = {s, s + channels, s + 2 * channels, s + 3 * channels};
        kernel(norm, n, x + at, mean ? mean + moved : NULL, rstd ? rstd + moved : NULL,
               dz ? dz + at : NULL, dx ? dx + at : NULL, &sums);
    }
    return pieces;
}

double ns_norm_total(const ns_norm *norm, const ns_real *work, size_t pieces, int which, int c) {
    size_t channels = (size_t)norm->channels, at = (size_t)which * channels + (size_t)c;
    double sum = 0;
    for (size_t i = 0; i < pieces; i++) sum += (double)work[i * ARRAYS * channels + at];
    return sum;
}

/* Adds the totals of one array to its gradient [count], which has one value for each channel or one for all. */
static void add_totals(const ns_norm *norm, const ns_real *work, size_t pieces, int which,
                       ns_real *gradient, int count) {
    double all = 0;
    for (int c = 0; c < norm->channels && gradient; c++) {
        double sum = ns_norm_total(norm, work, pieces, which, c);
        all += sum;
        if (count > 1) gradient[c] += (ns_real)sum;
    }
    if (gradient && count == 1) gradient[0] += (ns_real)all;
}

void ns_norm_spread_back(ns_norm_rows_back kernel, const ns_norm *norm, size_t rows,
                         const ns_real *x, const ns_real *mean, const ns_real *rstd,
                         const ns_real *dz, ns_real *dx, const ns_norm_gradient *gradient,
                         ns_real *work) {
    size_t pieces = ns_norm_pieces_back(kernel, norm, rows, x, mean, rstd, dz, dx, work);
    add_totals(norm, work, pieces, 0, gradient->gamma, norm->channels);
    add_totals(norm, work, pieces, 1, gradient->beta, norm->channels);
    add_totals(norm, work, pieces, 2, gradient->alpha, norm->alpha_count);
    add_totals(norm, work, pieces, 3, gradient->shift, 1);
}

double ns_norm_unbounded(const ns_norm *norm) {
    (void)norm;
    return INFINITY;
}

double ns_norm_bounded_by_one(const ns_norm *norm) {
    (void)norm;
    return 1;
}
