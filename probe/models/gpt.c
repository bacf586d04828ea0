/* A decoder with GPT-2's names (Radford et al. 2019; Hugging Face's gpt2): a ViT's blocks that look back only, over words instead of
 * patches. The pass itself is the ViT's. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "probe/base/mem.h"
#include "probe/models/vit_opening.h"

enum { MOST_CONTEXT = 1 << 16, MOST_WORDS = 1 << 24 };

static const vit_scheme scheme = {
    .name = "gpt2",
    .eps = 1e-5,
    .turned = true,
    .activation = "gelu_new",
    .parts = {[VIT_POSITIONS] = "@wpe.weight",
              [VIT_PATCH] = "@wte.weight",
              [VIT_NORM1] = "@h.%d.ln_1",
              [VIT_QKV] = "@h.%d.attn.c_attn.",
              [VIT_PROJECTION] = "@h.%d.attn.c_proj.",
              [VIT_NORM2] = "@h.%d.ln_2",
              [VIT_FC1] = "@h.%d.mlp.c_fc.",
              [VIT_FC2] = "@h.%d.mlp.c_proj.",
              [VIT_NORM] = "@ln_f"},
};
static const char *const prefixes[] = {"transformer.", ""};

static const char *prefix_of(const ns_weights *weights) {
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        vit_name name;
        if (vit_part_name(weights, &scheme, prefixes[i], i ? 0 : 12, VIT_QKV, 0, "weight", &name))
            return prefixes[i];
    }
    return NULL;
}

static bool gpt_recognise(const ns_weights *weights) {
    return prefix_of(weights) != NULL;
}

/* Rows of words and positions: width, vocabulary, context. */
static int read_embedding(vit_opening *o) {
    vit *v = o->v;
    vit_name words, positions;
    vit_opening_name(o, VIT_PATCH, 0, "", &words);
    vit_opening_name(o, VIT_POSITIONS, 0, "", &positions);
    int status = ns_reading_tensor(&o->reading, words.text, 2, (int64_t[]){-1, -1}, &v->words);
    if (status) return status;
    const ns_tensor_info *info = ns_weights_find(o->weights, words.text);
    int64_t vocabulary = info->shape[0], width = info->shape[1];
    if (vocabulary < 1 || vocabulary > MOST_WORDS || width < 1 || width > 1 << 16)
        return ns_fail(o->reading.err, NS_EINPUT,
                       "%s: %s: expected [1 to %d words, 1 to 65536], found [%lld, %lld]",
                       info->file, words.text, MOST_WORDS, (long long)vocabulary, (long long)width);
    status =
        ns_reading_tensor(&o->reading, positions.text, 2, (int64_t[]){-1, width}, &v->positions);
    if (status) return status;
    int64_t context = ns_weights_find(o->weights, positions.text)->shape[0];
    if (context < 1 || context > MOST_CONTEXT)
        return ns_fail(o->reading.err, NS_EINPUT, "%s: %s: expected 1 to %d positions, found %lld",
                       info->file, positions.text, MOST_CONTEXT, (long long)context);
    v->width = (int)width;
    v->vocabulary = (int)vocabulary;
    v->tokens = v->patches = (int)context;
    v->causal = true;
    status = ns_reading_agree(&o->reading, "width", "n_embd|hidden_size", width, "shape of wte");
    if (!status)
        status = ns_reading_agree(&o->reading, "context", "n_positions|n_ctx|block_size", context,
                                  "shape of wpe");
    return status
               ? status
               : ns_reading_agree(&o->reading, "words", "vocab_size", vocabulary, "shape of wte");
}

/* What text becomes: bytes, or the characters that config.json lists. */
static int read_text(vit_opening *o) {
    ns_image_shape *image = &o->reading.model->image;
    bool found;
    ns_source from = "default";
    *image = (ns_image_shape){.channels = 1,
                              .height = 1,
                              .width = o->v->tokens,
                              .std = {1, 1, 1, 1},
                              .tokens = o->v->tokens,
                              .words = o->v->vocabulary};
    int status = ns_config_word(&o->reading, "vocabulary", &image->vocabulary, &found, from);
    return status ? status
                  : ns_reading_fact(&o->reading, "tokens", from, "%s",
                                    image->vocabulary ? "characters" : "bytes");
}

/* Hugging Face's masks, and its head, which shares the rows of words. */
static void ignore_masks(vit_opening *o) {
    static const char *const names[] = {"attn.bias", "attn.masked_bias"};
    char name[192];
    for (int d = 0; d < o->v->depth; d++)
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "%.*sh.%d.%s", o->prefix_len, o->prefix, d, names[i]);
            const ns_tensor_info *info = ns_weights_find(o->weights, name);
            if (info) ns_reading_ignore(&o->reading, info);
        }
    const ns_tensor_info *head = ns_weights_find(o->weights, "lm_head.weight");
    if (head) ns_reading_ignore(&o->reading, head);
}

static int read_all(vit_opening *o) {
    vit *v = o->v;
    v->norm_pre = v->pooled_norm = v->norm = -1;
    int status = read_embedding(o);
    if (!status) status = vit_opening_norms(o);
    if (!status) status = vit_opening_blocks(o);
    if (!status)
        status = vit_opening_site(o, VIT_NORM, 0, NS_ROLE_FINAL, v->tokens, true, &v->norm);
    if (!status) status = read_text(o);
    if (status) return status;
    ignore_masks(o);
    status = ns_reading_all_used(&o->reading, "GPT");
    v->position_ids = ns_calloc((size_t)v->tokens, sizeof *v->position_ids, o->reading.err);
    if (!v->position_ids) return NS_EFAIL;
    for (int t = 0; t < v->tokens; t++) v->position_ids[t] = t;
    return status;
}

static int gpt_open(ns_model *model, ns_error *err) {
    vit *v = ns_calloc(1, sizeof *v, err);
    if (!v) return NS_EFAIL;
    model->state = v;
    vit_opening o = {.reading = {.model = model, .err = err},
                     .weights = model->weights,
                     .v = v,
                     .scheme = &scheme,
                     .prefix = prefix_of(model->weights)};
    o.prefix_len = o.prefix == prefixes[0] ? 12 : 0;
    int status = read_all(&o);
    ns_reading_end(&o.reading);
    return status;
}

extern const ns_model_kind ns_model_gpt;
const ns_model_kind ns_model_gpt = {.name = "gpt",
                                    .summary = "GPT-2 (names of Hugging Face)",
                                    .recognise = gpt_recognise,
                                    .open = gpt_open,
                                    .close = vit_close,
                                    .forward = vit_forward};
