/* Normalization layers: one kind, one file in probe/norms/, one row of the table in probe/norms/norm.c.
 *
 * A layer maps rows of C channels. Its output y is what stands before the affine: y = (x - mean) / sqrt(var + eps) for
 * LayerNorm and the like; z = gamma * y + beta is what the network goes on with.
 *
 * Tensors of a checkpoint, after the module path: weight [C] is gamma, bias [C] beta, alpha [1] or [C], shift [1] Derf's d,
 * running_mean and running_var [C] BatchNorm's (PyTorch's names and those of DyT's authors). Kinds that have the same
 * tensors are told apart by "norm" in config.json. */
#ifndef NS_NORM_H
#define NS_NORM_H

#include <stddef.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/real.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_norm_kind ns_norm_kind;

/* One layer. The arrays belong to whoever filled this in (weights, a store); those that the kind does not use, or
 * the checkpoint does not have, are NULL. */
typedef struct ns_norm {
    const ns_norm_kind *kind;
    int channels;            /* C */
    ns_real eps;             /* inside the root; 0 where the kind has none */
    const ns_real *gamma;    /* [C] */
    const ns_real *beta;     /* [C] */
    const ns_real *alpha;    /* [alpha_count] */
    int alpha_count;         /* 1, or C; 0 where there is no alpha */
    const ns_real *shift;    /* [1], Derf's d */
    const ns_real *mean;     /* [C], BatchNorm's running mean */
    const ns_real *variance; /* [C], BatchNorm's running variance */
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

/* Where the gradients of a layer's arrays are added; NULL where it has no such array. */
typedef struct ns_norm_gradient {
    ns_real *gamma, *beta; /* [C] */
    ns_real *alpha;        /* [alpha_count] */
    ns_real *shift;        /* [1] */
} ns_norm_gradient;

struct ns_norm_kind {
    const char *name;        /* "layernorm" */
    const char *title;       /* "LayerNorm", for figures */
    const char *short_title; /* "LN", where people abbreviate it; else NULL */
    const char *formula;     /* of y, in plain text */
    const char *source;      /* paper */
    unsigned has;            /* NS_HAS_..., what a checkpoint may have */
    unsigned learns;       /* those of them that a new layer gets: RMSNorm has no beta of its own */
    double alpha;          /* where a new layer's alpha begins */
    int alpha_per_channel; /* a new layer has C of them */
    int over_batch;        /* in training, its statistics are of a channel over all rows */
    int small_start; /* branches of a new network begin as Fixup has it (probe/train/start.c) */

    /* x [rows, C] to y [rows, C] and z [rows, C], either of which may be NULL; z may be x. mean and rstd [rows] are
     * the row's statistics where the kind has them, and may be NULL. One pass over memory, several threads. */
    void (*forward)(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *y, ns_real *z,
                    ns_real *mean, ns_real *rstd);

    /* The definition, in double and as plainly as it can be written: y [rows, C] from x [rows, C]. The oracle of the
     * tests, and what `verify` compares the stored output with. */
    void (*reference)(const ns_norm *norm, size_t rows, const ns_real *x, double *y);

    /* The largest |y| that the formula allows; infinity where there is none. */
    double (*bound)(const ns_norm *norm);

    /* Forward in training, where that differs: statistics of the batch, mean and rstd [C], instead of running ones. NULL:
     * it does not. work as below. */
    void (*forward_batch)(const ns_norm *norm, size_t rows, const ns_real *x, ns_real *z,
                          ns_real *mean, ns_real *rstd, ns_real *work);

    /* dx [rows, C] += and gradient += from dz [rows, C], with the x, mean and rstd of the forward pass. work: ns_norm_work
     * values. Several threads; the same bits whatever their number. */
    void (*backward)(const ns_norm *norm, size_t rows, const ns_real *x, const ns_real *mean,
                     const ns_real *rstd, const ns_real *dz, ns_real *dx,
                     const ns_norm_gradient *gradient, ns_real *work);
};

/* Values of `work` for a layer of C channels. */
NS_API size_t ns_norm_work(int channels);

/* Its alpha, the mean where each channel has one; NaN where there is none. */
NS_API double ns_norm_mean_alpha(const ns_norm *norm);

/* The kinds, in the order of the table. */
NS_API extern const ns_norm_kind *const ns_norm_kinds[];
NS_API extern const int ns_norm_kind_count;

/* NULL and NS_EINPUT, with the names that there are, where no kind is called so. */
NS_API const ns_norm_kind *ns_norm_kind_find(const char *name, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
