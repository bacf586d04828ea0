/* The samples of a merge: one number, one sample. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/capture/merge_internal.h"

bool ns_merge_same_data(const ns_store *a, const ns_store *b) {
    const char *p = ns_merge_text(a, "data_path"), *q = ns_merge_text(b, "data_path");
    const char *s = ns_merge_text(a, "data_sha256"), *t = ns_merge_text(b, "data_sha256");
    return (*p && !strcmp(p, q)) || (*s && !strcmp(s, t));
}

/* The first run of the same data as run k, which may be k itself. */
static int first_like(const ns_merging *m, int k) {
    int r = 0;
    while (r < k && !ns_merge_same_data(m->runs[r], m->runs[k])) r++;
    return r;
}

/* What is added to the numbers of run k's data, whose first run it is; *above is the number above all data before, which then is above
 * these too. */
static int raise_data(ns_merging *m, int k, int64_t *above, ns_error *err) {
    int64_t most = -1;
    m->raise[k] = *above;
    if (*above && strcmp(ns_merge_text(m->runs[k], "sample_rows"), "0") != 0)
        return ns_fail(err, NS_EINPUT,
                       "%s: other data than %s: rows that were sampled by the number of their "
                       "sample cannot be merged over different data",
                       ns_store_path(m->runs[k]), ns_store_path(m->runs[0]));
    for (int r = k; r < m->count; r++) {
        if (first_like(m, r) != k) continue;
        for (uint64_t i = m->first[r]; i < m->first[r + 1]; i++) {
            if (m->ids[i] < 0 || m->ids[i] > INT64_MAX - 1 - *above)
                return ns_fail(err, NS_EINPUT,
                               "%s: sample %" PRId64 ": expected a number from 0 to %" PRId64,
                               ns_store_path(m->runs[r]), m->ids[i], INT64_MAX - 1 - *above);
            most = m->ids[i] > most ? m->ids[i] : most;
        }
    }
    *above += most + 1;
    return NS_OK;
}

/* Numbers of other data are raised above all those of the data before them, whichever runs these stand in. */
static int raise_ids(ns_merging *m, ns_error *err) {
    int64_t above = 0;
    int status = NS_OK;
    for (int k = 0; k < m->count && !status; k++) {
        int like = first_like(m, k);
        if (like == k)
            status = raise_data(m, k, &above, err);
        else
            m->raise[k] = m->raise[like];
    }
    for (int k = 0; k < m->count && !status; k++)
        for (uint64_t i = m->first[k]; i < m->first[k + 1]; i++) m->ids[i] += m->raise[k];
    return status;
}

static int by_id(const void *a, const void *b) {
    const ns_merged_sample *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static int run_at(const ns_merging *m, uint64_t place) {
    int k = 0;
    while (m->first[k + 1] <= place) k++;
    return k;
}

/* Samples that two runs have would lie side by side. */
static int put_in_order(ns_merging *m, ns_error *err) {
    uint64_t all = m->first[m->count];
    m->order = ns_calloc(all, sizeof *m->order, err);
    if (!m->order) return NS_EFAIL;
    for (uint64_t i = 0; i < all; i++) m->order[i] = (ns_merged_sample){m->ids[i], i};
    qsort(m->order, all, sizeof *m->order, by_id);
    for (uint64_t i = 1; i < all; i++) {
        if (m->order[i].id != m->order[i - 1].id) continue;
        int k = run_at(m, m->order[i].place), before = run_at(m, m->order[i - 1].place);
        return ns_fail(err, NS_EINPUT,
                       "%s: sample %" PRId64
                       " of %s is in %s already: counted twice it would weigh double",
                       ns_store_path(m->runs[k]), m->order[i].id - m->raise[k],
                       ns_merge_text(m->runs[k], "data_path"), ns_store_path(m->runs[before]));
    }
    return NS_OK;
}

int ns_merge_samples(ns_merging *m, ns_error *err) {
    bool labels = true, predicted = true;
    uint64_t all = m->first[m->count];
    m->ids = ns_calloc(all, sizeof *m->ids, err);
    m->labels = ns_calloc(all, sizeof *m->labels, err);
    m->predicted = ns_calloc(all, sizeof *m->predicted, err);
    int status = m->ids && m->labels && m->predicted ? NS_OK : NS_EFAIL;
    for (int k = 0; k < m->count && !status; k++) {
        uint64_t at = m->first[k];
        status = ns_store_read_samples(m->runs[k], 0, m->first[k + 1] - at, m->ids + at,
                                       m->labels + at, m->predicted + at, err);
    }
    if (!status) status = raise_ids(m, err);
    if (!status) status = put_in_order(m, err);
    for (uint64_t i = 0; i < all && !status; i++) {
        labels &= m->labels[i] >= 0;
        predicted &= m->predicted[i] >= 0;
    }
    if (!labels) free(m->labels), m->labels = NULL;
    if (!predicted) free(m->predicted), m->predicted = NULL;
    return status;
}
