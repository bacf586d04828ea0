/* Folders of PNG, JPEG and WebP images, or one such image. Images that lie in subfolders belong to the class that the first
 * subfolder names; images that lie in the folder itself have no label. The order is that of the names' bytes, class by
 * class, as torchvision's ImageFolder has it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "datasets/kinds.h"
#include "datasets/pixels.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

typedef struct names {
    char **items; /* owned, as is each of them */
    size_t count, room;
} names;

typedef struct image_folder {
    names files; /* paths below dataset->path; of a single image, its file name */
    bool one;    /* dataset->path is the image */
} image_folder;

/* The folders from the top down to this one, so that a link to one of them is not followed for ever. */
typedef struct above {
    const struct above *next;
    dev_t device;
    ino_t inode;
} above;

static void names_free(names *n) {
    for (size_t i = 0; i < n->count; i++) free(n->items[i]);
    free(n->items);
    *n = (names){0};
}

/* Takes `name`, which may be NULL where memory was out. */
static int names_add(names *n, char *name, ns_error *err) {
    if (!name) return NS_EFAIL;
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 64;
        char **items = ns_realloc(n->items, room, sizeof *items, err);
        if (!items) {
            free(name);
            return NS_EFAIL;
        }
        n->items = items;
        n->room = room;
    }
    n->items[n->count++] = name;
    return NS_OK;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What lies in a folder, in order of name; names that begin with a dot are hidden. */
static int list_names(names *out, const char *path, ns_error *err) {
    DIR *folder = opendir(path);
    if (!folder) return ns_fail(err, NS_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    int status = NS_OK;
    for (struct dirent *entry; !status && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') status = names_add(out, ns_strdup(entry->d_name, err), err);
    closedir(folder);
    if (out->count) qsort(out->items, out->count, sizeof *out->items, by_bytes);
    return status;
}

static bool is_image_name(const char *name) {
    static const char *const endings[] = {".png", ".jpg", ".jpeg"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i])) return true;
    return dot && ns_webp_version() && !strcasecmp(dot, ".webp");
}

/* Adds the images below root/below, whose names begin with `below`, and calls itself for its subfolders. */
static int collect(image_folder *f, ns_left_out *unknown, const char *root, const char *below,
                   const above *up, ns_error *err) {
    names found = {0};
    char *path = *below ? ns_path_join(root, below, err) : ns_strdup(root, err);
    int status = path ? list_names(&found, path, err) : NS_EFAIL;
    for (size_t i = 0; i < found.count && !status; i++) {
        char *name =
            *below ? ns_path_join(below, found.items[i], err) : ns_strdup(found.items[i], err);
        char *full = name ? ns_path_join(root, name, err) : NULL;
        struct stat st;
        if (!full) {
            status = NS_EFAIL;
        } else if (stat(full, &st) != 0) {
            status = is_image_name(name) ? names_add(&f->files, name, err)
                                         : ns_left_out_add(unknown, name, err);
            name = NULL; /* a link to nowhere: what reads it says so */
        } else if (S_ISDIR(st.st_mode)) {
            const above here = {up, st.st_dev, st.st_ino}, *at = up;
            while (at && (at->device != st.st_dev || at->inode != st.st_ino)) at = at->next;
            if (!at) status = collect(f, unknown, root, name, &here, err);
        } else if (S_ISREG(st.st_mode) && is_image_name(name)) {
            status = names_add(&f->files, name, err);
            name = NULL;
        } else {
            status = ns_left_out_add(unknown, name, err);
            name = NULL;
        }
        free(full);
        free(name);
    }
    names_free(&found);
    free(path);
    return status;
}

/* The number that a folder's name is, or -1. */
static int32_t class_number(const char *name, size_t length) {
    int32_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9' || i == 7) return -1;
        value = 10 * value + (name[i] - '0');
    }
    return length ? value : -1;
}

/* Labels from the first folder of each path, in order; where all of these are whole numbers, those are the labels, so that
 * a part of the classes can be run. A class whose folder holds no image counts too, as its folder was in the list. */
static int label_classes(ns_dataset *dataset, ns_error *err) {
    const image_folder *f = dataset->state;
    names all = {0}, classes = {0};
    int status = list_names(&all, dataset->path, err);
    bool numbers = true;
    for (size_t i = 0; i < all.count && !status; i++) {
        char *full = ns_path_join(dataset->path, all.items[i], err);
        if (!full) {
            status = NS_EFAIL;
        } else if (ns_is_folder(full)) {
            numbers = numbers && class_number(all.items[i], strlen(all.items[i])) >= 0;
            status = names_add(&classes, ns_strdup(all.items[i], err), err);
        }
        free(full);
    }
    names_free(&all);
    if (!status &&
        !(dataset->labels = ns_calloc((size_t)dataset->count, sizeof *dataset->labels, err)))
        status = NS_EFAIL;
    size_t class = 0;
    for (int64_t i = 0; i < dataset->count && !status; i++) {
        const char *name = f->files.items[i];
        size_t length = strcspn(name, "/");
        while (class < classes.count && (strlen(classes.items[class]) != length ||
                                         strncmp(classes.items[class], name, length) != 0))
            class ++;
        if (class == classes.count) {
            status =
                ns_fail(err, NS_EINPUT, "%s: folders in it were renamed meanwhile", dataset->path);
            break;
        }
        dataset->labels[i] = numbers ? class_number(name, length) : (int32_t) class;
        if (dataset->labels[i] >= dataset->classes) dataset->classes = dataset->labels[i] + 1;
    }
    if (status || numbers) {
        names_free(&classes);
        return status;
    }
    dataset->class_names = classes.items;
    dataset->classes = (int)classes.count;
    return NS_OK;
}

