/* The ViT against PyTorch: small models of every variant and naming scheme (tests/golden/vit, made by
 * scripts/oracle_vit.py), and the bundled one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "tests/probe/models/golden.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/vit/"

static const double tolerance = 1e-5;

static void check(const char *name, int sites) {
    char folder[128];
    snprintf(folder, sizeof folder, GOLDEN "%s", name);
    golden_check(folder, sites, tolerance);
}

static void names_of_timm(void **state) {
    (void)state;
    check("timm-plain", 5);
    check("timm-mean", 5);
    check("timm-no-class", 5);
    check("timm-registers", 6);
    check("timm-bare", 2);
}

static void other_norms(void **state) {
    (void)state;
    check("timm-rmsnorm", 5);
    check("timm-dyt", 7);
    check("hf-dyt", 2);
}

static void names_of_torchvision(void **state) {
    (void)state;
    check("torchvision", 5);
}

static void names_of_hugging_face(void **state) {
    (void)state;
    check("hf-classifier", 5);
    check("hf-model", 5);
    check("hf-deit", 3);
}

static void names_of_vit_pytorch(void **state) {
    (void)state;
    check("vit-pytorch", 5);
    check("vit-pytorch-mean", 3);
}

#define BUNDLED "datasets/vit-fmnist-layernorm"

static bool wants_recorded(void *user, const ns_site *site) {
    (void)user;
    return site->index == 1 || site->index == 8 || site->index == 17;
}

static void the_bundled_model(void **state) {
    (void)state;
    golden_run r;
    ns_error err = {0};
    golden_open(&r, BUNDLED, GOLDEN "vit-fmnist-layernorm.safetensors");
    assert_int_equal(r.model->site_count, 17);
    golden_watch w = {.expected = r.expected};
    const int64_t ids[2] = {0, 1};
    const ns_batch batch = {.samples = 2, .sample_ids = ids, .pixels = r.pixels};
    const ns_observer observer = {
        .user = &w, .wants = wants_recorded, .deliver = golden_deliver, .logits = golden_logits};
    if (ns_model_forward(r.model, &batch, &observer, 0, &err)) fail_msg("%s", err.message);
    assert_int_equal(w.seen, 3);
    if (!(w.worst <= tolerance))
        fail_msg("%s is off by %.2e of its largest magnitude", w.where, w.worst);

    /* The recorded pixels are what the bundled images become. */
    ns_dataset *data = NULL;
    float pixels[2 * 784];
    if (ns_dataset_open(&data, "fashion-mnist-1000", NULL, &r.model->input.image, &err) ||
        ns_dataset_read(data, ids, 2, pixels, &err))
        fail_msg("%s", err.message);
    assert_true(golden_difference(pixels, r.pixels, 2 * 784) < 1e-6);
    ns_dataset_close(data);
    golden_close(&r);
}

static void stops_after_the_last_site_wanted(void **state) {
    (void)state;
    golden_run r;
    golden_open(&r, GOLDEN "timm-mean", GOLDEN "timm-mean/expected.safetensors");
    for (int last = 1; last <= r.model->site_count; last++) {
        golden_watch w = {.expected = r.expected, .least_wanted = last > 1 ? last - 1 : 1};
        golden_forward(&r, &w, 0, r.samples, last);
        assert_int_equal(w.last, last);
        assert_int_equal(w.seen, last > 1 ? 2 : 1);
        assert_true(w.worst <= tolerance);
    }
    ns_error err = {0};
    const ns_batch batch = {.samples = 1, .pixels = r.pixels};
    assert_int_equal(ns_model_forward(r.model, &batch, NULL, 99, &err), NS_EUSAGE);
    assert_int_equal(ns_model_forward(r.model, &(ns_batch){.samples = 1}, NULL, 0, &err),
                     NS_EUSAGE);
    golden_close(&r);
}

static int refuse(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)user;
    (void)rows;
    return site->index == 3 ? ns_fail(err, NS_ESTOP, "enough") : NS_OK;
}

static void an_observer_stops_the_pass(void **state) {
    (void)state;
    golden_run r;
    golden_open(&r, GOLDEN "torchvision", GOLDEN "torchvision/expected.safetensors");
    ns_error err = {0};
    golden_watch w = {0};
    const ns_batch batch = {.samples = 1, .pixels = r.pixels};
    const ns_observer observer = {.user = &w, .wants = golden_wants, .deliver = refuse};
    assert_int_equal(ns_model_forward(r.model, &batch, &observer, 0, &err), NS_ESTOP);
    assert_string_equal(err.message, "enough");
    golden_close(&r);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_timm),
                                          cmocka_unit_test(names_of_torchvision),
                                          cmocka_unit_test(names_of_hugging_face),
                                          cmocka_unit_test(names_of_vit_pytorch),
                                          cmocka_unit_test(other_norms),
                                          cmocka_unit_test(the_bundled_model),
                                          cmocka_unit_test(stops_after_the_last_site_wanted),
                                          cmocka_unit_test(an_observer_stops_the_pass)};
NS_TESTS("vit", tests)
