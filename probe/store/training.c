#include "probe/store/training.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/near.h"
#include "probe/store/h5.h"

enum { VERSION = 1, MOST_COLUMNS = 64, MOST_NAME = 4096 };
static const uint64_t MOST_VALUES = UINT64_C(1) << 27; /* of a column */

static const char *const table_names[NS_TRAINING_TABLES] = {"steps", "epochs", "watch"};

typedef struct column {
    char *name;
    double *values;
} column;

struct ns_training {
    char *path, *norm;
    int64_t steps_in_all, steps_per_epoch;
    uint64_t rows[NS_TRAINING_TABLES]; /* steps, epochs, records */
    int64_t *record_steps;
    uint64_t sites;
    char **names; /* [sites] */
    ns_role *roles;
    column columns[NS_TRAINING_TABLES][MOST_COLUMNS];
    int column_count[NS_TRAINING_TABLES];
};

/* ---- datasets ---- */

static int has_shape(const ns_training *t, const char *name, const ns_h5_place *place, int dims,
                     const uint64_t *extents, ns_error *err) {
    bool fits = place->dims == dims;
    for (int d = 0; d < dims && fits; d++) fits = place->extents[d] == extents[d];
    if (fits) return NS_OK;
    ns_fail(err, NS_EINPUT, "%s: %s: expected a shape of [%llu", t->path, name,
            (unsigned long long)extents[0]);
    if (dims > 1) ns_fail_more(err, ", %llu", (unsigned long long)extents[1]);
    ns_fail_more(err, "], found [");
    for (int d = 0; d < place->dims; d++)
        ns_fail_more(err, "%s%llu", d ? ", " : "", (unsigned long long)place->extents[d]);
    ns_fail_more(err, "]");
    return NS_EINPUT;
}

static int read_whole(const ns_training *t, hid_t file, const char *name, hid_t memory, void *out,
                      ns_error *err) {
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    herr_t done = dataset < 0 ? -1 : H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
    if (dataset >= 0) H5Dclose(dataset);
    return done < 0 ? ns_fail(err, NS_EINPUT, "%s: %s: HDF5 cannot read it", t->path, name) : NS_OK;
}

/* The first extent of table/name, which decides the table's rows; NS_EINPUT where there is none such or it is too long. */
static int find_rows(const ns_training *t, hid_t file, const char *name, ns_h5_place *place,
                     ns_error *err) {
    if (!ns_h5_find(file, name, place))
        return ns_fail(err, NS_EINPUT, "%s: expected %s, found no such dataset", t->path, name);
    if (place->dims != 1)
        return ns_fail(err, NS_EINPUT, "%s: %s: expected one dimension, found %d", t->path, name,
                       place->dims);
    if (place->extents[0] > MOST_VALUES)
        return ns_fail(err, NS_EINPUT, "%s: %s: expected at most %llu values, found %llu", t->path,
                       name, (unsigned long long)MOST_VALUES,
                       (unsigned long long)place->extents[0]);
    return NS_OK;
}

/* Names in a fixed width, closed by zeros: [sites, width + 1], to be freed. */
static char *read_words(const ns_training *t, hid_t file, const char *name, size_t *width,
                        ns_error *err) {
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t type = dataset < 0 ? -1 : H5Dget_type(dataset);
    bool fixed = type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0;
    *width = fixed ? H5Tget_size(type) : 0;
    char *packed = NULL;
    if (!fixed || *width > MOST_NAME || *width * t->sites > MOST_VALUES)
        ns_fail(err, NS_EINPUT, "%s: %s: expected text of one width up to %d bytes", t->path, name,
                MOST_NAME);
    else
        packed = ns_calloc(t->sites * *width + 1, 1, err);
    if (packed && read_whole(t, file, name, type, packed, err)) {
        free(packed);
        packed = NULL;
    }
    if (type >= 0) H5Tclose(type);
    if (dataset >= 0) H5Dclose(dataset);
    return packed;
}

