/* Images: decoded, resized and normalized as Pillow does it, bit for bit; and what is damaged is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/pixels.h"
#include "probe/base/io.h"
#include "tests/runner.h"

static char images[200]; /* the folder that images.py filled */

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Runs images.py once; skips the test where there is no Pillow. */
static void need_images(void) {
    const char *python = getenv("PYTHON");
    if (!python || !*python) python = "/usr/bin/python3";
    static char output[8192];
    if (*images) return;
    if (ns_tests_shell(output, sizeof output, "'%s' -c 'import PIL, numpy' 2>&1", python) != 0) {
        print_message("skipped: no Pillow or NumPy in %s\n", python);
        skip();
    }
    char folder[200];
    snprintf(folder, sizeof folder, "%s", ns_tests_folder());
    if (ns_tests_shell(output, sizeof output, "'%s' tests/datasets/images.py '%s' 2>&1", python,
                       folder) != 0)
        fail_msg("%s", output);
    strcpy(images, folder);
}

static float *read_one(const char *path, const ns_image_shape *shape, size_t *count) {
    ns_dataset *data;
    ns_error err = {0};
    if (ns_dataset_open(&data, path, NULL, shape, &err)) fail_msg("%s", err.message);
    *count = (size_t)data->shape.channels * (size_t)data->shape.height * (size_t)data->shape.width;
    float *values = malloc(*count * sizeof *values);
    assert_non_null(values);
    int64_t id = 0;
    assert_int_equal(data->count, 1);
    if (ns_dataset_read(data, &id, 1, values, &err)) fail_msg("%s", err.message);
    ns_dataset_close(data);
    return values;
}

static void tensors_are_those_of_pillow(void **state) {
    (void)state;
    need_images();
    char path[512], line[512], name[128], tensor[128];
    snprintf(path, sizeof path, "%s/cases.txt", images);
    FILE *cases = fopen(path, "r");
    assert_non_null(cases);
    int seen = 0;
    while (fgets(line, sizeof line, cases)) {
        ns_image_shape s = {.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
        int stretch, bilinear;
        assert_int_equal(sscanf(line, "%127s %127s %d %d %d %d %lf %d %d", name, tensor,
                                &s.channels, &s.height, &s.width, &s.resize, &s.crop, &stretch,
                                &bilinear),
                         9);
        s.stretch = stretch != 0;
        s.bilinear = bilinear != 0;
        size_t count, expected_count;
        snprintf(path, sizeof path, "%s/%s", images, tensor);
        float *expected = read_one(path, NULL, &expected_count);
        snprintf(path, sizeof path, "%s/%s", images, name);
        float *found = read_one(path, &s, &count);
        assert_int_equal(count, expected_count);
        for (size_t i = 0; i < count; i++)
            if (memcmp(&found[i], &expected[i], sizeof *found) != 0)
                fail_msg("%svalue %zu: expected %.9g, found %.9g", line, i, (double)expected[i],
                         (double)found[i]);
        free(expected);
        free(found);
        seen++;
    }
    fclose(cases);
    assert_true(seen > 100);
}

/* A window of a large enlargement is the same as that part of the whole. */
static void a_window_is_a_part_of_the_whole(void **state) {
    (void)state;
    unsigned char values[7 * 5 * 3];
    for (size_t i = 0; i < sizeof values; i++) values[i] = (unsigned char)(i * 37 % 256);
    const ns_pixels in = {.values = values, .height = 7, .width = 5, .channels = 3};
    ns_pixels whole = {.height = 40, .width = 31}, part = {.height = 9, .width = 11};
    ns_error err = {0};
    for (int bilinear = 0; bilinear < 2; bilinear++) {
        assert_int_equal(ns_pixels_resize(&whole, &in, 40, 31, 0, 0, bilinear, &err), NS_OK);
        assert_int_equal(ns_pixels_resize(&part, &in, 40, 31, 13, 20, bilinear, &err), NS_OK);
        for (int y = 0; y < 9; y++)
            assert_memory_equal(part.values + y * 33, whole.values + ((13 + y) * 31 + 20) * 3, 33);
        free(whole.values);
        free(part.values);
    }
    assert_int_equal(ns_pixels_resize(&part, &in, 40, 31, 32, 20, true, &err), NS_EUSAGE);
}

/* Each image cut at every 7th byte, and with single bits flipped: refused with a message of its own, or read. */
static void damaged_images_are_refused(void **state) {
    (void)state;
    need_images();
    static const char *const names[] = {"size0.png", "palette.png", "interlaced.png",
                                        "rgb16.png", "420.jpg",     "progressive.jpg",
                                        "cmyk.jpg",  "restart.jpg", "grey.jpg"};
    char path[512];
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        snprintf(path, sizeof path, "%s/%s", images, names[k]);
        ns_mapped file;
        ns_error err = {0};
        assert_int_equal(ns_map_file(&file, path, &err), NS_OK);
        unsigned char *copy = malloc(file.size);
        assert_non_null(copy);
        ns_pixels pixels;
        for (size_t n = 0; n < file.size - 2; n += 7) {
            unsigned char *exact = malloc(n ? n : 1); /* a sanitizer sees a byte read beyond it */
            assert_non_null(exact);
            memcpy(exact, file.bytes, n);
            int status = ns_pixels_decode(&pixels, exact, n, "damaged", &err);
            if (status != NS_EINPUT || strncmp(err.message, "damaged: ", 9) != 0)
                fail_msg("%s cut at byte %zu: status %d", names[k], n, status);
            assert_null(pixels.values);
            free(exact);
        }
        memcpy(copy, file.bytes, file.size);
        int opened = 0;
        for (size_t i = 0; i < 500; i++) {
            size_t at = i * 2654435761u % file.size;
            copy[at] ^= (unsigned char)(1 << i % 8);
            int status = ns_pixels_decode(&pixels, copy, file.size, "damaged", &err);
            if (status && (status != NS_EINPUT || strncmp(err.message, "damaged: ", 9) != 0))
                fail_msg("%s, byte %zu flipped: status %d: %s", names[k], at, status, err.message);
            opened += !status;
            free(pixels.values);
            copy[at] ^= (unsigned char)(1 << i % 8);
        }
        if (strstr(names[k], ".png")) assert_true(opened < 100); /* its checksums see it */
        free(copy);
        ns_unmap(&file);
    }
}

