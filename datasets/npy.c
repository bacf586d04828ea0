/* .npy, NumPy's file of one array: "\x93NUMPY", two bytes of version, the length of a header (2 bytes in version 1, 4 in 2
 * and 3), the header, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3, 32, 32), },
 * and the values. Format: numpy.lib.format's documentation.
 *
 * Samples are [n, channels, height, width], or [n, height, width] for a model of one channel: floating-point values are
 * given to the model as they are, unsigned bytes are pixels that are normalized first. Files are mapped, not read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/kinds.h"
#include "datasets/npy_internal.h"
#include "probe/base/half.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

#define MOST_DIMS  NS_NPY_MOST_DIMS
#define MOST_LABEL (1 << 24)

typedef ns_npy npy;

/* ---- the header ---- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at) c->at++;
}

/* Whether the next character is that one; if so, it is passed over. */
static bool take(cursor *c, char wanted) {
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

/* A string in single or double quotes. */
static bool take_string(cursor *c, char *out, size_t room) {
    skip_blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    const char *begin = c->at + 1, *end = memchr(begin, *c->at, (size_t)(c->end - begin));
    if (!end || (size_t)(end - begin) >= room) return false;
    memcpy(out, begin, (size_t)(end - begin));
    out[end - begin] = 0;
    c->at = end + 1;
    return true;
}

static bool take_word(cursor *c, const char *word) {
    size_t n = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

/* "(10, 3, 32, 32)", "(5,)", "()"; Python 2 wrote an L behind a number. */
static bool take_shape(cursor *c, npy *a) {
    if (!take(c, '(')) return false;
    for (a->dims = 0; !take(c, ')'); a->dims++) {
        int64_t value = 0;
        const char *first = c->at;
        if (a->dims == MOST_DIMS) return false;
        while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
            if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, *c->at++ - '0', &value))
                return false;
        if (c->at == first) return false;
        if (c->at < c->end && *c->at == 'L') c->at++;
        a->shape[a->dims] = value;
        if (!take(c, ',') && (skip_blanks(c), c->at == c->end || *c->at != ')')) return false;
    }
    return true;
}

static bool parse_dictionary(cursor *c, npy *a, char descr[16], bool *fortran) {
    bool seen[3] = {false, false, false};
    if (!take(c, '{')) return false;
    while (!take(c, '}')) {
        char key[16];
        if (!take_string(c, key, sizeof key) || !take(c, ':')) return false;
        int which = !strcmp(key, "descr")           ? 0
                    : !strcmp(key, "fortran_order") ? 1
                    : !strcmp(key, "shape")         ? 2
                                                    : -1;
        if (which < 0 || seen[which]) return false;
        seen[which] = true;
        if (which == 0 && !take_string(c, descr, 16)) return false;
        if (which == 1 && !(*fortran = take_word(c, "True")) && !take_word(c, "False"))
            return false;
        if (which == 2 && !take_shape(c, a)) return false;
        if (!take(c, ',') && (skip_blanks(c), c->at == c->end || *c->at != '}')) return false;
    }
    skip_blanks(c);
    return seen[0] && seen[1] && seen[2] && c->at == c->end;
}

static int check_type(npy *a, const char *descr, ns_error *err) {
    static const char types[][3] = {"f2", "f4", "f8", "u1", "u2", "u4",
                                    "u8", "i1", "i2", "i4", "i8"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(descr) != 3 || strcmp(descr + 1, types[i]) != 0) continue;
        a->item = (size_t)(descr[2] - '0');
        memcpy(a->type, types[i], 3);
        if (descr[0] == '<' || (descr[0] == '|' && a->item == 1)) return NS_OK;
    }
    return ns_fail(err, NS_EINPUT,
                   "%s: expected little-endian numbers ('<f4', '|u1', ...), found the type '%s'",
                   a->path, descr);
}

/* What the header promises must be what the file holds. */
static int check_size(npy *a, size_t begin, ns_error *err) {
    uint64_t bytes = a->item;
    a->count = 1;
    for (int i = 0; i < a->dims; i++)
        if (__builtin_mul_overflow(a->count, a->shape[i], &a->count) ||
            __builtin_mul_overflow(bytes, (uint64_t)a->shape[i], &bytes))
            return ns_fail(err, NS_EINPUT, "%s: the product of the shape in its header overflows",
                           a->path);
    if (bytes != a->file.size - begin)
        return ns_fail(err, NS_EINPUT,
                       "%s: its header promises %llu bytes of values, the file holds %zu", a->path,
                       (unsigned long long)bytes, a->file.size - begin);
    a->values = a->file.bytes + begin;
    return NS_OK;
}

