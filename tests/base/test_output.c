#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK */
#endif
#include "probe/base/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "tests/runner.h"

/* A fresh folder; a name in it. Both are overwritten by the next call. */
static const char *fresh(void) {
    static char folder[256];
    snprintf(folder, sizeof folder, "%s/output-XXXXXX", ns_tests_folder());
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void name_in(char path[300], const char *folder, const char *name) {
    snprintf(path, 300, "%s/%s", folder, name);
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_text(const char *path, const char *expected) {
    char *text;
    size_t size;
    assert_int_equal(ns_read_text(&text, &size, path, 100, NULL), NS_OK);
    assert_string_equal(text, expected);
    free(text);
}

static int files_in(const char *folder) {
    int count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));) count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

/* The whole of an output. */
static int put(const char *path, const char *text, bool force, ns_error *err) {
    ns_output out;
    int status = ns_output_open(&out, path, force, err);
    if (!status) {
        fputs(text, out.file);
        status = ns_output_commit(&out, err);
    }
    ns_output_drop(&out);
    return status;
}

static void an_output_appears_whole_or_not_at_all(void **state) {
    (void)state;
    char path[300];
    ns_error err = {0};
    ns_output out;
    const char *folder = fresh();
    name_in(path, folder, "out");

    assert_int_equal(ns_output_open(&out, path, false, &err), NS_OK);
    fputs("first", out.file);
    assert_false(ns_is_file(path));
    ns_output_drop(&out);
    assert_false(ns_is_file(path));

    assert_int_equal(ns_output_open(&out, path, false, &err), NS_OK);
    fputs("second", out.file);
    assert_int_equal(ns_output_commit(&out, &err), NS_OK);
    ns_output_drop(&out);
    char *text;
    size_t size;
    assert_int_equal(ns_read_text(&text, &size, path, 100, &err), NS_OK);
    assert_string_equal(text, "second");
    assert_int_equal(size, 6);
    free(text);

    assert_int_equal(ns_output_open(&out, path, false, &err), NS_EFAIL);
    assert_non_null(strstr(err.message, "--force"));
    assert_int_equal(ns_output_open(&out, path, true, &err), NS_OK);
    ns_output_drop(&out);
    assert_true(ns_is_file(path));
    assert_int_equal(ns_output_open(&out, folder, true, &err), NS_EINPUT);
    assert_int_equal(files_in(folder), 1);
    assert_int_equal(ns_read_text(&text, &size, path, 3, &err), NS_EINPUT);
}

/* What comes under the name between the opening and the commit is somebody's too. */
static void a_file_that_comes_meanwhile_stays(void **state) {
    (void)state;
    char path[300];
    ns_error err = {0};
    ns_output out;
    const char *folder = fresh();
    name_in(path, folder, "out");
    assert_int_equal(ns_output_open(&out, path, false, &err), NS_OK);
    write_text(path, "somebody's");
    fputs("ours", out.file);
    assert_int_equal(ns_output_commit(&out, &err), NS_EFAIL);
    assert_non_null(strstr(err.message, "exists already"));
    assert_text(path, "somebody's");
    assert_int_equal(ns_output_open(&out, path, true, &err), NS_OK);
    unlink(path);
    fputs("ours", out.file);
    assert_int_equal(ns_output_commit(&out, &err), NS_OK);
    assert_text(path, "ours");
    assert_int_equal(files_in(folder), 1);
}

static void links_are_followed(void **state) {
    (void)state;
    char link[300], second[300], target[300];
    ns_error err = {0};
    const char *folder = fresh();
    name_in(link, folder, "link");
    name_in(second, folder, "second");
    name_in(target, folder, "target");
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(symlink(link, second), 0);
    assert_int_equal(put(second, "to nowhere", false, &err), NS_OK);
    assert_text(target, "to nowhere");
    assert_int_equal(put(link, "not asked", false, &err), NS_EFAIL);
    assert_int_equal(put(link, "forced", true, &err), NS_OK);
    assert_text(target, "forced");
    struct stat st;
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(lstat(second, &st) == 0 && S_ISLNK(st.st_mode));

    unlink(link);
    assert_int_equal(symlink("no/such/folder", link), 0);
    assert_int_equal(put(second, "x", true, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "no/such/folder"));
    assert_int_equal(ns_output_ready(second, true, NULL, 0, &err), NS_EINPUT);
    unlink(link);
    assert_int_equal(symlink("second", link), 0);
    assert_int_equal(put(second, "x", true, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, strerror(ELOOP)));
}

