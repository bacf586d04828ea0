/* What open.c and weights.c share. */
#ifndef NS_WEIGHTS_INTERNAL_H
#define NS_WEIGHTS_INTERNAL_H

#include "probe/weights/format.h"

/* A tensor of any file. */
typedef struct ns_weights_entry {
    ns_stored *tensor;
    ns_weights_file *from;
    float *values;           /* widened; owned */
    unsigned char *gathered; /* the elements of a strided one in order; owned */
} ns_weights_entry;

struct ns_weights {
    char *path, *config_path, *preprocessor_path;
    struct json_t *config, *preprocessor;
    ns_weights_file *files; /* [file_count] */
    int file_count;
    ns_weights_entry *entries; /* in order of name */
    int count;
};

/* Opens the files of w->path and the JSON beside them. */
int ns_weights_open_files(ns_weights *w, ns_error *err);

#endif
