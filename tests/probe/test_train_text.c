/* A GPT against PyTorch: 50 steps from the same weights over the same text (tests/golden/train/text-*.safetensors, made by
 * scripts/oracle_train.py). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/text.h"
#include "probe/net/gpt.h"
#include "probe/train/adamw.h"
#include "probe/weights.h"
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

static ns_gpt *open_gpt(const char *norm, int words, ns_weights *w) {
    ns_error err = {0};
    const ns_gpt_shape shape = {.context = CONTEXT,
                                .vocabulary = (size_t)words,
                                .width = 16,
                                .depth = 2,
                                .heads = 2,
                                .hidden = 64,
                                .norm = ns_norm_kind_find(norm, &err),
                                .eps = 1e-5};
    ns_gpt *gpt;
    if (ns_gpt_new(&gpt, &shape, &err) || ns_gpt_reserve(gpt, BATCH, &err))
        fail_msg("%s", err.message);
    const ns_parameters *p = &gpt->net.parameters;
    for (int i = 0; i < p->learned_count; i++) {
        char name[96];
        snprintf(name, sizeof name, "p/%s", p->items[i].name);
        memcpy(p->values + p->items[i].at, tensor(w, name, p->items[i].count),
               p->items[i].count * sizeof *p->values);
    }
    return gpt;
}

static void take(const ns_dataset *text, int step, float *input, int32_t *labels) {
    const int32_t *tokens = ns_text_tokens(text);
    for (int i = 0; i < BATCH * CONTEXT; i++) {
        int64_t at = (int64_t)(BATCH * step + i / CONTEXT) * 7919 % 1000000 + i % CONTEXT;
        input[i] = (float)tokens[at];
        labels[i] = tokens[at + 1];
    }
}

/* The largest difference of a step's loss from PyTorch's; with another weight decay as a control. */
static double losses_apart(const char *norm, double decay) {
    ns_error err = {0};
    char path[96], *file = ns_dataset_path("shakespeare", &err), *vocabulary = NULL;
    ns_weights *w;
    ns_dataset *text;
    ns_team team;
    ns_adamw adam;
    snprintf(path, sizeof path, "tests/golden/train/text-%s.safetensors", norm);
    if (!file || ns_weights_open(&w, path, &err) || ns_text_vocabulary(file, &vocabulary, &err))
        fail_msg("%s", err.message);
    const ns_image_shape shape = {.tokens = CONTEXT, .vocabulary = vocabulary};
    if (ns_dataset_open(&text, "shakespeare", NULL, &shape, &err)) fail_msg("%s", err.message);
    ns_gpt *gpt = open_gpt(norm, text->classes, w);
    const ns_adamw_options options = {0.9, 0.999, 1e-8, decay};
    assert_int_equal(ns_adamw_new(&adam, &options, &gpt->net.parameters, &err), 0);
    assert_int_equal(ns_team_new(&team, &gpt->net, &err), 0);
    team.piece = 3;
    const float *wanted = tensor(w, "losses", STEPS);
    double apart = 0;
    for (int step = 0; step < STEPS; step++) {
        static float input[BATCH * CONTEXT];
        static int32_t labels[BATCH * CONTEXT];
        take(text, step, input, labels);
        ns_loss loss = ns_team_train(&team, BATCH, input, labels, 0.1, (ns_keep){NULL, 0});
        double norm_ = ns_gradient_norm(&gpt->net.parameters),
               d = fabs(loss.mean - (double)wanted[step]);
        ns_adamw_step(&adam, &gpt->net.parameters, ns_cosine_rate(step, STEPS, 10, 3e-3, 1e-5),
                      norm_ > 1 ? 1 / (norm_ + 1e-6) : 1);
        if (!(d <= apart)) apart = d;
    }
    ns_adamw_free(&adam);
    ns_team_free(&team);
    ns_gpt_free(gpt);
    ns_dataset_close(text);
    ns_weights_close(w);
    free(vocabulary);
    free(file);
    return apart;
}

static void fifty_steps_over_text(void **state) {
    (void)state;
    double layernorm = losses_apart("layernorm", 0.5), dyt = losses_apart("dyt", 0.5);
    print_message("losses apart: %.1e (LayerNorm), %.1e (DyT)\n", layernorm, dyt);
    assert_true(layernorm <= 2e-5);
    assert_true(dyt <= 2e-5);
    assert_true(losses_apart("dyt", 0) > 1e-4);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(fifty_steps_over_text)};
NS_TESTS("train text", tests)
