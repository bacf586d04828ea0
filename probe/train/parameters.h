/* The parameters of a network: one block of values, one of gradients, and a table of who lies where. */
#ifndef NS_NET_PARAMETERS_H
#define NS_NET_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/base/real.h"

/* No such tensor. */
#define NS_NOWHERE ((size_t)-1)

typedef struct ns_parameter {
    char name[48]; /* as it stands in a checkpoint */
    int dims;
    int64_t shape[4];
    size_t at, count; /* values, in the blocks below */
    bool turned;      /* in a checkpoint its rows and columns are exchanged */
    bool
        decays; /* weight decay acts on it: matrices, not biases, norms or embeddings of positions */
} ns_parameter;

typedef struct ns_parameters {
    ns_parameter *items; /* [count], owned */
    int count, room;
    int learned_count; /* the first of them are learned; the rest are running statistics */
    size_t learned, total;
    ns_real *values; /* [total], owned unless borrowed; between tensors lie zeros that stay so */
    bool borrowed;
    ns_real *gradient; /* [learned], owned */
} ns_parameters;

/* Adds a tensor and tells where it will lie in *at. All learned ones come before the first running statistic. */
int ns_parameters_add(ns_parameters *p, bool learned, bool decays, int dims, const int64_t *shape,
                      size_t *at, ns_error *err, const char *name, ...) NS_PRINTF(8, 9);
/* Makes the two blocks, zeroed, when all tensors are added. */
int ns_parameters_allocate(ns_parameters *p, ns_error *err);
/* Gives up its own values for those of another with the same table, which must outlive it. */
void ns_parameters_borrow(ns_parameters *p, const ns_parameters *of);
void ns_parameters_free(ns_parameters *p);

/* Number of learned values, without what fills up. */
size_t ns_parameters_learned(const ns_parameters *p);

#endif
