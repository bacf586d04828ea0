#include "probe/models/families/decoder.h"

int ns_decoder_read(ns_reading *r, ns_decoder *d) {
    static const ns_config_fixed fixed[] = {{"is_decoder", "false"},
                                            {"add_cross_attention", "false"},
                                            {"is_encoder_decoder", "false"},
                                            {"tie_encoder_decoder", "false"},
                                            {"pruned_heads", "{}"}};
    bool found;
    ns_origin from;
    int status =
        ns_config_int(&r->config, "max_position_embeddings", 1, 1 << 24, &d->longest, &found, from);
    if (!status)
        status = ns_reading_fact(r, "context", found ? from : "default",
                                 found ? "%lld" : "any length", (long long)d->longest);
    if (!status) status = ns_config_flag(&r->config, "tie_word_embeddings", &d->tied, &found, from);
    if (!status) status = ns_config_check_fixed(&r->config, fixed, sizeof fixed / sizeof *fixed);
    return status ? status : ns_reading_fact(r, "tokens", "default", "ids, or text by its tokenizer");
}

static int build(ns_builder *b, const ns_decoder *d, const ns_naming *naming, size_t vocabulary) {
    ns_network *n = b->network;
    const size_t w = d->blocks.width;
    n->input = NS_INPUT_WORDS;
    n->vocabulary = vocabulary;
    n->most_tokens = (size_t)d->longest;
    n->head_of_words = true;
    n->head_cap = d->head_cap;
    const ns_linear words = ns_build_part_rows(b, naming, NS_PART_WORDS, vocabulary, w);
    const ns_word_rows embedding = {.vocabulary = vocabulary,
                                    .width = w,
                                    .words = words.weight,
                                    .packed = words.packed,
                                    .scale = (ns_real)d->word_scale};
    int x = ns_build_buffer(b, NS_OF_TOKENS, w);
    ns_build_step(b, &ns_words_operation, NS_NO_BUFFER, NS_NO_BUFFER, x, &embedding,
                  sizeof embedding);
    x = ns_build_blocks(b, &d->blocks, naming, x);
    x = ns_build_part_norm(b, naming, NS_PART_NORM, 0, x, NS_ROLE_FINAL, true);
    ns_name name;
    if (ns_part_name(naming, &b->source, NS_PART_HEAD, 0, "weight", &name))
        ns_build_head(b, x, ns_build_part_layer(b, naming, NS_PART_HEAD, 0, vocabulary, w, false));
    else if (d->tied)
        ns_build_head(b, x, words);
    return b->status;
}

int ns_decoder_build(ns_reading *r, const ns_decoder *d, const char *title) {
    ns_text_shape *text = &r->model->input.text;
    text->length = text->most = (int)d->longest;
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, NS_OK};
    int status = build(&b, d, &r->naming, (size_t)text->words);
    r->model->classes = r->model->network.has_head ? text->words : 0;
    if (!status) status = ns_reading_ignore_unused(r);
    return status ? status : ns_reading_all_used(r, title);
}
