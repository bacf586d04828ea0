/* A ViT while it is read from a checkpoint: what vit_open.c, vit_embedding.c and vit_norms.c share. */
#ifndef NS_MODELS_VIT_OPENING_H
#define NS_MODELS_VIT_OPENING_H

#include "probe/models/vit.h"

typedef struct vit_opening {
    ns_reading reading;
    ns_weights *weights;
    vit *v;
    const vit_scheme *scheme;
    const char *prefix;
    int prefix_len;
    float eps;
    const char *norm; /* what config.json calls the norm, or NULL */
    ns_source norm_from;
    int site_room;
    bool biased_qkv;
} vit_opening;

/* vit_part_name with the weights and the scheme that are being read. */
static inline bool vit_opening_name(const vit_opening *o, vit_part part, int block,
                                    const char *suffix, vit_name *out) {
    return vit_part_name(o->weights, o->scheme, o->prefix, o->prefix_len, part, block, suffix, out);
}

/* A tensor of that shape (-1: any), borrowed from the weights; *out stays as it is where the scheme has none. */
int vit_opening_tensor(vit_opening *o, vit_part part, int block, int dims, const int64_t *shape,
                       const float **out);
/* Patch, channels, width and the embedding's weights. */
int vit_opening_embedding(vit_opening *o);
/* The class token, registers, positions, the grid of patches and the size of an image; patch and width are set. */
int vit_opening_tokens(vit_opening *o);
/* Heads, hidden values, activation and all blocks, whose sites are added; width and tokens are set. */
int vit_opening_blocks(vit_opening *o);
/* eps, and the norm that config.json names. */
int vit_opening_norms(vit_opening *o);

/* Adds the site of a norm; *index is its number from 0, or -1 where the checkpoint has no such norm. */
int vit_opening_site(vit_opening *o, vit_part part, int block, ns_role role, int positions,
                     bool required, int *index);

#endif
