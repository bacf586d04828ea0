/* Datasets: samples by index, as tensors that a model takes. One format, one file in datasets/, one row of the table in
 * datasets/dataset.c.
 *
 * This room knows nothing of models: what an image or a text must look like is told in an ns_input_shape. */
#ifndef NS_DATASET_H
#define NS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "datasets/input.h"
#include "probe/base/error.h"
#include "probe/base/hash.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_dataset ns_dataset;
typedef struct ns_dataset_kind ns_dataset_kind;

/* Files that are no samples, and why. */
typedef struct ns_left_out {
    int64_t count;
    char **names; /* [named], "notes.txt: ..."; owned. Of the first NS_MOST_LEFT_OUT alone */
    int named;
} ns_left_out;
#define NS_MOST_LEFT_OUT 1000

struct ns_dataset {
    const ns_dataset_kind *kind;
    char *spec;         /* as it was asked for: a path or a name; owned */
    char *path;         /* what that is on this machine; owned */
    int64_t count;      /* samples */
    int32_t *labels;    /* [count], owned, or NULL where there are none */
    char *labels_path;  /* the file that they were read from, owned; NULL: path tells them itself */
    int classes;        /* labels are 0..classes-1; 0 without labels */
    char **class_names; /* [classes], owned, or NULL */
    ns_input_kind input;
    ns_image_shape shape; /* of pixels, */
    ns_text_shape text;   /* and of words; text.length is what each sample has */
    bool resized,
        scaled; /* which steps of the shape this data takes: resize and crop; mean and std */
    ns_left_out unknown; /* files of a folder whose names are not those of what was looked for */
    int64_t cut;         /* samples of text that were longer than text.length was asked for */
    void *state;         /* the kind's own */
};

struct ns_dataset_kind {
    const char *name;    /* "idx" */
    const char *summary; /* "IDX, plain or gzip (MNIST's format)" */
    /* Whether `path` looks like this format. */
    bool (*recognise)(const char *path);
    /* Fills in count, labels, classes, class_names, resized, scaled, state. kind, path and shape are set. */
    int (*open)(ns_dataset *dataset, const char *labels_path, ns_error *err);
    void (*close)(ns_dataset *dataset);
    /* One sample into pixels [channels, height, width], or, in a data set of words, into words [text.length], below 0 where there is none.
     * Called by several threads at once. A kind has one of the two. */
    int (*read)(const ns_dataset *dataset, int64_t id, float *pixels, ns_error *err);
    int (*words)(const ns_dataset *dataset, int64_t id, int32_t *words, ns_error *err);
    /* Adds the bytes that determine samples ids[0..n-1] (rising), or all samples where that costs little, to the hash. */
    int (*hash)(const ns_dataset *dataset, const int64_t *ids, size_t n, ns_hash *hash,
                ns_error *err);
    /* The name of a sample in a list of labels, borrowed; NULL where samples have none. */
    const char *(*sample_name)(const ns_dataset *dataset, int64_t id);
};

/* Opens `spec`: a path, or a name that the package manager or the bundle provides ("fashion-mnist", the 10,000 test
 * images; "fashion-mnist-train"; "fashion-mnist-1000", bundled). labels_path may be NULL: then labels are looked for
 * where the format puts them. shape may be NULL: images keep their own size, values in 0..1. */
NS_API int ns_dataset_open(ns_dataset **out, const char *spec, const char *labels_path,
                           const ns_image_shape *shape, ns_error *err);
/* The same for a language model: text, whose stretches of shape->length words are the samples, or token ids. */
NS_API int ns_dataset_open_words(ns_dataset **out, const char *spec, const char *labels_path,
                                 const ns_text_shape *shape, ns_error *err);
/* Whichever of the two a model takes. */
NS_API int ns_dataset_open_input(ns_dataset **out, const char *spec, const char *labels_path,
                                 const ns_input_shape *input, ns_error *err);
NS_API void ns_dataset_close(ns_dataset *dataset);
/* Whether a name is one of those that ns_dataset_open knows. */
NS_API bool ns_dataset_has_name(const char *name);
/* The path that `spec` means on this machine, as ns_dataset_open resolves it; to be freed, NULL on failure. */
NS_API char *ns_dataset_path(const char *spec, ns_error *err);

/* Samples ids[0..n-1] into pixels [n, channels, height, width], read by several threads. */
NS_API int ns_dataset_read(const ns_dataset *dataset, const int64_t *ids, size_t n, float *pixels,
                           ns_error *err);
/* The same of a data set of words: words [n, text.length], below 0 where a sample has none (padding). */
NS_API int ns_dataset_words(const ns_dataset *dataset, const int64_t *ids, size_t n, int32_t *words,
                            ns_error *err);

/* The text of a token, as UTF-8, to be freed; NULL without an error where the data set does not know what its ids mean. */
NS_API char *ns_dataset_token(const ns_dataset *dataset, int32_t id, ns_error *err);

/* Keeps, of ids[0..*n-1], those whose samples can be read, in their order: reads them all, by several threads. The others are counted
 * and named in `out`, which the caller frees (ns_left_out_free). May be called in pieces. Failures that are not the data's are returned. */
NS_API int ns_dataset_readable(const ns_dataset *dataset, int64_t *ids, size_t *n, ns_left_out *out,
                               ns_error *err);
/* Takes `name`, which may be NULL where memory was out. */
int ns_left_out_add(ns_left_out *out, char *name, ns_error *err);
NS_API void ns_left_out_free(ns_left_out *out);

/* SHA-256 over labels and samples ids[0..n-1], in any order: of a file that is in memory anyway, over all of it; of a
 * folder or a large tensor, over these samples only, so that a run over a few of very many does not read them all. */
NS_API int ns_dataset_hash(const ns_dataset *dataset, const int64_t *ids, size_t n,
                           char hex[NS_HASH_HEX], ns_error *err);

/* How samples are made ready for the model, in words, for provenance. Returns text. */
NS_API char *ns_dataset_steps(const ns_dataset *dataset, char text[256]);

typedef enum ns_order {
    NS_ORDER_DATA,      /* 0, 1, 2, ... */
    NS_ORDER_SHUFFLED,  /* by the seed */
    NS_ORDER_STRATIFIED /* classes in turn, each class shuffled by the seed; needs labels */
} ns_order;
#define NS_ORDERS "data|shuffled|stratified"

/* The first n sample ids in that order, into ids[n]; n <= count. A shorter list is the beginning of a longer one. */
NS_API int ns_dataset_order(const ns_dataset *dataset, ns_order order, uint64_t seed, int64_t n,
                            int64_t *ids, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
