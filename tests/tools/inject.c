/* Preloaded: makes one call that changes a file fail, or ends the process there. For tests of what a full disk and a kill leave.
 *
 *     INJECT_PATH   only calls on files whose name contains this, or that have no name yet
 *     INJECT_AT     the call, from 1; 0: none, count only
 *     INJECT_MODE   full (this call and all later ones: ENOSPC), once (this call alone), short (half of it is written, then the disk is
 *                   full), kill (SIGKILL before it), after (SIGKILL after it)
 *     INJECT_ERRNO  number of the error, instead of ENOSPC
 *     INJECT_NAMED  set: as on a file system whose files must have a name from the first (no O_TMPFILE)
 *     INJECT_TEMPORARY  temporary files (tmpfile), from the second on, hold so many bytes, and are on a full disk then
 *     INJECT_COUNT  a file that receives the number of calls at exit */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static int is_watched(const char *path) {
    const char *part = getenv("INJECT_PATH");
    return part && path && strstr(path, part) != NULL;
}

/* "/folder/#123 (deleted)": a file that is to be given its name when it is whole. */
static int is_nameless(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] == '#' && strstr(slash, " (deleted)");
}

static int is_watched_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return is_watched(path) || is_nameless(path);
}

static int failure_code(void) {
    const char *code = getenv("INJECT_ERRNO");
    return code ? atoi(code) : ENOSPC;
}

enum action { PASS, FAIL, HALF, KILL_AFTER };

/* What happens to the next watched call. */
static enum action next_call(void) {
    const char *at = getenv("INJECT_AT"), *mode = getenv("INJECT_MODE");
    long mine = ++calls, wanted = at ? atol(at) : 0;
    if (!wanted || !mode || mine < wanted) return PASS;
    if (!strcmp(mode, "full")) return FAIL;
    if (!strcmp(mode, "short")) return mine == wanted ? HALF : FAIL;
    if (mine != wanted) return PASS;
    if (!strcmp(mode, "once")) return FAIL;
    if (!strcmp(mode, "kill")) kill(getpid(), SIGKILL);
    return !strcmp(mode, "after") ? KILL_AFTER : PASS;
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("INJECT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", (long)calls);
    fclose(file);
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* A call that returns bytes or -1 with errno. `half` is the same call with half the count. */
#define INJECT_COUNTED(fd, whole, half)                                                            \
    if (!is_watched_fd(fd)) return whole;                                                          \
    enum action what = next_call();                                                                \
    if (what == FAIL) {                                                                            \
        errno = failure_code();                                                                    \
        return -1;                                                                                 \
    }                                                                                              \
    ssize_t done = what == HALF ? half : whole;                                                    \
    if (what == KILL_AFTER) kill(getpid(), SIGKILL);                                               \
    return done;

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    INJECT_COUNTED(fd, real(fd, bytes, count), real(fd, bytes, count / 2))
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(pwrite);
    INJECT_COUNTED(fd, real(fd, bytes, count, at), real(fd, bytes, count / 2, at))
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(pwrite64);
    INJECT_COUNTED(fd, real(fd, bytes, count, at), real(fd, bytes, count / 2, at))
}

/* A call that succeeds or fails whole; posix_fallocate returns its error. */
#define INJECT_WHOLE(watched, call, failure)                                                       \
    if (!(watched)) return call;                                                                   \
    enum action what = next_call();                                                                \
    if (what == FAIL || what == HALF) {                                                            \
        errno = failure_code();                                                                    \
        return failure;                                                                            \
    }                                                                                              \
    int done = call;                                                                               \
    if (what == KILL_AFTER) kill(getpid(), SIGKILL);                                               \
    return done;

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    INJECT_WHOLE(is_watched_fd(fd), real(fd, size), -1)
}
int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    INJECT_WHOLE(is_watched_fd(fd), real(fd, size), -1)
}
int posix_fallocate(int fd, off_t at, off_t size) {
    REAL(posix_fallocate);
    INJECT_WHOLE(is_watched_fd(fd), real(fd, at, size), failure_code())
}
int posix_fallocate64(int fd, off64_t at, off64_t size) {
    REAL(posix_fallocate64);
    INJECT_WHOLE(is_watched_fd(fd), real(fd, at, size), failure_code())
}
int fsync(int fd) {
    REAL(fsync);
    INJECT_WHOLE(is_watched_fd(fd), real(fd), -1)
}
int fdatasync(int fd) {
    REAL(fdatasync);
    INJECT_WHOLE(is_watched_fd(fd), real(fd), -1)
}

/* A stream's writes are the C library's own calls, which nothing preloaded meets: so the stream of a watched file writes by what stands above. */
static ssize_t stream_write(void *file, const char *bytes, size_t count) {
    ssize_t done = write(*(int *)file, bytes, count);
    return done < 0 ? 0 : done;
}
static int stream_seek(void *file, off64_t *to, int whence) {
    off64_t at = lseek64(*(int *)file, *to, whence);
    if (at < 0) return -1;
    *to = at;
    return 0;
}
static int stream_close(void *file) {
    int status = close(*(int *)file);
    free(file);
    return status;
}
FILE *fdopen(int fd, const char *mode) {
    REAL(fdopen);
    int *file = *mode == 'w' && is_watched_fd(fd) ? malloc(sizeof *file) : NULL;
    if (!file) return real(fd, mode);
    *file = fd;
    return fopencookie(
        file, mode,
        (cookie_io_functions_t){.write = stream_write, .seek = stream_seek, .close = stream_close});
}

/* A temporary file that is full after some bytes. */
typedef struct temporary {
    FILE *file;
    long room;
} temporary;
static ssize_t temporary_read(void *state, char *bytes, size_t count) {
    return (ssize_t)fread(bytes, 1, count, ((temporary *)state)->file);
}
static ssize_t temporary_write(void *state, const char *bytes, size_t count) {
    temporary *t = state;
    size_t fits = (long)count > t->room ? (size_t)t->room : count;
    t->room -= (long)fits;
    if (!fits && count) errno = ENOSPC;
    return (ssize_t)fwrite(bytes, 1, fits, t->file);
}
static int temporary_seek(void *state, off64_t *to, int whence) {
    temporary *t = state;
    if (fseeko64(t->file, *to, whence) != 0) return -1;
    *to = ftello64(t->file);
    return 0;
}
static int temporary_close(void *state) {
    int status = fclose(((temporary *)state)->file);
    free(state);
    return status;
}
FILE *tmpfile(void) {
    static int before;
    REAL(tmpfile);
    const char *room = getenv("INJECT_TEMPORARY");
    temporary *t = room && before++ ? malloc(sizeof *t) : NULL;
    if (!t) return real();
    *t = (temporary){real(), atol(room)};
    return fopencookie(
        t, "w+",
        (cookie_io_functions_t){temporary_read, temporary_write, temporary_seek, temporary_close});
}

static int open_as(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if ((flags & O_TMPFILE) != O_TMPFILE || !getenv("INJECT_NAMED")) return real(path, flags, mode);
    errno = EOPNOTSUPP;
    return -1;
}
int open(const char *path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_as(real, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_as(real, path, flags, mode);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    INJECT_WHOLE(is_watched(to), real(from, to), -1)
}
int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REAL(linkat);
    INJECT_WHOLE(is_watched(to), real(from_folder, from, to_folder, to, flags), -1)
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    REAL(renameat2);
    INJECT_WHOLE(is_watched(to), real(from_folder, from, to_folder, to, flags), -1)
}
