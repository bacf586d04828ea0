#include "probe/weights/archive.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

#include "probe/base/mem.h"

struct ns_archive {
    const unsigned char *bytes;
    size_t size;
    const char *path;
    size_t at, last_read; /* where libzip reads next, and where it read last */
    zip_error_t failure;
    zip_t *zip;
    ns_archive_entry *entries; /* in order of name */
    size_t count;
    uint64_t unpacked; /* bytes so far */
};

/* ---- the bytes as a source that libzip reads ---- */

/* libzip tells nobody where in a file an entry's bytes lie, but it has to read them from there: so the source remembers. */
static zip_int64_t source(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command) {
    ns_archive *a = user;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_OPEN:
        a->at = 0;
        return 0;
    case ZIP_SOURCE_READ:
        if (size > a->size - a->at) size = a->size - a->at;
        if (size) memcpy(data, a->bytes + a->at, size);
        a->last_read = a->at;
        a->at += size;
        return (zip_int64_t)size;
    case ZIP_SOURCE_SEEK: {
        zip_int64_t at = zip_source_seek_compute_offset(a->at, a->size, data, size, &a->failure);
        if (at < 0) return -1;
        a->at = (size_t)at;
        return 0;
    }
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)a->at;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *st = data;
        zip_stat_init(st);
        st->size = a->size;
        st->valid = ZIP_STAT_SIZE;
        return sizeof *st;
    }
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&a->failure, data, size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&a->failure, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static int open_zip(ns_archive *a, ns_error *err) {
    zip_error_t failure;
    zip_error_init(&failure);
    zip_source_t *from = zip_source_function_create(source, a, &failure);
    if (from && !(a->zip = zip_open_from_source(from, ZIP_RDONLY, &failure))) zip_source_free(from);
    int status = NS_OK;
    if (!a->zip)
        status = ns_fail(err, zip_error_code_zip(&failure) == ZIP_ER_MEMORY ? NS_EFAIL : NS_EINPUT,
                         "%s: expected a whole zip archive, found: %s", a->path,
                         zip_error_strerror(&failure));
    zip_error_fini(&failure);
    return status;
}

/* ---- entries ---- */

static int zip_failed(const ns_archive *a, const char *name, const char *what, ns_error *err) {
    return ns_fail(err, NS_EINPUT, "%s: %s: cannot be read from the zip archive: %s", a->path, name,
                   what);
}

/* Sets entry->begin. */
static int find_bytes(ns_archive *a, ns_archive_entry *entry, ns_error *err) {
    char first;
    if (!entry->packed) return NS_OK;
    zip_file_t *file = zip_fopen_index(a->zip, entry->index, ZIP_FL_COMPRESSED | ZIP_FL_UNCHANGED);
    if (!file) return zip_failed(a, entry->name, zip_strerror(a->zip), err);
    const bool got = zip_fread(file, &first, 1) == 1;
    int status = got ? NS_OK : zip_failed(a, entry->name, zip_file_strerror(file), err);
    zip_fclose(file);
    entry->begin = a->last_read;
    if (!status && entry->packed > a->size - entry->begin)
        status = ns_fail(err, NS_EINPUT,
                         "%s: %s: expected %llu bytes from byte %llu on, found a file of %zu bytes",
                         a->path, entry->name, (unsigned long long)entry->packed,
                         (unsigned long long)entry->begin, a->size);
    return status;
}

/* Whether an entry can be what it says. */
static int check_entry(const ns_archive *a, const ns_archive_entry *entry, ns_error *err) {
    enum { DEFLATE_AT_BEST = 1032 };
    if (entry->method == ZIP_CM_STORE && entry->size != entry->packed)
        return ns_fail(err, NS_EINPUT, "%s: %s: expected %llu bytes as it is stored, found %llu",
                       a->path, entry->name, (unsigned long long)entry->size,
                       (unsigned long long)entry->packed);
    if (entry->method == ZIP_CM_STORE) return NS_OK;
    if (entry->method != ZIP_CM_DEFLATE)
        return ns_fail(err, NS_EINPUT,
                       "%s: %s: expected an entry that is stored or deflated, found method %d of "
                       "the zip format",
                       a->path, entry->name, entry->method);
    if (entry->size / DEFLATE_AT_BEST > entry->packed)
        return ns_fail(err, NS_EINPUT,
                       "%s: %s: expected what %llu deflated bytes can hold, found a size of %llu",
                       a->path, entry->name, (unsigned long long)entry->packed,
                       (unsigned long long)entry->size);
    return NS_OK;
}

static int read_entry(ns_archive *a, uint64_t index, ns_archive_entry *entry, ns_error *err) {
    enum { NEEDED = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD };
    zip_stat_t st;
    zip_stat_init(&st);
    const char *name = zip_get_name(a->zip, index, ZIP_FL_ENC_RAW | ZIP_FL_UNCHANGED);
    if (!name || zip_stat_index(a->zip, index, ZIP_FL_UNCHANGED, &st) != 0 ||
        (st.valid & NEEDED) != NEEDED)
        return zip_failed(a, name ? name : "an entry", zip_strerror(a->zip), err);
    *entry = (ns_archive_entry){.name = name,
                                .size = st.size,
                                .packed = st.comp_size,
                                .crc = st.valid & ZIP_STAT_CRC ? st.crc : 0,
                                .method = st.comp_method,
                                .index = index};
    if (st.valid & ZIP_STAT_ENCRYPTION_METHOD && st.encryption_method != ZIP_EM_NONE)
        return ns_fail(err, NS_EINPUT, "%s: %s: expected an entry that is not encrypted", a->path,
                       name);
    int status = check_entry(a, entry, err);
    return status ? status : find_bytes(a, entry, err);
}

