/* IDX, the format of MNIST, plain or gzip: two zero bytes, a type (8: unsigned byte), the number of dimensions, each extent
 * as a big-endian 32-bit number, then the values. Images are [n, height, width] or [n, height, width, channels].
 *
 * Memory: the values, up to MOST_IN_MEMORY; more of them go to a temporary file that has no name, in $TMPDIR or /var/tmp. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkostemp */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datasets/gzip_internal.h"
#include "datasets/kinds.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

#define MOST_BYTES ((uint64_t)1 << 36)
#define MOST_SIDE  (1 << 20) /* pixels, where no shape is asked for */
enum { PIECE = 1 << 20, MOST_IN_MEMORY = 1 << 26 };

typedef struct idx {
    int dims;
    uint32_t extent[4];
    unsigned char *values; /* all, or a buffer of them where there is a file */
    int fd;                /* -1, or a temporary file with all values */
    uint64_t size;
} idx;

/* For which data set a file of labels is read. */
typedef struct labels_of {
    const ns_dataset *dataset;
    const char *path;
} labels_of;

/* Fills in the extents and the size. */
static int read_header(idx *out, gzFile file, const char *path, ns_error *err) {
    unsigned char head[20];
    int got = gzread(file, head, 4);
    if (got != 4 && ns_gzip_failed(file, path, 0, err)) return NS_EINPUT;
    if (got != 4 || head[0] || head[1])
        return ns_fail(err, NS_EINPUT,
                       "%s: expected an IDX header (two zero bytes first), found %s", path,
                       got > 0 ? ns_looks_like(head, (size_t)got) : "an empty file");
    if (head[2] != 8)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected IDX values of type 8 (unsigned byte), found type %d", path,
                       head[2]);
    if (head[3] < 1 || head[3] > 4)
        return ns_fail(err, NS_EINPUT, "%s: expected 1 to 4 dimensions in the IDX header, found %d",
                       path, head[3]);
    if (gzread(file, head + 4, 4u * head[3]) != 4 * head[3]) {
        if (ns_gzip_failed(file, path, 4, err)) return NS_EINPUT;
        return ns_fail(err, NS_EINPUT, "%s: the file ends within the IDX header", path);
    }
    out->dims = head[3];
    out->size = 1;
    for (int i = 0; i < out->dims; i++) {
        const unsigned char *b = head + 4 + 4 * i;
        out->extent[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        if (__builtin_mul_overflow(out->size, out->extent[i], &out->size) || out->size > MOST_BYTES)
            return ns_fail(err, NS_EINPUT, "%s: the IDX header promises more than %llu values",
                           path, (unsigned long long)MOST_BYTES);
    }
    return NS_OK;
}

/* A file without a name, for values that memory is not to hold: where large ones belong, and not in /tmp, which may be memory. */
static int open_temporary(const char *path, ns_error *err) {
    const char *own = getenv("TMPDIR");
    const char *const folders[] = {own && *own ? own : "/var/tmp", "/var/tmp", "/tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *name = ns_asprintf(err, "%s/normscope-idx-XXXXXX", folders[i]);
        int fd = name ? mkostemp(name, O_CLOEXEC) : -1;
        if (fd >= 0) unlink(name);
        free(name);
        if (fd >= 0) return fd;
    }
    ns_fail(err, NS_EFAIL, "%s: no temporary file for its values: %s", path, strerror(errno));
    return -1;
}

/* Room for values behind `held`, in memory up to MOST_IN_MEMORY; what is held goes to a file where that is passed. */
static int make_room(idx *out, uint64_t held, uint64_t *room, const char *path, ns_error *err) {
    if (out->fd >= 0 || held < *room) return NS_OK;
    if (*room >= MOST_IN_MEMORY) {
        if ((out->fd = open_temporary(path, err)) < 0) return NS_EFAIL;
        return ns_pwrite_all(out->fd, out->values, (size_t)held, 0, "a temporary file", err);
    }
    *room = *room ? *room * 2 : PIECE;
    if (*room > out->size) *room = out->size;
    unsigned char *grown = ns_realloc(out->values, (size_t)*room, 1, err);
    if (!grown) return NS_EFAIL;
    out->values = grown;
    return NS_OK;
}

