/* RoBERTa (Liu et al. 2019, arXiv 1907.11692), XLM-RoBERTa (Conneau et al., ACL 2020, arXiv 1911.02116) and CamemBERT with Hugging Face's names: a
 * BERT whose positions are counted from the padding's word on. */
#include "probe/models/families/bert.h"

#define BLOCK "@encoder.layer.%d."

static const ns_names names = {
    .name = "huggingface",
    .prefixes = "roberta.|",
    .parts = {[NS_PART_WORDS] = "@embeddings.word_embeddings.weight",
              [NS_PART_POSITIONS] = "@embeddings.position_embeddings.weight",
              [NS_PART_TYPES] = "@embeddings.token_type_embeddings.weight",
              [NS_PART_NORM_PRE] = "@embeddings.LayerNorm",
              [NS_PART_Q] = BLOCK "attention.self.query.",
              [NS_PART_K] = BLOCK "attention.self.key.",
              [NS_PART_V] = BLOCK "attention.self.value.",
              [NS_PART_PROJECTION] = BLOCK "attention.output.dense.",
              [NS_PART_NORM1] = BLOCK "attention.output.LayerNorm",
              [NS_PART_FC1] = BLOCK "intermediate.dense.",
              [NS_PART_FC2] = BLOCK "output.dense.",
              [NS_PART_NORM2] = BLOCK "output.LayerNorm",
              [NS_PART_TRANSFORM] = "lm_head.dense.",
              [NS_PART_HEAD_NORM] = "lm_head.layer_norm",
              [NS_PART_UNUSED] = "@pooler.|@embeddings.position_ids|lm_head.decoder.|lm_head.bias|"
                                 "classifier.|qa_outputs."}};

static int open_roberta(ns_reading *r) {
    static const ns_bert_kind kind = {.title = "RoBERTa",
                                      .typed = true,
                                      .counted = true,
                                      .padding = 1,
                                      .transformed = NS_GELU_ERF};
    return ns_bert_open(r, &kind);
}

static const ns_names *const all_names[] = {&names};

extern const ns_family ns_family_roberta;
const ns_family ns_family_roberta = {
    .name = "roberta",
    .summary = "RoBERTa, XLM-RoBERTa, CamemBERT (names of Hugging Face)",
    .model_types = "roberta|xlm-roberta|camembert",
    .architectures = "RobertaFor*|RobertaModel|XLMRobertaFor*|XLMRobertaModel|Camembert*",
    .names = all_names,
    .name_count = 1,
    .open = open_roberta};
