/* Dynamic Tanh: Zhu, Chen, He, LeCun, Liu, CVPR 2025, arXiv 2503.10622. */
#include "probe/norms/kinds/dynamic_tanh.h"

extern const ns_norm_kind ns_norm_dyt;
const ns_norm_kind ns_norm_dyt = {.name = "dyt",
                                  .title = "DyT",
                                  .formula = "y = tanh(alpha x)",
                                  .source = "Zhu, Chen, He, LeCun, Liu, arXiv 2503.10622",
                                  .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                  .learns = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                  .alpha = 0.5,
                                  .forward = forward,
                                  .reference = reference,
                                  .bound = ns_norm_bounded_by_one,
                                  .backward = backward};
