/* Files: whole reads and writes, mapped files, names. What is written anew: probe/base/output.h. */
#ifndef NS_IO_H
#define NS_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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

/* 0, or -1 with errno. Some file systems have nothing to do and say EINVAL, which is passed over. */
int ns_sync_fd(int fd);

/* The folder that a file of that name is in, "." where the name has none; the caller frees it. */
char *ns_folder_of(const char *path, ns_error *err);

/* What stands where a file is expected, by its st_mode: "a folder", "a pipe". */
const char *ns_file_kind(mode_t mode);

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
