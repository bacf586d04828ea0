/* The table of normalizers. */
#include "datasets/tokenizers/normalizers/normalizers.h"
#include "datasets/tokenizers/steps.h"

static const ns_step_kind *const kinds[] = {
    &ns_normalizer_bert,    &ns_normalizer_byte_level,  &ns_normalizer_lowercase,
    &ns_normalizer_nfc,     &ns_normalizer_nfd,         &ns_normalizer_nfkc,
    &ns_normalizer_nfkd,    &ns_normalizer_precompiled, &ns_normalizer_prepend,
    &ns_normalizer_replace, &ns_normalizer_strip,       &ns_normalizer_strip_accents};

int ns_normalizers_open(ns_steps *steps, const ns_node *node) {
    return ns_steps_open(steps, node, "normalizers", kinds, sizeof kinds / sizeof *kinds);
}
