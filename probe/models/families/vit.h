/* The Vision Transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929), pre-LN: its description, for whoever reads one (vit.c) or
 * trains one (probe/train/arch_vit.c). */
#ifndef NS_FAMILIES_VIT_H
#define NS_FAMILIES_VIT_H

#include "probe/models/blocks.h"

typedef enum ns_vit_positions {
    NS_NO_POSITIONS,
    NS_POSITIONS_OF_ALL,    /* [1, T, W] */
    NS_POSITIONS_OF_PATCHES /* [1, P, W] */
} ns_vit_positions;

typedef struct ns_vit_spec {
    ns_patch_grid grid;
    bool flat_patch; /* the embedding stands in files as a matrix, not as a convolution */
    bool class_token;
    size_t registers;
    ns_vit_positions positions;
    bool norm_pre, norm, pooled_norm; /* which norms outside of the blocks there are */
    bool mean_pooling;
    size_t pool_from; /* mean pooling is over tokens pool_from and up */
    size_t classes;   /* 0: no head */
    ns_block_spec blocks;
} ns_vit_spec;

size_t ns_vit_patches(const ns_vit_spec *spec); /* P */
size_t ns_vit_tokens(const ns_vit_spec *spec);  /* T */

/* Adds the network's steps, sites and head; builder->network is empty. Gives builder->status. */
int ns_vit_build(ns_builder *b, const ns_vit_spec *spec, const ns_naming *naming);

extern const ns_names ns_names_timm;

#endif
