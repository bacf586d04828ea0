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
        {"model_family", model->kind->name, 0, true},
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
    out->predictions = model->classes > 0 && (o->to_the_end || all_sites);
    out->last_site = out->predictions || o->to_the_end ? 0 : model->sites[last].index;
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

/* The first class of largest logit. */
static int32_t best_class(const float *logits, int classes) {
    int32_t best = 0;
    for (int32_t c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

/* Memory of a batch. */
typedef struct workspace {
    float *pixels, *logits;
    int32_t *predictions;
} workspace;

static int workspace_make(workspace *w, const ns_model *model, const ns_dump_plan *plan,
                          ns_error *err) {
    const ns_image_shape *s = &model->image;
    size_t batch = (size_t)plan->store.batch, classes = model->classes ? (size_t)model->classes : 1;
    w->pixels = ns_alloc_aligned(batch * (size_t)s->channels * (size_t)s->height * (size_t)s->width,
                                 sizeof(float), err);
    w->logits = ns_alloc_aligned(batch * classes, sizeof(float), err);
    w->predictions = ns_calloc(batch, sizeof *w->predictions, err);
    return w->pixels && w->logits && w->predictions ? NS_OK : NS_EFAIL;
}

static void workspace_free(workspace *w) {
    free(w->pixels);
    free(w->logits);
    free(w->predictions);
}

static int run_batch(ns_model *model, const ns_dataset *data, const ns_dump_plan *plan,
                     ns_store_writer *writer, workspace *w, uint64_t first, size_t n,
                     ns_dump_result *result, ns_error *err) {
    const ns_observer store = ns_store_writer_observer(writer);
    ns_observer both[2] = {store, store};
    ns_tee tee = {both, 2};
    if (plan->sketches) both[0] = ns_sketches_observer(plan->sketches);
    const ns_observer observer = plan->sketches ? ns_tee_observer(&tee) : store;
    const ns_batch batch = {n, plan->ids + first, w->pixels};
    int status = ns_dataset_read(data, batch.sample_ids, n, w->pixels, err);
    if (!status)
        status = ns_model_forward(model, &batch, &observer, plan->last_site,
                                  plan->predictions ? w->logits : NULL, err);
    if (status) return status;
    for (size_t i = 0; i < n && plan->predictions; i++) {
        w->predictions[i] = best_class(w->logits + i * (size_t)model->classes, model->classes);
        if (!plan->labels) continue;
        result->judged++;
        result->hits += w->predictions[i] == plan->labels[first + i];
    }
    return ns_store_writer_commit(writer, n, plan->predictions ? w->predictions : NULL, err);
}

static int run_batches(ns_model *model, const ns_dataset *data, const ns_dump_plan *plan,
                       ns_store_writer *writer, workspace *w, ns_progress *progress,
                       ns_dump_result *result, ns_error *err) {
    const uint64_t all = plan->store.samples;
    int status = NS_OK;
    for (uint64_t first = ns_store_writer_committed(writer); first < all && !status;) {
        if (ns_stop_requested() && ns_store_writer_may_stop(writer))
            return ns_fail(err, NS_ESTOP, "stopped");
        size_t n = (size_t)(all - first < plan->store.batch ? all - first : plan->store.batch);
        status = run_batch(model, data, plan, writer, w, first, n, result, err);
        first += n;
        if (!status) ns_progress_at(progress, first);
    }
    return status;
}

/* Reads the first batch before a file is made or replaced: data that cannot be used show themselves there. */
static int try_first(const ns_dataset *data, const ns_dump_plan *plan, workspace *w,
                     ns_error *err) {
    size_t n =
        (size_t)(plan->store.samples < plan->store.batch ? plan->store.samples : plan->store.batch);
    return ns_dataset_read(data, plan->ids, n, w->pixels, err);
}

int ns_dump_run(ns_model *model, const ns_dataset *data, const ns_dump_options *o,
                ns_dump_result *result, ns_error *err) {
    *result = (ns_dump_result){0};
    ns_dump_plan plan;
    int status = ns_dump_plan_make(&plan, model, data, o, err);
    if (status) return status;
    plan.store.tally = &result->odd;
    ns_store_writer *writer;
    workspace w = {0};
    double began = ns_seconds();
    status = workspace_make(&w, model, &plan, err);
    if (!status) status = try_first(data, &plan, &w, err);
    if (!status) ns_stop_patiently();
    if (!status)
        status = o->resume ? ns_store_resume(&writer, &plan.store, err)
                           : ns_store_create(&writer, &plan.store, err);
    if (!status) {
        result->resumed_at = ns_store_writer_committed(writer);
        if (plan.sketches) ns_sketches_loaded(plan.sketches);
        status = run_batches(model, data, &plan, writer, &w, o->progress, result, err);
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
