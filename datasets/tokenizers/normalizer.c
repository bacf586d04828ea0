/* The table of normalizers. */
#include "datasets/tokenizers/normalizers/normalizers.h"
#include "datasets/tokenizers/steps.h"

static const ns_step_kind *const kinds[] = {&ns_normalizer_bert};

int ns_normalizers_open(ns_steps *steps, const ns_node *node) {
    return ns_steps_open(steps, node, "normalizers", kinds, sizeof kinds / sizeof *kinds);
}
