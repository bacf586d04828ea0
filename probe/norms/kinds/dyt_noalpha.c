/* DyT without alpha, as in its paper's ablation: tanh(x). */
#include "probe/norms/kinds/dynamic_tanh.h"

extern const ns_norm_kind ns_norm_dyt_noalpha;
const ns_norm_kind ns_norm_dyt_noalpha = {.name = "dyt-noalpha",
                                          .title = "DyT without alpha",
                                          .formula = "y = tanh(x)",
                                          .source = "Zhu, Chen, He, LeCun, Liu, arXiv 2503.10622",
                                          .has = NS_HAS_GAMMA | NS_HAS_BETA,
                                          .learns = NS_HAS_GAMMA | NS_HAS_BETA,
                                          .alpha = 1,
                                          .forward = forward,
                                          .reference = reference,
                                          .bound = ns_norm_bounded_by_one,
                                          .backward = backward};
