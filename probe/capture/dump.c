#include "probe/capture/dump.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/version.h"
#include "probe/base/mem.h"
#include "probe/base/stop.h"

enum { MOST_ATTRIBUTES = 16 };
static const char *const order_names[] = {"data", "shuffled", "stratified"};
static const char *const mode_names[] = {"full", "sketch", "both"};

static void set_attributes(ns_dump_plan *p, const ns_model *model, const ns_dataset *data,
                           const ns_dump_options *o) {
    const ns_attribute all[] = {
        {"tool_version", NS_VERSION, 0, false},
        {"command_line", o->command_line ? o->command_line : "", 0, false},
        {"created", o->created ? o->created : "", 0, false},
        {"model_path", ns_weights_path(model->weights), 0, false},
        {"model_family", model->family->name, 0, true},
        {"model_sha256", p->model_hash, 0, true},
        {"data_path", data->spec, 0, false},
        {"data_format", data->kind->name, 0, false},
        {"data_sha256", p->data_hash, 0, true},
        {"preprocessing", p->preprocessing, 0, true},
        {"order", order_names[o->order], 0, true},
        {"mode", mode_names[o->mode], 0, true},
        {"threads", NULL, omp_get_max_threads(), true},
        {"compute_type", "float32", 0, true},
    };
    memcpy(p->attributes, all, sizeof all);
    ns_dataset_steps(data, p->preprocessing);
    p->store.attributes = p->attributes;
    p->store.attribute_count = sizeof all / sizeof all[0];
}

static int last_wanted(const ns_model *model, const bool *wanted) {
    int last = 0;
    for (int i = 0; i < model->site_count; i++)
        if (wanted[i]) last = i;
    return last;
}

/* What the head says is compared with labels of images, and with the words of a text that follow. */
static bool judges_words(const ns_model *model) {
    return model->network.head_of_words;
}

/* An accuracy of labels that the model does not know would be a wrong number. */
static int check_labels(const ns_dump_plan *plan, int64_t n, const ns_model *model,
                        const ns_dataset *data, ns_error *err) {
    for (int64_t i = 0; i < n && plan->labels && plan->predictions; i++) {
        if (plan->labels[i] < model->classes) continue;
        int64_t id = plan->ids[i];
        const char *name = data->kind->sample_name ? data->kind->sample_name(data, id) : NULL;
        return ns_fail(err, NS_EINPUT,
                       "%s: label %lld%s%s%s: expected a class of %s, 0 to %d (%d classes), found "
                       "%d",
                       data->labels_path ? data->labels_path : data->path, (long long)id,
                       name ? " (" : "", name ? name : "", name ? ")" : "",
                       ns_weights_path(model->weights), model->classes - 1, model->classes,
                       plan->labels[i]);
    }
    return NS_OK;
}

int ns_dump_plan_make(ns_dump_plan *out, const ns_model *model, const ns_dataset *data,
                      const ns_dump_options *o, ns_error *err) {
    *out = (ns_dump_plan){0};
    int64_t left = data->count - o->skip, n = o->samples ? o->samples : left;
    if (n > left || left < 1)
        return ns_fail(err, NS_EINPUT, "%s: %lld samples asked for, found %lld", data->path,
                       (long long)(n > 0 ? n + o->skip : o->skip + 1), (long long)data->count);
    int last = last_wanted(model, o->wanted);
    bool all_sites = last == model->site_count - 1;
    out->predictions = model->classes > 0 && !judges_words(model) && (o->to_the_end || all_sites);
    out->judged = model->classes > 0 && (out->predictions || o->to_the_end);
    out->last_site = out->judged || o->to_the_end ? 0 : model->sites[last].index;
    out->ids = ns_calloc((size_t)(o->skip + n), sizeof *out->ids, err);
    out->labels = data->labels ? ns_calloc((size_t)n, sizeof *out->labels, err) : NULL;
    out->attributes = ns_calloc(MOST_ATTRIBUTES, sizeof *out->attributes, err);
    int status = out->ids && out->attributes && (out->labels || !data->labels) ? NS_OK : NS_EFAIL;
    if (!status) status = ns_dataset_order(data, o->order, o->seed, o->skip + n, out->ids, err);
    if (!status && o->skip) memmove(out->ids, out->ids + o->skip, (size_t)n * sizeof *out->ids);
    for (int64_t i = 0; i < n && out->labels && !status; i++)
        out->labels[i] = data->labels[out->ids[i]];
    if (!status) status = check_labels(out, n, model, data, err);
    if (!status) status = ns_weights_hash(model->weights, out->model_hash, err);
    if (!status) status = ns_dataset_hash(data, out->ids, (size_t)n, out->data_hash, err);
    if (!status && o->mode != NS_DUMP_FULL)
        status = ns_sketches_new(&out->sketches, model->sites, model->site_count, o->wanted, err);
    if (status) {
        ns_dump_plan_free(out);
        return status;
    }
    out->store = (ns_store_plan){.path = o->output,
                                 .force = o->force,
                                 .sites = model->sites,
                                 .site_count = model->site_count,
                                 .wanted = o->wanted,
                                 .samples = (uint64_t)n,
                                 .sample_ids = out->ids,
                                 .labels = out->labels,
                                 .predictions = out->predictions,
                                 .batch = (uint64_t)o->batch,
                                 .dtype = o->dtype,
                                 .rows = true,
                                 .sample_rows = o->sample_rows || o->mode != NS_DUMP_SKETCH
                                                    ? o->sample_rows
                                                    : NS_DUMP_SKETCH_ROWS,
                                 .seed = o->seed};
    if (out->sketches) {
        out->store.blocks = ns_sketches_blocks;
        out->store.blocks_settle = ns_sketches_settle_user;
        out->store.blocks_user = out->sketches;
    }
    set_attributes(out, model, data, o);
    return NS_OK;
}