/* Read in growing pieces: a header that promises much and a file that holds little costs little; and no more is ever taken
 * into memory than the header promises. Many values end in a temporary file, and memory is then a buffer of them. */
static int read_values(idx *out, gzFile file, const char *path, ns_error *err) {
    uint64_t held = 0, room = 0;
    int status = NS_OK;
    while (held < out->size && !status) {
        if ((status = make_room(out, held, &room, path, err))) return status;
        uint64_t left = out->fd >= 0 ? out->size - held : room - held;
        unsigned char *to = out->values + (out->fd >= 0 ? 0 : held);
        int got = gzread(file, to, (unsigned)(left < PIECE ? left : PIECE));
        if (got > 0) {
            if (out->fd >= 0)
                status = ns_pwrite_all(out->fd, to, (size_t)got, held, "a temporary file", err);
            held += (uint64_t)got;
            continue;
        }
        if (ns_gzip_failed(file, path, held + 4 + 4 * (uint64_t)out->dims, err)) return NS_EINPUT;
        return ns_fail(err, NS_EINPUT,
                       "%s: the IDX header promises %llu values, the file holds %llu", path,
                       (unsigned long long)out->size, (unsigned long long)held);
    }
    if (status) return status;
    /* The checksum stands behind the last value: without this read it would not be looked at. */
    unsigned char more;
    if (gzread(file, &more, 1) == 1)
        return ns_fail(err, NS_EINPUT,
                       "%s: the IDX header promises %llu values, the file holds more", path,
                       (unsigned long long)out->size);
    return ns_gzip_failed(file, path, held + 4 + 4 * (uint64_t)out->dims, err) ? NS_EINPUT : NS_OK;
}

/* `count` values from `first`: where they lie in memory, or read into `room`, which has as many bytes. NULL on failure. */
static const unsigned char *values_at(const idx *from, uint64_t first, size_t count,
                                      unsigned char *room, ns_error *err) {
    if (from->fd < 0) return from->values + first;
    return ns_pread_all(from->fd, room, count, first, "a temporary file", err) ? NULL : room;
}

static void idx_free(idx *of) {
    if (of->fd >= 0) close(of->fd);
    free(of->values);
    *of = (idx){.fd = -1};
}

/* `check` looks at the header before values are read. */
static int idx_load(idx *out, const char *path,
                    int (*check)(const idx *header, void *user, ns_error *err), void *user,
                    ns_error *err) {
    *out = (idx){.fd = -1};
    gzFile file;
    int status = ns_gzip_open(&file, path, err);
    if (status) return status;
    status = read_header(out, file, path, err);
    if (!status) status = check(out, user, err);
    if (!status) status = read_values(out, file, path, err);
    gzclose(file);
    if (status) idx_free(out);
    return status;
}

/* By content, whatever the file is called. The small buffer keeps zlib from meeting damage far behind the header, which is to
 * be described when values are read. */
bool ns_idx_recognise(const char *path) {
    gzFile file = ns_is_file(path) ? gzopen(path, "rb") : NULL;
    if (!file) return false;
    gzbuffer(file, 64);
    unsigned char head[4];
    bool found = gzread(file, head, 4) == 4 && !head[0] && !head[1] && head[2] >= 8 &&
                 head[2] <= 14 && head[3] >= 1 && head[3] <= 4;
    gzclose(file);
    return found;
}

/* One label for each sample; user is a labels_of. */
static int check_labels(const idx *labels, void *user, ns_error *err) {
    const labels_of *of = user;
    if (labels->dims == 1 && labels->extent[0] == (uint64_t)of->dataset->count) return NS_OK;
    return ns_fail(err, NS_EINPUT,
                   "%s: expected %lld labels, as %s has images; found %u in %d dimension(s)",
                   of->path, (long long)of->dataset->count, of->dataset->path, labels->extent[0],
                   labels->dims);
}

