/* HDF5 1.10 crashes on some damaged files and never ends on others, and no caller can prevent that. So the first look at a file is taken by
 * a child process, which walks over everything that the readers touch; where it dies or does not come to an end, the file is damaged, and
 * this process never lets HDF5 near it.
 *
 * The child is a fork without exec: a library does not know the name of a program that it could start. That is safe here: fork copies the
 * calling thread alone, glibc leaves malloc usable in the child of a process with threads, and HDF5 is in no call of this thread. Another
 * thread could be in a call and hold the lock of a thread-safe HDF5, whose copy nobody would release: a child that waits for it says
 * that it has not begun, and nothing is concluded from that. Then, and where no child can be had, the walk is made here, without the
 * protection, so that a file still cannot lead outside itself. The child uses no OpenMP, writes nothing and leaves by _exit. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include "probe/base/io.h"
#include "probe/store/h5_internal.h"

enum {
    OBJECT_MS =
        250, /* processor time for a group or a dataset with its attributes; 10 µs are usual */
    MOST_MS = 4000,    /* the same, where a large file makes it more: 1 ms for each MiB */
    ALL_SECONDS = 15,  /* processor time for the file */
    WALL_SECONDS = 18, /* where the file is on a slow disk */
    BEGIN_SECONDS = 2, /* until HDF5 has let the child in */
    MEMORY_MIB = 1024, /* beyond what this process has now */
    CACHED = 64,
    MESSAGE = 1024
};

/* What a look at a file found. Fields that the child fills lie in memory that it shares. */
typedef struct verdict {
    volatile sig_atomic_t begun, done;
    int status;
    bool refers, locked;
    char message[MESSAGE]; /* without the name of the file */
    char place[NS_H5_PLACE];
} verdict;

/* ---- in the child ---- */

static void next_object(uint64_t file_size) {
    uint64_t more = file_size >> 20, ms = more > MOST_MS - OBJECT_MS ? MOST_MS : OBJECT_MS + more;
    const struct itimerval limit = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

/* Address space beyond what the fork brought along: sanitizers alone have terabytes of it. */
static void limit_memory(void) {
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    int found = statm ? fscanf(statm, "%lu", &pages) : 0;
    if (statm) fclose(statm);
    rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)MEMORY_MIB << 20);
    struct rlimit limit;
    if (found != 1 || getrlimit(RLIMIT_AS, &limit) != 0 || bytes > limit.rlim_cur) return;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_AS, &limit);
}

/* Deaths are silent: no report of a sanitizer, no core, no word of the C library on a broken heap. */
static void set_limits(void) {
    static const int deadly[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGABRT,
                                 SIGPROF, SIGTERM, SIGXCPU, SIGTRAP};
    const struct rlimit no_core = {0, 0}, time = {ALL_SECONDS, ALL_SECONDS + 1};
    sigset_t none;
    sigemptyset(&none);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_CPU, &time);
    limit_memory();
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) dup2(null, STDERR_FILENO);
}

static bool is_locked(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0) close(fd);
    return locked;
}

static int cannot_open(verdict *v, const char *path, uint64_t size, ns_error *err) {
    v->locked = is_locked(path);
    if (v->locked)
        return ns_fail(err, NS_EFAIL,
                       "locked by another program: expected a file that HDF5 may read now");
    if (H5Fis_hdf5(path) > 0)
        return ns_fail(err, NS_EINPUT, "a damaged HDF5 file: HDF5 cannot open it (%llu bytes)",
                       (unsigned long long)size);
    return ns_fail(err, NS_EINPUT, "expected an HDF5 file, found something else (%llu bytes)",
                   (unsigned long long)size);
}

static void look(verdict *v, const char *path, uint64_t size, void (*step)(uint64_t file_size)) {
    ns_error err = {0};
    step(size);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    snprintf(v->place, sizeof v->place, "its beginning");
    v->begun = 1;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    v->status = file < 0 ? cannot_open(v, path, size, &err)
                         : ns_h5_walk(file, size, v->place, step, &v->refers, &err);
    snprintf(v->place, sizeof v->place, "its end"); /* some damage shows when HDF5 lets go of it */
    if (file >= 0) H5Fclose(file);
    snprintf(v->message, sizeof v->message, "%.*s", (int)sizeof v->message - 1, err.message);
    v->done = 1;
}

/* ---- in the parent ---- */

/* Until the child has closed its end of the pipe, as its death does. Returns false where it had to be killed. */
static bool wait_for(pid_t child, int from, const verdict *v) {
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int done = 0; done <= 0;) {
        struct pollfd end = {.fd = from, .events = POLLIN};
        done = poll(&end, 1, 100);
        clock_gettime(CLOCK_MONOTONIC, &now);
        long seconds = now.tv_sec - began.tv_sec;
        if (done > 0 || (seconds < WALL_SECONDS && (v->begun || seconds < BEGIN_SECONDS))) continue;
        kill(child, SIGKILL);
        return false;
    }
    return true;
}

