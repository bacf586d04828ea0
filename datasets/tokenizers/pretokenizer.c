/* The table of pre-tokenizers. */
#include "datasets/tokenizers/pretokenizers/pretokenizers.h"
#include "datasets/tokenizers/steps.h"

static const ns_step_kind *const kinds[] = {
    &ns_pretokenizer_bert,       &ns_pretokenizer_byte_level,      &ns_pretokenizer_digits,
    &ns_pretokenizer_metaspace,  &ns_pretokenizer_punctuation,     &ns_pretokenizer_split,
    &ns_pretokenizer_whitespace, &ns_pretokenizer_whitespace_split};

int ns_pretokenizers_open(ns_steps *steps, const ns_node *node) {
    return ns_steps_open(steps, node, "pretokenizers", kinds, sizeof kinds / sizeof *kinds);
}
