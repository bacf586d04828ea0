#include "probe/train/checkpoint.h"

#include <stdio.h>
#include <string.h>

int ns_parameters_load(ns_parameters *parameters, ns_weights *weights, ns_error *err) {
    for (int i = 0; i < parameters->count; i++) {
        const ns_parameter *t = &parameters->items[i];
        const float *values;
        int status = ns_weights_get(weights, t->name, t->dims, t->shape, &values, err);
        if (status) return status;
        memcpy(parameters->values + t->at, values, t->count * sizeof *values);
    }
    return NS_OK;
}

void ns_parameters_tensors(const ns_parameters *parameters, int count, const float *values,
                           const char *prefix, ns_tensor_name *names, ns_tensor_out *out) {
    for (int i = 0; i < count; i++) {
        const ns_parameter *t = &parameters->items[i];
        snprintf(names[i], sizeof names[i], "%s%s", prefix, t->name);
        out[i] = (ns_tensor_out){.name = names[i], .dims = t->dims, .values = values + t->at};
        memcpy(out[i].shape, t->shape, sizeof t->shape);
    }
}
