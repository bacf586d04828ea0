#include "probe/weights/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"

/* Types that the format knows: all of ours that have one value a block. */
static const ns_element *type_named(const char *name) {
    const ns_element *type = name ? ns_element_named(name) : NULL;
    return type && type->values == 1 ? type : NULL;
}

static int parse_shape(const json_t *shape, const char *path, ns_stored *tensor, ns_error *err) {
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

/* One entry of the header. `data` is where the data begins, `room` how many bytes it has. */
static int parse_entry(const json_t *entry, const char *path, const unsigned char *data,
                       uint64_t room, ns_stored *tensor, ns_error *err) {
    const char *name = tensor->info.name;
    if (!json_is_object(entry))
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected an object in the header", path,
                       name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!(tensor->type = type_named(dtype)))
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected a dtype such as F32, found %s",
                       path, name, dtype ? dtype : "none");
    tensor->info.dtype = tensor->type->name;
    const size_t item = tensor->type->bytes;
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
    tensor->bytes = data + begin;
    tensor->size = (size_t)(end - begin);
    return NS_OK;
}

static int by_offset(const void *a, const void *b) {
    const ns_stored *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size); /* empty tensors first */
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ns_stored *)a)->info.name, ((const ns_stored *)b)->info.name);
}

/* The format allows neither gaps nor overlaps; either means that offsets and data do not belong together. */
static int check_cover(ns_stored *tensors, int count, const unsigned char *file, uint64_t data,
                       uint64_t size, const char *path, ns_error *err) {
    if (count) qsort(tensors, (size_t)count, sizeof *tensors, by_offset);
    uint64_t at = data;
    for (int i = 0; i < count; i++) {
        uint64_t begin = (uint64_t)(tensors[i].bytes - file);
        if (begin != at)
            return ns_fail(
                err, NS_EINPUT,
                "%s: tensor %s: expected its data to begin at byte %llu, found %llu (%s)", path,
                tensors[i].info.name, (unsigned long long)at, (unsigned long long)begin,
                begin < at ? "overlaps the tensor before it" : "a gap before it");
        at = begin + tensors[i].size;
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

/* The header's text, read one tensor at a time: as a tree of JSON, a million of them would take a gigabyte. */
typedef struct scan {
    const char *text;
    size_t length, at;
    const char *path;
} scan;

static int bad_json(const scan *s, size_t at, const char *what, ns_error *err) {
    return ns_fail(err, NS_EINPUT, "%s: expected JSON in the header, found at byte %zu of it: %s",
                   s->path, at, what);
}

/* Any value of JSON, a new reference; NULL and described where there is none. */
static json_t *next_value(scan *s, ns_error *err) {
    json_error_t where;
    json_t *value =
        json_loadb(s->text + s->at, s->length - s->at,
                   JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &where);
    if (!value) bad_json(s, s->at + (size_t)where.position, where.text, err);
    s->at += (size_t)where.position;
    return value;
}

static void skip_space(scan *s) {
    while (s->at < s->length && s->text[s->at] && strchr(" \t\n\r", s->text[s->at])) s->at++;
}

/* The next character that is no white space, behind which the scan then stands; 0 at the end. */
static char next_mark(scan *s) {
    skip_space(s);
    return s->at < s->length ? s->text[s->at++] : 0;
}

/* The next name, a copy that the caller frees, and its value; the mark behind it is left to be read. */
static int next_member(scan *s, char **name, json_t **value, ns_error *err) {
    *name = NULL;
    *value = NULL;
    if (next_mark(s) != '"') return bad_json(s, s->at, "expected a name in quotes", err);
    s->at--;
    json_t *key = next_value(s, err);
    if (!key) return NS_EINPUT;
    *name = ns_strdup(json_string_value(key), err);
    json_decref(key);
    if (!*name) return NS_EFAIL;
    if (next_mark(s) != ':') return bad_json(s, s->at, "expected ':'", err);
    return (*value = next_value(s, err)) ? NS_OK : NS_EINPUT;
}

typedef struct tensor_list {
    ns_stored *items;
    int count, room;
    bool metadata; /* seen */
} tensor_list;

/* Takes the name. */
static int add_tensor(tensor_list *list, char *name, const json_t *value, const char *path,
                      const unsigned char *data, uint64_t room, ns_error *err) {
    if (list->count == list->room) {
        int more = list->room ? 2 * list->room : 64;
        ns_stored *grown = ns_realloc(list->items, (size_t)more, sizeof *grown, err);
        if (!grown) {
            free(name);
            return NS_EFAIL;
        }
        list->items = grown;
        list->room = more;
    }
    ns_stored *tensor = &list->items[list->count++];
    *tensor = (ns_stored){.info = {.name = name, .file = path}};
    if (!*name) return ns_fail(err, NS_EINPUT, "%s: a tensor has an empty name", path);
    return parse_entry(value, path, data, room, tensor, err);
}

static int parse_members(scan *s, tensor_list *list, const unsigned char *data, uint64_t room,
                         ns_error *err) {
    char mark = next_mark(s); /* "{", which the caller has seen */
    if (next_mark(s) == '}') return NS_OK;
    s->at--;
    for (int status; mark != '}';) {
        char *name;
        json_t *value;
        status = next_member(s, &name, &value, err);
        if (!status && !strcmp(name, "__metadata__")) {
            status = list->metadata
                         ? bad_json(s, s->at, "\"__metadata__\" for the second time", err)
                         : check_metadata(value, s->path, err);
            list->metadata = true;
        } else if (!status) {
            status = add_tensor(list, name, value, s->path, data, room, err);
            name = NULL;
        }
        json_decref(value);
        free(name);
        if (status) return status;
        mark = next_mark(s);
        if (mark != ',' && mark != '}') return bad_json(s, s->at, "expected ',' or '}'", err);
    }
    return NS_OK;
}

static int check_names(const ns_stored *tensors, int count, const char *path, ns_error *err) {
    for (int i = 1; i < count; i++)
        if (by_name(&tensors[i - 1], &tensors[i]) == 0)
            return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected once, found twice", path,
                           tensors[i].info.name);
    return NS_OK;
}

static int parse_header(scan *s, const unsigned char *bytes, uint64_t size, ns_stored **out,
                        int *count, ns_error *err) {
    const uint64_t data = 8 + s->length;
    tensor_list list = {0};
    int status = parse_members(s, &list, bytes + data, size - data, err);
    skip_space(s);
    if (!status && s->at < s->length)
        status = bad_json(s, s->at, "expected the end, found more", err);
    if (!status) {
        if (list.count) qsort(list.items, (size_t)list.count, sizeof *list.items, by_name);
        status = check_names(list.items, list.count, s->path, err);
    }
    if (!status) status = check_cover(list.items, list.count, bytes, data, size, s->path, err);
    if (status) {
        ns_stored_free(list.items, list.count);
        return status;
    }
    if (list.count) qsort(list.items, (size_t)list.count, sizeof *list.items, by_name);
    *out = list.items;
    *count = list.count;
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

int ns_safetensors_parse(const unsigned char *bytes, size_t size, const char *path, ns_stored **out,
                         int *count, ns_error *err) {
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
    scan header = {(const char *)bytes + 8, (size_t)length, 0, path};
    return parse_header(&header, bytes, size, out, count, err);
}

/* The format has no magic number: a length that can be one, and the brace of JSON behind it. */
static bool recognise(const unsigned char *bytes, size_t size) {
    return size > 8 && bytes[8] == '{' && !bytes[7] && !bytes[6] && !bytes[5];
}

static int open_file(ns_weights_file *file, ns_error *err) {
    return ns_safetensors_parse(file->mapped.bytes, file->mapped.size, file->path, &file->tensors,
                                &file->count, err);
}

extern const ns_weights_format ns_weights_format_safetensors;
const ns_weights_format ns_weights_format_safetensors = {.title = "safetensors",
                                                         .single = "model.safetensors",
                                                         .index = "model.safetensors.index.json",
                                                         .recognise = recognise,
                                                         .open = open_file};
