#include "datasets/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datasets/kinds.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/near.h"
#include "probe/base/random.h"

#ifndef NS_DATADIR /* the Makefile tells where `make install` puts the bundle */
#define NS_DATADIR "/usr/local/share/normscope"
#endif

static const ns_dataset_kind *const kinds[] = {&ns_dataset_npy, &ns_dataset_folder,
                                               &ns_dataset_idx};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

/* Data sets with a name: a file that the bundle or a package of the system brings. */
static const struct {
    const char *name, *file; /* a relative file lies in the bundle */
    const char *package;     /* what installs it */
} named[] = {
    {"fashion-mnist-1000", "fashion-mnist-1000/t10k-images-idx3-ubyte.gz", "normscope"},
    {"shakespeare", "shakespeare/shakespeare.txt.gz", "normscope"},
    {"fashion-mnist", "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
     "dataset-fashion-mnist"},
    {"fashion-mnist-train", "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
     "dataset-fashion-mnist"},
};
enum { NAMED_COUNT = sizeof named / sizeof named[0] };

bool ns_dataset_has_name(const char *name) {
    for (int i = 0; i < NAMED_COUNT; i++)
        if (!strcmp(named[i].name, name)) return true;
    return false;
}

static const char *named_name(const void *user, size_t i) {
    (void)user;
    return named[i].name;
}

/* A file of the bundle: $NORMSCOPE_DATA, then datasets/ beside the build folder that the program lies in, then where
 * `make install` put it. NULL with no error where it is in none of them. */
static char *bundled_file(const char *file, ns_error *err) {
    const char *given = getenv("NORMSCOPE_DATA");
    if (given && *given) return ns_path_join(given, file, err);
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    for (int up = 0; n > 0 && up < 3; up++) { /* build/normscope, build/san/normscope */
        program[n] = 0;
        char *slash = strrchr(program, '/');
        if (!slash) break;
        n = slash - program;
        *slash = 0;
        char *path = ns_asprintf(err, "%s/datasets/%s", program, file);
        if (!path || ns_is_file(path)) return path;
        free(path);
    }
    return ns_asprintf(err, "%s/%s", NS_DATADIR, file);
}

/* The path that `spec` means; the caller frees it. */
char *ns_dataset_path(const char *spec, ns_error *err) {
    for (int i = 0; i < NAMED_COUNT; i++) {
        if (strcmp(spec, named[i].name) != 0) continue;
        char *path = named[i].file[0] == '/' ? ns_strdup(named[i].file, err)
                                             : bundled_file(named[i].file, err);
        if (!path || ns_is_file(path)) return path;
        ns_fail(err, NS_EINPUT, "%s: expected its file %s, found none; the package %s brings it",
                spec, path, named[i].package);
        free(path);
        return NULL;
    }
    if (access(spec, F_OK) == 0) return ns_strdup(spec, err);
    ns_fail(err, NS_EINPUT, "%s: no such file or folder, and no data set of that name", spec);
    ns_near_names(err, spec, NAMED_COUNT, named_name, NULL, 3);
    return NULL;
}

/* Any file may be text, so that the forms of ids go first. */
static const ns_dataset_kind *recognise_words(const char *path, const ns_text_shape *text,
                                              ns_error *err) {
    static const ns_dataset_kind *const words[] = {&ns_dataset_ids, &ns_dataset_text};
    const char *dot = strrchr(path, '.');
    if (text->raw) return &ns_dataset_raw_ids;
    if (dot && !strcmp(dot, ".bin")) {
        ns_fail(err, NS_EINPUT,
                "%s: expected text or a .npy file; of raw token ids it must be told how many bytes "
                "each has: --ids uint16 or uint32",
                path);
        return NULL;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i]->recognise(path)) return words[i];
    ns_fail(err, NS_EINPUT, "%s: expected a file of text or a folder of them, or token ids (.npy)",
            path);
    return NULL;
}

static const ns_dataset_kind *recognise(const char *path, ns_error *err) {
    for (int i = 0; i < KIND_COUNT; i++)
        if (kinds[i]->recognise(path)) return kinds[i];
    ns_mapped file;
    if (ns_map_file(&file, path, err)) return NULL;
    ns_fail(err, NS_EINPUT, "%s: expected ", path);
    for (int i = 0; i < KIND_COUNT; i++)
        ns_fail_more(err, "%s%s", i ? "; " : "", kinds[i]->summary);
    ns_fail_more(err, "; found %s", ns_looks_like(file.bytes, file.size));
    ns_unmap(&file);
    return NULL;
}

