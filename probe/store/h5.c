#include "probe/store/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

ns_h5_quiet ns_h5_hush(void) {
    ns_h5_quiet kept = {NULL, NULL};
    H5Eget_auto2(H5E_DEFAULT, &kept.function, &kept.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return kept;
}

void ns_h5_unhush(ns_h5_quiet kept) {
    H5Eset_auto2(H5E_DEFAULT, kept.function, kept.data);
}

static int set_attribute(hid_t object, const char *name, hid_t type, const void *value,
                         ns_error *err) {
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t done = attribute < 0 ? -1 : H5Awrite(attribute, type, value);
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return done < 0 ? ns_fail(err, NS_EFAIL, "HDF5 attribute %s could not be written", name)
                    : NS_OK;
}

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

int ns_h5_set_text(hid_t object, const char *name, const char *text, ns_error *err) {
    hid_t type = text_type();
    int status = set_attribute(object, name, type, &text, err);
    H5Tclose(type);
    return status;
}

int ns_h5_set_int(hid_t object, const char *name, int64_t value, ns_error *err) {
    return set_attribute(object, name, H5T_NATIVE_INT64, &value, err);
}

int ns_h5_set_real(hid_t object, const char *name, double value, ns_error *err) {
    return set_attribute(object, name, H5T_NATIVE_DOUBLE, &value, err);
}

/* Opens an attribute that holds one value; < 0 where there is none such. */
static hid_t open_scalar(hid_t object, const char *name) {
    if (H5Aexists(object, name) <= 0) return -1;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return -1;
    hid_t space = H5Aget_space(attribute);
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    if (space >= 0) H5Sclose(space);
    if (one) return attribute;
    H5Aclose(attribute);
    return -1;
}

static char *read_string(hid_t attribute, hid_t type) {
    char *text = NULL;
    if (H5Tis_variable_str(type) > 0) {
        char *raw = NULL;
        hid_t memory = H5Tcopy(H5T_C_S1);
        H5Tset_size(memory, H5T_VARIABLE);
        H5Tset_cset(memory, H5Tget_cset(type));
        if (H5Aread(attribute, memory, &raw) >= 0 && raw) {
            text = ns_strdup(raw, NULL);
            H5free_memory(raw);
        }
        H5Tclose(memory);
    } else {
        size_t size = H5Tget_size(type);
        text = size < 1 << 20 ? ns_calloc(size + 1, 1, NULL) : NULL;
        if (text && H5Aread(attribute, type, text) < 0) {
            free(text);
            text = NULL;
        }
    }
    return text;
}

char *ns_h5_text_of(hid_t attribute, hid_t type) {
    int64_t whole;
    double real;
    switch (H5Tget_class(type)) {
    case H5T_STRING:
        return read_string(attribute, type);
    case H5T_INTEGER:
        return H5Aread(attribute, H5T_NATIVE_INT64, &whole) < 0
                   ? NULL
                   : ns_asprintf(NULL, "%lld", (long long)whole);
    case H5T_FLOAT:
        return H5Aread(attribute, H5T_NATIVE_DOUBLE, &real) < 0 ? NULL
                                                                : ns_asprintf(NULL, "%.17g", real);
    default:
        return NULL;
    }
}

char *ns_h5_get_text(hid_t object, const char *name) {
    hid_t attribute = open_scalar(object, name);
    if (attribute < 0) return NULL;
    hid_t type = H5Aget_type(attribute);
    char *text = type < 0 ? NULL : ns_h5_text_of(attribute, type);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    return text;
}

static bool get_number(hid_t object, const char *name, hid_t memory, void *value) {
    hid_t attribute = open_scalar(object, name);
    if (attribute < 0) return false;
    hid_t type = H5Aget_type(attribute);
    H5T_class_t class = H5Tget_class(type);
    bool read =
        (class == H5T_INTEGER || class == H5T_FLOAT) && H5Aread(attribute, memory, value) >= 0;
    H5Tclose(type);
    H5Aclose(attribute);
    return read;
}

bool ns_h5_get_real(hid_t object, const char *name, double *value) {
    return get_number(object, name, H5T_NATIVE_DOUBLE, value);
}

bool ns_h5_get_int(hid_t object, const char *name, int64_t *value) {
    return get_number(object, name, H5T_NATIVE_INT64, value);
}

static int create(hid_t group, const char *name, hid_t type, int dims, const uint64_t *extents,
                  const char *unit, const void *values, uint64_t *offset, ns_error *err) {
    hsize_t size[4];
    for (int i = 0; i < dims; i++) size[i] = extents[i];
    hid_t space = H5Screate_simple(dims, size, NULL);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(layout, H5D_CONTIGUOUS);
    H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER);
    H5Pset_obj_track_times(layout, false); /* the same run, the same bytes */
    H5Pset_attr_phase_change(layout, 64, 32);
    hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    int status = NS_OK;
    if (dataset < 0) status = ns_fail(err, NS_EFAIL, "HDF5 dataset %s could not be laid out", name);
    if (!status && values && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = ns_fail(err, NS_EFAIL, "HDF5 dataset %s could not be written", name);
    if (!status && unit) status = ns_h5_set_text(dataset, "unit", unit, err);
    if (!status && offset) {
        haddr_t at = H5Dget_offset(dataset);
        if (at == HADDR_UNDEF)
            status = ns_fail(err, NS_EFAIL, "HDF5 dataset %s has no place in the file", name);
        else
            *offset = at;
    }
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(layout);
    H5Sclose(space);
    return status;
}

int ns_h5_lay_out(hid_t group, const char *name, hid_t type, int dims, const uint64_t *extents,
                  const char *unit, uint64_t *offset, ns_error *err) {
    return create(group, name, type, dims, extents, unit, NULL, offset, err);
}

int ns_h5_put(hid_t group, const char *name, hid_t type, int dims, const uint64_t *extents,
              const char *unit, const void *values, ns_error *err) {
    return create(group, name, type, dims, extents, unit, values, NULL, err);
}

int ns_h5_make_group(hid_t group, const char *name, ns_error *err) {
    char folder[64];
    const char *end = strrchr(name, '/');
    if (!end) return NS_OK;
    snprintf(folder, sizeof folder, "%.*s", (int)(end - name), name);
    if (ns_h5_has(group, folder)) return NS_OK;
    hid_t made = H5Gcreate2(group, folder, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (made < 0) return ns_fail(err, NS_EFAIL, "HDF5 group %s could not be made", folder);
    H5Gclose(made);
    return NS_OK;
}

bool ns_h5_has(hid_t group, const char *name) {
    ns_h5_quiet quiet = ns_h5_hush();
    bool has = H5Lexists(group, name, H5P_DEFAULT) > 0;
    ns_h5_unhush(quiet);
    return has;
}

bool ns_h5_usual_type(hid_t type) {
    size_t sign, exponent_at, exponent, mantissa_at, mantissa, size = H5Tget_size(type);
    if (H5Tget_class(type) != H5T_FLOAT)
        return H5Tget_precision(type) == 8 * size && H5Tget_offset(type) == 0;
    return H5Tget_fields(type, &sign, &exponent_at, &exponent, &mantissa_at, &mantissa) >= 0 &&
           exponent == (size == 2   ? 5
                        : size == 4 ? 8
                                    : 11) &&
           mantissa == 8 * size - 1 - exponent && mantissa_at == 0 &&
           H5Tget_ebias(type) == ((size_t)1 << (exponent - 1)) - 1;
}

static hid_t open_dataset(hid_t group, const char *name) {
    if (!ns_h5_has(group, name)) return -1;
    ns_h5_quiet quiet = ns_h5_hush();
    hid_t dataset = H5Dopen2(group, name, H5P_DEFAULT);
    ns_h5_unhush(quiet);
    return dataset;
}

/* HDF5 tells an offset only of what is contiguous, allocated and in this file. */
bool ns_h5_place_of(hid_t dataset, ns_h5_place *place) {
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    *place = (ns_h5_place){.dims = space < 0 ? -1 : H5Sget_simple_extent_ndims(space)};
    bool good = type >= 0 && place->dims >= 0 && place->dims <= 4;
    if (good) {
        hsize_t size[4] = {0};
        H5Sget_simple_extent_dims(space, size, NULL);
        for (int i = 0; i < place->dims; i++) place->extents[i] = size[i];
        place->type = H5Tget_class(type);
        place->item = H5Tget_size(type);
        place->little = H5Tget_order(type) != H5T_ORDER_BE;
        place->is_signed = place->type == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
        haddr_t at = H5Dget_offset(dataset);
        bool in_place = place->type != H5T_STRING || H5Tis_variable_str(type) <= 0;
        place->raw = at != HADDR_UNDEF && in_place && ns_h5_usual_type(type);
        place->offset = at;
    }
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    return good;
}

bool ns_h5_find(hid_t group, const char *name, ns_h5_place *place) {
    hid_t dataset = open_dataset(group, name);
    if (dataset < 0) return false;
    bool good = ns_h5_place_of(dataset, place);
    H5Dclose(dataset);
    return good;
}
