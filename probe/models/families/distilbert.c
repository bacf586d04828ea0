/* DistilBERT (Sanh et al. 2019, arXiv 1910.01108) with Hugging Face's names: a BERT without token types. */
#include "probe/models/families/bert.h"

#define BLOCK "@transformer.layer.%d."

static const ns_names names = {
    .name = "huggingface",
    .prefixes = "distilbert.|",
    .parts = {[NS_PART_WORDS] = "@embeddings.word_embeddings.weight",
              [NS_PART_POSITIONS] = "@embeddings.position_embeddings.weight",
              [NS_PART_NORM_PRE] = "@embeddings.LayerNorm",
              [NS_PART_Q] = BLOCK "attention.q_lin.",
              [NS_PART_K] = BLOCK "attention.k_lin.",
              [NS_PART_V] = BLOCK "attention.v_lin.",
              [NS_PART_PROJECTION] = BLOCK "attention.out_lin.",
              [NS_PART_NORM1] = BLOCK "sa_layer_norm",
              [NS_PART_FC1] = BLOCK "ffn.lin1.",
              [NS_PART_FC2] = BLOCK "ffn.lin2.",
              [NS_PART_NORM2] = BLOCK "output_layer_norm",
              [NS_PART_TRANSFORM] = "vocab_transform.",
              [NS_PART_HEAD_NORM] = "vocab_layer_norm",
              [NS_PART_UNUSED] = "@embeddings.position_ids|vocab_projector.|pre_classifier.|"
                                 "classifier.|qa_outputs."}};

/* Sinusoidal positions stand in the file as learned ones do. */
static int open_distilbert(ns_reading *r) {
    static const ns_bert_kind kind = {
        .title = "DistilBERT",
        .padding = 0,
        .transformed = NS_NO_ACTIVATION,
        .no_effect = "dropout|qa_dropout|seq_classif_dropout|sinusoidal_pos_embds|tie_weights_"};
    return ns_bert_open(r, &kind);
}

static const ns_names *const all_names[] = {&names};

extern const ns_family ns_family_distilbert;
const ns_family ns_family_distilbert = {.name = "distilbert",
                                        .summary = "DistilBERT (names of Hugging Face)",
                                        .model_types = "distilbert",
                                        .architectures = "DistilBertFor*|DistilBertModel",
                                        .names = all_names,
                                        .name_count = 1,
                                        .open = open_distilbert};
