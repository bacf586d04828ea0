/* The store against a plain copy of what was delivered: whole runs, sampled rows, halves, interrupted and resumed runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/half.h"
#include "probe/base/random.h"
#include "probe/store/store.h"
#include "probe/store/store_write.h"
#include "tests/runner.h"

enum { SAMPLES = 10, BATCH = 4, SITES = 2 };
static const int site_positions[SITES] = {3, 1}, site_channels[SITES] = {8, 5};

/* A value that tells where it belongs. */
static float value(int site, int64_t sample, int position, int channel, bool output) {
    uint64_t h = ns_row_priority((uint64_t)site * 2 + output, sample, position * 100 + channel);
    return (float)((double)(h >> 40) * 0x1p-24 - 0.5) * (output ? 1.0f : 20.0f);
}

typedef struct run {
    ns_site sites[SITES];
    float gamma[8], beta[8];
    int64_t ids[SAMPLES];
    int32_t labels[SAMPLES];
    bool wanted[SITES];
    ns_attribute attribute;
    double block[3];
    ns_store_block blocks[1];
    ns_store_plan plan;
} run;

static const ns_store_block *blocks_of(void *user, int site, int *count) {
    run *r = user;
    *count = site == 0;
    return site == 0 ? r->blocks : NULL;
}

static void run_init(run *r, const char *path) {
    memset(r, 0, sizeof *r);
    ns_error err;
    for (int i = 0; i < SITES; i++) {
        r->sites[i] = (ns_site){.index = i + 1,
                                .name = i ? "head.norm" : "blocks.0.norm1",
                                .role = i ? NS_ROLE_FINAL : NS_ROLE_ATTENTION,
                                .positions = site_positions[i]};
        r->sites[i].norm = (ns_norm){.kind = ns_norm_kind_find(i ? "rmsnorm" : "layernorm", &err),
                                     .channels = site_channels[i],
                                     .eps = 1e-6f,
                                     .gamma = r->gamma,
                                     .beta = i ? NULL : r->beta};
        r->wanted[i] = true;
    }
    for (int c = 0; c < 8; c++) r->gamma[c] = 1.5f * (float)c;
    for (int i = 0; i < SAMPLES; i++) r->ids[i] = 100 - 7 * i, r->labels[i] = i % 3;
    r->attribute = (ns_attribute){"model_sha256", "abc", 0, true};
    r->blocks[0] = (ns_store_block){"moments", "x", NS_BLOCK_F64, 1, {3}, r->block};
    r->plan = (ns_store_plan){.path = path,
                              .sites = r->sites,
                              .site_count = SITES,
                              .wanted = r->wanted,
                              .samples = SAMPLES,
                              .sample_ids = r->ids,
                              .labels = r->labels,
                              .predictions = true,
                              .batch = BATCH,
                              .rows = true,
                              .seed = 5,
                              .attributes = &r->attribute,
                              .attribute_count = 1,
                              .blocks = blocks_of,
                              .blocks_user = r};
}

/* Runs batches from where the writer stands up to, not including, sample `until`. */
static void run_batches(run *r, ns_store_writer *w, int until) {
    const ns_observer o = ns_store_writer_observer(w);
    ns_error err = {0};
    for (int first = (int)ns_store_writer_committed(w); first < until; first += BATCH) {
        int n = SAMPLES - first < BATCH ? SAMPLES - first : BATCH;
        for (int i = 0; i < SITES; i++) {
            int p = site_positions[i], c = site_channels[i];
            float x[BATCH * 3 * 8], own[BATCH * 3 * 8];
            uint8_t kinds[BATCH * 3];
            assert_true(o.wants(o.user, &r->sites[i]));
            float *y = o.place_output(o.user, &r->sites[i], (size_t)(n * p));
            if (!y) y = own;
            for (int row = 0; row < n * p; row++) {
                kinds[row] = row % p == 0 ? NS_ROW_CLASS : NS_ROW_PATCH;
                for (int k = 0; k < c; k++) {
                    x[row * c + k] = value(i, r->ids[first + row / p], row % p, k, false);
                    y[row * c + k] = value(i, r->ids[first + row / p], row % p, k, true);
                }
            }
            const int32_t positions[3] = {0, 1, 2};
            const ns_rows rows = {(size_t)n, (size_t)p, r->ids + first, positions, kinds, x, y};
            if (o.deliver(o.user, &r->sites[i], &rows, &err)) fail_msg("%s", err.message);
        }
        const int32_t predictions[BATCH] = {0, 1, 2, 0};
        for (int k = 0; k < 3; k++) r->block[k] = first + n + 0.5 * k;
        if (ns_store_writer_commit(w, (uint64_t)n, predictions, &err)) fail_msg("%s", err.message);
    }
}

