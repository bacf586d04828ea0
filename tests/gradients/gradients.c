/* Every gradient against central differences, in double: a small ViT with each kind of norm and each activation, and a small GPT, with
 * drop path and label smoothing, and both with more tokens than NS_FEW_TOKENS, where attention is BLAS's. The worst error of a tensor is told relative to its largest gradient, or, where that is 0 but for
 * rounding (a bias before a BatchNorm), to a thousandth of the network's.
 *
 * Where the loss has a corner between the two points of a difference (hardtanh, ReLU), the slopes to both sides disagree; such
 * values are left out and counted. Built by the Makefile with NS_REAL_DOUBLE; run by tests/probe/train/test_gradients.sh. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "probe/train/trainee.h"

enum { SAMPLES = 3, CLASSES = 4, PIXELS = 2 * 6 * 9, CONTEXT = 5, WORDS = 6, WIDTH = 8 };
/* The smallest that BLAS attends to; a patch of one pixel makes the ViT's tokens many. */
enum { LONG_CONTEXT = NS_FEW_TOKENS + 1 };
_Static_assert(1 + 6 * 9 > NS_FEW_TOKENS, "a ViT with many tokens");
static const double tolerance = 1e-6, step = 1e-5;

typedef struct problem {
    ns_trainee *net;
    double pixels[SAMPLES * PIXELS], keep[4 * SAMPLES];
    int32_t words[SAMPLES * LONG_CONTEXT];
    int32_t labels[SAMPLES * LONG_CONTEXT];
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
    ns_parameters *all = &p->net->parameters;
    for (int i = 0; i < all->count; i++) {
        const ns_parameter *t = &all->items[i];
        bool positive = strstr(t->name, "alpha") || strstr(t->name, "running_var");
        for (size_t k = 0; k < t->count; k++)
            all->values[t->at + k] =
                positive ? uniform(&seed, 0.4, 1.2) : uniform(&seed, -0.8, 0.8);
    }
    bool words = p->net->words;
    for (int i = 0; i < SAMPLES * PIXELS; i++) p->pixels[i] = uniform(&seed, -2, 2);
    for (int i = 0; i < SAMPLES * LONG_CONTEXT; i++)
        p->words[i] = (int32_t)ns_random_below(&seed, WORDS);
    for (int i = 0; i < 4 * SAMPLES; i++) p->keep[i] = i % 5 == 3 ? 0 : 1.25;
    for (int i = 0; i < SAMPLES * LONG_CONTEXT; i++)
        p->labels[i] = (int32_t)ns_random_below(&seed, p->net->classes);
    if (words) p->labels[SAMPLES * p->net->labels - 1] = -1; /* the text ends there */
}

static double loss_of(problem *p) {
    const void *input = p->net->words ? (const void *)p->words : p->pixels;
    ns_trainee_forward(p->net, SAMPLES, input, true, (ns_keep){p->keep, SAMPLES});
    return ns_trainee_loss(p->net, p->labels, 0.1, SAMPLES * p->net->labels).mean;
}

/* One tensor: differences of all its values, then the comparison. */
static void judge(problem *p, const ns_parameter *t, const double *gradient, double least,
                  verdict *v) {
    double *values = p->net->parameters.values + t->at, largest = least, worst = 0,
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

static ns_trainee *make_vit(const char *norm, ns_activation activation, size_t patch) {
    ns_error err = {0};
    const ns_vit_shape shape = {.channels = 2,
                                .height = 6,
                                .width = 9,
                                .patch = patch,
                                .embed = WIDTH,
                                .depth = 2,
                                .heads = 2,
                                .hidden = 10,
                                .classes = CLASSES,
                                .norm = ns_norm_kind_find(norm, &err),
                                .eps = 1e-5,
                                .activation = activation};
    ns_trainee *vit;
    if (!ns_vit_new(&vit, &shape, &err)) return vit;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static ns_trainee *make_gpt(const char *norm, ns_activation activation, size_t context) {
    ns_error err = {0};
    const ns_gpt_shape shape = {.context = context,
                                .vocabulary = WORDS,
                                .width = WIDTH,
                                .depth = 2,
                                .heads = 2,
                                .hidden = 10,
                                .norm = ns_norm_kind_find(norm, &err),
                                .eps = 1e-5,
                                .activation = activation};
    ns_trainee *gpt;
    if (!ns_gpt_new(&gpt, &shape, &err)) return gpt;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

/* Takes the network. */
static verdict check(ns_trainee *net, double spoil) {
    problem p = {.net = net};
    verdict v = {0};
    ns_error err = {0};
    if (ns_trainee_reserve(net, SAMPLES, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    randomise(&p, 7);
    loss_of(&p);
    ns_trainee_backward(net);
    ns_parameters *all = &net->parameters;
    double *gradient = malloc(all->learned * sizeof *gradient), least = 0;
    if (!gradient) exit(1);
    memcpy(gradient, all->gradient, all->learned * sizeof *gradient);
    for (size_t i = 0; i < all->learned; i++) least = fmax(least, 1e-3 * fabs(gradient[i]));
    gradient[all->items[all->learned_count - 1].at] *= spoil;
    for (int i = 0; i < all->learned_count; i++) judge(&p, &all->items[i], gradient, least, &v);
    free(gradient);
    ns_trainee_free(net);
    return v;
}

static int tell(const char *norm, const char *rest, verdict v) {
    bool good = v.worst <= tolerance && v.left_out * 50 <= v.compared;
    printf("%-14s %-16s %.1e  %-28s %d compared, %d at corners%s\n", norm, rest, v.worst, v.where,
           v.compared, v.left_out, good ? "" : "  WRONG");
    return !good;
}

int main(void) {
    int wrong = 0;
    for (int k = 0; k < ns_norm_kind_count; k++) {
        const char *name = ns_norm_kinds[k]->name;
        wrong += tell(name, "vit, gelu", check(make_vit(name, NS_GELU_ERF, 3), 1));
    }
    wrong += tell("layernorm", "vit, gelu_tanh", check(make_vit("layernorm", NS_GELU_TANH, 3), 1));
    wrong += tell("layernorm", "vit, relu", check(make_vit("layernorm", NS_RELU, 3), 1));
    wrong += tell("layernorm", "gpt, gelu", check(make_gpt("layernorm", NS_GELU_ERF, CONTEXT), 1));
    wrong += tell("dyt", "gpt, gelu_tanh", check(make_gpt("dyt", NS_GELU_TANH, CONTEXT), 1));
    wrong += tell("layernorm", "vit, many tokens", check(make_vit("layernorm", NS_GELU_ERF, 1), 1));
    wrong += tell("layernorm", "gpt, many tokens",
                  check(make_gpt("layernorm", NS_GELU_ERF, LONG_CONTEXT), 1));
    verdict spoilt = check(make_vit("layernorm", NS_GELU_ERF, 3), 1.0001);
    if (spoilt.worst <= tolerance) {
        printf("a gradient wrong by a ten-thousandth was not seen\n");
        wrong++;
    }
    return wrong != 0;
}
