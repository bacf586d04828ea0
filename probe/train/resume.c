/* Going on with a run: the settings must be those of the run, and the state that train.json names is read back. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/train/checkpoint.h"
#include "probe/train/trainer.h"

/* NaN, which JSON lacks, is null. */
static json_t *real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *ns_trainer_settings(const ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    const ns_block_spec *s = ns_trainee_blocks(t->net);
    char *data = ns_strdup(p->data, t->err); /* a path, of any bytes; JSON takes UTF-8 alone */
    if (!data) return NULL;
    ns_printable(data, false);
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:f, s:o, s:o}", "arch",
                  t->arch->name, "data", data, "data_sha256", t->data_hash, "validation",
                  (json_int_t)t->validation_count, "norm", t->net->parameters.norm->name, "width",
                  (json_int_t)s->width, "depth", (json_int_t)s->depth, "heads",
                  (json_int_t)s->heads, "hidden", (json_int_t)s->hidden, "tokens",
                  (json_int_t)t->net->tokens, "activation", p->activation, "init_std", p->deviation,
                  "alpha_init", real(p->alpha), "alpha_init_attn", real(p->alpha_attention));
    json_t *recipe = json_pack(
        "{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:b, s:I, s:I}",
        "epochs", (json_int_t)p->epochs, "batch", (json_int_t)p->batch, "lr", p->rate, "min_lr",
        p->least_rate, "warmup", p->warmup, "weight_decay", p->weight_decay, "beta1", p->beta1,
        "beta2", p->beta2, "adam_eps", p->adam_eps, "clip", p->clip, "label_smoothing",
        p->smoothing, "drop_path", p->drop_path, "crop_padding", (json_int_t)p->padding, "flip",
        (int)p->flip, "watch_every", (json_int_t)p->watch_every, "seed", (json_int_t)p->seed);
    json_object_update(j, recipe);
    json_decref(recipe);
    free(data);
    return j;
}

static int compare_settings(ns_trainer *t, const json_t *before, const char *path) {
    json_t *now = ns_trainer_settings(t);
    if (!now) return NS_EFAIL;
    const char *key;
    json_t *value;
    int status = NS_OK;
    json_object_foreach(now, key, value) {
        json_t *was = json_object_get(before, key);
        if (status || (was && json_equal(was, value))) continue;
        char *a = was ? json_dumps(was, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
        char *b = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        status =
            ns_fail(t->err, NS_EINPUT, "%s: \"%s\": expected what was asked for now, %s; found %s",
                    path, key, b ? b : "?", a ? a : "nothing");
        free(a);
        free(b);
    }
    json_decref(now);
    return status;
}

/* A tensor [count values] of the state into `to`. */
static int take(ns_trainer *t, ns_weights *state, const char *name, int dims, const int64_t *shape,
                float *to) {
    const float *values;
    int status = ns_weights_get(state, name, dims, shape, &values, t->err);
    if (status) return status;
    size_t n = 1;
    for (int d = 0; d < dims; d++) n *= (size_t)shape[d];
    memcpy(to, values, n * sizeof *values);
    return NS_OK;
}

static int take_means(ns_trainer *t, ns_weights *state, const char *prefix, float *means) {
    const ns_parameters *p = &t->net->parameters;
    int status = NS_OK;
    for (int i = 0; i < p->learned_count && !status; i++) {
        const ns_parameter *item = &p->items[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s", prefix, item->name);
        status = take(t, state, name, item->dims, item->shape, means + item->at);
    }
    return status;
}

static int take_records(ns_trainer *t, ns_weights *state, const json_t *steps) {
    const int64_t sites = t->net->network.site_count;
    int64_t count = (int64_t)json_array_size(steps);
    const int64_t watch[] = {count, sites, NS_WATCH_COLUMNS},
                  history[] = {t->step, NS_STEP_COLUMNS};
    t->watched = ns_calloc((size_t)(count * sites), NS_WATCH_COLUMNS * sizeof *t->watched, t->err);
    t->watched_steps =
        t->watched ? ns_calloc((size_t)count, sizeof *t->watched_steps, t->err) : NULL;
    if (!t->watched_steps) return NS_EFAIL;
    t->watch_count = t->watch_room = count;
    for (int64_t i = 0; i < count; i++)
        t->watched_steps[i] = json_integer_value(json_array_get(steps, (size_t)i));
    int status = take(t, state, "records.watch", 3, watch, t->watched);
    if (!status && t->step) status = take(t, state, "records.steps", 2, history, &t->history[0][0]);
    return status;
}

static int read_state(ns_trainer *t, const char *name, const json_t *watched_steps) {
    char *path = ns_path_join(t->plan->folder, name, t->err);
    ns_weights *state = NULL;
    int status = path ? ns_weights_open(&state, path, t->err) : NS_EFAIL;
    if (!status) status = ns_parameters_load(&t->net->parameters, state, t->err);
    if (!status) status = take_means(t, state, "m.", t->adam.m);
    if (!status) status = take_means(t, state, "v.", t->adam.v);
    if (!status) status = take_records(t, state, watched_steps);
    ns_weights_close(state);
    free(path);
    return status;
}

static double number(const json_t *object, const char *key) {
    const json_t *j = json_object_get(object, key);
    return json_is_number(j) ? json_number_value(j) : (double)NAN;
}

static void read_epochs(ns_trainer *t, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list) && t->epoch_count < t->plan->epochs; i++) {
        const json_t *j = json_array_get(list, i);
        t->epochs[t->epoch_count++] =
            (ns_train_epoch){.epoch = (int64_t)i + 1,
                             .step = json_integer_value(json_object_get(j, "step")),
                             .loss = number(j, "loss"),
                             .accuracy = number(j, "accuracy"),
                             .gradient_norm = number(j, "gradient_norm"),
                             .validation_loss = number(j, "validation_loss"),
                             .validation_accuracy = number(j, "validation_accuracy"),
                             .rate = number(j, "rate")};
    }
}

