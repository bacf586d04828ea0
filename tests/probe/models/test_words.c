/* Models of words, and what config.json asks of them, against transformers' own: tests/golden/words, made by scripts/oracle_words.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/probe/models/golden.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/words/"

static const double tolerance = 1e-5;

/* Sites and logits, and the loss and accuracy of the next word where it has a head for it. */
static void check(const char *name, int sites) {
    char folder[128], path[160];
    snprintf(folder, sizeof folder, GOLDEN "%s", name);
    snprintf(path, sizeof path, "%s/expected.safetensors", folder);
    golden_watch w = golden_check(folder, sites, tolerance);
    ns_error err = {0};
    ns_weights *expected;
    const float *loss, *accuracy;
    if (ns_weights_open(&expected, path, &err)) fail_msg("%s", err.message);
    print_message("%s: %.1e\n", name, w.worst);
    if (ns_weights_find(expected, "loss")) {
        const int64_t one[] = {1};
        if (ns_weights_get(expected, "loss", 1, one, &loss, &err) ||
            ns_weights_get(expected, "accuracy", 1, one, &accuracy, &err))
            fail_msg("%s", err.message);
        assert_true(w.words > 0);
        assert_true(fabs(w.loss / (double)w.words - (double)*loss) < 1e-5 * (double)*loss);
        assert_true(fabs((double)w.hits / (double)w.words - (double)*accuracy) < 1e-6);
    }
    ns_weights_close(expected);
}

static void bert(void **state) {
    (void)state;
    check("bert", 5);
    check("bert-mlm", 6);
    check("bert-gelu-new", 5);
    check("bert-relu", 5);
    check("bert-old-names", 5);
}

static void llama(void **state) {
    (void)state;
    check("llama", 5);
    check("llama-tied", 5);
    check("llama-theta", 5);
    check("llama-base", 5);
}

/* Frequencies that are divided, all of them or those of long waves. */
static void scaled_positions(void **state) {
    (void)state;
    check("llama-linear", 5);
    check("llama3", 5);
}

/* Windows that are shorter than the texts, in all blocks, in the last ones, in every second one. */
static void windows(void **state) {
    (void)state;
    check("mistral", 5);
    check("qwen2", 5);
}

static void query_norms(void **state) {
    (void)state;
    check("qwen3", 9);
    check("olmo2", 9);
}

static void gemma(void **state) {
    (void)state;
    check("gemma", 5);
    check("gemma2", 9);
    check("gemma3", 19);
}

static void neox(void **state) {
    (void)state;
    check("neox", 5);
    check("neox-serial", 5);
}

static void roberta(void **state) {
    (void)state;
    check("roberta", 5);
    check("roberta-mlm", 6);
    check("xlm-roberta", 5);
}

static void distilbert(void **state) {
    (void)state;
    check("distilbert", 5);
    check("distilbert-mlm", 6);
}

static void gpt2(void **state) {
    (void)state;
    check("gpt2", 5);
    check("gpt2-inverse", 5);
    check("gpt2-unscaled", 5);
    check("gpt2-base", 5);
    check("gpt2-untied", 5);
}

static void nanogpt(void **state) {
    (void)state;
    check("nanogpt", 5);
    check("nanogpt-own", 5);
}

static void quick_gelu(void **state) {
    (void)state;
    check("vit-quickgelu", 6);
}

/* The same sites as without the prefix, which is taken off. */
static void wrappers_are_taken_off(void **state) {
    (void)state;
    ns_error err = {0};
    ns_model *model;
    if (ns_model_open(&model, GOLDEN "vit-prefix", &err)) fail_msg("%s", err.message);
    assert_string_equal(model->sites[0].name, "blocks.0.norm1");
    assert_string_equal(model->facts[0].name, "names");
    assert_string_equal(model->facts[0].value, "module. (32 tensors)");
    ns_model_close(model);
}

/* A sample in a batch of longer ones has what it has alone, to the last bits of its sums. */
static void padding_changes_nothing(void **state) {
    (void)state;
    static const char *const names[] = {"bert", "llama", "gpt2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char folder[128], path[160];
        snprintf(folder, sizeof folder, GOLDEN "%s", names[i]);
        snprintf(path, sizeof path, "%s/expected.safetensors", folder);
        golden_run r;
        golden_open(&r, folder, path);
        for (size_t s = 0; s < r.samples; s++) {
            golden_watch w = {.expected = r.expected};
            golden_forward(&r, &w, s, 1, 0);
            assert_true(w.worst <= tolerance);
        }
        golden_close(&r);
    }
}

static void ids_that_are_none(void **state) {
    (void)state;
    static const int32_t ids[][3] = {{1, 99, 2}, {-1, -1, -1}};
    static const char *const parts[] = {"expected words from 0 to 98, found 99",
                                        "sample 7 is padding alone"};
    ns_error err = {0};
    ns_model *model;
    const int64_t seven = 7;
    if (ns_model_open(&model, GOLDEN "bert", &err)) fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        const ns_batch batch = {.samples = 1, .sample_ids = &seven, .positions = 3, .ids = ids[i]};
        assert_int_equal(ns_model_forward(model, &batch, NULL, 0, &err), NS_EINPUT);
        assert_string_equal(err.message, parts[i]);
    }
    const ns_batch types = {
        .samples = 1, .positions = 1, .ids = (int32_t[]){1}, .types = (int32_t[]){9}};
    assert_int_equal(ns_model_forward(model, &types, NULL, 0, &err), NS_EINPUT);
    assert_int_equal(ns_model_set_length(model, 33, &err), NS_EINPUT);
    ns_model_close(model);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(bert),
                                          cmocka_unit_test(llama),
                                          cmocka_unit_test(scaled_positions),
                                          cmocka_unit_test(windows),
                                          cmocka_unit_test(query_norms),
                                          cmocka_unit_test(gemma),
                                          cmocka_unit_test(neox),
                                          cmocka_unit_test(roberta),
                                          cmocka_unit_test(distilbert),
                                          cmocka_unit_test(gpt2),
                                          cmocka_unit_test(nanogpt),
                                          cmocka_unit_test(quick_gelu),
                                          cmocka_unit_test(wrappers_are_taken_off),
                                          cmocka_unit_test(padding_changes_nothing),
                                          cmocka_unit_test(ids_that_are_none)};
NS_TESTS("words", tests)
