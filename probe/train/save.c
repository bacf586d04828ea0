/* The files of a run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/stop.h"
#include "probe/base/version.h"
#include "probe/train/checkpoint.h"
#include "probe/train/trainer.h"

/* Those whose names do not change. */
static const char *const file_names[NS_RUN_FILES] = {"config.json", "model.safetensors",
                                                     "training.h5", "train.json"};
enum { CONFIG, MODEL, WATCHED, PROGRESS };

static ns_file_id id_now(const ns_trainer *t, int file) {
    char *path = ns_path_join(t->plan->folder, file_names[file], NULL);
    ns_file_id id = path ? ns_file_id_of(path) : (ns_file_id){0, 0};
    free(path);
    return id;
}

static int not_ours(ns_trainer *t, int file, const char *found) {
    return ns_fail(t->err, NS_EFAIL,
                   "%s/%s: expected the file that this run wrote, found %s: it is left as it is",
                   t->plan->folder, file_names[file], found);
}

/* Before a file is written over: what somebody else put under its name stays. One that is gone is written again. */
static int check_before(ns_trainer *t, int file) {
    ns_file_id now = id_now(t, file);
    if (!now.inode || !t->files[file].inode || ns_file_id_same(now, t->files[file])) return NS_OK;
    return not_ours(t, file, "another one");
}

int ns_trainer_check_files(ns_trainer *t) {
    for (int i = 0; i < NS_RUN_FILES; i++) {
        ns_file_id now = id_now(t, i);
        if (ns_file_id_same(now, t->files[i])) continue;
        return not_ours(t, i, now.inode ? "another one" : "none");
    }
    return NS_OK;
}

/* A checkpoint or a record without a train.json beside it is not of a run of ours. */
static int check_foreign(ns_trainer *t) {
    for (int i = 0; i < NS_RUN_FILES; i++) {
        char *path = ns_path_join(t->plan->folder, file_names[i], t->err);
        if (!path) return NS_EFAIL;
        bool there = ns_is_there(path);
        free(path);
        if (there)
            return ns_fail(t->err, NS_EFAIL,
                           "%s: holds a %s that is not of a run; --force overwrites it",
                           t->plan->folder, file_names[i]);
    }
    return NS_OK;
}