static int read_names(ns_training *t, hid_t file, ns_error *err) {
    ns_h5_place place;
    int status = find_rows(t, file, "watch/names", &place, err);
    if (status) return status;
    if (!place.extents[0] || place.extents[0] > INT32_MAX)
        return ns_fail(err, NS_EINPUT, "%s: watch/names: expected the names of sites, found %llu",
                       t->path, (unsigned long long)place.extents[0]);
    size_t width;
    t->sites = place.extents[0];
    t->names = ns_calloc(t->sites, sizeof *t->names, err);
    char *packed = t->names ? read_words(t, file, "watch/names", &width, err) : NULL;
    if (!packed) return t->names ? NS_EINPUT : NS_EFAIL;
    for (uint64_t i = 0; i < t->sites && !status; i++) {
        t->names[i] = ns_asprintf(err, "%.*s", (int)width, packed + i * width);
        if (!t->names[i]) status = NS_EFAIL;
        if (!status) ns_printable(t->names[i], false);
    }
    free(packed);
    return status;
}

/* Of a file without roles, which the trainer's own names tell. */
static ns_role role_of_name(const char *name) {
    static const struct {
        const char *last;
        ns_role role;
    } known[] = {{"norm1", NS_ROLE_ATTENTION}, {"ln_1", NS_ROLE_ATTENTION},
                 {"norm2", NS_ROLE_MLP},       {"ln_2", NS_ROLE_MLP},
                 {"norm", NS_ROLE_FINAL},      {"ln_f", NS_ROLE_FINAL}};
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].last, last)) return known[i].role;
    return NS_ROLE_OTHER;
}

static int read_roles(ns_training *t, hid_t file, ns_error *err) {
    ns_h5_place place;
    t->roles = ns_calloc(t->sites, sizeof *t->roles, err);
    if (!t->roles) return NS_EFAIL;
    for (uint64_t i = 0; i < t->sites; i++) t->roles[i] = role_of_name(t->names[i]);
    if (!ns_h5_find(file, "watch/roles", &place)) return NS_OK;
    int status = has_shape(t, "watch/roles", &place, 1, &t->sites, err);
    size_t width;
    char word[MOST_NAME + 1],
        *packed = status ? NULL : read_words(t, file, "watch/roles", &width, err);
    if (!packed) return NS_EINPUT;
    for (uint64_t i = 0; i < t->sites; i++) {
        snprintf(word, sizeof word, "%.*s", (int)width, packed + i * width);
        t->roles[i] = ns_role_find(word);
    }
    free(packed);
    return NS_OK;
}

static int read_record_steps(ns_training *t, hid_t file, ns_error *err) {
    ns_h5_place place;
    int status = find_rows(t, file, "watch/step", &place, err);
    if (status) return status;
    if (place.type != H5T_INTEGER)
        return ns_fail(err, NS_EINPUT, "%s: watch/step: expected integers", t->path);
    uint64_t n = t->rows[NS_TRAINING_WATCH] = place.extents[0];
    if (n * t->sites > MOST_VALUES)
        return ns_fail(err, NS_EINPUT,
                       "%s: watch: expected at most %llu records of sites, found %llu", t->path,
                       (unsigned long long)MOST_VALUES, (unsigned long long)n * t->sites);
    t->record_steps = ns_calloc(n, sizeof *t->record_steps, err);
    if (!t->record_steps) return NS_EFAIL;
    status = read_whole(t, file, "watch/step", H5T_NATIVE_INT64, t->record_steps, err);
    for (uint64_t i = 0; i < n && !status; i++)
        if (t->record_steps[i] < 0 || (i && t->record_steps[i] <= t->record_steps[i - 1]))
            status = ns_fail(err, NS_EINPUT,
                             "%s: watch/step: expected rising steps from 0, found %lld at record "
                             "%llu",
                             t->path, (long long)t->record_steps[i], (unsigned long long)i);
    return status;
}

/* ---- columns ---- */

