/* The header of a safetensors file. */
#include "probe/weights/safetensors.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_error err = {0};
    ns_stored *tensors = NULL;
    int count = 0;
    if (ns_safetensors_parse(data, size, "fuzz", &tensors, &count, &err) == NS_OK)
        ns_stored_free(tensors, count);
}
NS_FUZZ("safetensors")
