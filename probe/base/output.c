#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK, O_TMPFILE, renameat2 */
#endif
#include "probe/base/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"

/* ---- locks and identities ---- */

bool ns_file_lock(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    /* A file that may only be read can still be asked. */
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
}

static ns_file_id id_of(const struct stat *st) {
    return (ns_file_id){(uint64_t)st->st_dev, (uint64_t)st->st_ino};
}

ns_file_id ns_file_id_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? id_of(&st) : (ns_file_id){0, 0};
}

ns_file_id ns_file_id_of_fd(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? id_of(&st) : (ns_file_id){0, 0};
}

bool ns_file_id_same(ns_file_id a, ns_file_id b) {
    return a.inode && a.inode == b.inode && a.device == b.device;
}

/* ---- the rule ---- */

static int exists_already(const char *path, ns_error *err) {
    return ns_fail(err, NS_EFAIL, "%s: exists already; --force overwrites it", path);
}

static int is_busy(const char *path, ns_error *err) {
    return ns_fail(err, NS_EFAIL, "%s: is being written by another process", path);
}

/* Where the links of a path's last name lead, which need not be there; the caller frees *out. */
static int follow(const char *path, char **out, ns_error *err) {
    enum { MOST_LINKS = 40 };
    char *at = ns_strdup(path, err), to[PATH_MAX];
    for (int i = 0; at && i <= MOST_LINKS; i++) {
        ssize_t length = readlink(at, to, sizeof to - 1);
        if (length < 0) {
            *out = at;
            return NS_OK;
        }
        to[length] = 0;
        char *folder = ns_folder_of(at, err), *next = NULL;
        if (folder) next = *to == '/' ? ns_strdup(to, err) : ns_path_join(folder, to, err);
        free(folder);
        free(at);
        at = next;
    }
    if (!at) return NS_EFAIL;
    free(at);
    return ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", path, strerror(ELOOP));
}

/* Opened to be asked for its lock, and to hold it; < 0 where that cannot be. */
static int open_there(const char *target) {
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = open(target, O_RDWR | flags);
    return fd < 0 && (errno == EACCES || errno == EROFS) ? open(target, O_RDONLY | flags) : fd;
}

static int cannot_write(const char *path, const char *target, int code, int status, ns_error *err) {
    ns_fail(err, status, "%s: cannot be written: %s", path, strerror(code));
    if (strcmp(path, target) != 0) ns_fail_more(err, " (it is a link to %s)", target);
    return status;
}

static int check_there(const char *path, const char *target, bool force, ns_error *err) {
    struct stat st;
    if (stat(target, &st) != 0)
        return errno == ENOENT ? NS_OK : cannot_write(path, target, errno, NS_EINPUT, err);
    if (!S_ISREG(st.st_mode))
        return ns_fail(err, NS_EINPUT, "%s: expected the name of a file to write, found %s", path,
                       ns_file_kind(st.st_mode));
    if (!force) return exists_already(path, err);
    int fd = open_there(target);
    bool free_to_take = fd < 0 || ns_file_lock(fd);
    if (fd >= 0) close(fd);
    return free_to_take ? NS_OK : is_busy(path, err);
}

int ns_output_decide(const char *path, bool force, const char *const *inputs, int count,
                     char **target, ns_error *err) {
    *target = NULL;
    for (int i = 0; i < count; i++) {
        if (!inputs[i] || !ns_is_same_file(inputs[i], path)) continue;
        ns_fail(err, NS_EUSAGE, "%s: is read, so it cannot be what is written", path);
        if (strcmp(inputs[i], path) != 0) ns_fail_more(err, " (it is %s)", inputs[i]);
        return NS_EUSAGE;
    }
    struct stat st; /* before links are followed: those of /dev/stdout lead to no name */
    int status =
        stat(path, &st) == 0 && !S_ISREG(st.st_mode) ? check_there(path, path, force, err) : NS_OK;
    if (status) return status;
    status = follow(path, target, err);
    if (!status) status = check_there(path, *target, force, err);
    if (status) {
        free(*target);
        *target = NULL;
    }
    return status;
}

