#include "probe/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/store/store_reader_internal.h"
#include "probe/store/training.h"

#define MOST_SITES     100000
#define MOST_CHANNELS  (1 << 24)
#define MOST_POSITIONS (1 << 30)
#define MOST_EXTREMES  (1 << 16) /* rows */

/* A raw dataset must lie in the file whole: a file cut short is found here, not when it is read. */
static int take_source(const ns_store *s, hid_t group, const char *site, const char *name,
                       bool must, ns_source *out, ns_error *err) {
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
    ns_source array;
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

static int take_norm(const ns_store *s, hid_t group, ns_site_entry *e, ns_error *err) {
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

/* Value `at` of a dataset of integers in one dimension; false where HDF5 cannot read it. */
static bool take_value(hid_t group, const char *name, uint64_t at, int64_t *value) {
    hid_t dataset = H5Dopen2(group, name, H5P_DEFAULT);
    hid_t space = dataset < 0 ? -1 : H5Dget_space(dataset);
    const hsize_t start = at, one = 1;
    hid_t single = H5Screate_simple(1, &one, NULL);
    bool done = space >= 0 &&
                H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &one, NULL) >= 0 &&
                H5Dread(dataset, H5T_NATIVE_INT64, single, space, H5P_DEFAULT, value) >= 0;
    H5Sclose(single);
    if (space >= 0) H5Sclose(space);
    if (dataset >= 0) H5Dclose(dataset);
    return done;
}

/* How many of the rows are complete: all rows of the committed samples, or of the kept ones those before the next batch. */
static int count_rows(const ns_store *s, hid_t group, ns_site_entry *e, ns_error *err) {
    const uint64_t positions = (uint64_t)e->shown.site.positions;
    uint64_t all = s->committed * positions, due;
    if (__builtin_mul_overflow(s->samples, positions, &due))
        return ns_fail(err, NS_EINPUT, "%s: %s: %llu samples of %d rows are too many", s->path,
                       e->group, (unsigned long long)s->samples, e->shown.site.positions);
    e->shown.rows_seen = all;
    e->shown.rows = all < e->planned ? all : e->planned;
    ns_h5_place place;
    e->shown.sampled = ns_h5_find(group, "rows_before", &place);
    if (!e->shown.sampled) {
        if (e->planned != due)
            return ns_fail(err, NS_EINPUT,
                           "%s: %s: expected %llu rows (%llu samples of %d), found %llu", s->path,
                           e->group, (unsigned long long)due, (unsigned long long)s->samples,
                           e->shown.site.positions, (unsigned long long)e->planned);
        return NS_OK;
    }
    uint64_t batches = s->batch ? (s->committed + s->batch - 1) / s->batch : 0;
    if (place.dims != 1 || place.extents[0] <= batches)
        return ns_fail(err, NS_EINPUT, "%s: %s/rows_before: expected more than %llu values",
                       s->path, e->group, (unsigned long long)batches);
    int64_t rows = -1;
    if (!take_value(group, "rows_before", batches, &rows) || rows < 0 ||
        (uint64_t)rows > e->planned)
        return ns_fail(err, NS_EINPUT, "%s: %s/rows_before: expected at most %llu rows, found %lld",
                       s->path, e->group, (unsigned long long)e->planned, (long long)rows);
    e->shown.rows = (uint64_t)rows;
    if (!ns_h5_find(group, "extreme_input", &place) || !s->committed) return NS_OK;
    if (place.dims != 3 || place.extents[0] != 2 || place.extents[1] > MOST_EXTREMES ||
        place.extents[2] != (uint64_t)e->shown.site.norm.channels)
        return ns_fail(err, NS_EINPUT,
                       "%s: %s/extreme_input: expected [2, up to %d, %d], found another shape",
                       s->path, e->group, MOST_EXTREMES, e->shown.site.norm.channels);
    e->shown.extreme_rows = place.extents[1];
    return NS_OK;
}

static int take_rows(const ns_store *s, hid_t group, ns_site_entry *e, ns_error *err) {
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
        ns_source *out;
        int dims;
    } more[] = {{"output", &e->output, 2},
                {"sample", &e->sample, 1},
                {"position", &e->position, 1},
                {"kind", &e->kind, 1},
                {"head", &e->head, 1}};
    for (int i = 0; i < (ns_site_heads(&e->shown.site) > 1 ? 5 : 4) && !status; i++) {
        status = take_source(s, group, site, more[i].name, true, more[i].out, err);
        const ns_h5_place *q = &more[i].out->place;
        if (!status && (q->dims != more[i].dims || q->extents[0] != e->planned ||
                        (q->dims == 2 && q->extents[1] != p->extents[1])))
            status = ns_fail(err, NS_EINPUT, "%s: %s/%s: its shape does not fit that of input",
                             s->path, site, more[i].name);
    }
    return status ? status : count_rows(s, group, e, err);
}

