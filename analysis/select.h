/* Exact quantiles of more floats than memory holds, in two walks: the first counts the upper 16 bits of the values, the second the
 * lower 16 bits of those that fall into a wanted value's class.
 *
 * Memory: 512 KiB for the first count, 512 KiB for each distinct class of the second. */
#ifndef NS_SELECT_H
#define NS_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/base/vmath.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_SELECT_CLASSES 65536
#define NS_SELECT_MOST    16 /* quantiles of one selection */

/* A float as an integer in the same order: -inf, ..., -0, +0, ..., inf. */
static inline uint32_t ns_ordered_bits(float x) {
    uint32_t bits = ns_float_bits(x);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | UINT32_C(0x80000000));
}
static inline float ns_ordered_float(uint32_t ordered) {
    return ns_bits_float(ordered & UINT32_C(0x80000000) ? ordered ^ UINT32_C(0x80000000)
                                                        : ~ordered);
}

typedef struct ns_select {
    uint64_t *upper;                 /* [NS_SELECT_CLASSES] */
    uint64_t *lower[NS_SELECT_MOST]; /* of class[k]; those that share a class share the counts */
    int16_t *index; /* [NS_SELECT_CLASSES] which lower counts a class has; -1: none */
    int wanted, distinct;
    uint64_t n;
    double q[NS_SELECT_MOST];
    uint32_t class_of[NS_SELECT_MOST][2]; /* of the order statistics below and above */
    uint64_t rank[NS_SELECT_MOST][2];     /* within the class */
    int lower_of[NS_SELECT_MOST][2];
    double share[NS_SELECT_MOST]; /* between the two */
} ns_select;

/* Counts of zero, for the first walk; ns_select_free also after a failure. Threads have one each. */
int ns_select_begin(ns_select *select, ns_error *err);
void ns_select_free(ns_select *select);

/* First walk. NaN must be left out. */
static inline void ns_select_count(ns_select *s, float x) {
    s->upper[ns_ordered_bits(x) >> 16]++;
}
/* Adds the other's counts of the first walk. */
void ns_select_merge(ns_select *to, const ns_select *from);

/* Between the walks: which quantiles are wanted. At most 8, since each may need two classes. The copy for another thread has the same
 * classes and counts of its own. */
int ns_select_want(ns_select *select, const double *q, int count, ns_error *err);
int ns_select_copy_wanted(ns_select *to, const ns_select *from, ns_error *err);

/* Second walk, over the same values. */
static inline void ns_select_refine(ns_select *s, float x) {
    uint32_t bits = ns_ordered_bits(x);
    int k = s->index[bits >> 16];
    if (k >= 0) s->lower[k][bits & 0xffff]++;
}
void ns_select_merge_refined(ns_select *to, const ns_select *from);

/* The k-th wanted quantile, linear between order statistics (Hyndman and Fan's type 7, NumPy's default); NaN without values. */
double ns_select_result(const ns_select *select, int k);

/* The two order statistics between which it lies; returns the share of the way from the one below, 0 to 1. NaN without values. */
double ns_select_between(const ns_select *select, int k, double *below, double *above);

#ifdef __cplusplus
}
#endif
#endif
