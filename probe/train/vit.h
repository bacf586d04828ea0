/* The Vision Transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929) as it is trained: patch embedding, class token, learned
 * positions, pre-norm blocks, a linear head on the class token. Names and shapes of its tensors are timm's. */
#ifndef NS_NET_VIT_H
#define NS_NET_VIT_H

#include "probe/train/network.h"

typedef struct ns_vit_shape {
    size_t channels, height, width,
        patch; /* of the image; height and width are multiples of patch */
    size_t embed, depth, heads, hidden, classes;
    const ns_norm_kind *norm;
    double eps;
    ns_activation activation;
} ns_vit_shape;

typedef struct ns_vit {
    ns_network net;
    ns_vit_shape shape;
    size_t patches, tokens;
    size_t class_row, positions, embedding_weight, embedding_bias, head_weight, head_bias;
    size_t room;
    ns_real *memory; /* owned; holds: */
    ns_real *columns, *embedded, *pooled, *logits, *dlogits, *dpooled, *dz, *work;
} ns_vit;

extern const ns_network_kind ns_network_vit;

/* A network with room for its parameters, which are 0. NS_EUSAGE where the shape is none. ns_vit_free also after a failure. */
int ns_vit_new(ns_vit **out, const ns_vit_shape *shape, ns_error *err);
void ns_vit_free(ns_vit *vit);

/* Room for a batch; the memory is what trunk.h says, and per sample channels * height * width +
 * (patches + tokens + 2) * W + 2 * classes. */
int ns_vit_reserve(ns_vit *vit, size_t samples, ns_error *err);

/* logits [N, classes] of pixels [N, C, h, w]; valid until the next pass. See ns_trunk_forward for training and keep. */
const ns_real *ns_vit_forward(ns_vit *vit, size_t samples, const ns_real *pixels, bool training,
                              ns_keep keep);
/* The loss of the last forward pass, divided by `of` samples: those of the batch that these are a part of. */
ns_loss ns_vit_loss(ns_vit *vit, size_t samples, const int32_t *labels, double smoothing,
                    size_t of);
/* Adds to the gradient of every parameter, after a forward pass with training and its loss. */
void ns_vit_backward(ns_vit *vit, size_t samples);

#endif
