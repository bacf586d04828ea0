/* Writing a safetensors file of float32 tensors; the format is described in probe/weights/safetensors.h. */
#ifndef NS_SAFETENSORS_WRITE_H
#define NS_SAFETENSORS_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/weights/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_tensor_out {
    const char *name;
    int dims;
    int64_t shape[NS_MAX_DIMS];
    const float *values; /* [product of shape], row-major; borrowed */
} ns_tensor_out;

/* Writes `count` tensors, in the order given, under another name beside `path` and renames. NS_EFAIL where path exists and
 * force is not set, or it cannot be written. */
NS_API int ns_safetensors_write(const char *path, const ns_tensor_out *tensors, int count,
                                bool force, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