static void describe_death(verdict *v, bool ended, int how) {
    const char *place = *v->place ? v->place : "/";
    int number = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    v->place[sizeof v->place - 1] = 0;
    v->status = NS_EINPUT;
    v->refers = false;
    if (!ended || number == SIGPROF || number == SIGXCPU || number == SIGKILL)
        snprintf(v->message, sizeof v->message,
                 "a damaged HDF5 file (HDF5 comes to no end at %.400s)", place);
    else
        snprintf(v->message, sizeof v->message, "a damaged HDF5 file (HDF5 crashes at %.400s: %s)",
                 place, number ? strsignal(number) : "it left the program");
}

/* false where no child could be had or it was not let in: then nothing is known. */
static bool ask_child(verdict *v, const char *path, uint64_t size) {
    int ends[2], how = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    pid_t child = fork();
    if (child == 0) {
        set_limits();
        look(v, path, size, next_object);
        _exit(0);
    }
    close(ends[1]);
    bool ended = child > 0 && wait_for(child, ends[0], v);
    close(ends[0]);
    /* A program that ignores SIGCHLD has no status to be had; that the child was done stands in the shared memory. */
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR) continue;
    if (child < 0 || !v->begun) return false;
    if (!v->done) describe_death(v, ended, how);
    return true;
}

/* ---- what is known already ---- */

typedef struct known {
    struct stat file;
    int status;
    bool refers;
    char message[MESSAGE];
} known;

/* For the life of the process, whoever asks: a file is opened several times by most commands. */
static struct {
    pthread_mutex_t lock;
    known files[CACHED];
    unsigned count;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_state(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

static bool recall(const struct stat *file, verdict *v) {
    bool found = false;
    pthread_mutex_lock(&cache.lock);
    for (unsigned i = 0; i < cache.count && i < CACHED && !found; i++) {
        const known *k = &cache.files[i];
        if (!(found = same_state(&k->file, file))) continue;
        v->status = k->status;
        v->refers = k->refers;
        memcpy(v->message, k->message, sizeof v->message);
    }
    pthread_mutex_unlock(&cache.lock);
    return found;
}

static void remember(const struct stat *file, const verdict *v) {
    pthread_mutex_lock(&cache.lock);
    known *k = &cache.files[cache.count++ % CACHED];
    *k = (known){.file = *file, .status = v->status, .refers = v->refers};
    memcpy(k->message, v->message, sizeof k->message);
    pthread_mutex_unlock(&cache.lock);
}

/* ---- the guard ---- */

#ifdef NS_LIBFUZZER
enum { WITH_CHILD = 0 }; /* thousands of files a second; and what crashes there is to be seen */
#else
enum { WITH_CHILD = 1 };
#endif

static void no_limit(uint64_t file_size) {
    (void)file_size;
}

static int guard(const char *path, const struct stat *file, bool *refers, ns_error *err) {
    verdict *v = mmap(NULL, sizeof *v, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (v == MAP_FAILED) return ns_fail(err, NS_EFAIL, "%s: no memory for a look at it", path);
    uint64_t size = (uint64_t)file->st_size;
    if (WITH_CHILD && !recall(file, v)) {
        if (!ask_child(v, path, size)) look(v, path, size, no_limit);
        if (!v->locked) remember(file, v);
    }
    int status = v->status;
    *refers = v->refers;
    if (status) ns_fail(err, status, "%s: %s", path, v->message);
    munmap(v, sizeof *v);
    return status;
}

static int guard_path(const char *path, bool *refers, ns_error *err) {
    int fd;
    uint64_t size;
    struct stat file;
    int status = ns_open_file(&fd, &size, path, err);
    if (status) return status;
    if (fstat(fd, &file) != 0)
        status = ns_fail(err, NS_EINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    close(fd);
    H5open(); /* here, and not anew in every child */
    return status ? status : guard(path, &file, refers, err);
}

int ns_h5_guard_source(const char *path, ns_error *err) {
    bool refers = false;
    int status = guard_path(path, &refers, err);
    if (!status && refers)
        status = ns_fail(err, NS_EINPUT,
                         "%s: a view of other files, expected a file with values of its own", path);
    return status;
}

int ns_h5_open(hid_t *file, const char *path, ns_error *err) {
    bool refers;
    ns_h5_quiet quiet = ns_h5_hush();
    int status = guard_path(path, &refers, err);
    *file = status ? -1 : H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ns_h5_unhush(quiet);
    if (!status && *file < 0)
        status = ns_fail(err, NS_EINPUT, "%s: a damaged HDF5 file: HDF5 cannot open it", path);
    return status;
}