static int open_any(ns_dataset **out, const char *spec, const char *labels_path,
                    const ns_image_shape *image, const ns_text_shape *text, ns_error *err) {
    *out = NULL;
    char *path = ns_dataset_path(spec, err);
    if (!path) return NS_EINPUT;
    ns_dataset *dataset = ns_calloc(1, sizeof *dataset, err);
    if (!dataset) {
        free(path);
        return NS_EFAIL;
    }
    dataset->path = path;
    if (!(dataset->spec = ns_strdup(spec, err))) {
        ns_dataset_close(dataset);
        return NS_EFAIL;
    }
    if (image) dataset->shape = *image;
    if (text) dataset->text = *text;
    dataset->input = text ? NS_INPUT_WORDS : NS_INPUT_PIXELS;
    dataset->kind = text ? recognise_words(path, text, err) : recognise(path, err);
    int status = dataset->kind ? dataset->kind->open(dataset, labels_path, err) : NS_EINPUT;
    if (!status && dataset->count == 0)
        status = ns_fail(err, NS_EINPUT, "%s: expected samples, found none", path);
    if (status) {
        ns_dataset_close(dataset);
        return status;
    }
    *out = dataset;
    return NS_OK;
}

int ns_dataset_open(ns_dataset **out, const char *spec, const char *labels_path,
                    const ns_image_shape *shape, ns_error *err) {
    return open_any(out, spec, labels_path, shape, NULL, err);
}

int ns_dataset_open_words(ns_dataset **out, const char *spec, const char *labels_path,
                          const ns_text_shape *shape, ns_error *err) {
    return open_any(out, spec, labels_path, NULL, shape, err);
}

int ns_dataset_open_input(ns_dataset **out, const char *spec, const char *labels_path,
                          const ns_input_shape *input, ns_error *err) {
    bool words = input->kind == NS_INPUT_WORDS;
    return open_any(out, spec, labels_path, words ? NULL : &input->image,
                    words ? &input->text : NULL, err);
}

void ns_dataset_close(ns_dataset *dataset) {
    if (!dataset) return;
    if (dataset->kind && dataset->state) dataset->kind->close(dataset);
    ns_left_out_free(&dataset->unknown);
    for (int i = 0; dataset->class_names && i < dataset->classes; i++)
        free(dataset->class_names[i]);
    free(dataset->class_names);
    free(dataset->labels);
    free(dataset->labels_path);
    free(dataset->spec);
    free(dataset->path);
    free(dataset);
}

/* One sample, into whichever of the two there is. */
static int read_one(const ns_dataset *d, int64_t id, float *pixels, int32_t *words, ns_error *err) {
    if (id < 0 || id >= d->count)
        return ns_fail(err, NS_EUSAGE, "%s: no sample %lld among %lld", d->path, (long long)id,
                       (long long)d->count);
    if (pixels && d->kind->read) return d->kind->read(d, id, pixels, err);
    if (words && d->kind->words) return d->kind->words(d, id, words, err);
    return ns_fail(err, NS_EUSAGE, "%s: expected a data set of %s, found one of %s", d->path,
                   pixels ? "images" : "words", pixels ? "words" : "images");
}

static int read_all(const ns_dataset *dataset, const int64_t *ids, size_t n, float *pixels,
                    int32_t *words, ns_error *err) {
    size_t size = (size_t)dataset->shape.channels * (size_t)dataset->shape.height *
                  (size_t)dataset->shape.width,
           length = (size_t)dataset->text.length;
    int status = NS_OK;
    size_t failed = n; /* the first of them, whichever thread met one before */
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++) {
        ns_error mine = {0};
        int one = read_one(dataset, ids[i], pixels ? pixels + i * size : NULL,
                           words ? words + i * length : NULL, &mine);
        if (one) {
#pragma omp critical(ns_dataset_error)
            if (i < failed) {
                failed = i;
                status = one;
                if (err) *err = mine;
            }
        }
    }
    return status;
}

int ns_dataset_read(const ns_dataset *dataset, const int64_t *ids, size_t n, float *pixels,
                    ns_error *err) {
    return read_all(dataset, ids, n, pixels, NULL, err);
}

int ns_dataset_words(const ns_dataset *dataset, const int64_t *ids, size_t n, int32_t *words,
                     ns_error *err) {
    return read_all(dataset, ids, n, NULL, words, err);
}

/* ---- what cannot be read ---- */

int ns_left_out_add(ns_left_out *out, char *name, ns_error *err) {
    if (!name) return NS_EFAIL;
    char **grown = out->named < NS_MOST_LEFT_OUT
                       ? ns_realloc(out->names, (size_t)out->named + 1, sizeof *grown, err)
                       : NULL;
    if (grown) {
        out->names = grown;
        out->names[out->named++] = name;
    } else {
        free(name);
        if (out->named < NS_MOST_LEFT_OUT) return NS_EFAIL;
    }
    out->count++;
    return NS_OK;
}

void ns_left_out_free(ns_left_out *out) {
    for (int i = 0; i < out->named; i++) free(out->names[i]);
    free(out->names);
    *out = (ns_left_out){0};
}

