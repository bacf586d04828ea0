/* The ViT against PyTorch: small models of every variant and naming scheme (tests/golden/vit, made by
 * scripts/oracle_vit.py), and the bundled one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "probe/models/model.h"
#include "tests/runner.h"

#define GOLDEN "tests/golden/vit/"

/* Largest difference over the largest magnitude of a tensor. */
static const double tolerance = 1e-5;

typedef struct watch {
    ns_weights *expected;
    int seen;         /* sites that were compared */
    int last;         /* index of the last site delivered */
    double worst;     /* largest relative difference */
    char where[160];  /* and where it was */
    size_t first;     /* sample of the expected tensors that the batch begins with */
    int least_wanted; /* sites below are not asked for */
} watch;

static double difference(const float *found, const float *expected, size_t n) {
    double most = 0, apart = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)found[i] - (double)expected[i]);
        if (!(d <= apart)) apart = d; /* NaN is a difference too */
        most = fmax(most, fabs((double)expected[i]));
    }
    return apart / most;
}

static void judge(watch *w, const char *what, double apart) {
    if (apart <= w->worst) return;
    w->worst = apart;
    snprintf(w->where, sizeof w->where, "%s", what);
}

static bool wants(void *user, const ns_site *site) {
    return site->index >= ((watch *)user)->least_wanted;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    watch *w = user;
    assert_true(site->index > w->last);
    assert_true(site->index >= w->least_wanted);
    w->last = site->index;
    assert_int_equal(rows->positions, site->positions);
    for (int which = 0; which < 2; which++) {
        char name[160];
        snprintf(name, sizeof name, "%s/%03d %s", which ? "output" : "input", site->index,
                 site->name);
        const ns_tensor_info *info = ns_weights_find(w->expected, name);
        if (!info) return ns_fail(err, NS_EFAIL, "%s was not expected", name);
        const float *values;
        int status = ns_weights_get(w->expected, name, info->dims, info->shape, &values, err);
        if (status) return status;
        /* [samples, positions, C], or [samples, C] where one row is left */
        int64_t row = info->shape[info->dims - 1], count = 1;
        for (int d = 1; d < info->dims; d++) count *= info->shape[d];
        assert_int_equal(row, site->norm.channels);
        assert_int_equal(count, (int64_t)rows->positions * row);
        judge(w, name,
              difference(which ? rows->y : rows->x, values + w->first * (size_t)count,
                         rows->samples * (size_t)count));
    }
    w->seen++;
    return NS_OK;
}

static int count_inputs(const ns_weights *expected) {
    int n = 0;
    for (int i = 0; i < ns_weights_count(expected); i++)
        n += !strncmp(ns_weights_info(expected, i)->name, "input/", 6);
    return n;
}

typedef struct run {
    ns_model *model;
    ns_weights *expected;
    const float *pixels;
    size_t samples, sample_size;
} run;

static void open_run(run *r, const char *model, const char *expected) {
    ns_error err = {0};
    *r = (run){0};
    if (ns_model_open(&r->model, model, &err) || ns_weights_open(&r->expected, expected, &err))
        fail_msg("%s", err.message);
    const ns_tensor_info *info = ns_weights_find(r->expected, "pixels");
    assert_non_null(info);
    const ns_image_shape *image = &r->model->image;
    int64_t shape[4] = {-1, image->channels, image->height, image->width};
    if (ns_weights_get(r->expected, "pixels", 4, shape, &r->pixels, &err))
        fail_msg("%s", err.message);
    r->samples = (size_t)info->shape[0];
    r->sample_size = (size_t)(image->channels * image->height * image->width);
}

static void close_run(run *r) {
    ns_weights_close(r->expected);
    ns_model_close(r->model);
}

/* Runs samples [first, first + count) and compares what is delivered, and the logits where there are any. */
static void forward(run *r, watch *w, size_t first, size_t count, int last_site) {
    ns_error err = {0};
    const int64_t ids[8] = {0};
    const ns_batch batch = {count, ids, r->pixels + first * r->sample_size};
    const ns_observer observer = {.user = w, .wants = wants, .deliver = deliver};
    size_t classes = (size_t)r->model->classes;
    float *logits = last_site || !classes ? NULL : malloc(count * classes * sizeof *logits);
    w->first = first;
    w->last = 0;
    if (ns_model_forward(r->model, &batch, &observer, last_site, logits, &err))
        fail_msg("%s", err.message);
    if (logits) {
        const float *expected;
        int64_t shape[2] = {(int64_t)r->samples, (int64_t)classes};
        if (ns_weights_get(r->expected, "logits", 2, shape, &expected, &err))
            fail_msg("%s", err.message);
        judge(w, "logits", difference(logits, expected + first * classes, count * classes));
    }
    free(logits);
}

