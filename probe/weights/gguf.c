/* GGUF, the format of llama.cpp (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian:
 *
 *     "GGUF", version u32, tensors u64, keys u64
 *     each key: name, type u32, value; texts are a length u64 and bytes; an array is a type u32, a length u64 and its values
 *     each tensor: name, extents u32, each u64 from the innermost, type u32, offset u64
 *     up to a multiple of general.alignment (32); then the data, that offsets count in, each padded to such a multiple
 *
 * Lengths are held against what is left of the file before anything is made room for; what one file may say is bounded besides. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/weights/gguf_internal.h"

enum {
    MOST_VALUES =
        1 << 22, /* of all keys and arrays; a vocabulary of 256 Ki words has about 1.3 million */
    MOST_TENSORS = 1 << 20,
    MOST_NAME = 255,
    MOST_NESTING = 4,
    MOST_EXTENTS = 4,
    LEAST_ALIGNMENT = 1,
    MOST_ALIGNMENT = 1 << 16
};

typedef struct scan {
    const unsigned char *bytes;
    size_t size, at;
    const char *path;
    size_t values; /* read so far */
    ns_error *err;
} scan;

static int cut_short(const scan *s, uint64_t wanted, const char *what) {
    return ns_fail(s->err, NS_EINPUT,
                   "%s: expected %llu bytes more at byte %zu for %s, found %zu to the end of the "
                   "file",
                   s->path, (unsigned long long)wanted, s->at, what, s->size - s->at);
}

static int take_integer(scan *s, size_t width, const char *what, uint64_t *value) {
    *value = 0;
    if (s->size - s->at < width) return cut_short(s, width, what);
    for (size_t i = width; i-- > 0;) *value = *value << 8 | s->bytes[s->at + i];
    s->at += width;
    return NS_OK;
}

/* A text where it lies. */
static int take_text(scan *s, const char *what, const char **text, size_t *length) {
    uint64_t n;
    int status = take_integer(s, 8, what, &n);
    if (status) return status;
    if (n > s->size - s->at) return cut_short(s, n, what);
    *text = (const char *)s->bytes + s->at;
    *length = (size_t)n;
    s->at += (size_t)n;
    return NS_OK;
}

/* A name: of printable ASCII without spaces, a copy that the caller frees. */
static int take_name(scan *s, const char *what, char **name) {
    const char *text = NULL;
    size_t length = 0;
    *name = NULL;
    int status = take_text(s, what, &text, &length);
    if (status) return status;
    bool good = length > 0 && length <= MOST_NAME;
    for (size_t i = 0; good && i < length; i++) good = text[i] > 32 && text[i] < 127;
    if (!good)
        return ns_fail(s->err, NS_EINPUT,
                       "%s: expected at byte %zu %s of 1 to %d printable characters, found %zu "
                       "bytes that are none",
                       s->path, s->at - length, what, MOST_NAME, length);
    *name = ns_asprintf(s->err, "%.*s", (int)length, text);
    return *name ? NS_OK : NS_EFAIL;
}

/* ---- keys and values ---- */

enum value_type { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64, VALUE_TYPES };
static const size_t widths[VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

/* The shortest decimal that gives the float back: 1e-05 was meant, and not 9.99999974737875e-06. */
static double decimal_of(float value) {
    char text[32];
    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) return strtod(text, NULL);
    }
    return (double)value;
}

static int take_real(scan *s, uint64_t type, bool exact, json_t **value) {
    uint64_t bits = 0;
    take_integer(s, widths[type], "a number", &bits);
    double real = 0;
    if (type == F64) {
        memcpy(&real, &bits, sizeof real);
    } else {
        const uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        real = exact || !isfinite(single) ? (double)single : decimal_of(single);
    }
    /* A vocabulary's scores may be infinite, which JSON has no word for. */
    *value = isfinite(real) ? json_real(real) : json_null();
    return NS_OK;
}