static int check_format(ns_trainer *t, const json_t *run, const char *path) {
    const char *format = json_string_value(json_object_get(run, "format"));
    json_int_t version = json_integer_value(json_object_get(run, "version"));
    if (!format || strcmp(format, NS_RUN_FORMAT) != 0)
        return ns_fail(t->err, NS_EINPUT, "%s: expected \"format\": \"%s\", found %s", path,
                       NS_RUN_FORMAT, format ? "another one" : "none");
    if (version < 1 || version > NS_RUN_VERSION)
        return ns_fail(t->err, NS_EINPUT,
                       "%s: expected \"version\" 1 to %d, found %lld: a newer normscope made it",
                       path, NS_RUN_VERSION, (long long)version);
    return NS_OK;
}

/* The last figure, where it is of the same test set. */
static void read_test(ns_trainer *t, const json_t *test) {
    const char *hash = json_string_value(json_object_get(test, "sha256"));
    if (!t->test || !hash || strcmp(hash, t->test_hash) != 0) return;
    t->test_loss = number(test, "loss");
    t->test_accuracy = number(test, "accuracy");
}

static int read_progress(ns_trainer *t, const json_t *run, const char *path) {
    int status = check_format(t, run, path);
    if (!status) status = compare_settings(t, json_object_get(run, "settings"), path);
    if (status) return status;
    const json_t *step = json_object_get(run, "step"), *state = json_object_get(run, "state");
    const json_t *so_far = json_object_get(run, "epoch_so_far");
    t->step = json_integer_value(step);
    if (!json_is_integer(step) || t->step < 0 || t->step > t->steps || !json_is_string(state) ||
        !isfinite(number(so_far, "loss_sum")))
        return ns_fail(t->err, NS_EINPUT,
                       "%s: expected \"step\" from 0 to %lld, \"state\" and \"epoch_so_far\"", path,
                       (long long)t->steps);
    t->adam.steps = t->step;
    t->loss_sum = number(so_far, "loss_sum");
    t->gradient_sum = number(so_far, "gradient_sum");
    t->hits = json_integer_value(json_object_get(so_far, "hits"));
    read_epochs(t, json_object_get(run, "epochs"));
    if (t->epoch_count != t->step / t->epoch_steps)
        return ns_fail(t->err, NS_EINPUT, "%s: expected %lld epochs at step %lld, found %lld", path,
                       (long long)(t->step / t->epoch_steps), (long long)t->step,
                       (long long)t->epoch_count);
    t->saved_step = t->step;
    read_test(t, json_object_get(run, "test"));
    t->threads_changed = json_is_true(json_object_get(run, "threads_changed"));
    const json_int_t threads = json_integer_value(json_object_get(run, "threads"));
    if (t->step < t->steps && threads != omp_get_max_threads())
        return ns_fail(t->err, NS_EINPUT,
                       "%s: cannot be resumed: threads was %lld when it was begun, is %d now "
                       "(OMP_NUM_THREADS): the bits would not be those of an uninterrupted run",
                       path, (long long)threads, omp_get_max_threads());
    const json_t *watched_steps = json_object_get(run, "watched_steps");
    if (t->step || json_array_size(watched_steps))
        return read_state(t, json_string_value(state), watched_steps);
    return ns_trainer_begin(t); /* it ended before its first record */
}

int ns_trainer_resume(ns_trainer *t) {
    enum { MOST = 1 << 26 };
    char *path = ns_path_join(t->plan->folder, "train.json", t->err), *text = NULL;
    size_t size = 0;
    int status = path ? ns_read_text(&text, &size, path, MOST, t->err) : NS_EFAIL;
    if (!status) {
        json_error_t wrong;
        json_t *run = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
        status = run ? read_progress(t, run, path)
                     : ns_fail(t->err, NS_EINPUT, "%s: expected JSON, line %d: %s", path,
                               wrong.line, wrong.text);
        json_decref(run);
    }
    free(text);
    free(path);
    return status;
}
