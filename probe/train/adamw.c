#include "probe/train/adamw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/simd.h"

enum { PIECE = 4096 };

int ns_adamw_new(ns_adamw *adam, const ns_adamw_options *options, const ns_parameters *parameters,
                 ns_error *err) {
    size_t n = parameters->learned;
    *adam = (ns_adamw){.options = *options};
    adam->m = ns_alloc_aligned(n, sizeof *adam->m, err);
    adam->v = adam->m ? ns_alloc_aligned(n, sizeof *adam->v, err) : NULL;
    if (!adam->v) return NS_EFAIL;
    memset(adam->m, 0, n * sizeof *adam->m);
    memset(adam->v, 0, n * sizeof *adam->v);
    return NS_OK;
}

void ns_adamw_free(ns_adamw *adam) {
    free(adam->m);
    free(adam->v);
    *adam = (ns_adamw){0};
}

/* What one step does to every value: p = keep p; m, v; p -= rate m / (sqrt(v) * root + eps). */
typedef struct update {
    float scale, beta1, beta2, rest1, rest2, keep, rate, root,
        eps; /* rest: 1 - beta, rounded once */
} update;

NS_CLONES static void apply(const update *u, size_t n, const float *gradient, float *m, float *v,
                            float *p) {
    float b1 = u->beta1, b2 = u->beta2, scale = u->scale, keep = u->keep, rate = u->rate,
          root = u->root, eps = u->eps, rest1 = u->rest1, rest2 = u->rest2;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = scale * gradient[i];
        m[i] = b1 * m[i] + rest1 * g;
        v[i] = b2 * v[i] + rest2 * g * g;
        p[i] = keep * p[i] - rate * m[i] / (sqrtf(v[i]) * root + eps);
    }
}

void ns_adamw_step(ns_adamw *adam, ns_parameters *parameters, double rate, double scale) {
    const ns_adamw_options *o = &adam->options;
    double steps = (double)++adam->steps;
    update u = {.scale = (float)scale,
                .beta1 = (float)o->beta1,
                .beta2 = (float)o->beta2,
                .rest1 = (float)(1 - o->beta1),
                .rest2 = (float)(1 - o->beta2),
                .rate = (float)(rate / (1 - pow(o->beta1, steps))),
                .root = (float)(1 / sqrt(1 - pow(o->beta2, steps))),
                .eps = (float)o->eps};
    /* One region, and no thread waits for another between tensors. */
#pragma omp parallel firstprivate(u)
    for (int i = 0; i < parameters->learned_count; i++) {
        const ns_parameter *t = &parameters->items[i];
        u.keep = t->decays ? (float)(1 - rate * o->weight_decay) : 1;
#pragma omp for schedule(static) nowait
        for (size_t k = 0; k < t->count; k += PIECE) {
            size_t at = t->at + k, n = t->count - k < PIECE ? t->count - k : PIECE;
            apply(&u, n, parameters->gradient + at, adam->m + at, adam->v + at,
                  parameters->values + at);
        }
    }
}

double ns_gradient_norm(const ns_parameters *parameters) {
    double total = 0;
    size_t n = parameters->learned;
    for (size_t from = 0; from < n; from += PIECE) {
        size_t to = n - from < PIECE ? n : from + PIECE;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t i = from; i < to; i++) {
            double g = (double)parameters->gradient[i];
            sum += g * g;
        }
        total += sum;
    }
    return sqrt(total);
}

double ns_cosine_rate(int64_t step, int64_t total, int64_t warmup, double most, double least) {
    if (step < warmup) return most * (double)(step + 1) / (double)warmup;
    if (total <= warmup) return most;
    double share = (double)(step - warmup) / (double)(total - warmup);
    return least + 0.5 * (most - least) * (1 + cos(3.14159265358979323846 * share));
}