static int parse(npy *a, ns_error *err) {
    const unsigned char *b = a->file.bytes;
    size_t size = a->file.size;
    if (size < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a .npy file (\\x93NUMPY first), found %s",
                       a->path, ns_looks_like(b, size));
    if (b[6] < 1 || b[6] > 3)
        return ns_fail(err, NS_EINPUT, "%s: expected version 1, 2 or 3 of .npy, found %d.%d",
                       a->path, b[6], b[7]);
    size_t begin = b[6] == 1 ? 10 : 12, length = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1 && size >= begin) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (size < begin || length > size - begin)
        return ns_fail(err, NS_EINPUT, "%s: the file ends within its header", a->path);
    cursor c = {(const char *)b + begin, (const char *)b + begin + length};
    char descr[16] = "";
    bool fortran = false;
    if (!parse_dictionary(&c, a, descr, &fortran))
        return ns_fail(err, NS_EINPUT,
                       "%s: expected a header with one type, fortran_order and a shape of at most "
                       "%d dimensions, found "
                       "something else at byte %zu",
                       a->path, MOST_DIMS, (size_t)((const unsigned char *)c.at - b));
    if (fortran && a->dims > 1)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected values in C order, found Fortran order "
                       "(numpy.ascontiguousarray changes it)",
                       a->path);
    int status = check_type(a, descr, err);
    return status ? status : check_size(a, begin + length, err);
}

int ns_npy_open(npy *a, const char *path, ns_error *err) {
    *a = (npy){.path = path};
    int status = ns_map_file(&a->file, path, err);
    return status ? status : parse(a, err);
}

bool ns_npy_recognise(const char *path) {
    size_t n = strlen(path);
    if (n > 4 && !strcmp(path + n - 4, ".npy") && !ns_is_folder(path)) return true;
    FILE *file = ns_is_file(path) ? fopen(path, "rb") : NULL;
    char head[6];
    bool found = file && fread(head, 1, 6, file) == 6 && !memcmp(head, "\x93NUMPY", 6);
    if (file) fclose(file);
    return found;
}

/* ---- labels ---- */

/* At most 8 bytes; where it is negative, the sign fills the upper ones. */
int64_t ns_npy_whole_number(const npy *a, int64_t i) {
    const unsigned char *b = a->values + (size_t)i * a->item;
    uint64_t value = 0;
    if (!a->item) return 0;
    for (size_t k = 0; k < a->item; k++) value |= (uint64_t)b[k] << 8 * k;
    size_t spare = 64 - 8 * a->item;
    return a->type[0] == 'i' ? (int64_t)(value << spare) >> spare : (int64_t)value;
}

int ns_npy_labels(ns_dataset *dataset, const char *path, ns_error *err) {
    npy a;
    int status = ns_npy_open(&a, path, err);
    if (!status && (a.dims != 1 || a.shape[0] != dataset->count || a.type[0] == 'f'))
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected %lld whole numbers in one dimension, one for each sample of "
                         "%s; found type %s, "
                         "%d dimension(s), %lld values",
                         path, (long long)dataset->count, dataset->spec, a.type, a.dims,
                         (long long)a.count);
    for (int64_t i = 0; i < dataset->count && !status; i++) {
        int64_t label = ns_npy_whole_number(&a, i);
        if (label < 0 || label >= MOST_LABEL)
            status = ns_fail(err, NS_EINPUT,
                             "%s: label %lld: expected a whole number from 0, found %lld", path,
                             (long long)i, (long long)label);
        dataset->labels[i] = (int32_t)label;
    }
    ns_unmap(&a.file);
    return status;
}

/* "x/test.npy" may have its labels in "x/test-labels.npy", too. */
static int find_labels(ns_dataset *dataset, ns_error *err) {
    char *beside = ns_labels_beside(dataset->path, err);
    if (!beside) {
        size_t n = strlen(dataset->path);
        if (n > 4 && !strcmp(dataset->path + n - 4, ".npy")) n -= 4;
        beside = ns_asprintf(err, "%.*s-labels.npy", (int)n, dataset->path);
        if (!beside) return NS_EFAIL;
    }
    int status = ns_is_file(beside) ? ns_labels_read(dataset, beside, err) : NS_OK;
    free(beside);
    return status;
}

/* ---- samples ---- */