void ns_dump_plan_free(ns_dump_plan *plan) {
    ns_sketches_free(plan->sketches);
    free(plan->ids);
    free(plan->labels);
    free(plan->attributes);
    *plan = (ns_dump_plan){0};
}

/* Memory of a batch, and what its logits say. */
typedef struct workspace {
    const ns_model *model;
    const ns_dump_plan *plan;
    float *pixels;         /* [batch, channels, height, width], or NULL, */
    int32_t *words;        /* [batch, length] */
    int32_t *predictions;  /* [batch], of images */
    const int32_t *labels; /* [batch] of the batch that is run, or NULL */
    size_t length;         /* of a sample of words */
    ns_dump_result *result;
} workspace;

static int workspace_make(workspace *w, const ns_model *model, const ns_dataset *data,
                          const ns_dump_plan *plan, ns_dump_result *result, ns_error *err) {
    const ns_image_shape *s = &model->input.image;
    size_t batch = (size_t)plan->store.batch;
    *w = (workspace){.model = model, .plan = plan, .result = result};
    if (data->input == NS_INPUT_WORDS) {
        w->length = (size_t)data->text.length;
        w->words = ns_calloc(batch * w->length, sizeof *w->words, err);
    } else {
        w->pixels = ns_alloc_aligned(
            batch * (size_t)s->channels * (size_t)s->height * (size_t)s->width, sizeof(float), err);
    }
    w->predictions = ns_calloc(batch, sizeof *w->predictions, err);
    return (w->pixels || w->words) && w->predictions ? NS_OK : NS_EFAIL;
}

static void workspace_free(workspace *w) {
    free(w->pixels);
    free(w->words);
    free(w->predictions);
}

static int read_samples(const ns_dataset *data, const int64_t *ids, size_t n, workspace *w,
                        ns_error *err) {
    return w->words ? ns_dataset_words(data, ids, n, w->words, err)
                    : ns_dataset_read(data, ids, n, w->pixels, err);
}

/* ---- the head's output ---- */

static int judge_images(workspace *w, size_t first, size_t rows, size_t classes,
                        const float *logits) {
    for (size_t r = 0; r < rows; r++) {
        int32_t best = ns_best_class(classes, logits + r * classes);
        w->predictions[first + r] = best;
        if (!w->labels) continue;
        w->result->judged++;
        w->result->hits += best == w->labels[first + r];
    }
    return NS_OK;
}

/* A word is judged by the one that follows in its sample, where both are words and not padding. */
static int judge_words(workspace *w, size_t first, size_t rows, size_t classes,
                       const float *logits) {
    double loss = 0;
    uint64_t hits = 0, judged = 0;
#pragma omp parallel for schedule(static) reduction(+ : loss, hits, judged)
    for (size_t r = 0; r < rows; r++) {
        size_t at = first + r;
        if ((at + 1) % w->length == 0 || w->words[at] < 0 || w->words[at + 1] < 0) continue;
        int32_t best;
        loss += ns_label_loss(classes, logits + r * classes, w->words[at + 1], &best);
        hits += best == w->words[at + 1];
        judged++;
    }
    w->result->loss += loss;
    w->result->hits += hits;
    w->result->judged += judged;
    return NS_OK;
}

