/* The seal of a complete run: a hash of every byte of its file but those of y and x, which verify computes from each other, and of the
 * results, which come later. A DyT's x is sealed: where tanh is flat, y does not tell of it. So the counters, names, parameters and places of rows cannot change unseen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/store/store_reader_internal.h"

#define SEAL "/progress/sha256"
enum { SEAL_BYTES = NS_HASH_HEX - 1, MOST_RANGES = 1 << 19 };

static int by_beginning(const void *a, const void *b) {
    uint64_t x = ((const ns_range *)a)->from, y = ((const ns_range *)b)->from;
    return (x > y) - (x < y);
}

/* Leaves out what dataset `name` holds, where it lies in the file in one piece. */
static int leave_out(ns_seal *out, hid_t group, const char *name, ns_error *err) {
    ns_h5_place place;
    if (!ns_h5_find(group, name, &place) || !place.raw) return NS_OK;
    uint64_t bytes = place.item;
    for (int d = 0; d < place.dims; d++)
        if (__builtin_mul_overflow(bytes, place.extents[d], &bytes)) return NS_OK;
    if (out->count == out->room) {
        size_t room = out->room ? 2 * out->room : 64;
        ns_range *grown = room > MOST_RANGES ? NULL : ns_realloc(out->at, room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        out->at = grown;
        out->room = room;
    }
    if (!__builtin_add_overflow(place.offset, bytes, &bytes))
        out->at[out->count++] = (ns_range){place.offset, bytes};
    return NS_OK;
}

/* Whether any change of x shows in y. */
static bool tells_of_input(hid_t sites, const char *site) {
    static const char *const kinds[] = {"layernorm", "rmsnorm", "batchnorm"};
    hid_t group = H5Gopen2(sites, site, H5P_DEFAULT);
    char *kind = group < 0 ? NULL : ns_h5_get_text(group, "kind");
    bool tells = false;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && kind; k++)
        tells |= !strcmp(kind, kinds[k]);
    free(kind);
    if (group >= 0) H5Gclose(group);
    return tells;
}

static int leave_out_site(ns_seal *out, hid_t sites, const char *site, ns_error *err) {
    char name[40];
    snprintf(name, sizeof name, "%s/output", site);
    int status = leave_out(out, sites, name, err);
    snprintf(name, sizeof name, "%s/input", site);
    return status || !tells_of_input(sites, site) ? status : leave_out(out, sites, name, err);
}

static int leave_out_all(ns_seal *out, hid_t file, ns_error *err) {
    char name[64];
    int status = leave_out(out, file, SEAL, err);
    for (int k = 0; k < NS_RESULTS && !status && ns_h5_has(file, "/results"); k++) {
        snprintf(name, sizeof name, "/results/%s", ns_result_names[k]);
        status = leave_out(out, file, name, err);
        snprintf(name, sizeof name, "/results/%s_current", ns_result_names[k]);
        if (!status) status = leave_out(out, file, name, err);
    }
    hid_t sites = status ? -1 : H5Gopen2(file, "/sites", H5P_DEFAULT);
    hsize_t count = 0;
    if (sites >= 0) H5Gget_num_objs(sites, &count);
    for (hsize_t i = 0; i < count && !status; i++) {
        char site[24] = "";
        H5Gget_objname_by_idx(sites, i, site, sizeof site);
        status = leave_out_site(out, sites, site, err);
    }
    if (sites >= 0) H5Gclose(sites);
    if (out->count) qsort(out->at, out->count, sizeof *out->at, by_beginning);
    return status;
}

static int hash_range(ns_hash *hash, int fd, const char *path, uint64_t from, uint64_t to,
                      ns_error *err) {
    enum { PIECE = 1 << 16 };
    unsigned char piece[PIECE];
    int status = NS_OK;
    for (uint64_t n; from < to && !status; from += n) {
        n = to - from < PIECE ? to - from : PIECE;
        status = ns_pread_all(fd, piece, n, from, path, err);
        if (!status) ns_hash_add(hash, piece, n);
    }
    return status;
}

static int make_seal(const ns_seal *seal, int fd, const char *path, uint64_t size,
                     char hex[NS_HASH_HEX], ns_error *err) {
    uint64_t at = 0;
    ns_hash *hash = ns_hash_begin(err);
    int status = hash ? NS_OK : NS_EFAIL;
    for (size_t i = 0; i <= seal->count && !status; i++) {
        ns_range r = i < seal->count ? seal->at[i] : (ns_range){size, size};
        status = hash_range(hash, fd, path, at, r.from < size ? r.from : size, err);
        if (at < r.to) at = r.to;
    }
    if (hash) ns_hash_end(hash, status ? NULL : hex);
    return status;
}

int ns_seal_find(ns_seal *out, hid_t file, ns_error *err) {
    ns_h5_place place;
    *out = (ns_seal){0};
    if (!ns_h5_has(file, "/progress") || !ns_h5_find(file, SEAL, &place) || !place.raw ||
        place.dims != 1 || place.extents[0] != SEAL_BYTES || place.item != 1)
        return NS_OK;
    out->offset = place.offset;
    return leave_out_all(out, file, err);
}

void ns_seal_free(ns_seal *seal) {
    free(seal->at);
    *seal = (ns_seal){0};
}

int ns_seal_lay_out(hid_t progress, ns_error *err) {
    const char none[SEAL_BYTES] = "";
    return ns_h5_put(progress, "sha256", H5T_STD_U8LE, 1, &(uint64_t){SEAL_BYTES}, NULL, none, err);
}

int ns_seal_put(const ns_seal *seal, int fd, const char *path, uint64_t size, ns_error *err) {
    char hex[NS_HASH_HEX];
    if (!seal->offset) return NS_OK;
    int status = make_seal(seal, fd, path, size, hex, err);
    return status ? status : ns_pwrite_all(fd, hex, SEAL_BYTES, seal->offset, path, err);
}

int ns_store_check_seal(const ns_store *s, bool *sealed, ns_error *err) {
    char kept[NS_HASH_HEX] = "", found[NS_HASH_HEX] = "";
    ns_seal seal = {0};
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    ns_h5_quiet quiet = ns_h5_hush();
    int status = s->committed == s->samples ? ns_seal_find(&seal, s->file, err) : NS_OK;
    ns_h5_unhush(quiet);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    if (!status && seal.offset)
        status = ns_pread_all(s->fd, kept, SEAL_BYTES, seal.offset, s->path, err);
    *sealed = !status && *kept;
    if (*sealed) status = make_seal(&seal, s->fd, s->path, s->file_size, found, err);
    ns_seal_free(&seal);
    if (status || !*sealed || !memcmp(kept, found, SEAL_BYTES)) return status;
    ns_printable(kept, false);
    return ns_fail(err, NS_EFAIL,
                   "%s: changed since the run was complete: %s: expected SHA-256 %s of all but x, "
                   "y and results, found %s",
                   s->path, SEAL, kept, found);
}
