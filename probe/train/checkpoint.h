/* A network's parameters to and from safetensors files. */
#ifndef NS_TRAIN_CHECKPOINT_H
#define NS_TRAIN_CHECKPOINT_H

#include "probe/train/parameters.h"
#include "probe/weights/safetensors_write.h"
#include "probe/weights/weights.h"

/* Every parameter from the tensor of its name. NS_EINPUT where one is missing or has another shape. */
int ns_parameters_load(ns_parameters *parameters, ns_weights *weights, ns_error *err);

/* The tensors [count] of `parameters`, the first `count` of them, that lie in `values`, under their names with `prefix`, for
 * ns_safetensors_write; at out[0..count-1]. names [count] has room for the names. */
typedef char ns_tensor_name[64];
void ns_parameters_tensors(const ns_parameters *parameters, int count, const float *values,
                           const char *prefix, ns_tensor_name *names, ns_tensor_out *out);

#endif
