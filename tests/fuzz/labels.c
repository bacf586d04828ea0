/* A list of labels: text, IDX or .npy. */
#include <stdio.h>

#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(const uint8_t *data, size_t size) {
    /* Two samples of 1 x 2 x 2. */
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,
                                     0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    const ns_image_shape shape = {.channels = 1, .height = 2, .width = 2, .std = {1, 1, 1, 1}};
    ns_fuzz_clean();
    char labels[128];
    snprintf(labels, sizeof labels, "%s", ns_fuzz_file("labels", data, size));
    ns_error err = {0};
    ns_dataset *dataset = NULL;
    if (!ns_dataset_open(&dataset, ns_fuzz_file("images-idx3-ubyte", images, sizeof images), labels,
                         &shape, &err))
        ns_dataset_close(dataset);
}
NS_FUZZ("labels")
