/* Four doubles at a time, as GNU C's vectors: for the hot loops that keep more sums than a compiler would hold in registers by
 * itself. Any instruction set will do; with one that has fewer lanes the compiler uses several registers. Functions take pointers,
 * because how vectors are passed by value depends on the instruction set. */
#ifndef NS_LANES_KERNEL_H
#define NS_LANES_KERNEL_H

#include <stdint.h>
#include <string.h>

#include "probe/base/vmath.h"

enum { NS_LANES = 4 };
typedef double ns_lanes __attribute__((vector_size(32)));
typedef int64_t ns_lane_mask __attribute__((vector_size(32))); /* all bits of a lane, or none */
typedef float ns_float_lanes __attribute__((vector_size(16)));

#define NS_SPLAT(c)      ((ns_lanes){(c), (c), (c), (c)})
#define NS_ONLY(mask, v) ((ns_lanes)((mask) & (ns_lane_mask)(v))) /* v, or 0 */
#define NS_SELECT(mask, a, b)                                                                      \
    ((ns_lanes)(((mask) & (ns_lane_mask)(a)) | (~(mask) & (ns_lane_mask)(b))))

#define NS_SIZE(v) NS_ONLY(~NS_LANES_SIGN, v)
#define NS_WITH_SIGN(size, v)                                                                      \
    ((ns_lanes)((ns_lane_mask)(size) | (NS_LANES_SIGN & (ns_lane_mask)(v)))) /* size >= 0 */
#define NS_LANES_SIGN ((ns_lane_mask){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN})

NS_INLINE void ns_lanes_load(const float *from, ns_lanes *to) {
    ns_float_lanes narrow;
    memcpy(&narrow, from, sizeof narrow);
    *to = __builtin_convertvector(narrow, ns_lanes);
}

NS_INLINE double ns_lanes_sum(const ns_lanes *v) {
    return ((*v)[0] + (*v)[1]) + ((*v)[2] + (*v)[3]);
}

/* The first n lanes. */
NS_INLINE void ns_lanes_first(size_t n, ns_lane_mask *mask) {
    *mask =
        (ns_lane_mask){0, 1, 2, 3} < (ns_lane_mask){(int64_t)n, (int64_t)n, (int64_t)n, (int64_t)n};
}

#define NS_LANES_AT(array, i) (*(ns_lanes *)(void *)&(array)[i])

/* A block of points in double, and what a curve keeps of each: in use, three or four arrays that stay in the first-level cache. */
enum { NS_BLOCK = 512 };
typedef struct ns_block {
    double x[NS_BLOCK], r[NS_BLOCK], weight[NS_BLOCK];
    double u[NS_BLOCK],
        v[NS_BLOCK]; /* u = alpha x + d, of which curve_state makes one state or two */
} __attribute__((aligned(64))) ns_block;

#endif