static void check(const char *name, int sites) {
    char folder[128], expected[160];
    snprintf(folder, sizeof folder, GOLDEN "%s", name);
    snprintf(expected, sizeof expected, GOLDEN "%s/expected.safetensors", name);
    run r;
    open_run(&r, folder, expected);
    assert_int_equal(r.model->site_count, sites);
    assert_int_equal(count_inputs(r.expected), sites);
    assert_int_equal(r.model->classes != 0, ns_weights_find(r.expected, "logits") != NULL);
    watch w = {.expected = r.expected};
    /* All at once; then a smaller batch and, in memory that has to grow no more, the rest. */
    forward(&r, &w, 0, r.samples, 0);
    assert_int_equal(w.seen, sites);
    forward(&r, &w, 0, 1, 0);
    forward(&r, &w, 1, r.samples - 1, 0);
    if (!(w.worst <= tolerance))
        fail_msg("%s: %s is off by %.2e of its largest magnitude", name, w.where, w.worst);
    close_run(&r);
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
    run r;
    ns_error err = {0};
    open_run(&r, BUNDLED, GOLDEN "vit-fmnist-layernorm.safetensors");
    assert_int_equal(r.model->site_count, 17);
    watch w = {.expected = r.expected};
    const int64_t ids[2] = {0, 1};
    const ns_batch batch = {2, ids, r.pixels};
    const ns_observer observer = {.user = &w, .wants = wants_recorded, .deliver = deliver};
    float logits[20];
    const float *expected;
    if (ns_model_forward(r.model, &batch, &observer, 0, logits, &err) ||
        ns_weights_get(r.expected, "logits", 2, (int64_t[]){2, 10}, &expected, &err))
        fail_msg("%s", err.message);
    assert_int_equal(w.seen, 3);
    judge(&w, "logits", difference(logits, expected, 20));
    if (!(w.worst <= tolerance))
        fail_msg("%s is off by %.2e of its largest magnitude", w.where, w.worst);

    /* The recorded pixels are what the bundled images become. */
    ns_dataset *data = NULL;
    float pixels[2 * 784];
    if (ns_dataset_open(&data, "fashion-mnist-1000", NULL, &r.model->image, &err) ||
        ns_dataset_read(data, ids, 2, pixels, &err))
        fail_msg("%s", err.message);
    assert_true(difference(pixels, r.pixels, 2 * 784) < 1e-6);
    ns_dataset_close(data);
    close_run(&r);
}

static void stops_after_the_last_site_wanted(void **state) {
    (void)state;
    run r;
    open_run(&r, GOLDEN "timm-mean", GOLDEN "timm-mean/expected.safetensors");
    for (int last = 1; last <= r.model->site_count; last++) {
        watch w = {.expected = r.expected, .least_wanted = last > 1 ? last - 1 : 1};
        forward(&r, &w, 0, r.samples, last);
        assert_int_equal(w.last, last);
        assert_int_equal(w.seen, last > 1 ? 2 : 1);
        assert_true(w.worst <= tolerance);
    }
    ns_error err = {0};
    float logit;
    const ns_batch batch = {1, (int64_t[]){0}, r.pixels};
    assert_int_equal(ns_model_forward(r.model, &batch, NULL, 1, &logit, &err), NS_EUSAGE);
    assert_int_equal(ns_model_forward(r.model, &batch, NULL, 99, NULL, &err), NS_EUSAGE);
    close_run(&r);
}

static int refuse(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)user;
    (void)rows;
    return site->index == 3 ? ns_fail(err, NS_ESTOP, "enough") : NS_OK;
}

static void an_observer_stops_the_pass(void **state) {
    (void)state;
    run r;
    open_run(&r, GOLDEN "torchvision", GOLDEN "torchvision/expected.safetensors");
    ns_error err = {0};
    watch w = {0};
    const ns_batch batch = {1, (int64_t[]){0}, r.pixels};
    const ns_observer observer = {.user = &w, .wants = wants, .deliver = refuse};
    assert_int_equal(ns_model_forward(r.model, &batch, &observer, 0, NULL, &err), NS_ESTOP);
    assert_string_equal(err.message, "enough");
    close_run(&r);
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
