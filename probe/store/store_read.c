/* Reading values of an open file: as they lie in it where that can be, else through HDF5. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "probe/base/half.h"
#include "probe/base/io.h"
#include "probe/store/store_reader_internal.h"

/* Through HDF5, whatever the layout and type: a box of `count` elements [rows, columns] at row `first`, of slot `slot` where the dataset
 * has a leading 2 (slot < 0: it has none). */
static int read_h5(const ns_store *s, const char *group, const char *name, int slot, uint64_t first,
                   uint64_t rows, uint64_t columns, hid_t memory, void *out, ns_error *err) {
    char path[96];
    snprintf(path, sizeof path, "/%s/%s", group, name);
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t dataset = H5Dopen2(s->file, path, H5P_DEFAULT);
    hid_t space = dataset < 0 ? -1 : H5Dget_space(dataset);
    hsize_t start[3], count[3], flat = rows * (columns ? columns : 1);
    int n = 0;
    if (slot >= 0) start[n] = (hsize_t)slot, count[n++] = 1;
    start[n] = first, count[n++] = rows;
    if (columns) start[n] = 0, count[n++] = columns;
    hid_t box = H5Screate_simple(1, &flat, NULL);
    herr_t done = -1;
    if (space >= 0 && H5Sget_simple_extent_ndims(space) == n &&
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
        done = H5Dread(dataset, memory, box, space, H5P_DEFAULT, out);
    H5Sclose(box);
    if (space >= 0) H5Sclose(space);
    if (dataset >= 0) H5Dclose(dataset);
    ns_h5_unhush(quiet);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    return done < 0 ? ns_fail(err, NS_EINPUT, "%s: %s: HDF5 cannot read rows %llu to %llu", s->path,
                              path, (unsigned long long)first, (unsigned long long)first + rows)
                    : NS_OK;
}

static bool little_endian(void) {
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

/* Whether the values can be taken as they lie. */
static bool plain(const ns_source *from, H5T_class_t type, size_t item) {
    return from->place.raw && from->place.type == type && from->place.item == item &&
           from->place.little && little_endian();
}

static int check_range(const ns_store *s, const ns_site_entry *e, uint64_t first, uint64_t rows,
                       ns_error *err) {
    if (first <= e->shown.rows && rows <= e->shown.rows - first) return NS_OK;
    return ns_fail(err, NS_EUSAGE, "%s: %s: rows %llu to %llu asked for, %llu are complete",
                   s->path, e->group, (unsigned long long)first, (unsigned long long)first + rows,
                   (unsigned long long)e->shown.rows);
}

/* The half-width values of a piece lie in the upper half of the caller's memory while they are widened from its beginning on. */
static int read_half(const ns_store *s, const ns_source *from, uint64_t first, uint64_t count,
                     float *out, ns_error *err) {
    enum { PIECE = 8192 };
    uint16_t piece[PIECE];
    uint16_t *halves = (uint16_t *)(void *)out + count;
    int status =
        ns_pread_all(s->fd, halves, count * 2, from->place.offset + first * 2, s->path, err);
    for (uint64_t i = 0; i < count && !status; i += PIECE) {
        size_t n = count - i < PIECE ? (size_t)(count - i) : PIECE;
        memcpy(piece, halves + i, n * sizeof *piece);
        ns_f16_to_f32(out + i, piece, n);
    }
    return status;
}

int ns_store_read(const ns_store *s, int i, ns_tensor which, uint64_t first, uint64_t rows,
                  float *out, ns_error *err) {
    const ns_site_entry *e = &s->sites[i];
    const ns_source *from = which == NS_INPUT ? &e->input : &e->output;
    uint64_t c = (uint64_t)e->shown.site.norm.channels;
    int status = check_range(s, e, first, rows, err);
    if (status || !rows) return status;
    if (plain(from, H5T_FLOAT, 4))
        return ns_pread_all(s->fd, out, rows * c * 4, from->place.offset + first * c * 4, s->path,
                            err);
    if (plain(from, H5T_FLOAT, 2)) return read_half(s, from, first * c, rows * c, out, err);
    return read_h5(s, e->group, which == NS_INPUT ? "input" : "output", -1, first, rows, c,
                   H5T_NATIVE_FLOAT, out, err);
}

static int read_column(const ns_store *s, const ns_site_entry *e, const ns_source *from,
                       const char *name, size_t item, hid_t memory, uint64_t first, uint64_t rows,
                       void *out, ns_error *err) {
    if (!out) return NS_OK;
    if (plain(from, H5T_INTEGER, item))
        return ns_pread_all(s->fd, out, rows * item, from->place.offset + first * item, s->path,
                            err);
    return read_h5(s, e->group, name, -1, first, rows, 0, memory, out, err);
}

int ns_store_read_rows(const ns_store *s, int i, uint64_t first, uint64_t rows, int64_t *samples,
                       int32_t *positions, uint8_t *kinds, ns_error *err) {
    const ns_site_entry *e = &s->sites[i];
    int status = check_range(s, e, first, rows, err);
    if (status || !rows) return status;
    status =
        read_column(s, e, &e->sample, "sample", 8, H5T_NATIVE_INT64, first, rows, samples, err);
    if (!status)
        status = read_column(s, e, &e->position, "position", 4, H5T_NATIVE_INT32, first, rows,
                             positions, err);
    if (!status)
        status = read_column(s, e, &e->kind, "kind", 1, H5T_NATIVE_UINT8, first, rows, kinds, err);
    return status;
}

int ns_store_read_heads(const ns_store *s, int i, uint64_t first, uint64_t rows, int32_t *heads,
                        ns_error *err) {
    const ns_site_entry *e = &s->sites[i];
    int status = check_range(s, e, first, rows, err);
    if (status || !rows) return status;
    if (e->head.there)
        return read_column(s, e, &e->head, "head", 4, H5T_NATIVE_INT32, first, rows, heads, err);
    memset(heads, 0, rows * sizeof *heads);
    return NS_OK;
}

/* Which slot of a block belongs to what is committed. */
static int committed_slot(const ns_store *s) {
    return s->batch ? (int)((s->committed + s->batch - 1) / s->batch % 2) : 0;
}

int ns_store_read_extreme(const ns_store *s, int i, float *x, float *y, int64_t *samples,
                          int32_t *positions, int32_t *heads, ns_error *err) {
    const ns_site_entry *e = &s->sites[i];
    uint64_t n = e->shown.extreme_rows, c = (uint64_t)e->shown.site.norm.channels;
    if (!n) return NS_OK;
    int slot = committed_slot(s), status = NS_OK;
    if (x) status = read_h5(s, e->group, "extreme_input", slot, 0, n, c, H5T_NATIVE_FLOAT, x, err);
    if (y && !status)
        status = read_h5(s, e->group, "extreme_output", slot, 0, n, c, H5T_NATIVE_FLOAT, y, err);
    if (samples && !status)
        status =
            read_h5(s, e->group, "extreme_sample", slot, 0, n, 0, H5T_NATIVE_INT64, samples, err);
    if (positions && !status)
        status = read_h5(s, e->group, "extreme_position", slot, 0, n, 0, H5T_NATIVE_INT32,
                         positions, err);
    bool has_heads = ns_site_heads(&e->shown.site) > 1;
    if (heads && has_heads && !status)
        status = read_h5(s, e->group, "extreme_head", slot, 0, n, 0, H5T_NATIVE_INT32, heads, err);
    else if (heads && !has_heads)
        memset(heads, 0, n * sizeof *heads);
    return status;
}

int ns_store_read_samples(const ns_store *s, uint64_t first, uint64_t count, int64_t *ids,
                          int32_t *labels, int32_t *predictions, ns_error *err) {
    if (first > s->committed || count > s->committed - first)
        return ns_fail(err, NS_EUSAGE, "%s: samples %llu to %llu asked for, %llu are complete",
                       s->path, (unsigned long long)first, (unsigned long long)first + count,
                       (unsigned long long)s->committed);
    if (!count) return NS_OK;
    int status =
        ids ? read_h5(s, "samples", "id", -1, first, count, 0, H5T_NATIVE_INT64, ids, err) : NS_OK;
    const struct {
        const char *name;
        int32_t *out;
    } optional[] = {{"label", labels}, {"prediction", predictions}};
    for (int k = 0; k < 2 && !status; k++) {
        if (!optional[k].out) continue;
        char path[32];
        snprintf(path, sizeof path, "samples/%s", optional[k].name);
        if (ns_h5_has(s->file, path))
            status = read_h5(s, "samples", optional[k].name, -1, first, count, 0, H5T_NATIVE_INT32,
                             optional[k].out, err);
        else
            for (uint64_t i = 0; i < count; i++) optional[k].out[i] = -1;
    }
    return status;
}

int ns_store_find_block(const ns_store *s, int i, const ns_store_block *block, ns_error *err) {
    const ns_site_entry *e = &s->sites[i];
    const uint64_t *n = block->extents;
    char path[96];
    snprintf(path, sizeof path, "/%s/%s", e->group, block->name);
    ns_h5_place place;
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    bool there = ns_h5_find(s->file, path, &place);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    bool fits = there && place.dims == block->dims + 1 && place.extents[0] == 2;
    for (int d = 0; d < block->dims && fits; d++) fits = place.extents[d + 1] == n[d];
    if (fits) return NS_OK;
    return ns_fail(err, NS_EINPUT, "%s: %s: expected a dataset [2, %llu%s], found %s", s->path,
                   path, (unsigned long long)n[0], block->dims > 1 ? ", ..." : "",
                   there ? "another shape" : "none");
}

bool ns_store_has_block(const ns_store *s, int i, const char *name) {
    char path[96];
    ns_h5_place place;
    snprintf(path, sizeof path, "/%s/%s", s->sites[i].group, name);
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    bool there = ns_h5_find(s->file, path, &place);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    return there;
}

int ns_store_read_block(const ns_store *s, int i, const ns_store_block *block, ns_error *err) {
    const ns_site_entry *e = &s->sites[i];
    const uint64_t *n = block->extents, wide = block->dims > 1 ? n[1] : 0;
    int status = ns_store_find_block(s, i, block, err);
    if (status) return status;
    return read_h5(s, e->group, block->name, committed_slot(s), 0, n[0], wide,
                   ns_block_h5type(block->type), block->bytes, err);
}

static herr_t add_bytes(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    (void)link;
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) return -1;
    if (H5Iget_type(object) == H5I_DATASET) *(uint64_t *)user += H5Dget_storage_size(object);
    return H5Oclose(object);
}

int ns_store_site_bytes(const ns_store *s, int i, uint64_t *bytes, ns_error *err) {
    char path[40];
    snprintf(path, sizeof path, "/%s", s->sites[i].group);
    *bytes = 0;
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t group = H5Gopen2(s->file, path, H5P_DEFAULT);
    herr_t done = group < 0 ? -1 : H5Lvisit(group, H5_INDEX_NAME, H5_ITER_NATIVE, add_bytes, bytes);
    if (group >= 0) H5Gclose(group);
    ns_h5_unhush(quiet);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    return done < 0 ? ns_fail(err, NS_EINPUT, "%s: %s: cannot be read", s->path, path) : NS_OK;
}
