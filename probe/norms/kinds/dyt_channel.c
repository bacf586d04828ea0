/* DyT with an alpha for each channel, which its paper's section on alpha weighs against one number. */
#include "probe/norms/kinds/dynamic_tanh.h"

extern const ns_norm_kind ns_norm_dyt_channel;
const ns_norm_kind ns_norm_dyt_channel = {.name = "dyt-channel",
                                          .title = "DyT, channel alpha",
                                          .formula = "y = tanh(alpha x), alpha a channel",
                                          .source = "Zhu, Chen, He, LeCun, Liu, arXiv 2503.10622",
                                          .has = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                          .learns = NS_HAS_GAMMA | NS_HAS_BETA | NS_HAS_ALPHA,
                                          .alpha = 0.5,
                                          .alpha_per_channel = 1,
                                          .forward = forward,
                                          .reference = reference,
                                          .bound = ns_norm_bounded_by_one,
                                          .backward = backward};
