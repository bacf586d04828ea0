#include "tests/probe/models/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/runner.h"

double golden_difference(const float *found, const float *expected, size_t n) {
    double most = 0, apart = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)found[i] - (double)expected[i]);
        if (!(d <= apart)) apart = d; /* NaN is a difference too */
        most = fmax(most, fabs((double)expected[i]));
    }
    return apart / most;
}

void golden_judge(golden_watch *w, const char *what, double apart) {
    if (apart <= w->worst) return;
    w->worst = apart;
    snprintf(w->where, sizeof w->where, "%s", what);
}

bool golden_wants(void *user, const ns_site *site) {
    return site->index >= ((golden_watch *)user)->least_wanted;
}

/* A copy without what padding's rows hold, as the recorded values have zeros there; to be freed. */
static float *without_padding(const ns_rows *rows, const float *values, size_t channels) {
    size_t n = rows->samples * rows->positions;
    float *copy = malloc(n * channels * sizeof *copy);
    if (!copy) abort();
    memcpy(copy, values, n * channels * sizeof *copy);
    for (size_t r = 0; r < n; r++)
        if (rows->kinds[r] == NS_ROW_PADDING)
            memset(copy + r * channels, 0, channels * sizeof *copy);
    return copy;
}

int golden_deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    golden_watch *w = user;
    assert_true(site->index > w->last);
    assert_true(site->index >= w->least_wanted);
    w->last = site->index;
    assert_int_equal(rows->positions, site->positions);
    for (int which = 0; which < 2; which++) {
        char name[160];
        snprintf(name, sizeof name, "%s/%03d %s", which ? "output" : "input", site->index,
                 site->name);
        const ns_tensor_info *info = ns_weights_find(w->expected, name);
        if (!info && !strncmp(site->name, "model.", 6)) { /* of the same network without a head */
            snprintf(name, sizeof name, "%s/%03d %s", which ? "output" : "input", site->index,
                     site->name + 6);
            info = ns_weights_find(w->expected, name);
        }
        if (!info) return ns_fail(err, NS_EFAIL, "%s was not expected", name);
        const float *values;
        int status = ns_weights_get(w->expected, name, info->dims, info->shape, &values, err);
        if (status) return status;
        /* [samples, positions, C], or [samples, C] where one row is left */
        int64_t row = info->shape[info->dims - 1], count = 1;
        for (int d = 1; d < info->dims; d++) count *= info->shape[d];
        assert_int_equal(row, site->norm.channels);
        assert_int_equal(count, (int64_t)rows->positions * row);
        float *found = without_padding(rows, which ? rows->y : rows->x, (size_t)row);
        golden_judge(w, name,
                     golden_difference(found, values + w->first * (size_t)count,
                                       rows->samples * (size_t)count));
        free(found);
    }
    w->seen++;
    return NS_OK;
}

int golden_logits(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                  ns_error *err) {
    golden_watch *w = user;
    const float *expected;
    const ns_tensor_info *info = ns_weights_find(w->expected, "logits");
    if (!info) return ns_fail(err, NS_EFAIL, "logits were not expected");
    assert_int_equal(info->shape[info->dims - 1], classes);
    int status = ns_weights_get(w->expected, "logits", info->dims, info->shape, &expected, err);
    if (status) return status;
    size_t before = w->first * (w->ids ? w->length : 1);
    for (size_t r = 0; r < rows; r++) {
        size_t at = first + r;
        if (w->ids && w->ids[at] < 0) continue;
        golden_judge(
            w, "logits",
            golden_difference(logits + r * classes, expected + (before + at) * classes, classes));
        if (!w->ids || (at + 1) % w->length == 0 || w->ids[at + 1] < 0) continue;
        int32_t best;
        w->loss += ns_label_loss(classes, logits + r * classes, w->ids[at + 1], &best);
        w->hits += best == w->ids[at + 1];
        w->words++;
    }
    return NS_OK;
}

static int count_inputs(const ns_weights *expected) {
    int n = 0;
    for (int i = 0; i < ns_weights_count(expected); i++)
        n += !strncmp(ns_weights_info(expected, i)->name, "input/", 6);
    return n;
}

