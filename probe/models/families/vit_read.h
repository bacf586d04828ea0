/* Reading a Vision Transformer from a checkpoint, for the families that are one: what its shapes, config.json and the library's habits
 * say becomes a description (vit.h). */
#ifndef NS_FAMILIES_VIT_READ_H
#define NS_FAMILIES_VIT_READ_H

#include "probe/models/families/vit.h"
#include "probe/models/reading.h"

/* What a library does where nothing says so. */
typedef struct ns_vit_usual {
    const ns_names *names;
    double eps;
    bool patch_last;          /* a linear patch embedding's columns are (p1 p2 c), else (c p1 p2) */
    bool class_pooled;        /* a norm of the pooled row is no sign of mean pooling */
    bool mean_of_all;         /* mean pooling takes the class token in */
    bool registers_unplaced;  /* positions are of the class token and the patches alone */
    bool head_beside;         /* a head is given the mean of the tokens, beside the pooled norm */
    bool flat_tokens;         /* see the description's */
    bool head_of_two;         /* a head may see the class token beside the mean of the patches */
    bool any_size;            /* images come in the size that they are made ready in */
    bool antialias;           /* how positions are resampled: the filter, */
    double offset;            /* and what is added to the sides of the grid */
    bool gate_is_silu;        /* a gated MLP's function, whatever config.json calls the other's */
    ns_pixel_defaults pixels; /* how its usual checkpoints were evaluated */
} ns_vit_usual;

/* A ViT while it is read. Functions give 0 or a described failure. */
typedef struct ns_vit_opening {
    ns_reading *r;
    ns_vit_usual usual;
    ns_vit_spec spec;       /* blocks.heads: where the architecture's name tells them */
    const char *activation; /* where config.json does not say */
} ns_vit_opening;

/* The usual of the reading's scheme among `count`. */
ns_vit_usual ns_vit_usual_of(const ns_reading *r, const ns_vit_usual *usuals, size_t count);

/* Everything from the norms to the built network. `family`: "ViT", for messages. */
int ns_vit_open(ns_vit_opening *o, const char *family);

/* vit_grid.c: class token, registers, positions, and the image; the patch and the width are read. */
int ns_vit_read_tokens(ns_vit_opening *o);
/* vit_end.c: norms behind the blocks, pooling and head. */
int ns_vit_read_end(ns_vit_opening *o);

#endif