static int judge(void *user, size_t first, size_t rows, size_t classes, const float *logits,
                 ns_error *err) {
    workspace *w = user;
    (void)err;
    return w->words ? judge_words(w, first, rows, classes, logits)
                    : judge_images(w, first, rows, classes, logits);
}

static bool wants_no_site(void *user, const ns_site *site) {
    (void)user;
    (void)site;
    return false;
}

static int run_batch(ns_model *model, const ns_dataset *data, ns_store_writer *writer, workspace *w,
                     uint64_t first, size_t n, ns_error *err) {
    const ns_dump_plan *plan = w->plan;
    ns_observer all[3];
    ns_tee tee = {all, 0};
    if (plan->sketches) all[tee.count++] = ns_sketches_observer(plan->sketches);
    all[tee.count++] = ns_store_writer_observer(writer);
    if (plan->judged)
        all[tee.count++] = (ns_observer){.user = w, .wants = wants_no_site, .logits = judge};
    const ns_observer observer = ns_tee_observer(&tee);
    const ns_batch batch = {.samples = n,
                            .sample_ids = plan->ids + first,
                            .pixels = w->pixels,
                            .positions = w->length,
                            .ids = w->words};
    w->labels = plan->labels ? plan->labels + first : NULL;
    int status = read_samples(data, batch.sample_ids, n, w, err);
    if (!status) status = ns_model_forward(model, &batch, &observer, plan->last_site, err);
    return status
               ? status
               : ns_store_writer_commit(writer, n, plan->predictions ? w->predictions : NULL, err);
}

static int run_batches(ns_model *model, const ns_dataset *data, ns_store_writer *writer,
                       workspace *w, ns_progress *progress, ns_error *err) {
    const ns_dump_plan *plan = w->plan;
    const uint64_t all = plan->store.samples;
    int status = NS_OK;
    for (uint64_t first = ns_store_writer_committed(writer); first < all && !status;) {
        if (ns_stop_requested() && ns_store_writer_may_stop(writer))
            return ns_fail(err, NS_ESTOP, "stopped");
        size_t n = (size_t)(all - first < plan->store.batch ? all - first : plan->store.batch);
        status = run_batch(model, data, writer, w, first, n, err);
        first += n;
        if (!status) ns_progress_at(progress, first);
    }
    return status;
}

/* Reads the first batch before a file is made or replaced: data that cannot be used show themselves there. */
static int try_first(const ns_dataset *data, workspace *w, ns_error *err) {
    const ns_dump_plan *plan = w->plan;
    size_t n =
        (size_t)(plan->store.samples < plan->store.batch ? plan->store.samples : plan->store.batch);
    return read_samples(data, plan->ids, n, w, err);
}

int ns_dump_run(ns_model *model, const ns_dataset *data, const ns_dump_options *o,
                ns_dump_result *result, ns_error *err) {
    *result = (ns_dump_result){0};
    ns_dump_plan plan;
    int status = ns_dump_plan_make(&plan, model, data, o, err);
    if (status) return status;
    plan.store.tally = &result->odd;
    ns_store_writer *writer;
    workspace w;
    double began = ns_seconds();
    status = workspace_make(&w, model, data, &plan, result, err);
    if (!status) status = try_first(data, &w, err);
    if (!status) ns_stop_patiently();
    if (!status)
        status = o->resume ? ns_store_resume(&writer, &plan.store, err)
                           : ns_store_create(&writer, &plan.store, err);
    if (!status) {
        result->resumed_at = ns_store_writer_committed(writer);
        if (plan.sketches) ns_sketches_loaded(plan.sketches);
        status = run_batches(model, data, writer, &w, o->progress, err);
        ns_store_writer_flush(writer, NULL);
        result->samples = ns_store_writer_in_file(writer);
        ns_error closing = {0};
        int closed = ns_store_writer_close(writer, &closing);
        if (closed && (!status || status == NS_ESTOP)) { /* what the thread met is the cause */
            status = closed;
            if (err) *err = closing;
        }
    }
    if (status == NS_ESTOP)
        ns_fail(err, NS_ESTOP,
                "stopped: %llu of %llu samples are in %s; the same command with --resume goes on",
                (unsigned long long)result->samples, (unsigned long long)plan.store.samples,
                o->output);
    result->seconds = ns_seconds() - began;
    workspace_free(&w);
    ns_dump_plan_free(&plan);
    return status;
}
