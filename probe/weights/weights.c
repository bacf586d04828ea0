#include "probe/weights/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/half.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/near.h"
#include "probe/weights/safetensors.h"

typedef struct shard {
    char *path;
    ns_mapped mapped;
    ns_safetensor *tensors;
    int count;
} shard;

/* A tensor of any shard; `values` is where it lies in the mapped file, or a converted copy. */
typedef struct entry {
    const ns_safetensor *tensor;
    const shard *from;
    float *converted; /* owned */
} entry;

struct ns_weights {
    char *path, *config_path, *preprocessor_path;
    json_t *config, *preprocessor;
    shard *shards;
    int shard_count;
    entry *entries; /* in order of name */
    int count;
};

static int open_shard(shard *s, char *path, ns_error *err) {
    if (!path) return NS_EFAIL;
    s->path = path;
    int status = ns_map_file(&s->mapped, path, err);
    if (status) return status;
    return ns_safetensors_parse(s->mapped.bytes, s->mapped.size, path, &s->tensors, &s->count, err);
}

static int load_json(json_t **out, const char *path, ns_error *err) {
    char *text;
    size_t size;
    int status = ns_read_text(&text, &size, path, NS_SAFETENSORS_MOST_HEADER, err);
    if (status) return status;
    json_error_t where;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    const char *what = *out ? "text" : ns_looks_like((const unsigned char *)text, size);
    free(text);
    if (strcmp(what, "text") != 0 && strcmp(what, "an unknown format") != 0)
        return ns_fail(err, NS_EINPUT, "%s: expected JSON, found %s", path, what);
    if (!*out)
        return ns_fail(err, NS_EINPUT, "%s: expected JSON, found on line %d: %s", path, where.line,
                       where.text);
    if (json_is_object(*out)) return NS_OK;
    json_decref(*out);
    *out = NULL;
    return ns_fail(err, NS_EINPUT, "%s: expected a JSON object", path);
}

/* The index names the shard of every tensor: {"weight_map": {"tensor": "file"}}. */
static int check_index(const ns_weights *w, const json_t *map, const char *path, ns_error *err) {
    int held = 0;
    for (int i = 0; i < w->shard_count; i++) {
        const shard *s = &w->shards[i];
        held += s->count;
        for (int j = 0; j < s->count; j++) {
            const char *name = s->tensors[j].info.name;
            const char *file = json_string_value(json_object_get(map, name));
            const char *base = strrchr(s->path, '/');
            if (!file || strcmp(file, base ? base + 1 : s->path) != 0)
                return ns_fail(err, NS_EINPUT,
                               "%s: tensor %s: expected in %s by this index, found in %s", path,
                               name, file ? file : "no shard", s->path);
        }
    }
    const char *name;
    json_t *value;
    if ((size_t)held == json_object_size(map)) return NS_OK;
    json_object_foreach((json_t *)(uintptr_t)map, name, value) {
        bool found = false;
        for (int i = 0; i < w->shard_count && !found; i++)
            for (int j = 0; j < w->shards[i].count && !found; j++)
                found = !strcmp(w->shards[i].tensors[j].info.name, name);
        if (!found)
            return ns_fail(err, NS_EINPUT,
                           "%s: tensor %s: expected in %s by this index, not found there", path,
                           name, json_string_value(value));
    }
    return NS_OK;
}

static int open_index(ns_weights *w, const char *folder, const char *path, ns_error *err) {
    json_t *index;
    int status = load_json(&index, path, err);
    if (status) return status;
    json_t *map = json_object_get(index, "weight_map"), *value;
    const char *name;
    if (!json_is_object(map) || !json_object_size(map))
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected an object \"weight_map\" with a file for each tensor", path);
    else if (!(w->shards = ns_calloc(json_object_size(map), sizeof *w->shards, err)))
        status = NS_EFAIL;
    if (!status) json_object_foreach(map, name, value) {
            const char *file = json_string_value(value);
            bool known = false;
            if (!file || !*file || strchr(file, '/') || !strcmp(file, "..")) {
                status = ns_fail(
                    err, NS_EINPUT,
                    "%s: tensor %s: expected the name of a file in the same folder, found '%s'",
                    path, name, file ? file : "no text");
                break;
            }
            char *full = ns_path_join(folder, file, err);
            for (int i = 0; full && i < w->shard_count && !known; i++)
                known = !strcmp(w->shards[i].path, full);
            if (known)
                free(full);
            else
                status = open_shard(&w->shards[w->shard_count++], full, err);
            if (status) break;
        }
    if (!status) status = check_index(w, map, path, err);
    json_decref(index);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const entry *)a)->tensor->info.name, ((const entry *)b)->tensor->info.name);
}

