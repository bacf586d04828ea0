/* A walk over all that a file's readers may touch, for the guard (probe/store/h5_guard.c): it is there to crash or to hang in their place.
 * What HDF5 says it cannot read is damaged as well: behind it lies what nobody has looked at. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/store/h5_internal.h"

enum { MOST_DEPTH = 32, MOST_FILTERS = 8 };

typedef struct walk {
    hid_t file;
    uint64_t file_size;
    char *place;
    void (*step)(uint64_t file_size);
    haddr_t *seen; /* [room], a table of addresses by hash; HADDR_UNDEF: free */
    size_t count, room;
    char **sources; /* [source_count], once a virtual dataset was met */
    hsize_t source_count, next_source;
    bool refers;
    int depth;
    ns_error *err;
} walk;

static int unreadable(walk *w, const char *what) {
    return ns_fail(w->err, NS_EINPUT, "a damaged HDF5 file (HDF5 cannot read %s%s)", what,
                   *w->place ? w->place : "/");
}

/* ---- objects that were there before: hard links may make circles ---- */

static haddr_t address_of(const H5L_info_t *info) {
    haddr_t address = 0;
#if H5_VERSION_GE(1, 12, 0)
    memcpy(&address, &info->u.token, sizeof address);
#else
    address = info->u.address;
#endif
    return address;
}

static haddr_t *seen_slot(haddr_t *seen, size_t room, haddr_t address) {
    size_t at = (size_t)((address * 0x9E3779B97F4A7C15u) >> 20) & (room - 1);
    while (seen[at] != HADDR_UNDEF && seen[at] != address) at = (at + 1) & (room - 1);
    return &seen[at];
}

static int seen_grow(walk *w) {
    size_t room = w->room ? 2 * w->room : 1024;
    haddr_t *grown = ns_calloc(room, sizeof *grown, w->err);
    if (!grown) return NS_EFAIL;
    for (size_t i = 0; i < room; i++) grown[i] = HADDR_UNDEF;
    for (size_t i = 0; i < w->room; i++)
        if (w->seen[i] != HADDR_UNDEF) *seen_slot(grown, room, w->seen[i]) = w->seen[i];
    free(w->seen);
    w->seen = grown;
    w->room = room;
    return NS_OK;
}

static int seen_add(walk *w, haddr_t address, bool *before) {
    if (2 * w->count >= w->room && seen_grow(w)) return NS_EFAIL;
    haddr_t *slot = seen_slot(w->seen, w->room, address);
    *before = *slot == address;
    w->count += !*before;
    *slot = address;
    return NS_OK;
}

/* ---- attributes ---- */

/* What the readers make of one value: its text, and numbers of a type that HDF5 has to convert. */
static void touch_value(hid_t attribute, hid_t type) {
    double real;
    int64_t whole;
    H5T_class_t class = H5Tget_class(type);
    free(ns_h5_text_of(attribute, type));
    if ((class != H5T_INTEGER && class != H5T_FLOAT) || ns_h5_usual_type(type)) return;
    H5Aread(attribute, H5T_NATIVE_DOUBLE, &real);
    H5Aread(attribute, H5T_NATIVE_INT64, &whole);
}

static herr_t touch_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)info;
    walk *w = user;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
    hid_t space = attribute < 0 ? -1 : H5Aget_space(attribute);
    bool good = type >= 0 && space >= 0;
    if (good && H5Sget_simple_extent_npoints(space) == 1) touch_value(attribute, type);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (attribute >= 0) H5Aclose(attribute);
    return good ? 0
                : ns_fail(w->err, NS_EINPUT,
                          "a damaged HDF5 file (HDF5 cannot read the attribute %s of %s)", name,
                          *w->place ? w->place : "/");
}

static int touch_attributes(walk *w, hid_t object) {
    herr_t done = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, touch_attribute, w);
    return done > 0 ? (int)done : done < 0 ? unreadable(w, "the attributes of ") : NS_OK;
}

/* ---- datasets ---- */

static int points_outside(walk *w, const char *how, const char *where) {
    return ns_fail(w->err, NS_EINPUT,
                   "%s %s %s, expected a file that points to nothing outside itself", w->place, how,
                   where);
}

