#include "probe/base/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/hash.h"
#include "probe/base/queue.h"
#include "probe/base/random.h"
#include "tests/runner.h"

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* FIPS 180-2, appendix B, and the empty message. */
static void sha256_is_the_standard_one(void **state) {
    (void)state;
    char path[256], hex[NS_HASH_HEX];
    snprintf(path, sizeof path, "%s/abc", ns_tests_folder());
    write_text(path, "abc");
    assert_int_equal(ns_hash_file(path, hex, NULL), NS_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ns_hash *hash = ns_hash_begin(NULL);
    ns_hash_end(hash, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void files_that_are_none(void **state) {
    (void)state;
    ns_mapped mapped;
    ns_error err = {0};
    const char *folder = ns_tests_folder();
    assert_int_equal(ns_map_file(&mapped, folder, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "expected a file, found a folder"));
    assert_int_equal(ns_map_file(&mapped, "/no/such/file", &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "/no/such/file"));
    char path[256], bytes[8];
    snprintf(path, sizeof path, "%s/short", folder);
    write_text(path, "abc");
    int fd = open(path, O_RDONLY);
    assert_int_equal(ns_pread_all(fd, bytes, 8, 1, path, &err), NS_EINPUT);
    assert_int_equal(ns_pwrite_all(fd, bytes, 8, 0, path, &err), NS_EFAIL);
    close(fd);
    int full = open("/dev/full", O_WRONLY);
    assert_int_equal(ns_pwrite_all(full, bytes, 8, 0, "/dev/full", &err), NS_EFAIL);
    assert_non_null(strstr(err.message, "No space left"));
    close(full);
}

static void sizes_for_people(void **state) {
    (void)state;
    char text[24];
    assert_string_equal(ns_human_bytes(0, text), "0 B");
    assert_string_equal(ns_human_bytes(1023, text), "1023 B");
    assert_string_equal(ns_human_bytes(1536, text), "1.50 KiB");
    assert_string_equal(ns_human_bytes(5e9, text), "4.66 GiB");
}

static void *send_numbers(void *queue) {
    for (intptr_t i = 1; i <= 10000; i++)
        if (ns_queue_put(queue, (void *)i)) break;
    ns_queue_close(queue);
    return NULL;
}

static void a_queue_keeps_order_and_ends(void **state) {
    (void)state;
    ns_queue *queue = ns_queue_new(3, NULL);
    pthread_t sender;
    pthread_create(&sender, NULL, send_numbers, queue);
    intptr_t expected = 1;
    for (void *item; (item = ns_queue_take(queue));) assert_int_equal((intptr_t)item, expected++);
    assert_int_equal(expected, 10001);
    pthread_join(sender, NULL);
    assert_int_equal(ns_queue_put(queue, queue), -1);
    ns_queue_free(queue);
}

static void random_numbers(void **state) {
    (void)state;
    uint64_t stream = 0; /* SplitMix64's published first outputs for seed 0 */
    assert_true(ns_random_next(&stream) == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(ns_random_next(&stream) == UINT64_C(0x6e789e6aa1b965f4));
    int hits[7] = {0};
    for (int i = 0; i < 70000; i++) hits[ns_random_below(&stream, 7)]++;
    for (int i = 0; i < 7; i++) assert_in_range(hits[i], 9600, 10400); /* 4.3 sigma */
    assert_true(ns_row_priority(1, 2, 3) != ns_row_priority(1, 3, 2));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sha256_is_the_standard_one),
    cmocka_unit_test(files_that_are_none),
    cmocka_unit_test(sizes_for_people),
    cmocka_unit_test(a_queue_keeps_order_and_ends),
    cmocka_unit_test(random_numbers),
};
NS_TESTS("io", tests)
