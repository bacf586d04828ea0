/* .npy: values of every type as NumPy writes them, and every check of the header. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "probe/base/io.h"
#include "tests/runner.h"

static const ns_image_shape shape = {
    .channels = 2, .height = 2, .width = 3, .mean = {0.5f, 0.25f}, .std = {0.5f, 2}, .crop = 1};

static void write_whole(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* A file of version `version` with that header, its newline added, and `room` bytes of values 0, 1, 2, ... */
static void write_npy(const char *path, int version, const char *header, size_t room) {
    size_t length = strlen(header) + 1, begin = version == 1 ? 10 : 12,
           size = begin + length + room;
    unsigned char *bytes = calloc(size, 1);
    assert_non_null(bytes);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    for (size_t i = 8; i < begin; i++) bytes[i] = (unsigned char)(length >> 8 * (i - 8));
    memcpy(bytes + begin, header, length - 1);
    bytes[begin + length - 1] = '\n';
    for (size_t i = 0; i < room; i++) bytes[begin + length + i] = (unsigned char)i;
    write_whole(path, bytes, size);
    free(bytes);
}

static void values_of_every_type(void **state) {
    (void)state;
    const char *python = getenv("PYTHON");
    if (!python || !*python) python = "/usr/bin/python3";
    char folder[200], path[300], output[4096];
    snprintf(folder, sizeof folder, "%s", ns_tests_folder());
    if (ns_tests_shell(output, sizeof output, "'%s' -c 'import numpy' 2>&1", python) != 0) skip();
    /* a[i] = (i - 7) / 4 is exact in every type; the labels are 5, 4, 3. */
    int status =
        ns_tests_shell(output, sizeof output,
                       "cd '%s' && '%s' -c \"\n"
                       "import numpy as np\n"
                       "a = ((np.arange(36) - 7) / 4).reshape(3, 2, 2, 3)\n"
                       "for t in '<f2', '<f4', '<f8': np.save(t[1:] + '-images.npy', a.astype(t))\n"
                       "np.save('u1.npy', (np.arange(36) * 7).reshape(a.shape).astype('u1'))\n"
                       "np.lib.format.write_array(open('second.npy', 'wb'), a, version=(2, 0))\n"
                       "np.lib.format.write_array(open('third.npy', 'wb'), a, version=(3, 0))\n"
                       "np.save('grey.npy', a[:, 0].astype('f4'))\n"
                       "np.save('big.npy', a.astype('>f4'))\n"
                       "np.save('fortran.npy', np.asfortranarray(a))\n"
                       "np.save('whole.npy', a.astype('i8'))\n"
                       "for t in 'u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8':\n"
                       "    np.save('labels-' + t + '.npy', np.array([5, 4, 3], t))\n"
                       "np.save('f2-labels.npy', np.array([0, 1, 0]))\n"
                       "np.save('second-labels.npy', np.array([0, 2, 0], 'u1'))\n"
                       "np.save('negative.npy', np.array([0, -2, 0], 'i2'))\n"
                       "np.save('real.npy', np.array([0, 2, 0], 'f4'))\n"
                       "\" 2>&1",
                       folder, python);
    if (status) fail_msg("%s", output);
    static const char *const names[] = {"f2-images", "f4-images", "f8-images",
                                        "second",    "third",     "u1"};
    static const int64_t ids[] = {2, 0};
    ns_dataset *data;
    ns_error err = {0};
    float values[36];
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%s.npy", folder, names[i]);
        if (ns_dataset_open(&data, path, NULL, &shape, &err)) fail_msg("%s", err.message);
        assert_int_equal(data->count, 3);
        assert_int_equal(ns_dataset_read(data, ids, 2, values, &err), NS_OK);
        for (int k = 0; k < 24; k++) {
            int at = k < 12 ? 24 + k : k - 12, c = k % 12 / 6;
            float expected = i < 5 ? (float)(at - 7) / 4
                                   : ((float)(at * 7) / 255.0f - shape.mean[c]) / shape.std[c];
            assert_true(values[k] == expected);
        }
        char steps[256];
        assert_string_equal(ns_dataset_steps(data, steps),
                            i < 5 ? "none" : "mean 0.5 0.25, std 0.5 2");
        assert_true((data->labels != NULL) == (i == 0 || i == 3)); /* beside the samples */
        if (data->labels) assert_int_equal(data->labels[1], i ? 2 : 1);
        ns_dataset_close(data);
    }
    static const char *const types[] = {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"};
    for (int i = 0; i < 8; i++) {
        char labels[300];
        snprintf(path, sizeof path, "%s/f4-images.npy", folder);
        snprintf(labels, sizeof labels, "%s/labels-%s.npy", folder, types[i]);
        if (ns_dataset_open(&data, path, labels, &shape, &err)) fail_msg("%s", err.message);
        assert_int_equal(data->classes, 6);
        for (int k = 0; k < 3; k++) assert_int_equal(data->labels[k], 5 - k);
        ns_dataset_close(data);
    }
    const ns_image_shape grey = {.channels = 1, .height = 2, .width = 3, .std = {1}, .crop = 1};
    snprintf(path, sizeof path, "%s/grey.npy", folder);
    if (ns_dataset_open(&data, path, NULL, &grey, &err)) fail_msg("%s", err.message);
    ns_dataset_close(data);
    static const struct {
        const char *data, *labels, *expected;
    } bad[] = {
        {"grey", NULL, "in 4 dimensions [n, channels, height, width], found 3"},
        {"big", NULL, "expected little-endian numbers ('<f4', '|u1', ...), found the type '>f4'"},
        {"fortran", NULL, "expected values in C order, found Fortran order"},
        {"whole", NULL, "expected samples of type f2, f4, f8 or u1, found i8"},
        {"labels-u1", NULL, "found 1 (labels?)"},
        {"f4-images", "negative", "label 1: expected a whole number from 0, found -2"},
        {"f4-images", "real", "expected 3 whole numbers in one dimension"},
        {"f4-images", "u1", "expected 3 whole numbers in one dimension"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char labels[300];
        snprintf(path, sizeof path, "%s/%s.npy", folder, bad[i].data);
        snprintf(labels, sizeof labels, "%s/%s.npy", folder, bad[i].labels ? bad[i].labels : "");
        assert_int_equal(ns_dataset_open(&data, path, bad[i].labels ? labels : NULL, &shape, &err),
                         NS_EINPUT);
        if (!strstr(err.message, bad[i].labels ? labels : path) ||
            !strstr(err.message, bad[i].expected))
            fail_msg("expected '%s', found '%s'", bad[i].expected, err.message);
    }
}

#define GOOD "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2, 3), }"

static void every_check_of_the_header(void **state) {
    (void)state;
    static const struct {
        int version;
        const char *header;
        size_t room;
        const char *expected;
    } cases[] = {
        {1, GOOD, 48, NULL},
        {2, GOOD "      ", 48, NULL},
        {1, "{ \"shape\":(1L,2L,2L,3L),\"fortran_order\" :False,\"descr\":\"<f4\"}", 48, NULL},
        {0, GOOD, 48, "expected version 1, 2 or 3 of .npy, found 0"},
        {4, GOOD, 48, "expected version 1, 2 or 3 of .npy, found 4"},
        {1, GOOD, 47, "promises 48 bytes of values, the file holds 47"},
        {1, GOOD, 49, "promises 48 bytes of values, the file holds 49"},
        {1, "", 48, "expected a header with one type"},
        {1, "{}", 48, "expected a header with one type"},
        {1, GOOD "x", 48, "expected a header with one type"},
        {1, "{'descr': '<f4', 'fortran_order': False}", 48, "expected a header"},
        {1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,2,2,3)}", 48,
         "a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,2,2,3), 'x': 1}", 48,
         "expected a header"},
        {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,2,2,3)}", 48,
         "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,2,2,3)}", 48,
         "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,2,2,-3)}", 48,
         "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2,2,3)}", 48,
         "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,2,2,3", 48, "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': 12}", 48, "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,2,2,3,1)}", 48,
         "expected a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,2,2,3)}", 48,
         "a header"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296,2,3)}", 48,
         "overflows"},
        {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846977,2,2,1)}", 48,
         "overflows"},
        {1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,2,2,3)}", 96,
         "found the type '<c8'"},
        {1, "{'descr': '|O', 'fortran_order': False, 'shape': (1,2,2,3)}", 96,
         "found the type '|O'"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2, 2)}", 32,
         "found 2 x 2 x 2"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2, 3)}", 72,
         "found 3 x 2 x 3"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2, 2, 3)}", 0, "found none"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, "in 4 dimensions"},
    };
    char path[300];
    snprintf(path, sizeof path, "%s/x.npy", ns_tests_folder());
    ns_dataset *data;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_npy(path, cases[i].version, cases[i].header, cases[i].room);
        ns_error err = {0};
        int status = ns_dataset_open(&data, path, NULL, &shape, &err);
        if (!cases[i].expected) {
            if (status) fail_msg("%s: %s", cases[i].header, err.message);
            ns_dataset_close(data);
        } else if (status != NS_EINPUT || !strstr(err.message, path) ||
                   !strstr(err.message, cases[i].expected)) {
            fail_msg("%s: expected '%s', found %d '%s'", cases[i].header, cases[i].expected, status,
                     err.message);
        }
    }
}

