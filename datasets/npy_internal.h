/* The array of a .npy file: for the kinds of data sets that lie in one. */
#ifndef NS_NPY_INTERNAL_H
#define NS_NPY_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/base/io.h"

enum { NS_NPY_MOST_DIMS = 8 };

typedef struct ns_npy {
    ns_mapped file;
    const char *path; /* borrowed */
    char type[4];     /* "f4": without the byte order */
    size_t item;
    int dims;
    int64_t shape[NS_NPY_MOST_DIMS], count;
    const unsigned char *values;
} ns_npy;

/* Maps the file and checks its header against its size. Unmap file, also after a failure. */
int ns_npy_open(ns_npy *a, const char *path, ns_error *err);
/* The i-th value of an array of an integer type. */
int64_t ns_npy_whole_number(const ns_npy *a, int64_t i);

#endif