/* Whether each sample can be read; what is said of those that cannot, to be freed. */
static int try_all(const ns_dataset *d, const int64_t *ids, size_t n, char **said, ns_error *err) {
    size_t size = (size_t)d->shape.channels * (size_t)d->shape.height * (size_t)d->shape.width;
    int status = NS_OK;
#pragma omp parallel
    {
        ns_error mine = {0};
        float *pixels = ns_calloc(size, sizeof *pixels, &mine);
        int failed = pixels ? NS_OK : NS_EFAIL;
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i++) {
            if (failed) continue;
            int one = read_one(d, ids[i], pixels, NULL, &mine);
            if (one == NS_EINPUT && !(said[i] = ns_strdup(mine.message, &mine))) one = NS_EFAIL;
            if (one != NS_EINPUT) failed = one;
        }
        if (failed) {
#pragma omp critical(ns_dataset_error)
            if (!status) {
                status = failed;
                if (err) *err = mine;
            }
        }
        free(pixels);
    }
    return status;
}

int ns_dataset_readable(const ns_dataset *d, int64_t *ids, size_t *n, ns_left_out *out,
                        ns_error *err) {
    if (d->input == NS_INPUT_WORDS) return NS_OK; /* read when it was opened */
    char **said = ns_calloc(*n, sizeof *said, err);
    int status = said ? try_all(d, ids, *n, said, err) : NS_EFAIL;
    size_t kept = 0;
    for (size_t i = 0; i < *n && said; i++) {
        if (!said[i])
            ids[kept++] = ids[i];
        else if (status)
            free(said[i]);
        else
            status = ns_left_out_add(out, said[i], err);
    }
    free(said);
    *n = kept;
    return status;
}

static int rising(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int ns_dataset_hash(const ns_dataset *dataset, const int64_t *ids, size_t n, char hex[NS_HASH_HEX],
                    ns_error *err) {
    int64_t *sorted = ns_calloc(n, sizeof *sorted, err);
    ns_hash *hash = sorted ? ns_hash_begin(err) : NULL;
    int status = hash ? NS_OK : NS_EFAIL;
    if (!status) {
        if (n) memcpy(sorted, ids, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, rising);
        status = dataset->kind->hash(dataset, sorted, n, hash, err);
        if (!status && dataset->labels)
            ns_hash_add(hash, dataset->labels, (size_t)dataset->count * sizeof *dataset->labels);
        ns_hash_end(hash, status ? NULL : hex);
    }
    free(sorted);
    return status;
}

char *ns_dataset_steps(const ns_dataset *dataset, char text[256]) {
    if (dataset->input == NS_INPUT_WORDS) {
        static const char *const splits[] = {[NS_SPLIT_STREAM] = "stretches",
                                             [NS_SPLIT_LINE] = "lines",
                                             [NS_SPLIT_PARAGRAPH] = "paragraphs",
                                             [NS_SPLIT_FILE] = "files"};
        const ns_text_shape *t = &dataset->text;
        ns_text_split split = t->split;
        if (split == NS_SPLIT_USUAL)
            split = ns_is_folder(dataset->path) ? NS_SPLIT_FILE : NS_SPLIT_STREAM;
        if (dataset->kind == &ns_dataset_ids || dataset->kind == &ns_dataset_raw_ids)
            snprintf(text, 256, "ids, %d tokens a sample", t->length);
        else
            snprintf(text, 256, "%s, %s of %d tokens",
                     t->tokenizer    ? "tokens of the checkpoint's tokenizer"
                     : t->vocabulary ? "characters"
                                     : "bytes",
                     splits[split], t->length);
        return text;
    }
    return ns_image_steps(&dataset->shape, dataset->resized, dataset->scaled, text);
}

/* Classes in turn; a class that is used up is passed over. `all` [count] is shuffled already. */
static int stratify(const ns_dataset *dataset, const int64_t *all, int64_t n, int64_t *ids,
                    ns_error *err) {
    int64_t *next =
        ns_calloc((size_t)dataset->classes, sizeof *next, err); /* where to look on, a class */
    if (!next) return NS_EFAIL;
    int64_t used = 0;
    while (used < n)
        for (int c = 0; c < dataset->classes && used < n; c++) {
            while (next[c] < dataset->count && dataset->labels[all[next[c]]] != c) next[c]++;
            if (next[c] < dataset->count) ids[used++] = all[next[c]++];
        }
    free(next);
    return NS_OK;
}

int ns_dataset_order(const ns_dataset *dataset, ns_order order, uint64_t seed, int64_t n,
                     int64_t *ids, ns_error *err) {
    if (n < 1 || n > dataset->count)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected between 1 and %lld samples to be asked for, found %lld",
                       dataset->path, (long long)dataset->count, (long long)n);
    if (order == NS_ORDER_STRATIFIED && !dataset->labels)
        return ns_fail(err, NS_EINPUT, "%s: a stratified order needs labels, found none",
                       dataset->path);
    int64_t *all = ns_calloc((size_t)dataset->count, sizeof *all, err);
    if (!all) return NS_EFAIL;
    for (int64_t i = 0; i < dataset->count; i++) all[i] = i;
    if (order != NS_ORDER_DATA) ns_random_shuffle(all, dataset->count, seed);
    int status = NS_OK;
    if (order == NS_ORDER_STRATIFIED)
        status = stratify(dataset, all, n, ids, err);
    else
        memcpy(ids, all, (size_t)n * sizeof *ids);
    free(all);
    return status;
}
