#include "probe/capture/judge.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/kernels/kernels.h"

int ns_judge_new(ns_judge *j, size_t samples, size_t length, ns_error *err) {
    size_t rows = samples * length;
    *j = (ns_judge){.samples = samples,
                    .length = length,
                    .predictions = ns_calloc(samples, sizeof *j->predictions, err),
                    .loss = ns_calloc(samples, sizeof *j->loss, err),
                    .judged = ns_calloc(samples, sizeof *j->judged, err),
                    .hits = ns_calloc(samples, sizeof *j->hits, err),
                    .row_loss = ns_calloc(rows, sizeof *j->row_loss, err),
                    .row_hit = ns_calloc(rows, sizeof *j->row_hit, err)};
    if (j->predictions && j->loss && j->judged && j->hits && j->row_loss && j->row_hit)
        return NS_OK;
    ns_judge_free(j);
    return NS_EFAIL;
}

void ns_judge_free(ns_judge *j) {
    free(j->predictions);
    free(j->loss);
    free(j->judged);
    free(j->hits);
    free(j->row_loss);
    free(j->row_hit);
    *j = (ns_judge){0};
}

void ns_judge_begin(ns_judge *j, size_t samples, const int32_t *labels, const int32_t *words) {
    j->labels = labels;
    j->words = words;
    memset(j->loss, 0, samples * sizeof *j->loss);
    memset(j->judged, 0, samples * sizeof *j->judged);
    memset(j->hits, 0, samples * sizeof *j->hits);
    for (size_t r = 0; r < samples * j->length; r++) j->row_hit[r] = -1;
}

static void judge_images(ns_judge *j, size_t first, size_t rows, size_t classes,
                         const float *logits) {
    for (size_t r = 0; r < rows; r++) {
        size_t s = first + r;
        if (!j->labels) {
            j->predictions[s] = ns_best_class(classes, logits + r * classes);
            continue;
        }
        j->loss[s] = ns_label_loss(classes, logits + r * classes, j->labels[s], &j->predictions[s]);
        j->judged[s] = 1;
        j->hits[s] = j->predictions[s] == j->labels[s];
    }
}

/* A word is judged by the one that follows in its sample, where both are words and not padding. */
static void judge_words(ns_judge *j, size_t first, size_t rows, size_t classes,
                        const float *logits) {
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        size_t at = first + r;
        if ((at + 1) % j->length == 0 || j->words[at] < 0 || j->words[at + 1] < 0) continue;
        int32_t best;
        j->row_loss[at] = ns_label_loss(classes, logits + r * classes, j->words[at + 1], &best);
        j->row_hit[at] = best == j->words[at + 1];
    }
}

static int look(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                ns_error *err) {
    ns_judge *j = user;
    (void)err;
    if (j->length)
        judge_words(j, first, rows, classes, logits);
    else
        judge_images(j, first, rows, classes, logits);
    return NS_OK;
}

static bool wants_no_site(void *user, const ns_site *site) {
    (void)user;
    (void)site;
    return false;
}

ns_observer ns_judge_observer(ns_judge *j) {
    return (ns_observer){.user = j, .wants = wants_no_site, .logits = look};
}

ns_store_outcome ns_judge_end(ns_judge *j, size_t samples) {
    for (size_t r = 0; r < samples * j->length; r++) {
        size_t s = r / j->length;
        if (j->row_hit[r] < 0) continue;
        j->loss[s] += j->row_loss[r];
        j->judged[s]++;
        j->hits[s] += j->row_hit[r];
    }
    return (ns_store_outcome){.predictions = j->length ? NULL : j->predictions,
                              .loss = j->loss,
                              .judged = j->judged,
                              .hits = j->hits,
                              .words = j->words};
}
