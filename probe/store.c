#include "probe/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/half.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/store_internal.h"

#define MOST_SITES     100000
#define MOST_CHANNELS  (1 << 24)
#define MOST_POSITIONS (1 << 30)

/* A dataset of a site: read by its place in the file where it lies there raw, else through HDF5. */
typedef struct source {
    bool there;
    ns_h5_place place;
} source;

typedef struct site_entry {
    ns_store_site shown;
    char group[32];
    char *name;
    float *gamma, *beta, *alpha, *shift, *mean, *variance;
    source input, output, sample, position, kind;
    uint64_t planned; /* rows of the dataset */
} site_entry;

struct ns_store {
    char *path;
    int fd;
    uint64_t file_size;
    hid_t file;           /* kept open: for datasets that are not raw */
    pthread_mutex_t lock; /* HDF5's serial build is for one thread at a time */
    uint64_t samples, committed, batch;
    site_entry *sites;
    int site_count;
    char **attributes; /* name, value, name, value, ... */
    int attribute_count;
    void *map;
};

/* ---- opening ---- */

/* A raw dataset must lie in the file whole: a file cut short is found here, not when it is read. */
static int take_source(const ns_store *s, hid_t group, const char *site, const char *name,
                       bool must, source *out, ns_error *err) {
    out->there = ns_h5_find(group, name, &out->place);
    if (!out->there)
        return must ? ns_fail(err, NS_EINPUT, "%s: %s: expected a dataset %s, found none", s->path,
                              site, name)
                    : NS_OK;
    const ns_h5_place *p = &out->place;
    if (p->type != H5T_INTEGER && p->type != H5T_FLOAT)
        return ns_fail(err, NS_EINPUT, "%s: %s/%s: expected numbers, found another type", s->path,
                       site, name);
    uint64_t bytes = p->item;
    for (int i = 0; i < p->dims; i++)
        if (__builtin_mul_overflow(bytes, p->extents[i], &bytes))
            return ns_fail(err, NS_EINPUT, "%s: %s/%s: its extents overflow", s->path, site, name);
    if (p->raw && (p->offset > s->file_size || bytes > s->file_size - p->offset))
        return ns_fail(err, NS_EINPUT,
                       "%s: %s/%s: expected %llu bytes at %llu, the file ends at %llu (cut short?)",
                       s->path, site, name, (unsigned long long)bytes,
                       (unsigned long long)p->offset, (unsigned long long)s->file_size);
    return NS_OK;
}

/* A small array of floats of `least` to `most` values, whatever its type in the file; NULL in *out where there is none. */
static int take_array(const ns_store *s, hid_t group, const char *site, const char *name,
                      uint64_t least, uint64_t most, float **out, uint64_t *count, ns_error *err) {
    source array;
    int status = take_source(s, group, site, name, false, &array, err);
    *out = NULL;
    *count = 0;
    if (status || !array.there) return status;
    uint64_t n = array.place.dims == 1 ? array.place.extents[0] : 0;
    if (n < least || n > most)
        return ns_fail(err, NS_EINPUT, "%s: %s/%s: expected %llu values, found %llu", s->path, site,
                       name, (unsigned long long)most, (unsigned long long)n);
    if (!(*out = ns_calloc(n, sizeof **out, err))) return NS_EFAIL;
    *count = n;
    hid_t dataset = H5Dopen2(group, name, H5P_DEFAULT);
    herr_t done =
        dataset < 0 ? -1 : H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, *out);
    if (dataset >= 0) H5Dclose(dataset);
    return done < 0 ? ns_fail(err, NS_EINPUT, "%s: %s/%s: HDF5 cannot read it", s->path, site, name)
                    : NS_OK;
}

