/* Whether a file holds what its sites compute: y made again from x, by the definition in double, at every row. */
#ifndef NS_VERIFY_H
#define NS_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_verify_result {
    uint64_t rows;    /* looked at */
    uint64_t padding; /* of them padding, which is not compared */
    uint64_t
        nonfinite; /* values of x or y that are not finite; their rows are compared where x is finite */
    double largest;     /* |y| */
    double difference;  /* largest |y stored - y computed| */
    double tolerance;   /* at the row of the largest share of its tolerance */
    double share;       /* largest difference over tolerance of a row; at most 1 is agreement */
    uint64_t misplaced; /* rows whose sample or position is not the one that belongs there */
    bool good;
} ns_verify_result;

/* Verifies site i (from 0) of an open file. The tolerance of a row is 1e-5 of its largest |y|, the rounding of a float32 pass; where
 * the file holds float16 there come to it half a unit in the last place of y and four times what rounding x by half a unit in the
 * last place, signs alternating, does to y. Memory: a piece of rows a thread. */
NS_API int ns_verify_site(const ns_store *store, int i, ns_verify_result *result, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