static int take_plain(scan *s, uint64_t type, bool in_array, json_t **value) {
    if (type == F32 || type == F64) return take_real(s, type, in_array, value);
    if (type == TEXT) {
        const char *text = NULL;
        size_t length = 0;
        int status = take_text(s, "a text", &text, &length);
        if (status) return status;
        *value = json_stringn(text, length);
        if (!*value)
            *value = json_stringn_nocheck(text, length); /* a word may be a part of UTF-8 */
        return NS_OK;
    }
    uint64_t bits = 0;
    int status = take_integer(s, widths[type], "a value", &bits);
    if (status) return status;
    const int shift = (int)(64 - 8 * widths[type]);
    const bool is_signed = type == I8 || type == I16 || type == I32 || type == I64;
    if (type == BOOL)
        *value = json_boolean(bits != 0);
    else if (is_signed)
        *value = json_integer((int64_t)(bits << shift) >> shift);
    else
        *value = bits > INT64_MAX ? json_real((double)bits) : json_integer((json_int_t)bits);
    return NS_OK;
}

static int take_value(scan *s, const char *key, uint64_t type, int nesting, json_t **value);

static int take_array(scan *s, const char *key, int nesting, json_t **value) {
    uint64_t type, count;
    int status = take_integer(s, 4, "the type of an array", &type);
    if (!status) status = take_integer(s, 8, "the length of an array", &count);
    if (status) return status;
    if (type >= VALUE_TYPES || nesting >= MOST_NESTING)
        return ns_fail(
            s->err, NS_EINPUT, "%s: key %s: expected an array of types 0 to %d, found %s", s->path,
            key, VALUE_TYPES - 1, type < VALUE_TYPES ? "arrays in arrays in arrays" : "another");
    if (count > (s->size - s->at) / widths[type])
        return ns_fail(s->err, NS_EINPUT,
                       "%s: key %s: expected an array within the %zu bytes that are left, found "
                       "%llu values",
                       s->path, key, s->size - s->at, (unsigned long long)count);
    if (!(*value = json_array())) return ns_fail(s->err, NS_EFAIL, "%s: no memory", s->path);
    for (uint64_t i = 0; i < count && !status; i++) {
        json_t *item = NULL;
        status = take_value(s, key, type, nesting + 1, &item);
        if (!status && json_array_append_new(*value, item) != 0)
            status = ns_fail(s->err, NS_EFAIL, "%s: no memory", s->path);
        else if (status)
            json_decref(item);
    }
    return status;
}

/* *value is a new reference, after a failure too, or NULL. */
static int take_value(scan *s, const char *key, uint64_t type, int nesting, json_t **value) {
    if (type >= VALUE_TYPES)
        return ns_fail(s->err, NS_EINPUT, "%s: key %s: expected a type from 0 to %d, found %llu",
                       s->path, key, VALUE_TYPES - 1, (unsigned long long)type);
    if (++s->values > MOST_VALUES)
        return ns_fail(s->err, NS_EINPUT,
                       "%s: key %s: expected at most %d values in all keys, found more", s->path,
                       key, MOST_VALUES);
    if (s->size - s->at < widths[type]) return cut_short(s, widths[type], key);
    int status = type == ARRAY ? take_array(s, key, nesting, value)
                               : take_plain(s, type, nesting > 0, value);
    if (!status && !*value) status = ns_fail(s->err, NS_EFAIL, "%s: no memory", s->path);
    return status;
}

static int take_keys(scan *s, uint64_t count, json_t *metadata) {
    int status = NS_OK;
    for (uint64_t i = 0; i < count && !status; i++) {
        char *key;
        uint64_t type;
        json_t *value = NULL;
        status = take_name(s, "the name of a key", &key);
        if (!status) status = take_integer(s, 4, "the type of a value", &type);
        if (!status) status = take_value(s, key, type, 0, &value);
        if (!status && json_object_get(metadata, key))
            status =
                ns_fail(s->err, NS_EINPUT, "%s: key %s: expected once, found twice", s->path, key);
        if (!status && json_object_set(metadata, key, value) != 0)
            status = ns_fail(s->err, NS_EFAIL, "%s: no memory", s->path);
        json_decref(value);
        free(key);
    }
    return status;
}