static int read_column(ns_training *t, hid_t file, ns_training_table table, const char *name,
                       ns_error *err) {
    char path[MOST_NAME];
    ns_h5_place place;
    snprintf(path, sizeof path, "%s/%s", table_names[table], name);
    if (!ns_h5_find(file, path, &place) || (place.type != H5T_FLOAT && place.type != H5T_INTEGER))
        return NS_OK; /* something that a later version added */
    const uint64_t extents[2] = {t->rows[table], t->sites};
    int dims = table == NS_TRAINING_WATCH ? 2 : 1;
    if (table != NS_TRAINING_WATCH && !t->column_count[table] && place.dims == 1) {
        int status = find_rows(t, file, path, &place, err);
        if (status) return status;
        t->rows[table] = place.extents[0];
    } else {
        int status = has_shape(t, path, &place, dims, extents, err);
        if (status) return status;
    }
    column *c = &t->columns[table][t->column_count[table]];
    c->name = ns_strdup(name, err);
    c->values = ns_calloc(t->rows[table] * (dims > 1 ? t->sites : 1), sizeof *c->values, err);
    t->column_count[table]++;
    if (!c->name || !c->values) return NS_EFAIL;
    return read_whole(t, file, path, H5T_NATIVE_DOUBLE, c->values, err);
}

typedef struct listing {
    char *names[MOST_COLUMNS];
    int count;
} listing;

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group, (void)info;
    listing *l = user;
    if (l->count == MOST_COLUMNS || strlen(name) > MOST_NAME / 2) return 0;
    l->names[l->count] = ns_strdup(name, NULL);
    return l->names[l->count] ? l->count++, 0 : -1;
}

static int read_table(ns_training *t, hid_t file, ns_training_table table, ns_error *err) {
    listing all = {0};
    const char *name = table_names[table];
    hid_t group = ns_h5_has(file, name) ? H5Gopen2(file, name, H5P_DEFAULT) : -1;
    if (group < 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a group %s, found none", t->path, name);
    int status = NS_OK;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, &all) < 0)
        status = ns_fail(err, NS_EINPUT, "%s: %s: HDF5 cannot list it", t->path, name);
    for (int i = 0; i < all.count; i++) {
        bool own = table == NS_TRAINING_WATCH &&
                   (!strcmp(all.names[i], "names") || !strcmp(all.names[i], "roles") ||
                    !strcmp(all.names[i], "step"));
        if (!own && !status) status = read_column(t, file, table, all.names[i], err);
        free(all.names[i]);
    }
    H5Gclose(group);
    return status;
}

/* ---- the file ---- */

static int read_number(const ns_training *t, hid_t file, const char *name, int64_t *out,
                       ns_error *err) {
    if (!ns_h5_get_int(file, name, out))
        return ns_fail(err, NS_EINPUT,
                       "%s: expected a training.h5 of normscope train, found no attribute %s",
                       t->path, name);
    return *out > 0 ? NS_OK
                    : ns_fail(err, NS_EINPUT, "%s: %s: expected a number above 0, found %lld",
                              t->path, name, (long long)*out);
}

static int read_all(ns_training *t, hid_t file, ns_error *err) {
    int64_t version = 0;
    int status = read_number(t, file, "training_version", &version, err);
    if (!status && version > VERSION)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected training_version up to %d, found %lld; a newer normscope "
                         "reads it",
                         t->path, VERSION, (long long)version);
    if (!status) status = read_number(t, file, "steps_per_epoch", &t->steps_per_epoch, err);
    if (!status) status = read_number(t, file, "steps_in_all", &t->steps_in_all, err);
    if (!status && !(t->norm = ns_h5_get_text(file, "norm")))
        status = ns_fail(err, NS_EINPUT, "%s: expected an attribute norm, found none", t->path);
    if (!status) ns_printable(t->norm, false);
    if (!status) status = read_names(t, file, err);
    if (!status) status = read_roles(t, file, err);
    if (!status) status = read_record_steps(t, file, err);
    for (int table = 0; table < NS_TRAINING_TABLES && !status; table++)
        status = read_table(t, file, (ns_training_table)table, err);
    return status;
}

