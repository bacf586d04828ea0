/* IDX, plain or gzip. */
#include <stdlib.h>

#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(const uint8_t *data, size_t size) {
    static float pixels[3 * 28 * 28];
    const int64_t first = 0;
    const ns_image_shape shape = {
        .channels = 1, .height = 28, .width = 28, .std = {1, 1, 1, 1}, .resize = 31};
    ns_fuzz_clean();
    ns_error err = {0};
    ns_dataset *dataset = NULL;
    char hex[NS_HASH_HEX];
    if (ns_dataset_open(&dataset, ns_fuzz_file("images-idx3-ubyte", data, size), NULL, &shape,
                        &err))
        return;
    if (dataset->count > 0 && ns_dataset_read(dataset, &first, 1, pixels, &err) == NS_OK)
        ns_dataset_hash(dataset, &first, 1, hex, &err);
    ns_dataset_close(dataset);
}
NS_FUZZ("idx")
