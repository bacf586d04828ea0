#define _GNU_SOURCE /* F_OFD_SETLK, renameat2 */

#include "probe/store_write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe/base/half.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/progress.h"
#include "probe/base/queue.h"
#include "probe/store_internal.h"

#define SYNC_SECONDS                                                                               \
    5.0 /* against power loss the disk is waited for now and then; a killed process needs no sync */

/* What the queue carries: rows of a site, or the end of a batch. */
typedef struct message {
    int site; /* -1: a commit */
    uint64_t first, rows;
    float *x, *y;       /* [rows, C] in `values` */
    int64_t *samples;   /* [rows] */
    int32_t *positions; /* [rows] */
    uint8_t *kinds;     /* [rows] */
    float *values;
    uint64_t committed; /* of a commit: samples before it and in it */
    uint64_t added;
    bool predicted;
    int32_t *predictions;
    unsigned char *blocks; /* the blocks of all sites and the extremes, one after the other */
} message;

struct ns_store_writer {
    ns_store_plan plan;
    char *path;
    int fd;
    ns_layout layout;
    ns_kept_rows *kept;           /* one for each number of positions */
    const ns_kept_rows **kept_of; /* [site_count], or NULLs */
    int kept_count;
    ns_extremes *extremes; /* [site_count], where rows are sampled */
    uint64_t *next_row;    /* [site_count], rows delivered so far */
    uint64_t committed;    /* by the model's side */
    size_t buffer_rows, buffer_values, block_bytes;
    message *messages; /* NS_STORE_BUFFERS for rows, 2 for commits */
    ns_queue *free_rows, *free_commits, *work;
    message *placed; /* the buffer whose y the model is writing */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    ns_error failure; /* of the thread; status 0 while all is well */
    double synced;
};

static bool wants(void *user, const ns_site *site) {
    const ns_store_writer *w = user;
    return w->plan.wanted[site->index - w->plan.sites[0].index];
}

static int site_of(const ns_store_writer *w, const ns_site *site) {
    return site->index - w->plan.sites[0].index;
}

static int failed(ns_store_writer *w, ns_error *err) {
    pthread_mutex_lock(&w->lock);
    int status = w->failure.status;
    if (status && err) *err = w->failure;
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* ---- the writer thread ---- */

/* `count` floats at element `first` of a dataset that begins at `offset`, in the file's type. Narrowed in the message's own memory. */
static int write_values(ns_store_writer *w, uint64_t offset, uint64_t first, float *values,
                        size_t count, ns_error *err) {
    if (w->plan.dtype == NS_F32)
        return ns_pwrite_all(w->fd, values, count * 4, offset + first * 4, w->path, err);
    enum { PIECE = 4096 };
    uint16_t narrow[PIECE];
    uint16_t *out = (uint16_t *)(void *)values; /* lies before what is still to be read */
    for (size_t i = 0; i < count; i += PIECE) {
        size_t n = count - i < PIECE ? count - i : PIECE;
        ns_f32_to_f16(narrow, values + i, n);
        memcpy(out + i, narrow, n * sizeof *narrow);
    }
    return ns_pwrite_all(w->fd, out, count * 2, offset + first * 2, w->path, err);
}

static int write_rows(ns_store_writer *w, const message *m, ns_error *err) {
    const ns_site_offsets *at = &w->layout.sites[m->site];
    size_t c = (size_t)w->plan.sites[m->site].norm.channels, count = m->rows * c;
    int status = write_values(w, at->input, m->first * c, m->x, count, err);
    if (!status) status = write_values(w, at->output, m->first * c, m->y, count, err);
    if (!status)
        status =
            ns_pwrite_all(w->fd, m->samples, m->rows * 8, at->sample + m->first * 8, w->path, err);
    if (!status)
        status = ns_pwrite_all(w->fd, m->positions, m->rows * 4, at->position + m->first * 4,
                               w->path, err);
    if (!status)
        status = ns_pwrite_all(w->fd, m->kinds, m->rows, at->kind + m->first, w->path, err);
    return status;
}

/* Calls `each` for every block of the file in a fixed order: the sites' own, then their extreme rows. */
static int for_blocks(ns_store_writer *w,
                      int (*each)(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset,
                                  void *user, ns_error *err),
                      void *user, ns_error *err) {
    int status = NS_OK;
    for (int i = 0; i < w->plan.site_count && !status; i++) {
        if (!w->plan.wanted[i]) continue;
        const ns_site_offsets *at = &w->layout.sites[i];
        int count = 0;
        const ns_store_block *blocks =
            w->plan.blocks ? w->plan.blocks(w->plan.blocks_user, i, &count) : NULL;
        for (int b = 0; b < count && !status; b++)
            status = each(w, blocks[b].bytes, ns_block_bytes(&blocks[b]), at->blocks[b], user, err);
        if (!w->kept_of[i]) continue;
        const ns_extremes *e = &w->extremes[i];
        uint64_t n = NS_STORE_EXTREME_ROWS, c = (uint64_t)e->channels;
        if (!status) status = each(w, e->input, n * c * 4, at->extreme[0], user, err);
        if (!status) status = each(w, e->output, n * c * 4, at->extreme[1], user, err);
        if (!status) status = each(w, e->samples, n * 8, at->extreme[2], user, err);
        if (!status) status = each(w, e->positions, n * 4, at->extreme[3], user, err);
    }
    return status;
}

static int add_size(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                    ns_error *err) {
    (void)w, (void)bytes, (void)offset, (void)err;
    *(size_t *)user += size;
    return NS_OK;
}

static int copy_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                      ns_error *err) {
    (void)w, (void)offset, (void)err;
    unsigned char **to = user;
    memcpy(*to, bytes, size);
    *to += size;
    return NS_OK;
}

