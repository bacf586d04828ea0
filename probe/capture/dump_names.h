/* What the file of a run is to call its samples, classes and tokens. Not installed as an interface. */
#ifndef NS_DUMP_NAMES_H
#define NS_DUMP_NAMES_H

#include "datasets/dataset.h"
#include "probe/store/store_write.h"

typedef struct ns_dump_names {
    const char **samples; /* [n], borrowed from the data set; NULL where it names none */
    int32_t *token_ids;   /* [token_count], rising: those that occur */
    char **tokens;        /* [token_count], owned */
    int token_count;
} ns_dump_names;

/* Of samples ids[0..n-1] of a data set; `plan` then points into *out and the data set. Reads all words once. Memory: the names, a bit a
 * token of the vocabulary. */
int ns_dump_names_find(ns_dump_names *out, ns_names_plan *plan, const ns_dataset *data,
                       const int64_t *ids, size_t n, ns_error *err);
void ns_dump_names_free(ns_dump_names *names);

#endif