/* As `dump` holds its file: a lock of the open file, here of another one than that which the output opens. */
static void what_is_being_written_stays(void **state) {
    (void)state;
    char path[300], made[300];
    ns_error err = {0};
    ns_output out;
    const char *folder = fresh();
    name_in(path, folder, "run");
    name_in(made, folder, "made");
    write_text(path, "rows");
    write_text(made, "a figure");
    assert_int_equal(ns_output_open(&out, path, true, &err), NS_OK);
    int fd = open(path, O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_int_equal(ns_output_commit(&out, &err), NS_EFAIL); /* it was free when it was opened */
    assert_non_null(strstr(err.message, "is being written by another process"));
    assert_int_equal(put(path, "x", true, &err), NS_EFAIL);
    assert_int_equal(ns_output_ready(path, true, NULL, 0, &err), NS_EFAIL);
    assert_int_equal(ns_output_place(made, path, true, &err), NS_EFAIL);
    assert_non_null(strstr(err.message, "is being written by another process"));
    assert_text(path, "rows");
    close(fd);
    assert_int_equal(ns_output_place(made, path, false, &err), NS_EFAIL);
    assert_int_equal(ns_output_place(made, path, true, &err), NS_OK);
    assert_text(path, "a figure");
    assert_int_equal(files_in(folder), 1);
}

/* The number of a process that has ended. */
static long dead_process(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    assert_true(pid > 0 && waitpid(pid, NULL, 0) == pid);
    return (long)pid;
}

static void nothing_is_left_of_a_killed_process(void **state) {
    (void)state;
    char path[300], dead[340], living[340], locked[340], other[340];
    ns_error err = {0};
    const char *folder = fresh();
    name_in(path, folder, "out");
    pid_t pid = fork();
    if (pid == 0) {
        ns_output out;
        if (ns_output_open(&out, path, false, NULL)) _exit(1);
        _exit(0); /* with the output neither committed nor dropped, as by a kill */
    }
    int how;
    assert_true(waitpid(pid, &how, 0) == pid && how == 0);
    snprintf(dead, sizeof dead, "%s.part-%ld", path, dead_process());
    snprintf(living, sizeof living, "%s.part-%ld", path, (long)getppid());
    snprintf(locked, sizeof locked, "%s.part-%ld", path, dead_process());
    snprintf(other, sizeof other, "%s-2.part-%ld", path, dead_process());
    write_text(dead, "half");
    write_text(living, "half");
    write_text(other, "another output's");
    if (!ns_is_there(locked)) write_text(locked, "of a process that is not seen from here");
    int fd = open(locked, O_RDWR);
    assert_true(ns_file_lock(fd));
    assert_int_equal(put(path, "whole", false, &err), NS_OK);
    assert_true(!strcmp(dead, locked) || !ns_is_there(dead));
    assert_true(ns_is_there(living) && ns_is_there(locked) && ns_is_there(other));
    close(fd);
    assert_int_equal(put(path, "whole", true, &err), NS_OK);
    assert_false(ns_is_there(locked));
    assert_int_equal(files_in(folder), 3);
}

/* Up to what the file system bears; more is told before there is any work to lose. */
static void long_names(void **state) {
    (void)state;
    char path[700];
    ns_error err = {0};
    const char *folder = fresh();
    size_t n = (size_t)snprintf(path, sizeof path, "%s/", folder);
    memset(path + n, 'x', 255);
    path[n + 255] = 0;
    assert_int_equal(put(path, "new", false, &err), NS_OK);
    assert_int_equal(put(path, "another", true, &err), NS_OK);
    assert_text(path, "another");
    assert_int_equal(files_in(folder), 1);
    strcpy(path + n + 255, "x");
    assert_int_equal(put(path, "new", true, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, strerror(ENAMETOOLONG)));
}

static void a_full_disk_is_told_with_the_name(void **state) {
    (void)state;
    char path[300];
    ns_error err = {0};
    ns_output out;
    name_in(path, fresh(), "out");
    assert_int_equal(ns_output_open(&out, path, false, &err), NS_OK);
    int full = open("/dev/full", O_WRONLY);
    assert_true(dup2(full, out.fd) == out.fd);
    close(full);
    for (int i = 0; i < 100000; i++) fputs("more than a buffer", out.file);
    assert_int_equal(ns_output_commit(&out, &err), NS_EFAIL);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, strerror(ENOSPC)));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_output_appears_whole_or_not_at_all),
    cmocka_unit_test(a_file_that_comes_meanwhile_stays),
    cmocka_unit_test(links_are_followed),
    cmocka_unit_test(what_is_being_written_stays),
    cmocka_unit_test(nothing_is_left_of_a_killed_process),
    cmocka_unit_test(long_names),
    cmocka_unit_test(a_full_disk_is_told_with_the_name),
};
NS_TESTS("output", tests)