static int take_norm(const ns_store *s, hid_t group, site_entry *e, ns_error *err) {
    ns_norm *n = &e->shown.site.norm;
    uint64_t c = (uint64_t)n->channels, count;
    const struct {
        const char *name;
        uint64_t least, most;
        float **values;
    } arrays[] = {{"gamma", c, c, &e->gamma},
                  {"beta", c, c, &e->beta},
                  {"shift", 1, 1, &e->shift},
                  {"mean", c, c, &e->mean},
                  {"variance", c, c, &e->variance}};
    int status = NS_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0] && !status; i++)
        status = take_array(s, group, e->group, arrays[i].name, arrays[i].least, arrays[i].most,
                            arrays[i].values, &count, err);
    if (!status) status = take_array(s, group, e->group, "alpha", 1, c, &e->alpha, &count, err);
    if (status) return status;
    n->alpha_count = (int)count;
    if (count > 1 && count != c)
        return ns_fail(err, NS_EINPUT, "%s: %s/alpha: expected 1 or %llu values, found %llu",
                       s->path, e->group, (unsigned long long)c, (unsigned long long)count);
    n->gamma = e->gamma;
    n->beta = e->beta;
    n->alpha = e->alpha;
    n->shift = e->shift;
    n->mean = e->mean;
    n->variance = e->variance;
    if ((n->kind->has & NS_HAS_ALPHA && !n->alpha) ||
        (n->kind->has & NS_HAS_RUNNING && (!n->mean || !n->variance)))
        return ns_fail(err, NS_EINPUT, "%s: %s: a %s layer needs arrays that are not there",
                       s->path, e->group, n->kind->name);
    return NS_OK;
}

/* How many of the rows are complete: all rows of the committed samples, or of the kept ones those before the next batch. */
static int count_rows(const ns_store *s, hid_t group, site_entry *e, ns_error *err) {
    uint64_t all = s->committed * (uint64_t)e->shown.site.positions;
    e->shown.rows_seen = all;
    e->shown.rows = all < e->planned ? all : e->planned;
    ns_h5_place place;
    e->shown.sampled = ns_h5_find(group, "rows_before", &place);
    if (!e->shown.sampled) {
        if (e->planned != s->samples * (uint64_t)e->shown.site.positions)
            return ns_fail(err, NS_EINPUT,
                           "%s: %s: expected %llu rows (%llu samples of %d), found %llu", s->path,
                           e->group,
                           (unsigned long long)(s->samples * (uint64_t)e->shown.site.positions),
                           (unsigned long long)s->samples, e->shown.site.positions,
                           (unsigned long long)e->planned);
        return NS_OK;
    }
    uint64_t batches = s->batch ? (s->committed + s->batch - 1) / s->batch : 0;
    if (place.dims != 1 || place.extents[0] <= batches || place.extents[0] > 1 << 28)
        return ns_fail(err, NS_EINPUT, "%s: %s/rows_before: expected more than %llu values",
                       s->path, e->group, (unsigned long long)batches);
    int64_t *before = ns_calloc(place.extents[0], sizeof *before, err);
    if (!before) return NS_EFAIL;
    hid_t dataset = H5Dopen2(group, "rows_before", H5P_DEFAULT);
    herr_t done = H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, before);
    H5Dclose(dataset);
    int64_t rows = before[batches];
    free(before);
    if (done < 0 || rows < 0 || (uint64_t)rows > e->planned)
        return ns_fail(err, NS_EINPUT, "%s: %s/rows_before: its values do not fit %llu rows",
                       s->path, e->group, (unsigned long long)e->planned);
    e->shown.rows = (uint64_t)rows;
    ns_h5_place extreme;
    if (ns_h5_find(group, "extreme_input", &extreme) && extreme.dims == 3 &&
        extreme.extents[0] == 2 && s->committed)
        e->shown.extreme_rows = extreme.extents[1];
    return NS_OK;
}

static int take_rows(const ns_store *s, hid_t group, site_entry *e, ns_error *err) {
    const char *site = e->group;
    e->shown.has_sketch = ns_h5_has(group, "sketch");
    int status = take_source(s, group, site, "input", !e->shown.has_sketch, &e->input, err);
    if (status || !e->input.there) return status;
    const ns_h5_place *p = &e->input.place;
    if (p->dims != 2 || p->extents[1] != (uint64_t)e->shown.site.norm.channels)
        return ns_fail(err, NS_EINPUT, "%s: %s/input: expected [rows, %d], found another shape",
                       s->path, site, e->shown.site.norm.channels);
    if (p->type != H5T_FLOAT)
        return ns_fail(err, NS_EINPUT, "%s: %s/input: expected floating-point numbers", s->path,
                       site);
    e->planned = p->extents[0];
    e->shown.dtype = p->item == 2 ? NS_F16 : NS_F32;
    const struct {
        const char *name;
        source *out;
        int dims;
    } more[] = {{"output", &e->output, 2},
                {"sample", &e->sample, 1},
                {"position", &e->position, 1},
                {"kind", &e->kind, 1}};
    for (int i = 0; i < 4 && !status; i++) {
        status = take_source(s, group, site, more[i].name, true, more[i].out, err);
        const ns_h5_place *q = &more[i].out->place;
        if (!status && (q->dims != more[i].dims || q->extents[0] != e->planned ||
                        (q->dims == 2 && q->extents[1] != p->extents[1])))
            status = ns_fail(err, NS_EINPUT, "%s: %s/%s: its shape does not fit that of input",
                             s->path, site, more[i].name);
    }
    return status ? status : count_rows(s, group, e, err);
}