char *ns_training_file(const char *path, ns_error *err) {
    return ns_is_folder(path) ? ns_path_join(path, "training.h5", err) : ns_strdup(path, err);
}

bool ns_training_is(const char *path) {
    char *file_path = ns_training_file(path, NULL);
    if (!file_path) return false;
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t file;
    bool is =
        ns_h5_open(&file, file_path, NULL) == NS_OK && H5Aexists(file, "training_version") > 0;
    if (file >= 0) H5Fclose(file);
    ns_h5_unhush(quiet);
    free(file_path);
    return is;
}

int ns_training_open(ns_training **out, const char *path, ns_error *err) {
    *out = NULL;
    ns_training *t = ns_calloc(1, sizeof *t, err);
    if (!t || !(t->path = ns_training_file(path, err))) {
        free(t);
        return NS_EFAIL;
    }
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t file;
    int status = ns_h5_open(&file, t->path, err);
    if (!status) status = read_all(t, file, err);
    if (file >= 0) H5Fclose(file);
    ns_h5_unhush(quiet);
    if (status)
        ns_training_close(t);
    else
        *out = t;
    return status;
}

void ns_training_close(ns_training *t) {
    if (!t) return;
    for (int table = 0; table < NS_TRAINING_TABLES; table++)
        for (int i = 0; i < t->column_count[table]; i++) {
            free(t->columns[table][i].name);
            free(t->columns[table][i].values);
        }
    for (uint64_t i = 0; i < t->sites && t->names; i++) free(t->names[i]);
    free(t->names);
    free(t->roles);
    free(t->record_steps);
    free(t->norm);
    free(t->path);
    free(t);
}

const char *ns_training_path(const ns_training *t) {
    return t->path;
}

const char *ns_training_norm(const ns_training *t) {
    return t->norm;
}

int64_t ns_training_steps(const ns_training *t) {
    return (int64_t)t->rows[NS_TRAINING_STEPS];
}

int64_t ns_training_steps_per_epoch(const ns_training *t) {
    return t->steps_per_epoch;
}

int64_t ns_training_epochs(const ns_training *t) {
    return (int64_t)t->rows[NS_TRAINING_EPOCHS];
}

int64_t ns_training_records(const ns_training *t) {
    return (int64_t)t->rows[NS_TRAINING_WATCH];
}

const int64_t *ns_training_record_steps(const ns_training *t) {
    return t->record_steps;
}

int ns_training_sites(const ns_training *t) {
    return (int)t->sites;
}

const char *ns_training_site_name(const ns_training *t, int site) {
    return t->names[site];
}

ns_role ns_training_site_role(const ns_training *t, int site) {
    return t->roles[site];
}

static const ns_site *site_in_list(const void *user, int i) {
    return (const ns_site *)user + i;
}

int ns_training_select(const ns_training *t, const ns_selection *selection, bool *wanted,
                       ns_error *err) {
    ns_site *sites = ns_calloc(t->sites, sizeof *sites, err);
    if (!sites) return NS_EFAIL;
    for (uint64_t i = 0; i < t->sites; i++)
        sites[i] = (ns_site){.index = (int)i + 1, .name = t->names[i], .role = t->roles[i]};
    int status = ns_select_sites(selection, (int)t->sites, site_in_list, sites, wanted, err);
    if (status) ns_fail_context(err, "%s", t->path);
    free(sites);
    return status;
}

static const char *column_name(const void *user, size_t i) {
    return ((const column *)user)[i].name;
}

const double *ns_training_column(const ns_training *t, ns_training_table table, const char *name,
                                 ns_error *err) {
    const column *columns = t->columns[table];
    int count = t->column_count[table];
    for (int i = 0; i < count; i++)
        if (!strcmp(columns[i].name, name)) return columns[i].values;
    ns_fail(err, NS_EINPUT, "%s: expected %s/%s, found no such dataset%s", t->path,
            table_names[table], name, count ? "" : ", and no other: nothing was recorded yet");
    ns_near_names(err, name, (size_t)count, column_name, columns, 2);
    return NULL;
}
