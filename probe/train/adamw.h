/* AdamW: Loshchilov, Hutter, ICLR 2019, arXiv 1711.05101, in the form and with the order of operations of PyTorch's torch.optim.AdamW. */
#ifndef NS_TRAIN_ADAMW_H
#define NS_TRAIN_ADAMW_H

#include "probe/train/parameters.h"

typedef struct ns_adamw_options {
    double beta1, beta2, eps;
    double weight_decay; /* of those parameters that decay */
} ns_adamw_options;

typedef struct ns_adamw {
    ns_adamw_options options;
    float *m, *v; /* [learned], owned: running means of the gradient and of its square */
    int64_t steps;
} ns_adamw;

/* Memory: two floats a parameter. ns_adamw_free also after a failure. */
int ns_adamw_new(ns_adamw *adam, const ns_adamw_options *options, const ns_parameters *parameters,
                 ns_error *err);
void ns_adamw_free(ns_adamw *adam);

/* One step with the gradient as it stands, times `scale`. */
void ns_adamw_step(ns_adamw *adam, ns_parameters *parameters, double rate, double scale);

/* The Euclidean norm of the whole gradient; the same bits whatever the number of threads. */
double ns_gradient_norm(const ns_parameters *parameters);

/* The learning rate of step `step` (from 0) of `total`: a straight rise over the first `warmup` steps, then half a cosine from
 * `most` down to `least` (Loshchilov, Hutter, ICLR 2017, arXiv 1608.03983). */
double ns_cosine_rate(int64_t step, int64_t total, int64_t warmup, double most, double least);

#endif
