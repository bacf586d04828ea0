/* Families that see images against their libraries: tests/golden/vision, made by scripts/oracle_vision.py. */
#include <stdio.h>
#include <string.h>

#include "tests/probe/models/golden.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/vision/"

static const double tolerance = 1e-5;

static void check(const char *name, int sites) {
    char folder[128];
    snprintf(folder, sizeof folder, GOLDEN "%s", name);
    golden_check(folder, sites, tolerance);
}

static void check_at(const char *name, int side, int sites) {
    char folder[128];
    snprintf(folder, sizeof folder, GOLDEN "%s", name);
    golden_check_with(folder, &(ns_model_options){.height = side, .width = side}, sites, tolerance);
}

static void dinov2(void **state) {
    (void)state;
    check("dinov2", 5);
    check("dinov2-swiglu", 5);
    check("dinov2-memory", 5);
}

/* From 6 x 6 learned positions to those of the images that the processor leaves; with registers by the antialiased filter. */
static void positions_of_another_grid(void **state) {
    (void)state;
    check("dinov2-cropped", 5);
    check("dinov2-registers", 5);
    check_at("dinov2-original", 16, 5);
    check_at("dinov2-original-registers", 20, 5);
}

static void a_size_that_is_asked_for(void **state) {
    (void)state;
    ns_error err = {0};
    ns_model *model;
    const ns_model_options odd = {.height = 18, .width = 16}, wide = {.height = 8, .width = 12};
    assert_int_equal(ns_model_open_with(&model, GOLDEN "dinov2", &odd, &err), NS_EUSAGE);
    assert_non_null(
        strstr(err.message, "expected images of a multiple of the patch, 4, found 18 x 16"));
    if (ns_model_open_with(&model, GOLDEN "dinov2-cropped", &wide, &err))
        fail_msg("%s", err.message);
    assert_int_equal(model->input.image.height, 8);
    assert_int_equal(model->input.image.width, 12);
    assert_int_equal(model->sites[0].positions, 1 + 2 * 3);
    ns_model_close(model);
    assert_int_equal(ns_model_open_with(&model, "tests/golden/words/bert", &wide, &err), NS_EUSAGE);
    assert_non_null(strstr(err.message, "a model that takes images"));
}

static void names_of_transformers_5(void **state) {
    (void)state;
    check("vit-memory", 5);
    check("deit-memory", 5);
}

static void deit(void **state) {
    (void)state;
    check("deit-distilled", 5);
    check("deit-classifier", 5);
}

/* All patches, in order: the library with mask_ratio 0 and noise that grows. */
static void masked_autoencoder(void **state) {
    (void)state;
    check("mae", 5);
    check("mae-whole", 5);
}

static void clip(void **state) {
    (void)state;
    check("clip", 6);
    check("clip-vision", 6);
    check("clip-memory", 6);
    check("clip-classifier", 6);
}

static void siglip(void **state) {
    (void)state;
    check("siglip", 6);
    check("siglip-vision", 6);
    check("siglip-no-head", 5);
    check("siglip-classifier", 6);
}

static void timm(void **state) {
    (void)state;
    check("timm-qk-norm", 9);
    check("timm-giant", 5);
    check("timm-swiglu-apart", 5);
    check("timm-distilled", 5);
    check("timm-map", 6);
    check("timm-gamma", 5);
    check_at("timm-resampled", 16, 5);
}

/* Norms without any array, which config.json names. */
static void folded_norms(void **state) {
    (void)state;
    check("timm-folded", 5);
}

/* In the place of LayerNorm; the last has an alpha for each channel. */
static void dynamic_norms(void **state) {
    (void)state;
    check("dinov2-dyt", 5);
    check("clip-derf", 6);
    check("siglip-derf", 6);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(dinov2),
                                          cmocka_unit_test(positions_of_another_grid),
                                          cmocka_unit_test(a_size_that_is_asked_for),
                                          cmocka_unit_test(names_of_transformers_5),
                                          cmocka_unit_test(deit),
                                          cmocka_unit_test(masked_autoencoder),
                                          cmocka_unit_test(clip),
                                          cmocka_unit_test(siglip),
                                          cmocka_unit_test(dynamic_norms),
                                          cmocka_unit_test(timm),
                                          cmocka_unit_test(folded_norms)};
NS_TESTS("vision", tests)