typedef struct slot_cursor {
    unsigned char *from;
    uint64_t slot;
} slot_cursor;

static int write_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                       ns_error *err) {
    (void)bytes;
    slot_cursor *cursor = user;
    int status =
        ns_pwrite_all(w->fd, cursor->from, size, offset + cursor->slot * size, w->path, err);
    cursor->from += size;
    return status;
}

static int load_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                      ns_error *err) {
    const slot_cursor *cursor = user;
    return ns_pread_all(w->fd, bytes, size, offset + cursor->slot * size, w->path, err);
}

/* Which of a block's two slots belongs to so many committed samples. */
static uint64_t slot_of(const ns_store_writer *w, uint64_t committed) {
    return (committed + w->plan.batch - 1) / w->plan.batch % 2;
}

static int write_commit(ns_store_writer *w, const message *m, ns_error *err) {
    int status = NS_OK;
    uint64_t total = m->committed + m->added;
    if (m->predicted)
        status = ns_pwrite_all(w->fd, m->predictions, m->added * 4,
                               w->layout.predictions + m->committed * 4, w->path, err);
    slot_cursor cursor = {m->blocks, slot_of(w, total)};
    if (!status && w->block_bytes) status = for_blocks(w, write_block, &cursor, err);
    double now = ns_seconds();
    bool sync = now - w->synced > SYNC_SECONDS;
    if (!status && sync && fdatasync(w->fd) != 0)
        status = ns_fail(err, NS_EFAIL, "%s: could not be brought to the disk: %s", w->path,
                         strerror(errno));
    if (!status)
        status = ns_pwrite_all(w->fd, &total, sizeof total, w->layout.committed, w->path, err);
    if (sync) w->synced = now;
    return status;
}

static void *run_thread(void *user) {
    ns_store_writer *w = user;
    for (message *m; (m = ns_queue_take(w->work));) {
        ns_error err = {0};
        if (!failed(w, NULL)) {
            int status = m->site < 0 ? write_commit(w, m, &err) : write_rows(w, m, &err);
            if (status) {
                pthread_mutex_lock(&w->lock);
                w->failure = err;
                pthread_mutex_unlock(&w->lock);
            }
        }
        ns_queue_put(m->site < 0 ? w->free_commits : w->free_rows, m);
    }
    return NULL;
}

/* ---- the model's side ---- */

static float *place_output(void *user, const ns_site *site, size_t rows) {
    ns_store_writer *w = user;
    int i = site_of(w, site);
    if (!w->plan.rows || w->kept_of[i] || rows > w->buffer_rows) return NULL;
    if (!w->placed) w->placed = ns_queue_take(w->free_rows);
    w->placed->y = w->placed->values + rows * (size_t)site->norm.channels;
    return w->placed->y;
}