static int take_site(const ns_store *s, hid_t group, site_entry *e, ns_error *err) {
    ns_site *site = &e->shown.site;
    int64_t index = 0, channels = 0, positions = 0;
    double eps = 0;
    e->name = ns_h5_get_text(group, "name");
    char *kind = ns_h5_get_text(group, "kind"), *role = ns_h5_get_text(group, "role");
    int status = NS_OK;
    if (!e->name || !kind || !ns_h5_get_int(group, "index", &index) ||
        !ns_h5_get_int(group, "channels", &channels) ||
        !ns_h5_get_int(group, "positions", &positions))
        status = ns_fail(err, NS_EINPUT,
                         "%s: %s: expected attributes name, kind, index, channels and positions",
                         s->path, e->group);
    else if (channels < 1 || channels > MOST_CHANNELS || positions < 1 ||
             positions > MOST_POSITIONS || index < 1 || index > MOST_SITES)
        status = ns_fail(err, NS_EINPUT, "%s: %s: index, channels or positions out of range",
                         s->path, e->group);
    if (!status) {
        ns_h5_get_real(group, "eps", &eps);
        site->index = (int)index;
        site->name = e->name;
        site->role = role ? ns_role_find(role) : NS_ROLE_OTHER;
        site->positions = (int)positions;
        site->norm.kind = ns_norm_kind_find(kind, err);
        site->norm.channels = (int)channels;
        site->norm.eps = (float)eps;
        if (!site->norm.kind) {
            ns_fail_context(err, "%s: %s", s->path, e->group);
            status = NS_EINPUT;
        }
    }
    free(kind);
    free(role);
    if (!status) status = take_norm(s, group, e, err);
    if (!status) status = take_rows(s, group, e, err);
    return status;
}

static int by_index(const void *a, const void *b) {
    return ((const site_entry *)a)->shown.site.index - ((const site_entry *)b)->shown.site.index;
}

static int take_sites(ns_store *s, ns_error *err) {
    hid_t sites = H5Gopen2(s->file, "/sites", H5P_DEFAULT);
    if (sites < 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a group /sites, found none", s->path);
    hsize_t count = 0;
    H5Gget_num_objs(sites, &count);
    int status = NS_OK;
    if (count > MOST_SITES)
        status = ns_fail(err, NS_EINPUT, "%s: %llu sites are too many", s->path,
                         (unsigned long long)count);
    else if (!(s->sites = ns_calloc((size_t)count, sizeof *s->sites, err)))
        status = NS_EFAIL;
    for (hsize_t i = 0; i < count && !status; i++) {
        site_entry *e = &s->sites[s->site_count++];
        char name[24] = "";
        H5Gget_objname_by_idx(sites, i, name, sizeof name);
        snprintf(e->group, sizeof e->group, "sites/%s", name);
        hid_t group = H5Gopen2(sites, name, H5P_DEFAULT);
        status = group < 0 ? ns_fail(err, NS_EINPUT, "%s: %s: expected a group", s->path, e->group)
                           : take_site(s, group, e, err);
        if (group >= 0) H5Gclose(group);
    }
    H5Gclose(sites);
    if (!status) qsort(s->sites, (size_t)s->site_count, sizeof *s->sites, by_index);
    for (int i = 1; i < s->site_count && !status; i++)
        if (!by_index(&s->sites[i - 1], &s->sites[i]))
            status = ns_fail(err, NS_EINPUT, "%s: site %d stands in it twice", s->path,
                             s->sites[i].shown.site.index);
    return status;
}

static herr_t take_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)info;
    ns_store *s = user;
    char *value = ns_h5_get_text(object, name);
    if (!value) return 0;
    char **grown = ns_realloc(s->attributes, (size_t)s->attribute_count + 2, sizeof *grown, NULL);
    char *copy = ns_strdup(name, NULL);
    if (!grown || !copy) {
        free(value);
        free(copy);
        if (grown) s->attributes = grown;
        return 0;
    }
    s->attributes = grown;
    s->attributes[s->attribute_count++] = copy;
    s->attributes[s->attribute_count++] = value;
    return 0;
}

