/* IDX, the format of MNIST, plain or gzip: two zero bytes, a type (8: unsigned byte), the number of dimensions, each extent
 * as a big-endian 32-bit number, then the values. Images are [n, height, width] or [n, height, width, channels]. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "datasets/kinds.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

#define MOST_BYTES ((uint64_t)1 << 36)

typedef struct idx {
    int dims;
    uint32_t extent[4];
    unsigned char *values;
    uint64_t size;
} idx;

/* zlib's gz functions read plain files as they are. A header is asked for first, and no more is ever taken into memory
 * than it promises, so that a small file cannot grow without bound. */
static int idx_load(idx *out, const char *path, ns_error *err) {
    *out = (idx){0};
    if (ns_is_folder(path))
        return ns_fail(err, NS_EINPUT, "%s: expected an IDX file, found a folder", path);
    gzFile file = gzopen(path, "rb");
    if (!file) return ns_fail(err, NS_EINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    gzbuffer(file, 1 << 17);
    unsigned char head[20];
    int got = gzread(file, head, 4), status = NS_OK;
    if (got != 4 || head[0] || head[1])
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected an IDX header (two zero bytes first), found none", path);
    else if (head[2] != 8)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected IDX values of type 8 (unsigned byte), found type %d", path,
                         head[2]);
    else if (head[3] < 1 || head[3] > 4)
        status =
            ns_fail(err, NS_EINPUT, "%s: expected 1 to 4 dimensions in the IDX header, found %d",
                    path, head[3]);
    else if (gzread(file, head + 4, 4u * head[3]) != 4 * head[3])
        status = ns_fail(err, NS_EINPUT, "%s: the file ends within the IDX header", path);
    if (!status) {
        out->dims = head[3];
        out->size = 1;
        for (int i = 0; i < out->dims; i++) {
            const unsigned char *b = head + 4 + 4 * i;
            out->extent[i] =
                (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
            if (__builtin_mul_overflow(out->size, out->extent[i], &out->size) ||
                out->size > MOST_BYTES) {
                status =
                    ns_fail(err, NS_EINPUT, "%s: the IDX header promises more than %llu values",
                            path, (unsigned long long)MOST_BYTES);
                break;
            }
        }
    }
    /* Read in growing pieces: a header that promises much and a file that holds little costs little. */
    uint64_t held = 0, room = 0;
    while (!status && held < out->size) {
        if (held == room) {
            room = room ? room * 2 : 1 << 20;
            if (room > out->size) room = out->size;
            unsigned char *grown = ns_realloc(out->values, (size_t)room, 1, err);
            if (!grown) {
                status = NS_EFAIL;
                break;
            }
            out->values = grown;
        }
        uint64_t ask = room - held < 1 << 20 ? room - held : 1 << 20;
        got = gzread(file, out->values + held, (unsigned)ask);
        if (got <= 0) {
            int code;
            const char *reason = gzerror(file, &code);
            status = code != Z_OK && code != Z_BUF_ERROR
                         ? ns_fail(err, NS_EINPUT, "%s: damaged gzip data after %llu values: %s",
                                   path, (unsigned long long)held, reason)
                         : ns_fail(err, NS_EINPUT,
                                   "%s: the IDX header promises %llu values, the file holds %llu",
                                   path, (unsigned long long)out->size, (unsigned long long)held);
        } else {
            held += (uint64_t)got;
        }
    }
    unsigned char more;
    if (!status && gzread(file, &more, 1) == 1)
        status =
            ns_fail(err, NS_EINPUT, "%s: the IDX header promises %llu values, the file holds more",
                    path, (unsigned long long)out->size);
    gzclose(file);
    if (status) {
        free(out->values);
        *out = (idx){0};
    }
    return status;
}

/* By content, whatever the file is called. */
bool ns_idx_recognise(const char *path) {
    if (!ns_is_file(path)) return false;
    gzFile file = gzopen(path, "rb");
    if (!file) return false;
    unsigned char head[4];
    bool found = gzread(file, head, 4) == 4 && !head[0] && !head[1] && head[2] >= 8 &&
                 head[2] <= 14 && head[3] >= 1 && head[3] <= 4;
    gzclose(file);
    return found;
}

int ns_idx_labels(ns_dataset *dataset, const char *path, ns_error *err) {
    idx labels;
    int status = idx_load(&labels, path, err);
    if (status) return status;
    if (labels.dims != 1 || labels.extent[0] != (uint64_t)dataset->count)
        status =
            ns_fail(err, NS_EINPUT,
                    "%s: expected %lld labels, as %s has images; found %u in %d dimension(s)", path,
                    (long long)dataset->count, dataset->path, labels.extent[0], labels.dims);
    for (int64_t i = 0; !status && i < dataset->count; i++) dataset->labels[i] = labels.values[i];
    free(labels.values);
    return status;
}

/* "x/t10k-images-idx3-ubyte.gz" has its labels in "x/t10k-labels-idx1-ubyte.gz", or without the .gz. */
static char *labels_beside(const char *path, ns_error *err) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path, *at = strstr(base, "images");
    if (!at) return NULL;
    const char *rest = at + strlen("images");
    const char *dot = strstr(rest, "idx3");
    char *tail = ns_strdup(rest, err);
    if (!tail) return NULL;
    if (dot) tail[dot - rest + 3] = '1';
    for (int plain = 0; plain < 2; plain++) {
        size_t n = strlen(tail);
        if (plain && n > 3 && !strcmp(tail + n - 3, ".gz")) tail[n - 3] = 0;
        char *found = ns_asprintf(err, "%.*slabels%s", (int)(at - path), path, tail);
        if (!found || ns_is_file(found)) {
            free(tail);
            return found;
        }
        free(found);
    }
    free(tail);
    return NULL;
}