int ns_output_ready(const char *path, bool force, const char *const *inputs, int count,
                    ns_error *err) {
    char *target, *folder = NULL, *within = NULL;
    int status = ns_output_decide(path, force, inputs, count, &target, err);
    if (status) return status;
    if ((folder = ns_folder_of(target, err))) within = ns_path_join(folder, ".", err);
    if (!within)
        status = NS_EFAIL;
    else if (access(within, W_OK | X_OK) != 0)
        status = cannot_write(path, target, errno, NS_EINPUT, err);
    free(within);
    free(folder);
    free(target);
    return status;
}

/* ---- names ---- */

/* Where a target's name begins, and how much of it goes into that of its parts: with their ending it must be a name still. */
static const char *part_base(const char *target, size_t *length) {
    enum { MOST = 200 };
    const char *slash = strrchr(target, '/'), *base = slash ? slash + 1 : target;
    *length = strnlen(base, MOST);
    return base;
}

static char *part_name(const char *target, ns_error *err) {
    size_t length;
    const char *base = part_base(target, &length);
    return ns_asprintf(err, "%.*s%.*s.part-%ld", (int)(base - target), target, (int)length, base,
                       (long)getpid());
}

/* The process of a name like BASE.part-123; 0 where it is none of those. */
static long part_of(const char *name, const char *base, size_t n) {
    static const char mark[] = ".part-";
    if (strncmp(name, base, n) != 0 || strncmp(name + n, mark, strlen(mark)) != 0) return 0;
    const char *digits = name + n + strlen(mark);
    size_t count = strspn(digits, "0123456789");
    return count && count < 10 && !digits[count] ? atol(digits) : 0;
}

/* What processes that are gone left of this output. The lock tells of those that live where this process does not see them. */
static void remove_dead(const char *target) {
    char *folder = ns_folder_of(target, NULL);
    DIR *list = folder ? opendir(folder) : NULL;
    size_t length;
    const char *base = part_base(target, &length);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        long pid = part_of(entry->d_name, base, length);
        if (pid <= 0 || pid == (long)getpid() || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        int fd = openat(dirfd(list), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ns_file_lock(fd))
            unlinkat(dirfd(list), entry->d_name, 0);
        if (fd >= 0) close(fd);
    }
    if (list) closedir(list);
    free(folder);
}

/* Never over a file, where the file system knows how. 0 or -1 with errno. */
static int rename_new(const char *from, const char *to) {
    int done = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (done == 0 || (errno != EINVAL && errno != ENOSYS)) return done;
    return rename(from, to);
}

/* Over what has the name, whose lock is held meanwhile; EBUSY where another process has it. 0 or -1 with errno. */
static int rename_over(const char *from, const char *to) {
    for (;;) {
        int old = open_there(to), done, code;
        if (old >= 0 && !ns_file_lock(old)) {
            close(old);
            errno = EBUSY;
            return -1;
        }
        /* Another file may have come there since it was opened: that one has a lock of its own. */
        if (old >= 0 && !ns_file_id_same(ns_file_id_of_fd(old), ns_file_id_of(to))) {
            close(old);
            continue;
        }
        done = rename(from, to), code = errno;
        if (old >= 0) close(old);
        errno = code;
        return done;
    }
}

