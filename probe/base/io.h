/* Files: whole reads and writes, mapped files, and a new file that takes the old one's place at once. */
#ifndef NS_IO_H
#define NS_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All `count` bytes at `offset`, through short counts and EINTR. `path` is for the message alone. A file that ends
 * early is NS_EINPUT, any other failure NS_EFAIL with the system's reason (no space, input/output error). */
int ns_pread_all(int fd, void *bytes, size_t count, uint64_t offset, const char *path,
                 ns_error *err);
int ns_pwrite_all(int fd, const void *bytes, size_t count, uint64_t offset, const char *path,
                  ns_error *err);

/* Opens a file for reading; the caller closes *fd. NS_EINPUT where there is none or it may not be read, and where a folder, a
 * pipe or a device stands there: files are read in any order and more than once. Never waits for a pipe's writer. */
int ns_open_file(int *fd, uint64_t *size, const char *path, ns_error *err);

/* A file mapped for reading. bytes is NULL where the file is empty. */
typedef struct ns_mapped {
    const unsigned char *bytes;
    size_t size;
} ns_mapped;

/* NS_EINPUT as ns_open_file has it. ns_unmap(&m) may be called twice. */
int ns_map_file(ns_mapped *out, const char *path, ns_error *err);
void ns_unmap(ns_mapped *mapped);

/* The whole of a text file, closed by a zero that size does not count. The caller frees it. A file larger than
 * `most` bytes is NS_EINPUT. */
int ns_read_text(char **out, size_t *size, const char *path, size_t most, ns_error *err);

/* Brings the name that a file has just been given to the disk: without it the file's old name, or none, may be there after the power
 * fails. NS_EFAIL where that fails; file systems that cannot do it and folders that may not be read are passed over. */
int ns_sync_folder_of(const char *path, ns_error *err);

/* Gives a finished file that something else wrote its last name, over what has it; contents and name are brought to the disk. NS_EFAIL. */
int ns_move_into_place(const char *from, const char *path, ns_error *err);

/* An output that appears under its name only when it is complete: written beside it under a name of its own, brought to the disk, and
 * renamed by ns_output_commit. ns_output_drop removes what was written; after a commit it does nothing, so that it
 * may stand on every way out. An existing `path` is NS_EFAIL unless `force`. What is no file is NS_EINPUT. */
typedef struct ns_output {
    FILE *file;
    char *path, *temporary;
} ns_output;
int ns_output_open(ns_output *out, const char *path, bool force, ns_error *err);
int ns_output_commit(ns_output *out, ns_error *err);
void ns_output_drop(ns_output *out);

/* Asks before any work is done whether `path` may be written: it is none of the `count` inputs (NS_EUSAGE, by whatever name or link; inputs
 * may be NULL or missing), no file is there without `force` (NS_EFAIL), and its folder takes new files (NS_EINPUT). */
int ns_output_ready(const char *path, bool force, const char *const *inputs, int count,
                    ns_error *err);

/* NS_EINPUT where something other than a file stands under the name of an output: a rename would put a file into its
 * place, and /dev/null would be gone. */
int ns_output_check(const char *path, ns_error *err);

/* Anything of that name, a link to nowhere too: what is there and cannot be read is to be complained of, not passed over. */
bool ns_is_there(const char *path);
bool ns_is_folder(const char *path);
bool ns_is_file(const char *path);

/* Whether two names lead to one file or folder. False where one leads nowhere. */
bool ns_is_same_file(const char *a, const char *b);

/* What the first bytes of a file say that it is: "a PNG image", "text", "an unknown format"; for messages. */
const char *ns_looks_like(const unsigned char *bytes, size_t size);

/* folder/name; the caller frees it. */
char *ns_path_join(const char *folder, const char *name, ns_error *err);

/* "1.5 MiB" and the like, into `text`, which is returned. */
char *ns_human_bytes(double bytes, char text[24]);

#ifdef __cplusplus
}
#endif
#endif
