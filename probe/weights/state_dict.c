#include "probe/weights/state_dict.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

/* ---- which dictionary ---- */

typedef struct candidate {
    const ns_py *dict;
    char *where; /* owned */
    size_t tensors;
    bool dotted; /* some tensor is called as modules within modules are */
} candidate;

/* Dictionaries of one depth below the root. */
typedef struct level {
    candidate *items;
    size_t count, room;
} level;

static void level_free(level *l) {
    for (size_t i = 0; i < l->count; i++) free(l->items[i].where);
    free(l->items);
    *l = (level){0};
}

static void look_at(candidate *c) {
    const ns_py_list *list = c->dict->list;
    for (size_t i = 0; i + 1 < list->count; i += 2) {
        const ns_py *key = &list->items[i];
        if (key->kind != NS_PY_TEXT || list->items[i + 1].kind != NS_PY_TENSOR) continue;
        c->tensors++;
        c->dotted |= memchr(key->text, '.', key->length) != NULL;
    }
}

/* Takes `where`. */
static int level_add(level *l, const ns_py *dict, char *where, ns_error *err) {
    if (where && l->count == l->room) {
        size_t more = 2 * l->room + 8;
        candidate *grown = ns_realloc(l->items, more, sizeof *grown, err);
        if (!grown) {
            free(where);
            return NS_EFAIL;
        }
        l->items = grown;
        l->room = more;
    }
    if (!where) return NS_EFAIL;
    dict->list->seen = true;
    candidate *c = &l->items[l->count++];
    *c = (candidate){.dict = dict, .where = where};
    look_at(c);
    return NS_OK;
}

/* The dictionaries within those of `from` that were not seen before: a pickle may hold one in many places, or within itself. */
static int level_below(level *to, const level *from, ns_error *err) {
    int status = NS_OK;
    for (size_t i = 0; i < from->count; i++) {
        const candidate *c = &from->items[i];
        for (size_t k = 0; k + 1 < c->dict->list->count && !status; k += 2) {
            const ns_py *key = &c->dict->list->items[k], *value = key + 1;
            if (key->kind != NS_PY_TEXT || value->kind != NS_PY_DICT || value->list->seen) continue;
            char *where = ns_asprintf(err, "%s%s%.*s", c->where, *c->where ? "." : "",
                                      (int)key->length, key->text);
            status = level_add(to, value, where, err);
        }
    }
    return status;
}

static bool counts(const candidate *c, bool dotted) {
    return c->tensors && (!dotted || c->dotted);
}

/* How many there are on levels from..to, and the last of them. */
static size_t count_on(const level *levels, size_t from, size_t to, bool dotted,
                       const candidate **last) {
    size_t count = 0;
    for (size_t d = from; d <= to; d++)
        for (size_t i = 0; i < levels[d].count; i++)
            if (counts(&levels[d].items[i], dotted)) {
                *last = &levels[d].items[i];
                count++;
            }
    return count;
}

static int say_which(const ns_weights_file *file, const level *levels, size_t from, size_t to,
                     bool dotted, ns_error *err) {
    size_t shown = 0;
    ns_fail(err, NS_EINPUT, "%s: expected one model, found several; say which: ", file->path);
    for (size_t d = from; d <= to; d++)
        for (size_t i = 0; i < levels[d].count; i++) {
            const candidate *c = &levels[d].items[i];
            if (!counts(c, dotted) || shown == 8) continue;
            ns_fail_more(err, "%s%s:%.60s (%zu tensors)", shown++ ? ", " : "", file->path,
                         *c->where ? c->where : ".", c->tensors);
        }
    return NS_EINPUT;
}

/* Up to eight of the dictionary's keys. */
static void name_keys(const ns_py *dict, ns_error *err) {
    const size_t count = dict->list->count / 2;
    for (size_t i = 0; i < count && i < 8; i++) {
        const ns_py *key = &dict->list->items[2 * i];
        if (key->kind == NS_PY_TEXT)
            ns_fail_more(err, "%s%.*s", i ? ", " : "", key->length < 60 ? (int)key->length : 60,
                         key->text);
        else
            ns_fail_more(err, "%s%s", i ? ", " : "", ns_py_kind_name(key->kind));
    }
    if (count > 8) ns_fail_more(err, ", ...");
}

