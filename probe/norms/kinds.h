/* The kinds, one file each in this folder; the table is probe/norm.c. Not installed as an interface. */
#ifndef NS_NORM_KINDS_H
#define NS_NORM_KINDS_H

#include "probe/norm.h"

extern const ns_norm_kind ns_norm_layernorm;
extern const ns_norm_kind ns_norm_rmsnorm;
extern const ns_norm_kind ns_norm_batchnorm;
extern const ns_norm_kind ns_norm_dyt;
extern const ns_norm_kind ns_norm_derf;

/* No formula bounds |y|. */
double ns_norm_unbounded(const ns_norm *norm);

/* z [rows, C] = gamma * y + beta, from y [rows, C], which may be z; absent arrays are 1 and 0. */
void ns_norm_affine(const ns_norm *norm, size_t rows, const float *y, float *z);

#endif
