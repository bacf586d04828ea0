/* Text through the steps of a tokenizer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/tokenizers/internal.h"
#include "datasets/tokenizers/words.h"
#include "probe/base/mem.h"

ns_tokenizer *ns_tokenizer_new(ns_error *err) {
    ns_tokenizer *t = ns_calloc(1, sizeof *t, err);
    if (!t) return NULL;
    for (int i = 0; i < NS_TOKEN_ROLES; i++) t->roles[i] = -1;
    t->words = ns_vocabulary_new(err);
    if (t->words) return t;
    free(t);
    return NULL;
}

void ns_tokenizer_close(ns_tokenizer *t) {
    if (!t) return;
    ns_steps_close(&t->normalizers);
    ns_steps_close(&t->pretokenizers);
    if (t->segmenter && t->segmenter->close) t->segmenter->close(t->segmenter_state);
    ns_vocabulary_free(t->words);
    ns_added_free(t->added);
    ns_template_end(&t->template);
    free(t);
}

int32_t ns_tokenizer_size(const ns_tokenizer *t) {
    return t->size;
}

int32_t ns_tokenizer_role(const ns_tokenizer *t, ns_token_role role) {
    return t->roles[role];
}

void ns_tokens_free(ns_tokens *tokens) {
    free(tokens->ids);
    free(tokens->begin);
    free(tokens->end);
    *tokens = (ns_tokens){0};
}

/* ---- text to pieces ---- */

/* Appends bytes begin..end-1 of `text`, which hold no token as they are, normalized and cut at the tokens that they hold then. */
static int normalize(const ns_tokenizer *t, const ns_flow *text, const ns_cut *piece, ns_flow *out,
                     ns_cuts *cuts, ns_error *err) {
    ns_flow part = {0};
    size_t begin = out->size;
    int status = ns_flow_copy(&part, text, piece->begin, piece->end, err);
    if (!status) status = ns_normalizers_apply(&t->normalizers, &part, err);
    if (!status) status = ns_flow_copy(out, &part, 0, part.size, err);
    ns_flow_end(&part);
    return status ? status : ns_added_cut(t->added, true, out, begin, out->size, cuts, err);
}

/* *flow, the text, becomes normalized text, and *cuts its pieces. */
static int prepare(const ns_tokenizer *t, ns_flow *flow, ns_cuts *cuts, ns_error *err) {
    ns_cuts rough = {0};
    ns_flow out = {0};
    int status = ns_added_cut(t->added, false, flow, 0, flow->size, &rough, err);
    for (size_t i = 0; i < rough.count && !status; i++) {
        const ns_cut *piece = &rough.at[i];
        size_t begin = out.size;
        if (piece->id < 0)
            status = normalize(t, flow, piece, &out, cuts, err);
        else if (!(status = ns_flow_copy(&out, flow, piece->begin, piece->end, err)))
            status = ns_cuts_add(cuts, begin, out.size, piece->id, err);
    }
    ns_cuts_end(&rough);
    ns_flow_end(flow);
    *flow = out;
    return status;
}

/* ---- pieces to tokens ---- */

/* Without the spaces around it, as ByteLevel and RobertaProcessing ask for. One space before the first word stays where the file puts one there
 * by itself. */
static void trim(const ns_template *template, const char *text, size_t *begin, size_t *end) {
    size_t first = *begin;
    while (*begin < *end && text[*begin] == ' ') ++*begin;
    if (template->keep_first_space && first == 0 && *begin == 1) *begin = 0;
    while (*end > *begin && text[*end - 1] == ' ') --*end;
}

static int make_room(ns_tokens *out, size_t count, ns_error *err) {
    out->ids = ns_calloc(count ? count : 1, sizeof *out->ids, err);
    out->begin = ns_calloc(count ? count : 1, sizeof *out->begin, err);
    out->end = ns_calloc(count ? count : 1, sizeof *out->end, err);
    return out->ids && out->begin && out->end ? NS_OK : NS_EFAIL;
}

/* What was emitted, between what the template adds. Emitted places are bytes of the flow. */
static int finish(const ns_tokenizer *t, const ns_flow *flow, const ns_emitted *emitted,
                  const char *text, bool special, ns_tokens *out, ns_error *err) {
    size_t before = special ? t->template.before_count : 0,
           after = special ? t->template.after_count : 0;
    if (make_room(out, before + emitted->count + after, err)) return NS_EFAIL;
    for (size_t i = 0; i < before; i++) out->ids[out->count++] = t->template.before[i];
    for (size_t i = 0; i < emitted->count; i++) {
        const ns_token *e = &emitted->at[i];
        size_t begin = flow->from[e->begin], end = flow->to[e->end - 1];
        if (t->template.trim) trim(&t->template, text, &begin, &end);
        out->ids[out->count] = e->id;
        out->begin[out->count] = begin;
        out->end[out->count++] = end;
    }
    for (size_t i = 0; i < after; i++) out->ids[out->count++] = t->template.after[i];
    return NS_OK;
}

static int encode_pieces(const ns_tokenizer *t, const ns_flow *flow, const ns_cuts *cuts,
                         ns_emitted *out, ns_error *err) {
    ns_words words = {.segmenter = t->segmenter, .state = t->segmenter_state, .words = t->words};
    int status = NS_OK;
    for (size_t i = 0; i < cuts->count && !status; i++) {
        const ns_cut *piece = &cuts->at[i];
        if (piece->id >= 0)
            status = ns_emit(out, piece->id, piece->begin, piece->end, err);
        else
            status = ns_words_encode(&words, flow, piece, out, err);
    }
    ns_words_end(&words);
    return status;
}

int ns_tokenizer_encode(const ns_tokenizer *t, const char *text, size_t size, bool add_special,
                        ns_tokens *out, ns_error *err) {
    *out = (ns_tokens){0};
    if (size > NS_TOKENIZER_MOST)
        return ns_fail(err, NS_EINPUT, "expected a text of at most %zu bytes, found %zu",
                       NS_TOKENIZER_MOST, size);
    ns_flow flow = {0};
    ns_cuts cuts = {0};
    ns_emitted emitted = {0};
    int status = ns_flow_begin(&flow, text, size, err);
    if (!status) status = prepare(t, &flow, &cuts, err);
    if (!status) status = ns_pretokenizers_apply(&t->pretokenizers, &flow, &cuts, err);
    if (!status) status = encode_pieces(t, &flow, &cuts, &emitted, err);
    if (!status) status = finish(t, &flow, &emitted, text, add_special, out, err);
    ns_flow_end(&flow);
    ns_cuts_end(&cuts);
    ns_emitted_end(&emitted);
    if (status) ns_tokens_free(out);
    return status;
}
