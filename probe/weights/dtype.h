/* Types of elements as checkpoint files have them, by blocks: a plain type has one value a block, a quantized one 32 or 256 with their scale.
 * A table, dtype.c, knows each once; whoever holds bytes of a type widens them to floats through it. */
#ifndef NS_DTYPE_H
#define NS_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_element {
    const char *name;     /* "F32", "Q4_1": as safetensors and GGUF call it */
    size_t values, bytes; /* of one block */
    /* out [blocks * values] from bytes [blocks * bytes], little-endian, which need not be aligned. NULL: integers and others that nobody
     * computes with. */
    void (*widen)(size_t blocks, const unsigned char *bytes, float *out);
} ns_element;

/* The type of that name; NULL where there is none. */
NS_API const ns_element *ns_element_named(const char *name);
/* The i-th type; NULL behind the last. */
NS_API const ns_element *ns_element_at(size_t i);

/* Rows of values, one behind the other, as a file has them. A row is whole blocks. Borrowed. */
typedef struct ns_packed {
    const ns_element *type;
    const unsigned char *bytes;
} ns_packed;

/* out [rows, k] = the rows from `first` up. */
NS_API void ns_widen_rows(const ns_packed *packed, size_t k, size_t first, size_t rows, float *out);

#ifdef __cplusplus
}
#endif
#endif
