/* Opening lists of steps, for the two tables of them. */
#ifndef NS_TOKENIZERS_STEPS_H
#define NS_TOKENIZERS_STEPS_H

#include "datasets/tokenizers/kinds.h"

struct ns_step {
    const ns_step_kind *kind;
    void *state;
};

/* Appends what the node says: one of the `count` kinds, or a Sequence of them, which stand in its `list`. */
int ns_steps_open(ns_steps *steps, const ns_node *node, const char *list,
                  const ns_step_kind *const *kinds, size_t count);

/* NS_EINPUT: the node's type is none of these names. */
int ns_unknown_type(const ns_node *node, const char *(*name)(const void *user, size_t i),
                    const void *user, size_t count);

#endif
