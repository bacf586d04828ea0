/* PyTorch's files from before 1.6: five pickles one behind the other (a magic number, a version, what the machine was like, the object, the keys
 * of its storages), then each storage, its number of elements before it. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "probe/base/mem.h"
#include "probe/weights/state_dict.h"

/* A pickle of protocol 2 whose value is 0x1950a86a20f9469cfc6c. */
#define MAGIC "\x80\x02\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

static bool recognise(const unsigned char *bytes, size_t size) {
    return size >= sizeof MAGIC - 1 && !memcmp(bytes, MAGIC, sizeof MAGIC - 1);
}

/* Where a storage lies. */
typedef struct place {
    const ns_py_storage *storage;
    const unsigned char *bytes; /* NULL: not found yet */
} place;

typedef struct reader {
    const ns_weights_file *file;
    size_t at;     /* bytes read so far */
    place *places; /* by key; owned */
    size_t count;
} reader;

/* The next pickle. Its bytes are counted from its own beginning in messages. */
static int next(reader *r, const char *name, ns_pickle **out, ns_py *root, ns_error *err) {
    size_t used;
    char *what = ns_asprintf(err, "%s: its pickle of %s at byte %zu", r->file->path, name, r->at);
    if (!what) return NS_EFAIL;
    int status = ns_pickle_read(out, r->file->mapped.bytes + r->at, r->file->mapped.size - r->at,
                                what, root, &used, err);
    free(what);
    if (!status) r->at += used;
    return status;
}

static int wrong(const reader *r, const char *expected, ns_error *err) {
    return ns_fail(err, NS_EINPUT, "%s: expected %s, found another value", r->file->path, expected);
}

/* The version of the format, and what the machine was like that wrote the file. */
static int read_head(reader *r, ns_error *err) {
    ns_pickle *version = NULL, *machine = NULL;
    ns_py number, about;
    r->at = sizeof MAGIC - 1;
    int status = next(r, "the version", &version, &number, err);
    if (!status && (number.kind != NS_PY_WHOLE || number.whole != 1001))
        status = wrong(r, "version 1001 of PyTorch's format from before 1.6", err);
    if (!status) status = next(r, "the machine", &machine, &about, err);
    if (!status) {
        const ns_py *little = ns_py_get(&about, "little_endian");
        if (!little || little->kind != NS_PY_BOOL || !little->whole)
            status = wrong(r, "numbers with the lowest byte first (little_endian)", err);
    }
    ns_pickle_free(version);
    ns_pickle_free(machine);
    return status;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const place *)a)->storage->key, ((const place *)b)->storage->key);
}

/* A place for each storage that the object's pickle names. */
static int list_places(reader *r, const ns_pickle *object, ns_error *err) {
    const ns_py_list *named = ns_pickle_storages(object);
    if (!(r->places = ns_calloc(named->count, sizeof *r->places, err))) return NS_EFAIL;
    for (size_t i = 0; i < named->count; i++) r->places[i] = (place){named->items[i].storage, NULL};
    if (named->count) qsort(r->places, named->count, sizeof *r->places, by_key);
    for (size_t i = 0; i < named->count; i++) {
        const ns_py_storage *s = r->places[i].storage;
        const place *last = r->count ? &r->places[r->count - 1] : NULL;
        if (!last || by_key(last, &r->places[i]) != 0)
            r->places[r->count++] = r->places[i];
        else if (last->storage->count != s->count || last->storage->item != s->item)
            return ns_fail(err, NS_EINPUT, "%s: storage %s: expected one size, found two",
                           r->file->path, s->key);
    }
    return NS_OK;
}

static place *find_place(const reader *r, const char *key) {
    const ns_py_storage wanted = {.key = key};
    const place one = {&wanted, NULL};
    return r->count ? bsearch(&one, r->places, r->count, sizeof one, by_key) : NULL;
}

/* A storage of that key: its number of elements, then they. */
static int read_storage(reader *r, const char *key, ns_error *err) {
    place *p = find_place(r, key);
    const size_t left = r->file->mapped.size - r->at;
    uint64_t count = 0;
    int64_t size;
    if (!p || p->bytes)
        return ns_fail(err, NS_EINPUT, "%s: storage %s: expected once in the object, found %s",
                       r->file->path, key, p ? "twice in the list of keys" : "in no tensor");
    for (int i = 8; i-- > 0 && left >= 8;) count = count << 8 | r->file->mapped.bytes[r->at + i];
    if (left < 8 || __builtin_mul_overflow(p->storage->count, (int64_t)p->storage->item, &size) ||
        count != (uint64_t)p->storage->count || left - 8 < (uint64_t)size)
        return ns_fail(err, NS_EINPUT,
                       "%s: storage %s: expected %lld x %zu bytes and their number at byte %zu, "
                       "found %llu of them in a file of %zu bytes",
                       r->file->path, key, (long long)p->storage->count, p->storage->item, r->at,
                       (unsigned long long)count, r->file->mapped.size);
    p->bytes = r->file->mapped.bytes + r->at + 8;
    r->at += 8 + (size_t)size;
    return NS_OK;
}

static int read_storages(reader *r, ns_error *err) {
    ns_pickle *pickle = NULL;
    ns_py keys;
    int status = next(r, "keys", &pickle, &keys, err);
    if (!status && keys.kind != NS_PY_LIST) status = wrong(r, "a list of storages' keys", err);
    for (size_t i = 0; !status && i < keys.list->count; i++) {
        const ns_py *key = &keys.list->items[i];
        if (key->kind != NS_PY_TEXT) {
            status = wrong(r, "text as a storage's key", err);
            break;
        }
        char *text = ns_asprintf(err, "%.*s", (int)key->length, key->text);
        status = text ? read_storage(r, text, err) : NS_EFAIL;
        free(text);
    }
    ns_pickle_free(pickle);
    return status;
}

static int find_storage(void *user, const ns_py_storage *storage, const unsigned char **bytes,
                        uint64_t *size, void **later, ns_error *err) {
    const reader *r = user;
    const place *p = find_place(r, storage->key);
    *later = NULL;
    if (!p || !p->bytes)
        return ns_fail(err, NS_EINPUT, "%s: expected a storage %s in the file, found none",
                       r->file->path, storage->key);
    *bytes = p->bytes;
    *size = (uint64_t)storage->count * storage->item;
    return NS_OK;
}

static int open_file(ns_weights_file *file, ns_error *err) {
    reader r = {.file = file};
    ns_pickle *object = NULL;
    ns_py root;
    const ns_py *dict;
    char *where = NULL;
    int status = read_head(&r, err);
    if (!status) status = next(&r, "the object", &object, &root, err);
    if (!status) status = list_places(&r, object, err);
    if (!status) status = read_storages(&r, err);
    if (!status) status = ns_state_dict_find(file, &root, &dict, &where, err);
    if (!status) status = ns_state_dict_tensors(file, dict, find_storage, &r, err);
    if (!status && *where) file->metadata = json_pack("{s:s}", "state_dict", where);
    free(where);
    free(r.places);
    ns_pickle_free(object);
    return status;
}

const ns_weights_format ns_weights_format_pytorch_old = {
    .title = "PyTorch before 1.6", .recognise = recognise, .keyed = true, .open = open_file};
