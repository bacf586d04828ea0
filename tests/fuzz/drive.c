/* What the fuzz targets share, and the small fuzzer of `make check`. */
#include <dirent.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "datasets/dataset.h"
#include "probe/base/random.h"
#include "tests/fuzz/fuzz.h"

static char folder[64];

void ns_fuzz_clean(void) {
    DIR *dir = *folder ? opendir(folder) : NULL;
    char path[384];
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    if (dir) closedir(dir);
}

static void leave(void) {
    ns_fuzz_clean();
    rmdir(folder);
}

const char *ns_fuzz_folder(void) {
    if (*folder) return folder;
    strcpy(folder, "/dev/shm/normscope-fuzz-XXXXXX");
    if (!mkdtemp(folder)) {
        strcpy(folder, P_tmpdir "/normscope-fuzz-XXXXXX");
        if (!mkdtemp(folder)) abort();
    }
    atexit(leave);
    return folder;
}

const char *ns_fuzz_file(const char *name, const uint8_t *data, size_t size) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", ns_fuzz_folder(), name);
    FILE *file = fopen(path, "wb");
    if (!file || (size && fwrite(data, 1, size, file) != size) || fclose(file) != 0) abort();
    return path;
}

void ns_fuzz_dataset(const char *path) {
    static float pixels[28 * 28];
    const int64_t first = 0;
    const ns_image_shape shape = {
        .channels = 1, .height = 28, .width = 28, .std = {1, 1, 1, 1}, .resize = 31};
    ns_error err = {0};
    ns_dataset *dataset = NULL;
    char hex[NS_HASH_HEX];
    if (ns_dataset_open(&dataset, path, NULL, &shape, &err)) return;
    if (ns_dataset_read(dataset, &first, 1, pixels, &err) == NS_OK)
        ns_dataset_hash(dataset, &first, 1, hex, &err);
    ns_dataset_close(dataset);
}

#ifdef NS_LIBFUZZER
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

size_t ns_fuzz_script(uint8_t *data, size_t size, size_t most, unsigned seed) {
    uint64_t state = seed;
    if (!size || ns_random_below(&state, 3) == 0) return LLVMFuzzerMutate(data, size, most);
    for (uint64_t n = 1 + ns_random_below(&state, 4); n--;) {
        size_t at = (size_t)ns_random_below(&state, size);
        data[at] = (uint8_t)(ns_random_below(&state, 2) ? ns_random_below(&state, 200)
                                                        : 200 + ns_random_below(&state, 56));
    }
    return size;
}

size_t ns_fuzz_gzip(uint8_t *data, size_t size, size_t most, unsigned seed) {
    enum { MOST = 1 << 14 };
    static uint8_t text[MOST], packed[MOST];
    uint64_t state = seed;
    z_stream z = {.next_in = data, .avail_in = (uInt)size, .next_out = text, .avail_out = MOST};
    if (ns_random_below(&state, 4) == 0 || inflateInit2(&z, 15 + 16) != Z_OK)
        return LLVMFuzzerMutate(data, size, most);
    bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END;
    inflateEnd(&z);
    if (!whole) return LLVMFuzzerMutate(data, size, most);
    size_t length = LLVMFuzzerMutate(text, z.total_out, MOST);
    z = (z_stream){
        .next_in = text, .avail_in = (uInt)length, .next_out = packed, .avail_out = MOST};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return size;
    whole = deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out <= most;
    deflateEnd(&z);
    if (!whole) return LLVMFuzzerMutate(data, size, most);
    memcpy(data, packed, z.total_out);
    return z.total_out;
}
#endif

#ifndef NS_LIBFUZZER
enum { MOST_SEED = 1 << 16 };

/* Flips, sets, removes or repeats some bytes; returns the new size. */
static size_t change(uint8_t *bytes, size_t size, uint64_t *state) {
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '"', '[', '{', '\n', '-', '9'};
    size_t edits = 1 + (size_t)ns_random_below(state, 4);
    for (size_t e = 0; e < edits && size; e++) {
        size_t at = (size_t)ns_random_below(state, size), n;
        switch (ns_random_below(state, 5)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << ns_random_below(state, 8));
            break;
        case 1:
            bytes[at] = odd[ns_random_below(state, sizeof odd)];
            break;
        case 2:
            size = at;
            break;
        case 3: /* cut out */
            n = (size_t)ns_random_below(state, size - at < 16 ? size - at : 16);
            memmove(bytes + at, bytes + at + n, size - at - n);
            size -= n;
            break;
        default: /* repeat */
            n = (size_t)ns_random_below(state, size - at < 16 ? size - at : 16);
            if (size + n > MOST_SEED) break;
            memmove(bytes + at + n, bytes + at, size - at);
            size += n;
        }
    }
    return size;
}

void ns_fuzz_seeds(const char *name, int copies, void (*one)(const uint8_t *data, size_t size)) {
    char path[512];
    snprintf(path, sizeof path, "tests/fuzz/%s", name);
    struct dirent **entries;
    int found = scandir(path, &entries, NULL, alphasort), seeds = 0;
    uint64_t state = 1;
    uint8_t *seed = malloc(MOST_SEED), *copy = malloc(MOST_SEED);
    int threads = omp_get_max_threads();
    omp_set_num_threads(
        1); /* on a busy machine, threads that wait for each other take most of the time */
    for (int i = 0; i < found; i++) {
        snprintf(path, sizeof path, "tests/fuzz/%s/%s", name, entries[i]->d_name);
        FILE *file = entries[i]->d_name[0] == '.' ? NULL : fopen(path, "rb");
        free(entries[i]);
        if (!file) continue;
        size_t size = fread(seed, 1, MOST_SEED, file);
        fclose(file);
        one(seed, size);
        for (int k = 0; k < copies; k++) {
            memcpy(copy, seed, size);
            one(copy, change(copy, size, &state));
        }
        seeds++;
    }
    if (found >= 0) free(entries);
    free(seed);
    free(copy);
    omp_set_num_threads(threads);
    assert_true(seeds > 0);
}
#endif