static void check_file(const run *r, uint64_t samples) {
    ns_store *s;
    ns_error err = {0};
    if (ns_store_open(&s, r->plan.path, &err)) fail_msg("%s", err.message);
    assert_int_equal(ns_store_samples(s), samples);
    assert_int_equal(ns_store_samples_planned(s), SAMPLES);
    assert_int_equal(ns_store_site_count(s), SITES);
    assert_string_equal(ns_store_attribute(s, "model_sha256"), "abc");
    assert_string_equal(ns_store_attribute(s, "seed"), "5");
    for (int i = 0; i < SITES; i++) {
        const ns_store_site *site = ns_store_site_at(s, i);
        int c = site_channels[i], p = site_positions[i];
        assert_string_equal(site->site.name, r->sites[i].name);
        assert_ptr_equal(site->site.norm.kind, r->sites[i].norm.kind);
        assert_memory_equal(site->site.norm.gamma, r->gamma, (size_t)c * 4);
        assert_true((site->site.norm.beta != NULL) == (i == 0));
        if (!site->sampled) assert_int_equal(site->rows, samples * (uint64_t)p);
        for (uint64_t row = 0; row < site->rows; row++) {
            float x[8], y[8];
            int64_t sample;
            int32_t position;
            uint8_t kind;
            assert_int_equal(ns_store_read(s, i, NS_INPUT, row, 1, x, &err), NS_OK);
            assert_int_equal(ns_store_read(s, i, NS_OUTPUT, row, 1, y, &err), NS_OK);
            assert_int_equal(ns_store_read_rows(s, i, row, 1, &sample, &position, &kind, &err),
                             NS_OK);
            assert_int_equal(kind, position == 0 ? NS_ROW_CLASS : NS_ROW_PATCH);
            if (!site->sampled) {
                assert_int_equal(sample, r->ids[row / (uint64_t)p]);
                assert_int_equal(position, row % (uint64_t)p);
            }
            for (int k = 0; k < c; k++) {
                float wx = value(i, sample, position, k, false),
                      wy = value(i, sample, position, k, true);
                if (r->plan.dtype == NS_F16)
                    wx = ns_f16_value(ns_f16_from(wx)), wy = ns_f16_value(ns_f16_from(wy));
                assert_true(x[k] == wx && y[k] == wy);
            }
        }
        float x[8];
        assert_int_equal(ns_store_read(s, i, NS_INPUT, site->rows, 1, x, &err), NS_EUSAGE);
    }
    ns_store_close(s);
}

static char *fresh_path(char path[256]) {
    snprintf(path, 256, "%s/run.h5", ns_tests_folder());
    return path;
}

static void whole_run(const char *path, ns_dtype dtype, uint64_t sample_rows) {
    run r;
    ns_store_writer *w;
    ns_error err = {0};
    run_init(&r, path);
    r.plan.dtype = dtype;
    r.plan.sample_rows = sample_rows;
    r.plan.force = true;
    if (ns_store_create(&w, &r.plan, &err)) fail_msg("%s", err.message);
    run_batches(&r, w, SAMPLES);
    if (ns_store_writer_close(w, &err)) fail_msg("%s", err.message);
    check_file(&r, SAMPLES);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    char path[256];
    fresh_path(path);
    whole_run(path, NS_F32, 0);
    whole_run(path, NS_F16, 0);
}