static int read_sources(walk *w) {
    hid_t all = ns_h5_has(w->file, "/sources") ? H5Gopen2(w->file, "/sources", H5P_DEFAULT) : -1;
    hsize_t count = 0;
    if (all < 0) return NS_OK;
    if (H5Gget_num_objs(all, &count) < 0 || count > 1 << 20) count = 0;
    w->sources = ns_calloc(count, sizeof *w->sources, w->err);
    while (w->sources && w->source_count < count) {
        char name[24] = "";
        H5Gget_objname_by_idx(all, w->source_count, name, sizeof name);
        hid_t one = H5Gopen2(all, name, H5P_DEFAULT);
        w->sources[w->source_count++] = one < 0 ? NULL : ns_h5_get_text(one, "path");
        if (one >= 0) H5Gclose(one);
    }
    H5Gclose(all);
    return w->sources ? NS_OK : NS_EFAIL;
}

/* Sources are mapped in their order, so the next one is asked first. */
static bool is_source(walk *w, const char *name) {
    for (hsize_t k = 0; k < w->source_count; k++) {
        hsize_t at = (w->next_source + k) % w->source_count;
        if (!w->sources[at] || strcmp(w->sources[at], name) != 0) continue;
        w->next_source = at + 1;
        return true;
    }
    return false;
}

static int check_virtual(walk *w, hid_t layout) {
    size_t count = 0;
    char name[4096];
    int status = NS_OK;
    if (H5Pget_virtual_count(layout, &count) < 0) return unreadable(w, "the layout of ");
    if (!w->refers) status = read_sources(w);
    w->refers = true;
    for (size_t k = 0; k < count && !status; k++) {
        ssize_t length = H5Pget_virtual_filename(layout, k, name, sizeof name);
        if (length < 0) return unreadable(w, "the layout of ");
        if ((size_t)length >= sizeof name || !is_source(w, name))
            status = points_outside(w, "is a view of", name);
    }
    return status;
}

/* HDF5 1.10's other filters trust what they unpack. */
static int check_filters(walk *w, hid_t layout) {
    int count = H5Pget_nfilters(layout);
    if (count < 0) return unreadable(w, "the filters of ");
    for (int k = 0; k < count && k < MOST_FILTERS; k++) {
        unsigned flags, config;
        size_t values = 0;
        char name[64] = "";
        H5Z_filter_t id =
            H5Pget_filter2(layout, (unsigned)k, &flags, &values, NULL, sizeof name, name, &config);
        if (id < 0) return unreadable(w, "the filters of ");
        if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32)
            return ns_fail(w->err, NS_EINPUT,
                           "%s is packed by the filter %s (%d): expected gzip, shuffle and "
                           "fletcher32 alone",
                           w->place, name, (int)id);
    }
    return count <= MOST_FILTERS ? NS_OK : unreadable(w, "the filters of ");
}

static int check_layout(walk *w, hid_t layout) {
    char name[1024] = "";
    off_t offset;
    hsize_t bytes;
    int files = H5Pget_external_count(layout);
    if (files > 0) {
        H5Pget_external(layout, 0, sizeof name - 1, name, &offset, &bytes);
        return points_outside(w, "keeps its values in", name);
    }
    int status = check_filters(w, layout);
    return !status && H5Pget_layout(layout) == H5D_VIRTUAL ? check_virtual(w, layout) : status;
}

/* The first and the last value of what HDF5 itself has to find, unpack or convert. */
static int touch_values(walk *w, hid_t dataset, const ns_h5_place *place) {
    hsize_t at[4] = {0}, one[4] = {1, 1, 1, 1};
    double real;
    int64_t whole;
    herr_t read = 0;
    for (int d = 0; d < place->dims; d++)
        if (!place->extents[d]) return NS_OK;
    hid_t single = H5Screate(H5S_SCALAR), space = H5Dget_space(dataset);
    for (int last = 0; last < 2 && read >= 0; last++) {
        for (int d = 0; d < place->dims && last; d++) at[d] = place->extents[d] - 1;
        if (place->dims) H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, one, NULL);
        read = H5Dread(dataset, H5T_NATIVE_DOUBLE, single, space, H5P_DEFAULT, &real);
        if (read >= 0)
            read = H5Dread(dataset, H5T_NATIVE_INT64, single, space, H5P_DEFAULT, &whole);
    }
    H5Sclose(space);
    H5Sclose(single);
    return read < 0 ? unreadable(w, "the values of ") : NS_OK;
}

/* What has a place in this file is no view, and has neither filters nor values elsewhere. The layout comes before the shape: that of a view
 * can depend on the files that it is of. */
