/* A file that HDF5 makes in memory alone, for the targets that feed its readers: written out in one piece, since the readers take values from a
 * file by themselves. */
#ifndef NS_FUZZ_H5_IMAGE_H
#define NS_FUZZ_H5_IMAGE_H

#define NS_FUZZ_COPIES 10

#include <hdf5.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

/* HDF5 keeps what it frees for the next file: a megabyte for each, which else is mapped anew every time. */
static hid_t image_begin(void) {
    H5set_free_list_limits(-1, -1, -1, -1, -1, -1);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, (size_t)1 << 16, 0);
    hid_t file = H5Fcreate("image", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    if (file < 0) abort();
    return file;
}

/* Closes it; returns the path of the file of that name (static text). */
static const char *image_end(hid_t file, const char *name) {
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t size = H5Fget_file_image(file, NULL, 0);
    void *bytes = size > 0 ? malloc((size_t)size) : NULL;
    if (!bytes || H5Fget_file_image(file, bytes, (size_t)size) != size) abort();
    H5Fclose(file);
    const char *path = ns_fuzz_file(name, bytes, (size_t)size);
    free(bytes);
    return path;
}

#endif
