/* Raw token ids of two and of four bytes. */
#include <stdlib.h>

#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

static void open_as(const char *path, int bytes, int words) {
    const ns_text_shape shape = {.length = 3, .words = words, .padding = -1, .raw = bytes};
    ns_error err = {0};
    ns_dataset *ids = NULL;
    if (ns_dataset_open_words(&ids, path, NULL, &shape, &err) != NS_OK) return;
    int32_t tokens[3];
    char hex[NS_HASH_HEX];
    const int64_t last = ids->count - 1;
    if (ns_dataset_words(ids, &last, 1, tokens, &err) || ns_dataset_hash(ids, &last, 1, hex, &err))
        abort();
    for (int i = 0; i < 3; i++)
        if (tokens[i] < 0 || (words && tokens[i] >= words)) abort();
    ns_dataset_close(ids);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_fuzz_clean();
    const char *path = ns_fuzz_file("ids.bin", data, size);
    for (int bytes = 2; bytes <= 4; bytes += 2) {
        open_as(path, bytes, 0);
        open_as(path, bytes, 300);
    }
}
NS_FUZZ("raw_ids")
