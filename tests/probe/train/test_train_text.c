/* A GPT against PyTorch: gradients, and 50 steps from the same weights over the same text (tests/golden/train/text-*.safetensors, made by
 * scripts/oracle_train.py). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/text.h"
#include "probe/train/adamw.h"
#include "probe/train/trainee.h"
#include "probe/weights/weights.h"
#include "tests/runner.h"

enum { STEPS = 50, BATCH = 8, CONTEXT = 32 };

static const float *tensor(ns_weights *w, const char *name, size_t count) {
    ns_error err = {0};
    const float *values;
    const ns_tensor_info *info = ns_weights_find(w, name);
    if (!info) fail_msg("%s is missing", name);
    size_t n = 1;
    for (int d = 0; d < info->dims; d++) n *= (size_t)info->shape[d];
    assert_int_equal(n, count);
    if (ns_weights_get(w, name, info->dims, info->shape, &values, &err))
        fail_msg("%s", err.message);
    return values;
}

/* A network with the weights of the file. */
static ns_trainee *open_gpt(const char *norm, size_t samples, size_t context, size_t words,
                            size_t width, ns_weights *w) {
    ns_error err = {0};
    const ns_gpt_shape shape = {.context = context,
                                .vocabulary = words,
                                .width = width,
                                .depth = 2,
                                .heads = 2,
                                .hidden = 4 * width,
                                .norm = ns_norm_kind_find(norm, &err),
                                .eps = 1e-5};
    ns_trainee *gpt;
    if (ns_gpt_new(&gpt, &shape, &err) || ns_trainee_reserve(gpt, samples, &err))
        fail_msg("%s", err.message);
    const ns_parameters *p = &gpt->parameters;
    for (int i = 0; i < p->learned_count; i++) {
        char name[96];
        snprintf(name, sizeof name, "p/%s", p->items[i].name);
        memcpy(p->values + p->items[i].at, tensor(w, name, p->items[i].count),
               p->items[i].count * sizeof *p->values);
    }
    return gpt;
}

/* text_gradients() in the script: so many tokens that attention is BLAS's, and the last has none that follows. */
enum { FEW_SAMPLES = 2, LONG_CONTEXT = 52, FEW_WORDS = 12 };
_Static_assert(LONG_CONTEXT > NS_FEW_TOKENS + 0, "attention by BLAS");

/* The largest error of a gradient, relative to its tensor's largest. */
static double gradients_apart(const char *norm) {
    enum { TOKENS = FEW_SAMPLES * LONG_CONTEXT };
    ns_error err = {0};
    char path[96], name[96];
    ns_weights *w;
    snprintf(path, sizeof path, "tests/golden/train/text-gradients-%s.safetensors", norm);
    if (ns_weights_open(&w, path, &err)) fail_msg("%s", err.message);
    ns_trainee *gpt = open_gpt(norm, FEW_SAMPLES, LONG_CONTEXT, FEW_WORDS, 8, w);
    const float *golden = tensor(w, "labels", TOKENS);
    int32_t labels[TOKENS];
    for (int i = 0; i < TOKENS; i++) labels[i] = (int32_t)golden[i];
    int32_t words[TOKENS];
    golden = tensor(w, "tokens", TOKENS);
    for (int i = 0; i < TOKENS; i++) words[i] = (int32_t)golden[i];
    ns_trainee_forward(gpt, FEW_SAMPLES, words, true, (ns_keep){NULL, 0});
    ns_loss loss = ns_trainee_loss(gpt, labels, 0.1, TOKENS);
    assert_true(fabs(loss.mean - (double)*tensor(w, "loss", 1)) <= 1e-6 * loss.mean);
    ns_trainee_backward(gpt);
    const ns_parameters *p = &gpt->parameters;
    double apart = 0;
    for (int i = 0; i < p->learned_count; i++) {
        const ns_parameter *t = &p->items[i];
        snprintf(name, sizeof name, "g/%s", t->name);
        const float *wanted = tensor(w, name, t->count);
        double largest = 0;
        for (size_t k = 0; k < t->count; k++) largest = fmax(largest, fabs((double)wanted[k]));
        for (size_t k = 0; k < t->count; k++) {
            double d = fabs((double)p->gradient[t->at + k] - (double)wanted[k]) / largest;
            if (!(d <= apart)) apart = d;
        }
    }
    ns_trainee_free(gpt);
    ns_weights_close(w);
    return apart;
}

