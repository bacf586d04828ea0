/* The Vision Transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929), pre-LN. What vit_open.c reads and vit.c runs. */
#ifndef NS_MODELS_VIT_H
#define NS_MODELS_VIT_H

#include "probe/models/model.h"
#include "probe/models/reading.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The parts of a ViT, as a naming scheme calls them. */
typedef enum vit_part {
    VIT_CLASS,       /* tensor [1, 1, W] */
    VIT_REGISTERS,   /* tensor [1, R, W] */
    VIT_POSITIONS,   /* tensor [1, L, W] */
    VIT_PATCH,       /* linear: [W, C, p, p], or [W, p*p*C] */
    VIT_NORM_PRE,    /* norm */
    VIT_NORM1,       /* norm */
    VIT_QKV,         /* linear, [3*H*D, W] */
    VIT_Q,           /* linear, [H*D, W], where there is no VIT_QKV; */
    VIT_K,           /* likewise */
    VIT_V,           /* likewise */
    VIT_PROJECTION,  /* linear, [W, H*D] */
    VIT_SCALE1,      /* tensor [W], LayerScale */
    VIT_NORM2,       /* norm */
    VIT_FC1,         /* linear, [F, W] */
    VIT_FC2,         /* linear, [W, F] */
    VIT_SCALE2,      /* tensor [W] */
    VIT_NORM,        /* norm of all tokens after the last block */
    VIT_POOLED_NORM, /* norm of the one pooled row */
    VIT_HEAD,        /* linear, [classes, W] */
    VIT_UNUSED,      /* beginning of the names that have no effect on any site */
    VIT_PARTS
} vit_part;

/* One naming scheme. Templates: %d is the block, @ the prefix, | separates alternatives; norms are module paths, linear
 * layers end where "weight" and "bias" follow, tensors are whole names; NULL: the scheme has no such part. */
typedef struct vit_scheme {
    const char *name;
    const char *prefixes; /* "vit.|deit.|": what @ may stand for, the empty one last */
    const char *parts[VIT_PARTS];
    double eps;             /* where config.json says nothing: the library's own */
    bool patch_last;        /* a linear patch embedding's columns are (p1 p2 c), else (c p1 p2) */
    bool class_pooled;      /* VIT_POOLED_NORM is no sign of mean pooling */
    bool mean_of_all;       /* mean pooling takes the class token in */
    bool turned;            /* matrices of blocks lie as [in, out] */
    const char *activation; /* where config.json says nothing; NULL: gelu */
} vit_scheme;

typedef struct vit_name {
    char text[192];
} vit_name;

/* The scheme whose first block the weights have, and its prefix; NULL where there is none. */
const vit_scheme *vit_find_scheme(const ns_weights *weights, const char **prefix, int *prefix_len);
const vit_scheme *vit_schemes(int *count);

/* The name of `part` in block `block`, + `suffix`: the alternative that the weights have, else the first. False: the
 * weights have none of them. */
bool vit_part_name(const ns_weights *weights, const vit_scheme *scheme, const char *prefix,
                   int prefix_len, vit_part part, int block, const char *suffix, vit_name *out);

typedef struct vit_linear {
    const float *weight; /* [out, in], or turned [in, out], as it lies in the file */
    const float *bias;   /* [out] or NULL */
    bool turned;
} vit_linear;

typedef struct vit_block {
    int norm1, norm2;  /* sites, from 0 */
    vit_linear qkv[3]; /* only the first where they are fused */
    vit_linear projection, fc1, fc2;
    const float *scale1, *scale2; /* [W] or NULL */
} vit_block;

typedef void (*vit_activation)(float *values, size_t count);

typedef struct vit {
    int width, depth, heads, head_dim, hidden;
    bool causal;        /* a token sees itself and those before it */
    const float *words; /* [vocabulary, W]: tokens are words, not patches; else NULL */
    int vocabulary;
    int patch, grid_height, grid_width, patches;
    int registers, tokens; /* tokens = class + registers + patches */
    bool class_token, fused_qkv, patch_last, mean_pooling;
    int pool_from; /* mean pooling is over tokens pool_from and up */
    vit_activation activation;
    int norm_pre, norm, pooled_norm; /* sites, from 0; -1: none */
    vit_linear embedding, head;
    const float *class_row, *register_rows; /* [W], [R, W] */
    const float *positions;                 /* [patches or tokens, W] or NULL */
    bool positions_of_all;                  /* positions [tokens, W] */
    vit_block *blocks;                      /* [depth] */
    int32_t *position_ids;                  /* [tokens]: 0, 1, ... */
    /* For a batch of up to `room` samples, grown by vit_reserve: */
    size_t room;
    float *x;                 /* [room * tokens, W], the residual stream */
    float *z;                 /* [room * tokens, max(W, H*D)], a norm's output, then attention's */
    float *y;                 /* [room * tokens, W], what observers are shown */
    float *wide;              /* [room * tokens, max(3*H*D, F, C*p*p)] */
    float *scores;            /* [threads, tokens, tokens] */
    float *pooled, *pooled_z; /* [room, W] */
    uint8_t *kinds;           /* [room * tokens] */
    uint8_t *pooled_kinds;    /* [room] */
    int threads;
} vit;

/* Fills model and its state from the weights. */
int vit_open(ns_model *model, ns_error *err);
void vit_close(ns_model *model);
/* ns_model_kind.forward. */
int vit_forward(ns_model *model, const ns_batch *batch, const ns_observer *observer, int last_site,
                float *logits, ns_error *err);

/* Activations over `count` values in place, one thread. */
void vit_gelu_erf(float *values, size_t count);
void vit_gelu_tanh(float *values, size_t count);
void vit_relu(float *values, size_t count);

/* Kernels; shapes as in vit. All threads unless said otherwise. */
/* pixels [N, C, h, w] to rows [N * patches, C*p*p], columns (c p1 p2), or (p1 p2 c). */
void vit_unfold(const vit *v, int channels, const float *pixels, size_t samples, float *rows);
/* x [N * tokens, W] from embedded patches [N * patches, W]: bias, class, registers, positions. */
void vit_assemble(const vit *v, const float *embedded, size_t samples, float *x);
/* Every row of out [rows, n] becomes bias [n], so that a product can be added to it. */
void vit_fill_rows(float *out, const float *bias, size_t rows, size_t n);
/* Every row of x [rows, n] += bias [n]. */
void vit_add_rows(float *x, const float *bias, size_t rows, size_t n);
/* x [rows, n] += scale [n] * t. */
void vit_add_scaled(float *x, const float *t, const float *scale, size_t rows, size_t n);
void vit_activate(vit_activation f, float *values, size_t count);
/* Softmax of each row of scores [rows, n] in place, by one thread; causal: row r of its first r + 1, and 0 behind them. */
void vit_softmax(float *scores, size_t rows, size_t n, bool causal);
/* x [N * tokens, W]: the row of each word of ids [N * tokens], whole numbers, and its position's. NS_EINPUT where the vocabulary has no such
 * word. */
int vit_place_words(const vit *v, const float *ids, size_t samples, float *x, ns_error *err);
/* pooled [N, W]: the class token's rows of t [N * tokens, W], or the mean of its tokens' rows from pool_from up. */
void vit_pool(const vit *v, const float *t, size_t samples, float *pooled);

#ifdef __cplusplus
}
#endif
#endif