int ns_idx_labels(ns_dataset *dataset, const char *path, ns_error *err) {
    idx labels;
    int status = idx_load(&labels, path, check_labels, &(labels_of){dataset, path}, err);
    if (status) return status;
    for (int64_t from = 0, n; from < dataset->count && !status; from += n) {
        n = dataset->count - from < PIECE ? dataset->count - from : PIECE;
        const unsigned char *values =
            values_at(&labels, (uint64_t)from, (size_t)n, labels.values, err);
        if (!values) status = NS_EFAIL;
        for (int64_t i = 0; i < n && values; i++) dataset->labels[from + i] = values[i];
    }
    idx_free(&labels);
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

/* Images of the shape that is asked for; where none is, theirs is taken. */
static int check_images(const idx *images, void *user, ns_error *err) {
    ns_dataset *dataset = user;
    const uint32_t *e = images->extent;
    if (images->dims < 3)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected images in 3 or 4 dimensions, found %d (labels?)",
                       dataset->path, images->dims);
    uint32_t channels = images->dims == 4 ? e[3] : 1;
    if (!dataset->shape.channels) {
        if (channels < 1 || channels > 4 || e[1] < 1 || e[1] > MOST_SIDE || e[2] < 1 ||
            e[2] > MOST_SIDE)
            return ns_fail(err, NS_EINPUT,
                           "%s: expected images of 1 to 4 channels and 1 x 1 to %d x %d pixels, "
                           "found %u x %u x %u (channels, height, width)",
                           dataset->path, MOST_SIDE, MOST_SIDE, channels, e[1], e[2]);
        dataset->shape = (ns_image_shape){.channels = (int)channels,
                                          .height = (int)e[1],
                                          .width = (int)e[2],
                                          .std = {1, 1, 1, 1}};
    }
    const ns_image_shape *s = &dataset->shape;
    if ((uint32_t)s->height == e[1] && (uint32_t)s->width == e[2] &&
        (channels == (uint32_t)s->channels || channels == 1))
        return NS_OK;
    return ns_fail(
        err, NS_EINPUT,
        "%s: expected images of %d x %d x %d (channels, height, width), found %u x %u x %u",
        dataset->path, s->channels, s->height, s->width, channels, e[1], e[2]);
}

static int idx_open(ns_dataset *dataset, const char *labels_path, ns_error *err) {
    idx *images = ns_calloc(1, sizeof *images, err);
    if (!images) return NS_EFAIL;
    images->fd = -1;
    dataset->state = images;
    int status = idx_load(images, dataset->path, check_images, dataset, err);
    if (status) return status;
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
    if (images) idx_free(images);
    free(images);
}

static int idx_read(const ns_dataset *dataset, int64_t id, float *pixels, ns_error *err) {
    const idx *images = dataset->state;
    int channels = images->dims == 4 ? (int)images->extent[3] : 1;
    size_t size = (size_t)images->extent[1] * images->extent[2] * (size_t)channels;
    unsigned char *room = images->fd < 0 ? NULL : ns_calloc(size, 1, err);
    if (images->fd >= 0 && !room) return NS_EFAIL;
    const unsigned char *values = values_at(images, (uint64_t)id * size, size, room, err);
    if (values) ns_image_to_tensor(values, channels, &dataset->shape, pixels);
    free(room);
    return values ? NS_OK : NS_EFAIL;
}

static int idx_hash(const ns_dataset *dataset, const int64_t *ids, size_t n, ns_hash *hash,
                    ns_error *err) {
    (void)ids, (void)n;
    const idx *images = dataset->state;
    ns_hash_add(hash, images->extent, (size_t)images->dims * sizeof *images->extent);
    unsigned char *room = images->fd < 0 ? NULL : ns_calloc(PIECE, 1, err);
    int status = images->fd < 0 || room ? NS_OK : NS_EFAIL;
    for (uint64_t from = 0, count; from < images->size && !status; from += count) {
        count = images->size - from < PIECE ? images->size - from : PIECE;
        const unsigned char *values = values_at(images, from, (size_t)count, room, err);
        if (values)
            ns_hash_add(hash, values, (size_t)count);
        else
            status = NS_EFAIL;
    }
    free(room);
    return status;
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
