#include "probe/capture/dump_names.h"

#include <stdlib.h>

#include "probe/base/mem.h"

/* Marks the ids of all words of the samples; *seen [*room] grows to the largest. */
static int mark_tokens(const ns_dataset *data, const int64_t *ids, size_t n, bool **seen,
                       size_t *room, ns_error *err) {
    enum { PIECE = 256 };
    size_t length = (size_t)data->text.length;
    int32_t *words = ns_calloc(PIECE * length, sizeof *words, err);
    int status = words ? NS_OK : NS_EFAIL;
    for (size_t first = 0; first < n && !status; first += PIECE) {
        size_t count = n - first < PIECE ? n - first : PIECE;
        status = ns_dataset_words(data, ids + first, count, words, err);
        for (size_t k = 0; k < count * length && !status; k++) {
            if (words[k] < 0) continue;
            if ((size_t)words[k] >= *room) {
                size_t larger = 2 * (size_t)words[k] + 64;
                bool *grown = ns_realloc(*seen, larger, sizeof *grown, err);
                if (!grown) {
                    status = NS_EFAIL;
                    break;
                }
                for (size_t i = *room; i < larger; i++) grown[i] = false;
                *seen = grown;
                *room = larger;
            }
            (*seen)[words[k]] = true;
        }
    }
    free(words);
    return status;
}

/* Nothing where the data set does not know what its ids mean. */
static int find_tokens(ns_dump_names *out, const ns_dataset *data, const int64_t *ids, size_t n,
                       ns_error *err) {
    bool *seen = NULL;
    size_t room = 0, count = 0;
    int status = mark_tokens(data, ids, n, &seen, &room, err);
    for (size_t i = 0; i < room && !status; i++) count += seen[i];
    if (!status) {
        out->token_ids = ns_calloc(count, sizeof *out->token_ids, err);
        out->tokens = ns_calloc(count, sizeof *out->tokens, err);
        status = out->token_ids && out->tokens ? NS_OK : NS_EFAIL;
    }
    for (size_t i = 0; i < room && !status; i++) {
        ns_error mine = {0};
        if (!seen[i]) continue;
        char *text = ns_dataset_token(data, (int32_t)i, &mine);
        if (!text && mine.status) {
            status = mine.status;
            if (err) *err = mine;
        }
        if (!text) continue;
        out->token_ids[out->token_count] = (int32_t)i;
        out->tokens[out->token_count++] = text;
    }
    free(seen);
    return status;
}

int ns_dump_names_find(ns_dump_names *out, ns_names_plan *plan, const ns_dataset *data,
                       const int64_t *ids, size_t n, ns_error *err) {
    *out = (ns_dump_names){0};
    int status = NS_OK;
    if (data->kind->sample_name && data->kind->sample_name(data, ids[0])) {
        if (!(out->samples = ns_calloc(n, sizeof *out->samples, err))) return NS_EFAIL;
        for (size_t i = 0; i < n; i++) out->samples[i] = data->kind->sample_name(data, ids[i]);
    }
    if (data->input == NS_INPUT_WORDS) status = find_tokens(out, data, ids, n, err);
    *plan = (ns_names_plan){.samples = out->samples,
                            .classes = (const char *const *)data->class_names,
                            .class_count = data->class_names ? data->classes : 0,
                            .token_ids = out->token_ids,
                            .tokens = (const char *const *)out->tokens,
                            .token_count = out->token_count};
    return status;
}

void ns_dump_names_free(ns_dump_names *names) {
    for (int i = 0; i < names->token_count; i++) free(names->tokens[i]);
    free(names->tokens);
    free(names->token_ids);
    free(names->samples);
    *names = (ns_dump_names){0};
}
