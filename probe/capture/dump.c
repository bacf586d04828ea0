#include "probe/capture/dump.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/stop.h"
#include "probe/base/version.h"
#include "probe/capture/dump_names.h"
#include "probe/capture/judge.h"

enum { MOST_ATTRIBUTES = 21 };
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
    int n = sizeof all / sizeof all[0];
    memcpy(p->attributes, all, sizeof all);
    if (p->types) p->attributes[n++] = (ns_attribute){"types_path", p->types->spec, 0, false};
    if (p->types) p->attributes[n++] = (ns_attribute){"types_sha256", p->types_hash, 0, true};
    if (data->unknown.count)
        p->attributes[n++] = (ns_attribute){"files_unknown", NULL, data->unknown.count, false};
    if (p->unreadable.count)
        p->attributes[n++] = (ns_attribute){"files_unreadable", NULL, p->unreadable.count, false};
    if (data->cut) p->attributes[n++] = (ns_attribute){"samples_cut", NULL, data->cut, false};
    if (p->left_out) p->attributes[n++] = (ns_attribute){"files_left_out", p->left_out, 0, false};
    ns_dataset_steps(data, p->preprocessing);
    p->store.attributes = p->attributes;
    p->store.attribute_count = n;
}

/* ---- samples that are left out ---- */

/* The names of all files that are left out, a line each; NULL in *out where there are none. */
static int name_left_out(char **out, const ns_left_out *a, const ns_left_out *b, ns_error *err) {
    const ns_left_out *const all[] = {a, b};
    size_t room = 1, used = 0;
    *out = NULL;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < all[k]->named; i++) room += strlen(all[k]->names[i]) + 1;
    if (room == 1) return NS_OK;
    if (!(*out = ns_calloc(room, 1, err))) return NS_EFAIL;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < all[k]->named; i++) {
            size_t n = strlen(all[k]->names[i]);
            if (used) (*out)[used++] = '\n';
            memcpy(*out + used, all[k]->names[i], n);
            used += n;
        }
    return NS_OK;
}

/* Takes the samples that cannot be read out of ids[0..*n-1]. Their number in the order counts, so that parts that merge puts together stay
 * apart. */
