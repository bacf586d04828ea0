/* A tensor in NumPy's format. */
#include "tests/fuzz/fuzz.h"

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_fuzz_clean();
    ns_fuzz_dataset(ns_fuzz_file("images.npy", data, size));
}
NS_FUZZ("npy")
