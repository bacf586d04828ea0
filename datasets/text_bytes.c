/* The bytes of a file of text, plain or gzip. */
#include <stdlib.h>
#include <string.h>

#include "datasets/gzip_internal.h"
#include "datasets/text_internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

/* A file's bytes and four for each of them as a token are in memory at once: 640 MiB at most. */
#define MOST_BYTES ((size_t)1 << 27)

static int unpack(gzFile file, const char *path, unsigned char **out, size_t *size, ns_error *err) {
    size_t room = 0;
    for (int got = 1; got > 0; *size += got > 0 ? (size_t)got : 0) {
        if (*size > MOST_BYTES)
            return ns_fail(err, NS_EINPUT,
                           "%s: expected at most %zu bytes of text, unpacked, in a file, found "
                           "more",
                           path, MOST_BYTES);
        if (*size == room) {
            room = room ? 2 * room : 1 << 16;
            if (room > MOST_BYTES + 1) room = MOST_BYTES + 1;
            unsigned char *grown = ns_realloc(*out, room, 1, err);
            if (!grown) return NS_EFAIL;
            *out = grown;
        }
        got =
            gzread(file, *out + *size, (unsigned)(room - *size < 1 << 20 ? room - *size : 1 << 20));
    }
    return ns_gzip_failed(file, path, *size, err) ? NS_EINPUT : NS_OK;
}

/* Any bytes may be text, but images under the name of a data set come as IDX, and no text begins so; and a file that a known format begins
 * and that has zeros at its beginning is one of that format. */
static int refuse_others(const unsigned char *bytes, size_t size, const char *path, ns_error *err) {
    if (size >= 4 && !memcmp(bytes, "\0\0\x08", 3) && bytes[3] >= 1 && bytes[3] <= 4)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected text or token ids for a model that takes words, found an IDX "
                       "file (images or labels)",
                       path);
    const char *what = ns_looks_like(bytes, size);
    bool known = strcmp(what, "text") != 0 && strcmp(what, "an unknown format") != 0;
    if (!known || !memchr(bytes, 0, size < 4096 ? size : 4096)) return NS_OK;
    return ns_fail(err, NS_EINPUT,
                   "%s: expected text or token ids for a model that takes words, found %s", path,
                   what);
}

int ns_text_bytes(const char *path, unsigned char **out, size_t *size, ns_error *err) {
    gzFile file;
    *out = NULL;
    *size = 0;
    int status = ns_gzip_open(&file, path, err);
    if (status) return status;
    status = unpack(file, path, out, size, err);
    gzclose(file);
    return status ? status : refuse_others(*out, *size, path, err);
}