/* All rows of a batch into the buffer. */
static void copy_all(message *m, const ns_rows *rows, size_t c) {
    m->rows = rows->samples * rows->positions;
    m->x = m->values;
    m->y = m->values + m->rows * c;
    memcpy(m->x, rows->x, m->rows * c * sizeof *m->x);
    if (m->y != rows->y) memcpy(m->y, rows->y, m->rows * c * sizeof *m->y);
    memcpy(m->kinds, rows->kinds, m->rows);
    for (size_t r = 0; r < m->rows; r++) {
        m->samples[r] = rows->sample_ids[r / rows->positions];
        m->positions[r] = rows->position_ids[r % rows->positions];
    }
}

/* The kept rows of a batch whose first sample has place `slot` in the run. */
static void copy_kept(message *m, const ns_rows *rows, size_t c, const ns_kept_rows *kept,
                      uint64_t slot) {
    uint64_t first = ns_kept_rows_before(kept, slot),
             last = ns_kept_rows_before(kept, slot + rows->samples);
    m->first = first;
    m->rows = last - first;
    m->x = m->values;
    m->y = m->values + m->rows * c;
    for (uint64_t k = first; k < last; k++) {
        size_t to = (size_t)(k - first), s = (size_t)(kept->slots[k] - slot),
               p = (size_t)kept->positions_of[k];
        size_t from = s * rows->positions + p;
        memcpy(m->x + to * c, rows->x + from * c, c * sizeof *m->x);
        memcpy(m->y + to * c, rows->y + from * c, c * sizeof *m->y);
        m->samples[to] = rows->sample_ids[s];
        m->positions[to] = rows->position_ids[p];
        m->kinds[to] = rows->kinds[from];
    }
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    ns_store_writer *w = user;
    int i = site_of(w, site), status = failed(w, err);
    if (status || !w->plan.rows) return status;
    size_t c = (size_t)site->norm.channels, count = rows->samples * rows->positions;
    uint64_t slot = w->next_row[i] / (uint64_t)site->positions;
    if (count > w->buffer_rows || (uint64_t)rows->positions != (uint64_t)site->positions ||
        slot + rows->samples > w->plan.samples)
        return ns_fail(
            err, NS_EUSAGE,
            "site %d (%s): delivered %zu samples of %zu rows after %llu, planned were %llu of %d",
            site->index, site->name, rows->samples, rows->positions, (unsigned long long)slot,
            (unsigned long long)w->plan.samples, site->positions);
    message *m = w->placed ? w->placed : ns_queue_take(w->free_rows);
    w->placed = NULL;
    m->site = i;
    if (w->kept_of[i]) {
        ns_extremes_add(&w->extremes[i], rows);
        copy_kept(m, rows, c, w->kept_of[i], slot);
    } else {
        m->first = w->next_row[i];
        copy_all(m, rows, c);
    }
    w->next_row[i] += count;
    ns_queue_put(w->work, m);
    return NS_OK;
}

ns_observer ns_store_writer_observer(ns_store_writer *w) {
    return (ns_observer){w, wants, deliver, place_output, NULL};
}

uint64_t ns_store_writer_committed(const ns_store_writer *w) {
    return w->committed;
}

int ns_store_writer_commit(ns_store_writer *w, uint64_t samples, const int32_t *predictions,
                           ns_error *err) {
    int status = failed(w, err);
    if (status) return status;
    bool last = w->committed + samples == w->plan.samples;
    if (samples > w->plan.batch || (samples < w->plan.batch && !last) ||
        w->committed + samples > w->plan.samples)
        return ns_fail(
            err, NS_EUSAGE,
            "a commit of %llu samples after %llu does not fit the plan: %llu in batches of %llu",
            (unsigned long long)samples, (unsigned long long)w->committed,
            (unsigned long long)w->plan.samples, (unsigned long long)w->plan.batch);
    for (int i = 0; i < w->plan.site_count && w->plan.rows; i++)
        if (w->plan.wanted[i] &&
            w->next_row[i] != (w->committed + samples) * (uint64_t)w->plan.sites[i].positions)
            return ns_fail(err, NS_EUSAGE, "site %d (%s) was not delivered before the commit",
                           w->plan.sites[i].index, w->plan.sites[i].name);
    message *m = ns_queue_take(w->free_commits);
    m->committed = w->committed;
    m->added = samples;
    m->predicted = predictions && w->layout.predictions;
    if (m->predicted) memcpy(m->predictions, predictions, samples * sizeof *predictions);
    unsigned char *to = m->blocks;
    if (w->block_bytes) for_blocks(w, copy_block, &to, err);
    w->committed += samples;
    ns_queue_put(w->work, m);
    return NS_OK;
}

