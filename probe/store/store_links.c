/* Files that refer to the rows of others by HDF5's virtual datasets. HDF5 itself reads zeros, without a word, where such a file is not
 * there; so each is written down with its size, time and hash, and looked for before anything is read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/store/store_internal.h"

enum { MOST_LINKS = 100000 };

/* One file's rows as a part of the view. */
static herr_t map(hid_t layout, hid_t view, const char *path, const char *dataset, uint64_t first,
                  uint64_t rows, uint64_t channels, uint64_t planned) {
    const hsize_t start[2] = {first, 0}, begin[2] = {0, 0}, count[2] = {rows, channels},
                  whole[2] = {planned, channels};
    hid_t from = H5Screate_simple(2, whole, NULL);
    herr_t done = -1;
    if (from >= 0 && H5Sselect_hyperslab(view, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
        H5Sselect_hyperslab(from, H5S_SELECT_SET, begin, NULL, count, NULL) >= 0)
        done = H5Pset_virtual(layout, view, path, dataset, from);
    if (from >= 0) H5Sclose(from);
    return done;
}

/* Rows that a file's dataset was laid out with, complete or not. */
static int planned_rows(const char *path, const char *dataset, uint64_t *rows, ns_error *err) {
    hid_t file;
    int status = ns_h5_open(&file, path, err);
    if (status) return status;
    ns_h5_place place;
    bool good = ns_h5_find(file, dataset, &place) && place.dims == 2 && place.raw;
    H5Fclose(file);
    if (!good)
        return ns_fail(err, NS_EINPUT,
                       "%s: %s: expected rows that lie in this file, to be referred to", path,
                       dataset);
    *rows = place.extents[0];
    return NS_OK;
}

int ns_links_lay_out(hid_t group, const char *name, hid_t type, const ns_store_plan *plan, int site,
                     const char *unit, ns_error *err) {
    uint64_t positions = (uint64_t)plan->sites[site].positions,
             channels = (uint64_t)plan->sites[site].norm.channels, first = 0;
    const hsize_t size[2] = {plan->samples * positions, channels};
    char dataset[64];
    snprintf(dataset, sizeof dataset, NS_SITE_GROUP "/%s", plan->sites[site].index, name);
    hid_t view = H5Screate_simple(2, size, NULL), layout = H5Pcreate(H5P_DATASET_CREATE);
    int status = NS_OK;
    for (int k = 0; k < plan->link_count && !status; k++) {
        uint64_t rows = plan->links[k].samples * positions, planned = 0;
        if (!rows) continue;
        status = planned_rows(plan->links[k].path, dataset, &planned, err);
        if (!status &&
            map(layout, view, plan->links[k].path, dataset, first, rows, channels, planned) < 0)
            status = ns_fail(err, NS_EFAIL, "HDF5 cannot refer to %s of %s", dataset,
                             plan->links[k].path);
        first += rows;
    }
    H5Sselect_all(view);
    H5Pset_obj_track_times(layout, false);
    hid_t made =
        status ? -1 : H5Dcreate2(group, name, type, view, H5P_DEFAULT, layout, H5P_DEFAULT);
    if (!status && made < 0)
        status = ns_fail(err, NS_EFAIL, "HDF5 dataset %s could not be laid out", name);
    if (!status) status = ns_h5_set_text(made, "unit", unit, err);
    if (made >= 0) H5Dclose(made);
    H5Pclose(layout);
    H5Sclose(view);
    return status;
}

static int64_t modified(const struct stat *st) {
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static int put_link(hid_t group, const char *path, ns_error *err) {
    struct stat st;
    char hash[NS_HASH_HEX];
    if (stat(path, &st) != 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    int status = ns_hash_file(path, hash, err);
    if (!status) status = ns_h5_set_text(group, "path", path, err);
    if (!status) status = ns_h5_set_int(group, "bytes", (int64_t)st.st_size, err);
    if (!status) status = ns_h5_set_int(group, "modified", modified(&st), err);
    if (!status) status = ns_h5_set_text(group, "sha256", hash, err);
    return status;
}

int ns_links_put(hid_t file, const ns_store_plan *plan, ns_error *err) {
    if (!plan->link_count) return NS_OK;
    hid_t all = H5Gcreate2(file, "/sources", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (all < 0) return ns_fail(err, NS_EFAIL, "HDF5 group /sources could not be made");
    int status = NS_OK;
    for (int k = 0; k < plan->link_count && !status; k++) {
        char name[16];
        snprintf(name, sizeof name, "%06d", k + 1);
        hid_t one = H5Gcreate2(all, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        status = one < 0 ? ns_fail(err, NS_EFAIL, "HDF5 group /sources/%s could not be made", name)
                         : put_link(one, plan->links[k].path, err);
        if (one >= 0) H5Gclose(one);
    }
    H5Gclose(all);
    return status;
}

/* The time is what changes first; a copy that kept its bytes is told by its hash. */
static int check_link(hid_t group, const char *path, ns_error *err) {
    char *source = ns_h5_get_text(group, "path"), *hash = ns_h5_get_text(group, "sha256"),
         found[NS_HASH_HEX];
    int64_t bytes = 0, time = 0;
    struct stat st;
    int status = NS_OK;
    if (!source || !hash || !ns_h5_get_int(group, "bytes", &bytes) ||
        !ns_h5_get_int(group, "modified", &time))
        status = ns_fail(err, NS_EINPUT, "%s: /sources: expected path, bytes, modified and sha256",
                         path);
    else if (stat(source, &st) != 0)
        status = ns_fail(err, NS_EINPUT, "%s: refers to %s, which cannot be opened: %s", path,
                         source, strerror(errno));
    else if ((int64_t)st.st_size != bytes)
        status = ns_fail(err, NS_EINPUT,
                         "%s: refers to %s, which has changed: expected %lld bytes, found %lld",
                         path, source, (long long)bytes, (long long)st.st_size);
    else if (modified(&st) != time) {
        status = ns_hash_file(source, found, err);
        if (!status && strcmp(found, hash) != 0)
            status =
                ns_fail(err, NS_EINPUT,
                        "%s: refers to %s, which has changed since: expected SHA-256 %s, found %s",
                        path, source, hash, found);
    }
    if (!status) status = ns_h5_guard_source(source, err);
    free(source);
    free(hash);
    return status;
}

int ns_links_check(hid_t file, const char *path, ns_error *err) {
    if (!ns_h5_has(file, "/sources")) return NS_OK;
    hid_t all = H5Gopen2(file, "/sources", H5P_DEFAULT);
    hsize_t count = 0;
    if (all < 0 || H5Gget_num_objs(all, &count) < 0 || count > MOST_LINKS) {
        if (all >= 0) H5Gclose(all);
        return ns_fail(err, NS_EINPUT, "%s: /sources: expected a group of at most %d", path,
                       MOST_LINKS);
    }
    int status = NS_OK;
    for (hsize_t k = 0; k < count && !status; k++) {
        char name[24] = "";
        H5Gget_objname_by_idx(all, k, name, sizeof name);
        hid_t one = H5Gopen2(all, name, H5P_DEFAULT);
        status = one < 0 ? ns_fail(err, NS_EINPUT, "%s: /sources/%s: expected a group", path, name)
                         : check_link(one, path, err);
        if (one >= 0) H5Gclose(one);
    }
    H5Gclose(all);
    return status;
}
