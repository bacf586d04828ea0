/* A PNG, JPEG or WebP image, alone in its folder: what it is, its bytes say. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/fuzz/fuzz.h"

/* Puts the right checksum behind every chunk of a PNG: libpng stops at a wrong one, and would be tested no further. */
static void mend_checksums(uint8_t *png, size_t size) {
    for (size_t at = 8; size >= 12 && at <= size - 12;) {
        size_t length = (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 |
                        (size_t)png[at + 2] << 8 | png[at + 3];
        if (length > size - at - 12) return;
        uint32_t sum = (uint32_t)crc32(0, png + at + 4, (uInt)length + 4);
        for (size_t i = 0; i < 4; i++) png[at + 8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_fuzz_clean();
    ns_fuzz_dataset(ns_fuzz_file("a.png", data, size));
    if (size < 8 || memcmp(data, "\x89PNG", 4) != 0) return;
    uint8_t *mended = malloc(size);
    if (!mended) abort();
    memcpy(mended, data, size);
    mend_checksums(mended, size);
    ns_fuzz_dataset(ns_fuzz_file("a.png", mended, size));
    free(mended);
}
NS_FUZZ("image")
