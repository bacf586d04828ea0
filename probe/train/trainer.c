/* The course of a run: data, network, steps, epochs. */
#include "probe/train/trainer.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "probe/base/stop.h"
#include "probe/train/checkpoint.h"

ns_train_plan ns_train_defaults(void) {
    return (ns_train_plan){.arch = "vit",
                           .context = 128,
                           .validation = -1,
                           .width = 96,
                           .depth = 8,
                           .heads = 4,
                           .patch = 7,
                           .alpha = (double)NAN,
                           .alpha_attention = (double)NAN,
                           .epochs = 10,
                           .batch = 128,
                           .rate = 1e-3,
                           .least_rate = 1e-6,
                           .warmup = 1,
                           .weight_decay = 0.05,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .adam_eps = 1e-8,
                           .clip = 1,
                           .smoothing = 0.1,
                           .drop_path = 0.1,
                           .padding = 2,
                           .flip = true};
}

/* ---- opening ---- */

/* X(name): a file arch_NAME.c of this folder exports ns_architecture_NAME. */
#define ARCHITECTURES(X) X(vit) X(gpt)
#define DECLARE(name)    extern const ns_architecture ns_architecture_##name;
ARCHITECTURES(DECLARE)
#define ROW(name) &ns_architecture_##name,
static const ns_architecture *const architectures[] = {ARCHITECTURES(ROW)};

const ns_architecture *ns_architecture_find(const char *name, ns_error *err) {
    int count = sizeof architectures / sizeof *architectures;
    for (int i = 0; i < count; i++)
        if (!strcmp(architectures[i]->name, name)) return architectures[i];
    ns_fail(err, NS_EUSAGE, "architecture: found %s, expected one of", name);
    for (int i = 0; i < count; i++)
        ns_fail_more(err, "%s %s", i ? "," : "", architectures[i]->name);
    return NULL;
}

int ns_trainer_split(ns_trainer *t) {
    int64_t n = t->data->count, held = t->plan->validation;
    if (held < 0) held = n / 12;
    if (n - held < t->plan->batch)
        return ns_fail(t->err, NS_EINPUT,
                       "%s: expected more samples than one batch (%lld) and those held out (%lld), "
                       "found %lld",
                       t->data->path, (long long)t->plan->batch, (long long)held, (long long)n);
    t->training = ns_calloc((size_t)n, sizeof *t->training, t->err);
    if (!t->training) return NS_EFAIL;
    for (int64_t i = 0; i < n; i++) t->training[i] = i;
    t->training_count = n - held;
    t->validation = t->training + t->training_count;
    t->validation_count = held;
    t->epoch_steps = t->training_count / t->plan->batch;
    t->steps = t->epoch_steps * t->plan->epochs;
    t->warmup_steps = llround(t->plan->warmup * (double)t->epoch_steps);
    return NS_OK;
}

