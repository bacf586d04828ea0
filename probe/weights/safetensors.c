#include "probe/weights/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"

static const struct {
    const char *name;
    size_t item;
} types[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8},     {"I64", 8},
             {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U8", 1},      {"BOOL", 1},
             {"U16", 2}, {"U32", 4}, {"U64", 8},  {"F8_E4M3", 1}, {"F8_E5M2", 1}};

/* The type as a constant of this table, so that nobody owns it. */
static const char *type_named(const char *name, size_t *item) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i].name, name)) {
            *item = types[i].item;
            return types[i].name;
        }
    return NULL;
}

size_t ns_safetensors_item(const char *dtype) {
    size_t item = 0;
    return type_named(dtype, &item) ? item : 0;
}

static int parse_shape(const json_t *shape, const char *path, ns_safetensor *tensor,
                       ns_error *err) {
    const char *name = tensor->info.name;
    if (!json_is_array(shape))
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected \"shape\" to be a list", path,
                       name);
    size_t dims = json_array_size(shape);
    if (dims > NS_MAX_DIMS)
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected at most %d dimensions, found %zu",
                       path, name, NS_MAX_DIMS, dims);
    tensor->info.dims = (int)dims;
    tensor->count = 1;
    for (size_t i = 0; i < dims; i++) {
        const json_t *extent = json_array_get(shape, i);
        json_int_t value = json_integer_value(extent);
        if (!json_is_integer(extent) || value < 0)
            return ns_fail(err, NS_EINPUT,
                           "%s: tensor %s: extent %zu of the shape is no whole number", path, name,
                           i);
        tensor->info.shape[i] = value;
        if (__builtin_mul_overflow(tensor->count, value, &tensor->count))
            return ns_fail(err, NS_EINPUT, "%s: tensor %s: the product of its shape overflows",
                           path, name);
    }
    return NS_OK;
}

/* One entry of the header. `data` is where the data begins in the file, `room` how many bytes it has. */
static int parse_entry(const json_t *entry, const char *path, uint64_t data, uint64_t room,
                       ns_safetensor *tensor, ns_error *err) {
    const char *name = tensor->info.name;
    if (!json_is_object(entry))
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected an object in the header", path,
                       name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    size_t item = 0;
    tensor->info.dtype = dtype ? type_named(dtype, &item) : NULL;
    if (!tensor->info.dtype)
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected a dtype such as F32, found %s",
                       path, name, dtype ? dtype : "none");
    int status = parse_shape(json_object_get(entry, "shape"), path, tensor, err);
    if (status) return status;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return ns_fail(err, NS_EINPUT,
                       "%s: tensor %s: expected two whole numbers in \"data_offsets\"", path, name);
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > room)
        return ns_fail(
            err, NS_EINPUT,
            "%s: tensor %s: expected offsets within the %llu bytes of data, found %lld to %lld",
            path, name, (unsigned long long)room, (long long)begin, (long long)end);
    int64_t bytes;
    if (__builtin_mul_overflow(tensor->count, (int64_t)item, &bytes) || bytes != end - begin)
        return ns_fail(
            err, NS_EINPUT,
            "%s: tensor %s: its shape and type ask for %lld x %zu bytes, its offsets hold %lld",
            path, name, (long long)tensor->count, item, (long long)(end - begin));
    tensor->begin = data + (uint64_t)begin;
    tensor->end = data + (uint64_t)end;
    return NS_OK;
}

static int by_offset(const void *a, const void *b) {
    const ns_safetensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end); /* empty tensors first */
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ns_safetensor *)a)->info.name, ((const ns_safetensor *)b)->info.name);
}

/* The format allows neither gaps nor overlaps; either means that offsets and data do not belong together. */
static int check_cover(ns_safetensor *tensors, int count, uint64_t data, uint64_t size,
                       const char *path, ns_error *err) {
    qsort(tensors, (size_t)count, sizeof *tensors, by_offset);
    uint64_t at = data;
    for (int i = 0; i < count; i++) {
        if (tensors[i].begin != at)
            return ns_fail(
                err, NS_EINPUT,
                "%s: tensor %s: expected its data to begin at byte %llu, found %llu (%s)", path,
                tensors[i].info.name, (unsigned long long)at, (unsigned long long)tensors[i].begin,
                tensors[i].begin < at ? "overlaps the tensor before it" : "a gap before it");
        at = tensors[i].end;
    }
    if (at != size)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected the last tensor to end with the file at byte %llu, found %llu",
                       path, (unsigned long long)size, (unsigned long long)at);
    return NS_OK;
}

