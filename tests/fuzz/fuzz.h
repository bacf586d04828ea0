/* A fuzz target: a file tests/fuzz/NAME.c with
 *
 *     static void fuzz_one(const uint8_t *data, size_t size) { ... }
 *     NS_FUZZ("NAME")
 *
 * Under libFuzzer (make fuzz) that is its entry. In the test runner it is a test: every seed in tests/fuzz/NAME/, then changed
 * copies of them, the same in every run. Seeds are made by tests/fuzz/seeds.py; findings are added there. */
#ifndef NS_FUZZ_H
#define NS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Writes data to a file of that name in a folder of this process's own, and returns its path (static text). */
const char *ns_fuzz_file(const char *name, const uint8_t *data, size_t size);
/* That folder, made when it is first asked for; its files stay until ns_fuzz_clean. */
const char *ns_fuzz_folder(void);
void ns_fuzz_clean(void);

/* Opens `path` as a data set for a model of 1 x 28 x 28, reads and hashes its first sample. */
void ns_fuzz_dataset(const char *path);

/* Mutators of a target's own: NS_FUZZ_MUTATOR(ns_fuzz_script) after its NS_FUZZ. Of bytes that choose, below 200 what is usual: mostly a few of
 * them, so that what is made is wrong in few places and gets beyond the first check. Of what may be gzip: also what is packed, so that
 * the checksums stay right. */
size_t ns_fuzz_script(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t ns_fuzz_gzip(uint8_t *data, size_t size, size_t most, unsigned seed);

#ifdef NS_LIBFUZZER
#define NS_FUZZ_MUTATOR(mutate)                                                                    \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);        \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {       \
        return mutate(data, size, most, seed);                                                     \
    }
#define NS_FUZZ(name)                                                                              \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);                                  \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {                                 \
        fuzz_one(data, size);                                                                      \
        return 0;                                                                                  \
    }
#else
#define NS_FUZZ_MUTATOR(mutate)
#include "tests/runner.h"

/* Runs the target on the seeds of `name` and on so many changed copies of each; fails where there is no seed. */
void ns_fuzz_seeds(const char *name, int copies, void (*one)(const uint8_t *data, size_t size));

/* Where the guard takes a child process for a first look at each file, a copy costs 20 ms, and under the sanitizers several times that. */
#ifndef NS_FUZZ_COPIES
#define NS_FUZZ_COPIES 60
#endif

#define NS_FUZZ(name)                                                                              \
    static void seeds_and_changed_copies(void **state) {                                           \
        (void)state;                                                                               \
        ns_fuzz_seeds(name, NS_FUZZ_COPIES, fuzz_one);                                             \
    }                                                                                              \
    static const struct CMUnitTest tests[] = {cmocka_unit_test(seeds_and_changed_copies)};         \
    NS_TESTS("fuzz " name, tests)
#endif

#endif