static int touch_dataset(walk *w, hid_t dataset) {
    bool view = false;
    int status = NS_OK;
    if (H5Dget_offset(dataset) == HADDR_UNDEF) {
        H5Dget_storage_size(dataset);
        hid_t layout = H5Dget_create_plist(dataset);
        status = layout < 0 ? unreadable(w, "the layout of ") : check_layout(w, layout);
        view = !status && H5Pget_layout(layout) == H5D_VIRTUAL;
        if (layout >= 0) H5Pclose(layout);
    }
    ns_h5_place place;
    if (status || !ns_h5_place_of(dataset, &place) || place.raw || view) return status;
    return place.type == H5T_INTEGER || place.type == H5T_FLOAT ? touch_values(w, dataset, &place)
                                                                : NS_OK;
}

/* ---- groups ---- */

static int touch_object(walk *w, hid_t object);

static int check_external_link(walk *w, hid_t group, const char *name, size_t size) {
    const char *file = "", *object = "";
    unsigned flags;
    char *value = ns_calloc(size + 1, 1, w->err), where[1024] = "another file";
    if (!value) return NS_EFAIL;
    if (H5Lget_val(group, name, value, size, H5P_DEFAULT) >= 0 &&
        H5Lunpack_elink_val(value, size, &flags, &file, &object) >= 0)
        snprintf(where, sizeof where, "%s of %s", object, file);
    free(value);
    return points_outside(w, "is a link to", where);
}

/* A link inside the file leads to what a hard link leads to as well, or to nothing. */
static int touch_link(walk *w, hid_t group, const char *name, const H5L_info_t *info) {
    if (info->type == H5L_TYPE_EXTERNAL)
        return check_external_link(w, group, name, info->u.val_size);
    if (info->type != H5L_TYPE_HARD && info->type != H5L_TYPE_SOFT)
        return points_outside(w, "is a link", "of an unknown kind");
    bool before = false;
    int status = info->type == H5L_TYPE_HARD ? seen_add(w, address_of(info), &before) : NS_OK;
    if (status || before) return status;
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0)
        status = info->type == H5L_TYPE_SOFT ? NS_OK : unreadable(w, "");
    else if (info->type == H5L_TYPE_HARD)
        status = touch_object(w, object);
    if (object >= 0 && H5Oclose(object) < 0 && !status) status = unreadable(w, "");
    return status;
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    walk *w = user;
    size_t length = strlen(w->place), more = strlen(name);
    if (length + more + 2 > NS_H5_PLACE)
        return ns_fail(w->err, NS_EINPUT, "a damaged HDF5 file (a name of %zu bytes in %s)", more,
                       *w->place ? w->place : "/");
    w->place[length] = '/';
    memcpy(w->place + length + 1, name, more + 1);
    herr_t status = touch_link(w, group, name, info);
    w->place[length] = 0;
    return status;
}

static int touch_group(walk *w, hid_t group) {
    hsize_t count = 0;
    char name[24];
    if (w->depth == MOST_DEPTH)
        return ns_fail(w->err, NS_EINPUT, "%s: groups in groups, more than %d deep", w->place,
                       MOST_DEPTH);
    /* By number, as the readers count groups; then by name. */
    if (H5Gget_num_objs(group, &count) < 0 ||
        (count && H5Gget_objname_by_idx(group, count - 1, name, sizeof name) < 0))
        return unreadable(w, "the names in ");
    w->depth++;
    herr_t done = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, w);
    w->depth--;
    return done > 0 ? (int)done : done < 0 ? unreadable(w, "the names in ") : NS_OK;
}

static int touch_object(walk *w, hid_t object) {
    H5I_type_t type = H5Iget_type(object);
    w->step(w->file_size);
    if (type == H5I_DATASET) return touch_dataset(w, object); /* nobody asks for its attributes */
    int status = type == H5I_GROUP ? touch_group(w, object) : NS_OK;
    return status ? status : touch_attributes(w, object);
}

int ns_h5_walk(hid_t file, uint64_t file_size, char place[NS_H5_PLACE], void (*step)(uint64_t),
               bool *refers, ns_error *err) {
    walk w = {.file = file, .file_size = file_size, .place = place, .step = step, .err = err};
    *place = 0;
    hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    int status = root < 0 ? unreadable(&w, "") : touch_object(&w, root);
    if (root >= 0) H5Gclose(root);
    *refers = w.refers;
    for (hsize_t k = 0; k < w.source_count; k++) free(w.sources[k]);
    free(w.sources);
    free(w.seen);
    return status;
}
