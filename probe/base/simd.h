/* Hot loops are plain C; NS_CLONES above one of them has it built for several instruction sets, the best of
 * which is chosen when the program starts, so that one binary runs on any x86-64. On other machines, and with
 * compilers that lack the attribute, it is empty. Sanitizer builds leave it out: their start-up order and the
 * choice at load time do not go together. */
#ifndef NS_SIMD_H
#define NS_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(NS_NO_CLONES)
#define NS_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define NS_CLONES
#endif

/* Before a loop that seeks the least or the most of floats: NS_SIMD_EXTREMES(reduction(max : most)). GCC takes OpenMP's word that NaN and the
 * sign of zero do not matter there; clang does not, and would warn that it cannot do what it is told. */
#define NS_PRAGMA(...) _Pragma(#__VA_ARGS__)
#ifdef __clang__
#define NS_SIMD_EXTREMES(...)
#else
#define NS_SIMD_EXTREMES(...) NS_PRAGMA(omp simd __VA_ARGS__)
#endif

#endif