/* The rows kept are those of lowest priority, and extreme rows are those of the largest and smallest values. */
static void sampled_rows(void **state) {
    (void)state;
    char path[256];
    whole_run(fresh_path(path), NS_F32, 7);
    ns_store *s;
    ns_error err = {0};
    assert_int_equal(ns_store_open(&s, path, &err), NS_OK);
    const ns_store_site *site = ns_store_site_at(s, 0);
    assert_true(site->sampled && site->rows == 7 && site->rows_seen == 30);
    uint64_t highest = 0;
    int lower = 0;
    for (uint64_t row = 0; row < 7; row++) {
        int64_t sample;
        int32_t position;
        ns_store_read_rows(s, 0, row, 1, &sample, &position, NULL, &err);
        uint64_t priority = ns_row_priority(5, sample, position);
        if (priority > highest) highest = priority;
    }
    float most = -INFINITY, least = INFINITY;
    for (int i = 0; i < SAMPLES; i++)
        for (int p = 0; p < 3; p++) {
            lower += ns_row_priority(5, 100 - 7 * i, p) <= highest;
            for (int c = 0; c < 8; c++) {
                most = fmaxf(most, value(0, 100 - 7 * i, p, c, false));
                least = fminf(least, value(0, 100 - 7 * i, p, c, false));
            }
        }
    assert_int_equal(lower, 7);
    assert_int_equal(site->extreme_rows, NS_STORE_EXTREME_ROWS);
    float x[NS_STORE_EXTREME_ROWS][8];
    int64_t samples[NS_STORE_EXTREME_ROWS];
    assert_int_equal(ns_store_read_extreme(s, 0, x[0], NULL, samples, NULL, NULL, &err), NS_OK);
    float first = -INFINITY, second = INFINITY;
    for (int c = 0; c < 8; c++) {
        first = fmaxf(first, x[0][c]);
        second = fminf(second, x[NS_STORE_EXTREME_ROWS / 2][c]);
    }
    assert_true(first == most && second == least);
    assert_true(samples[29] >= 0 && samples[30] == -1);
    ns_store_close(s);
}

static char *file_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void resumed_runs_have_the_same_bytes(void **state) {
    (void)state;
    for (int sampled = 0; sampled < 2; sampled++) {
        char whole[256], cut[256];
        run r;
        ns_store_writer *w;
        ns_error err = {0};
        fresh_path(whole);
        whole_run(whole, NS_F32, sampled ? 7 : 0);
        run_init(&r, fresh_path(cut));
        r.plan.sample_rows = sampled ? 7 : 0;
        assert_int_equal(ns_store_create(&w, &r.plan, &err), NS_OK);
        run_batches(&r, w, 4);
        assert_int_equal(ns_store_writer_close(w, &err), NS_OK);
        check_file(&r, 4);
        memset(r.block, 0, sizeof r.block);
        if (ns_store_resume(&w, &r.plan, &err)) fail_msg("%s", err.message);
        assert_int_equal(ns_store_writer_committed(w), 4);
        assert_true(r.block[0] == 4 && r.block[2] == 5);
        run_batches(&r, w, SAMPLES);
        assert_int_equal(ns_store_writer_close(w, &err), NS_OK);
        check_file(&r, SAMPLES);
        size_t na, nb;
        char *a = file_bytes(whole, &na), *b = file_bytes(cut, &nb);
        assert_int_equal(na, nb);
        assert_memory_equal(a, b, na);
        free(a);
        free(b);
    }
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    char path[256];
    run r;
    ns_store_writer *w;
    ns_error err = {0};
    run_init(&r, fresh_path(path));
    assert_int_equal(ns_store_resume(&w, &r.plan, &err), NS_EINPUT);
    assert_int_equal(ns_store_create(&w, &r.plan, &err), NS_OK);
    run_batches(&r, w, 4);
    ns_store_writer *second;
    assert_int_equal(ns_store_resume(&second, &r.plan, &err), NS_EFAIL);
    assert_non_null(strstr(err.message, "another process"));
    assert_int_equal(ns_store_writer_commit(w, 3, NULL, &err), NS_EUSAGE);
    assert_int_equal(ns_store_writer_close(w, &err), NS_OK);
    assert_int_equal(ns_store_create(&w, &r.plan, &err), NS_EFAIL);
    assert_non_null(strstr(err.message, "--force"));
    r.attribute.text = "other";
    assert_int_equal(ns_store_resume(&w, &r.plan, &err), NS_EINPUT);
    assert_non_null(strstr(err.message, "model_sha256 was abc when it was begun, is other now"));
    r.attribute.text = "abc";
    r.plan.batch = 5;
    assert_int_equal(ns_store_resume(&w, &r.plan, &err), NS_EINPUT);
    r.plan.batch = BATCH;
    r.wanted[1] = false;
    assert_int_equal(ns_store_resume(&w, &r.plan, &err), NS_EINPUT);
    r.plan.path = "/proc/nothing.h5";
    assert_int_equal(ns_store_create(&w, &r.plan, &err), NS_EINPUT);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_written_is_read),
    cmocka_unit_test(sampled_rows),
    cmocka_unit_test(resumed_runs_have_the_same_bytes),
    cmocka_unit_test(what_does_not_fit_is_refused),
};
NS_TESTS("store", tests)
