/* BERT (Devlin et al., NAACL 2019, arXiv 1810.04805) with Hugging Face's names. */
#include "probe/models/families/bert.h"

#include <jansson.h>

#define BLOCK "@encoder.layer.%d."

static const ns_names names = {
    .name = "huggingface",
    .prefixes = "bert.|",
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
              [NS_PART_TRANSFORM] = "cls.predictions.transform.dense.",
              [NS_PART_HEAD_NORM] = "cls.predictions.transform.LayerNorm",
              [NS_PART_UNUSED] = "@pooler.|@embeddings.position_ids|cls.predictions.decoder.|"
                                 "cls.predictions.bias|cls.seq_relationship.|classifier.|"
                                 "qa_outputs."}};

typedef struct spec {
    ns_block_spec blocks;
    int64_t rows, types; /* of positions */
    const ns_bert_kind *kind;
    int32_t padding;
    bool transform;
} spec;

static int read_types(ns_reading *r, spec *s) {
    ns_name name;
    const ns_tensor_info *info;
    int status = ns_reading_need(r, NS_PART_TYPES, 0, "", &name, &info);
    if (status) return status;
    s->types = info->dims == 2 ? info->shape[0] : 0;
    return ns_reading_agree(r, "token types", "type_vocab_size", s->types,
                            "shape of token_type_embeddings");
}

/* Samples are filled up at their end by the word that config.json names. Where positions are counted from it on, those up to it are no
 * word's. */
static int read_padding(ns_reading *r, spec *s) {
    int64_t padding = s->kind->padding;
    bool found;
    ns_origin from = "default";
    int status = ns_config_int(&r->config, "pad_token_id", 0, INT32_MAX, &padding, &found, from);
    if (status) return status;
    s->padding = r->model->input.text.padding = (int32_t)padding;
    if (padding >= 0)
        status = ns_reading_fact(r, "padding", from, "word %lld at the end", (long long)padding);
    if (status || !s->kind->counted) return status;
    int64_t longest = s->rows - padding - 1;
    if (longest < 1)
        return ns_fail(
            r->err, NS_EINPUT,
            "%s: \"pad_token_id\": expected less than %lld, the rows of positions, which "
            "are counted from it on, found %lld",
            ns_weights_config_path(r->model->weights), (long long)s->rows - 1, (long long)padding);
    r->model->input.text.length = r->model->input.text.most = (int)longest;
    return ns_reading_fact(r, "longest sample", "context, padding", "%lld words",
                           (long long)longest);
}

static int build(ns_builder *b, const spec *s, const ns_naming *naming, size_t vocabulary) {
    ns_network *n = b->network;
    const size_t w = s->blocks.width;
    const int64_t positions[] = {s->rows, (int64_t)w}, types[] = {s->types, (int64_t)w};
    n->input = NS_INPUT_WORDS;
    n->vocabulary = vocabulary;
    n->types = (size_t)s->types;
    n->most_tokens = (size_t)(s->kind->counted ? s->rows - s->padding - 1 : s->rows);
    const ns_linear words =
        ns_build_part_rows(b, naming, NS_PART_WORDS, n->row_of ? n->embedded : vocabulary, w);
    ns_word_rows embedding = {
        .vocabulary = vocabulary,
        .width = w,
        .row_of = n->row_of,
        .words = words.weight,
        .packed = words.packed,
        .positions = ns_build_part(b, naming, NS_PART_POSITIONS, 2, positions, false).values,
        .counted = s->kind->counted,
        .padding = s->padding,
        .type_count = (size_t)s->types};
    if (s->kind->typed)
        embedding.types = ns_build_part(b, naming, NS_PART_TYPES, 2, types, false).values;
    int x = ns_build_buffer(b, NS_OF_TOKENS, w);
    ns_build_step(b, &ns_words_operation, NS_NO_BUFFER, NS_NO_BUFFER, x, &embedding,
                  sizeof embedding);
    x = ns_build_part_norm(b, naming, NS_PART_NORM_PRE, 0, x, NS_ROLE_STEM, true);
    x = ns_build_blocks(b, &s->blocks, naming, x);
    if (!s->transform) return b->status;
    x = ns_build_linear(b, x, ns_build_part_layer(b, naming, NS_PART_TRANSFORM, 0, w, w, false),
                        s->kind->transformed == NS_NO_ACTIVATION ? s->blocks.activation
                                                                 : s->kind->transformed);
    ns_build_part_norm(b, naming, NS_PART_HEAD_NORM, 0, x, NS_ROLE_HEAD, true);
    return b->status;
}

int ns_bert_open(ns_reading *r, const ns_bert_kind *kind) {
    static const ns_config_fixed fixed[] = {{"position_embedding_type", "\"absolute\""},
                                            {"is_decoder", "false"},
                                            {"add_cross_attention", "false"},
                                            {"is_encoder_decoder", "false"},
                                            {"tie_encoder_decoder", "false"},
                                            {"embedding_size", "0"},
                                            {"pruned_heads", "{}"}};
    spec s = {.blocks = {.order = NS_POST_NORM}, .kind = kind};
    ns_name name;
    bool tied, found;
    ns_origin from;
    r->usual_norm = "layernorm";
    r->may_cut_vocabulary = true;
    int status = ns_read_norms(r, "layer_norm_eps", 1e-12);
    if (!status) status = ns_read_words(r, &s.blocks, &s.rows);
    if (!status && kind->typed) status = read_types(r, &s);
    if (!status) status = ns_read_blocks(r, &s.blocks, "gelu");
    if (!status) status = read_padding(r, &s);
    if (!status) status = ns_config_check_fixed(&r->config, fixed, sizeof fixed / sizeof *fixed);
    if (!status) status = ns_config_flag(&r->config, "tie_word_embeddings", &tied, &found, from);
    if (!status) status = ns_reading_fact(r, "tokens", "default", "ids, or text by its tokenizer");
    if (status) return status;
    if (kind->no_effect) ns_config_find(&r->config, kind->no_effect, from);
    s.transform = ns_reading_name(r, NS_PART_TRANSFORM, 0, "weight", &name);
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, NS_OK};
    status = build(&b, &s, &r->naming, (size_t)r->model->input.text.words);
    if (!status) status = ns_reading_ignore_unused(r);
    return status ? status : ns_reading_all_used(r, kind->title);
}

/* Checkpoints of RoBERTa have the same names where nothing stands before them: without "model_type" only the 2 rows of positions that no word
 * has tell them. */
static int open_bert(ns_reading *r) {
    static const ns_bert_kind kind = {
        .title = "BERT", .typed = true, .padding = -1, .transformed = NS_NO_ACTIVATION};
    const char *type, *class;
    ns_origin from;
    ns_name name;
    int status = ns_reading_called(r, &type, &class, from);
    const ns_tensor_info *rows =
        status ? NULL : ns_reading_find(r, NS_PART_POSITIONS, 0, "", &name);
    if (rows && !type && !class && !r->naming.prefix_length && rows->shape[0] % 8 == 2)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: expected \"model_type\" in config.json, \"bert\" or \"roberta\", which "
                       "%lld rows of positions may be",
                       ns_weights_path(r->model->weights), (long long)rows->shape[0]);
    return status ? status : ns_bert_open(r, &kind);
}

static const ns_names *const all_names[] = {&names};

extern const ns_family ns_family_bert;
const ns_family ns_family_bert = {.name = "bert",
                                  .summary = "BERT (names of Hugging Face)",
                                  .model_types = "bert",
                                  .architectures = "Bert*",
                                  .names = all_names,
                                  .name_count = 1,
                                  .open = open_bert};
