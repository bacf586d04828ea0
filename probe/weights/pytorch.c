/* PyTorch's files since 1.6 (.pt, .pth, .bin, .ckpt): a zip archive with a pickle, NAME/data.pkl, and the storages that it refers to, NAME/data/KEY,
 * stored as they are. The pickle is read by a machine that runs nothing (unpickle.h). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/weights/archive.h"
#include "probe/weights/state_dict.h"

static bool recognise(const unsigned char *bytes, size_t size) {
    return size >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4));
}

typedef struct pytorch {
    const char *path; /* borrowed */
    ns_archive *archive;
    size_t prefix; /* bytes of "NAME/" */
    const char *name;
} pytorch;

/* ---- the archive ---- */

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* What a zip archive without data.pkl is. */
static int no_pickle(const pytorch *p, ns_error *err) {
    const size_t count = ns_archive_count(p->archive);
    size_t arrays = 0;
    for (size_t i = 0; i < count; i++)
        arrays += ends_with(ns_archive_at(p->archive, i)->name, ".npy");
    if (arrays == count)
        return ns_fail(err, NS_EINPUT, "%s: expected a file of torch.save, found NumPy's .npz",
                       p->path);
    return ns_fail(err, NS_EINPUT,
                   "%s: expected a file of torch.save, with an entry NAME/data.pkl, found a zip "
                   "archive of %zu entries, the first of them %s",
                   p->path, count, ns_archive_at(p->archive, 0)->name);
}

/* NAME/data.pkl, once. Sets what all entries begin with. */
static int find_pickle(pytorch *p, ns_archive_entry **out, ns_error *err) {
    *out = NULL;
    for (size_t i = 0; i < ns_archive_count(p->archive); i++) {
        ns_archive_entry *e = ns_archive_at(p->archive, i);
        const char *slash = strchr(e->name, '/');
        if (!slash || strcmp(slash, "/data.pkl") != 0) continue;
        if (*out)
            return ns_fail(err, NS_EINPUT, "%s: expected one data.pkl, found %s and %s", p->path,
                           (*out)->name, e->name);
        *out = e;
        p->name = e->name;
        p->prefix = (size_t)(slash - e->name) + 1;
    }
    return *out ? NS_OK : no_pickle(p, err);
}

/* NAME/what; NULL where there is none, or no memory. */
static ns_archive_entry *find_beside(const pytorch *p, const char *what) {
    char *name = ns_asprintf(NULL, "%.*s%s", (int)p->prefix, p->name, what);
    ns_archive_entry *found = name ? ns_archive_find(p->archive, name) : NULL;
    free(name);
    return found;
}

/* Whether NAME/what is there and holds another text. */
static int check_text(const pytorch *p, const char *what, const char *expected, ns_error *err) {
    const unsigned char *text;
    ns_archive_entry *e = find_beside(p, what);
    if (!e) return NS_OK;
    int status = ns_archive_read_checked(p->archive, e, &text, err);
    if (status) return status;
    if (e->size == strlen(expected) && !memcmp(text, expected, e->size)) return NS_OK;
    return ns_fail(err, NS_EINPUT, "%s: %s: expected %s, found '%.*s'", p->path, e->name, expected,
                   (int)(e->size < 20 ? e->size : 20), (const char *)text);
}

static int check_kind(const pytorch *p, ns_error *err) {
    if (find_beside(p, "constants.pkl"))
        return ns_fail(err, NS_EINPUT,
                       "%s: expected a state dict, found a TorchScript module (of torch.jit.save); "
                       "torch.save(torch.jit.load(\"%s\").state_dict(), \"weights.pt\") writes its "
                       "weights",
                       p->path, p->path);
    return check_text(p, "byteorder", "little", err);
}

/* ---- storages ---- */

static int find_storage(void *user, const ns_py_storage *storage, const unsigned char **bytes,
                        uint64_t *size, void **later, ns_error *err) {
    const pytorch *p = user;
    char *what = ns_asprintf(err, "data/%s", storage->key);
    if (!what) return NS_EFAIL;
    ns_archive_entry *e = find_beside(p, what);
    free(what);
    if (!e)
        return ns_fail(err, NS_EINPUT, "%s: expected a storage data/%s in the archive, found none",
                       p->path, storage->key);
    int64_t expected;
    if (__builtin_mul_overflow(storage->count, (int64_t)storage->item, &expected) ||
        (uint64_t)expected != e->size)
        return ns_fail(err, NS_EINPUT, "%s: %s: expected a storage of %lld x %zu bytes, found %llu",
                       p->path, e->name, (long long)storage->count, storage->item,
                       (unsigned long long)e->size);
    *bytes = ns_archive_stored(p->archive, e);
    *size = e->size;
    *later = e;
    return NS_OK;
}

/* Of a storage that is packed. The tensor's bytes end where the storage's do. */
static int load(ns_weights_file *file, ns_stored *t, ns_error *err) {
    const pytorch *p = file->own;
    ns_archive_entry *e = t->user;
    const unsigned char *bytes;
    int status = ns_archive_read(p->archive, e, &bytes, err);
    if (!status) t->bytes = bytes + (e->size - t->size);
    return status;
}

/* ---- the file ---- */

static int read_tensors(ns_weights_file *file, pytorch *p, const ns_archive_entry *entry,
                        const unsigned char *bytes, ns_error *err) {
    ns_pickle *pickle = NULL;
    ns_py root;
    const ns_py *dict;
    size_t used;
    char *where = NULL, *what = ns_asprintf(err, "%s: %s", file->path, entry->name);
    int status = what ? NS_OK : NS_EFAIL;
    if (!status)
        status = ns_pickle_read(&pickle, bytes, (size_t)entry->size, what, &root, &used, err);
    if (!status) status = ns_state_dict_find(file, &root, &dict, &where, err);
    if (!status) status = ns_state_dict_tensors(file, dict, find_storage, p, err);
    if (!status && *where) file->metadata = json_pack("{s:s}", "state_dict", where);
    free(what);
    free(where);
    ns_pickle_free(pickle);
    return status;
}

static int open_file(ns_weights_file *file, ns_error *err) {
    ns_archive_entry *entry = NULL;
    const unsigned char *bytes = NULL;
    pytorch *p = file->own = ns_calloc(1, sizeof *p, err);
    if (!p) return NS_EFAIL;
    p->path = file->path;
    int status = ns_archive_open(&p->archive, file->mapped.bytes, file->mapped.size, p->path, err);
    if (!status) status = find_pickle(p, &entry, err);
    if (!status) status = check_kind(p, err);
    if (!status) status = ns_archive_read_checked(p->archive, entry, &bytes, err);
    return status || !entry ? status : read_tensors(file, p, entry, bytes, err);
}

static void close_file(ns_weights_file *file) {
    pytorch *p = file->own;
    if (p) ns_archive_close(p->archive);
    free(p);
}

const ns_weights_format ns_weights_format_pytorch = {.title = "PyTorch",
                                                     .single = "pytorch_model.bin",
                                                     .index = "pytorch_model.bin.index.json",
                                                     .recognise = recognise,
                                                     .open = open_file,
                                                     .load = load,
                                                     .keyed = true,
                                                     .close = close_file};
