#include "probe/weights/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/near.h"
#include "probe/weights/weights_internal.h"

static int by_name(const void *a, const void *b) {
    return strcmp(((const ns_weights_entry *)a)->tensor->info.name,
                  ((const ns_weights_entry *)b)->tensor->info.name);
}

static int gather(ns_weights *w, ns_error *err) {
    for (int i = 0; i < w->file_count; i++) w->count += w->files[i].count;
    if (!(w->entries = ns_calloc((size_t)w->count, sizeof *w->entries, err))) return NS_EFAIL;
    int used = 0;
    for (int i = 0; i < w->file_count; i++)
        for (int j = 0; j < w->files[i].count; j++)
            w->entries[used++] =
                (ns_weights_entry){&w->files[i].tensors[j], &w->files[i], NULL, NULL};
    qsort(w->entries, (size_t)used, sizeof *w->entries, by_name);
    for (int i = 1; i < used; i++)
        if (by_name(&w->entries[i - 1], &w->entries[i]) == 0)
            return ns_fail(err, NS_EINPUT, "%s: tensor %s: found in two shards, %s and %s", w->path,
                           w->entries[i].tensor->info.name, w->entries[i - 1].from->path,
                           w->entries[i].from->path);
    return NS_OK;
}

int ns_weights_open(ns_weights **out, const char *path, ns_error *err) {
    *out = NULL;
    ns_weights *w = ns_calloc(1, sizeof *w, err);
    if (!w) return NS_EFAIL;
    int status = (w->path = ns_strdup(path, err)) ? NS_OK : NS_EFAIL;
    if (!status) status = ns_weights_open_files(w, err);
    if (!status) status = gather(w, err);
    if (status) {
        ns_weights_close(w);
        return status;
    }
    *out = w;
    return NS_OK;
}

void ns_weights_close(ns_weights *w) {
    if (!w) return;
    for (int i = 0; i < w->count && w->entries; i++) {
        free(w->entries[i].values);
        free(w->entries[i].gathered);
    }
    for (int i = 0; i < w->file_count; i++) ns_weights_file_close(&w->files[i]);
    free(w->files);
    free(w->entries);
    json_decref(w->config);
    json_decref(w->preprocessor);
    free(w->config_path);
    free(w->preprocessor_path);
    free(w->path);
    free(w);
}

int ns_weights_count(const ns_weights *w) {
    return w->count;
}

const ns_tensor_info *ns_weights_info(const ns_weights *w, int i) {
    return &w->entries[i].tensor->info;
}

static ns_weights_entry *find_entry(const ns_weights *w, const char *name) {
    int low = 0, high = w->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(name, w->entries[middle].tensor->info.name);
        if (order == 0) return &w->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const ns_tensor_info *ns_weights_find(const ns_weights *w, const char *name) {
    const ns_weights_entry *e = find_entry(w, name);
    return e ? &e->tensor->info : NULL;
}

int ns_weights_strip(ns_weights *w, const char *prefix, ns_error *err) {
    size_t n = strlen(prefix);
    int count = 0;
    for (int i = 0; i < w->file_count; i++)
        for (int j = 0; j < w->files[i].count; j++) {
            char *name = (char *)(uintptr_t)w->files[i].tensors[j].info.name;
            if (strncmp(name, prefix, n) != 0 || !name[n]) continue;
            memmove(name, name + n, strlen(name + n) + 1);
            count++;
        }
    if (!count) return 0;
    qsort(w->entries, (size_t)w->count, sizeof *w->entries, by_name);
    for (int i = 1; i < w->count; i++)
        if (by_name(&w->entries[i - 1], &w->entries[i]) == 0) {
            ns_fail(err, NS_EINPUT, "%s: tensor %s: found twice, with and without %s before it",
                    w->path, w->entries[i].tensor->info.name, prefix);
            return -1;
        }
    return count;
}

static const char *entry_name(const void *user, size_t i) {
    return ((const ns_weights *)user)->entries[i].tensor->info.name;
}

/* "[2, any, 3]" into `text`. */
static const char *shape_text(int dims, const int64_t *shape, char text[192]) {
    size_t used = (size_t)snprintf(text, 192, "[");
    for (int i = 0; i < dims; i++) {
        if (shape[i] < 0)
            used += (size_t)snprintf(text + used, 192 - used, "%sany", i ? ", " : "");
        else
            used += (size_t)snprintf(text + used, 192 - used, "%s%lld", i ? ", " : "",
                                     (long long)shape[i]);
    }
    snprintf(text + used, 192 - used, "]");
    return text;
}

static int check_shape(const ns_weights_entry *e, int dims, const int64_t *shape, ns_error *err) {
    const ns_tensor_info *info = &e->tensor->info;
    bool same = dims == info->dims;
    for (int i = 0; same && i < dims; i++) same = shape[i] < 0 || shape[i] == info->shape[i];
    if (same) return NS_OK;
    char expected[192], found[192];
    return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected shape %s, found %s", e->from->path,
                   info->name, shape_text(dims, shape, expected),
                   shape_text(info->dims, info->shape, found));
}