static int leave_out_unreadable(ns_dump_plan *plan, const ns_dataset *data, int64_t *n,
                                ns_progress *progress, ns_error *err) {
    enum { PIECE = 64 };
    int64_t all = *n, kept = 0;
    int status = NS_OK;
    for (int64_t first = 0; first < all && !status; first += PIECE) {
        size_t count = (size_t)(all - first < PIECE ? all - first : PIECE);
        status = ns_dataset_readable(data, plan->ids + first, &count, &plan->unreadable, err);
        memmove(plan->ids + kept, plan->ids + first, count * sizeof *plan->ids);
        kept += (int64_t)count;
        ns_progress_at(progress, (uint64_t)(first + PIECE < all ? first + PIECE : all));
    }
    *n = kept;
    if (!status && !kept)
        status = ns_fail(err, NS_EINPUT, "%s: none of %lld samples can be read; the first: %s",
                         data->path, (long long)all, plan->unreadable.names[0]);
    return status;
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

int64_t ns_dump_batch(const ns_model *model, const bool *wanted) {
    uint64_t widest = 0; /* values of a sample at a site */
    for (int i = 0; i < model->site_count; i++) {
        uint64_t values =
            (uint64_t)model->sites[i].positions * (uint64_t)model->sites[i].norm.channels;
        if (wanted[i] && values > widest) widest = values;
    }
    int64_t batch = 32;
    while (batch > 1 && ns_model_memory(model, (size_t)batch) +
                                NS_STORE_BUFFERS * 2 * sizeof(float) * widest * (uint64_t)batch >
                            NS_DUMP_BYTES)
        batch /= 2;
    return batch;
}

/* ids, labels, names, and what was left out; *n becomes how many there are. */
static int choose_samples(ns_dump_plan *out, const ns_dataset *data, const ns_dump_options *o,
                          int64_t *n, ns_error *err) {
    out->ids = ns_calloc((size_t)(o->skip + *n), sizeof *out->ids, err);
    out->names = ns_calloc(1, sizeof *out->names, err);
    if (!out->ids || !out->names) return NS_EFAIL;
    int status = ns_dataset_order(data, o->order, o->seed, o->skip + *n, out->ids, err);
    if (!status && o->skip) memmove(out->ids, out->ids + o->skip, (size_t)*n * sizeof *out->ids);
    if (!status && o->skip_unreadable)
        status = leave_out_unreadable(out, data, n, o->checking, err);
    if (!status) status = name_left_out(&out->left_out, &data->unknown, &out->unreadable, err);
    if (!status && data->labels && !(out->labels = ns_calloc((size_t)*n, sizeof *out->labels, err)))
        status = NS_EFAIL;
    for (int64_t i = 0; i < *n && out->labels && !status; i++)
        out->labels[i] = data->labels[out->ids[i]];
    return status
               ? status
               : ns_dump_names_find(out->names, &out->store.names, data, out->ids, (size_t)*n, err);
}

/* Whether the head is run, and where the pass may end. */
static void choose_end(ns_dump_plan *out, const ns_model *model, const ns_dump_options *o) {
    int last = last_wanted(model, o->wanted);
    bool all_sites = last == model->site_count - 1;
    out->predictions = model->classes > 0 && !judges_words(model) && (o->to_the_end || all_sites);
    out->judged = model->classes > 0 && (out->predictions || o->to_the_end);
    out->last_site = out->judged || o->to_the_end ? 0 : model->sites[last].index;
}

static void fill_store_plan(ns_dump_plan *out, const ns_model *model, const ns_dataset *data,
                            const ns_dump_options *o, int64_t n) {
    const ns_names_plan names = out->store.names;
    out->store = (ns_store_plan){
        .path = o->output,
        .force = o->force,
        .sites = model->sites,
        .site_count = model->site_count,
        .wanted = o->wanted,
        .samples = (uint64_t)n,
        .sample_ids = out->ids,
        .labels = out->labels,
        .predictions = out->predictions,
        .judged = out->judged && (out->labels || judges_words(model)),
        .words = data->input == NS_INPUT_WORDS ? data->text.length : 0,
        .names = names,
        .batch = (uint64_t)(o->batch ? o->batch : ns_dump_batch(model, o->wanted)),
        .dtype = o->dtype,
        .rows = true,
        .sample_rows =
            o->sample_rows || o->mode != NS_DUMP_SKETCH ? o->sample_rows : NS_DUMP_SKETCH_ROWS,
        .seed = o->seed};
    if (!out->sketches) return;
    out->store.blocks = ns_sketches_blocks;
    out->store.blocks_settle = ns_sketches_settle_user;
    out->store.blocks_user = out->sketches;
}

/* A type for each word of the data, of a model that has types. */
static int check_types(const ns_dataset *types, const ns_model *model, const ns_dataset *data,
                       ns_error *err) {
    if (!model->network.types)
        return ns_fail(err, NS_EINPUT, "%s: expected a model with token types, found a %s",
                       ns_weights_path(model->weights), model->family->summary);
    if (types->count == data->count && types->text.length == data->text.length) return NS_OK;
    return ns_fail(
        err, NS_EINPUT,
        "%s: expected token types of %lld samples of %d words as in %s, found %lld of %d",
        types->path, (long long)data->count, data->text.length, data->path, (long long)types->count,
        types->text.length);
}

int ns_dump_plan_make(ns_dump_plan *out, const ns_model *model, const ns_dataset *data,
                      const ns_dump_options *o, ns_error *err) {
    *out = (ns_dump_plan){0};
    int64_t left = data->count - o->skip, n = o->samples ? o->samples : left;
    if (n > left || left < 1)
        return ns_fail(err, NS_EINPUT, "%s: %lld samples asked for, found %lld", data->path,
                       (long long)(n > 0 ? n + o->skip : o->skip + 1), (long long)data->count);
    choose_end(out, model, o);
    out->attributes = ns_calloc(MOST_ATTRIBUTES, sizeof *out->attributes, err);
    int status = out->attributes ? choose_samples(out, data, o, &n, err) : NS_EFAIL;
    if (!status) status = check_labels(out, n, model, data, err);
    if (!status) status = ns_weights_hash(model->weights, out->model_hash, err);
    if (!status) status = ns_dataset_hash(data, out->ids, (size_t)n, out->data_hash, err);
    out->types = o->types;
    if (!status && o->types) status = check_types(o->types, model, data, err);
    if (!status && o->types)
        status = ns_dataset_hash(o->types, out->ids, (size_t)n, out->types_hash, err);
    if (!status && o->mode != NS_DUMP_FULL)
        status = ns_sketches_new(&out->sketches, model->sites, model->site_count, o->wanted, err);
    if (status) {
        ns_dump_plan_free(out);
        return status;
    }
    fill_store_plan(out, model, data, o, n);
    set_attributes(out, model, data, o);
    return NS_OK;
}

void ns_dump_plan_free(ns_dump_plan *plan) {
    ns_sketches_free(plan->sketches);
    if (plan->names) ns_dump_names_free(plan->names);
    ns_left_out_free(&plan->unreadable);
    free(plan->names);
    free(plan->left_out);
    free(plan->ids);
    free(plan->labels);
    free(plan->attributes);
    *plan = (ns_dump_plan){0};
}

void ns_dump_result_free(ns_dump_result *result) {
    ns_left_out_free(&result->unreadable);
}

/* ---- running ---- */

/* A run at work: the memory of a batch, and what is known of the pass that is made. */
typedef struct workspace {
    ns_model *model;
    const ns_dataset *data;
    const ns_dump_plan *plan;
    ns_store_writer *writer;
    ns_progress *progress;
    float *pixels;  /* [batch, channels, height, width], or NULL, */
    int32_t *words; /* [batch, length] */
    int32_t *types; /* [batch, length], or NULL */
    size_t length;  /* of a sample of words */
    ns_judge judge;
    uint64_t read;  /* place of the first sample of the batch that was read, + 1; 0: none */
    uint64_t first; /* of the pass: place of its batch in the run, */
    size_t n;       /* its samples */
    double began;
} workspace;

static int workspace_make(workspace *w, ns_model *model, const ns_dataset *data,
                          const ns_dump_plan *plan, ns_progress *progress, ns_error *err) {
    const ns_image_shape *s = &model->input.image;
    size_t batch = (size_t)plan->store.batch;
    if (batch > plan->store.samples) batch = (size_t)plan->store.samples;
    *w = (workspace){.model = model, .data = data, .plan = plan, .progress = progress};
    if (data->input == NS_INPUT_WORDS) {
        w->length = (size_t)data->text.length;
        w->words = ns_calloc(batch * w->length, sizeof *w->words, err);
        w->types = plan->types ? ns_calloc(batch * w->length, sizeof *w->types, err) : NULL;
        if (plan->types && !w->types) return NS_EFAIL;
    } else {
        w->pixels = ns_alloc_aligned(
            batch * (size_t)s->channels * (size_t)s->height * (size_t)s->width, sizeof(float), err);
    }
    if (!w->pixels && !w->words) return NS_EFAIL;
    return plan->judged ? ns_judge_new(&w->judge, batch, judges_words(model) ? w->length : 0, err)
                        : NS_OK;
}

static void workspace_free(workspace *w) {
    free(w->pixels);
    free(w->words);
    free(w->types);
    ns_judge_free(&w->judge);
}

/* The batch that begins at place `first` of the run. Images are read a few at a time, with a look at requests to stop between them. */
static int read_batch(workspace *w, uint64_t first, size_t n, ns_error *err) {
    if (w->read == first + 1) return NS_OK;
    const int64_t *ids = w->plan->ids + first;
    const ns_image_shape *s = &w->model->input.image;
    size_t one = (size_t)s->channels * (size_t)s->height * (size_t)s->width,
           few = 2 * (size_t)omp_get_max_threads();
    int status = w->words ? ns_dataset_words(w->data, ids, n, w->words, err) : NS_OK;
    if (!status && w->types) status = ns_dataset_words(w->plan->types, ids, n, w->types, err);
    for (size_t i = 0; w->types && i < n * w->length; i++)
        if (w->types[i] < 0) w->types[i] = 0;
    for (size_t i = 0; i < n && w->pixels && !status; i += few) {
        if (ns_stop_requested()) return ns_fail(err, NS_ESTOP, "stopped");
        status =
            ns_dataset_read(w->data, ids + i, n - i < few ? n - i : few, w->pixels + i * one, err);
    }
    if (!status) w->read = first + 1;
    return status;
}

/* Between two steps. What has been committed and is not in the file yet would be lost with a batch that is cut off, so that a short one is
 * brought to its end. */
static int look(void *user, size_t done, size_t all, ns_error *err) {
    enum { HALF_A_SECOND = 500 };
    const workspace *w = user;
    ns_progress_at(w->progress, w->first + w->n * done / all);
    if (!ns_stop_requested()) return NS_OK;
    bool safe = ns_store_writer_in_file(w->writer) == ns_store_writer_committed(w->writer);
    if (!safe && 1000 * (ns_seconds() - w->began) < HALF_A_SECOND) return NS_OK;
    return ns_fail(err, NS_ESTOP, "stopped");
}

static int run_batch(workspace *w, ns_error *err) {
    const ns_dump_plan *plan = w->plan;
    ns_observer all[3];
    ns_tee tee = {all, 0};
    if (plan->sketches) all[tee.count++] = ns_sketches_observer(plan->sketches);
    all[tee.count++] = ns_store_writer_observer(w->writer);
    if (plan->judged) all[tee.count++] = ns_judge_observer(&w->judge);
    const ns_observer observer = ns_tee_observer(&tee);
    const ns_batch batch = {.samples = w->n,
                            .sample_ids = plan->ids + w->first,
                            .pixels = w->pixels,
                            .positions = w->length,
                            .ids = w->words,
                            .types = w->types};
    const ns_run_options options = {
        .observer = &observer, .watch = {w, look}, .last_site = plan->last_site};
    int status = read_batch(w, w->first, w->n, err);
    if (!status && plan->judged)
        ns_judge_begin(&w->judge, w->n, plan->labels ? plan->labels + w->first : NULL, w->words);
    if (!status) status = ns_model_run(w->model, &batch, &options, err);
    if (status) return status;
    ns_store_outcome outcome = {0};
    if (plan->judged) outcome = ns_judge_end(&w->judge, w->n);
    outcome.words = w->words;
    return ns_store_writer_commit_outcome(w->writer, w->n, &outcome, err);
}

static int run_batches(workspace *w, ns_error *err) {
    const uint64_t all = w->plan->store.samples, batch = w->plan->store.batch;
    int status = NS_OK;
    for (w->first = ns_store_writer_committed(w->writer); w->first < all && !status;) {
        if (ns_stop_requested() && ns_store_writer_may_stop(w->writer))
            return ns_fail(err, NS_ESTOP, "stopped");
        w->n = (size_t)(all - w->first < batch ? all - w->first : batch);
        w->began = ns_seconds();
        status = run_batch(w, err);
        w->first += w->n;
        if (!status) ns_progress_at(w->progress, w->first);
    }
    return status;
}

/* Reads the first batch before a file is made or replaced: data that cannot be used show themselves there. */
static int try_first(workspace *w, ns_error *err) {
    const ns_store_plan *plan = &w->plan->store;
    return read_batch(w, 0, (size_t)(plan->samples < plan->batch ? plan->samples : plan->batch),
                      err);
}

/* Once the writer is open. */
static int run_and_close(workspace *w, ns_dump_result *result, ns_error *err) {
    result->resumed_at = ns_store_writer_committed(w->writer);
    if (w->plan->sketches) ns_sketches_loaded(w->plan->sketches);
    int status = run_batches(w, err);
    ns_store_writer_flush(w->writer, NULL);
    result->samples = ns_store_writer_in_file(w->writer);
    ns_error closing = {0};
    int closed = ns_store_writer_close(w->writer, &closing);
    if (closed && (!status || status == NS_ESTOP)) { /* what the thread met is the cause */
        status = closed;
        if (err) *err = closing;
    }
    return status;
}

static int read_score(const char *path, ns_store_score *score, ns_error *err) {
    ns_store *run = NULL;
    int status = ns_store_open(&run, path, err);
    if (!status) status = ns_store_read_score(run, score, err);
    ns_store_close(run);
    return status;
}

int ns_dump_run(ns_model *model, const ns_dataset *data, const ns_dump_options *o,
                ns_dump_result *result, ns_error *err) {
    *result = (ns_dump_result){0};
    ns_dump_plan plan;
    int status = ns_dump_plan_make(&plan, model, data, o, err);
    if (status) return status;
    plan.store.tally = &result->odd;
    result->unreadable = plan.unreadable;
    plan.unreadable = (ns_left_out){0};
    workspace w;
    double began = ns_seconds();
    status = workspace_make(&w, model, data, &plan, o->progress, err);
    if (!status) status = try_first(&w, err);
    if (!status) ns_stop_patiently();
    if (!status)
        status = o->resume ? ns_store_resume(&w.writer, &plan.store, err)
                           : ns_store_create(&w.writer, &plan.store, err);
    if (!status) status = run_and_close(&w, result, err);
    if (!status && plan.store.judged) status = read_score(o->output, &result->score, err);
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
