/* What a run says of each of its samples: predictions, losses, words. A dataset each, of which a commit writes a stretch before the count
 * moves, so that they are complete up to it, and sums over them are the same however often the run was interrupted. */
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/store/store_reader_internal.h"
#include "probe/store/store_writer_internal.h"

static const struct {
    const char *name, *unit;
    size_t item;
    bool whole; /* integers */
} kinds[NS_OUTCOMES] = {
    [NS_OUTCOME_PREDICTION] = {"prediction", NULL, 4, true},
    [NS_OUTCOME_LOSS] = {"loss", "nat", 8, false},
    [NS_OUTCOME_JUDGED] = {"judged", NULL, 4, true},
    [NS_OUTCOME_HITS] = {"hits", NULL, 4, true},
    [NS_OUTCOME_WORDS] = {"words", NULL, 4, true},
};

static bool is_planned(const ns_store_plan *plan, int kind) {
    switch (kind) {
    case NS_OUTCOME_PREDICTION:
        return plan->predictions;
    case NS_OUTCOME_WORDS:
        return plan->words > 0;
    default:
        return plan->judged;
    }
}

static const void *brought(const ns_store_outcome *o, int kind) {
    const void *const all[NS_OUTCOMES] = {
        [NS_OUTCOME_PREDICTION] = o->predictions,
        [NS_OUTCOME_LOSS] = o->loss,
        [NS_OUTCOME_JUDGED] = o->judged,
        [NS_OUTCOME_HITS] = o->hits,
        [NS_OUTCOME_WORDS] = o->words,
    };
    return all[kind];
}

size_t ns_outcome_bytes(const ns_store_plan *plan, int kind) {
    size_t values = kind == NS_OUTCOME_WORDS ? (size_t)plan->words : 1;
    return is_planned(plan, kind) ? kinds[kind].item * values : 0;
}

/* ---- writing ---- */

int ns_outcomes_lay_out(hid_t samples, const ns_store_plan *plan, ns_layout *out, ns_error *err) {
    const uint64_t extents[2] = {plan->samples, (uint64_t)plan->words};
    int status = NS_OK;
    for (int k = 0; k < NS_OUTCOMES && !status; k++)
        if (is_planned(plan, k))
            status = ns_h5_lay_out(
                samples, kinds[k].name, kinds[k].whole ? H5T_STD_I32LE : H5T_IEEE_F64LE,
                k == NS_OUTCOME_WORDS ? 2 : 1, extents, kinds[k].unit, &out->outcomes[k], err);
    return status;
}

const char *ns_outcome_path(int kind, char path[NS_OUTCOME_PATH]) {
    snprintf(path, NS_OUTCOME_PATH, "samples/%s", kinds[kind].name);
    return path;
}

int ns_outcomes_make(ns_store_message *m, const ns_store_plan *plan, uint64_t batch,
                     ns_error *err) {
    for (int k = 0; k < NS_OUTCOMES; k++)
        if (is_planned(plan, k) &&
            !(m->outcomes[k] = ns_calloc(batch, ns_outcome_bytes(plan, k), err)))
            return NS_EFAIL;
    return NS_OK;
}

void ns_outcomes_take(ns_store_message *m, const ns_store_plan *plan, uint64_t samples,
                      const ns_store_outcome *outcome) {
    for (int k = 0; k < NS_OUTCOMES; k++) {
        const void *from = outcome && m->outcomes[k] ? brought(outcome, k) : NULL;
        m->brought[k] = from != NULL;
        if (from) memcpy(m->outcomes[k], from, samples * ns_outcome_bytes(plan, k));
    }
}

int ns_outcomes_write(ns_store_writer *w, const ns_store_message *m, ns_error *err) {
    int status = NS_OK;
    for (int k = 0; k < NS_OUTCOMES && !status; k++) {
        uint64_t item = ns_outcome_bytes(&w->plan, k);
        if (m->brought[k])
            status = ns_pwrite_all(w->fd, m->outcomes[k], m->added * item,
                                   w->layout.outcomes[k] + m->committed * item, w->path, err);
    }
    return status;
}

/* ---- reading ---- */