static int by_place(const void *a, const void *b) {
    const ns_archive_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->packed > y->packed) - (x->packed < y->packed);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ns_archive_entry *)a)->name, ((const ns_archive_entry *)b)->name);
}

/* Bytes of two entries at once are none that an honest writer makes: a small file would hold a vast archive. */
static int check_entries(ns_archive *a, ns_error *err) {
    qsort(a->entries, a->count, sizeof *a->entries, by_place);
    uint64_t end = 0;
    for (size_t i = 0; i < a->count; i++) {
        const ns_archive_entry *e = &a->entries[i];
        if (!e->packed) continue;
        if (e->begin < end)
            return ns_fail(err, NS_EINPUT, "%s: %s: expected bytes of its own, found those of %s",
                           a->path, e->name, a->entries[i - 1].name);
        end = e->begin + e->packed;
    }
    qsort(a->entries, a->count, sizeof *a->entries, by_name);
    for (size_t i = 1; i < a->count; i++)
        if (by_name(&a->entries[i - 1], &a->entries[i]) == 0)
            return ns_fail(err, NS_EINPUT, "%s: %s: expected one entry of that name, found two",
                           a->path, a->entries[i].name);
    return NS_OK;
}

static int read_entries(ns_archive *a, ns_error *err) {
    const zip_int64_t count = zip_get_num_entries(a->zip, ZIP_FL_UNCHANGED);
    if (count <= 0)
        return ns_fail(err, NS_EINPUT, "%s: expected a zip archive with entries, found none",
                       a->path);
    if (!(a->entries = ns_calloc((size_t)count, sizeof *a->entries, err))) return NS_EFAIL;
    for (a->count = 0; a->count < (size_t)count; a->count++) {
        int status = read_entry(a, a->count, &a->entries[a->count], err);
        if (status) return status;
    }
    return check_entries(a, err);
}

int ns_archive_open(ns_archive **out, const unsigned char *bytes, size_t size, const char *path,
                    ns_error *err) {
    *out = NULL;
    ns_archive *a = ns_calloc(1, sizeof *a, err);
    if (!a) return NS_EFAIL;
    *a = (ns_archive){.bytes = bytes, .size = size, .path = path};
    zip_error_init(&a->failure);
    int status = open_zip(a, err);
    if (!status) status = read_entries(a, err);
    if (status)
        ns_archive_close(a);
    else
        *out = a;
    return status;
}

void ns_archive_close(ns_archive *a) {
    if (!a) return;
    for (size_t i = 0; i < a->count; i++) free(a->entries[i].unpacked);
    free(a->entries);
    if (a->zip) zip_discard(a->zip);
    zip_error_fini(&a->failure);
    free(a);
}

size_t ns_archive_count(const ns_archive *a) {
    return a->count;
}

ns_archive_entry *ns_archive_at(const ns_archive *a, size_t i) {
    return &a->entries[i];
}

ns_archive_entry *ns_archive_find(const ns_archive *a, const char *name) {
    const ns_archive_entry wanted = {.name = name};
    return bsearch(&wanted, a->entries, a->count, sizeof wanted, by_name);
}

/* ---- bytes ---- */

const unsigned char *ns_archive_stored(const ns_archive *a, const ns_archive_entry *entry) {
    return entry->method == ZIP_CM_STORE ? a->bytes + entry->begin : NULL;
}

/* Into entry->unpacked. libzip compares size and checksum when it comes to the end. */
static int unpack(ns_archive *a, ns_archive_entry *entry, ns_error *err) {
    unsigned char *to = ns_alloc_aligned((size_t)entry->size, 1, err);
    if (!to) return NS_EFAIL;
    zip_file_t *file = zip_fopen_index(a->zip, entry->index, ZIP_FL_UNCHANGED);
    int status = file ? NS_OK : zip_failed(a, entry->name, zip_strerror(a->zip), err);
    for (uint64_t got = 0; !status;) {
        char beyond;
        const bool end = got == entry->size;
        zip_int64_t n =
            end ? zip_fread(file, &beyond, 1) : zip_fread(file, to + got, entry->size - got);
        if (end && n == 0) break;
        if (n <= 0 || end)
            status = zip_failed(a, entry->name,
                                n < 0 ? zip_file_strerror(file)
                                : end ? "more bytes than it says"
                                      : "fewer bytes than it says",
                                err);
        else
            got += (uint64_t)n;
    }
    if (file) zip_fclose(file);
    if (status)
        free(to);
    else
        entry->unpacked = to;
    return status;
}

int ns_archive_read(ns_archive *a, ns_archive_entry *entry, const unsigned char **out,
                    ns_error *err) {
    *out = ns_archive_stored(a, entry);
    if (*out) return NS_OK;
    if (!entry->unpacked) {
        if (entry->size > NS_ARCHIVE_MOST_UNPACKED - a->unpacked)
            return ns_fail(err, NS_EINPUT,
                           "%s: %s: expected at most %llu MiB of deflated entries, found more; "
                           "torch.save writes them as they are",
                           a->path, entry->name, NS_ARCHIVE_MOST_UNPACKED >> 20);
        int status = unpack(a, entry, err);
        if (status) return status;
        a->unpacked += entry->size;
    }
    *out = entry->unpacked;
    return NS_OK;
}

int ns_archive_read_checked(ns_archive *a, ns_archive_entry *entry, const unsigned char **out,
                            ns_error *err) {
    int status = ns_archive_read(a, entry, out, err);
    if (status || !entry->crc) return status;
    if (crc32_z(crc32_z(0, NULL, 0), *out, (size_t)entry->size) == entry->crc) return NS_OK;
    return ns_fail(err, NS_EINPUT,
                   "%s: %s: expected bytes of checksum %08x, found others: the file is damaged",
                   a->path, entry->name, entry->crc);
}
