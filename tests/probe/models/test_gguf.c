/* GGUF files against llama.cpp's own Python package and against transformers: tests/golden/gguf, made by scripts/oracle_gguf.py, and
 * tests/golden/words. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/weights/safetensors.h"
#include "tests/probe/models/golden.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/gguf/"

static ns_weights *opened(const char *path) {
    ns_error err = {0};
    ns_weights *w;
    if (ns_weights_open(&w, path, &err)) fail_msg("%s", err.message);
    return w;
}

static const float *values_of(ns_weights *w, const char *name) {
    ns_error err = {0};
    const float *values;
    const ns_tensor_info *info = ns_weights_find(w, name);
    if (!info || ns_weights_get(w, name, info->dims, info->shape, &values, &err))
        fail_msg("%s: %s", name, err.message);
    return values;
}

/* To the bit; a NaN is as good as another. */
static void assert_same(const char *what, const float *found, const float *expected, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&found[i], &expected[i], sizeof *found) != 0 &&
            !(isnan(found[i]) && isnan(expected[i])))
            fail_msg("%s: value %zu: expected %.9g, found %.9g", what, i, (double)expected[i],
                     (double)found[i]);
}

/* Blocks at even and at odd addresses. */
static void every_quantized_type(void **state) {
    (void)state;
    int seen = 0;
    ns_weights *w = opened(GOLDEN "blocks.safetensors");
    ns_weights_file file;
    ns_error err = {0};
    assert_int_equal(
        ns_weights_file_open(&file, ns_strdup(GOLDEN "blocks.safetensors", &err), NULL, &err),
        NS_OK);
    const ns_element *type;
    for (size_t t = 0; (type = ns_element_at(t)); t++) {
        if (type->values == 1) continue;
        char name[32];
        snprintf(name, sizeof name, "%s.blocks", type->name);
        const ns_stored *stored = NULL;
        for (int i = 0; i < file.count; i++)
            if (!strcmp(file.tensors[i].info.name, name)) stored = &file.tensors[i];
        assert_non_null(stored);
        assert_int_equal(stored->info.shape[1], type->bytes);
        snprintf(name, sizeof name, "%s.values", type->name);
        const float *expected = values_of(w, name);
        const size_t blocks = (size_t)stored->info.shape[0], n = blocks * type->values;
        unsigned char *bytes = malloc(blocks * type->bytes + 1);
        float *found = malloc(n * sizeof *found);
        assert_true(bytes && found);
        for (size_t odd = 0; odd < 2; odd++) {
            memcpy(bytes + odd, stored->bytes, blocks * type->bytes);
            type->widen(blocks, bytes + odd, found);
            assert_same(name, found, expected, n);
        }
        free(bytes);
        free(found);
        seen++;
    }
    assert_int_equal(seen, 8);
    ns_weights_file_close(&file);
    ns_weights_close(w);
}

/* The same networks as Hugging Face's folders of these names hold, with the same answers. */
static void models(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int sites;
    } all[] = {{"llama", 5}, {"llama-theta", 5}, {"llama-tied", 5}, {"llama-linear", 5},
               {"qwen3", 9}, {"gpt2", 5},        {"bert", 5}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char path[96], expected[128];
        snprintf(path, sizeof path, GOLDEN "%s.gguf", all[i].name);
        snprintf(expected, sizeof expected, "tests/golden/words/%s/expected.safetensors",
                 all[i].name);
        golden_watch w = golden_check_file(path, expected, all[i].sites, 1e-5);
        print_message("%s: %.1e\n", path, w.worst);
    }
}

/* Its second block has a window, which the file's words have no key for: as far as the first one's end. */
static void qwen2_has_biases(void **state) {
    (void)state;
    golden_run r;
    golden_open(&r, GOLDEN "qwen2.gguf", "tests/golden/words/qwen2/expected.safetensors");
    golden_watch w = {.expected = r.expected};
    golden_forward(&r, &w, 0, r.samples, 3);
    assert_int_equal(w.seen, 3);
    assert_true(w.worst <= 1e-5);
    golden_close(&r);
}

static void widened_tensors(void **state) {
    (void)state;
    ns_weights *packed = opened(GOLDEN "mixed.gguf"), *wide = opened(GOLDEN "mixed");
    assert_int_equal(ns_weights_count(packed), ns_weights_count(wide));
    for (int i = 0; i < ns_weights_count(wide); i++) {
        const ns_tensor_info *info = ns_weights_info(wide, i),
                             *other = ns_weights_find(packed, info->name);
        size_t n = 1;
        if (!other || other->dims != info->dims) fail_msg("%s", info->name);
        for (int d = 0; d < info->dims; d++) {
            assert_int_equal(info->shape[d], other->shape[d]);
            n *= (size_t)info->shape[d];
        }
        assert_same(info->name, values_of(packed, info->name), values_of(wide, info->name), n);
    }
    ns_weights_close(packed);
    ns_weights_close(wide);
}

