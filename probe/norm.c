#include "probe/norm.h"

#include <string.h>

#include "probe/base/near.h"
#include "probe/norms/row.h"

/* X(name): probe/norms/NAME.c exports ns_norm_NAME. */
#define NORM_KINDS(X) X(layernorm) X(rmsnorm) X(batchnorm) X(dyt) X(derf)

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

void ns_norm_spread(ns_norm_rows kernel, const ns_norm *norm, size_t rows, const float *x, float *y,
                    float *z, float *mean, float *rstd) {
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

double ns_norm_unbounded(const ns_norm *norm) {
    (void)norm;
    return INFINITY;
}

double ns_norm_bounded_by_one(const ns_norm *norm) {
    (void)norm;
    return 1;
}