/* ---- tensors ---- */

/* Types by number: those that can be read, and those that have a name at least. */
static const char *const type_names[] = {
    "F32",     "F16",    "Q4_0",    "Q4_1",  "Q4_2",   "Q4_3",  "Q5_0",  "Q5_1",
    "Q8_0",    "Q8_1",   "Q2_K",    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",
    "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS",
    "I8",      "I16",    "I32",     "I64",   "F64",    "IQ1_M", "BF16"};
enum { TYPE_NAMES = sizeof type_names / sizeof *type_names };

static int find_type(const scan *s, ns_stored *t, uint64_t type) {
    const char *name = type < TYPE_NAMES ? type_names[type] : NULL;
    if (name && (t->type = ns_element_named(name))) return NS_OK;
    char number[48];
    snprintf(number, sizeof number, "number %llu", (unsigned long long)type);
    return ns_fail(s->err, NS_EINPUT,
                   "%s: tensor %s: expected type F32, F16, BF16, F64, Q8_0, Q4_0, Q4_1, Q5_0, "
                   "Q5_1, Q4_K, Q5_K or Q6_K, found %s; llama-quantize --allow-requantize writes "
                   "one of these",
                   s->path, t->info.name, name ? name : number);
}

static int take_shape(scan *s, ns_stored *t) {
    uint64_t dims, extent;
    int status = take_integer(s, 4, "the number of extents", &dims);
    if (status) return status;
    if (dims < 1 || dims > MOST_EXTENTS)
        return ns_fail(s->err, NS_EINPUT, "%s: tensor %s: expected 1 to %d extents, found %llu",
                       s->path, t->info.name, MOST_EXTENTS, (unsigned long long)dims);
    t->info.dims = (int)dims;
    t->count = 1;
    for (int i = (int)dims; i-- > 0;) {
        status = take_integer(s, 8, "an extent", &extent);
        if (status) return status;
        if (extent > INT64_MAX || __builtin_mul_overflow(t->count, (int64_t)extent, &t->count))
            return ns_fail(s->err, NS_EINPUT, "%s: tensor %s: the product of its shape overflows",
                           s->path, t->info.name);
        t->info.shape[i] = (int64_t)extent;
    }
    return NS_OK;
}

/* One tensor; its offset goes to *offset, and t->size is what its shape and type ask for. */
static int take_tensor(scan *s, ns_stored *t, uint64_t *offset) {
    char *name;
    uint64_t type;
    int status = take_name(s, "the name of a tensor", &name);
    t->info.name = name;
    t->info.file = s->path;
    if (!status) status = take_shape(s, t);
    if (!status) status = take_integer(s, 4, "the type of a tensor", &type);
    if (!status) status = take_integer(s, 8, "the offset of a tensor", offset);
    if (!status) status = find_type(s, t, type);
    if (status) return status;
    t->info.dtype = t->type->name;
    const int64_t row = t->info.shape[t->info.dims - 1], values = (int64_t)t->type->values;
    if (row % values != 0)
        return ns_fail(s->err, NS_EINPUT,
                       "%s: tensor %s: expected rows of a multiple of %lld values, which a block "
                       "of %s has, found %lld",
                       s->path, name, (long long)values, t->type->name, (long long)row);
    if (__builtin_mul_overflow((size_t)(t->count / values), t->type->bytes, &t->size))
        return ns_fail(s->err, NS_EINPUT, "%s: tensor %s: the product of its shape overflows",
                       s->path, name);
    return NS_OK;
}

static int by_place(const void *a, const void *b) {
    const ns_stored *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size); /* empty tensors first */
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ns_stored *)a)->info.name, ((const ns_stored *)b)->info.name);
}

