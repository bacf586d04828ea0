/* Operations: what a step can be. One row of operations.c each; a pass calls them by these functions alone. */
#ifndef NS_OPERATIONS_H
#define NS_OPERATIONS_H

#include "probe/base/api.h"
#include "probe/models/network.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ns_operation {
    const char *name;
    bool in_place; /* out may be the memory of in[0], where that is not read again */
    bool adds;     /* its backward pass adds to the gradient of in[0]; the others write it */
    int (*forward)(const ns_step *step, ns_run *run, ns_error *err);
    /* NULL: a network with it cannot be trained, or (with no in[0]) has nothing to do. */
    void (*backward)(const ns_step *step, ns_run *run);
    size_t (*scratch)(const ns_step *step, const ns_run *run); /* values; NULL: none */
    size_t (*kept)(const ns_step *step, const ns_run *run);    /* in training; NULL: none */
    size_t (*work)(const ns_step *step, const ns_run *run); /* of the backward pass; NULL: none */
};

NS_API extern const ns_operation
    ns_patches_operation; /* the batch's pixels to columns; ns_patch_grid */
NS_API extern const ns_operation
    ns_tokens_operation;                             /* embedded patches to tokens; ns_token_rows */
NS_API extern const ns_operation ns_words_operation; /* the batch's ids to tokens; ns_word_rows */
NS_API extern const ns_operation ns_norm_operation;  /* a site */
NS_API extern const ns_operation ns_linear_operation; /* ns_linear_options */
NS_API extern const ns_operation
    ns_residual_operation; /* in[0] + scale * linear(in[1]); ns_residual_options */
NS_API extern const ns_operation
    ns_attention_operation; /* ns_attention, of which a run fills in samples, tokens, mask */
NS_API extern const ns_operation
    ns_probe_operation; /* one query's attention to in[0], keys and values; ns_probe_options */
NS_API extern const ns_operation ns_angles_operation;  /* nothing to angles; ns_rotary_options */
NS_API extern const ns_operation ns_rotate_operation;  /* in[0] = out by in[1]; ns_rotary_options */
NS_API extern const ns_operation ns_columns_operation; /* some of in[0]'s; ns_columns_options */
NS_API extern const ns_operation ns_sum_operation;     /* in[0] + in[1] */
NS_API extern const ns_operation ns_gate_operation;    /* in[0] * in[1] */
NS_API extern const ns_operation ns_pool_operation;    /* ns_pooling */

typedef struct ns_linear_options {
    ns_linear layer;
    ns_activation activation; /* of its output, or NS_NO_ACTIVATION */
    size_t column;            /* of out, where its columns begin */
} ns_linear_options;

typedef struct ns_residual_options {
    ns_linear layer;      /* the branch ends with it */
    const ns_real *scale; /* [W], LayerScale, or NULL */
    size_t branch;        /* its number, for drop path */
} ns_residual_options;

/* Columns of in[0] and of out; `times` stretches of `count`, each `step` of in[0] and count of out behind the one before it. */
typedef struct ns_columns_options {
    size_t from, to, count, times, step;
} ns_columns_options;

typedef struct ns_probe_options {
    ns_attention attention; /* heads, dim */
    const ns_real *query;   /* [H * D] */
} ns_probe_options;

typedef struct ns_rotary_options {
    size_t heads, dim; /* the first heads of a row, and channels of each */
    ns_rotary rotary;
} ns_rotary_options;

#ifdef __cplusplus
}
#endif
#endif
