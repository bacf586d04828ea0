/* An open file, shared by the files that open it and that read it. Not installed as an interface. */
#ifndef NS_STORE_READER_INTERNAL_H
#define NS_STORE_READER_INTERNAL_H

#include <pthread.h>

#include "probe/store/store_internal.h"

/* A dataset of a site: read by its place in the file where it lies there raw, else through HDF5. */
typedef struct ns_source {
    bool there;
    ns_h5_place place;
} ns_source;

typedef struct ns_site_entry {
    ns_store_site shown;
    char group[32];
    char *name;
    float *gamma, *beta, *alpha, *shift, *mean, *variance;
    ns_source input, output, sample, position, kind, head;
    uint64_t planned; /* rows of the dataset */
} ns_site_entry;

struct ns_store {
    char *path;
    int fd;
    uint64_t file_size;
    hid_t file;           /* kept open: for datasets that are not raw */
    pthread_mutex_t lock; /* HDF5's serial build is for one thread at a time */
    uint64_t samples, committed, batch;
    ns_site_entry *sites;
    int site_count;
    char **attributes; /* name, value, name, value, ... */
    int attribute_count;
};

#endif
