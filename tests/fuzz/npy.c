/* A tensor in NumPy's format, and token ids. */
#include <stdlib.h>

#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

static void open_ids(const char *path, int32_t padding) {
    enum { WORDS = 40, MOST = 64 };
    const ns_text_shape shape = {.most = MOST, .words = WORDS, .padding = padding};
    int32_t words[MOST];
    char hex[NS_HASH_HEX];
    ns_error err = {0};
    ns_dataset *ids = NULL;
    if (ns_dataset_open_words(&ids, path, NULL, &shape, &err) != NS_OK) return;
    if (ns_dataset_words(ids, &(int64_t){ids->count - 1}, 1, words, &err) != NS_OK) abort();
    for (int i = 0; i < ids->text.length; i++)
        if (words[i] < -1 || words[i] >= WORDS) abort();
    ns_dataset_hash(ids, &(int64_t){0}, 1, hex, &err);
    ns_dataset_close(ids);
}

static void fuzz_one(const uint8_t *data, size_t size) {
    ns_fuzz_clean();
    const char *path = ns_fuzz_file("images.npy", data, size);
    ns_fuzz_dataset(path);
    open_ids(path, -1);
    open_ids(path, 0);
}
NS_FUZZ("npy")
