#include "probe/base/moments.h"

#include <math.h>

#include "probe/base/simd.h"

NS_CLONES
ns_moments ns_moments_of(const float *x, size_t n) {
    if (!n) return (ns_moments){0};
    double sum = 0, m1 = 0, m2 = 0, m3 = 0, m4 = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    double mean = sum / (double)n;
#pragma omp simd reduction(+ : m1, m2, m3, m4)
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - mean, dd = d * d;
        m1 += d;
        m2 += dd;
        m3 += dd * d;
        m4 += dd * dd;
    }
    /* The mean is rounded; what is left of the first moment corrects the second. */
    return (ns_moments){(double)n, mean + m1 / (double)n, m2 - m1 * m1 / (double)n, m3, m4};
}

void ns_moments_merge(ns_moments *to, const ns_moments *from) {
    if (from->n == 0) return;
    if (to->n == 0) {
        *to = *from;
        return;
    }
    double a = to->n, b = from->n, n = a + b, d = from->mean - to->mean, r = d / n;
    double m4 = to->m4 + from->m4 + d * r * r * r * a * b * (a * a - a * b + b * b) +
                6 * r * r * (a * a * from->m2 + b * b * to->m2) +
                4 * r * (a * from->m3 - b * to->m3);
    double m3 =
        to->m3 + from->m3 + d * r * r * a * b * (a - b) + 3 * r * (a * from->m2 - b * to->m2);
    to->m2 += from->m2 + d * r * a * b;
    to->m3 = m3;
    to->m4 = m4;
    to->mean += r * b;
    to->n = n;
}

double ns_moments_sigma(const ns_moments *m) {
    return m->n > 0 ? sqrt(m->m2 / m->n) : (double)NAN;
}

double ns_moments_excess_kurtosis(const ns_moments *m) {
    return m->m2 > 0 ? m->n * m->m4 / (m->m2 * m->m2) - 3 : (double)NAN;
}

double ns_moments_skewness(const ns_moments *m) {
    return m->m2 > 0 ? sqrt(m->n) * m->m3 / (m->m2 * sqrt(m->m2)) : (double)NAN;
}

double ns_inverse_sigma(double sigma) {
    return 1 / sigma;
}

double ns_inverse_sigma_robust(double mad) {
    return 1 / (1.4826 * mad);
}