static void copy_image(const char *name, const char *to) {
    char from[512];
    snprintf(from, sizeof from, "%s/%s", images, name);
    ns_mapped file;
    ns_error err = {0};
    assert_int_equal(ns_map_file(&file, from, &err), NS_OK);
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    fwrite(file.bytes, 1, file.size, out);
    fclose(out);
    ns_unmap(&file);
}

static void make_folder(const char *format, const char *root, const char *name) {
    char path[600], output[256];
    snprintf(path, sizeof path, format, root, name);
    assert_int_equal(ns_tests_shell(output, sizeof output, "mkdir -p '%s'", path), 0);
}

static const ns_image_shape small = {
    .channels = 3, .height = 8, .width = 8, .std = {1, 1, 1, 1}, .crop = 1};

static void classes_are_folders(void **state) {
    (void)state;
    need_images();
    char root[300], path[600];
    snprintf(root, sizeof root, "%s", ns_tests_folder());
    /* In the order of bytes: "Zebra" before "apple"; "empty" counts as a class, hidden files do not count. */
    static const char *const files[] = {"apple/b.png", "apple/a.jpg", "Zebra/z.PNG",
                                        "zoo/deep/er/x.Jpeg", ".hidden/a.png"};
    static const char *const folders[] = {"apple", "Zebra", "zoo/deep/er", "empty", ".hidden"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder("%s/%s", root, folders[i]);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", root, files[i]);
        copy_image(i % 2 ? "420.jpg" : "size0.png", path);
    }
    snprintf(path, sizeof path, "%s/zoo/loop", root);
    assert_int_equal(symlink("..", path), 0);
    snprintf(path, sizeof path, "%s/apple/notes.txt", root);
    write_text(path, "no image");
    ns_dataset *data;
    ns_error err = {0};
    if (ns_dataset_open(&data, root, NULL, &small, &err)) fail_msg("%s", err.message);
    static const char *const order[] = {"Zebra/z.PNG", "apple/a.jpg", "apple/b.png",
                                        "zoo/deep/er/x.Jpeg"};
    static const int labels[] = {0, 1, 1, 3};
    assert_int_equal(data->count, 4);
    assert_int_equal(data->classes, 4);
    assert_string_equal(data->class_names[2], "empty");
    for (int i = 0; i < 4; i++) {
        assert_string_equal(data->kind->sample_name(data, i), order[i]);
        assert_int_equal(data->labels[i], labels[i]);
    }
    char steps[256], one[NS_HASH_HEX], two[NS_HASH_HEX];
    assert_string_equal(ns_dataset_steps(data, steps),
                        "shorter side 8 bicubic, centre 8 x 8, mean 0, std 1");
    const int64_t ids[] = {2, 0}, turned[] = {0, 2};
    assert_int_equal(ns_dataset_hash(data, ids, 2, one, &err), NS_OK);
    assert_int_equal(ns_dataset_hash(data, turned, 2, two, &err), NS_OK);
    assert_string_equal(one, two);
    assert_int_equal(ns_dataset_hash(data, ids, 1, two, &err), NS_OK);
    assert_string_not_equal(one, two);
    ns_dataset_close(data);

    /* A list of labels takes the place of the folders' names. */
    char list[400];
    snprintf(list, sizeof list, "%s/val.txt", root);
    write_text(list,
               "# name label\nz.PNG 7\r\napple/a.jpg,3\n\nb.png\t12\nx.Jpeg  0\nnot-there.png 5\n");
    if (ns_dataset_open(&data, root, list, &small, &err)) fail_msg("%s", err.message);
    static const int listed[] = {7, 3, 12, 0};
    for (int i = 0; i < 4; i++) assert_int_equal(data->labels[i], listed[i]);
    assert_int_equal(data->classes, 13);
    assert_null(data->class_names);
    ns_dataset_close(data);
    static const struct {
        const char *text, *expected;
    } bad[] = {{"1\n2\n3\n", "expected 4 labels, one for each sample of "},
               {"1\n2\n3\n-4\n",
                "line 4: expected a label, a whole number from 0, at its end; found '-4'"},
               {"1\n2\nx.png 3\n4\n",
                "line 3: expected a label alone, as on line 1; found a name and a label"},
               {"a.jpg 1\nb.png 1\nz.PNG 1\nx.Jepg 1\n", "none for zoo/deep/er/x.Jpeg"},
               {"a.jpg 1\na.jpg 2\n", "two labels for a.jpg, on lines "},
               {"\x89PNG\r\n\x1a\n", "expected labels as text, .npy or IDX, found a PNG image"},
               {"", "found an empty file"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(list, bad[i].text);
        assert_int_equal(ns_dataset_open(&data, root, list, &small, &err), NS_EINPUT);
        if (!strstr(err.message, list) || !strstr(err.message, bad[i].expected))
            fail_msg("expected '%s', found '%s'", bad[i].expected, err.message);
    }
}

/* Folders whose names are all numbers say the class: a part of a data set keeps its labels. */
static void numbered_classes(void **state) {
    (void)state;
    need_images();
    char root[300], path[600];
    snprintf(root, sizeof root, "%s", ns_tests_folder());
    static const char *const classes[] = {"10", "0207", "3"};
    for (int i = 0; i < 3; i++) {
        make_folder("%s/%s", root, classes[i]);
        snprintf(path, sizeof path, "%s/%s/a.png", root, classes[i]);
        copy_image("grey.png", path);
    }
    ns_dataset *data;
    ns_error err = {0};
    if (ns_dataset_open(&data, root, NULL, NULL, &err)) fail_msg("%s", err.message);
    static const int expected[] = {207, 10, 3};
    for (int i = 0; i < 3; i++) assert_int_equal(data->labels[i], expected[i]);
    assert_int_equal(data->classes, 208);
    assert_int_equal(data->shape.channels, 1);
    assert_int_equal(data->shape.height, 37);
    ns_dataset_close(data);
}

static void folders_that_are_refused(void **state) {
    (void)state;
    need_images();
    char root[300], path[600];
    snprintf(root, sizeof root, "%s", ns_tests_folder());
    ns_dataset *data;
    ns_error err = {0};
    assert_int_equal(ns_dataset_open(&data, root, NULL, &small, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "expected images (.png, .jpg, .jpeg"));
    assert_non_null(strstr(err.message, "found 0 other files"));
    snprintf(path, sizeof path, "%s/a.png", root);
    copy_image("420.jpg", path);
    make_folder("%s/%s", root, "class");
    snprintf(path, sizeof path, "%s/class/b.png", root);
    copy_image("420.jpg", path);
    assert_int_equal(ns_dataset_open(&data, root, NULL, &small, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "found 1 in the one and 1 in the others"));
    /* A file that is no image, and one whose size is another, are found when they are read. */
    unlink(path);
    snprintf(path, sizeof path, "%s/b.png", root);
    write_text(path, "GIF89a");
    float pixels[3 * 101 * 75];
    const int64_t second = 1;
    if (ns_dataset_open(&data, root, NULL, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(ns_dataset_read(data, &second, 1, pixels, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "/b.png: expected a PNG, JPEG or WebP image, found a GIF image"));
    copy_image("size0.png", path);
    assert_int_equal(ns_dataset_read(data, &second, 1, pixels, &err), NS_EINPUT);
    assert_non_null(
        strstr(err.message, "/b.png: expected an image of 101 x 75 pixels, found 60 x 40"));
    ns_dataset_close(data);
    ns_image_shape four = small;
    four.channels = 4;
    if (ns_dataset_open(&data, root, NULL, &four, &err)) fail_msg("%s", err.message);
    assert_int_equal(ns_dataset_read(data, &second, 1, pixels, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "images have 1 or 3 channels, this model takes 4"));
    ns_dataset_close(data);
}

static void numbers_of_options(void **state) {
    (void)state;
    float out[4];
    ns_error err = {0};
    assert_int_equal(ns_image_numbers("--mean", "0.5", 3, out, &err), NS_OK);
    assert_true(out[0] == 0.5f && out[2] == 0.5f);
    assert_int_equal(ns_image_numbers("--mean", "0.485,0.456,0.406", 3, out, &err), NS_OK);
    assert_true(out[1] == 0.456f);
    static const char *const bad[] = {"",          "a",   "1,",    "1,2", "1,2,3,4",
                                      "1,2,3,4,5", "nan", "1;2;3", "1,,3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ns_image_numbers("--mean", bad[i], 3, out, &err), NS_EUSAGE);
        assert_non_null(strstr(err.message, "--mean: expected"));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tensors_are_those_of_pillow),
    cmocka_unit_test(a_window_is_a_part_of_the_whole),
    cmocka_unit_test(damaged_images_are_refused),
    cmocka_unit_test(classes_are_folders),
    cmocka_unit_test(numbered_classes),
    cmocka_unit_test(folders_that_are_refused),
    cmocka_unit_test(numbers_of_options),
};
NS_TESTS("images", tests)
