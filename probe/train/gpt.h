/* A decoder as GPT-2 is one (Radford et al. 2019) as it is trained: token rows, learned positions, pre-norm blocks that look back only, and
 * a head that shares the token rows. Names of its tensors are GPT-2's, and so are the shapes in files: matrices of blocks stand
 * there as [in, out]. */
#ifndef NS_NET_GPT_H
#define NS_NET_GPT_H

#include "probe/train/network.h"

typedef struct ns_gpt_shape {
    size_t context, vocabulary; /* T tokens a sample; V */
    size_t width, depth, heads, hidden;
    const ns_norm_kind *norm;
    double eps;
    ns_activation activation;
} ns_gpt_shape;

/* Input of a sample: T token ids as ns_reals, whole numbers from 0 to V - 1. */
typedef struct ns_gpt {
    ns_network net;
    ns_gpt_shape shape;
    size_t token_rows, positions; /* [V, W], [T, W] in the parameters */
    size_t room;
    const ns_real *input;
    ns_real *memory; /* owned; holds: */
    ns_real *logits, *dlogits, *dz;
} ns_gpt;

extern const ns_network_kind ns_network_gpt;

/* A network with room for its parameters, which are 0. NS_EUSAGE where the shape is none. ns_gpt_free also after a failure. */
int ns_gpt_new(ns_gpt **out, const ns_gpt_shape *shape, ns_error *err);
void ns_gpt_free(ns_gpt *gpt);

/* Memory: what trunk.h says, and 2 V + W values a token. */
int ns_gpt_reserve(ns_gpt *gpt, size_t samples, ns_error *err);

/* logits [N * T, V], valid until the next pass. */
const ns_real *ns_gpt_forward(ns_gpt *gpt, size_t samples, const ns_real *tokens, bool training,
                              ns_keep keep);
/* The loss of the last forward pass: labels [N * T] are the tokens that follow; -1: none. */
ns_loss ns_gpt_loss(ns_gpt *gpt, size_t samples, const int32_t *labels, double smoothing,
                    size_t of);
/* Adds to the gradient of every parameter. */
void ns_gpt_backward(ns_gpt *gpt, size_t samples);

#endif
