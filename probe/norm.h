/* Normalization layers: one kind, one file in probe/norms/, one row of the table in probe/norm.c.
 *
 * A layer maps rows of C channels. Its output y is what stands before the affine: y = (x - mean) / sqrt(var + eps) for
 * LayerNorm and the like; z = gamma * y + beta is what the network goes on with. */
#ifndef NS_NORM_H
#define NS_NORM_H

#include <stddef.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_norm_kind ns_norm_kind;

/* One layer. The arrays belong to whoever filled this in (weights, a store); those that the kind does not use, or
 * the checkpoint does not have, are NULL. */
typedef struct ns_norm {
    const ns_norm_kind *kind;
    int channels;          /* C */
    float eps;             /* inside the root; 0 where the kind has none */
    const float *gamma;    /* [C] */
    const float *beta;     /* [C] */
    const float *alpha;    /* [alpha_count] */
    int alpha_count;       /* 1, or C; 0 where there is no alpha */
    const float *shift;    /* [1], Derf's d */
    const float *mean;     /* [C], BatchNorm's running mean */
    const float *variance; /* [C], BatchNorm's running variance */
} ns_norm;

/* Which arrays a kind has. */
enum {
    NS_HAS_GAMMA = 1,
    NS_HAS_BETA = 2,
    NS_HAS_ALPHA = 4,
    NS_HAS_SHIFT = 8,
    NS_HAS_RUNNING = 16,
    NS_HAS_EPS = 32
};

struct ns_norm_kind {
    const char *name;        /* "layernorm" */
    const char *title;       /* "LayerNorm", for figures */
    const char *short_title; /* "LN", where people abbreviate it; else NULL */
    const char *formula;     /* of y, in plain text */
    const char *source;      /* paper */
    unsigned has;            /* NS_HAS_... */

    /* x [rows, C] to y [rows, C] and z [rows, C], either of which may be NULL; z may be x. mean and rstd [rows] are
     * the row's statistics where the kind has them, and may be NULL. One pass over memory, several threads. */
    void (*forward)(const ns_norm *norm, size_t rows, const float *x, float *y, float *z,
                    float *mean, float *rstd);

    /* The definition, in double and as plainly as it can be written: y [rows, C] from x [rows, C]. The oracle of the
     * tests, and what `verify` compares the stored output with. */
    void (*reference)(const ns_norm *norm, size_t rows, const float *x, double *y);

    /* The largest |y| that the formula allows; infinity where there is none. */
    double (*bound)(const ns_norm *norm);
};

/* The kinds, in the order of the table. */
extern const ns_norm_kind *const ns_norm_kinds[];
extern const int ns_norm_kind_count;

/* NULL and NS_EINPUT, with the names that there are, where no kind is called so. */
const ns_norm_kind *ns_norm_kind_find(const char *name, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
