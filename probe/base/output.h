/* Outputs: who may write what, and a new file that takes the old one's place at once.
 *
 * One rule for every command. An output is refused where it is one of the inputs (NS_EUSAGE), where it exists and there is no --force
 * (NS_EFAIL), where another process is writing it (NS_EFAIL), and where what stands there is no file (NS_EINPUT: a rename would put a file
 * into its place, and /dev/null would be gone). A link is followed, to nowhere too: what it leads to is written, and the link stays.
 *
 * Whoever writes a file for long holds a lock of its open file, which HDF5's own (flock) does not see, so that readers are not kept out; and
 * whoever replaces a file holds that file's lock while it does. So nothing that is being written is ever replaced, by no race either. */
#ifndef NS_OUTPUT_H
#define NS_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rule, and the file that is meant: `path`, or where its links lead. The caller frees *target. inputs [count] may be NULL or missing. */
int ns_output_decide(const char *path, bool force, const char *const *inputs, int count,
                     char **target, ns_error *err);

/* The rule before any work is done; besides, the folder must take new files (NS_EINPUT). */
int ns_output_ready(const char *path, bool force, const char *const *inputs, int count,
                    ns_error *err);

/* An output that appears under its name only when it is complete. Until then it has no name at all, so that nothing is left of a killed
 * process; where the file system cannot do that it is NAME.part-PID beside it, and those of processes that are gone are removed. */
typedef struct ns_output {
    FILE *file; /* NULL after ns_output_begin */
    int fd;     /* reads and writes, locked */
    char *path, *target, *temporary;
    bool force;
} ns_output;

int ns_output_begin(ns_output *out, const char *path, bool force, ns_error *err);
/* As begin, with a stream. */
int ns_output_open(ns_output *out, const char *path, bool force, ns_error *err);
/* Gives the file its name, unless the rule has come to forbid it meanwhile; it stays open. */
int ns_output_name(ns_output *out, ns_error *err);
/* Brings what was written to the disk, names it and closes it. */
int ns_output_commit(ns_output *out, ns_error *err);
/* Removes what has no name yet and closes the file; after a commit it does nothing, so that it may stand on every way out. */
void ns_output_drop(ns_output *out);

/* Gives a finished file that something else wrote its last name, by the rule; contents and name are brought to the disk. */
int ns_output_place(const char *from, const char *path, bool force, ns_error *err);

/* Takes the lock of a file for as long as fd is open. False where another process has it; true where there are no such locks. */
bool ns_file_lock(int fd);

/* Which file stands under a name; zeros where none does. */
typedef struct ns_file_id {
    uint64_t device, inode;
} ns_file_id;
ns_file_id ns_file_id_of(const char *path);
ns_file_id ns_file_id_of_fd(int fd);
bool ns_file_id_same(ns_file_id a, ns_file_id b); /* false where there is none */

#ifdef __cplusplus
}
#endif
#endif