static void gradients_over_text(void **state) {
    (void)state;
    double layernorm = gradients_apart("layernorm"), dyt = gradients_apart("dyt");
    print_message("gradients apart: %.1e (LayerNorm), %.1e (DyT)\n", layernorm, dyt);
    assert_true(layernorm <= 1e-5);
    assert_true(dyt <= 1e-5);
}

static void take(const ns_dataset *text, int step, int32_t *input, int32_t *labels) {
    const int32_t *tokens = ns_text_tokens(text);
    for (int i = 0; i < BATCH * CONTEXT; i++) {
        int64_t at = (int64_t)(BATCH * step + i / CONTEXT) * 7919 % 1000000 + i % CONTEXT;
        input[i] = tokens[at];
        labels[i] = tokens[at + 1];
    }
}

/* The largest difference of a step's loss from PyTorch's; with another weight decay as a control. */
static double losses_apart(const char *norm, double decay) {
    ns_error err = {0};
    char path[96], *file = ns_dataset_path("shakespeare", &err), *vocabulary = NULL;
    ns_weights *w = NULL;
    ns_dataset *text;
    ns_team team;
    ns_adamw adam;
    snprintf(path, sizeof path, "tests/golden/train/text-%s.safetensors", norm);
    if (!file || ns_weights_open(&w, path, &err) || ns_text_vocabulary(file, &vocabulary, &err))
        fail_msg("%s", err.message);
    const ns_text_shape shape = {.length = CONTEXT, .vocabulary = vocabulary, .padding = -1};
    if (ns_dataset_open_words(&text, "shakespeare", NULL, &shape, &err))
        fail_msg("%s", err.message);
    ns_trainee *gpt = open_gpt(norm, BATCH, CONTEXT, (size_t)text->classes, 16, w);
    const ns_adamw_options options = {0.9, 0.999, 1e-8, decay};
    assert_int_equal(ns_adamw_new(&adam, &options, &gpt->parameters, &err), 0);
    assert_int_equal(ns_team_new(&team, gpt, &err), 0);
    team.piece = 3;
    const float *wanted = tensor(w, "losses", STEPS);
    double apart = 0;
    for (int step = 0; step < STEPS; step++) {
        static int32_t input[BATCH * CONTEXT];
        static int32_t labels[BATCH * CONTEXT];
        take(text, step, input, labels);
        ns_loss loss = ns_team_train(&team, BATCH, input, labels, 0.1, (ns_keep){NULL, 0});
        double norm_ = ns_gradient_norm(&gpt->parameters),
               d = fabs(loss.mean - (double)wanted[step]);
        ns_adamw_step(&adam, &gpt->parameters, ns_cosine_rate(step, STEPS, 10, 3e-3, 1e-5),
                      norm_ > 1 ? 1 / (norm_ + 1e-6) : 1);
        if (!(d <= apart)) apart = d;
    }
    ns_adamw_free(&adam);
    ns_team_free(&team);
    ns_trainee_free(gpt);
    ns_dataset_close(text);
    ns_weights_close(w);
    free(vocabulary);
    free(file);
    return apart;
}

/* The aim is 2e-5. What is left is rounding, 7e-7 as measured; 3e-6 leaves room for another BLAS. */
static const double rounding = 3e-6;

static void fifty_steps_over_text(void **state) {
    (void)state;
    double layernorm = losses_apart("layernorm", 0.5), dyt = losses_apart("dyt", 0.5);
    print_message("losses apart: %.1e (LayerNorm), %.1e (DyT)\n", layernorm, dyt);
    assert_true(layernorm <= rounding);
    assert_true(dyt <= rounding);
    assert_true(losses_apart("dyt", 0) > 1e-4);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_over_text),
                                          cmocka_unit_test(fifty_steps_over_text)};
NS_TESTS("train text", tests)
