/* Opening a store for writing, new or interrupted, and closing it. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/progress.h"
#include "probe/store/store_writer_internal.h"

static int add_size(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                    ns_error *err) {
    (void)w, (void)bytes, (void)offset, (void)err;
    *(size_t *)user += size;
    return NS_OK;
}

static int load_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                      ns_error *err) {
    const ns_slot_cursor *cursor = user;
    return ns_pread_all(w->fd, bytes, size, offset + cursor->slot * size, w->path, err);
}

static void writer_free(ns_store_writer *w) {
    if (!w) return;
    for (int i = 0; w->extremes && i < w->plan.site_count; i++) ns_extremes_free(&w->extremes[i]);
    for (int i = 0; i < w->kept_count; i++) ns_kept_rows_free(&w->kept[i]);
    for (int i = 0; w->messages && i < NS_STORE_BUFFERS + 2; i++) {
        free(w->messages[i].values);
        free(w->messages[i].samples);
        free(w->messages[i].positions);
        free(w->messages[i].heads);
        free(w->messages[i].kinds);
        for (int k = 0; k < NS_OUTCOMES; k++) free(w->messages[i].outcomes[k]);
        free(w->messages[i].blocks);
    }
    ns_queue_free(w->free_rows);
    ns_queue_free(w->free_commits);
    ns_queue_free(w->work);
    ns_layout_free(&w->layout, w->plan.site_count);
    if (w->output.target)
        ns_output_drop(&w->output);
    else if (w->fd >= 0)
        close(w->fd);
    pthread_mutex_destroy(&w->lock);
    free(w->messages);
    free(w->extremes);
    free(w->kept);
    free(w->kept_of);
    free(w->next_row);
    free(w->path);
    free(w);
}

/* Sites of one number of positions share their list of kept rows. */
static int choose_rows(ns_store_writer *w, ns_error *err) {
    const ns_store_plan *plan = &w->plan;
    size_t n = (size_t)plan->site_count;
    w->kept = ns_calloc(n, sizeof *w->kept, err);
    w->kept_of = ns_calloc(n, sizeof *w->kept_of, err);
    w->extremes = ns_calloc(n, sizeof *w->extremes, err);
    if (!w->kept || !w->kept_of || !w->extremes) return NS_EFAIL;
    if (!plan->sample_rows || !plan->rows) return NS_OK;
    for (int i = 0; i < plan->site_count; i++) {
        if (!plan->wanted[i]) continue;
        uint64_t positions = (uint64_t)plan->sites[i].positions;
        int k = 0;
        while (k < w->kept_count && w->kept[k].positions != positions) k++;
        if (k == w->kept_count) {
            int status = ns_kept_rows_choose(&w->kept[k], plan, positions, err);
            if (status) return status;
            w->kept_count++;
        }
        w->kept_of[i] = &w->kept[k];
        if (ns_extremes_new(&w->extremes[i], plan->sites[i].norm.channels, err)) return NS_EFAIL;
    }
    return NS_OK;
}

static int make_buffers(ns_store_writer *w, ns_error *err) {
    const ns_store_plan *plan = &w->plan;
    uint64_t batch = plan->batch < plan->samples ? plan->batch : plan->samples;
    for (int i = 0; i < plan->site_count; i++) {
        if (!plan->wanted[i] || !plan->rows) continue;
        size_t rows = (size_t)(batch * (uint64_t)plan->sites[i].positions);
        size_t values = 2 * rows * (size_t)plan->sites[i].norm.channels;
        if (rows > w->buffer_rows) w->buffer_rows = rows;
        if (values > w->buffer_values) w->buffer_values = values;
    }
    ns_store_blocks(w, add_size, &w->block_bytes, err);
    w->free_rows = ns_queue_new(NS_STORE_BUFFERS, err);
    w->free_commits = ns_queue_new(2, err);
    w->work = ns_queue_new(NS_STORE_BUFFERS + 2, err);
    w->messages = ns_calloc(NS_STORE_BUFFERS + 2, sizeof *w->messages, err);
    if (!w->free_rows || !w->free_commits || !w->work || !w->messages) return NS_EFAIL;
    for (int i = 0; i < NS_STORE_BUFFERS + 2; i++) {
        ns_store_message *m = &w->messages[i];
        bool commit = i >= NS_STORE_BUFFERS;
        m->site = commit ? -1 : 0;
        if (commit) {
            m->blocks = ns_calloc(w->block_bytes, 1, err);
            if (!m->blocks || ns_outcomes_make(m, plan, batch, err)) return NS_EFAIL;
        } else {
            m->values = ns_alloc_aligned(w->buffer_values, sizeof *m->values, err);
            m->samples = ns_calloc(w->buffer_rows, sizeof *m->samples, err);
            m->positions = ns_calloc(w->buffer_rows, sizeof *m->positions, err);
            m->heads = ns_calloc(w->buffer_rows, sizeof *m->heads, err);
            m->kinds = ns_calloc(w->buffer_rows, sizeof *m->kinds, err);
            if (!m->values || !m->samples || !m->positions || !m->heads || !m->kinds)
                return NS_EFAIL;
        }
        ns_queue_put(commit ? w->free_commits : w->free_rows, m);
    }
    return NS_OK;
}

