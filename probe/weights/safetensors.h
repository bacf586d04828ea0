/* The header of a safetensors file: eight bytes of length (little-endian), JSON of that length, then the data.
 *
 * Format: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}; offsets
 * count from the end of the JSON, tensors cover the data without gap or overlap. */
#ifndef NS_SAFETENSORS_H
#define NS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/weights/format.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_SAFETENSORS_MOST_HEADER 100000000u /* bytes; the reference implementation's bound */

/* Reads and checks the header of a whole file in memory. *out [*count] is in the order of names (ns_stored_free). Not one byte of the
 * data is read. NS_EINPUT names `path`, the tensor, what was expected and what was found. */
int ns_safetensors_parse(const unsigned char *bytes, size_t size, const char *path, ns_stored **out,
                         int *count, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