static int load(const ns_dataset *dataset, int64_t id, ns_pixels *pixels, char **path,
                ns_error *err) {
    const image_folder *f = dataset->state;
    *path = f->one ? ns_strdup(dataset->path, err)
                   : ns_path_join(dataset->path, f->files.items[id], err);
    if (!*path) return NS_EFAIL;
    ns_mapped mapped;
    int status = ns_map_file(&mapped, *path, err);
    if (!status) status = ns_pixels_decode(pixels, mapped.bytes, mapped.size, *path, err);
    ns_unmap(&mapped);
    return status;
}

/* Without a model's shape: that of the first image, which all others must then have. */
static int shape_of_first(ns_dataset *dataset, ns_error *err) {
    ns_pixels first = {0};
    char *path;
    int status = load(dataset, 0, &first, &path, err);
    if (!status)
        dataset->shape = (ns_image_shape){.channels = first.channels,
                                          .height = first.height,
                                          .width = first.width,
                                          .std = {1, 1, 1, 1}};
    free(first.values);
    free(path);
    return status;
}

static int find_images(ns_dataset *dataset, ns_error *err) {
    image_folder *f = dataset->state;
    const char *slash = strrchr(dataset->path, '/');
    f->one = !ns_is_folder(dataset->path);
    if (f->one) return names_add(&f->files, ns_strdup(slash ? slash + 1 : dataset->path, err), err);
    struct stat st;
    if (stat(dataset->path, &st) != 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be read: %s", dataset->path, strerror(errno));
    const above top = {NULL, st.st_dev, st.st_ino};
    int status = collect(f, &dataset->unknown, dataset->path, "", &top, err);
    if (!status && !f->files.count)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected images (.png, .jpg, .jpeg%s) in this folder or in a subfolder "
                       "for each class, found %lld other files",
                       dataset->path, ns_webp_version() ? ", .webp" : "",
                       (long long)dataset->unknown.count);
    return status;
}

static int folder_open(ns_dataset *dataset, const char *labels_path, ns_error *err) {
    image_folder *f = ns_calloc(1, sizeof *f, err);
    if (!f) return NS_EFAIL;
    dataset->state = f;
    int status = find_images(dataset, err);
    if (status) return status;
    dataset->count = (int64_t)f->files.count;
    dataset->resized = dataset->scaled = true;
    size_t in_classes = 0;
    for (size_t i = 0; i < f->files.count; i++)
        in_classes += strchr(f->files.items[i], '/') != NULL;
    if (in_classes && in_classes < f->files.count && !labels_path)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected images either in this folder or in a subfolder for each "
                       "class, found %zu in the "
                       "one and %zu in the others",
                       dataset->path, f->files.count - in_classes, in_classes);
    if (!dataset->shape.channels) status = shape_of_first(dataset, err);
    if (!status && labels_path) return ns_labels_read(dataset, labels_path, err);
    return !status && in_classes ? label_classes(dataset, err) : status;
}

static void folder_close(ns_dataset *dataset) {
    image_folder *f = dataset->state;
    names_free(&f->files);
    free(f);
}

static int folder_read(const ns_dataset *dataset, int64_t id, float *pixels, ns_error *err) {
    ns_pixels image = {0};
    char *path;
    int status = load(dataset, id, &image, &path, err);
    if (!status) status = ns_pixels_to_tensor(&image, &dataset->shape, path, pixels, err);
    free(image.values);
    free(path);
    return status;
}

static const char *folder_sample_name(const ns_dataset *dataset, int64_t id) {
    return ((const image_folder *)dataset->state)->files.items[id];
}

/* All names, since they say which sample a number means, and the bytes of the files asked for. */
static int folder_hash(const ns_dataset *dataset, const int64_t *ids, size_t n, ns_hash *hash,
                       ns_error *err) {
    const image_folder *f = dataset->state;
    for (size_t i = 0; i < f->files.count && !f->one; i++)
        ns_hash_add(hash, f->files.items[i], strlen(f->files.items[i]) + 1);
    for (size_t i = 0; i < n; i++) {
        char *path = f->one ? ns_strdup(dataset->path, err)
                            : ns_path_join(dataset->path, f->files.items[ids[i]], err);
        char hex[NS_HASH_HEX];
        int status = path ? ns_hash_file(path, hex, err) : NS_EFAIL;
        free(path);
        if (status) return status;
        ns_hash_add(hash, hex, NS_HASH_HEX - 1);
    }
    return NS_OK;
}

static bool folder_recognise(const char *path) {
    if (ns_is_folder(path)) return true;
    FILE *file = ns_is_file(path) ? fopen(path, "rb") : NULL;
    if (!file) return false;
    unsigned char head[12];
    size_t got = fread(head, 1, sizeof head, file);
    fclose(file);
    const char *what = ns_looks_like(head, got);
    return !strcmp(what, "a PNG image") || !strcmp(what, "a JPEG image") ||
           !strcmp(what, "a WebP image");
}

const ns_dataset_kind ns_dataset_folder = {
    .name = "images",
    .summary = "a folder of PNG, JPEG and WebP images or one image",
    .recognise = folder_recognise,
    .open = folder_open,
    .close = folder_close,
    .read = folder_read,
    .hash = folder_hash,
    .sample_name = folder_sample_name,
};