/* Elements of a strided tensor, one behind the other: index[] counts through its shape. */
static int gather_strided(ns_weights_entry *e, ns_error *err) {
    const ns_stored *t = e->tensor;
    const size_t item = t->type->bytes;
    int64_t index[NS_MAX_DIMS] = {0}, at = 0;
    unsigned char *to = e->gathered = ns_alloc_aligned((size_t)t->count * item, 1, err);
    if (!to) return NS_EFAIL;
    for (int64_t i = 0; i < t->count; i++, to += item) {
        memcpy(to, t->bytes + (size_t)at * item, item);
        for (int d = t->info.dims; d-- > 0;) {
            at += t->strides[d];
            if (++index[d] < t->info.shape[d]) break;
            at -= t->strides[d] * index[d];
            index[d] = 0;
        }
    }
    return NS_OK;
}

/* The tensor's bytes in row-major order, and of a type whose values are known. */
static int find_values(const ns_weights *w, const char *name, int dims, const int64_t *shape,
                       ns_weights_entry **out, ns_packed *packed, ns_error *err) {
    ns_weights_entry *e = *out = find_entry(w, name);
    if (!e) {
        ns_fail(err, NS_EINPUT, "%s: expected a tensor %s, found none of that name among %d",
                w->path, name, w->count);
        ns_near_names(err, name, (size_t)w->count, entry_name, w, 3);
        return NS_EINPUT;
    }
    ns_stored *t = e->tensor;
    int status = check_shape(e, dims, shape, err);
    if (status) return status;
    if (!t->type->widen)
        return ns_fail(err, NS_EINPUT,
                       "%s: tensor %s: expected dtype F32, F16, BF16 or another of real numbers, "
                       "found %s",
                       e->from->path, name, t->type->name);
    if (!t->bytes && t->count) status = e->from->format->load(e->from, t, err);
    if (!status && t->strided && !e->gathered) status = gather_strided(e, err);
    *packed = (ns_packed){t->type, e->gathered ? e->gathered : t->bytes};
    return status;
}

int ns_weights_packed(ns_weights *w, const char *name, int dims, const int64_t *shape,
                      ns_packed *out, ns_error *err) {
    ns_weights_entry *e;
    *out = (ns_packed){NULL, NULL};
    return find_values(w, name, dims, shape, &e, out, err);
}

int ns_weights_get(ns_weights *w, const char *name, int dims, const int64_t *shape,
                   const float **out, ns_error *err) {
    *out = NULL;
    ns_weights_entry *e;
    ns_packed packed;
    int status = find_values(w, name, dims, shape, &e, &packed, err);
    if (status) return status;
    if (!strcmp(packed.type->name, "F32") && (uintptr_t)packed.bytes % sizeof(float) == 0) {
        *out = (const float *)(const void *)packed.bytes;
        return NS_OK;
    }
    size_t count = (size_t)e->tensor->count;
    if (!e->values) {
        if (!(e->values = ns_alloc_aligned(count, sizeof *e->values, err))) return NS_EFAIL;
        packed.type->widen(count / packed.type->values, packed.bytes, e->values);
    }
    *out = e->values;
    return NS_OK;
}

const struct json_t *ns_weights_metadata(const ns_weights *w) {
    return w->file_count == 1 ? w->files[0].metadata : NULL;
}

int ns_weights_files(const ns_weights *w) {
    return w->file_count;
}

const char *ns_weights_file_path(const ns_weights *w, int i) {
    return w->files[i].path;
}

const char *ns_weights_format_title(const ns_weights *w) {
    return w->files[0].format->title;
}

const char *ns_weights_config_key(const ns_weights *w, const char *key) {
    const json_t *keys = w->file_count == 1 ? w->files[0].config_keys : NULL;
    return json_string_value(json_object_get(keys, key));
}

const struct json_t *ns_weights_config(const ns_weights *w) {
    return w->config;
}

const char *ns_weights_path(const ns_weights *w) {
    return w->path;
}

const char *ns_weights_config_path(const ns_weights *w) {
    return w->config_path;
}

const struct json_t *ns_weights_preprocessor(const ns_weights *w) {
    return w->preprocessor;
}

const char *ns_weights_preprocessor_path(const ns_weights *w) {
    return w->preprocessor_path;
}

static int by_path(const void *a, const void *b) {
    return strcmp((*(const ns_weights_file *const *)a)->path,
                  (*(const ns_weights_file *const *)b)->path);
}

int ns_weights_hash(const ns_weights *w, char hex[NS_HASH_HEX], ns_error *err) {
    if (w->file_count == 1) return ns_hash_file(w->files[0].path, hex, err);
    const ns_weights_file **sorted = ns_calloc((size_t)w->file_count, sizeof *sorted, err);
    ns_hash *all = ns_hash_begin(err);
    int status = sorted && all ? NS_OK : NS_EFAIL;
    for (int i = 0; i < w->file_count && !status; i++) sorted[i] = &w->files[i];
    if (!status) qsort(sorted, (size_t)w->file_count, sizeof *sorted, by_path);
    for (int i = 0; i < w->file_count && !status; i++) {
        char one[NS_HASH_HEX];
        status = ns_hash_file(sorted[i]->path, one, err);
        if (!status) ns_hash_add(all, one, NS_HASH_HEX - 1);
    }
    ns_hash_end(all, status ? NULL : hex);
    free(sorted);
    return status;
}