/* One process a folder. */
static int lock_folder(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    /* A run to resume has its folder: a name that is mistaken leaves none behind. */
    if (!p->resume && mkdir(p->folder, 0777) != 0 && (errno != EEXIST || !ns_is_folder(p->folder)))
        return ns_fail(t->err, NS_EINPUT, "%s: expected a folder that can be made: %s", p->folder,
                       strerror(errno));
    t->lock = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->lock >= 0 && flock(t->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return ns_fail(t->err, NS_EFAIL, "%s: another process is training there", p->folder);
    return NS_OK;
}

static int save_progress(ns_trainer *t);

int ns_trainer_begin_folder(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    int status = lock_folder(t);
    char *path = status ? NULL : ns_path_join(p->folder, file_names[PROGRESS], t->err);
    if (!path) return status ? status : NS_EFAIL;
    bool there = ns_is_file(path);
    ns_stop_patiently();
    if (there && !p->resume && !p->force)
        status = ns_fail(t->err, NS_EFAIL,
                         "%s: holds a run already; --resume goes on with it, --force begins anew",
                         p->folder);
    else if (!there && p->resume)
        status = ns_fail(t->err, NS_EINPUT, "%s: expected a run to resume, found no train.json",
                         p->folder);
    else if (!there && !p->force)
        status = check_foreign(t);
    /* The folder becomes this run's before anything else is in it, so that whatever ends it can be gone on with; and what is told of an
     * old run goes first, since beside the new one's files it would pass for theirs. */
    if (!status && !p->resume) status = save_progress(t);
    for (int i = 0; i < NS_RUN_FILES && !status && p->resume; i++) t->files[i] = id_now(t, i);
    free(path);
    return status;
}

static int write_json(ns_trainer *t, int file, const json_t *json) {
    char *path = ns_path_join(t->plan->folder, file_names[file], t->err);
    if (!path) return NS_EFAIL;
    ns_output out;
    int status = check_before(t, file);
    if (!status) status = ns_output_open(&out, path, true, t->err);
    if (!status) {
        bool good =
            json && json_dumpf(json, out.file, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) == 0;
        good = good && fputc('\n', out.file) == '\n';
        status = good ? ns_output_commit(&out, t->err)
                      : ns_fail(t->err, NS_EFAIL, "%s: cannot be written", path);
        ns_output_drop(&out);
    }
    if (!status) t->files[file] = id_now(t, file);
    free(path);
    return status;
}

/* Copies of the tensors whose rows and columns are exchanged in a checkpoint, [parameters], in one block that the caller frees. */
static float *turn(const ns_parameters *p, ns_tensor_out *out, ns_error *err) {
    float *block = ns_calloc(p->total, sizeof *block, err);
    for (int i = 0; i < p->count && block; i++) {
        const ns_parameter *item = &p->items[i];
        if (!item->turned) continue;
        size_t rows = (size_t)item->shape[0], columns = (size_t)item->shape[1];
        const float *from = p->values + item->at;
        float *to = block + item->at;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
        out[i].values = to;
        out[i].shape[0] = item->shape[1];
        out[i].shape[1] = item->shape[0];
    }
    return block;
}

int ns_trainer_save_model(ns_trainer *t) {
    const ns_parameters *p = &t->net->parameters;
    char *path = ns_path_join(t->plan->folder, file_names[MODEL], t->err);
    ns_tensor_name *names = path ? ns_calloc((size_t)p->count, sizeof *names, t->err) : NULL;
    ns_tensor_out *out = names ? ns_calloc((size_t)p->count, sizeof *out, t->err) : NULL;
    int status = out ? check_before(t, MODEL) : NS_EFAIL;
    if (!status) {
        ns_parameters_tensors(p, p->count, p->values, "", names, out);
        float *turned = turn(p, out, t->err);
        status = turned ? ns_safetensors_write(path, out, p->count, true, t->err) : NS_EFAIL;
        free(turned);
    }
    free(out);
    free(names);
    free(path);
    if (status) return status;
    t->files[MODEL] = id_now(t, MODEL);
    json_t *config = t->arch->config(t);
    status = write_json(t, CONFIG, config);
    json_decref(config);
    return status;
}

static void state_name(const ns_trainer *t, char name[40]) {
    snprintf(name, 40, "state-%09lld.safetensors", (long long)t->step);
}

/* Parameters, the optimizer's means, and the records. */
static int save_state(ns_trainer *t) {
    const ns_parameters *p = &t->net->parameters;
    int learned = p->learned_count, count = p->count + 2 * learned;
    char name[40];
    state_name(t, name);
    char *path = ns_path_join(t->plan->folder, name, t->err);
    ns_tensor_name *names = path ? ns_calloc((size_t)count + 2, sizeof *names, t->err) : NULL;
    ns_tensor_out *out = names ? ns_calloc((size_t)count + 2, sizeof *out, t->err) : NULL;
    int status = out ? NS_OK : NS_EFAIL;
    if (!status) {
        ns_parameters_tensors(p, p->count, p->values, "", names, out);
        ns_parameters_tensors(p, learned, t->adam.m, "m.", names + p->count, out + p->count);
        ns_parameters_tensors(p, learned, t->adam.v, "v.", names + p->count + learned,
                              out + p->count + learned);
        out[count++] =
            (ns_tensor_out){"records.watch",
                            3,
                            {t->watch_count, t->net->network.site_count, NS_WATCH_COLUMNS},
                            t->watched};
        if (t->step)
            out[count++] =
                (ns_tensor_out){"records.steps", 2, {t->step, NS_STEP_COLUMNS}, &t->history[0][0]};
        status = ns_safetensors_write(path, out, count, true, t->err);
    }
    free(out);
    free(names);
    free(path);
    return status;
}

static json_t *epochs_of(const ns_trainer *t) {
    json_t *list = json_array();
    for (int64_t i = 0; i < t->epoch_count; i++) {
        const ns_train_epoch *e = &t->epochs[i];
        json_t *j = json_pack("{s:I, s:I, s:f, s:f, s:f, s:f}", "epoch", (json_int_t)e->epoch,
                              "step", (json_int_t)e->step, "loss", e->loss, "accuracy", e->accuracy,
                              "gradient_norm", e->gradient_norm, "rate", e->rate);
        if (isfinite(e->validation_loss)) {
            json_object_set_new(j, "validation_loss", json_real(e->validation_loss));
            json_object_set_new(j, "validation_accuracy", json_real(e->validation_accuracy));
        }
        json_array_append_new(list, j);
    }
    return list;
}

static int save_progress(ns_trainer *t) {
    char name[40];
    state_name(t, name);
    json_t *watched = json_array();
    for (int64_t i = 0; i < t->watch_count; i++)
        json_array_append_new(watched, json_integer((json_int_t)t->watched_steps[i]));
    json_t *j = json_pack(
        "{s:s, s:i, s:s, s:o, s:I, s:i, s:b, s:s, s:I, s:{s:f, s:f, s:I}, s:o, s:o}", "format",
        NS_RUN_FORMAT, "version", NS_RUN_VERSION, "tool_version", NS_VERSION, "settings",
        ns_trainer_settings(t), "parameters",
        (json_int_t)ns_parameters_learned(&t->net->parameters), "threads", omp_get_max_threads(),
        "threads_changed", (int)t->threads_changed, "state", name, "step", (json_int_t)t->step,
        "epoch_so_far", "loss_sum", t->loss_sum, "gradient_sum", t->gradient_sum, "hits",
        (json_int_t)t->hits, "watched_steps", watched, "epochs", epochs_of(t));
    if (isfinite(t->test_loss))
        json_object_set_new(j, "test",
                            json_pack("{s:I, s:s, s:f, s:f}", "samples", (json_int_t)t->test->count,
                                      "sha256", t->test_hash, "loss", t->test_loss, "accuracy",
                                      t->test_accuracy));
    int status = write_json(t, PROGRESS, j);
    json_decref(j);
    return status;
}

/* "state-" and digits, as state_name has it. */
static bool is_state(const char *name) {
    static const char begin[] = "state-";
    const char *digits = name + strlen(begin);
    if (strncmp(name, begin, strlen(begin)) != 0) return false;
    size_t count = strspn(digits, "0123456789");
    return count >= 9 && !strcmp(digits + count, ".safetensors");
}

/* States that train.json no longer names. */
static void remove_others(ns_trainer *t) {
    char name[40];
    state_name(t, name);
    DIR *folder = opendir(t->plan->folder);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (is_state(entry->d_name) && strcmp(entry->d_name, name) != 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

int ns_trainer_save(ns_trainer *t) {
    int status = save_state(t);
    if (!status) status = check_before(t, WATCHED);
    if (!status) status = ns_trainer_save_watched(t);
    if (!status) t->files[WATCHED] = id_now(t, WATCHED);
    if (!status) status = save_progress(t);
    if (status) return status;
    t->saved_step = t->step;
    remove_others(t);
    return status;
}

int ns_trainer_begin(ns_trainer *t) {
    int status = ns_trainer_watch(t, NULL);
    if (!status) status = ns_trainer_save_model(t);
    return status ? status : ns_trainer_save(t);
}
