/* Cutting a piece where something matches, with what becomes of the matches said by a behavior. */
#ifndef NS_TOKENIZERS_SPLIT_H
#define NS_TOKENIZERS_SPLIT_H

#include "datasets/tokenizers/kinds.h"

/* In the order of NS_SPLIT_BEHAVIORS. "a-b--c" cut at "-": */
typedef enum ns_split_behavior {
    NS_SPLIT_REMOVED,              /* a b c */
    NS_SPLIT_ISOLATED,             /* a - b - - c */
    NS_SPLIT_MERGED_WITH_PREVIOUS, /* a- b- - c */
    NS_SPLIT_MERGED_WITH_NEXT,     /* a -b - -c */
    NS_SPLIT_CONTIGUOUS            /* a - b -- c */
} ns_split_behavior;
#define NS_SPLIT_BEHAVIORS "Removed|Isolated|MergedWithPrevious|MergedWithNext|Contiguous"

/* Set cuts and behavior, the rest zero. */
typedef struct ns_split {
    ns_cuts *cuts;
    ns_split_behavior behavior;
    bool held, held_matches;
    size_t begin, end; /* of what is held */
} ns_split;

/* The stretches of a piece one after the other, all of it; ns_split_end after the last. */
int ns_split_put(ns_split *split, size_t begin, size_t end, bool matches, ns_error *err);
int ns_split_end(ns_split *split, ns_error *err);

/* Each character of the class is a match. */
int ns_split_class(bool (*in_class)(int32_t c), ns_split_behavior behavior, const ns_flow *flow,
                   const ns_cut *piece, ns_cuts *cuts, ns_error *err);

#endif
