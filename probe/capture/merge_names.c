/* What merged runs say of their samples, and what they call them: kept where every run has it. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/capture/merge_internal.h"

int ns_merge_outcomes(ns_merging *m, ns_error *err) {
    uint64_t all = m->first[m->count];
    bool judged = true;
    int words = ns_store_words(m->runs[0]);
    for (int k = 0; k < m->count; k++) {
        judged = judged && ns_store_has_judged(m->runs[k]);
        if (ns_store_words(m->runs[k]) != words) words = 0;
    }
    m->plan.judged = judged;
    m->plan.words = words;
    if (words &&
        !(m->words = ns_calloc((size_t)m->plan.batch * (size_t)words, sizeof *m->words, err)))
        return NS_EFAIL;
    if (!judged) return NS_OK;
    m->loss = ns_calloc(all, sizeof *m->loss, err);
    m->judged = ns_calloc(all, sizeof *m->judged, err);
    m->hits = ns_calloc(all, sizeof *m->hits, err);
    int status = m->loss && m->judged && m->hits ? NS_OK : NS_EFAIL;
    for (int k = 0; k < m->count && !status; k++) {
        uint64_t at = m->first[k];
        status = ns_store_read_judged(m->runs[k], 0, m->first[k + 1] - at, m->loss + at,
                                      m->judged + at, m->hits + at, err);
    }
    return status;
}

int ns_merge_words(ns_merging *m, uint64_t first, uint64_t samples, ns_error *err) {
    uint64_t end = first + samples, words = (uint64_t)m->plan.words;
    int status = NS_OK;
    for (int k = 0; k < m->count && words && !status; k++) {
        uint64_t from = m->first[k] > first ? m->first[k] : first,
                 to = m->first[k + 1] < end ? m->first[k + 1] : end;
        if (from < to)
            status = ns_store_read_words(m->runs[k], from - m->first[k], to - from,
                                         m->words + (from - first) * words, err);
    }
    return status;
}

/* ---- names ---- */

static int join_samples(ns_merging *m, ns_error *err) {
    uint64_t all = m->first[m->count];
    for (int k = 0; k < m->count; k++)
        if ((uint64_t)m->names[k].sample_count != m->first[k + 1] - m->first[k]) return NS_OK;
    const char **names = ns_calloc(all, sizeof *names, err);
    if (!names) return NS_EFAIL;
    for (int k = 0; k < m->count; k++)
        for (uint64_t i = m->first[k]; i < m->first[k + 1]; i++)
            names[i] = m->names[k].samples[i - m->first[k]];
    m->named.samples = names;
    return NS_OK;
}

/* Labels of data with other classes would get wrong names. */
static void join_classes(ns_merging *m) {
    const ns_store_names *a = &m->names[0];
    for (int k = 1; k < m->count; k++) {
        const ns_store_names *b = &m->names[k];
        if (a->class_count != b->class_count) return;
        for (int64_t i = 0; i < a->class_count; i++)
            if (strcmp(a->classes[i], b->classes[i]) != 0) return;
    }
    m->named.classes = (const char *const *)a->classes;
    m->named.class_count = (int)a->class_count;
}

/* Tokens of all runs, each once, by rising id: all are of one model. */
static int join_tokens(ns_merging *m, ns_error *err) {
    size_t most = 0, *at = ns_calloc((size_t)m->count, sizeof *at, err);
    for (int k = 0; k < m->count; k++) most += (size_t)m->names[k].token_count;
    int32_t *ids = ns_calloc(most, sizeof *ids, err);
    const char **tokens = ns_calloc(most, sizeof *tokens, err);
    m->named.token_ids = ids;
    m->named.tokens = tokens;
    bool made = at && ids && tokens;
    while (made) {
        int least = -1;
        for (int k = 0; k < m->count; k++)
            if ((int64_t)at[k] < m->names[k].token_count &&
                (least < 0 || m->names[k].token_ids[at[k]] < m->names[least].token_ids[at[least]]))
                least = k;
        if (least < 0) break;
        int32_t id = m->names[least].token_ids[at[least]];
        ids[m->named.token_count] = id;
        tokens[m->named.token_count++] = m->names[least].tokens[at[least]];
        for (int k = 0; k < m->count; k++)
            at[k] += (int64_t)at[k] < m->names[k].token_count && m->names[k].token_ids[at[k]] == id;
    }
    free(at);
    return made ? NS_OK : NS_EFAIL;
}

int ns_merge_names(ns_merging *m, ns_error *err) {
    m->names = ns_calloc((size_t)m->count, sizeof *m->names, err);
    int status = m->names ? NS_OK : NS_EFAIL;
    for (int k = 0; k < m->count && !status; k++)
        status = ns_store_read_names(m->runs[k], &m->names[k], err);
    if (!status) status = join_samples(m, err);
    if (!status) join_classes(m);
    if (!status) status = join_tokens(m, err);
    m->plan.names = m->named;
    return status;
}

void ns_merge_names_free(ns_merging *m) {
    for (int k = 0; m->names && k < m->count; k++) ns_store_names_free(&m->names[k]);
    free(m->names);
    free((void *)(uintptr_t)m->named.samples);
    free((void *)(uintptr_t)m->named.token_ids);
    free((void *)(uintptr_t)m->named.tokens);
    free(m->loss);
    free(m->judged);
    free(m->hits);
    free(m->words);
}