/* The dictionary that has tensors of dotted names; where none has, of any names. The outermost and those in it are looked at together, the
 * deeper ones only where there is none among these. */
static int choose(const ns_weights_file *file, const level *levels, size_t depth,
                  const candidate **out, ns_error *err) {
    for (int dotted = 1; dotted >= 0; dotted--)
        for (size_t to = 1; to < depth; to++) {
            const size_t from = to == 1 ? 0 : to;
            const size_t count = count_on(levels, from, to, dotted, out);
            if (count == 1) return NS_OK;
            if (count) return say_which(file, levels, from, to, dotted, err);
        }
    const ns_py *root = levels[0].items[0].dict;
    ns_fail(err, NS_EINPUT, "%s: expected a dictionary of tensors, found one without any%s",
            file->path, root->list->count ? ": " : "");
    name_keys(root, err);
    return NS_EINPUT;
}

/* The dictionary that file->key says: the longest key first, since a key may hold a dot. */
static int chosen(const ns_weights_file *file, const ns_py *root, const ns_py **out,
                  ns_error *err) {
    const char *at = file->key;
    const ns_py *dict = root;
    if (!strcmp(at, ".")) at = "";
    while (*at) {
        const ns_py *next = NULL;
        size_t n = strlen(at);
        char *part = ns_strdup(at, err);
        if (!part) return NS_EFAIL;
        while (n && !(next = ns_py_get(dict, part)))
            for (part[--n] = 0; n && at[n] != '.';) part[--n] = 0;
        free(part);
        if (!n || next->kind != NS_PY_DICT) {
            ns_fail(err, NS_EINPUT, "%s: expected a dictionary under the key %s, found %s; ",
                    file->path, file->key, n ? ns_py_kind_name(next->kind) : "no such key");
            ns_fail_more(err, "there are: ");
            name_keys(dict, err);
            return NS_EINPUT;
        }
        dict = next;
        at += n + (at[n] == '.');
    }
    *out = dict;
    return NS_OK;
}

int ns_state_dict_find(const ns_weights_file *file, const ns_py *root, const ns_py **out,
                       char **where, ns_error *err) {
    enum { DEPTH = 4 };
    level levels[DEPTH] = {{0}};
    *where = NULL;
    if (root->kind != NS_PY_DICT)
        return ns_fail(err, NS_EINPUT, "%s: expected a dictionary of tensors, found %s%s",
                       file->path, ns_py_kind_name(root->kind),
                       root->kind == NS_PY_OBJECT
                           ? "; torch.save(model.state_dict(), \"weights.pt\") writes one"
                           : "");
    if (file->key) {
        int status = chosen(file, root, out, err);
        if (status) return status;
        return (*where = ns_strdup(strcmp(file->key, ".") != 0 ? file->key : "", err)) ? NS_OK
                                                                                       : NS_EFAIL;
    }
    const candidate *found = NULL;
    int status = level_add(&levels[0], root, ns_strdup("", err), err);
    for (size_t d = 1; d < DEPTH && !status; d++)
        status = level_below(&levels[d], &levels[d - 1], err);
    if (!status) status = choose(file, levels, DEPTH, &found, err);
    if (!status) {
        *out = found->dict;
        *where = ns_strdup(found->where, err);
        if (!*where) status = NS_EFAIL;
    }
    for (size_t d = 0; d < DEPTH; d++) level_free(&levels[d]);
    return status;
}

/* ---- its tensors ---- */

static int bad_tensor(const ns_weights_file *file, const ns_stored *t, const char *expected,
                      const char *found, ns_error *err) {
    return ns_fail(err, NS_EINPUT, "%s: tensor %s: expected %s, found %s", file->path, t->info.name,
                   expected, found);
}

/* Names are UTF-8 without zeros, as in the other formats. */
static int copy_name(const ns_weights_file *file, const ns_py *key, char **out, ns_error *err) {
    json_t *text = json_stringn(key->text, key->length);
    const bool good = text && key->length && !memchr(key->text, 0, key->length);
    json_decref(text);
    if (!good)
        return ns_fail(err, NS_EINPUT, "%s: expected tensors' names as text in UTF-8, found '%.*s'",
                       file->path, key->length < 60 ? (int)key->length : 60, key->text);
    *out = ns_asprintf(err, "%.*s", (int)key->length, key->text);
    return *out ? NS_OK : NS_EFAIL;
}

