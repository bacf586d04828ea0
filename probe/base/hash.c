#include "probe/base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* An ns_hash is libcrypto's context under a name of ours, so that no header of ours includes one of its. */

ns_hash *ns_hash_begin(ns_error *err) {
    ns_hash *hash = (ns_hash *)EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex((EVP_MD_CTX *)hash, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free((EVP_MD_CTX *)hash);
        ns_fail(err, NS_EFAIL, "SHA-256 is not available from libcrypto");
        return NULL;
    }
    return hash;
}

void ns_hash_add(ns_hash *hash, const void *bytes, size_t count) {
    EVP_DigestUpdate((EVP_MD_CTX *)hash, bytes, count);
}

void ns_hash_end(ns_hash *hash, char hex[NS_HASH_HEX]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!hash) return;
    EVP_DigestFinal_ex((EVP_MD_CTX *)hash, digest, &length);
    EVP_MD_CTX_free((EVP_MD_CTX *)hash);
    if (!hex) return;
    for (unsigned i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

int ns_hash_file(const char *path, char hex[NS_HASH_HEX], ns_error *err) {
    FILE *file = fopen(path, "rb");
    if (!file) return ns_fail(err, NS_EINPUT, "%s: cannot be read: %s", path, strerror(errno));
    ns_hash *hash = ns_hash_begin(err);
    if (!hash) {
        fclose(file);
        return NS_EFAIL;
    }
    char piece[1 << 16];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0) ns_hash_add(hash, piece, got);
    int failed = ferror(file), code = errno;
    fclose(file);
    ns_hash_end(hash, hex);
    if (failed) return ns_fail(err, NS_EINPUT, "%s: cannot be read: %s", path, strerror(code));
    return NS_OK;
}
