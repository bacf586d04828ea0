/* From a path to open files: one file, or a folder with one or with shards and their index; and the JSON files beside them. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/weights/weights_internal.h"

enum { MOST_JSON = 100000000 }; /* bytes of an index */

static int load_json(json_t **out, const char *path, ns_error *err) {
    char *text;
    size_t size;
    int status = ns_read_text(&text, &size, path, MOST_JSON, err);
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
    for (int i = 0; i < w->file_count; i++) {
        const ns_weights_file *s = &w->files[i];
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
        for (int i = 0; i < w->file_count && !found; i++)
            for (int j = 0; j < w->files[i].count && !found; j++)
                found = !strcmp(w->files[i].tensors[j].info.name, name);
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
    else if (!(w->files = ns_calloc(json_object_size(map), sizeof *w->files, err)))
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
            for (int i = 0; full && i < w->file_count && !known; i++)
                known = !strcmp(w->files[i].path, full);
            if (known)
                free(full);
            else
                status = ns_weights_file_open(&w->files[w->file_count++], full, NULL, err);
            if (status) break;
        }
    if (!status) status = check_index(w, map, path, err);
    json_decref(index);
    return status;
}

/* FILE:KEY, where no file is called so and one is called FILE: *key is where the key begins. A copy of FILE. */
static char *split_key(const char *path, const char **key, ns_error *err) {
    *key = NULL;
    if (ns_is_there(path)) return ns_strdup(path, err);
    for (const char *at = strchr(path, ':'); at; at = strchr(at + 1, ':')) {
        char *file = ns_asprintf(err, "%.*s", (int)(at - path), path);
        if (!file || (at[1] && ns_is_file(file))) {
            *key = at + 1;
            return file;
        }
        free(file);
    }
    return ns_strdup(path, err);
}

/* Takes `path`. */
static int open_single(ns_weights *w, char *path, const char *key, ns_error *err) {
    if (!path || !(w->files = ns_calloc(1, sizeof *w->files, err))) {
        free(path);
        return NS_EFAIL;
    }
    w->file_count = 1;
    return ns_weights_file_open(&w->files[0], path, key, err);
}

/* The one file of the folder whose name ends so: *out is malloc'ed, NULL where there is none. NS_EINPUT names two of several. */
static int find_ending(const char *folder, const char *ending, char **out, ns_error *err) {
    DIR *list = opendir(folder);
    int status = NS_OK;
    for (struct dirent *entry; list && !status && (entry = readdir(list));) {
        size_t length = strlen(entry->d_name), end = strlen(ending);
        if (length <= end || strcmp(entry->d_name + length - end, ending) != 0) continue;
        if (*out)
            status = ns_fail(err, NS_EINPUT,
                             "%s: expected one *%s in this folder, found several, among them %s "
                             "and %s: name the file",
                             folder, ending, *out, entry->d_name);
        else if (!(*out = ns_path_join(folder, entry->d_name, err)))
            status = NS_EFAIL;
    }
    if (list) closedir(list);
    if (status) free(*out);
    if (status) *out = NULL;
    return status;
}

/* The first file that a format says a folder has. Takes nothing; *out is malloc'ed, NULL where there is none. */
static int find_in_folder(const char *folder, char **out, bool *is_index, ns_error *err) {
    *out = NULL;
    const ns_weights_format *format;
    for (size_t i = 0; (format = ns_weights_format_at(i)); i++)
        for (int index = 0; index < 2; index++) {
            const char *name = index ? format->index : format->single;
            char *path = name ? ns_path_join(folder, name, err) : NULL;
            if (name && !path) return NS_EFAIL;
            if (path && ns_is_there(path)) {
                *out = path;
                *is_index = index;
                return NS_OK;
            }
            free(path);
        }
    for (size_t i = 0; (format = ns_weights_format_at(i)); i++) {
        int status = format->ending ? find_ending(folder, format->ending, out, err) : NS_OK;
        *is_index = false;
        if (status || *out) return status;
    }
    ns_fail(err, NS_EINPUT, "%s: expected ", folder);
    for (size_t i = 0; (format = ns_weights_format_at(i)); i++)
        for (int index = 0; index < 2; index++) {
            const char *name = index ? format->index : format->single;
            if (name) ns_fail_more(err, "%s, ", name);
        }
    for (size_t i = 0; (format = ns_weights_format_at(i)); i++)
        if (format->ending) ns_fail_more(err, "*%s, ", format->ending);
    ns_fail_more(err, "in this folder; found none of them");
    return NS_EINPUT;
}

static int open_folder(ns_weights *w, const char *folder, ns_error *err) {
    char *path;
    bool is_index;
    int status = find_in_folder(folder, &path, &is_index, err);
    if (status || !is_index) return status ? status : open_single(w, path, NULL, err);
    status = open_index(w, folder, path, err);
    free(path);
    return status;
}

/* A file of that name in the folder, or beside the weights' file; NULL where there is none. */
static int open_beside(const ns_weights *w, bool folder, const char *name, char **path,
                       json_t **out, ns_error *err) {
    const char *file = w->files[0].path, *slash = strrchr(file, '/');
    char *full = folder  ? ns_path_join(w->path, name, err)
                 : slash ? ns_asprintf(err, "%.*s/%s", (int)(slash - file), file, name)
                         : ns_strdup(name, err);
    if (!full) return NS_EFAIL;
    if (!ns_is_there(full)) {
        free(full);
        return NS_OK;
    }
    *path = full;
    return load_json(out, full, err);
}

/* A file that brings a config of its own needs none beside it. */
static int open_config(ns_weights *w, bool folder, ns_error *err) {
    ns_weights_file *only = w->file_count == 1 ? &w->files[0] : NULL;
    if (only && only->config) {
        w->config = json_incref(only->config);
        return (w->config_path = ns_strdup(only->path, err)) ? NS_OK : NS_EFAIL;
    }
    int status = open_beside(w, folder, "config.json", &w->config_path, &w->config, err);
    return status ? status
                  : open_beside(w, folder, "preprocessor_config.json", &w->preprocessor_path,
                                &w->preprocessor, err);
}

int ns_weights_open_files(ns_weights *w, ns_error *err) {
    const bool folder = ns_is_folder(w->path);
    const char *key = NULL;
    char *file = folder ? NULL : split_key(w->path, &key, err);
    int status = folder ? open_folder(w, w->path, err) : open_single(w, file, key, err);
    return status ? status : open_config(w, folder, err);
}
