/* PyTorch's files. Each of tests/golden/torch holds the tensors of values.safetensors in a form of its own; scripts/oracle_torch_files.py made them,
 * and torch.load read each with the same values. Files that are refused, attacks and whole models: test_pytorch_files.py. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/weights/weights.h"
#include "tests/runner.h"

#define FOLDER "tests/golden/torch/"

static ns_weights *open_weights(const char *path) {
    ns_weights *w;
    ns_error err = {0};
    if (ns_weights_open(&w, path, &err)) fail_msg("%s", err.message);
    return w;
}

static const float *values_of(ns_weights *w, const ns_tensor_info *info) {
    const float *values;
    ns_error err = {0};
    if (ns_weights_get(w, info->name, info->dims, info->shape, &values, &err))
        fail_msg("%s", err.message);
    return values;
}

/* Names, types and shapes of all; the bits of all that are real numbers. Gives the number of those. */
static int compare(const char *path, ns_weights *expected) {
    ns_weights *w = open_weights(path);
    int compared = 0;
    if (ns_weights_count(w) != ns_weights_count(expected))
        fail_msg("%s: %d tensors", path, ns_weights_count(w));
    for (int i = 0; i < ns_weights_count(w); i++) {
        const ns_tensor_info *a = ns_weights_info(w, i), *b = ns_weights_info(expected, i);
        size_t count = 1;
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->dtype, b->dtype);
        assert_int_equal(a->dims, b->dims);
        for (int d = 0; d < a->dims; d++) {
            assert_int_equal(a->shape[d], b->shape[d]);
            count *= (size_t)a->shape[d];
        }
        if (!strchr("FB", *a->dtype) || !strcmp(a->dtype, "BOOL")) continue;
        const float *ours = values_of(w, a), *theirs = values_of(expected, b);
        if (count && memcmp(ours, theirs, count * sizeof(float)) != 0)
            fail_msg("%s: tensor %s: other values", path, a->name);
        compared++;
    }
    ns_weights_close(w);
    return compared;
}

static void every_form_holds_the_same(void **state) {
    (void)state;
    ns_weights *expected = open_weights(FOLDER "values.safetensors");
    struct dirent **entries;
    int found = scandir(FOLDER, &entries, NULL, alphasort), forms = 0;
    for (int i = 0; i < found; i++) {
        char path[512];
        const char *name = entries[i]->d_name, *end = strrchr(name, '.');
        snprintf(path, sizeof path, FOLDER "%s%s", name,
                 strcmp(name, "two-models.pt") != 0 ? "" : ":model");
        if (end && !strcmp(end, ".pt") && strncmp(name, "refused", 7) != 0) {
            assert_int_equal(compare(path, expected), 16);
            forms++;
        }
        free(entries[i]);
    }
    free(entries);
    ns_weights_close(expected);
    assert_int_equal(forms, 18);
}

static void the_key_says_which_model(void **state) {
    (void)state;
    ns_weights *w = open_weights(FOLDER "two-models.pt:model"),
               *other = open_weights(FOLDER "two-models.pt:model.ema"),
               *outer = open_weights(FOLDER "with-more.pt:.");
    const ns_tensor_info *bias = ns_weights_find(w, "blocks.0.bias");
    assert_true(values_of(w, bias)[2] == 0.25f);
    assert_true(values_of(other, bias)[2] == -0.25f);
    assert_true(values_of(outer, bias)[2] == 0.25f);
    assert_string_equal(ns_weights_path(w), FOLDER "two-models.pt:model");
    assert_string_equal(bias->file, FOLDER "two-models.pt");
    ns_weights_close(w);
    ns_weights_close(other);
    ns_weights_close(outer);
    static const struct {
        const char *path, *expected;
    } cases[] = {
        {FOLDER "two-models.pt:ema",
         "expected a dictionary under the key ema, found no such key; there are: model, model.ema"},
        {FOLDER "two-models.pt:epoch", "under the key epoch, found a whole number"},
        {FOLDER "under-state_dict.pt:optimizer",
         "in the dictionary under the key optimizer, found none"},
        {FOLDER "values.safetensors:model", "expected no key (model) behind the name"},
        {FOLDER "none.pt:model", "none.pt:model: cannot be opened"},
        {FOLDER "two-models.pt", "two-models.pt:model (22 tensors), "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ns_error err = {0};
        assert_int_equal(ns_weights_open(&w, cases[i].path, &err), NS_EINPUT);
        if (!strstr(err.message, cases[i].expected)) fail_msg("%s", err.message);
    }
}

/* What lies in the file in order is used where it lies; two names of one tensor lead to one place. */
static void nothing_is_copied_without_need(void **state) {
    (void)state;
    ns_weights *w = open_weights(FOLDER "plain.pt");
    const float *a = values_of(w, ns_weights_find(w, "tied.b")),
                *b = values_of(w, ns_weights_find(w, "blocks.0.weight")),
                *whole = values_of(w, ns_weights_find(w, "tied.a")),
                *row = values_of(w, ns_weights_find(w, "view.offset"));
    assert_ptr_equal(a, b);
    assert_ptr_equal(row, whole + 3 * 8);
    ns_weights_close(w);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(every_form_holds_the_same),
                                          cmocka_unit_test(the_key_says_which_model),
                                          cmocka_unit_test(nothing_is_copied_without_need)};
NS_TESTS("pytorch", tests)
