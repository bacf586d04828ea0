#include "probe/store/training_write.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/version.h"
#include "probe/store/h5.h"

static const char *const watch_names[NS_WATCH_COLUMNS] = {
    "alpha",         "alpha_least",        "alpha_most",
    "inverse_sigma", "inverse_sigma_rows", "inverse_sigma_robust",
    "row_sigma_5",   "row_sigma_50",       "row_sigma_95",
    "largest",       "saturated",          "gradient_norm"};
static const char *const watch_units[NS_WATCH_COLUMNS] = {
    "1/x", "1/x", "1/x", "1/x", "1/x", "1/x", "x", "x", "x", "x", "1", "loss/z"};

static hid_t make_group(hid_t file, const char *name, ns_error *err) {
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) ns_fail(err, NS_EFAIL, "HDF5 group %s could not be made", name);
    return group;
}

/* Column `column` of rows [n] that lie `stride` floats apart. */
static int put_column(hid_t group, const char *name, const char *unit, const float *from,
                      size_t stride, size_t n, int dims, const uint64_t *extents, ns_error *err) {
    float *values = ns_calloc(n, sizeof *values, err);
    if (!values) return NS_EFAIL;
    for (size_t i = 0; i < n; i++) values[i] = from[i * stride];
    int status = ns_h5_put(group, name, H5T_NATIVE_FLOAT, dims, extents, unit, values, err);
    free(values);
    return status;
}

static int put_steps(const ns_training_record *r, hid_t file, ns_error *err) {
    static const char *const names[] = {"loss", "accuracy", "rate", "gradient_norm"};
    static const char *const units[] = {"nat", "1", "1/step", "loss/parameter"};
    uint64_t n = (uint64_t)r->steps;
    hid_t group = make_group(file, "steps", err);
    int status = group < 0 ? NS_EFAIL : NS_OK;
    for (int c = 0; c < NS_STEP_COLUMNS && !status && n; c++)
        status = put_column(group, names[c], units[c], &r->history[0][c], NS_STEP_COLUMNS, n, 1, &n,
                            err);
    if (group >= 0) H5Gclose(group);
    return status;
}

static int put_epochs(const ns_training_record *r, hid_t file, ns_error *err) {
    static const char *const names[] = {"loss", "accuracy", "validation_loss",
                                        "validation_accuracy"};
    uint64_t n = (uint64_t)r->epochs;
    hid_t group = make_group(file, "epochs", err);
    int status = group < 0 ? NS_EFAIL : NS_OK;
    for (int c = 0; c < NS_EPOCH_COLUMNS && !status && n; c++) {
        double *values = ns_calloc(n, sizeof *values, err);
        if (!values) status = NS_EFAIL;
        for (uint64_t i = 0; i < n && !status; i++) values[i] = r->epoch[i][c];
        if (!status)
            status = ns_h5_put(group, names[c], H5T_NATIVE_DOUBLE, 1, &n, c % 2 ? "1" : "nat",
                               values, err);
        free(values);
    }
    if (group >= 0) H5Gclose(group);
    return status;
}

/* Words of one width, [sites], as h5py and pandas take them. */
static int put_words(hid_t group, const char *name, const char *words, size_t width, uint64_t n,
                     ns_error *err) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    int status = ns_h5_put(group, name, type, 1, &n, NULL, words, err);
    H5Tclose(type);
    return status;
}

static int put_sites(const ns_training_record *r, hid_t group, ns_error *err) {
    enum { WIDTH = 40, ROLE_WIDTH = 16 };
    size_t n = (size_t)r->site_count;
    char *words = ns_calloc(n, WIDTH + ROLE_WIDTH, err), *roles = words ? words + n * WIDTH : NULL;
    if (!words) return NS_EFAIL;
    for (size_t i = 0; i < n; i++) {
        snprintf(words + i * WIDTH, WIDTH, "%s", r->sites[i].name);
        snprintf(roles + i * ROLE_WIDTH, ROLE_WIDTH, "%s", ns_role_name(r->sites[i].role));
    }
    int status = put_words(group, "names", words, WIDTH, n, err);
    if (!status) status = put_words(group, "roles", roles, ROLE_WIDTH, n, err);
    free(words);
    return status;
}

static int put_watched(const ns_training_record *r, hid_t file, ns_error *err) {
    hid_t group = make_group(file, "watch", err);
    if (group < 0) return NS_EFAIL;
    size_t sites = (size_t)r->site_count;
    const uint64_t extents[] = {(uint64_t)r->records, sites};
    int status = put_sites(r, group, err);
    if (!status)
        status =
            ns_h5_put(group, "step", H5T_NATIVE_INT64, 1, extents, "step", r->record_steps, err);
    for (int c = 0; c < NS_WATCH_COLUMNS && !status; c++)
        status = put_column(group, watch_names[c], watch_units[c], r->watched + c, NS_WATCH_COLUMNS,
                            (size_t)extents[0] * sites, 2, extents, err);
    H5Gclose(group);
    return status;
}

static int put_all(const ns_training_record *r, hid_t file, ns_error *err) {
    int status = ns_h5_set_int(file, "training_version", 1, err);
    if (!status) status = ns_h5_set_text(file, "tool_version", NS_VERSION, err);
    if (!status) status = ns_h5_set_text(file, "norm", r->norm, err);
    if (!status) status = ns_h5_set_text(file, "data_sha256", r->data_sha256, err);
    if (!status) status = ns_h5_set_int(file, "seed", r->seed, err);
    if (!status) status = ns_h5_set_int(file, "steps_per_epoch", r->steps_per_epoch, err);
    if (!status) status = ns_h5_set_int(file, "steps_in_all", r->steps_in_all, err);
    if (!status) status = put_steps(r, file, err);
    if (!status) status = put_epochs(r, file, err);
    return status ? status : put_watched(r, file, err);
}

static int write_bytes(const char *path, const void *bytes, size_t size, ns_error *err) {
    ns_output out;
    int status = ns_output_open(&out, path, true, err);
    if (status) return status;
    status = fwrite(bytes, 1, size, out.file) == size
                 ? ns_output_commit(&out, err)
                 : ns_fail(err, NS_EFAIL, "%s: cannot be written", path);
    ns_output_drop(&out);
    return status;
}

/* The file's bytes, from memory; the caller frees them. */
static void *image_of(hid_t file, size_t *size, ns_error *err) {
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t n = H5Fget_file_image(file, NULL, 0);
    void *bytes = n > 0 ? ns_calloc((size_t)n, 1, err) : NULL;
    if (bytes && H5Fget_file_image(file, bytes, (size_t)n) == n) {
        *size = (size_t)n;
        return bytes;
    }
    free(bytes);
    ns_fail(err, NS_EFAIL, "HDF5 gives no image of the file");
    return NULL;
}

int ns_training_write(const char *path, const ns_training_record *r, ns_error *err) {
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    H5Pset_fapl_core(access, (size_t)1 << 20, 0);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    int status = file < 0 ? ns_fail(err, NS_EFAIL, "%s: HDF5 cannot make it in memory", path)
                          : put_all(r, file, err);
    size_t size = 0;
    void *bytes = status ? NULL : image_of(file, &size, err);
    if (file >= 0) H5Fclose(file);
    ns_h5_unhush(quiet);
    if (!status) status = bytes ? write_bytes(path, bytes, size, err) : NS_EFAIL;
    free(bytes);
    return status;
}