static int take_site(const ns_store *s, hid_t group, ns_site_entry *e, ns_error *err) {
    ns_site *site = &e->shown.site;
    int64_t index = 0, channels = 0, positions = 0, heads = 1;
    double eps = 0;
    e->name = ns_h5_get_text(group, "name");
    char *kind = ns_h5_get_text(group, "kind"), *role = ns_h5_get_text(group, "role");
    int status = NS_OK;
    if (e->name) ns_printable(e->name, false);
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
    else if (ns_h5_get_int(group, "heads", &heads) && (heads < 1 || positions % heads))
        status = ns_fail(err, NS_EINPUT, "%s: %s: expected heads that divide %lld rows, found %lld",
                         s->path, e->group, (long long)positions, (long long)heads);
    if (!status) {
        ns_h5_get_real(group, "eps", &eps);
        site->index = (int)index;
        site->name = e->name;
        site->role = role ? ns_role_find(role) : NS_ROLE_OTHER;
        site->positions = (int)positions;
        site->heads = (int)heads;
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
    int p = ((const ns_site_entry *)a)->shown.site.index,
        q = ((const ns_site_entry *)b)->shown.site.index;
    return (p > q) - (p < q); /* their difference may be no int: they are the file's */
}

static int take_sites(ns_store *s, ns_error *err) {
    hid_t sites = H5Gopen2(s->file, "/sites", H5P_DEFAULT);
    if (sites < 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a group /sites, found none", s->path);
    hsize_t count = 0;
    H5Gget_num_objs(sites, &count);
    int status = NS_OK;
    if (!count)
        status =
            ns_fail(err, NS_EINPUT, "%s: expected sites in the group /sites, found none", s->path);
    else if (count > MOST_SITES)
        status = ns_fail(err, NS_EINPUT, "%s: %llu sites are too many", s->path,
                         (unsigned long long)count);
    else if (!(s->sites = ns_calloc((size_t)count, sizeof *s->sites, err)))
        status = NS_EFAIL;
    for (hsize_t i = 0; i < count && !status; i++) {
        ns_site_entry *e = &s->sites[s->site_count++];
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
    ns_printable(value, false);
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

/* What a training run recorded has statistics and no rows. */
static int no_training(const char *path, ns_error *err) {
    return ns_fail(err, NS_EINPUT,
                   "%s: a training run, expected the file of a run of normscope dump: dump the "
                   "trained network first (correlate, plot training and plot alpha take it as it "
                   "is)",
                   path);
}

static int take_root(ns_store *s, ns_error *err) {
    hsize_t at = 0;
    H5Aiterate2(s->file, H5_INDEX_NAME, H5_ITER_INC, &at, take_attribute, s);
    const char *format = ns_store_attribute(s, "format"), *said = ns_store_attribute(s, "samples");
    int64_t samples = -1, batch = 0, major = 0;
    if (ns_store_attribute(s, "training_version")) return no_training(s->path, err);
    if (!format || strcmp(format, "normscope") != 0)
        return ns_fail(err, NS_EINPUT,
                       "%s: an HDF5 file of another program: expected the attribute format = "
                       "normscope, found %s",
                       s->path, format ? format : "none");
    if (!ns_h5_get_int(s->file, "format_major", &major) || major < 1)
        return ns_fail(err, NS_EINPUT, "%s: expected an attribute format_major from 1 on, found %s",
                       s->path, major ? "another number" : "none");
    if (major > NS_FORMAT_MAJOR)
        return ns_fail(err, NS_EINPUT,
                       "%s: written in format %lld, this program reads up to %d: use a newer one",
                       s->path, (long long)major, NS_FORMAT_MAJOR);
    ns_h5_get_int(s->file, "samples", &samples);
    ns_h5_get_int(s->file, "batch", &batch);
    if (samples < 0 || samples > INT64_MAX / 2 || batch < 0)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected attributes samples and batch that are numbers from 0 on, "
                       "found %s samples",
                       s->path, said ? said : "no");
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
                       "%s: /progress/samples_committed: expected one number up to %llu, found %s",
                       s->path, (unsigned long long)s->samples, done < 0 ? "none" : "a larger one");
    return NS_OK;
}

static int open_parts(ns_store *s, ns_error *err) {
    char *record = ns_training_file(s->path, err);
    bool training = record && ns_is_folder(s->path) && ns_is_file(record);
    free(record);
    if (training) return no_training(s->path, err);
    int status = ns_open_file(&s->fd, &s->file_size, s->path, err);
    if (status) return status;
    status = ns_h5_open(&s->file, s->path, err);
    if (!status) status = take_root(s, err);
    if (!status) status = ns_links_check(s->file, s->path, err);
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
    if (s->file >= 0) H5Fclose(s->file);
    if (s->fd >= 0) close(s->fd);
    for (int i = 0; i < s->site_count; i++) {
        ns_site_entry *e = &s->sites[i];
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

const char *const ns_store_provenance[] = {
    "created",      "tool_version", "command_line", "model_path",  "model_family",
    "model_sha256", "data_path",    "data_format",  "data_sha256", "preprocessing",
    "order",        "seed",         "batch",        "threads",     "compute_type",
    "storage_type", "sample_rows",  "mode",         NULL};

const char *ns_store_attribute(const ns_store *s, const char *name) {
    for (int i = 0; i < s->attribute_count; i += 2)
        if (!strcmp(s->attributes[i], name)) return s->attributes[i + 1];
    return NULL;
}
