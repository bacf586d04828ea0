#include "probe/norm.h"

#include <math.h>
#include <string.h>

#include "probe/base/near.h"
#include "probe/base/simd.h"
#include "probe/norms/kinds.h"

const ns_norm_kind *const ns_norm_kinds[] = {
    &ns_norm_layernorm, &ns_norm_rmsnorm, &ns_norm_batchnorm, &ns_norm_dyt, &ns_norm_derf,
};
const int ns_norm_kind_count = sizeof ns_norm_kinds / sizeof ns_norm_kinds[0];

static const char *kind_name(const void *user, size_t i) {
    (void)user;
    return ns_norm_kinds[i]->name;
}

const ns_norm_kind *ns_norm_kind_find(const char *name, ns_error *err) {
    for (int i = 0; i < ns_norm_kind_count; i++)
        if (!strcmp(ns_norm_kinds[i]->name, name)) return ns_norm_kinds[i];
    ns_fail(err, NS_EINPUT, "unknown normalization '%s'; expected one of", name);
    for (int i = 0; i < ns_norm_kind_count; i++)
        ns_fail_more(err, "%s %s", i ? "," : "", kind_name(NULL, (size_t)i));
    return NULL;
}

double ns_norm_unbounded(const ns_norm *norm) {
    (void)norm;
    return (double)INFINITY;
}

NS_CLONES
static void affine_row(int channels, const float *gamma, const float *beta, const float *y,
                       float *z) {
    if (gamma && beta)
        for (int c = 0; c < channels; c++) z[c] = y[c] * gamma[c] + beta[c];
    else if (gamma)
        for (int c = 0; c < channels; c++) z[c] = y[c] * gamma[c];
    else if (beta)
        for (int c = 0; c < channels; c++) z[c] = y[c] + beta[c];
    else if (z != y)
        memcpy(z, y, (size_t)channels * sizeof *z);
}

void ns_norm_affine(const ns_norm *norm, size_t rows, const float *y, float *z) {
    size_t c = (size_t)norm->channels;
#pragma omp parallel for schedule(static) if (rows * c > 16384)
    for (size_t r = 0; r < rows; r++)
        affine_row(norm->channels, norm->gamma, norm->beta, y + r * c, z + r * c);
}