static void what_the_file_says(void **state) {
    (void)state;
    ns_weights *w = opened(GOLDEN "llama.gguf");
    const json_t *said = ns_weights_metadata(w);
    assert_string_equal(ns_weights_format_title(w), "GGUF");
    assert_int_equal(json_array_size(json_object_get(said, "tokenizer.ggml.tokens")), 99);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(said, "tokenizer.ggml.tokens"), 7)),
        "<7>");
    assert_int_equal(json_integer_value(json_object_get(said, "llama.block_count")), 2);
    assert_string_equal(ns_weights_config_key(w, "hidden_size"), "llama.embedding_length");
    assert_true(json_number_value(json_object_get(ns_weights_config(w), "rms_norm_eps")) == 1e-6);
    ns_weights_close(w);
}

/* ---- packed matrices ---- */

typedef struct kept_sites {
    float *values;
    size_t count;
} kept_sites;

static int keep(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    kept_sites *k = user;
    size_t n = rows->samples * rows->positions * (size_t)site->norm.channels;
    (void)err;
    k->values = realloc(k->values, (k->count + n) * sizeof *k->values);
    if (!k->values) abort();
    memcpy(k->values + k->count, rows->x, n * sizeof *k->values);
    k->count += n;
    return NS_OK;
}

static int keep_logits(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                       ns_error *err) {
    const ns_site one = {.norm = {.channels = (int)classes}};
    const ns_rows shown = {.samples = rows, .positions = 1, .x = logits};
    (void)first;
    return keep(user, &one, &shown, err);
}

static bool wants_all(void *user, const ns_site *site) {
    (void)user, (void)site;
    return true;
}

static kept_sites run(const char *path) {
    static const int32_t ids[] = {1, 5, 98, 7, 0, 23, 50, 61};
    kept_sites kept = {NULL, 0};
    ns_error err = {0};
    ns_model *model;
    const ns_observer observer = {
        .user = &kept, .wants = wants_all, .deliver = keep, .logits = keep_logits};
    const ns_batch batch = {.samples = 2, .positions = 4, .ids = ids};
    if (ns_model_open(&model, path, &err) || ns_model_forward(model, &batch, &observer, 0, &err))
        fail_msg("%s", err.message);
    ns_model_close(model);
    return kept;
}

/* Rows of words, layers and the head, of every type that has blocks of 32 values or less. */
static void a_packed_network_is_the_widened_one(void **state) {
    (void)state;
    kept_sites packed = run(GOLDEN "mixed.gguf"), wide = run(GOLDEN "mixed");
    assert_int_equal(packed.count, wide.count);
    assert_int_equal(wide.count, 8 * (5 * 32 + 99));
    assert_true(golden_difference(packed.values, wide.values, wide.count) < 1e-6);
    free(packed.values);
    free(wide.values);
}

/* Matrices that take several pieces, in both directions, with and without a bias, into a part of wider rows, and added. */
static void packed_layers_in_pieces(void **state) {
    (void)state;
    enum { OUT = 1500, IN = 1100, ROWS = 5, WIDE = OUT + 7 };
    uint16_t *halves = malloc(sizeof *halves * OUT * IN);
    float *weight = malloc(sizeof *weight * OUT * IN), *x = malloc(sizeof *x * ROWS * IN),
          *bias = malloc(sizeof *bias * OUT),
          *y[2] = {calloc(ROWS * WIDE, sizeof **y), calloc(ROWS * WIDE, sizeof **y)};
    assert_true(halves && weight && x && bias && y[0] && y[1]);
    uint32_t seed = 1;
    for (size_t i = 0; i < OUT * IN; i++) {
        seed = seed * 1664525 + 1013904223;
        halves[i] = (uint16_t)(0x3000 | (seed >> 31) << 15 | (seed >> 12 & 0xfff));
    }
    const ns_element *type = ns_element_named("F16");
    type->widen(OUT * IN, (const unsigned char *)halves, weight);
    for (size_t i = 0; i < ROWS * IN; i++) x[i] = (float)((int)(i * 37 % 101) - 50) / 50;
    for (size_t i = 0; i < OUT; i++) bias[i] = (float)(i % 7);
    for (int turned = 0; turned < 2; turned++)
        for (int biased = 0; biased < 2; biased++)
            for (int packed = 0; packed < 2; packed++) {
                const ns_linear l = {.in = IN,
                                     .out = OUT,
                                     .turned = turned,
                                     .weight = packed ? NULL : weight,
                                     .bias = biased ? bias : NULL,
                                     .packed = {packed ? type : NULL, (unsigned char *)halves}};
                float *work = malloc(sizeof *work * (ns_linear_work(&l) + 1));
                assert_true(work && (ns_linear_work(&l) > 0) == packed);
                assert_true(ns_linear_work(&l) < OUT * IN);
                ns_linear_forward(&l, ROWS, x, y[packed], WIDE, work);
                ns_linear_add(&l, ROWS - 1, x, y[packed], work);
                free(work);
                if (packed) assert_true(golden_difference(y[1], y[0], ROWS * WIDE) < 2e-6);
            }
    free(halves);
    free(weight);
    free(x);
    free(bias);
    free(y[0]);
    free(y[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_quantized_type),   cmocka_unit_test(models),
    cmocka_unit_test(qwen2_has_biases),       cmocka_unit_test(widened_tensors),
    cmocka_unit_test(what_the_file_says),     cmocka_unit_test(a_packed_network_is_the_widened_one),
    cmocka_unit_test(packed_layers_in_pieces)};
NS_TESTS("gguf", tests)