/* Gives a file without a name one. 0 or -1 with errno. */
static int link_open(int fd, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* 0 or -1 with errno. */
static int take_name(ns_output *out) {
    int done;
    if (!out->temporary) {
        done = link_open(out->fd, out->target);
        if (done == 0 || errno != EEXIST || !out->force) return done;
        /* There is one to be replaced: a name beside it first, since a link never replaces. */
        if (!(out->temporary = part_name(out->target, NULL))) return errno = ENOMEM, -1;
        unlink(out->temporary);
        if (link_open(out->fd, out->temporary) != 0) return -1;
    }
    done = out->force ? rename_over(out->temporary, out->target)
                      : rename_new(out->temporary, out->target);
    if (done != 0) return -1;
    free(out->temporary);
    out->temporary = NULL;
    return 0;
}

static int name_failed(const char *path, const char *target, int code, ns_error *err) {
    return code == EEXIST  ? exists_already(path, err)
           : code == EBUSY ? is_busy(path, err)
                           : cannot_write(path, target, code, NS_EFAIL, err);
}

/* ---- outputs ---- */

/* A file without a name where that is possible, else one beside the target. */
static int make_file(ns_output *out, ns_error *err) {
    char *folder = ns_folder_of(out->target, err);
    if (!folder) return NS_EFAIL;
    bool proc = access("/proc/self/fd", X_OK) == 0; /* else it could not be given one later */
    out->fd = proc ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666) : -1;
    free(folder);
    if (out->fd < 0) {
        if (!(out->temporary = part_name(out->target, err))) return NS_EFAIL;
        out->fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (out->fd >= 0) {
        ns_file_lock(out->fd);
        return NS_OK;
    }
    int code = errno;
    free(out->temporary);
    out->temporary = NULL;
    return cannot_write(out->path, out->target, code, NS_EINPUT, err);
}

int ns_output_begin(ns_output *out, const char *path, bool force, ns_error *err) {
    *out = (ns_output){.fd = -1, .force = force};
    int status = ns_output_decide(path, force, NULL, 0, &out->target, err);
    if (!status && !(out->path = ns_strdup(path, err))) status = NS_EFAIL;
    if (!status) {
        remove_dead(out->target);
        status = make_file(out, err);
    }
    if (status) ns_output_drop(out);
    return status;
}

int ns_output_open(ns_output *out, const char *path, bool force, ns_error *err) {
    int status = ns_output_begin(out, path, force, err);
    if (!status && !(out->file = fdopen(out->fd, "wb"))) {
        status = ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
        ns_output_drop(out);
    }
    return status;
}

int ns_output_name(ns_output *out, ns_error *err) {
    if (take_name(out) != 0) return name_failed(out->path, out->target, errno, err);
    return ns_sync_folder_of(out->target, err);
}

/* Why a stream fails: what it met is forgotten, but meets whoever asks again. 0 where all is well. */
static int stream_failure(const ns_output *out) {
    bool failed = ferror(out->file) != 0;
    if (fflush(out->file) != 0) return errno;
    if (!failed) return ns_sync_fd(out->fd) == 0 ? 0 : errno;
    return pwrite(out->fd, "", 1, lseek(out->fd, 0, SEEK_END)) == 1 ? EIO : errno;
}

int ns_output_commit(ns_output *out, ns_error *err) {
    int code = out->file ? stream_failure(out) : ns_sync_fd(out->fd) == 0 ? 0 : errno;
    int status =
        code ? cannot_write(out->path, out->target, code, NS_EFAIL, err) : ns_output_name(out, err);
    ns_output_drop(out);
    return status;
}

void ns_output_drop(ns_output *out) {
    if (out->temporary) unlink(out->temporary);
    if (out->file)
        fclose(out->file);
    else if (out->target && out->fd >= 0)
        close(out->fd);
    free(out->temporary);
    free(out->target);
    free(out->path);
    *out = (ns_output){.fd = -1};
}

/* For a target on another file system, where a rename does not reach. */
static int copy_to(int fd, const char *path, bool force, ns_error *err) {
    ns_output out;
    char piece[65536];
    int status = ns_output_begin(&out, path, force, err);
    for (uint64_t at = 0; !status;) {
        ssize_t n = pread(fd, piece, sizeof piece, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            status = ns_fail(err, NS_EFAIL, "%s: cannot be copied: %s", path, strerror(errno));
        if (n <= 0) break;
        status = ns_pwrite_all(out.fd, piece, (size_t)n, at, path, err);
        at += (uint64_t)n;
    }
    if (!status) status = ns_output_commit(&out, err);
    ns_output_drop(&out);
    return status;
}

int ns_output_place(const char *from, const char *path, bool force, ns_error *err) {
    char *target;
    int status = ns_output_decide(path, force, NULL, 0, &target, err);
    if (status) return status;
    int fd = open(from, O_RDONLY | O_CLOEXEC), code = fd < 0 || ns_sync_fd(fd) != 0 ? errno : 0;
    if (!code && (force ? rename_over(from, target) : rename_new(from, target)) != 0) code = errno;
    if (code == EXDEV) {
        status = copy_to(fd, path, force, err);
        if (!status) unlink(from);
    } else {
        status = code ? name_failed(path, target, code, err) : ns_sync_folder_of(target, err);
    }
    if (fd >= 0) close(fd);
    free(target);
    return status;
}
