/* The table of pre-tokenizers. */
#include "datasets/tokenizers/pretokenizers/pretokenizers.h"
#include "datasets/tokenizers/steps.h"

static const ns_step_kind *const kinds[] = {&ns_pretokenizer_bert};

int ns_pretokenizers_open(ns_steps *steps, const ns_node *node) {
    return ns_steps_open(steps, node, "pretokenizers", kinds, sizeof kinds / sizeof *kinds);
}