/* Free text by free keys; the format knows no other values there. */
static int check_metadata(const json_t *metadata, const char *path, ns_error *err) {
    if (!json_is_object(metadata))
        return ns_fail(err, NS_EINPUT, "%s: expected \"__metadata__\" to be an object", path);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
        if (!json_is_string(value))
            return ns_fail(err, NS_EINPUT,
                           "%s: \"__metadata__\": expected text under \"%s\", found another type",
                           path, key);
    }
    return NS_OK;
}

static int parse_header(json_t *header, const char *path, uint64_t data, uint64_t size,
                        ns_safetensor **out, int *count, ns_error *err) {
    if (!json_is_object(header))
        return ns_fail(err, NS_EINPUT, "%s: expected a JSON object as the header", path);
    ns_safetensor *tensors = ns_calloc(json_object_size(header) + 1, sizeof *tensors, err);
    if (!tensors) return NS_EFAIL;
    const char *name;
    json_t *entry;
    int used = 0, status = NS_OK;
    json_object_foreach(header, name, entry) {
        if (!strcmp(name, "__metadata__")) {
            if ((status = check_metadata(entry, path, err)) != NS_OK) break;
            continue;
        }
        ns_safetensor *tensor = &tensors[used++];
        char *copy = ns_strdup(name, err);
        tensor->info.name = copy;
        tensor->info.file = path;
        if (!copy)
            status = NS_EFAIL;
        else if (!*name)
            status = ns_fail(err, NS_EINPUT, "%s: a tensor has an empty name", path);
        else
            status = parse_entry(entry, path, data, size - data, tensor, err);
        if (status) break;
    }
    if (!status) status = check_cover(tensors, used, data, size, path, err);
    if (status) {
        ns_safetensors_free(tensors, used);
        return status;
    }
    qsort(tensors, (size_t)used, sizeof *tensors, by_name);
    *out = tensors;
    *count = used;
    return NS_OK;
}

/* A file that has been cut, or another kind of file altogether. */
static int wrong_length(const unsigned char *bytes, size_t size, uint64_t length, const char *path,
                        ns_error *err) {
    const char *what = ns_looks_like(bytes, size);
    if (strcmp(what, "an unknown format") != 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a safetensors file, found %s", path, what);
    return ns_fail(err, NS_EINPUT,
                   "%s: its first 8 bytes promise a header of %llu bytes, found %zu bytes after "
                   "them (no safetensors file, or cut short)",
                   path, (unsigned long long)length, size - 8);
}

int ns_safetensors_parse(const unsigned char *bytes, size_t size, const char *path,
                         ns_safetensor **out, int *count, ns_error *err) {
    *out = NULL;
    *count = 0;
    if (size < 8)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected a safetensors file of at least 8 bytes, found %zu", path,
                       size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    if (length > NS_SAFETENSORS_MOST_HEADER || length > size - 8)
        return wrong_length(bytes, size, length, path, err);
    /* The reference implementation refuses a header that begins with a space, too. */
    if (!length || bytes[8] != '{')
        return ns_fail(err, NS_EINPUT, "%s: expected a header that begins with '{', found %s", path,
                       length ? "another byte" : "an empty header");
    json_error_t where;
    json_t *header =
        json_loadb((const char *)bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!header)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected JSON in the header, found at byte %d of it: %s", path,
                       where.position, where.text);
    int status = parse_header(header, path, 8 + length, size, out, count, err);
    json_decref(header);
    return status;
}

void ns_safetensors_free(ns_safetensor *tensors, int count) {
    if (!tensors) return;
    for (int i = 0; i < count; i++) free((void *)(uintptr_t)tensors[i].info.name);
    free(tensors);
}
