/* A network as the trainer and the benchmark see it: parameters, a trunk, and what its kind does before and after the trunk. One kind,
 * one file of this folder; the first member of its struct is an ns_network. */
#ifndef NS_NET_NETWORK_H
#define NS_NET_NETWORK_H

#include "probe/train/trunk.h"

typedef struct ns_network ns_network;

/* How a new network begins. */
typedef struct ns_start {
    uint64_t seed;
    double deviation;       /* of weights; 0: 0.02 sqrt(768 / width) */
    double alpha;           /* of all sites but those before attention; NaN: the kind's own */
    double alpha_attention; /* of sites before attention; NaN: alpha */
} ns_start;

typedef struct ns_network_kind {
    const char *name; /* "vit" */
    /* Another one of the same shape that uses the values of `network` and has gradients and memory of its own. */
    int (*twin)(ns_network **out, const ns_network *network, ns_error *err);
    /* Sets all parameters by the seed. */
    void (*initialize)(ns_network *network, const ns_start *start);
    /* Room for so many samples. */
    int (*reserve)(ns_network *network, size_t samples, ns_error *err);
    /* input [samples, input_bytes]. For training and keep see ns_trunk_forward. */
    void (*forward)(ns_network *network, size_t samples, const void *input, bool training,
                    ns_keep keep);
    /* Of the last forward pass; labels [samples, labels]. `of`: labels in the whole batch, by which sums are divided. */
    ns_loss (*loss)(ns_network *network, size_t samples, const int32_t *labels, double smoothing,
                    size_t of);
    /* Adds to the gradient of every parameter, after a forward pass with training and its loss. */
    void (*backward)(ns_network *network, size_t samples);
    void (*close)(ns_network *network);
} ns_network_kind;

struct ns_network {
    const ns_network_kind *kind;
    ns_parameters parameters; /* owned */
    ns_trunk trunk;
    size_t input_bytes; /* of a sample */
    size_t labels;      /* of a sample */
    size_t classes;
};

/* start.c: what ns_network_kind.initialize does, see there for the distributions. */
void ns_start_vit(ns_network *network, const ns_start *start);
void ns_start_gpt(ns_network *network, const ns_start *start);

/* NULL is allowed. */
void ns_network_close(ns_network *network);

/* A batch spread over threads: each has a twin of the network and runs forward and backward through pieces of the batch, so that what
 * it touches stays in its caches, and matrix products need no threads of their own. Where a norm looks at the whole
 * batch, the network itself runs it, and threads share each layer.
 *
 * The order of sums depends on the number of threads and the size of a piece alone. Memory: for each thread what the network needs
 * for NS_PIECE_ROWS rows, and its gradients. */
typedef struct ns_team {
    ns_network *whole;    /* borrowed */
    ns_network **members; /* [count], owned; none where the whole must run */
    ns_loss *losses;      /* [count], owned: of the members' pieces */
    int count;
    size_t piece; /* samples */
} ns_team;

enum { NS_PIECE_ROWS = 544 };

/* The whole network must have room for a batch. Free with ns_team_free, also after a failure. */
int ns_team_new(ns_team *team, ns_network *whole, ns_error *err);
void ns_team_free(ns_team *team);

/* Loss and hits of a batch; its gradient in whole->parameters.gradient. keep as for the whole batch. */
ns_loss ns_team_train(ns_team *team, size_t samples, const void *input, const int32_t *labels,
                      double smoothing, ns_keep keep);
/* The same without gradients, with running statistics, nothing dropped. */
ns_loss ns_team_evaluate(ns_team *team, size_t samples, const void *input, const int32_t *labels);

#endif
