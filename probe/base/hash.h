/* SHA-256, so that a hash in a file of ours can be compared with sha256sum's and with what model hubs print. */
#ifndef NS_HASH_H
#define NS_HASH_H

#include <stddef.h>

#include "probe/base/api.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_HASH_HEX 65 /* 64 lower-case hexadecimal digits and the closing zero */

typedef struct ns_hash ns_hash;

/* Starts a hash; NULL on failure. ns_hash_end frees it. */
NS_API ns_hash *ns_hash_begin(ns_error *err);
NS_API void ns_hash_add(ns_hash *hash, const void *bytes, size_t count);
/* Writes the digest of all bytes added and frees the hash. hex may be NULL to give up. */
NS_API void ns_hash_end(ns_hash *hash, char hex[NS_HASH_HEX]);

/* The digest of the bytes of a file, read in pieces. NS_EINPUT where it cannot be read. */
NS_API int ns_hash_file(const char *path, char hex[NS_HASH_HEX], ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
