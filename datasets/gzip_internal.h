/* Files that are plain or gzip: zlib's gz functions read plain ones as they are. Not installed as an interface. */
#ifndef NS_GZIP_INTERNAL_H
#define NS_GZIP_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "probe/base/error.h"

/* To be closed by gzclose. */
int ns_gzip_open(gzFile *out, const char *path, ns_error *err);

/* After a read that gave less than was asked for: whether that is gzip's fault, damaged or cut short after so many unpacked bytes,
 * which is then described, NS_EINPUT. */
bool ns_gzip_failed(gzFile file, const char *path, uint64_t unpacked, ns_error *err);

#endif
