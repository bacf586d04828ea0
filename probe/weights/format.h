/* Formats of checkpoint files: one format is one file of probe/weights/ and one row of the table in format.c.
 *
 * A format says where the tensors of a mapped file lie and of which type they are; what is asked of them (names, shapes, floats, hashes)
 * is done once for all of them, in weights.c. */
#ifndef NS_WEIGHTS_FORMAT_H
#define NS_WEIGHTS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/base/io.h"
#include "probe/weights/dtype.h"
#include "probe/weights/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor as a file has it. */
typedef struct ns_stored {
    ns_tensor_info info; /* name: malloc'ed, owned by the list; dtype: type->name; file: the path */
    const ns_element *type;
    int64_t count;              /* elements: the product of info.shape */
    const unsigned char *bytes; /* the first element; NULL: format->load brings them when asked */
    size_t size;                /* bytes that are, or will be, there */
    bool strided;               /* else row-major without gaps, whole blocks a row */
    int64_t strides
        [NS_MAX_DIMS];  /* elements from one index to the next, where strided; plain types alone */
    unsigned char *own; /* where load made a block for this tensor: free'd with the list */
    void *user;         /* the format's, borrowed from the file's own */
} ns_stored;

struct ns_weights_format;

/* An open file. A format's open fills in what stands below `format`; whatever it has set is freed after a failure, too. */
typedef struct ns_weights_file {
    char *path; /* owned */
    const char *
        key; /* which of the models in it, in the format's words; NULL: there is one alone; borrowed */
    ns_mapped mapped; /* the whole file; owned */
    const struct ns_weights_format *format;
    ns_stored *tensors; /* [count], in any order; malloc'ed */
    int count;
    /* What the file says beside tensors; new references or NULL. */
    struct json_t *config; /* an object: keys and values of Hugging Face's config.json */
    struct json_t
        *config_keys; /* {"hidden_size": "llama.embedding_length"}: how the file calls them */
    struct json_t *metadata; /* an object: all that the file says, in its own words */
    void *own;               /* the format's; freed by its close */
} ns_weights_file;

typedef struct ns_weights_format {
    const char *title; /* "safetensors": for people */
    const char *single,
        *index; /* what a Hugging Face folder calls one file, and the list of shards; or NULL */
    const char *
        ending; /* ".gguf": a folder that holds one file of that ending, and none of the above, is that file; or NULL */
    /* Whether a file that begins so is one of this format, be it damaged; size is the whole file's. */
    bool (*recognise)(const unsigned char *bytes, size_t size);
    /* Checks everything that the file states against the format and its size, in bounded time and memory. NS_EINPUT names the file,
     * what was expected and what was found. No values are read. */
    int (*open)(ns_weights_file *file, ns_error *err);
    /* Sets tensor->bytes, which stay valid until close, and tensor->size. NULL where open has set all of them. */
    int (*load)(ns_weights_file *file, ns_stored *tensor, ns_error *err);
    bool keyed; /* a file may hold several models, of which FILE:KEY is one */
    void (*close)(ns_weights_file *file); /* frees file->own; NULL: there is none */
} ns_weights_format;

/* The i-th row; NULL behind the last. Folders are searched in this order. */
const ns_weights_format *ns_weights_format_at(size_t i);
/* "safetensors, GGUF or ...", into `text`. */
const char *ns_weights_formats(char text[128]);

/* Maps `path`, finds its format, opens it, and checks that every tensor's shape, type, strides and size fit each other. Takes `path`
 * (malloc'ed; NULL: NS_EFAIL); `key`, or NULL, must stay. Whatever it returns, ns_weights_file_close frees what the file holds. */
int ns_weights_file_open(ns_weights_file *file, char *path, const char *key, ns_error *err);
void ns_weights_file_close(ns_weights_file *file);

void ns_stored_free(ns_stored *tensors, int count);

/* What a file that is no checkpoint can be turned into or fetched by, given what ns_looks_like says of it: a sentence, or NULL. */
const char *ns_weights_way_out(const char *looks_like);

#ifdef __cplusplus
}
#endif
#endif