/* Whether the file has it in one piece, as it was laid out: then where, and how many values a sample has. */
static bool find(const ns_store *s, int kind, ns_h5_place *place) {
    char path[NS_OUTCOME_PATH];
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    ns_h5_quiet quiet = ns_h5_hush();
    bool found =
        ns_h5_has(s->file, "samples") && ns_h5_find(s->file, ns_outcome_path(kind, path), place);
    ns_h5_unhush(quiet);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    uint64_t bytes = kinds[kind].item;
    return found && place->raw && place->item == bytes && place->little &&
           place->type == (kinds[kind].whole ? H5T_INTEGER : H5T_FLOAT) &&
           place->dims == (kind == NS_OUTCOME_WORDS ? 2 : 1) && place->extents[0] == s->samples &&
           !__builtin_mul_overflow(bytes, s->samples, &bytes) &&
           !__builtin_mul_overflow(bytes, place->dims == 2 ? place->extents[1] : 1, &bytes) &&
           place->offset <= s->file_size && bytes <= s->file_size - place->offset;
}

static int read_stretch(const ns_store *s, int kind, const ns_h5_place *place, uint64_t first,
                        uint64_t count, void *out, ns_error *err) {
    uint64_t item = kinds[kind].item * (place->dims == 2 ? place->extents[1] : 1);
    if (first > s->committed || count > s->committed - first)
        return ns_fail(err, NS_EUSAGE, "%s: samples %llu to %llu asked for, %llu are complete",
                       s->path, (unsigned long long)first, (unsigned long long)first + count,
                       (unsigned long long)s->committed);
    return ns_pread_all(s->fd, out, count * item, place->offset + first * item, s->path, err);
}

bool ns_store_has_judged(const ns_store *s) {
    ns_h5_place place;
    return find(s, NS_OUTCOME_LOSS, &place) && find(s, NS_OUTCOME_JUDGED, &place) &&
           find(s, NS_OUTCOME_HITS, &place);
}

int ns_store_read_judged(const ns_store *s, uint64_t first, uint64_t count, double *loss,
                         int32_t *judged, int32_t *hits, ns_error *err) {
    void *const out[NS_OUTCOMES] = {
        [NS_OUTCOME_LOSS] = loss, [NS_OUTCOME_JUDGED] = judged, [NS_OUTCOME_HITS] = hits};
    int status = NS_OK;
    for (int k = 0; k < NS_OUTCOMES && !status; k++) {
        ns_h5_place place;
        if (!out[k]) continue;
        if (find(s, k, &place))
            status = read_stretch(s, k, &place, first, count, out[k], err);
        else
            memset(out[k], 0, count * kinds[k].item);
    }
    return status;
}

int ns_store_words(const ns_store *s) {
    ns_h5_place place;
    return find(s, NS_OUTCOME_WORDS, &place) && place.extents[1] <= INT32_MAX
               ? (int)place.extents[1]
               : 0;
}

int ns_store_read_words(const ns_store *s, uint64_t first, uint64_t count, int32_t *words,
                        ns_error *err) {
    ns_h5_place place;
    if (!find(s, NS_OUTCOME_WORDS, &place))
        return ns_fail(err, NS_EINPUT, "%s: expected a dataset samples/words, found none", s->path);
    return read_stretch(s, NS_OUTCOME_WORDS, &place, first, count, words, err);
}

/* Of a file that was written before format 1.3: labels against predictions. */
static int score_by_labels(const ns_store *s, ns_store_score *out, ns_error *err) {
    uint64_t n = s->committed;
    int32_t *labels = ns_calloc(n, sizeof *labels, err),
            *predictions = ns_calloc(n, sizeof *predictions, err);
    int status = labels && predictions
                     ? ns_store_read_samples(s, 0, n, NULL, labels, predictions, err)
                     : NS_EFAIL;
    for (uint64_t i = 0; i < n && !status; i++) {
        if (labels[i] < 0 || predictions[i] < 0) continue;
        out->judged++;
        out->hits += labels[i] == predictions[i];
    }
    free(labels);
    free(predictions);
    return status;
}

int ns_store_read_score(const ns_store *s, ns_store_score *out, ns_error *err) {
    enum { PIECE = 4096 };
    double loss[PIECE];
    int32_t judged[PIECE], hits[PIECE];
    *out = (ns_store_score){0};
    if (!ns_store_has_judged(s)) return score_by_labels(s, out, err);
    out->has_loss = true;
    out->of_words = ns_store_words(s) > 0;
    int status = NS_OK;
    for (uint64_t first = 0; first < s->committed && !status; first += PIECE) {
        uint64_t n = s->committed - first < PIECE ? s->committed - first : PIECE;
        status = ns_store_read_judged(s, first, n, loss, judged, hits, err);
        for (uint64_t i = 0; i < n && !status; i++) {
            out->loss += loss[i];
            out->judged += judged[i] > 0 ? (uint64_t)judged[i] : 0;
            out->hits += hits[i] > 0 ? (uint64_t)hits[i] : 0;
        }
    }
    return status;
}
