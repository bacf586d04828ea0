/* training.h5 (docs/training-format.md): made in memory, as HDF5 cannot be trusted with a full disk, then written like any other file. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/version.h"
#include "probe/store/h5.h"
#include "probe/norms/site.h"
#include "probe/train/trainer.h"

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

static int put_steps(ns_trainer *t, hid_t file) {
    static const char *const names[] = {"loss", "accuracy", "rate", "gradient_norm"};
    static const char *const units[] = {"nat", "1", "1/step", "loss/parameter"};
    uint64_t n = (uint64_t)t->step;
    hid_t group = make_group(file, "steps", t->err);
    int status = group < 0 ? NS_EFAIL : NS_OK;
    for (int c = 0; c < NS_STEP_COLUMNS && !status && n; c++)
        status = put_column(group, names[c], units[c], &t->history[0][c], NS_STEP_COLUMNS, n, 1, &n,
                            t->err);
    if (group >= 0) H5Gclose(group);
    return status;
}

static int put_epochs(ns_trainer *t, hid_t file) {
    static const char *const names[] = {"loss", "accuracy", "validation_loss",
                                        "validation_accuracy"};
    uint64_t n = (uint64_t)t->epoch_count;
    hid_t group = make_group(file, "epochs", t->err);
    int status = group < 0 ? NS_EFAIL : NS_OK;
    for (int c = 0; c < 4 && !status && n; c++) {
        double *values = ns_calloc(n, sizeof *values, t->err);
        if (!values) status = NS_EFAIL;
        for (uint64_t i = 0; i < n && !status; i++) {
            const ns_train_epoch *e = &t->epochs[i];
            const double columns[] = {e->loss, e->accuracy, e->validation_loss,
                                      e->validation_accuracy};
            values[i] = columns[c];
        }
        if (!status)
            status = ns_h5_put(group, names[c], H5T_NATIVE_DOUBLE, 1, &n, c % 2 ? "1" : "nat",
                               values, t->err);
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

static int put_sites(ns_trainer *t, hid_t group) {
    enum { ROLE_WIDTH = 16 };
    const ns_trunk *trunk = &t->net->trunk;
    size_t n = (size_t)trunk->site_count, width = sizeof trunk->sites->name;
    char *words = ns_calloc(n, width + ROLE_WIDTH, t->err),
         *roles = words ? words + n * width : NULL;
    if (!words) return NS_EFAIL;
    for (size_t i = 0; i < n; i++) {
        const ns_trunk_site *site = &trunk->sites[i];
        memcpy(words + i * width, site->name, width);
        snprintf(roles + i * ROLE_WIDTH, ROLE_WIDTH, "%s",
                 ns_role_name(site->final       ? NS_ROLE_FINAL
                              : site->attention ? NS_ROLE_ATTENTION
                                                : NS_ROLE_MLP));
    }
    int status = put_words(group, "names", words, width, n, t->err);
    if (!status) status = put_words(group, "roles", roles, ROLE_WIDTH, n, t->err);
    free(words);
    return status;
}

static int put_watched(ns_trainer *t, hid_t file) {
    hid_t group = make_group(file, "watch", t->err);
    if (group < 0) return NS_EFAIL;
    size_t sites = (size_t)t->net->trunk.site_count;
    const uint64_t extents[] = {(uint64_t)t->watch_count, sites};
    int status = put_sites(t, group);
    if (!status)
        status = ns_h5_put(group, "step", H5T_NATIVE_INT64, 1, extents, "step", t->watched_steps,
                           t->err);
    for (int c = 0; c < NS_WATCH_COLUMNS && !status; c++)
        status = put_column(group, ns_watch_names[c], ns_watch_units[c], t->watched + c,
                            NS_WATCH_COLUMNS, (size_t)extents[0] * sites, 2, extents, t->err);
    H5Gclose(group);
    return status;
}

static int put_all(ns_trainer *t, hid_t file) {
    int status = ns_h5_set_int(file, "training_version", 1, t->err);
    if (!status) status = ns_h5_set_text(file, "tool_version", NS_VERSION, t->err);
    if (!status) status = ns_h5_set_text(file, "norm", t->plan->norm, t->err);
    if (!status) status = ns_h5_set_text(file, "data_sha256", t->data_hash, t->err);
    if (!status) status = ns_h5_set_int(file, "seed", (int64_t)t->plan->seed, t->err);
    if (!status) status = ns_h5_set_int(file, "steps_per_epoch", t->epoch_steps, t->err);
    if (!status) status = ns_h5_set_int(file, "steps_in_all", t->steps, t->err);
    if (!status) status = put_steps(t, file);
    if (!status) status = put_epochs(t, file);
    return status ? status : put_watched(t, file);
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

int ns_trainer_save_watched(ns_trainer *t) {
    char *path = ns_path_join(t->plan->folder, "training.h5", t->err);
    if (!path) return NS_EFAIL;
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    H5Pset_fapl_core(access, (size_t)1 << 20, 0);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    int status = file < 0 ? ns_fail(t->err, NS_EFAIL, "%s: HDF5 cannot make it in memory", path)
                          : put_all(t, file);
    size_t size = 0;
    void *bytes = status ? NULL : image_of(file, &size, t->err);
    if (file >= 0) H5Fclose(file);
    ns_h5_unhush(quiet);
    if (!status) status = bytes ? write_bytes(path, bytes, size, t->err) : NS_EFAIL;
    free(bytes);
    free(path);
    return status;
}
