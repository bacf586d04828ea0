/* The blocks of a checkpoint: how many, how wide, how many heads, by which function. The shapes say nearly all, config.json the rest, and
 * where both speak they must agree. */
#include <stdio.h>
#include <string.h>

#include "probe/models/reading.h"

/* The part that says how many blocks there are, and its rows. */
static ns_part queries_part(const ns_reading *r) {
    return r->naming.names->parts[NS_PART_QKV] ? NS_PART_QKV : NS_PART_Q;
}

static int read_depth(ns_reading *r, ns_block_spec *spec) {
    enum { MOST_BLOCKS = 4096 };
    ns_name name;
    while (spec->depth < MOST_BLOCKS &&
           ns_reading_name(r, queries_part(r), (int)spec->depth, "weight", &name))
        spec->depth++;
    return ns_reading_agree(r, "depth", "depth|num_hidden_layers|num_layers|n_layer|n_layers",
                            (int64_t)spec->depth, "number of blocks");
}

/* Rows of a matrix of block 0, as it would lie if it were not turned; 0 where it is none. */
static int64_t outputs_of(ns_reading *r, const ns_block_spec *spec, ns_part part, ns_name *name) {
    const ns_tensor_info *info = ns_reading_find(r, part, 0, "weight", name);
    return info && info->dims == 2 ? info->shape[spec->turned] : 0;
}

/* Heads and their channels, which no shape tells: from config.json, from the architecture that it names (*heads), or 64 channels where
 * networks of that width always have them. */
static int find_heads(ns_reading *r, const char *name, int64_t inner, int64_t *heads, int64_t *dim,
                      ns_origin from_heads, ns_origin from_dim) {
    enum { USUAL = 64, MOST_USUAL = 1024 };
    bool preset = *heads > 0;
    bool has_heads, has_dim;
    int status = ns_config_int(&r->config, "num_heads|num_attention_heads|heads|n_head|n_heads", 1,
                               1 << 16, heads, &has_heads, from_heads);
    if (!status)
        status =
            ns_config_int(&r->config, "head_dim|dim_head", 1, 1 << 16, dim, &has_dim, from_dim);
    if (status) return status;
    if (!has_heads && preset) snprintf(from_heads, sizeof(ns_origin), "the architecture's name");
    has_heads |= preset;
    if (!has_heads && !has_dim && inner > MOST_USUAL)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: expected \"num_heads\" in config.json: networks as wide as this one, "
                       "%lld, have heads of 64, 80, 88 or 104 channels",
                       ns_weights_path(r->model->weights), (long long)inner);
    if (!has_dim) {
        *dim = has_heads ? inner / *heads : USUAL;
        snprintf(from_dim, sizeof(ns_origin),
                 has_heads ? "%lld rows of queries / heads" : "default", (long long)inner);
    }
    if (!has_heads) {
        *heads = inner / *dim;
        snprintf(from_heads, sizeof(ns_origin), "%lld rows of queries / head_dim",
                 (long long)inner);
    }
    if (*heads * *dim == inner) return NS_OK;
    char expected[96], other[96];
    snprintf(expected, sizeof expected, "heads * head_dim = %lld (shape of %.50s)",
             (long long)inner, name);
    snprintf(other, sizeof other, "%lld heads of %lld", (long long)*heads, (long long)*dim);
    if (has_heads || has_dim)
        return ns_config_contradicts(&r->config, has_heads ? from_heads : from_dim, expected,
                                     other);
    return ns_fail(r->err, NS_EINPUT,
                   "%s: expected \"num_heads\" in config.json, since %lld rows of queries are no "
                   "multiple of the usual head_dim, 64",
                   ns_weights_path(r->model->weights), (long long)inner);
}

/* Heads of keys and values, which may be fewer. */
static int read_groups(ns_reading *r, ns_block_spec *spec) {
    ns_name name;
    int64_t rows = outputs_of(r, spec, NS_PART_K, &name), dim = (int64_t)spec->dim;
    spec->groups = spec->heads;
    if (queries_part(r) == NS_PART_QKV || rows == (int64_t)spec->heads * dim) return NS_OK;
    int64_t groups = rows / dim;
    if (rows < 1 || rows % dim || (int64_t)spec->heads % groups)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: %s: expected rows of keys for a divisor of %zu heads of %lld, found "
                       "%lld",
                       ns_weights_path(r->model->weights), name.text, spec->heads, (long long)dim,
                       (long long)rows);
    spec->groups = (size_t)groups;
    return NS_OK;
}