int ns_trainer_allocate(ns_trainer *t) {
    const ns_image_shape *s = &t->data->shape;
    size_t n = (size_t)t->plan->batch, steps = (size_t)t->steps;
    bool words = t->data->input == NS_INPUT_WORDS;
    size_t length = words ? (size_t)t->data->text.length : 0;
    size_t pixels = n * (size_t)s->channels * (size_t)s->height * (size_t)s->width;
    const struct {
        void **to;
        size_t count, size;
    } blocks[] = {
        {(void **)&t->order, (size_t)t->training_count, sizeof *t->order},
        {(void **)&t->pixels, pixels, sizeof *t->pixels},
        {(void **)&t->loaded, pixels, sizeof *t->loaded},
        {(void **)&t->keep, 2 * (size_t)t->plan->depth * n, sizeof *t->keep},
        {(void **)&t->ids, n, sizeof *t->ids},
        {(void **)&t->words, n * length, sizeof *t->words},
        {(void **)&t->labels, n * (words ? length : 1), sizeof *t->labels},
        {(void **)&t->history, steps, sizeof *t->history},
        {(void **)&t->epochs, (size_t)t->plan->epochs, sizeof *t->epochs},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (!(*blocks[i].to = ns_calloc(blocks[i].count, blocks[i].size, t->err))) return NS_EFAIL;
    return NS_OK;
}

const void *ns_trainer_input(const ns_trainer *t) {
    return t->data->input == NS_INPUT_WORDS ? (const void *)t->words : t->pixels;
}

static int build(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    int status = t->arch->build(t);
    if (!status) status = ns_trainee_reserve(t->net, (size_t)p->batch, t->err);
    if (!status) status = ns_team_new(&t->team, t->net, t->err);
    const ns_adamw_options adam = {p->beta1, p->beta2, p->adam_eps, p->weight_decay};
    if (!status) status = ns_adamw_new(&t->adam, &adam, &t->net->parameters, t->err);
    if (!status)
        ns_trainee_initialize(t->net,
                              &(ns_start){p->seed, p->deviation, p->alpha, p->alpha_attention});
    return status;
}

static void close_trainer(ns_trainer *t) {
    void *const blocks[] = {t->training, t->order,   t->pixels,        t->loaded,
                            t->keep,     t->ids,     t->labels,        t->history,
                            t->epochs,   t->watched, t->watched_steps, t->words};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    if (t->lock >= 0) close(t->lock);
    free(t->vocabulary);
    ns_dataset_close(t->data);
    ns_dataset_close(t->test);
    ns_team_free(&t->team);
    ns_trainee_free(t->net);
    ns_adamw_free(&t->adam);
}

/* ---- steps ---- */

static int take_step(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    size_t n = (size_t)p->batch;
    int status = t->arch->batch(t, t->step);
    if (status) return status;
    const ns_keep keep = {ns_trainer_keep(t, t->step), n};
    ns_loss loss = ns_team_train(&t->team, n, ns_trainer_input(t), t->labels, p->smoothing, keep);
    if (!isfinite(loss.mean)) return ns_trainer_not_finite(t, keep, false);
    double norm = ns_gradient_norm(&t->net->parameters);
    if (!isfinite(norm)) return ns_trainer_not_finite(t, keep, true);
    double rate = ns_cosine_rate(t->step, t->steps, t->warmup_steps, p->rate, p->least_rate);
    bool clipped = p->clip > 0 && norm > p->clip;
    ns_adamw_step(&t->adam, &t->net->parameters, rate, clipped ? p->clip / (norm + 1e-6) : 1);
    float *h = t->history[t->step];
    h[NS_STEP_LOSS] = (float)loss.mean;
    h[NS_STEP_ACCURACY] = (float)((double)loss.hits / (double)(n * t->net->labels));
    h[NS_STEP_RATE] = (float)rate;
    h[NS_STEP_GRADIENT] = (float)norm;
    t->loss_sum += loss.mean;
    t->gradient_sum += norm;
    t->hits += (int64_t)loss.hits;
    t->step++;
    return NS_OK;
}

/* Mean loss, without smoothing, and accuracy over samples as they are. */
static int evaluate(ns_trainer *t, const ns_dataset *data, const int64_t *ids, int64_t count,
                    double *loss, double *accuracy) {
    double sum = 0;
    int64_t hits = 0;
    for (int64_t from = 0; from < count; from += t->plan->batch) {
        int64_t n = count - from < t->plan->batch ? count - from : t->plan->batch;
        if (ids)
            memcpy(t->ids, ids + from, (size_t)n * sizeof *ids);
        else
            for (int64_t i = 0; i < n; i++) t->ids[i] = from + i;
        int status = t->arch->load(t, data, t->ids, n);
        if (status) return status;
        ns_loss one = ns_team_evaluate(&t->team, (size_t)n, ns_trainer_input(t), t->labels);
        sum += one.mean * (double)n;
        hits += (int64_t)one.hits;
    }
    *loss = count ? sum / (double)count : (double)NAN;
    *accuracy = count ? (double)hits / (double)((size_t)count * t->net->labels) : (double)NAN;
    return NS_OK;
}

static int end_epoch(ns_trainer *t) {
    double n = (double)t->epoch_steps;
    ns_train_epoch *e = &t->epochs[t->epoch_count];
    *e = (ns_train_epoch){.epoch = t->epoch_count + 1,
                          .step = t->step,
                          .loss = t->loss_sum / n,
                          .accuracy = (double)t->hits /
                                      (n * (double)((size_t)t->plan->batch * t->net->labels)),
                          .gradient_norm = t->gradient_sum / n,
                          .rate = (double)t->history[t->step - 1][NS_STEP_RATE]};
    e->images_per_second =
        (double)((t->step - t->began_at) * t->plan->batch) / (ns_seconds() - t->began);
    int status = evaluate(t, t->data, t->validation, t->validation_count, &e->validation_loss,
                          &e->validation_accuracy);
    double watched = 0;
    if (!status) status = ns_trainer_watch(t, &watched);
    /* Before anything is saved over the last state that is good. */
    if (!status && t->validation_count && !isfinite(e->validation_loss))
        status = ns_trainer_diverged(t, "the samples held out");
    if (!status && !isfinite(watched)) status = ns_trainer_diverged(t, "the samples watched");
    if (status) return status;
    t->epoch_count++;
    t->loss_sum = t->gradient_sum = 0;
    t->hits = 0;
    status = ns_trainer_save_model(t);
    if (!status) status = ns_trainer_save(t);
    t->began = ns_seconds();
    t->began_at = t->step;
    if (!status && t->plan->epoch_done) t->plan->epoch_done(t->plan->user, e);
    return status;
}

static void show(ns_trainer *t) {
    ns_progress *progress = t->plan->progress;
    if (!progress) return;
    const float *h = t->history[t->step - 1];
    snprintf(progress->note, sizeof progress->note, "loss %.3f, accuracy %.1f %%",
             (double)h[NS_STEP_LOSS], 100 * (double)h[NS_STEP_ACCURACY]);
    ns_progress_at(progress, (uint64_t)((t->step - t->resumed_at) * t->plan->batch));
}

static int train(ns_trainer *t) {
    int status = NS_OK;
    t->began = ns_seconds();
    t->began_at = t->step;
    while (t->step < t->steps && !status) {
        if (ns_stop_requested()) {
            status = ns_trainer_save(t);
            return status ? status
                          : ns_fail(t->err, NS_ESTOP,
                                    "%s: stopped after step %lld of %lld; --resume goes on",
                                    t->plan->folder, (long long)t->step, (long long)t->steps);
        }
        status = take_step(t);
        if (status) break;
        show(t);
        bool end = t->step % t->epoch_steps == 0;
        if (end)
            status = end_epoch(t);
        else if (t->plan->watch_every && t->step % t->plan->watch_every == 0)
            status = ns_trainer_watch(t, NULL);
    }
    return status;
}

static int begin(ns_trainer *t) {
    int status = ns_trainer_begin_folder(t);
    if (status) return status;
    return t->plan->resume ? ns_trainer_resume(t) : ns_trainer_begin(t);
}

static int finish(ns_trainer *t) {
    if (!t->test || !isnan(t->test_accuracy)) return NS_OK;
    int status = evaluate(t, t->test, NULL, t->test->count, &t->test_loss, &t->test_accuracy);
    if (!status && !isfinite(t->test_loss)) status = ns_trainer_diverged(t, "the test set");
    return status ? status : ns_trainer_save(t);
}

static int hash_data(ns_trainer *t) {
    int status =
        ns_dataset_hash(t->data, t->training, (size_t)t->data->count, t->data_hash, t->err);
    if (status || !t->test) return status;
    size_t count = (size_t)t->test->count;
    int64_t *ids = ns_calloc(count, sizeof *ids, t->err);
    for (size_t i = 0; ids && i < count; i++) ids[i] = (int64_t)i;
    status = ids ? ns_dataset_hash(t->test, ids, count, t->test_hash, t->err) : NS_EFAIL;
    free(ids);
    return status;
}

int ns_train_run(const ns_train_plan *plan, ns_train_result *result, ns_error *err) {
    ns_trainer t = {.plan = plan, .ordered_epoch = -1, .lock = -1, .err = err};
    t.test_loss = t.test_accuracy = (double)NAN;
    int status = (t.arch = ns_architecture_find(plan->arch, err)) ? NS_OK : NS_EUSAGE;
    if (!status) status = t.arch->open(&t);
    if (!status) status = hash_data(&t);
    if (!status) status = build(&t);
    if (!status) status = begin(&t);
    t.resumed_at = t.step;
    *result = (ns_train_result){.resumed_at = t.step, .threads_changed = t.threads_changed};
    if (!status && plan->begun) plan->begun(plan->user, result);
    if (!status && plan->progress)
        ns_progress_begin(plan->progress, "train", "images",
                          (uint64_t)((t.steps - t.step) * plan->batch));
    if (!status) status = train(&t);
    if (!status) status = finish(&t);
    if (!status) status = ns_trainer_check_files(&t);
    if (!status) {
        result->parameters = (int64_t)ns_parameters_learned(&t.net->parameters);
        result->training = t.training_count;
        result->validation = t.validation_count;
        result->test = t.test ? t.test->count : 0;
        result->test_loss = t.test_loss;
        result->test_accuracy = t.test_accuracy;
    }
    close_trainer(&t);
    return status;
}
