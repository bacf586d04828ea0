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

#endif
