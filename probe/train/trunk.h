/* Pre-norm transformer blocks and the norm after them: what a ViT and a language model share.
 *
 * R = samples * tokens rows of W channels. Memory for up to `room` samples: (8 W + 2 F) * depth values a row for what the
 * backward pass reads, heads * tokens^2 * depth a sample for attention's weights, and 5 W + max(3 W, F) a row of work. */
#ifndef NS_NET_TRUNK_H
#define NS_NET_TRUNK_H

#include "probe/kernels/kernels.h"
#include "probe/train/parameters.h"
#include "probe/norms/norm.h"

/* Names of modules in a checkpoint. */
typedef struct ns_trunk_names {
    const char *block; /* before a block's number: "blocks." */
    const char *norm1, *qkv, *projection, *norm2, *fc1, *fc2;
    const char *norm; /* after the last block */
    /* Matrices of the blocks stand in files as [in, out], as GPT-2's do, not [out, in]. */
    bool turned;
} ns_trunk_names;
extern const ns_trunk_names ns_names_timm, ns_names_gpt2;

typedef struct ns_trunk_shape {
    size_t tokens, width, depth, heads, hidden; /* T, W, depth, H, F */
    const ns_norm_kind *norm;
    double eps;
    ns_activation activation;
    bool causal;
    const ns_trunk_names *names;
} ns_trunk_shape;

/* What drop path multiplies branches by: factors [2 * depth, stride] with the batch's samples first, as a branch of the network has a
 * row; NULL: nothing is dropped. */
typedef struct ns_keep {
    const ns_real *factors;
    size_t stride;
} ns_keep;

/* A norm's arrays in the parameters, NS_NOWHERE where it has none; and its input in the pass that was made last. */
typedef struct ns_trunk_site {
    char name[40];
    bool attention, final; /* what it stands before; neither: the MLP */
    size_t gamma, beta, alpha, shift, mean, variance;
    const ns_real *x;       /* [R, W] */
    ns_real *mean_, *rstd_; /* [R], or [W] of the batch */
} ns_trunk_site;

typedef struct ns_trunk_linear {
    size_t weight, bias;
} ns_trunk_linear;

typedef struct ns_trunk_block {
    ns_trunk_linear qkv, projection, fc1, fc2;
    /* Of the last pass: */
    ns_real *x, *z1, *qkv_, *weights, *attended, *middle, *z2, *slope, *active;
} ns_trunk_block;

typedef struct ns_trunk {
    ns_trunk_shape shape;
    ns_parameters *parameters; /* borrowed */
    ns_trunk_site *sites;      /* [2 * depth + 1]: norm1 and norm2 of each block, and the last */
    int site_count;
    ns_trunk_block *blocks; /* [depth] */
    size_t room;            /* samples that the memory below is for */
    ns_real *memory;        /* owned; all of the following lie in it */
    ns_real *out;           /* [R, W], after the last block */
    ns_real *z;             /* [R, W], after the last norm */
    ns_real *dx, *dz, *dwide, *spare, *work, *scratch;
    bool batch_statistics; /* the last pass was one of training */
    ns_keep keep;          /* of the last pass */
    bool hold_running;     /* a pass of training leaves running statistics as they are */
    double *
        arriving; /* [site_count], borrowed, or NULL: set to the norm of each site's dz by a backward pass */
} ns_trunk;

/* Adds the tensors of blocks and norms to `parameters`, learned ones only; ns_trunk_add_running adds the others. */
int ns_trunk_new(ns_trunk *trunk, const ns_trunk_shape *shape, ns_parameters *parameters,
                 ns_error *err);
int ns_trunk_add_running(ns_trunk *trunk, ns_error *err);
void ns_trunk_free(ns_trunk *trunk);

/* Room for so many samples; moves everything when it grows. */
int ns_trunk_reserve(ns_trunk *trunk, size_t samples, ns_error *err);

/* Where the embedding goes, [R, W]. */
ns_real *ns_trunk_input(ns_trunk *trunk);

/* Runs the blocks on what stands in the input. training: norms over the batch use its statistics, and move the running ones
 * (by a tenth, as PyTorch does). keep must stay until the backward pass. Gives z [R, W]. */
const ns_real *ns_trunk_forward(ns_trunk *trunk, size_t samples, bool training, ns_keep keep);

/* Adds to the gradient of every parameter; dz [R, W] is the gradient of z. Gives that of the input, [R, W], valid until the next
 * pass. After a forward pass with training. */
ns_real *ns_trunk_backward(ns_trunk *trunk, size_t samples, const ns_real *dz);

/* A site's layer with the parameters as they are, and where its gradients are added. */
ns_norm ns_trunk_norm(const ns_trunk *trunk, int site);
ns_norm_gradient ns_trunk_norm_gradient(const ns_trunk *trunk, int site);

#endif
