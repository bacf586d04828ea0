/* Seeded pseudo-random numbers and hashes. SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): one 64-bit state, full
 * period, and its output function is a good mixer, so the same few lines serve as generator and as hash. */
#ifndef NS_RANDOM_H
#define NS_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The mixing function: a bijection of 64-bit words in which every input bit changes about half of the output. */
static inline uint64_t ns_mix64(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The next word of the stream whose state is *state. */
static inline uint64_t ns_random_next(uint64_t *state) {
    return ns_mix64(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/* A uniform double in [0, 1), 53 bits. */
static inline double ns_random_unit(uint64_t *state) {
    return (double)(ns_random_next(state) >> 11) * 0x1p-53;
}

/* A uniform integer in [0, n), n > 0, without bias: words below 2^64 mod n are rejected. */
static inline uint64_t ns_random_below(uint64_t *state, uint64_t n) {
    uint64_t limit = (0 - n) % n, word;
    do word = ns_random_next(state);
    while (word < limit);
    return word % n;
}

/* Shuffles ids [count] (Fisher and Yates, from the front): the first k do not depend on how many are asked for. */
static inline void ns_random_shuffle(int64_t *ids, int64_t count, uint64_t seed) {
    uint64_t stream = ns_mix64(seed + UINT64_C(0x9e3779b97f4a7c15));
    for (int64_t i = 0; i < count - 1; i++) {
        int64_t j = i + (int64_t)ns_random_below(&stream, (uint64_t)(count - i)), kept = ids[i];
        ids[i] = ids[j];
        ids[j] = kept;
    }
}

/* The priority of a row: depends on the seed, the sample and the position alone, so that the rows of lowest
 * priority are the same whatever the order in which they are seen. */
static inline uint64_t ns_row_priority(uint64_t seed, int64_t sample, int64_t position) {
    uint64_t h = ns_mix64(seed + UINT64_C(0x9e3779b97f4a7c15));
    h = ns_mix64(h ^ (uint64_t)sample);
    return ns_mix64(h + UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)position + 1));
}

#ifdef __cplusplus
}
#endif
#endif
