/* Opening a store for writing, new or interrupted, and closing it. */
#define _GNU_SOURCE /* F_OFD_SETLK, renameat2 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
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
    return ns_pread_all(w->fd, bytes, size, offset + cursor->slot * size, w->shown, err);
}

static void writer_free(ns_store_writer *w) {
    if (!w) return;
    for (int i = 0; w->extremes && i < w->plan.site_count; i++) ns_extremes_free(&w->extremes[i]);
    for (int i = 0; i < w->kept_count; i++) ns_kept_rows_free(&w->kept[i]);
    for (int i = 0; w->messages && i < NS_STORE_BUFFERS + 2; i++) {
        free(w->messages[i].values);
        free(w->messages[i].samples);
        free(w->messages[i].positions);
        free(w->messages[i].kinds);
        free(w->messages[i].predictions);
        free(w->messages[i].blocks);
    }
    ns_queue_free(w->free_rows);
    ns_queue_free(w->free_commits);
    ns_queue_free(w->work);
    ns_layout_free(&w->layout, w->plan.site_count);
    if (w->fd >= 0) close(w->fd);
    pthread_mutex_destroy(&w->lock);
    free(w->messages);
    free(w->extremes);
    free(w->kept);
    free(w->kept_of);
    free(w->next_row);
    free(w->path);
    free(w->shown);
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
            m->predictions = ns_calloc(batch, sizeof *m->predictions, err);
            m->blocks = ns_calloc(w->block_bytes, 1, err);
            if (!m->predictions || !m->blocks) return NS_EFAIL;
        } else {
            m->values = ns_alloc_aligned(w->buffer_values, sizeof *m->values, err);
            m->samples = ns_calloc(w->buffer_rows, sizeof *m->samples, err);
            m->positions = ns_calloc(w->buffer_rows, sizeof *m->positions, err);
            m->kinds = ns_calloc(w->buffer_rows, sizeof *m->kinds, err);
            if (!m->values || !m->samples || !m->positions || !m->kinds) return NS_EFAIL;
        }
        ns_queue_put(commit ? w->free_commits : w->free_rows, m);
    }
    return NS_OK;
}

/* One writer a file. A lock of the open file, which HDF5's own (flock) does not see, so readers are not kept out. */
static int lock_file(const ns_store_writer *w, ns_error *err) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(w->fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES)) return NS_OK;
    return ns_fail(err, NS_EFAIL, "%s: is being written by another process", w->shown);
}

/* Takes the file's space now, so that a full disk is found before hours of work and not after. */
static int reserve(const ns_store_writer *w, const char *then, ns_error *err) {
    int code = posix_fallocate(w->fd, 0, (off_t)w->layout.size);
    if (code == 0 || code == EOPNOTSUPP || code == EINVAL) return NS_OK;
    struct statvfs disk;
    char needed[24], there[24];
    double available =
        fstatvfs(w->fd, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize : 0;
    return ns_fail(err, NS_EFAIL, "%s: no room for %s (%s are free): %s. %s", w->shown,
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
    if (w->path) w->shown = ns_strdup(plan->shown ? plan->shown : w->path, err);
    w->next_row = ns_calloc((size_t)plan->site_count, sizeof *w->next_row, err);
    int status = w->shown && w->next_row ? choose_rows(w, err) : NS_EFAIL;
    if (status) {
        writer_free(w);
        return NULL;
    }
    w->plan.path = w->path;
    w->plan.shown = w->shown;
    return w;
}

static int start(ns_store_writer *w, ns_error *err) {
    w->synced = w->counted = ns_seconds();
    if (pthread_create(&w->thread, NULL, ns_store_thread, w) != 0)
        return ns_fail(err, NS_EFAIL, "%s: the writer thread could not be started", w->shown);
    w->running = true;
    return NS_OK;
}

/* What stands under the name already: kept unless it may be replaced, and nobody writes it. */
static int check_existing(ns_store_writer *w, ns_error *err) {
    int status = ns_output_check(w->path, err);
    if (status) return status;
    if (access(w->path, F_OK) != 0) return NS_OK;
    if (!w->plan.force)
        return ns_fail(err, NS_EFAIL,
                       "%s: exists already; --force overwrites it, --resume goes on with it",
                       w->shown);
    w->fd = open(w->path, O_RDWR | O_CLOEXEC);
    if (w->fd >= 0) status = lock_file(w, err);
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    return status;
}

static int give_name(const ns_store_writer *w, const char *part, ns_error *err) {
    int done = w->plan.force ? rename(part, w->path)
                             : renameat2(AT_FDCWD, part, AT_FDCWD, w->path, RENAME_NOREPLACE);
    if (done != 0 && !w->plan.force && (errno == EINVAL || errno == ENOSYS))
        done = rename(part, w->path); /* a file system without the flag */
    if (done == 0 && strcmp(w->path, w->shown) != 0) return NS_OK; /* the last name is to last */
    if (done == 0) return ns_sync_folder_of(w->path, err);
    return ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", w->shown, strerror(errno));
}

/* Under another name until the layout is whole and its room is taken: a failure or a kill before leaves what was there. */
static int create_file(ns_store_writer *w, ns_error *err) {
    int status = check_existing(w, err);
    char *part = status ? NULL : ns_asprintf(err, "%s.part", w->path);
    if (!part) return status ? status : NS_EFAIL;
    w->fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    status = w->fd < 0
                 ? ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", w->shown, strerror(errno))
                 : lock_file(w, err);
    if (!status) {
        status = ns_layout_create(&w->layout, w->fd, w->shown, &w->plan, w->kept_of, err);
        if (!status)
            status = reserve(w,
                             access(w->path, F_OK) == 0 ? "The file there was left as it is"
                                                        : "Nothing was written",
                             err);
        if (!status) status = give_name(w, part, err);
        if (status) unlink(part);
    }
    free(part);
    return status;
}

/* An interrupted run's file. */
static int open_file(ns_store_writer *w, ns_error *err) {
    w->fd = open(w->path, O_RDWR | O_CLOEXEC);
    if (w->fd < 0)
        return ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", w->shown, strerror(errno));
    int status = lock_file(w, err);
    return status ? status : reserve(w, "What was committed is kept", err);
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
                              w->shown, err);
    if (!status && (w->committed > plan->samples ||
                    (w->committed % plan->batch && w->committed != plan->samples)))
        status = ns_fail(
            err, NS_EINPUT,
            "%s: cannot be resumed: %llu committed samples do not fit %llu in batches of %llu",
            w->shown, (unsigned long long)w->committed, (unsigned long long)plan->samples,
            (unsigned long long)plan->batch);
    w->in_file = w->committed;
    for (int i = 0; i < plan->site_count; i++)
        w->next_row[i] = w->committed * (uint64_t)plan->sites[i].positions;
    return opened(out, w, status, err);
}

int ns_store_writer_close(ns_store_writer *w, ns_error *err) {
    if (!w) return NS_OK;
    if (w->placed) ns_queue_put(w->free_rows, w->placed);
    if (w->running) ns_store_writer_flush(w, NULL);
    ns_queue_close(w->work);
    if (w->running) pthread_join(w->thread, NULL);
    int status = ns_store_failed(w, err);
    if (!status && w->running && w->in_file == w->plan.samples)
        status = ns_seal_put(w->fd, w->path, w->shown, w->layout.size, err);
    if (!status && fsync(w->fd) != 0)
        status = ns_fail(err, NS_EFAIL, "%s: could not be brought to the disk: %s", w->shown,
                         strerror(errno));
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