static int read_heads(ns_reading *r, ns_block_spec *spec) {
    ns_name name;
    bool fused = queries_part(r) == NS_PART_QKV;
    int64_t outputs = outputs_of(r, spec, queries_part(r), &name);
    int64_t inner = outputs / (fused ? 3 : 1), heads = (int64_t)spec->heads, dim = 0;
    if (inner < 1 || inner > 1 << 16 || (fused && outputs % 3))
        return ns_fail(r->err, NS_EINPUT, "%s: %s: expected %s outputs, found %lld",
                       ns_weights_path(r->model->weights), name.text,
                       fused ? "3 * heads * head_dim" : "heads * head_dim", (long long)outputs);
    ns_origin from_heads, from_dim;
    int status = find_heads(r, name.text, inner, &heads, &dim, from_heads, from_dim);
    if (status) return status;
    spec->heads = (size_t)heads;
    spec->dim = (size_t)dim;
    status = ns_reading_fact(r, "heads", from_heads, "%lld", (long long)heads);
    if (!status) status = ns_reading_fact(r, "head_dim", from_dim, "%lld", (long long)dim);
    if (!status) status = read_groups(r, spec);
    if (!status && !fused)
        status = ns_reading_agree(r, "key heads", "num_key_value_heads", (int64_t)spec->groups,
                                  "rows of keys / head_dim");
    return status;
}

/* Norms of queries and keys, where the checkpoint has them: of each head, or of all heads as one row. */
static int read_query_norms(ns_reading *r, ns_block_spec *spec) {
    spec->norms_queries = ns_reading_has_norm(r, NS_PART_QUERY_NORM, 0);
    if (!spec->norms_queries) return NS_OK;
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(r, NS_PART_QUERY_NORM, 0, ".weight", &name);
    int64_t inner = (int64_t)(spec->heads * spec->dim);
    spec->norm_of_heads = !info || info->dims != 1 || info->shape[0] != inner;
    return ns_reading_fact(r, "query norms", "shape of block 0's", "%s",
                           spec->norm_of_heads ? "each head" : "all heads as one");
}

/* Whether gate and FC1 lie in one matrix: under a name of its own, or in FC1's, which then has two rows for each column of FC2. */
static bool is_packed(ns_reading *r, const ns_block_spec *spec) {
    ns_name name;
    if (ns_reading_name(r, NS_PART_PACKED, 0, "weight", &name)) return true;
    if (ns_reading_name(r, NS_PART_GATE, 0, "weight", &name)) return false;
    const ns_tensor_info *info = ns_reading_find(r, NS_PART_FC2, 0, "weight", &name);
    return !r->naming.names->parts[NS_PART_PACKED] && info && info->dims == 2 &&
           info->shape[0] == (int64_t)spec->width && !spec->turned &&
           outputs_of(r, spec, NS_PART_FC1, &name) == 2 * info->shape[1];
}

/* mlp_ratio counts the outputs of the first layer, of both halves where they are packed in it; under a name of their own, what they would be
 * without a gate, of which two thirds are left. */
static bool is_ratio(const ns_reading *r, const ns_block_spec *spec, double ratio) {
    int64_t plain = (int64_t)(ratio * (double)spec->width), hidden = (int64_t)spec->hidden;
    if (!spec->gated) return plain == hidden;
    if (!r->naming.names->parts[NS_PART_PACKED]) return plain == (1 + spec->packed) * hidden;
    return ((int64_t)((double)plain * 2 / 3) + 7) / 8 * 8 == hidden;
}

static int check_ratio(ns_reading *r, const ns_block_spec *spec) {
    double ratio = 0;
    bool found;
    ns_origin from;
    int status = ns_config_real(&r->config, "mlp_ratio", 0, 65536, &ratio, &found, from);
    if (status || !found || is_ratio(r, spec, ratio)) return status;
    char expected[96], other[48];
    snprintf(expected, sizeof expected, "%.6g (%zu / %zu)",
             (double)spec->hidden / (double)spec->width, spec->hidden, spec->width);
    snprintf(other, sizeof other, "%.6g", ratio);
    return ns_config_contradicts(&r->config, from, expected, other);
}

static int read_hidden(ns_reading *r, ns_block_spec *spec) {
    ns_name name;
    spec->packed = is_packed(r, spec);
    bool apart = ns_reading_name(r, NS_PART_GATE, 0, "weight", &name);
    if (spec->packed || apart) spec->gated = true;
    ns_part part =
        spec->packed && r->naming.names->parts[NS_PART_PACKED] ? NS_PART_PACKED : NS_PART_FC1;
    const ns_tensor_info *info = ns_reading_find(r, part, 0, "weight", &name);
    int64_t hidden = outputs_of(r, spec, part, &name), width = (int64_t)spec->width;
    if (info && (hidden < 1 || hidden > 1 << 20 || (spec->packed && hidden % 2)))
        return ns_fail(r->err, NS_EINPUT, "%s: %s: expected [%shidden, %lld], found %d dimensions",
                       info->file, name.text, spec->packed ? "2 * " : "", (long long)width,
                       info->dims);
    if (spec->packed) hidden /= 2;
    spec->hidden = info ? (size_t)hidden : 1; /* a missing one is named where it is read */
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    int status = check_ratio(r, spec);
    return status ? status
                  : ns_reading_agree(r, "hidden", "mlp_dim|intermediate_size|n_inner|hidden_dim",
                                     (int64_t)spec->hidden, source);
}

