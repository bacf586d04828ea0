/* A network that is trained: parameters, the network that probe/models builds from them, and a run of it that keeps what a backward pass
 * needs. A ViT or a GPT; the passes know neither. */
#ifndef NS_TRAIN_TRAINEE_H
#define NS_TRAIN_TRAINEE_H

#include "probe/models/families/gpt.h"
#include "probe/models/families/vit.h"
#include "probe/train/parameters.h"

typedef struct ns_vit_shape {
    size_t channels, height, width, patch; /* of an image, [C, h, w] */
    size_t embed, depth, heads, hidden;    /* W, blocks, H, F */
    size_t classes;
    const ns_norm_kind *norm;
    double eps;
    ns_activation activation;
} ns_vit_shape;

typedef struct ns_gpt_shape {
    size_t context, vocabulary; /* T tokens a sample; V */
    size_t width, depth, heads, hidden;
    const ns_norm_kind *norm;
    double eps;
    ns_activation activation;
} ns_gpt_shape;

typedef struct ns_trainee {
    bool words;      /* a GPT, else a ViT */
    ns_vit_spec vit; /* one of the two */
    ns_gpt_spec gpt;
    ns_parameters parameters;
    ns_network network;
    ns_run run;
    size_t tokens;      /* T of a sample */
    size_t input_bytes; /* of a sample: pixels [C, h, w], or ids [T] as int32 */
    size_t labels;      /* of a sample */
    size_t classes;
    size_t room;                 /* samples that logits are for */
    ns_real *logits, *dlogits;   /* [labels, classes], owned, one block */
    ns_batch batch;              /* of the last pass */
    const ns_observer *observer; /* of passes, or NULL */
    bool hold_running;           /* a pass of training leaves running statistics as they are */
    bool failed;                 /* the last pass could not be made */
} ns_trainee;

/* How a new network begins: see start.c. */
typedef struct ns_start {
    uint64_t seed;
    double deviation;       /* of weights; 0: 0.02 sqrt(768 / width) */
    double alpha;           /* of all sites but those before attention; NaN: the kind's own */
    double alpha_attention; /* of sites before attention; NaN: alpha */
} ns_start;
void ns_trainee_initialize(ns_trainee *t, const ns_start *start);

/* A network with room for its parameters, which are 0. NS_EUSAGE where the shape is none. ns_trainee_free also after a failure; NULL is
 * allowed. */
int ns_vit_new(ns_trainee **out, const ns_vit_shape *shape, ns_error *err);
int ns_gpt_new(ns_trainee **out, const ns_gpt_shape *shape, ns_error *err);
/* Another one of the same shape that uses the values of `of`, and has gradients and memory of its own. */
int ns_trainee_twin(ns_trainee **out, const ns_trainee *of, ns_error *err);
void ns_trainee_free(ns_trainee *t);

/* The description of its blocks. */
const ns_block_spec *ns_trainee_blocks(const ns_trainee *t);

/* Room for so many samples. Memory: every buffer of the network, gradients of the widest few, attention's weights, two times the logits. */
int ns_trainee_reserve(ns_trainee *t, size_t samples, ns_error *err);

/* input [samples, input_bytes]. training: norms over the batch use its statistics, and move the running ones (by a tenth, as PyTorch does).
 * keep must stay until the backward pass. Gives the logits [samples * labels, classes], valid until the next pass. */
const ns_real *ns_trainee_forward(ns_trainee *t, size_t samples, const void *input, bool training,
                                  ns_keep keep);
/* Of the last forward pass; labels [samples, labels], below 0: none. `of`: labels in the whole batch, by which sums are divided. */
ns_loss ns_trainee_loss(ns_trainee *t, const int32_t *labels, double smoothing, size_t of);
/* Adds to the gradient of every parameter, after a forward pass with training and its loss. */
void ns_trainee_backward(ns_trainee *t);

/* A batch spread over threads: each has a twin of the network and runs forward and backward through pieces of the batch, so that what
 * it touches stays in its caches, and matrix products need no threads of their own. Where a norm looks at the whole
 * batch, the network itself runs it, and threads share each layer.
 *
 * The order of sums depends on the number of threads and the size of a piece alone. Memory: for each thread what the network needs
 * for NS_PIECE_ROWS rows, and its gradients. */
typedef struct ns_team {
    ns_trainee *whole;    /* borrowed */
    ns_trainee **members; /* [count], owned; none where the whole must run */
    ns_loss *losses;      /* [count], owned: of the members' pieces */
    int count;
    size_t piece; /* samples */
} ns_team;

enum { NS_PIECE_ROWS = 544 };

/* The whole network must have room for a batch. Free with ns_team_free, also after a failure. */
int ns_team_new(ns_team *team, ns_trainee *whole, ns_error *err);
void ns_team_free(ns_team *team);

/* Loss and hits of a batch; its gradient in whole->parameters.gradient. keep as for the whole batch. */
ns_loss ns_team_train(ns_team *team, size_t samples, const void *input, const int32_t *labels,
                      double smoothing, ns_keep keep);
/* The same without gradients, with running statistics, nothing dropped. */
ns_loss ns_team_evaluate(ns_team *team, size_t samples, const void *input, const int32_t *labels);

#endif
