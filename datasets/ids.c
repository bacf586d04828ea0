/* Token ids of any integer type in a .npy file, [samples, words]. Padding is what lies below 0, and, where the model says which id fills
 * samples up, a run of that id at the end of a sample. */
#include <limits.h>
#include <stdlib.h>

#include "datasets/kinds.h"
#include "datasets/npy_internal.h"
#include "datasets/text_internal.h"
#include "probe/base/mem.h"

/* Words of sample `id` before the padding at its end. */
static int64_t words_of(const ns_npy *a, int64_t id, int32_t padding) {
    int64_t n = a->shape[1];
    while (n > 0) {
        int64_t last = ns_npy_whole_number(a, id * a->shape[1] + n - 1);
        if (last >= 0 && (padding < 0 || last != padding)) break;
        n--;
    }
    return n;
}

static int check_ids(const ns_dataset *d, const ns_npy *a, ns_error *err) {
    for (int64_t i = 0; i < a->count; i++) {
        int64_t word = ns_npy_whole_number(a, i);
        if (a->type[0] == 'u' && word < 0) word = INT64_MAX;
        int status = ns_check_word(&d->text, d->path, i / a->shape[1], i % a->shape[1], word, err);
        if (status) return status;
    }
    for (int64_t s = 0; s < a->shape[0]; s++)
        if (!words_of(a, s, d->text.padding))
            return ns_fail(err, NS_EINPUT, "%s: sample %lld: expected words, found padding alone",
                           d->path, (long long)s);
    return NS_OK;
}

static int ids_open(ns_dataset *d, const char *labels_path, ns_error *err) {
    if (labels_path)
        return ns_fail(err, NS_EUSAGE, "%s: text has no labels but its own next tokens", d->path);
    ns_npy *a = ns_calloc(1, sizeof *a, err);
    if (!a) return NS_EFAIL;
    d->state = a;
    int status = ns_npy_open(a, d->path, err);
    if (status) return status;
    if (a->type[0] == 'f' || a->dims != 2 || a->shape[1] < 1 || a->shape[1] > INT_MAX)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected token ids, whole numbers in 2 dimensions [samples, words], "
                       "found type %s in %d",
                       d->path, a->type, a->dims);
    if (d->text.most && a->shape[1] > d->text.most)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected samples of at most %d words, the model's positions, found "
                       "%lld",
                       d->path, d->text.most, (long long)a->shape[1]);
    d->count = a->shape[0];
    d->text.length = (int)a->shape[1];
    d->classes = d->text.words;
    return check_ids(d, a, err);
}

static void ids_close(ns_dataset *d) {
    ns_npy *a = d->state;
    ns_unmap(&a->file);
    free(a);
}

static int ids_words(const ns_dataset *d, int64_t id, int32_t *words, ns_error *err) {
    const ns_npy *a = d->state;
    int64_t n = a->shape[1], end = words_of(a, id, d->text.padding);
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        int64_t word = i < end ? ns_npy_whole_number(a, id * n + i) : -1;
        words[i] = word < 0 ? -1 : (int32_t)word;
    }
    return NS_OK;
}

/* Of these samples alone, as numbers, whatever their type in the file. */
static int ids_hash(const ns_dataset *d, const int64_t *ids, size_t n, ns_hash *hash,
                    ns_error *err) {
    const ns_npy *a = d->state;
    (void)err;
    ns_hash_add(hash, a->shape + 1, sizeof *a->shape);
    for (size_t s = 0; s < n; s++)
        for (int64_t i = 0; i < a->shape[1]; i++) {
            int64_t word = ns_npy_whole_number(a, ids[s] * a->shape[1] + i);
            ns_hash_add(hash, &word, sizeof word);
        }
    return NS_OK;
}

const ns_dataset_kind ns_dataset_ids = {.name = "ids",
                                        .summary = "token ids in a .npy file [samples, words]",
                                        .recognise = ns_npy_recognise,
                                        .open = ids_open,
                                        .close = ids_close,
                                        .words = ids_words,
                                        .hash = ids_hash};
