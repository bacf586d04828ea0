#define _GNU_SOURCE /* memfd_create */

#include "probe/base/stdin.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/io.h"

static int copy_all(int to, ns_error *err) {
    unsigned char piece[65536];
    uint64_t size = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return ns_fail(err, NS_EINPUT, "standard input cannot be read: %s", strerror(errno));
        if (!got) return NS_OK;
        if (size + (uint64_t)got > NS_STDIN_MOST)
            return ns_fail(err, NS_EINPUT,
                           "standard input: expected at most %zu bytes, found more: give a file",
                           NS_STDIN_MOST);
        int status = ns_pwrite_all(to, piece, (size_t)got, size, "standard input", err);
        if (status) return status;
        size += (uint64_t)got;
    }
}

int ns_stdin_whole(ns_error *err) {
    struct stat st;
    if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode)) return NS_OK;
    int fd = memfd_create("stdin", MFD_CLOEXEC);
    if (fd < 0) return ns_fail(err, NS_EFAIL, "no file in memory: %s", strerror(errno));
    int status = copy_all(fd, err);
    if (!status && dup2(fd, STDIN_FILENO) < 0)
        status = ns_fail(err, NS_EFAIL, "no file in memory: %s", strerror(errno));
    close(fd);
    return status;
}