/* Takes the file's space now, so that a full disk is found before hours of work and not after. */
static int reserve(const ns_store_writer *w, const char *then, ns_error *err) {
    int code = posix_fallocate(w->fd, 0, (off_t)w->layout.size);
    if (code == 0 || code == EOPNOTSUPP || code == EINVAL) return NS_OK;
    struct statvfs disk;
    char needed[24], there[24];
    double available =
        fstatvfs(w->fd, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize : 0;
    return ns_fail(err, NS_EFAIL, "%s: no room for %s (%s are free): %s. %s", w->path,
                   ns_human_bytes((double)w->layout.size, needed), ns_human_bytes(available, there),
                   strerror(code), then);
}

static ns_store_writer *writer_new(const ns_store_plan *plan, ns_error *err) {
    ns_store_writer *w = ns_calloc(1, sizeof *w, err);
    if (!w) return NULL;
    w->plan = *plan;
    w->fd = -1;
    pthread_mutex_init(&w->lock, NULL);
    w->path = ns_strdup(plan->path ? plan->path : "(no file)", err); /* an estimate needs none */
    w->next_row = ns_calloc((size_t)plan->site_count, sizeof *w->next_row, err);
    int status = w->path && w->next_row ? choose_rows(w, err) : NS_EFAIL;
    if (status) {
        writer_free(w);
        return NULL;
    }
    w->plan.path = w->path;
    return w;
}

static int start(ns_store_writer *w, ns_error *err) {
    w->synced = w->counted = ns_seconds();
    if (w->plan.tally) ns_store_tally_begin(w);
    if (pthread_create(&w->thread, NULL, ns_store_thread, w) != 0)
        return ns_fail(err, NS_EFAIL, "%s: the writer thread could not be started", w->path);
    w->running = true;
    return NS_OK;
}

/* The layout and its room before the name: a failure or a kill before leaves what was there. */
static int create_file(ns_store_writer *w, ns_error *err) {
    if (!w->plan.force && ns_is_file(w->path))
        return ns_fail(err, NS_EFAIL,
                       "%s: exists already; --force overwrites it, --resume goes on with it",
                       w->path);
    int status = ns_output_begin(&w->output, w->path, w->plan.force, err);
    if (status) return status;
    w->fd = w->output.fd;
    status = ns_layout_create(&w->layout, w->fd, w->path, &w->plan, w->kept_of, err);
    if (!status)
        status = reserve(w,
                         ns_is_there(w->output.target) ? "The file there was left as it is"
                                                       : "Nothing was written",
                         err);
    return status || w->plan.when_whole ? status : ns_output_name(&w->output, err);
}

/* An interrupted run's file. */
static int open_file(ns_store_writer *w, ns_error *err) {
    w->fd = open(w->path, O_RDWR | O_CLOEXEC);
    if (w->fd < 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", w->path, strerror(errno));
    if (!ns_file_lock(w->fd))
        return ns_fail(err, NS_EFAIL, "%s: is being written by another process", w->path);
    return reserve(w, "What was committed is kept", err);
}

static int opened(ns_store_writer **out, ns_store_writer *w, int status, ns_error *err) {
    if (!status) status = make_buffers(w, err);
    ns_slot_cursor cursor = {NULL, ns_store_slot(w, w->committed)};
    if (!status && w->committed && w->block_bytes) {
        status = ns_store_blocks(w, load_block, &cursor, err);
        for (int i = 0; i < w->plan.site_count && !status; i++)
            if (w->kept_of[i]) ns_extremes_loaded(&w->extremes[i]);
        if (!status && w->committed == w->plan.samples) { /* killed between the count and this */
            ns_store_message *m = ns_queue_take(w->free_commits);
            unsigned char *to = m->blocks;
            ns_store_blocks(w, ns_store_copy_block, &to, err);
            status = ns_store_mirror(w, m->blocks, err);
            ns_queue_put(w->free_commits, m);
        }
    }
    if (!status) status = start(w, err);
    if (status)
        writer_free(w);
    else
        *out = w;
    return status;
}

int ns_store_create(ns_store_writer **out, const ns_store_plan *plan, ns_error *err) {
    *out = NULL;
    ns_store_writer *w = writer_new(plan, err);
    if (!w) return NS_EFAIL;
    return opened(out, w, create_file(w, err), err);
}

int ns_store_resume(ns_store_writer **out, const ns_store_plan *plan, ns_error *err) {
    *out = NULL;
    ns_store_writer *w = writer_new(plan, err);
    if (!w) return NS_EFAIL;
    int status = ns_layout_find(&w->layout, w->path, &w->plan, w->kept_of, err);
    if (!status) status = open_file(w, err);
    if (!status)
        status = ns_pread_all(w->fd, &w->committed, sizeof w->committed, w->layout.committed,
                              w->path, err);
    if (!status && (w->committed > plan->samples ||
                    (w->committed % plan->batch && w->committed != plan->samples)))
        status = ns_fail(
            err, NS_EINPUT,
            "%s: cannot be resumed: %llu committed samples do not fit %llu in batches of %llu",
            w->path, (unsigned long long)w->committed, (unsigned long long)plan->samples,
            (unsigned long long)plan->batch);
    w->in_file = w->committed;
    for (int i = 0; i < plan->site_count; i++)
        w->next_row[i] = w->committed * (uint64_t)plan->sites[i].positions;
    return opened(out, w, status, err);
}

/* The file under the name must be the one that was written: else its rows are nowhere, and that is no success. */
static int check_name(const ns_store_writer *w, ns_error *err) {
    if (ns_file_id_same(ns_file_id_of_fd(w->fd), ns_file_id_of(w->path))) return NS_OK;
    return ns_fail(err, NS_EFAIL,
                   "%s: expected the file that was written, found %s: it was moved, removed or "
                   "replaced meanwhile",
                   w->path, ns_is_there(w->path) ? "another one" : "none of that name");
}

static int finish_file(ns_store_writer *w, ns_error *err) {
    if (fsync(w->fd) != 0)
        return ns_fail(err, NS_EFAIL, "%s: could not be brought to the disk: %s", w->path,
                       strerror(errno));
    if (!w->plan.when_whole) return check_name(w, err);
    return w->committed == w->plan.samples ? ns_output_name(&w->output, err) : NS_OK;
}

int ns_store_writer_close(ns_store_writer *w, ns_error *err) {
    if (!w) return NS_OK;
    if (w->placed) ns_queue_put(w->free_rows, w->placed);
    if (w->running) ns_store_writer_flush(w, NULL);
    ns_queue_close(w->work);
    if (w->running) pthread_join(w->thread, NULL);
    int status = ns_store_failed(w, err);
    ns_store_tally_end(w);
    /* Before the file is brought to the disk and gets its name. A kill here leaves a run that is whole and not sealed. */
    if (!status && w->running && w->in_file == w->plan.samples)
        status = ns_seal_put(&w->layout.seal, w->fd, w->path, w->layout.size, err);
    if (!status) status = finish_file(w, err);
    writer_free(w);
    return status;
}

int ns_store_estimate(const ns_store_plan *plan, uint64_t *site_bytes, uint64_t *total,
                      ns_error *err) {
    ns_store_writer *w = writer_new(plan, err);
    if (!w) return NS_EFAIL;
    *total = 0;
    for (int i = 0; i < plan->site_count; i++) {
        site_bytes[i] = 0;
        if (!plan->wanted[i]) continue;
        uint64_t rows = ns_plan_rows(plan, i, w->kept_of[i]),
                 c = (uint64_t)plan->sites[i].norm.channels;
        int count = 0;
        const ns_store_block *blocks =
            plan->blocks ? plan->blocks(plan->blocks_user, i, &count) : NULL;
        site_bytes[i] = rows * (2 * c * (plan->dtype == NS_F16 ? 2 : 4) + 13);
        for (int b = 0; b < count; b++) site_bytes[i] += 2 * ns_block_bytes(&blocks[b]);
        if (w->kept_of[i]) site_bytes[i] += 2 * NS_STORE_EXTREME_ROWS * (8 * c + 12);
        *total += site_bytes[i];
    }
    writer_free(w);
    return NS_OK;
}
