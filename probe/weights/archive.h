/* A zip archive in memory, read by libzip. What is stored as it is, as torch.save does, is used where it lies; what is deflated is unpacked
 * when it is asked for. */
#ifndef NS_ARCHIVE_H
#define NS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_ARCHIVE_MOST_UNPACKED                                                                   \
    (1ull << 30) /* bytes, of all entries of an archive that are unpacked */

typedef struct ns_archive ns_archive;

typedef struct ns_archive_entry {
    const char *name;
    uint64_t size;          /* bytes, unpacked */
    uint64_t packed, begin; /* bytes in the archive, and from where on */
    uint32_t crc;           /* of the unpacked bytes; 0 where torch.save was told to leave it out */
    int method;             /* 0: stored as it is */
    unsigned char *unpacked; /* owned, or NULL */
    uint64_t index;
} ns_archive_entry;

/* Finds the entries of an archive, whose bytes are borrowed. NS_EINPUT, with `path`, where it is no archive, is cut short, names an entry
 * twice, has entries that overlap, are encrypted or do not lie within it. */
int ns_archive_open(ns_archive **out, const unsigned char *bytes, size_t size, const char *path,
                    ns_error *err);
void ns_archive_close(ns_archive *archive);

/* In order of name. */
size_t ns_archive_count(const ns_archive *archive);
ns_archive_entry *ns_archive_at(const ns_archive *archive, size_t i);
/* The entry of that name, NULL where there is none. */
ns_archive_entry *ns_archive_find(const ns_archive *archive, const char *name);

/* The entry's bytes where it is stored as it is; NULL where it is packed. */
const unsigned char *ns_archive_stored(const ns_archive *archive, const ns_archive_entry *entry);
/* The entry's bytes, unpacked where need be, valid until the archive is closed. NS_EINPUT where that fails or goes beyond
 * NS_ARCHIVE_MOST_UNPACKED. */
int ns_archive_read(ns_archive *archive, ns_archive_entry *entry, const unsigned char **out,
                    ns_error *err);
/* The same, and the bytes are held against their checksum. */
int ns_archive_read_checked(ns_archive *archive, ns_archive_entry *entry, const unsigned char **out,
                            ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
