/* The Vision Transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929), pre-LN: its description, for whoever reads one (vit_read.h) or
 * trains one (probe/train/arch_vit.c). */
#ifndef NS_FAMILIES_VIT_H
#define NS_FAMILIES_VIT_H

#include "probe/models/blocks.h"

typedef enum ns_vit_positions {
    NS_NO_POSITIONS,
    NS_POSITIONS_OF_ALL,     /* [1, T, W] */
    NS_POSITIONS_OF_PATCHES, /* [1, P, W] */
    NS_POSITIONS_BUT_OF_REGISTERS
} ns_vit_positions;

/* What a head sees of the tokens: one row, or two side by side. */
typedef enum ns_vit_pool {
    NS_POOL_CLASS,
    NS_POOL_MEAN,           /* of tokens pool_from and up */
    NS_POOL_CLASS_AND_MEAN, /* [2*W] */
    NS_POOL_PROBE,    /* what a learned query attends to, through an MLP with a norm of its own */
    NS_POOL_TWO_HEADS /* the class token and the distillation token, whose heads' mean is the logits */
} ns_vit_pool;

typedef struct ns_vit_spec {
    ns_patch_grid grid;
    bool flat_patch; /* the embedding stands in files as a matrix, not as a convolution */
    bool class_token, distillation_token;
    size_t registers;
    ns_vit_positions positions;
    bool resampled; /* the positions of patches stand in files for another grid */
    ns_resampling resampling;
    bool norm_pre, norm, pooled_norm; /* which norms outside of the blocks there are */
    ns_vit_pool pool;
    size_t pool_from;
    size_t probe_hidden; /* values inside the probe's MLP */
    bool head_beside; /* the head is given the mean of the tokens, whatever the pooled norm is of */
    bool flat_tokens; /* the class token stands in files as [W], positions as [T, W] */
    size_t classes;   /* 0: no head */
    ns_block_spec blocks;
} ns_vit_spec;

size_t ns_vit_patches(const ns_vit_spec *spec); /* P */
size_t ns_vit_tokens(const ns_vit_spec *spec);  /* T */

/* Adds the network's steps, sites and head; builder->network is empty. Gives builder->status. */
int ns_vit_build(ns_builder *b, const ns_vit_spec *spec, const ns_naming *naming);

/* vit_probe.c: the pooled row of NS_POOL_PROBE, from the tokens x. */
int ns_vit_build_probe(ns_builder *b, const ns_vit_spec *spec, const ns_naming *naming, int x);

/* Tokens before the patches. */
size_t ns_vit_extra(const ns_vit_spec *spec);

extern const ns_names ns_names_timm;

#endif
