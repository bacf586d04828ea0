/* A list of labels: text, IDX or .npy; of samples without names and of two files in a folder. */
#include <stdio.h>

#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

static void open_with(const char *path, const char *labels) {
    const ns_image_shape shape = {.channels = 1, .height = 2, .width = 2, .std = {1, 1, 1, 1}};
    ns_error err = {0};
    ns_dataset *dataset = NULL;
    if (ns_dataset_open(&dataset, path, labels, &shape, &err) == NS_OK) ns_dataset_close(dataset);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    /* Two samples of 2 x 2. */
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,
                                     0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    char labels[128];
    ns_fuzz_clean();
    snprintf(labels, sizeof labels, "%s", ns_fuzz_file("labels", data, size));
    open_with(ns_fuzz_file("images-idx3-ubyte", images, sizeof images), labels);
    ns_fuzz_file("a.png", NULL, 0); /* images are not decoded before they are read */
    ns_fuzz_file("b.jpg", NULL, 0);
    open_with(ns_fuzz_folder(), labels);
}
NS_FUZZ("labels")