ns_activation ns_activation_named(const char *word) {
    static const struct {
        const char *name;
        ns_activation f;
    } activations[] = {{"gelu", NS_GELU_ERF},
                       {"gelu_erf", NS_GELU_ERF},
                       {"gelu_python", NS_GELU_ERF},
                       {"gelu_tanh", NS_GELU_TANH},
                       {"gelu_new", NS_GELU_TANH},
                       {"gelu_pytorch_tanh", NS_GELU_TANH},
                       {"gelu_fast", NS_GELU_TANH},
                       {"gelu_accurate", NS_GELU_TANH},
                       {"quick_gelu", NS_GELU_QUICK},
                       {"relu", NS_RELU},
                       {"silu", NS_SILU}};
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (!strcmp(activations[i].name, word)) return activations[i].f;
    return NS_NO_ACTIVATION;
}

int ns_read_activation(ns_reading *r, ns_block_spec *spec, const char *word) {
    bool found;
    ns_origin from;
    int status = ns_config_word(&r->config, NS_ACTIVATION_KEYS, &word, &found, from);
    if (status) return status;
    if (r->gelu_is_tanh && !strcmp(word, "gelu")) word = "gelu_pytorch_tanh";
    spec->activation = ns_activation_named(word);
    if (spec->activation == NS_NO_ACTIVATION)
        return ns_config_contradicts(&r->config, from,
                                     "gelu, gelu_tanh, gelu_new, gelu_pytorch_tanh, quick_gelu, "
                                     "relu or silu",
                                     word);
    return ns_reading_fact(r, "activation", found ? from : "default", "%s",
                           ns_activation_title(spec->activation));
}

int ns_read_shapes(ns_reading *r, ns_block_spec *spec) {
    int status = read_depth(r, spec);
    if (!status) status = read_heads(r, spec);
    if (!status) status = read_query_norms(r, spec);
    if (!status) status = read_hidden(r, spec);
    ns_name name;
    spec->scaled = ns_reading_name(r, NS_PART_SCALE1, 0, "", &name);
    return status;
}

int ns_read_blocks(ns_reading *r, ns_block_spec *spec, const char *activation) {
    int status = ns_read_shapes(r, spec);
    return status ? status : ns_read_activation(r, spec, activation);
}

/* ---- words ---- */

int ns_read_words(ns_reading *r, ns_block_spec *spec, int64_t *longest) {
    enum { MOST_CONTEXT = 1 << 20, MOST_WORDS = 1 << 24 };
    ns_name name;
    const ns_tensor_info *info;
    int status = ns_reading_need(r, NS_PART_WORDS, 0, "", &name, &info);
    if (status) return status;
    int64_t vocabulary = info->dims == 2 ? info->shape[0] : 0,
            width = info->dims == 2 ? info->shape[1] : 0;
    if (vocabulary < 1 || vocabulary > MOST_WORDS || width < 1 || width > 1 << 16)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: %s: expected [1 to %d words, 1 to 65536], found [%lld, %lld]",
                       info->file, name.text, MOST_WORDS, (long long)vocabulary, (long long)width);
    spec->width = (size_t)width;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    status = ns_reading_agree(r, "width", "n_embd|hidden_size|dim", width, source);
    const int32_t *row_of = NULL;
    if (!status) status = ns_read_vocabulary(r, vocabulary, &vocabulary, &row_of);
    if (!status)
        status =
            ns_reading_agree(r, "words", "vocab_size", vocabulary, row_of ? "vocab_size" : source);
    r->model->network.row_of = row_of;
    r->model->network.embedded = (size_t)info->shape[0];
    if (!status && r->naming.names->parts[NS_PART_POSITIONS]) {
        status = ns_reading_need(r, NS_PART_POSITIONS, 0, "", &name, &info);
        if (status) return status;
        *longest = info->dims == 2 ? info->shape[0] : 0;
        if (*longest < 1 || *longest > MOST_CONTEXT)
            return ns_fail(r->err, NS_EINPUT, "%s: %s: expected 1 to %d positions, found %lld",
                           info->file, name.text, MOST_CONTEXT, (long long)*longest);
        snprintf(source, sizeof source, "shape of %.80s", name.text);
        status = ns_reading_agree(r, "context", "n_positions|block_size|max_position_embeddings",
                                  *longest, source);
    }
    r->model->input = (ns_input_shape){.kind = NS_INPUT_WORDS,
                                       .text = {.length = (int)*longest,
                                                .most = (int)*longest,
                                                .words = (int)vocabulary,
                                                .row_of = row_of,
                                                .padding = -1}};
    return status;
}