static int take_root(ns_store *s, ns_error *err) {
    hsize_t at = 0;
    H5Aiterate2(s->file, H5_INDEX_NAME, H5_ITER_INC, &at, take_attribute, s);
    const char *format = ns_store_attribute(s, "format"),
               *major = ns_store_attribute(s, "format_major");
    if (!format || strcmp(format, "normscope") != 0 || !major)
        return ns_fail(err, NS_EINPUT,
                       "%s: an HDF5 file of another program: expected the attribute format = "
                       "normscope, found %s",
                       s->path, format ? format : "none");
    if (atoll(major) > NS_FORMAT_MAJOR)
        return ns_fail(err, NS_EINPUT,
                       "%s: written in format %s, this program reads up to %d: use a newer one",
                       s->path, major, NS_FORMAT_MAJOR);
    int64_t samples = -1, batch = 0;
    ns_h5_get_int(s->file, "samples", &samples);
    ns_h5_get_int(s->file, "batch", &batch);
    if (samples < 0 || samples > INT64_MAX / 2 || batch < 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a number of samples, found none", s->path);
    s->samples = (uint64_t)samples;
    s->batch = (uint64_t)batch;
    hid_t progress = H5Dopen2(s->file, "/progress/samples_committed", H5P_DEFAULT);
    herr_t done = -1;
    if (progress >= 0) {
        hid_t space = H5Dget_space(progress);
        if (H5Sget_simple_extent_npoints(space) == 1)
            done =
                H5Dread(progress, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &s->committed);
        H5Sclose(space);
        H5Dclose(progress);
    }
    if (done < 0 || s->committed > s->samples)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected /progress/samples_committed of at most %llu, found none",
                       s->path, (unsigned long long)s->samples);
    return NS_OK;
}

static int open_parts(ns_store *s, ns_error *err) {
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be opened: %s", s->path, strerror(errno));
    struct stat st;
    if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return ns_fail(err, NS_EINPUT, "%s: expected a file, found %s", s->path,
                       S_ISDIR(st.st_mode) ? "a folder" : "something else");
    s->file_size = (uint64_t)st.st_size;
    s->file = H5Fopen(s->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (s->file < 0)
        return H5Fis_hdf5(s->path) > 0
                   ? ns_fail(err, NS_EINPUT,
                             "%s: a damaged HDF5 file: HDF5 cannot open it (%llu bytes)", s->path,
                             (unsigned long long)s->file_size)
                   : ns_fail(err, NS_EINPUT,
                             "%s: expected an HDF5 file, found something else (%llu bytes)",
                             s->path, (unsigned long long)s->file_size);
    int status = take_root(s, err);
    return status ? status : take_sites(s, err);
}

int ns_store_open(ns_store **out, const char *path, ns_error *err) {
    *out = NULL;
    ns_store *s = ns_calloc(1, sizeof *s, err);
    if (!s) return NS_EFAIL;
    s->fd = -1;
    s->file = -1;
    pthread_mutex_init(&s->lock, NULL);
    ns_h5_quiet quiet = ns_h5_hush();
    int status = (s->path = ns_strdup(path, err)) ? open_parts(s, err) : NS_EFAIL;
    ns_h5_unhush(quiet);
    if (status)
        ns_store_close(s);
    else
        *out = s;
    return status;
}

void ns_store_close(ns_store *s) {
    if (!s) return;
    if (s->map) munmap(s->map, s->file_size);
    if (s->file >= 0) H5Fclose(s->file);
    if (s->fd >= 0) close(s->fd);
    for (int i = 0; i < s->site_count; i++) {
        site_entry *e = &s->sites[i];
        free(e->name);
        free(e->gamma);
        free(e->beta);
        free(e->alpha);
        free(e->shift);
        free(e->mean);
        free(e->variance);
    }
    for (int i = 0; i < s->attribute_count; i++) free(s->attributes[i]);
    free(s->attributes);
    free(s->sites);
    free(s->path);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- asking ---- */

const char *ns_store_path(const ns_store *s) {
    return s->path;
}

int ns_store_site_count(const ns_store *s) {
    return s->site_count;
}

const ns_store_site *ns_store_site_at(const ns_store *s, int i) {
    return &s->sites[i].shown;
}

const ns_site *ns_store_select_at(const void *user, int i) {
    return &((const ns_store *)user)->sites[i].shown.site;
}

uint64_t ns_store_samples_planned(const ns_store *s) {
    return s->samples;
}

uint64_t ns_store_samples(const ns_store *s) {
    return s->committed;
}

const char *ns_store_attribute(const ns_store *s, const char *name) {
    for (int i = 0; i < s->attribute_count; i += 2)
        if (!strcmp(s->attributes[i], name)) return s->attributes[i + 1];
    return NULL;
}

/* ---- reading ---- */

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
                              path, (unsigned long long)first, (unsigned long long)(first + rows))
                    : NS_OK;
}