/* ---- opening and closing ---- */

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
    for_blocks(w, add_size, &w->block_bytes, err);
    w->free_rows = ns_queue_new(NS_STORE_BUFFERS, err);
    w->free_commits = ns_queue_new(2, err);
    w->work = ns_queue_new(NS_STORE_BUFFERS + 2, err);
    w->messages = ns_calloc(NS_STORE_BUFFERS + 2, sizeof *w->messages, err);
    if (!w->free_rows || !w->free_commits || !w->work || !w->messages) return NS_EFAIL;
    for (int i = 0; i < NS_STORE_BUFFERS + 2; i++) {
        message *m = &w->messages[i];
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
    return ns_fail(err, NS_EFAIL, "%s: is being written by another process", w->path);
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
    w->synced = ns_seconds();
    if (pthread_create(&w->thread, NULL, run_thread, w) != 0)
        return ns_fail(err, NS_EFAIL, "%s: the writer thread could not be started", w->path);
    w->running = true;
    return NS_OK;
}

/* What stands under the name already: kept unless it may be replaced, and nobody writes it. */
static int check_existing(ns_store_writer *w, ns_error *err) {
    if (ns_is_folder(w->path))
        return ns_fail(err, NS_EINPUT, "%s: expected the name of a file to write, found a folder",
                       w->path);
    if (access(w->path, F_OK) != 0) return NS_OK;
    if (!w->plan.force)
        return ns_fail(err, NS_EFAIL,
                       "%s: exists already; --force overwrites it, --resume goes on with it",
                       w->path);
    w->fd = open(w->path, O_RDWR | O_CLOEXEC);
    int status = w->fd < 0 ? NS_OK : lock_file(w, err);
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    return status;
}

static int give_name(const ns_store_writer *w, const char *part, ns_error *err) {
    int done = w->plan.force ? rename(part, w->path)
                             : renameat2(AT_FDCWD, part, AT_FDCWD, w->path, RENAME_NOREPLACE);
    if (done != 0 && !w->plan.force && (errno == EINVAL || errno == ENOSYS))
        done = rename(part, w->path); /* a file system without the flag */
    if (done == 0) return NS_OK;
    return ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", w->path, strerror(errno));
}

/* Under another name until the layout is whole and its room is taken: a failure or a kill before leaves what was there. */
static int create_file(ns_store_writer *w, ns_error *err) {
    int status = check_existing(w, err);
    char *part = status ? NULL : ns_asprintf(err, "%s.part", w->path);
    if (!part) return status ? status : NS_EFAIL;
    w->fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    status = w->fd < 0
                 ? ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", w->path, strerror(errno))
                 : lock_file(w, err);
    if (!status) {
        status = ns_layout_create(&w->layout, w->fd, w->path, &w->plan, w->kept_of, err);
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
        return ns_fail(err, NS_EINPUT, "%s: cannot be written: %s", w->path, strerror(errno));
    int status = lock_file(w, err);
    return status ? status : reserve(w, "What was committed is kept", err);
}

static int opened(ns_store_writer **out, ns_store_writer *w, int status, ns_error *err) {
    if (!status) status = make_buffers(w, err);
    slot_cursor cursor = {NULL, slot_of(w, w->committed)};
    if (!status && w->committed && w->block_bytes) {
        status = for_blocks(w, load_block, &cursor, err);
        for (int i = 0; i < w->plan.site_count && !status; i++)
            if (w->kept_of[i]) ns_extremes_loaded(&w->extremes[i]);
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
    for (int i = 0; i < plan->site_count; i++)
        w->next_row[i] = w->committed * (uint64_t)plan->sites[i].positions;
    return opened(out, w, status, err);
}

int ns_store_writer_close(ns_store_writer *w, ns_error *err) {
    if (!w) return NS_OK;
    if (w->placed) ns_queue_put(w->free_rows, w->placed);
    ns_queue_close(w->work);
    if (w->running) pthread_join(w->thread, NULL);
    int status = failed(w, err);
    if (!status && fsync(w->fd) != 0)
        status = ns_fail(err, NS_EFAIL, "%s: could not be brought to the disk: %s", w->path,
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
