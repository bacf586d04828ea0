/* The loss of a classifier. Exponentials are ns_reals, so that a vocabulary's loop vectorises; sums over classes and labels are double. */
#include <math.h>

#include "probe/base/rmath.h"
#include "probe/base/simd.h"
#include "probe/kernels/kernels.h"

enum { SUM_BLOCK = 64 };

/* e [classes] = exp(logit - most), their sum, and the sum of (logit - most). */
NS_CLONES static void exponentials(size_t classes, const ns_real *logits, ns_real most, ns_real *e,
                                   double *sum, double *total) {
    *sum = *total = 0;
    for (size_t from = 0; from < classes; from += SUM_BLOCK) {
        size_t to = classes - from < SUM_BLOCK ? classes : from + SUM_BLOCK;
        ns_real s = 0, t = 0;
#pragma omp simd reduction(+ : s, t)
        for (size_t k = from; k < to; k++) {
            ns_real d = logits[k] - most, x = ns_rexp(d);
            e[k] = x;
            s += x;
            t += d;
        }
        *sum += (double)s;
        *total += (double)t;
    }
}

NS_CLONES static void scale_and_shift(size_t classes, ns_real scale, ns_real shift, ns_real *e) {
#pragma omp simd
    for (size_t k = 0; k < classes; k++) e[k] = scale * e[k] - shift;
}

static double one(size_t classes, const ns_real *logits, int32_t label, double smoothing,
                  double weight, ns_real *gradient, bool *hit) {
    int32_t best = ns_best_class(classes, logits);
    *hit = best == label;
    double sum, total, share = smoothing / (double)classes, most = (double)logits[best];
    exponentials(classes, logits, logits[best], gradient, &sum, &total);
    scale_and_shift(classes, (ns_real)(weight / sum), (ns_real)(share * weight), gradient);
    gradient[label] -= (ns_real)((1 - smoothing) * weight);
    /* - sum of target log p, with log p = logit - most - log(sum) */
    return weight * (log(sum) - (1 - smoothing) * ((double)logits[label] - most) - share * total);
}

ns_loss ns_cross_entropy(size_t samples, size_t classes, const ns_real *logits,
                         const int32_t *labels, double smoothing, size_t of, ns_real *dlogits) {
    ns_loss loss = {0, 0};
    for (size_t i = 0; i < samples; i++, logits += classes, dlogits += classes) {
        bool hit = false;
        if (labels[i] >= 0)
            loss.mean += one(classes, logits, labels[i], smoothing, 1 / (double)of, dlogits, &hit);
        else
            for (size_t k = 0; k < classes; k++) dlogits[k] = 0;
        loss.hits += hit;
    }
    return loss;
}

NS_CLONES static double sum_of_exponentials(size_t classes, const ns_real *logits, ns_real most) {
    double sum = 0;
    for (size_t from = 0; from < classes; from += SUM_BLOCK) {
        size_t to = classes - from < SUM_BLOCK ? classes : from + SUM_BLOCK;
        ns_real s = 0;
#pragma omp simd reduction(+ : s)
        for (size_t k = from; k < to; k++) s += ns_rexp(logits[k] - most);
        sum += (double)s;
    }
    return sum;
}

int32_t ns_best_class(size_t classes, const ns_real *logits) {
    size_t best = 0;
    for (size_t k = 1; k < classes; k++)
        if (logits[k] > logits[best]) best = k;
    return (int32_t)best;
}

double ns_label_loss(size_t classes, const ns_real *logits, int32_t label, int32_t *best) {
    *best = ns_best_class(classes, logits);
    double most = (double)logits[*best];
    return log(sum_of_exponentials(classes, logits, logits[*best])) -
           ((double)logits[label] - most);
}