/* Tensors lie within the data, and not over each other; each name is there once. Leaves them in the order of names. */
static int check_places(const scan *s, ns_stored *tensors, int count) {
    if (!count) return NS_OK;
    qsort(tensors, (size_t)count, sizeof *tensors, by_place);
    for (int i = 1; i < count; i++)
        if (tensors[i].bytes < tensors[i - 1].bytes + tensors[i - 1].size)
            return ns_fail(s->err, NS_EINPUT,
                           "%s: tensor %s: expected its data behind that of %s, found it to begin "
                           "within",
                           s->path, tensors[i].info.name, tensors[i - 1].info.name);
    qsort(tensors, (size_t)count, sizeof *tensors, by_name);
    for (int i = 1; i < count; i++)
        if (!by_name(&tensors[i - 1], &tensors[i]))
            return ns_fail(s->err, NS_EINPUT, "%s: tensor %s: expected once, found twice", s->path,
                           tensors[i].info.name);
    return NS_OK;
}

/* Offsets become places, now that it is known where the data begins. */
static int place_tensors(const scan *s, ns_weights_file *file, const uint64_t *offsets,
                         size_t alignment) {
    const size_t data = (s->at + alignment - 1) / alignment * alignment;
    const size_t room = data < s->size ? s->size - data : 0;
    for (int i = 0; i < file->count; i++) {
        ns_stored *t = &file->tensors[i];
        if (offsets[i] % alignment != 0)
            return ns_fail(s->err, NS_EINPUT,
                           "%s: tensor %s: expected an offset that is a multiple of %zu, found "
                           "%llu",
                           s->path, t->info.name, alignment, (unsigned long long)offsets[i]);
        if (t->size && (offsets[i] > room || t->size > room - offsets[i]))
            return ns_fail(s->err, NS_EINPUT,
                           "%s: tensor %s: expected %zu bytes from %llu up within the %zu of data, "
                           "found fewer (cut short?)",
                           s->path, t->info.name, t->size, (unsigned long long)offsets[i], room);
        t->bytes = s->bytes + (t->size ? data + offsets[i] : s->size);
    }
    return check_places(s, file->tensors, file->count);
}

static int take_tensors(scan *s, uint64_t count, ns_weights_file *file, size_t alignment) {
    enum { LEAST = 8 + 1 + 4 + 8 + 4 + 8 }; /* bytes of a tensor's entry */
    if (count > (s->size - s->at) / LEAST || count > MOST_TENSORS)
        return ns_fail(s->err, NS_EINPUT,
                       "%s: expected at most %zu tensors in the %zu bytes that are left, found "
                       "%llu",
                       s->path,
                       (s->size - s->at) / LEAST < MOST_TENSORS ? (s->size - s->at) / LEAST
                                                                : (size_t)MOST_TENSORS,
                       s->size - s->at, (unsigned long long)count);
    uint64_t *offsets = ns_calloc((size_t)count + 1, sizeof *offsets, s->err);
    file->tensors = ns_calloc((size_t)count + 1, sizeof *file->tensors, s->err);
    int status = offsets && file->tensors ? NS_OK : NS_EFAIL;
    for (uint64_t i = 0; i < count && !status; i++)
        status = take_tensor(s, &file->tensors[file->count++], &offsets[i]);
    if (!status) status = place_tensors(s, file, offsets, alignment);
    free(offsets);
    return status;
}

/* ---- the file ---- */

static int check_version(const scan *s, uint64_t version) {
    if (version == 2 || version == 3) return NS_OK;
    if (version && version % 65536 == 0)
        return ns_fail(s->err, NS_EINPUT,
                       "%s: expected a little-endian GGUF file, found a big-endian one", s->path);
    return ns_fail(s->err, NS_EINPUT, "%s: expected GGUF of version 2 or 3, found version %llu%s",
                   s->path, (unsigned long long)version,
                   version == 1 ? "; llama.cpp's converter writes a newer one from the checkpoint"
                                : "");
}

