/* A decoder as GPT-2 is one (Radford et al. 2019): its description, for whoever reads one (gpt.c) or trains one
 * (probe/train/arch_gpt.c). */
#ifndef NS_FAMILIES_GPT_H
#define NS_FAMILIES_GPT_H

#include "probe/models/blocks.h"

typedef struct ns_gpt_spec {
    size_t context, vocabulary; /* longest sample; words */
    ns_block_spec blocks;
} ns_gpt_spec;

/* Adds the network's steps, sites and head, which shares the rows of words. Gives builder->status. */
int ns_gpt_build(ns_builder *b, const ns_gpt_spec *spec, const ns_naming *naming);

extern const ns_names ns_names_gpt2;

#endif