static int gather(ns_weights *w, ns_error *err) {
    for (int i = 0; i < w->shard_count; i++) w->count += w->shards[i].count;
    if (!(w->entries = ns_calloc((size_t)w->count, sizeof *w->entries, err))) return NS_EFAIL;
    int used = 0;
    for (int i = 0; i < w->shard_count; i++)
        for (int j = 0; j < w->shards[i].count; j++)
            w->entries[used++] = (entry){&w->shards[i].tensors[j], &w->shards[i], NULL};
    qsort(w->entries, (size_t)used, sizeof *w->entries, by_name);
    for (int i = 1; i < used; i++)
        if (by_name(&w->entries[i - 1], &w->entries[i]) == 0)
            return ns_fail(err, NS_EINPUT, "%s: tensor %s: found in two shards, %s and %s", w->path,
                           w->entries[i].tensor->info.name, w->entries[i - 1].from->path,
                           w->entries[i].from->path);
    return NS_OK;
}

static int open_single(ns_weights *w, char *path, ns_error *err) {
    if (!path || !(w->shards = ns_calloc(1, sizeof *w->shards, err))) {
        free(path);
        return NS_EFAIL;
    }
    w->shard_count = 1;
    return open_shard(&w->shards[0], path, err);
}

static int open_folder(ns_weights *w, const char *folder, ns_error *err) {
    char *single = ns_path_join(folder, "model.safetensors", err);
    char *index = ns_path_join(folder, "model.safetensors.index.json", err);
    int status = NS_EFAIL;
    if (single && index) {
        if (ns_is_there(single)) {
            status = open_single(w, single, err);
            single = NULL;
        } else if (ns_is_there(index)) {
            status = open_index(w, folder, index, err);
        } else {
            status = ns_fail(err, NS_EINPUT,
                             "%s: expected model.safetensors, or model.safetensors.index.json and "
                             "its shards, in this "
                             "folder; found neither",
                             folder);
        }
    }
    free(single);
    free(index);
    return status;
}

/* A file of that name in the folder, or beside the weights' file; NULL where there is none. */
static int open_beside(const ns_weights *w, bool folder, const char *name, char **path,
                       json_t **out, ns_error *err) {
    const char *slash = strrchr(w->path, '/');
    char *full = folder  ? ns_path_join(w->path, name, err)
                 : slash ? ns_asprintf(err, "%.*s/%s", (int)(slash - w->path), w->path, name)
                         : ns_strdup(name, err);
    if (!full) return NS_EFAIL;
    if (!ns_is_there(full)) {
        free(full);
        return NS_OK;
    }
    *path = full;
    return load_json(out, full, err);
}

static int open_config(ns_weights *w, bool folder, ns_error *err) {
    int status = open_beside(w, folder, "config.json", &w->config_path, &w->config, err);
    return status ? status
                  : open_beside(w, folder, "preprocessor_config.json", &w->preprocessor_path,
                                &w->preprocessor, err);
}

int ns_weights_open(ns_weights **out, const char *path, ns_error *err) {
    *out = NULL;
    ns_weights *w = ns_calloc(1, sizeof *w, err);
    if (!w) return NS_EFAIL;
    bool folder = ns_is_folder(path);
    int status = (w->path = ns_strdup(path, err)) ? NS_OK : NS_EFAIL;
    if (!status)
        status = folder ? open_folder(w, path, err) : open_single(w, ns_strdup(path, err), err);
    if (!status) status = gather(w, err);
    if (!status) status = open_config(w, folder, err);
    if (status) {
        ns_weights_close(w);
        return status;
    }
    *out = w;
    return NS_OK;
}