/* Shape, strides, and how far the last element lies from the first; nothing but the shape where there is none. */
static int set_shape(const ns_weights_file *file, ns_stored *t, const ns_py_tensor *from,
                     int64_t *reach, ns_error *err) {
    int64_t across = 1, step;
    *reach = 0;
    t->count = 1;
    t->info.dims = from->dims;
    if (from->dims > NS_MAX_DIMS) return bad_tensor(file, t, "at most 8 dimensions", "more", err);
    for (int d = from->dims; d-- > 0;) {
        t->info.shape[d] = from->shape[d];
        t->strides[d] = from->strides[d];
        if (__builtin_mul_overflow(t->count, from->shape[d], &t->count))
            return bad_tensor(file, t, "a shape whose product 63 bits hold", "a larger one", err);
    }
    for (int d = from->dims; d-- > 0 && t->count;) {
        if (from->shape[d] > 1 && from->strides[d] != across) t->strided = true;
        across *= from->shape[d];
        if (__builtin_mul_overflow(from->shape[d] - 1, from->strides[d], &step) ||
            __builtin_add_overflow(*reach, step, reach))
            return bad_tensor(file, t, "strides that stay within its storage", "larger ones", err);
    }
    return NS_OK;
}

/* A view of a storage, all of which lies within it. */
static int set_tensor(ns_weights_file *file, ns_stored *t, const ns_py_tensor *from,
                      ns_storage_find *find, void *user, ns_error *err) {
    const unsigned char *bytes = NULL;
    uint64_t size = 0;
    int64_t reach = 0, last;
    if (from->odd) return bad_tensor(file, t, "an array of numbers", from->odd, err);
    t->type = ns_element_named(from->dtype);
    if (!t->type || t->type->values != 1 || t->type->bytes != from->item)
        return bad_tensor(file, t, "elements of a type that is known", from->dtype, err);
    t->info.dtype = t->type->name;
    t->info.file = file->path;
    int status = set_shape(file, t, from, &reach, err);
    if (!status) status = find(user, from->storage, &bytes, &size, &t->user, err);
    if (status) return status;
    const int64_t room = (int64_t)(size / from->item);
    if (t->count && (__builtin_add_overflow(from->offset, reach, &last) || last >= room))
        return ns_fail(err, NS_EINPUT,
                       "%s: tensor %s: expected elements within the %lld of its storage %s, found "
                       "some beyond",
                       file->path, t->info.name, (long long)room, from->storage->key);
    if (t->count > room && t->count > NS_STATE_DICT_MOST_REPEATED / (int64_t)from->item)
        return bad_tensor(file, t, "at most 256 MiB of repeated elements", "more", err);
    const uint64_t before = t->count ? (uint64_t)from->offset * from->item : 0;
    t->size = (size_t)(size - before);
    if (bytes) t->bytes = bytes + before;
    return NS_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ns_stored *)a)->info.name, ((const ns_stored *)b)->info.name);
}

int ns_state_dict_tensors(ns_weights_file *file, const ns_py *dict, ns_storage_find *find,
                          void *user, ns_error *err) {
    const ns_py_list *list = dict->list;
    candidate all = {.dict = dict};
    look_at(&all);
    if (!all.tensors)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected tensors in the dictionary under the key %s, found none",
                       file->path, file->key ? file->key : ".");
    if (all.tensors > INT32_MAX)
        return ns_fail(err, NS_EINPUT, "%s: expected at most 2147483647 tensors", file->path);
    if (!(file->tensors = ns_calloc(all.tensors, sizeof *file->tensors, err))) return NS_EFAIL;
    for (size_t i = 0; i + 1 < list->count; i += 2) {
        const ns_py *key = &list->items[i], *value = key + 1;
        if (key->kind != NS_PY_TEXT || value->kind != NS_PY_TENSOR) continue;
        ns_stored *t = &file->tensors[file->count];
        char *name = NULL;
        int status = copy_name(file, key, &name, err);
        if (status) return status;
        t->info.name = name;
        file->count++;
        status = set_tensor(file, t, value->tensor, find, user, err);
        if (status) return status;
    }
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_name);
    for (int i = 1; i < file->count; i++)
        if (by_name(&file->tensors[i - 1], &file->tensors[i]) == 0)
            return bad_tensor(file, &file->tensors[i], "one of that name", "two", err);
    return NS_OK;
}