static int idx_open(ns_dataset *dataset, const char *labels_path, ns_error *err) {
    idx *images = ns_calloc(1, sizeof *images, err);
    if (!images) return NS_EFAIL;
    dataset->state = images;
    int status = idx_load(images, dataset->path, err);
    if (status) return status;
    if (images->dims < 3)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected images in 3 or 4 dimensions, found %d (labels?)",
                       dataset->path, images->dims);
    int channels = images->dims == 4 ? (int)images->extent[3] : 1;
    if (!dataset->shape.channels) {
        dataset->shape = (ns_image_shape){.channels = channels,
                                          .height = (int)images->extent[1],
                                          .width = (int)images->extent[2],
                                          .std = {1, 1, 1, 1}};
    }
    const ns_image_shape *s = &dataset->shape;
    if ((uint32_t)s->height != images->extent[1] || (uint32_t)s->width != images->extent[2] ||
        (channels != s->channels && channels != 1))
        return ns_fail(
            err, NS_EINPUT,
            "%s: expected images of %d x %d x %d (channels, height, width), found %d x %u x %u",
            dataset->path, s->channels, s->height, s->width, channels, images->extent[1],
            images->extent[2]);
    dataset->count = images->extent[0];
    dataset->scaled = true;
    if (labels_path) return ns_labels_read(dataset, labels_path, err);
    char *beside = labels_beside(dataset->path, err);
    if (beside) status = ns_labels_read(dataset, beside, err);
    free(beside);
    return status;
}

static void idx_close(ns_dataset *dataset) {
    idx *images = dataset->state;
    free(images->values);
    free(images);
}

static int idx_read(const ns_dataset *dataset, int64_t id, float *pixels, ns_error *err) {
    (void)err;
    const idx *images = dataset->state;
    int channels = images->dims == 4 ? (int)images->extent[3] : 1;
    size_t size = (size_t)images->extent[1] * images->extent[2] * (size_t)channels;
    ns_image_to_tensor(images->values + (size_t)id * size, channels, &dataset->shape, pixels);
    return NS_OK;
}

static int idx_hash(const ns_dataset *dataset, const int64_t *ids, size_t n, ns_hash *hash,
                    ns_error *err) {
    (void)ids, (void)n, (void)err;
    const idx *images = dataset->state;
    ns_hash_add(hash, images->extent, (size_t)images->dims * sizeof *images->extent);
    ns_hash_add(hash, images->values, images->size);
    return NS_OK;
}

const ns_dataset_kind ns_dataset_idx = {
    .name = "idx",
    .summary = "IDX (MNIST's format), plain or gzip",
    .recognise = ns_idx_recognise,
    .open = idx_open,
    .close = idx_close,
    .read = idx_read,
    .hash = idx_hash,
};
