/* What the files of the sketch share. Not installed as an interface. */
#ifndef NS_SKETCH_INTERNAL_H
#define NS_SKETCH_INTERNAL_H

#include "probe/base/vmath.h"
#include "probe/sketch/sketch.h"

/* Cells of the picture are never finer: 1024 of them then span 2^-20. */
enum { NS_GRID_FINEST = -30 };

NS_INLINE int ns_sketch_bin_inline(float x) {
    enum { SHIFT = 23 - 5, FIRST = (127 + NS_SKETCH_LOW) * NS_SKETCH_PER_OCTAVE };
    uint32_t bits = ns_float_bits(x);
    int k = (int)((bits & UINT32_C(0x7fffffff)) >> SHIFT) - FIRST;
    k = k < 0 ? 0 : k;
    k = k > NS_SKETCH_SIDE - 1 ? NS_SKETCH_SIDE - 1 : k;
    return bits >> 31 ? NS_SKETCH_SIDE - 1 - k : NS_SKETCH_SIDE + k;
}

typedef struct ns_point {
    float x, y;
    int64_t sample;
    int32_t position, channel;
} ns_point;

/* The part of a row that is no padding. */
static inline int ns_sketch_part(int32_t position, uint8_t kind) {
    return position == 0 ? NS_PART_FIRST : NS_PART_OF_KIND + (kind < NS_SKETCH_KINDS ? kind : 0);
}

/* Takes the point among the largest where it belongs there. */
void ns_sketch_note(ns_sketch *sketch, const ns_point *point);

/* What of a sketch out of a file later code could not bear ("bins: a count that is none"); NULL: nothing. */
const char *ns_sketch_wrong(const ns_sketch *sketch);

/* The exponent of cells so that half of `cells` of them reach over a range. */
int32_t ns_grid_exponent(double least, double most, int cells);
/* Doubles cells until the exponents are those wanted, which are not smaller. */
void ns_grid_coarsen(uint32_t *grid, int32_t exponents[2], const int32_t wanted[2]);
/* Adds `from`, which is coarsened where it must be. */
void ns_grid_add(uint32_t *to, int32_t exponents[2], uint32_t *from, int32_t from_exponents[2]);

#endif
