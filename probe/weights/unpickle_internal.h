/* Between the machine (unpickle.c), its operations (unpickle_operations.c) and the names that it knows (unpickle_globals.c). */
#ifndef NS_UNPICKLE_INTERNAL_H
#define NS_UNPICKLE_INTERNAL_H

#include "probe/weights/unpickle.h"

struct ns_pickle {
    const char *what; /* names it in messages; borrowed */
    const unsigned char *bytes;
    size_t size, at;
    size_t begun;         /* where the operation stands that is being done */
    struct block *blocks; /* what values point to; owned */
    size_t memory;        /* bytes of all blocks */
    ns_py_list stack, memo, storages;
    size_t marks[NS_UNPICKLE_MOST_MARKS]; /* heights of the stack */
    size_t mark_count;
    ns_error *err;
};

typedef struct ns_py_global ns_py_global;

/* What a name does when it is called. Whatever it makes, it makes of values alone. */
typedef int ns_py_call(ns_pickle *p, const ns_py_global *global, const ns_py_list *args,
                       ns_py *out);

struct ns_py_global {
    const char *module, *name; /* "numpy*", "*": whatever begins so */
    ns_py_call *call;          /* NULL: makes an object of which nothing is known */
    const char *says;          /* types: "F32"; what is odd about a tensor: "a sparse tensor" */
    size_t item;               /* types: bytes of an element */
};

/* What stands behind an operation's byte. */
typedef struct ns_pickle_argument {
    uint64_t number;
    ns_py text, second; /* bytes with their count before them, or one line, and a second one */
} ns_pickle_argument;

/* Numbers of so many bytes, the lowest first; a count and as many bytes; lines that end with a line feed. */
typedef enum ns_pickle_takes {
    NS_ARGUMENT_NO,
    NS_ARGUMENT_ONE,
    NS_ARGUMENT_TWO,
    NS_ARGUMENT_FOUR,
    NS_ARGUMENT_EIGHT,
    NS_ARGUMENT_COUNT1,
    NS_ARGUMENT_COUNT4,
    NS_ARGUMENT_COUNT8,
    NS_ARGUMENT_LINE,
    NS_ARGUMENT_LINES
} ns_pickle_takes;

typedef struct ns_pickle_operation {
    const char *name; /* NULL: there is no such operation */
    ns_pickle_takes takes;
    int (*run)(ns_pickle *p, const ns_pickle_argument *a); /* NULL: refused */
} ns_pickle_operation;

extern const ns_pickle_operation ns_pickle_operations[256];

/* The row of that name; NULL where it is not in the table. */
const ns_py_global *ns_py_global_find(ns_py module, ns_py name);
/* Calls it, or makes an object of it. */
int ns_py_global_call(ns_pickle *p, const ns_py_global *global, const ns_py_list *args, ns_py *out);
/* The storage that ('storage', type, key, location, count) stands for. */
int ns_py_storage_make(ns_pickle *p, const ns_py_list *id, ns_py *out);

/* NS_EINPUT: "WHAT, byte N: expected ..., found ...". */
int ns_pickle_expected(ns_pickle *p, const char *expected, const char *found);
/* The same of a name that is not in the table. */
int ns_pickle_unknown_name(ns_pickle *p, ns_py module, ns_py name);
/* How many bytes of a text are shown in a message. */
int ns_py_shown(ns_py text);
/* `size` bytes, zeroed, that live as long as the pickle; NULL, described, where that is too much. */
void *ns_pickle_room(ns_pickle *p, size_t size);
/* The status of what ns_pickle_room has just described. */
int ns_pickle_no_room(const ns_pickle *p);
/* One more item; a list of `room` places. The places double, and the old ones stay where they are. */
int ns_pickle_push(ns_pickle *p, ns_py_list *list, ns_py item);
int ns_pickle_widen(ns_pickle *p, ns_py_list *list, size_t room);

#endif
