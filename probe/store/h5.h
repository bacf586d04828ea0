/* A few calls around HDF5's C interface, with our errors. Internal to the probe: only files that deal with HDF5 include it. */
#ifndef NS_H5_H
#define NS_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

/* HDF5 prints its errors to stderr unless told not to; a library must not. Between the two calls it is silent, and what was
 * set before is set again. */
typedef struct ns_h5_quiet {
    H5E_auto2_t function;
    void *data;
} ns_h5_quiet;
ns_h5_quiet ns_h5_hush(void);
void ns_h5_unhush(ns_h5_quiet kept);

/* Opens a file for reading, once the guard has seen it (probe/store/h5_guard.c): nothing else of this program gives HDF5 a file
 * that it did not make. NS_EINPUT where there is no file, HDF5 would crash or hang on it, or it points outside itself;
 * NS_EFAIL where another program has it locked. *file is < 0 then. */
int ns_h5_open(hid_t *file, const char *path, ns_error *err);
/* The guard alone, for a file that HDF5 will open by itself, as a view's source; which must not be a view too. */
int ns_h5_guard_source(const char *path, ns_error *err);

/* Attributes. Text is UTF-8 of variable length, as h5py writes it. */
int ns_h5_set_text(hid_t object, const char *name, const char *text, ns_error *err);
int ns_h5_set_int(hid_t object, const char *name, int64_t value, ns_error *err);
int ns_h5_set_real(hid_t object, const char *name, double value, ns_error *err);

/* The value as text (numbers printed), to be freed; NULL with no error where there is no such attribute or it is neither text
 * nor one number. */
char *ns_h5_get_text(hid_t object, const char *name);
/* false where there is none. */
bool ns_h5_get_real(hid_t object, const char *name, double *value);
bool ns_h5_get_int(hid_t object, const char *name, int64_t *value);

/* A dataset [extents] laid out in one piece and allocated now, not filled; its bytes begin at *offset of the file. `unit` may
 * be NULL. */
int ns_h5_lay_out(hid_t group, const char *name, hid_t type, int dims, const uint64_t *extents,
                  const char *unit, uint64_t *offset, ns_error *err);
/* The same with its values, written at once. */
int ns_h5_put(hid_t group, const char *name, hid_t type, int dims, const uint64_t *extents,
              const char *unit, const void *values, ns_error *err);

/* What a dataset is, and where it lies. */
typedef struct ns_h5_place {
    int dims;
    uint64_t extents[4];
    size_t item; /* bytes of an element in the file */
    bool
        raw; /* of a type that C has, in one piece of this file, uncompressed, allocated: its bytes begin at offset */
    uint64_t offset;
    H5T_class_t type; /* integer or float */
    bool little, is_signed;
} ns_h5_place;
/* The group in which a dataset of that name lies: "sketch" for "sketch/bins"; made where it is not there. */
int ns_h5_make_group(hid_t group, const char *name, ns_error *err);

/* false where there is no such dataset, or it has more than four dimensions. */
bool ns_h5_find(hid_t group, const char *name, ns_h5_place *place);
bool ns_h5_has(hid_t group, const char *name);

#endif