/* Cut at every byte; and every bit of the header flipped: read, or refused with a message. */
static void damaged_files(void **state) {
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/x.npy", ns_tests_folder());
    write_npy(path, 1, GOOD, 48);
    char *bytes;
    size_t size;
    ns_dataset *data;
    ns_error err = {0};
    assert_int_equal(ns_read_text(&bytes, &size, path, 1 << 20, &err), NS_OK);
    for (size_t n = 0; n < size; n++) {
        write_whole(path, bytes, n);
        assert_int_equal(ns_dataset_open(&data, path, NULL, &shape, &err), NS_EINPUT);
        assert_non_null(strstr(err.message, path));
    }
    int opened = 0;
    for (size_t bit = 0; bit < 8 * (size - 48); bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        write_whole(path, bytes, size);
        int status = ns_dataset_open(&data, path, NULL, &shape, &err);
        if (status && (status != NS_EINPUT || !strstr(err.message, path)))
            fail_msg("bit %zu: %d '%s'", bit, status, err.message);
        opened += !status;
        ns_dataset_close(data);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(opened < 40); /* the minor version, a quote or a blank turned into another one */
    free(bytes);
}

static void what_it_is_instead(void **state) {
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/x.npy", ns_tests_folder());
    static const struct {
        const char *bytes;
        size_t size;
        const char *expected;
    } cases[] = {{"\x89PNG\r\n\x1a\nand more", 16, "found a PNG image"},
                 {"PK\3\4and more", 12, "found a zip archive"},
                 {"1, 2, 3", 7, "found text"},
                 {"\x89HDF\r\n\x1a\nand more", 16, "found an HDF5 file"},
                 {"\0\0\0\0\0\0\0\0\0\0\0\0", 12, "found an unknown format"},
                 {"", 0, "found an empty file"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_whole(path, cases[i].bytes, cases[i].size);
        ns_dataset *data;
        ns_error err = {0};
        assert_int_equal(ns_dataset_open(&data, path, NULL, &shape, &err), NS_EINPUT);
        if (!strstr(err.message, path) || !strstr(err.message, cases[i].expected))
            fail_msg("%s", err.message);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_of_every_type),
    cmocka_unit_test(every_check_of_the_header),
    cmocka_unit_test(damaged_files),
    cmocka_unit_test(what_it_is_instead),
};
NS_TESTS("npy", tests)
