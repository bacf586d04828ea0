/* The parameters of a network: one block of values, one of gradients, and a table of who lies where. They are a source to build a network
 * from: the first time they are added, in the order in which they are asked for; when the blocks are made, the same asking gives the places. */
#ifndef NS_TRAIN_PARAMETERS_H
#define NS_TRAIN_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/models/build.h"

typedef struct ns_parameter {
    char name[48]; /* as it stands in a checkpoint */
    int dims;
    int64_t shape[4];
    size_t at, count; /* values, in the blocks below */
    bool turned;      /* in a checkpoint its rows and columns are exchanged */
    bool
        decays; /* weight decay acts on it: matrices, not biases, norms or embeddings of positions */
} ns_parameter;

typedef struct ns_parameter_list {
    ns_parameter *items; /* [count], owned */
    int count, room;
    int next; /* that is asked for */
} ns_parameter_list;

typedef struct ns_parameters {
    const ns_norm_kind *norm; /* of every new norm, with eps */
    double eps;
    ns_parameter_list learning, running; /* while they are added; then the second is empty */
    ns_parameter *items;                 /* [count], owned, when they are allocated */
    int count;
    int learned_count; /* the first of them are learned; the rest are running statistics */
    size_t learned, total;
    ns_real *values; /* [total], owned unless borrowed; between tensors lie zeros that stay so */
    bool borrowed;
    ns_real *gradient; /* [learned], owned */
} ns_parameters;

ns_source ns_parameters_source(ns_parameters *p);

/* Makes the two blocks, zeroed, when all tensors are added; with `of`, which has the same table and must outlive it, its values. */
int ns_parameters_allocate(ns_parameters *p, const ns_parameters *of, ns_error *err);
void ns_parameters_free(ns_parameters *p);

/* Number of learned values, without what fills up. */
size_t ns_parameters_learned(const ns_parameters *p);

#endif
