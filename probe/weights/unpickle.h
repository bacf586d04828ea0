/* A reader of Python's pickles that runs nothing: a small machine for the operations that torch.save writes (protocols 2 to 5), over values
 * of its own.
 *
 * A pickle names functions and classes and says what they are called with. Here a name is looked up in a table (unpickle_globals.c), after the
 * rules of torch.load(weights_only=True): a few build tensors and dictionaries, some more make objects that nobody looks into, and every
 * other name is refused. There is nothing that could be imported or called.
 *
 * Memory: some 100 bytes for each byte of the pickle at worst, 5 as a rule, and never more than NS_UNPICKLE_MOST_MEMORY. Time: a step for each operation. Nothing here calls
 * itself, however deep a pickle nests. */
#ifndef NS_UNPICKLE_H
#define NS_UNPICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_UNPICKLE_MOST_MEMORY (512u << 20) /* bytes for values */
#define NS_UNPICKLE_MOST_MARKS  10000        /* tuples and the like that are begun and not ended */

typedef enum ns_py_kind {
    NS_PY_NOTHING, /* on no stack: an empty place of the memo */
    NS_PY_NONE,
    NS_PY_BOOL,
    NS_PY_WHOLE,
    NS_PY_REAL,
    NS_PY_TEXT,
    NS_PY_BYTES,
    NS_PY_TUPLE,
    NS_PY_LIST,
    NS_PY_DICT,
    NS_PY_GLOBAL,
    NS_PY_STORAGE,
    NS_PY_TENSOR,
    NS_PY_OBJECT, /* of which nothing is known but its class */
    NS_PY_KINDS
} ns_py_kind;

/* A value, to be copied about. What it points to belongs to the pickle that it was read from. */
typedef struct ns_py {
    ns_py_kind kind;
    uint32_t length; /* of text: bytes, no zero behind them */
    union {
        int64_t whole; /* 0 and 1 of a bool */
        double real;
        const char *text;
        struct ns_py_list *list; /* of tuples, lists, dictionaries (keys and values in turn) */
        const struct ns_py_global *global; /* of a global; of an object: its class, or NULL */
        const struct ns_py_storage *storage;
        const struct ns_py_tensor *tensor;
    };
} ns_py;

typedef struct ns_py_list {
    ns_py *items;
    size_t count, room;
    bool seen; /* for whoever walks over dictionaries that may hold each other; false at first */
} ns_py_list;

/* A block of elements in the file. */
typedef struct ns_py_storage {
    const char *key; /* its name there, which ends with a zero */
    const char
        *dtype;  /* "F32", as safetensors calls it; "bytes" where the tensor says; constant text */
    size_t item; /* bytes of an element */
    int64_t count; /* elements */
} ns_py_storage;

/* A view of a storage. */
typedef struct ns_py_tensor {
    const ns_py_storage *storage; /* NULL: of a kind that has none, see `odd` */
    const char *dtype;
    size_t item;
    int64_t offset; /* elements */
    int dims;
    const int64_t *shape, *strides; /* [dims], elements */
    const char *odd; /* NULL, or what it is beside an array of numbers: "a sparse tensor" */
} ns_py_tensor;

typedef struct ns_pickle ns_pickle;

/* Reads one pickle from the beginning of `bytes`, which must outlive what is made of it, and sets *root and *used, the bytes that it takes.
 * `what` names the pickle in messages: "model.pt: data.pkl". NS_EINPUT where it is damaged, or names what is not in the table: the message
 * says where, what, and what to do instead. ns_pickle_free frees *out, which is NULL after a failure. */
int ns_pickle_read(ns_pickle **out, const unsigned char *bytes, size_t size, const char *what,
                   ns_py *root, size_t *used, ns_error *err);
void ns_pickle_free(ns_pickle *pickle);

/* The storages that the pickle named, in its order, each as often as it was named. */
const ns_py_list *ns_pickle_storages(const ns_pickle *pickle);

/* The value of `key` in a dictionary, the last one where it is there more than once; NULL where it is not, or where `dict` is none. */
const ns_py *ns_py_get(const ns_py *dict, const char *key);
/* Whether it is text and just that. */
bool ns_py_is(const ns_py *value, const char *text);
/* "a tuple", for messages. */
const char *ns_py_kind_name(ns_py_kind kind);

#ifdef __cplusplus
}
#endif
#endif
