/* The guard before HDF5 as a library has it: in a process with threads, with any way of children's ends, and of files that change. What it
 * says of damaged files is tested by tests/cli/test_damaged.py. */
#include <fcntl.h>
#include <hdf5.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "probe/base/error.h"
#include "probe/store/h5.h"
#include "tests/runner.h"

/* A file with one number and, where `elsewhere` is given, a link to that. */
static const char *make(const char *name, const char *elsewhere) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", ns_tests_folder(), name);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    ns_error err = {0};
    assert_int_equal(ns_h5_set_int(file, "number", 7, &err), NS_OK);
    if (elsewhere)
        assert_true(H5Lcreate_external(elsewhere, "/x", file, "out", H5P_DEFAULT, H5P_DEFAULT) >=
                    0);
    H5Fclose(file);
    return path;
}

static int open_and_close(const char *path, ns_error *err) {
    hid_t file;
    int status = ns_h5_open(&file, path, err);
    int64_t number = 0;
    assert_true((status == NS_OK) == (file >= 0));
    if (status) return status;
    assert_true(ns_h5_get_int(file, "number", &number) && number == 7);
    H5Fclose(file);
    return NS_OK;
}

static void with_threads(void **state) {
    (void)state;
    ns_error err = {0};
    int sum = 0;
#pragma omp parallel for reduction(+ : sum) num_threads(4)
    for (int i = 0; i < 100; i++) sum += i;
    assert_int_equal(sum, 4950);
    assert_int_equal(open_and_close(make("threads.h5", NULL), &err), NS_OK);
    assert_int_equal(open_and_close(make("threads.h5", "other.h5"), &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "threads.h5: /out is a link to /x of other.h5, expected"));
}

/* A program may leave no status of its children, or none to be waited for. */
static void children_ignored(void **state) {
    (void)state;
    ns_error err = {0};
    char path[512];
    struct sigaction ignore = {.sa_handler = SIG_IGN}, kept;
    snprintf(path, sizeof path, "%s", make("ignored.h5", NULL));
    const char *outside = make("ignored-out.h5", "other.h5");
    sigaction(SIGCHLD, &ignore, &kept);
    int good = open_and_close(path, &err), bad = open_and_close(outside, &err);
    sigaction(SIGCHLD, &kept, NULL);
    assert_int_equal(good, NS_OK);
    assert_int_equal(bad, NS_EINPUT);
}

/* What was found is kept for a file as it is, not for its name. */
static void changed_files(void **state) {
    (void)state;
    ns_error err = {0};
    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    for (int round = 0; round < 3; round++) {
        times[1].tv_sec++; /* the clock of a file system may stand still for some milliseconds */
        const char *path = make("changed.h5", round == 1 ? "other.h5" : NULL);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        for (int again = 0; again < 3; again++)
            assert_int_equal(open_and_close(path, &err), round == 1 ? NS_EINPUT : NS_OK);
    }
}

/* More files than are kept in mind. */
static void many_files(void **state) {
    (void)state;
    ns_error err = {0};
    char name[32];
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "many-%d.h5", i);
        const char *path = make(name, i % 2 ? "other.h5" : NULL);
        assert_int_equal(open_and_close(path, &err), i % 2 ? NS_EINPUT : NS_OK);
        unlink(path);
    }
}

/* Another thread that goes into HDF5, and takes its lock, right before a fork, and comes out when that is told: the child has a lock that nobody
 * gives back. */
static struct {
    bool on;
    const char *path;
    sem_t enter, inside, leave;
    unsigned forks;
} other;

static herr_t stay_inside(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group, (void)name, (void)info, (void)user;
    sem_post(&other.inside);
    while (sem_wait(&other.leave) != 0) continue;
    return 1;
}

static void *call_hdf5(void *unused) {
    hid_t file = H5Fopen(other.path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (;;) {
        while (sem_wait(&other.enter) != 0) continue;
        if (!other.on) break;
        H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, stay_inside, NULL);
    }
    H5Fclose(file);
    return unused;
}

static void before_fork(void) {
    if (!other.on) return;
    other.forks++;
    sem_post(&other.enter);
    while (sem_wait(&other.inside) != 0) continue;
}

static void after_fork(void) {
    if (other.on) sem_post(&other.leave);
}

/* The child does not come to begin. It is given up after two seconds, nothing is concluded from it, and the look is taken here. */
static void another_thread_within(void **state) {
    (void)state;
    hbool_t safe = 0;
    pthread_t thread;
    char good[512], outside[512], cut[512], with_link[512];
    ns_error err = {0};
    if (H5is_library_threadsafe(&safe) < 0 || !safe) skip();
    snprintf(with_link, sizeof with_link, "%s", make("within.h5", "other.h5"));
    snprintf(good, sizeof good, "%s", make("within-good.h5", NULL));
    snprintf(outside, sizeof outside, "%s", make("within-out.h5", "other.h5"));
    snprintf(cut, sizeof cut, "%s", make("within-cut.h5", NULL));
    assert_int_equal(truncate(cut, 600), 0);
    other.path = with_link;
    assert_int_equal(sem_init(&other.enter, 0, 0) | sem_init(&other.inside, 0, 0) |
                         sem_init(&other.leave, 0, 0) |
                         pthread_atfork(before_fork, after_fork, NULL),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, call_hdf5, NULL), 0);
    const char *const paths[] = {good, outside, cut};
    const int statuses[] = {NS_OK, NS_EINPUT, NS_EINPUT};
    const char *const said[] = {"", "/out is a link to /x of other.h5", "a damaged HDF5 file"};
    struct timespec began, now;
    for (int i = 0; i < 3; i++) {
        err.message[0] = 0;
        clock_gettime(CLOCK_MONOTONIC, &began);
        other.on = true;
        int status = open_and_close(paths[i], &err);
        other.on = false;
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_int_equal(status, statuses[i]);
        assert_non_null(strstr(err.message, said[i]));
        assert_true(now.tv_sec - began.tv_sec >= 1); /* a child was given up */
        assert_int_equal(other.forks, i + 1);
        assert_int_equal(open_and_close(paths[i], &err), statuses[i]); /* and it is known now */
        assert_int_equal(other.forks, i + 1);
    }
    sem_post(&other.enter);
    pthread_join(thread, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(with_threads), cmocka_unit_test(children_ignored),
    cmocka_unit_test(changed_files), cmocka_unit_test(many_files),
    cmocka_unit_test(another_thread_within)};
NS_TESTS("guard", tests)
