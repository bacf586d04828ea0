#include "datasets/gzip_internal.h"

#include <string.h>
#include <unistd.h>

#include "probe/base/io.h"

int ns_gzip_open(gzFile *out, const char *path, ns_error *err) {
    int fd;
    uint64_t size;
    int status = ns_open_file(&fd, &size, path, err);
    if (status) return status;
    *out = gzdopen(fd, "rb");
    if (!*out) {
        close(fd);
        return ns_fail(err, NS_EFAIL, "%s: zlib cannot begin", path);
    }
    gzbuffer(*out, 1 << 17);
    return NS_OK;
}

bool ns_gzip_failed(gzFile file, const char *path, uint64_t unpacked, ns_error *err) {
    int code;
    const char *reason = gzerror(file, &code);
    if (code == Z_OK || code == Z_STREAM_END) return false;
    const char *colon = strrchr(reason, ':'); /* zlib puts a name before it */
    if (code == Z_BUF_ERROR)
        ns_fail(err, NS_EINPUT,
                "%s: expected a whole gzip file, found it cut short after %llu unpacked bytes",
                path, (unsigned long long)unpacked);
    else
        ns_fail(err, NS_EINPUT, "%s: damaged gzip data: %s", path,
                colon && colon[1] ? colon + 2 : reason);
    return true;
}
