/* Every gradient against central differences, in double: a small ViT with each kind of norm, each activation, causal or not, with
 * drop path and label smoothing. The worst error of a tensor is told relative to its largest gradient, or, where that is 0 but for
 * rounding (a bias before a BatchNorm), to a thousandth of the network's.
 *
 * Where the loss has a corner between the two points of a difference (hardtanh, ReLU), the slopes to both sides disagree; such
 * values are left out and counted. Built by the Makefile with NS_REAL_DOUBLE; run by tests/probe/test_gradients.sh. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "probe/net/vit.h"

enum { SAMPLES = 3, CLASSES = 4, PIXELS = 2 * 6 * 9, TOKENS = 7, WIDTH = 8 };
static const double tolerance = 1e-6, step = 1e-5;

typedef struct problem {
    ns_vit *vit;
    double pixels[SAMPLES * PIXELS], keep[4 * SAMPLES];
    int32_t labels[SAMPLES];
    double weights[SAMPLES * TOKENS * WIDTH]; /* of a linear function of all rows, where causal */
} problem;

typedef struct verdict {
    double worst;
    char where[64];
    int left_out, compared;
} verdict;

static double uniform(uint64_t *seed, double low, double high) {
    return low + (high - low) * ns_random_unit(seed);
}

/* No parameter is 0 or 1, so that none hides a mistake. */
static void randomise(problem *p, uint64_t seed) {
    ns_parameters *all = &p->vit->net.parameters;
    for (int i = 0; i < all->count; i++) {
        const ns_parameter *t = &all->items[i];
        bool positive = strstr(t->name, "alpha") || strstr(t->name, "running_var");
        for (size_t k = 0; k < t->count; k++)
            all->values[t->at + k] =
                positive ? uniform(&seed, 0.4, 1.2) : uniform(&seed, -0.8, 0.8);
    }
    for (int i = 0; i < SAMPLES * PIXELS; i++) p->pixels[i] = uniform(&seed, -2, 2);
    for (int i = 0; i < 4 * SAMPLES; i++) p->keep[i] = i % 5 == 3 ? 0 : 1.25;
    for (int i = 0; i < SAMPLES * TOKENS * WIDTH; i++) p->weights[i] = uniform(&seed, -1, 1);
    for (int i = 0; i < SAMPLES; i++) p->labels[i] = (int32_t)ns_random_below(&seed, CLASSES);
}

/* The class token, which stands first, sees nothing but itself where attention is causal: there the loss is a linear function
 * of the rows after the last norm. */
static double loss_of(problem *p) {
    ns_vit_forward(p->vit, SAMPLES, p->pixels, true, (ns_keep){p->keep, SAMPLES});
    if (!p->vit->net.trunk.shape.causal) return ns_vit_loss(p->vit, SAMPLES, p->labels, 0.1, SAMPLES).mean;
    double sum = 0;
    for (int i = 0; i < SAMPLES * TOKENS * WIDTH; i++) sum += p->weights[i] * p->vit->net.trunk.z[i];
    return sum;
}

static void backward(problem *p) {
    if (p->vit->net.trunk.shape.causal)
        ns_trunk_backward(&p->vit->net.trunk, SAMPLES, p->weights);
    else
        ns_vit_backward(p->vit, SAMPLES);
}

/* One tensor: differences of all its values, then the comparison. */
static void judge(problem *p, const ns_parameter *t, const double *gradient, double least,
                  verdict *v) {
    double *values = p->vit->net.parameters.values + t->at, largest = least, worst = 0,
           base = loss_of(p);
    for (size_t k = 0; k < t->count; k++) largest = fmax(largest, fabs(gradient[t->at + k]));
    for (size_t k = 0; k < t->count; k++) {
        double kept = values[k];
        values[k] = kept + step;
        double above = loss_of(p);
        values[k] = kept - step;
        double below = loss_of(p);
        values[k] = kept;
        double right = (above - base) / step, left = (base - below) / step;
        if (fabs(right - left) > 0.01 * largest) {
            v->left_out++;
            continue;
        }
        v->compared++;
        double error = fabs((above - below) / (2 * step) - gradient[t->at + k]) / largest;
        if (!(error <= worst)) worst = error;
    }
    if (worst > v->worst || isnan(worst)) {
        v->worst = worst;
        snprintf(v->where, sizeof v->where, "%s", t->name);
    }
}

static verdict check(const char *norm, ns_activation activation, bool causal, double spoil) {
    ns_error err = {0};
    const ns_vit_shape shape = {.channels = 2,
                                .height = 6,
                                .width = 9,
                                .patch = 3,
                                .embed = WIDTH,
                                .depth = 2,
                                .heads = 2,
                                .hidden = 10,
                                .classes = CLASSES,
                                .norm = ns_norm_kind_find(norm, &err),
                                .eps = 1e-5,
                                .activation = activation};
    problem p;
    verdict v = {0};
    if (ns_vit_new(&p.vit, &shape, &err) || ns_vit_reserve(p.vit, SAMPLES, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    p.vit->net.trunk.shape.causal = causal;
    randomise(&p, 7);
    loss_of(&p);
    backward(&p);
    ns_parameters *all = &p.vit->net.parameters;
    double *gradient = malloc(all->learned * sizeof *gradient), least = 0;
    if (!gradient) exit(1);
    memcpy(gradient, all->gradient, all->learned * sizeof *gradient);
    for (size_t i = 0; i < all->learned; i++) least = fmax(least, 1e-3 * fabs(gradient[i]));
    gradient[all->items[all->learned_count - 1].at] *= spoil;
    for (int i = 0; i < all->learned_count; i++) {
        const ns_parameter *t = &all->items[i];
        bool in_trunk = !strncmp(t->name, "blocks.", 7) || !strncmp(t->name, "norm.", 5);
        if (in_trunk || !causal) judge(&p, t, gradient, least, &v);
    }
    free(gradient);
    ns_vit_free(p.vit);
    return v;
}

static int tell(const char *norm, const char *rest, verdict v) {
    bool good = v.worst <= tolerance && v.left_out * 50 <= v.compared;
    printf("%-14s %-10s %.1e  %-28s %d compared, %d at corners%s\n", norm, rest, v.worst, v.where,
           v.compared, v.left_out, good ? "" : "  WRONG");
    return !good;
}

int main(void) {
    int wrong = 0;
    for (int k = 0; k < ns_norm_kind_count; k++) {
        const char *name = ns_norm_kinds[k]->name;
        wrong += tell(name, "gelu", check(name, NS_GELU_ERF, false, 1));
    }
    wrong += tell("layernorm", "gelu_tanh", check("layernorm", NS_GELU_TANH, false, 1));
    wrong += tell("layernorm", "relu", check("layernorm", NS_RELU, false, 1));
    wrong += tell("rmsnorm", "causal", check("rmsnorm", NS_GELU_ERF, true, 1));
    verdict spoilt = check("layernorm", NS_GELU_ERF, false, 1.0001);
    if (spoilt.worst <= tolerance) {
        printf("a gradient wrong by a ten-thousandth was not seen\n");
        wrong++;
    }
    return wrong != 0;
}
