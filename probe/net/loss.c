/* The loss of a classifier. A few thousand logits: plain loops, in double. */
#include <math.h>

#include "probe/net/kernels.h"

/* Adds one sample's loss; gradient [classes], times `weight`, unless NULL. */
static double one(size_t classes, const ns_real *logits, int32_t label, double smoothing,
                  double weight, ns_real *gradient, bool *hit) {
    size_t best = 0;
    for (size_t k = 1; k < classes; k++)
        if (logits[k] > logits[best]) best = k;
    *hit = best == (size_t)label;
    double most = (double)logits[best], sum = 0, total = 0;
    for (size_t k = 0; k < classes; k++) {
        sum += exp((double)logits[k] - most);
        total += (double)logits[k] - most;
    }
    double log_sum = log(sum), share = smoothing / (double)classes;
    for (size_t k = 0; k < classes && gradient; k++) {
        double p = exp((double)logits[k] - most) / sum;
        double target = share + (k == (size_t)label ? 1 - smoothing : 0);
        gradient[k] = (ns_real)((p - target) * weight);
    }
    /* - sum of target log p, with log p = logit - most - log_sum */
    return log_sum - (1 - smoothing) * ((double)logits[label] - most) - share * total;
}

ns_loss ns_cross_entropy(size_t samples, size_t classes, const ns_real *logits,
                         const int32_t *labels, double smoothing, ns_real *dlogits) {
    ns_loss loss = {0, 0};
    for (size_t i = 0; i < samples; i++) {
        bool hit;
        loss.mean += one(classes, logits + i * classes, labels[i], smoothing, 1 / (double)samples,
                         dlogits ? dlogits + i * classes : NULL, &hit) /
                     (double)samples;
        loss.hits += hit;
    }
    return loss;
}
