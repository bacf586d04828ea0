/* Token ids as they lie in memory, unsigned and little-endian, of 2 or 4 bytes: nanoGPT's train.bin. Samples are stretches of text.length
 * of them. Memory: the file is mapped. */
#include <stdlib.h>
#include <string.h>

#include "datasets/kinds.h"
#include "datasets/text_internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

static int64_t id_at(const ns_mapped *file, int bytes, size_t i) {
    const unsigned char *p = file->bytes + i * (size_t)bytes;
    int64_t low = p[0] | p[1] << 8;
    return bytes == 2 ? low : low | (int64_t)p[2] << 16 | (int64_t)p[3] << 24;
}

static int raw_open(ns_dataset *d, const char *labels_path, ns_error *err) {
    if (labels_path)
        return ns_fail(err, NS_EUSAGE, "%s: text has no labels but its own next tokens", d->path);
    if (d->text.length < 1)
        return ns_fail(err, NS_EUSAGE, "%s: expected how many words a sample has", d->path);
    ns_mapped *file = d->state = ns_calloc(1, sizeof *file, err);
    if (!file) return NS_EFAIL;
    int status = ns_map_file(file, d->path, err);
    if (status) return status;
    size_t item = (size_t)d->text.raw, length = (size_t)d->text.length, count = file->size / item;
    if (file->size % item)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected whole ids of %zu bytes each, found %zu bytes in all", d->path,
                       item, file->size);
    if (file->size >= 6 && !memcmp(file->bytes, "\x93NUMPY", 6))
        return ns_fail(err, NS_EINPUT, "%s: expected raw ids, found a .npy file", d->path);
    d->classes = d->text.words;
    d->count = (int64_t)(count / length);
    if (!d->count)
        return ns_fail(err, NS_EINPUT, "%s: expected a sample of %zu ids, found %zu", d->path,
                       length, count);
    for (size_t i = 0; i < (size_t)d->count * length && !status; i++)
        status = ns_check_word(&d->text, d->path, (int64_t)(i / length), (int64_t)(i % length),
                               id_at(file, d->text.raw, i), err);
    return status;
}

static void raw_close(ns_dataset *d) {
    ns_unmap(d->state);
    free(d->state);
}

static int raw_words(const ns_dataset *d, int64_t id, int32_t *words, ns_error *err) {
    size_t n = (size_t)d->text.length;
    (void)err;
    for (size_t i = 0; i < n; i++)
        words[i] = (int32_t)id_at(d->state, d->text.raw, (size_t)id * n + i);
    return NS_OK;
}

/* Of these samples alone. */
static int raw_hash(const ns_dataset *d, const int64_t *ids, size_t n, ns_hash *hash,
                    ns_error *err) {
    const ns_mapped *file = d->state;
    size_t bytes = (size_t)d->text.length * (size_t)d->text.raw;
    (void)err;
    for (size_t i = 0; i < n; i++) ns_hash_add(hash, file->bytes + (size_t)ids[i] * bytes, bytes);
    return NS_OK;
}

static bool raw_recognise(const char *path) {
    return ns_is_file(path);
}

const ns_dataset_kind ns_dataset_raw_ids = {.name = "raw ids",
                                            .summary = "raw token ids of 2 or 4 bytes",
                                            .recognise = raw_recognise,
                                            .open = raw_open,
                                            .close = raw_close,
                                            .words = raw_words,
                                            .hash = raw_hash};