void ns_weights_close(ns_weights *w) {
    if (!w) return;
    for (int i = 0; i < w->count && w->entries; i++) free(w->entries[i].converted);
    for (int i = 0; i < w->shard_count; i++) {
        ns_safetensors_free(w->shards[i].tensors, w->shards[i].count);
        ns_unmap(&w->shards[i].mapped);
        free(w->shards[i].path);
    }
    free(w->shards);
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

static entry *find_entry(const ns_weights *w, const char *name) {
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
    const entry *e = find_entry(w, name);
    return e ? &e->tensor->info : NULL;
}

int ns_weights_strip(ns_weights *w, const char *prefix, ns_error *err) {
    size_t n = strlen(prefix);
    int count = 0;
    for (int i = 0; i < w->shard_count; i++)
        for (int j = 0; j < w->shards[i].count; j++) {
            char *name = (char *)(uintptr_t)w->shards[i].tensors[j].info.name;
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

static int check_shape(const entry *e, int dims, const int64_t *shape, ns_error *err) {
    const ns_tensor_info *info = &e->tensor->info;
    bool same = dims == info->dims;
    for (int i = 0; same && i < dims; i++) same = shape[i] < 0 || shape[i] == info->shape[i];
    if (same) return NS_OK;
    char expected[192], found[192];
    return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected shape %s, found %s", e->from->path,
                   info->name, shape_text(dims, shape, expected),
                   shape_text(info->dims, info->shape, found));
}

/* Little-endian values become floats of a block of our own. */
static int convert(entry *e, const unsigned char *bytes, ns_error *err) {
    const char *dtype = e->tensor->info.dtype;
    size_t count = (size_t)e->tensor->count;
    float *values = ns_alloc_aligned(count, sizeof *values, err);
    uint16_t *halves = NULL;
    if (!values) return NS_EFAIL;
    bool odd = (uintptr_t)bytes % 2 != 0;
    if (!strcmp(dtype, "F32")) {
        memcpy(values, bytes, count * sizeof *values);
    } else {
        /* Data need not be aligned in the file. */
        if (odd && !(halves = ns_alloc_aligned(count, sizeof *halves, err))) {
            free(values);
            return NS_EFAIL;
        }
        if (odd) memcpy(halves, bytes, count * sizeof *halves);
        const uint16_t *in = odd ? halves : (const uint16_t *)(const void *)bytes;
        if (!strcmp(dtype, "F16"))
            ns_f16_to_f32(values, in, count);
        else
            ns_bf16_to_f32(values, in, count);
    }
    free(halves);
    e->converted = values;
    return NS_OK;
}

int ns_weights_get(ns_weights *w, const char *name, int dims, const int64_t *shape,
                   const float **out, ns_error *err) {
    *out = NULL;
    entry *e = find_entry(w, name);
    if (!e) {
        ns_fail(err, NS_EINPUT, "%s: expected a tensor %s, found none of that name among %d",
                w->path, name, w->count);
        ns_near_names(err, name, (size_t)w->count, entry_name, w, 3);
        return NS_EINPUT;
    }
    int status = check_shape(e, dims, shape, err);
    if (status) return status;
    const char *dtype = e->tensor->info.dtype;
    bool plain = !strcmp(dtype, "F32");
    if (!plain && strcmp(dtype, "F16") != 0 && strcmp(dtype, "BF16") != 0)
        return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected dtype F32, F16 or BF16, found %s",
                       e->from->path, name, dtype);
    const unsigned char *bytes = e->from->mapped.bytes + e->tensor->begin;
    if (plain && (uintptr_t)bytes % sizeof(float) == 0) {
        *out = (const float *)(const void *)bytes;
        return NS_OK;
    }
    if (!e->converted) status = convert(e, bytes, err);
    *out = e->converted;
    return status;
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
    return strcmp((*(const shard *const *)a)->path, (*(const shard *const *)b)->path);
}

int ns_weights_hash(const ns_weights *w, char hex[NS_HASH_HEX], ns_error *err) {
    if (w->shard_count == 1) return ns_hash_file(w->shards[0].path, hex, err);
    const shard **sorted = ns_calloc((size_t)w->shard_count, sizeof *sorted, err);
    ns_hash *all = ns_hash_begin(err);
    int status = sorted && all ? NS_OK : NS_EFAIL;
    for (int i = 0; i < w->shard_count && !status; i++) sorted[i] = &w->shards[i];
    if (!status) qsort(sorted, (size_t)w->shard_count, sizeof *sorted, by_path);
    for (int i = 0; i < w->shard_count && !status; i++) {
        char one[NS_HASH_HEX];
        status = ns_hash_file(sorted[i]->path, one, err);
        if (!status) ns_hash_add(all, one, NS_HASH_HEX - 1);
    }
    ns_hash_end(all, status ? NULL : hex);
    free(sorted);
    return status;
}
