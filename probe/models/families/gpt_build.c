#include "probe/models/families/gpt.h"

const ns_names ns_names_gpt2 = {
    .name = "gpt2",
    .prefixes = "transformer.|",
    .parts = {[NS_PART_WORDS] = "@wte.weight",
              [NS_PART_POSITIONS] = "@wpe.weight",
              [NS_PART_NORM1] = "@h.%d.ln_1",
              [NS_PART_QKV] = "@h.%d.attn.c_attn.",
              [NS_PART_PROJECTION] = "@h.%d.attn.c_proj.",
              [NS_PART_NORM2] = "@h.%d.ln_2",
              [NS_PART_FC1] = "@h.%d.mlp.c_fc.",
              [NS_PART_FC2] = "@h.%d.mlp.c_proj.",
              [NS_PART_NORM] = "@ln_f",
              [NS_PART_HEAD] = "lm_head.",
              [NS_PART_UNUSED] = "@h.%d.attn.bias|@h.%d.attn.masked_bias"}};

/* The rows of words are the head's matrix too, so they decay as matrices do. */
int ns_gpt_build(ns_builder *b, const ns_gpt_spec *s, const ns_naming *naming) {
    ns_network *n = b->network;
    const size_t w = s->blocks.width;
    const int64_t positions[] = {(int64_t)s->context, (int64_t)w};
    n->input = NS_INPUT_WORDS;
    n->vocabulary = s->vocabulary;
    n->most_tokens = s->context;
    n->head_of_words = true;
    const ns_linear rows = ns_build_part_rows(b, naming, NS_PART_WORDS, s->vocabulary, w);
    ns_array places = ns_build_part(b, naming, NS_PART_POSITIONS, 2, positions, false);
    const ns_word_rows embedding = {.vocabulary = s->vocabulary,
                                    .width = w,
                                    .words = rows.weight,
                                    .packed = rows.packed,
                                    .positions = places.values,
                                    .dwords = rows.dweight,
                                    .dpositions = places.gradient};
    int x = ns_build_buffer(b, NS_OF_TOKENS, w);
    ns_build_step(b, &ns_words_operation, NS_NO_BUFFER, NS_NO_BUFFER, x, &embedding,
                  sizeof embedding);
    x = ns_build_blocks(b, &s->blocks, naming, x);
    x = ns_build_part_norm(b, naming, NS_PART_NORM, 0, x, NS_ROLE_FINAL, true);
    ns_build_head(b, x, rows);
    return b->status;
}