static bool little_endian(void) {
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

/* Whether the values can be taken as they lie. */
static bool plain(const source *from, H5T_class_t type, size_t item) {
    return from->place.raw && from->place.type == type && from->place.item == item &&
           from->place.little && little_endian();
}

static int check_range(const ns_store *s, const site_entry *e, uint64_t first, uint64_t rows,
                       ns_error *err) {
    if (first <= e->shown.rows && rows <= e->shown.rows - first) return NS_OK;
    return ns_fail(err, NS_EUSAGE, "%s: %s: rows %llu to %llu asked for, %llu are complete",
                   s->path, e->group, (unsigned long long)first, (unsigned long long)(first + rows),
                   (unsigned long long)e->shown.rows);
}

/* The half-width values of a piece lie in the upper half of the caller's memory while they are widened from its beginning on. */
static int read_half(const ns_store *s, const source *from, uint64_t first, uint64_t count,
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
    const site_entry *e = &s->sites[i];
    const source *from = which == NS_INPUT ? &e->input : &e->output;
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

static int read_column(const ns_store *s, const site_entry *e, const source *from, const char *name,
                       size_t item, hid_t memory, uint64_t first, uint64_t rows, void *out,
                       ns_error *err) {
    if (!out) return NS_OK;
    if (plain(from, H5T_INTEGER, item))
        return ns_pread_all(s->fd, out, rows * item, from->place.offset + first * item, s->path,
                            err);
    return read_h5(s, e->group, name, -1, first, rows, 0, memory, out, err);
}

int ns_store_read_rows(const ns_store *s, int i, uint64_t first, uint64_t rows, int64_t *samples,
                       int32_t *positions, uint8_t *kinds, ns_error *err) {
    const site_entry *e = &s->sites[i];
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

int ns_store_read_extreme(const ns_store *s, int i, float *x, float *y, int64_t *samples,
                          int32_t *positions, ns_error *err) {
    const site_entry *e = &s->sites[i];
    uint64_t n = e->shown.extreme_rows, c = (uint64_t)e->shown.site.norm.channels;
    if (!n) return NS_OK;
    int slot = (int)((s->committed + s->batch - 1) / s->batch % 2), status = NS_OK;
    if (x) status = read_h5(s, e->group, "extreme_input", slot, 0, n, c, H5T_NATIVE_FLOAT, x, err);
    if (y && !status)
        status = read_h5(s, e->group, "extreme_output", slot, 0, n, c, H5T_NATIVE_FLOAT, y, err);
    if (samples && !status)
        status =
            read_h5(s, e->group, "extreme_sample", slot, 0, n, 0, H5T_NATIVE_INT64, samples, err);
    if (positions && !status)
        status = read_h5(s, e->group, "extreme_position", slot, 0, n, 0, H5T_NATIVE_INT32,
                         positions, err);
    return status;
}

int ns_store_read_samples(const ns_store *s, uint64_t first, uint64_t count, int64_t *ids,
                          int32_t *labels, int32_t *predictions, ns_error *err) {
    if (first > s->committed || count > s->committed - first)
        return ns_fail(err, NS_EUSAGE, "%s: samples %llu to %llu asked for, %llu are complete",
                       s->path, (unsigned long long)first, (unsigned long long)(first + count),
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

const float *ns_store_map(const ns_store *s, int i, ns_tensor which) {
    const source *from = which == NS_INPUT ? &s->sites[i].input : &s->sites[i].output;
    if (!from->there || !plain(from, H5T_FLOAT, 4) || from->place.offset % 4 || !s->file_size)
        return NULL;
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->lock);
    if (!s->map) {
        void *map = mmap(NULL, s->file_size, PROT_READ, MAP_SHARED, s->fd, 0);
        if (map != MAP_FAILED) ((ns_store *)(uintptr_t)s)->map = map;
    }
    const unsigned char *map = s->map;
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->lock);
    return map ? (const float *)(const void *)(map + from->place.offset) : NULL;
}