static int check_samples(const npy *a, const ns_image_shape *s, bool given, ns_error *err) {
    bool channels = a->dims == 4;
    if (a->type[0] != 'f' && strcmp(a->type, "u1") != 0)
        return ns_fail(err, NS_EINPUT, "%s: expected samples of type f2, f4, f8 or u1, found %s",
                       a->path, a->type);
    if (a->dims != 4 && !(a->dims == 3 && (!given || s->channels == 1)))
        return ns_fail(
            err, NS_EINPUT,
            "%s: expected samples in 4 dimensions [n, channels, height, width], found %d%s",
            a->path, a->dims, a->dims == 1 ? " (labels?)" : "");
    if (given && ((channels && a->shape[1] != s->channels) || a->shape[a->dims - 2] != s->height ||
                  a->shape[a->dims - 1] != s->width))
        return ns_fail(err, NS_EINPUT,
                       "%s: expected samples of %d x %d x %d (channels, height, width), found %lld "
                       "x %lld x %lld",
                       a->path, s->channels, s->height, s->width,
                       channels ? (long long)a->shape[1] : 1LL, (long long)a->shape[a->dims - 2],
                       (long long)a->shape[a->dims - 1]);
    if (!given && ((channels && (a->shape[1] < 1 || a->shape[1] > 4)) ||
                   a->shape[a->dims - 2] > 1 << 20 || a->shape[a->dims - 1] > 1 << 20))
        return ns_fail(err, NS_EINPUT,
                       "%s: expected images of 1 to 4 channels [n, channels, height, width]",
                       a->path);
    return NS_OK;
}

static int npy_open(ns_dataset *dataset, const char *labels_path, ns_error *err) {
    npy *a = ns_calloc(1, sizeof *a, err);
    if (!a) return NS_EFAIL;
    dataset->state = a;
    int status = ns_npy_open(a, dataset->path, err);
    bool given = dataset->shape.channels > 0;
    if (!status) status = check_samples(a, &dataset->shape, given, err);
    if (status) return status;
    if (!given)
        dataset->shape = (ns_image_shape){.channels = a->dims == 4 ? (int)a->shape[1] : 1,
                                          .height = (int)a->shape[a->dims - 2],
                                          .width = (int)a->shape[a->dims - 1],
                                          .std = {1, 1, 1, 1}};
    dataset->count = a->count ? a->shape[0] : 0;
    dataset->scaled = a->type[0] == 'u';
    if (!dataset->count) return NS_OK;
    return labels_path ? ns_labels_read(dataset, labels_path, err) : find_labels(dataset, err);
}

static void npy_close(ns_dataset *dataset) {
    npy *a = dataset->state;
    ns_unmap(&a->file);
    free(a);
}

static int npy_read(const ns_dataset *dataset, int64_t id, float *pixels, ns_error *err) {
    (void)err;
    const npy *a = dataset->state;
    const ns_image_shape *s = &dataset->shape;
    size_t area = (size_t)s->height * (size_t)s->width, size = (size_t)s->channels * area;
    const unsigned char *from = a->values + (size_t)id * size * a->item;
    if (a->item == 4) {
        memcpy(pixels, from, size * sizeof *pixels);
        return NS_OK;
    }
    for (size_t i = 0; i < size; i++, from += a->item) {
        double wide;
        uint16_t half;
        if (a->item == 8) {
            memcpy(&wide, from, sizeof wide);
            pixels[i] = (float)wide;
        } else if (a->item == 2) {
            memcpy(&half, from, sizeof half);
            pixels[i] = ns_f16_value(half);
        } else {
            pixels[i] = ((float)*from / 255.0f - s->mean[i / area]) / s->std[i / area];
        }
    }
    return NS_OK;
}

static int npy_hash(const ns_dataset *dataset, const int64_t *ids, size_t n, ns_hash *hash,
                    ns_error *err) {
    (void)err;
    const npy *a = dataset->state;
    size_t size = (size_t)(a->count / a->shape[0]) * a->item;
    ns_hash_add(hash, a->type, sizeof a->type);
    ns_hash_add(hash, a->shape, (size_t)a->dims * sizeof *a->shape);
    for (size_t i = 0; i < n; i++) ns_hash_add(hash, a->values + (size_t)ids[i] * size, size);
    return NS_OK;
}

const ns_dataset_kind ns_dataset_npy = {
    .name = "npy",
    .summary = "a .npy file of tensors [n, channels, height, width]",
    .recognise = ns_npy_recognise,
    .open = npy_open,
    .close = npy_close,
    .read = npy_read,
    .hash = npy_hash,
};