static int find_alignment(const scan *s, const json_t *metadata, size_t *alignment) {
    const json_t *said = json_object_get(metadata, "general.alignment");
    json_int_t value = said ? json_integer_value(said) : 32;
    *alignment = (size_t)value;
    if (value >= LEAST_ALIGNMENT && value <= MOST_ALIGNMENT && !(value & (value - 1))) return NS_OK;
    return ns_fail(s->err, NS_EINPUT,
                   "%s: general.alignment: expected a power of two from %d to %d, found %lld",
                   s->path, LEAST_ALIGNMENT, MOST_ALIGNMENT, (long long)value);
}

static int check_split(const scan *s, const json_t *metadata) {
    json_int_t count = json_integer_value(json_object_get(metadata, "split.count"));
    if (count <= 1) return NS_OK;
    return ns_fail(s->err, NS_EINPUT,
                   "%s: expected a whole GGUF file, found one of %lld pieces; llama-gguf-split "
                   "--merge FIRST OUT makes one of them",
                   s->path, (long long)count);
}

static bool recognise(const unsigned char *bytes, size_t size) {
    return size >= 4 && !memcmp(bytes, "GGUF", 4);
}

static int open_file(ns_weights_file *file, ns_error *err) {
    scan s = {file->mapped.bytes, file->mapped.size, 4, file->path, 0, err};
    uint64_t version, tensors, keys;
    size_t alignment;
    int status = take_integer(&s, 4, "the version", &version);
    if (!status) status = check_version(&s, version);
    if (!status) status = take_integer(&s, 8, "the number of tensors", &tensors);
    if (!status) status = take_integer(&s, 8, "the number of keys", &keys);
    if (!status && !(file->metadata = json_object()))
        status = ns_fail(err, NS_EFAIL, "%s: no memory", file->path);
    if (!status) status = take_keys(&s, keys, file->metadata);
    if (!status) status = find_alignment(&s, file->metadata, &alignment);
    if (!status) status = check_split(&s, file->metadata);
    if (!status) status = take_tensors(&s, tensors, file, alignment);
    if (status) return status;
    ns_gguf_order *orders = ns_calloc((size_t)file->count + 1, sizeof *orders, err);
    if (!(file->own = orders)) return NS_EFAIL;
    status = ns_gguf_translate(file, orders, err);
    for (int i = 0; i < file->count && !status; i++)
        if (orders[i].heads) {
            orders[i].bytes = file->tensors[i].bytes;
            file->tensors[i].user = &orders[i];
            file->tensors[i].bytes = NULL;
        }
    return status;
}

/* Rows of queries or keys in the order of the file, where the channels 2 i and 2 i + 1 of a head turn together, are put into that of Hugging
 * Face, where i and i + half do. */
static int load(ns_weights_file *file, ns_stored *t, ns_error *err) {
    (void)file;
    const ns_gguf_order *order = t->user;
    const size_t rows = (size_t)t->info.shape[0], row = t->size / rows,
                 dim = rows / (size_t)order->heads, half = dim / 2;
    if (!(t->own = ns_alloc_aligned(t->size, 1, err))) return NS_EFAIL;
    for (size_t r = 0; r < rows; r++) {
        size_t head = r / dim, at = r % dim;
        size_t from = head * dim + (at < half ? 2 * at : 2 * (at - half) + 1);
        memcpy(t->own + r * row, order->bytes + from * row, row);
    }
    t->bytes = t->own;
    return NS_OK;
}

static void close_file(ns_weights_file *file) {
    free(file->own);
}

extern const ns_weights_format ns_weights_format_gguf;
const ns_weights_format ns_weights_format_gguf = {.title = "GGUF",
                                                  .ending = ".gguf",
                                                  .recognise = recognise,
                                                  .open = open_file,
                                                  .load = load,
                                                  .close = close_file};
