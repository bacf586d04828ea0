#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "tests/runner.h"

static void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(bytes, 1, size, file);
    fclose(file);
}

/* What the files themselves say: the first test image is an ankle boot (9), its pixels sum to 33456 (numpy). */
static void the_bundle_is_read(void **state) {
    (void)state;
    ns_dataset *data;
    ns_error err = {0};
    if (ns_dataset_open(&data, "fashion-mnist-1000", NULL, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(data->count, 1000);
    assert_int_equal(data->classes, 10);
    static const int first[] = {9, 2, 1, 1, 6, 1, 4, 6, 5, 7};
    for (int i = 0; i < 10; i++) assert_int_equal(data->labels[i], first[i]);
    float pixels[784];
    int64_t id = 0;
    assert_int_equal(ns_dataset_read(data, &id, 1, pixels, &err), NS_OK);
    double sum = 0;
    for (int i = 0; i < 784; i++) sum += (double)pixels[i] * 255;
    assert_true(sum > 33455.9 && sum < 33456.1);
    id = 1000;
    assert_int_equal(ns_dataset_read(data, &id, 1, pixels, &err), NS_EUSAGE);
    ns_dataset_close(data);
}

static void orders(void **state) {
    (void)state;
    ns_dataset *data;
    ns_error err = {0};
    assert_int_equal(ns_dataset_open(&data, "fashion-mnist-1000", NULL, NULL, &err), NS_OK);
    int64_t few[50], all[1000];
    for (int order = NS_ORDER_DATA; order <= NS_ORDER_STRATIFIED; order++) {
        assert_int_equal(ns_dataset_order(data, (ns_order)order, 7, 50, few, &err), NS_OK);
        assert_int_equal(ns_dataset_order(data, (ns_order)order, 7, 1000, all, &err), NS_OK);
        assert_memory_equal(few, all,
                            sizeof few); /* a shorter list is the beginning of a longer one */
        char seen[1000] = {0};
        for (int i = 0; i < 1000; i++) seen[all[i]]++;
        for (int i = 0; i < 1000; i++) assert_int_equal(seen[i], 1);
    }
    for (int i = 0; i < 50; i++) assert_int_equal(data->labels[few[i]], i % 10);
    int64_t other[50];
    ns_dataset_order(data, NS_ORDER_SHUFFLED, 8, 50, other, &err);
    ns_dataset_order(data, NS_ORDER_SHUFFLED, 7, 50, few, &err);
    assert_true(memcmp(few, other, sizeof few) != 0);
    assert_int_equal(ns_dataset_order(data, NS_ORDER_DATA, 0, 1001, all, &err), NS_EINPUT);
    ns_dataset_close(data);
}

static void bad_files_are_refused(void **state) {
    (void)state;
    static const unsigned char promises[] = {0, 0, 8, 3, 0, 0, 0, 9, 0, 0,
                                             0, 2, 0, 0, 0, 2, 1, 2, 3};
    static const unsigned char huge[] = {0,   0,   8,   3,   255, 255, 255, 255,
                                         255, 255, 255, 255, 255, 255, 255, 255};
    static const unsigned char floats[] = {0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 5};
    static const unsigned char longer[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2};
    static const unsigned char cut[] = {0, 0, 8, 3, 0, 0};
    static const unsigned char empty[] = {0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};
    const struct {
        const void *bytes;
        size_t size;
        const char *expected;
    } cases[] = {
        {promises, sizeof promises, "promises 36 values, the file holds 3"},
        {huge, sizeof huge, "promises more than"},
        {floats, sizeof floats, "found type 13"},
        {labels, sizeof labels, "(labels?)"},
        {longer, sizeof longer, "the file holds more"},
        {cut, sizeof cut, "ends within the IDX header"},
        {empty, sizeof empty, "expected samples, found none"},
        {"some text", 9, "; found text"},
    };
    char path[256];
    snprintf(path, sizeof path, "%s/x-images", ns_tests_folder());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_bytes(path, cases[i].bytes, cases[i].size);
        ns_dataset *data;
        ns_error err = {0};
        assert_int_equal(ns_dataset_open(&data, path, NULL, NULL, &err), NS_EINPUT);
        if (!strstr(err.message, path) || !strstr(err.message, cases[i].expected))
            fail_msg("expected '%s', found '%s'", cases[i].expected, err.message);
    }
    ns_dataset *data;
    ns_error err = {0};
    assert_int_equal(ns_dataset_open(&data, "fashion-mnits", NULL, NULL, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "near: fashion-mnist"));
    const ns_image_shape shape = {.channels = 3, .height = 224, .width = 224};
    assert_int_equal(ns_dataset_open(&data, "fashion-mnist-1000", NULL, &shape, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "expected images of 3 x 224 x 224"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_bundle_is_read),
    cmocka_unit_test(orders),
    cmocka_unit_test(bad_files_are_refused),
};
NS_TESTS("idx", tests)