/* A tensor of whole numbers, which stand as floats in the file, to be freed; NULL where there is none. */
static int32_t *whole_numbers(const golden_run *r, const char *name) {
    ns_error err = {0};
    const float *values;
    const ns_tensor_info *info = ns_weights_find(r->expected, name);
    if (!info) return NULL;
    size_t n = r->samples * r->sample_size;
    int32_t *numbers = malloc(n * sizeof *numbers);
    if (!numbers) abort();
    if (ns_weights_get(r->expected, name, 2, (int64_t[]){-1, (int64_t)r->sample_size}, &values,
                       &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++) numbers[i] = (int32_t)values[i];
    return numbers;
}

static void open_words(golden_run *r) {
    const ns_tensor_info *info = ns_weights_find(r->expected, "ids");
    ns_error err = {0};
    assert_non_null(info);
    r->samples = (size_t)info->shape[0];
    r->sample_size = (size_t)info->shape[1];
    r->ids = whole_numbers(r, "ids");
    r->types = whole_numbers(r, "types");
    int32_t *mask = whole_numbers(r, "mask");
    for (size_t i = 0; mask && i < r->samples * r->sample_size; i++)
        if (!mask[i]) r->ids[i] = -1;
    free(mask);
    if (ns_model_set_length(r->model, (int)r->sample_size, &err)) fail_msg("%s", err.message);
}

void golden_open(golden_run *r, const char *model, const char *expected) {
    golden_open_with(r, model, expected, NULL);
}

void golden_open_with(golden_run *r, const char *model, const char *expected,
                      const ns_model_options *options) {
    ns_error err = {0};
    *r = (golden_run){0};
    if (ns_model_open_with(&r->model, model, options, &err) ||
        ns_weights_open(&r->expected, expected, &err))
        fail_msg("%s", err.message);
    if (r->model->input.kind == NS_INPUT_WORDS) {
        open_words(r);
        return;
    }
    const ns_tensor_info *info = ns_weights_find(r->expected, "pixels");
    assert_non_null(info);
    const ns_image_shape *image = &r->model->input.image;
    int64_t shape[4] = {-1, image->channels, image->height, image->width};
    if (ns_weights_get(r->expected, "pixels", 4, shape, &r->pixels, &err))
        fail_msg("%s", err.message);
    r->samples = (size_t)info->shape[0];
    r->sample_size = (size_t)(image->channels * image->height * image->width);
}

void golden_close(golden_run *r) {
    ns_weights_close(r->expected);
    ns_model_close(r->model);
    free(r->ids);
    free(r->types);
}

void golden_forward(golden_run *r, golden_watch *w, size_t first, size_t count, int last_site) {
    ns_error err = {0};
    const int64_t ids[8] = {0};
    size_t at = first * r->sample_size;
    const ns_batch batch = {.samples = count,
                            .sample_ids = ids,
                            .pixels = r->pixels ? r->pixels + at : NULL,
                            .positions = r->sample_size,
                            .ids = r->ids ? r->ids + at : NULL,
                            .types = r->types ? r->types + at : NULL};
    bool logits = ns_weights_find(w->expected, "logits") != NULL;
    const ns_observer observer = {.user = w,
                                  .wants = golden_wants,
                                  .deliver = golden_deliver,
                                  .logits = logits ? golden_logits : NULL};
    w->first = first;
    w->last = 0;
    w->ids = batch.ids;
    w->length = r->sample_size;
    if (ns_model_forward(r->model, &batch, &observer, last_site, &err)) fail_msg("%s", err.message);
}

static golden_watch check_all(const char *model, const char *expected,
                              const ns_model_options *options, int sites, double tolerance) {
    golden_run r;
    golden_open_with(&r, model, expected, options);
    assert_int_equal(r.model->site_count, sites);
    assert_int_equal(count_inputs(r.expected), sites);
    assert_true(r.model->classes || !ns_weights_find(r.expected, "logits"));
    golden_watch w = {.expected = r.expected}, parts = w;
    /* All at once; then a smaller batch and, in memory that has to grow no more, the rest. */
    golden_forward(&r, &w, 0, r.samples, 0);
    assert_int_equal(w.seen, sites);
    golden_forward(&r, &parts, 0, 1, 0);
    golden_forward(&r, &parts, 1, r.samples - 1, 0);
    golden_judge(&w, parts.where, parts.worst);
    if (!(w.worst <= tolerance))
        fail_msg("%s: %s is off by %.2e of its largest magnitude", model, w.where, w.worst);
    golden_close(&r);
    return w;
}

golden_watch golden_check(const char *folder, int sites, double tolerance) {
    return golden_check_with(folder, NULL, sites, tolerance);
}

golden_watch golden_check_with(const char *folder, const ns_model_options *options, int sites,
                               double tolerance) {
    char expected[256];
    snprintf(expected, sizeof expected, "%s/expected.safetensors", folder);
    return check_all(folder, expected, options, sites, tolerance);
}

golden_watch golden_check_file(const char *model, const char *expected, int sites,
                               double tolerance) {
    return check_all(model, expected, NULL, sites, tolerance);
}
