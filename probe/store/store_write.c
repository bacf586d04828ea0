/* A store's writer at work: what the model delivers goes through a queue to a thread, which writes it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/half.h"
#include "probe/base/io.h"
#include "probe/base/progress.h"
#include "probe/store/store_writer_internal.h"

#define SYNC_SECONDS                                                                               \
    5.0 /* against power loss the disk is waited for now and then; a killed process needs no sync */

static int site_of(const ns_store_writer *w, const ns_site *site) {
    return ns_site_place(w->plan.sites, w->plan.site_count, site);
}

static bool wants(void *user, const ns_site *site) {
    const ns_store_writer *w = user;
    int i = site_of(w, site);
    return i >= 0 && w->plan.wanted[i];
}

int ns_store_failed(ns_store_writer *w, ns_error *err) {
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

static int write_rows(ns_store_writer *w, const ns_store_message *m, ns_error *err) {
    const ns_site_offsets *at = &w->layout.sites[m->site];
    size_t c = (size_t)w->plan.sites[m->site].norm.channels, count = m->rows * c;
    int status = NS_OK;
    if (!w->plan.link_count) {
        if (w->plan.tally && !w->kept_of[m->site]) {
            ns_store_tally_add(w, m->site, m->x, count);
            ns_store_tally_add(w, m->site, m->y, count);
        }
        status = write_values(w, at->input, m->first * c, m->x, count, err);
        if (!status) status = write_values(w, at->output, m->first * c, m->y, count, err);
    }
    if (!status)
        status =
            ns_pwrite_all(w->fd, m->samples, m->rows * 8, at->sample + m->first * 8, w->path, err);
    if (!status)
        status = ns_pwrite_all(w->fd, m->positions, m->rows * 4, at->position + m->first * 4,
                               w->path, err);
    if (!status)
        status = ns_pwrite_all(w->fd, m->kinds, m->rows, at->kind + m->first, w->path, err);
    if (!status && at->head)
        status = ns_pwrite_all(w->fd, m->heads, m->rows * 4, at->head + m->first * 4, w->path, err);
    return status;
}

int ns_store_blocks(ns_store_writer *w,
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
        if (!status && ns_site_heads(&w->plan.sites[i]) > 1)
            status = each(w, e->heads, n * 4, at->extreme[4], user, err);
    }
    return status;
}

int ns_store_copy_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                        ns_error *err) {
    (void)w, (void)offset, (void)err;
    unsigned char **to = user;
    memcpy(*to, bytes, size);
    *to += size;
    return NS_OK;
}

static int write_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                       ns_error *err) {
    (void)bytes;
    ns_slot_cursor *cursor = user;
    int status =
        ns_pwrite_all(w->fd, cursor->from, size, offset + cursor->slot * size, w->path, err);
    cursor->from += size;
    return status;
}

uint64_t ns_store_slot(const ns_store_writer *w, uint64_t committed) {
    return (committed + w->plan.batch - 1) / w->plan.batch % 2;
}

int ns_store_mirror(ns_store_writer *w, unsigned char *blocks, ns_error *err) {
    ns_slot_cursor cursor = {blocks, 1 - ns_store_slot(w, w->plan.samples)};
    return w->plan.blocks ? ns_store_blocks(w, write_block, &cursor, err) : NS_OK;
}

static int write_commit(ns_store_writer *w, const ns_store_message *m, ns_error *err) {
    int status = NS_OK;
    uint64_t total = m->committed + m->added;
    if (m->added) status = ns_outcomes_write(w, m, err);
    if (status || m->held) return status;
    ns_slot_cursor cursor = {m->blocks, ns_store_slot(w, total)};
    if (!status && w->block_bytes) status = ns_store_blocks(w, write_block, &cursor, err);
    double now = ns_seconds();
    bool sync = now - w->synced > SYNC_SECONDS;
    if (!status && sync && fdatasync(w->fd) != 0)
        status = ns_fail(err, NS_EFAIL, "%s: could not be brought to the disk: %s", w->path,
                         strerror(errno));
    if (!status)
        status = ns_pwrite_all(w->fd, &total, sizeof total, w->layout.committed, w->path, err);
    if (sync) w->synced = now;
    if (!status && total == w->plan.samples) status = ns_store_mirror(w, m->blocks, err);
    return status;
}

void *ns_store_thread(void *user) {
    ns_store_writer *w = user;
    for (ns_store_message *m; (m = ns_queue_take(w->work));) {
        ns_error err = {0};
        if (!ns_store_failed(w, NULL)) {
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
static void copy_all(ns_store_message *m, const ns_rows *rows, const ns_site *site, bool values) {
    size_t c = (size_t)site->norm.channels, heads = (size_t)ns_site_heads(site);
    m->rows = rows->samples * rows->positions;
    m->x = m->values;
    m->y = m->values + m->rows * c;
    if (values) memcpy(m->x, rows->x, m->rows * c * sizeof *m->x);
    if (values && m->y != rows->y) memcpy(m->y, rows->y, m->rows * c * sizeof *m->y);
    memcpy(m->kinds, rows->kinds, m->rows);
    for (size_t r = 0; r < m->rows; r++) {
        m->samples[r] = rows->sample_ids[r / rows->positions];
        m->positions[r] = rows->position_ids[r % rows->positions];
        m->heads[r] = (int32_t)(r % heads);
    }
}

/* The kept rows of a batch whose first sample has place `slot` in the run. */
static void copy_kept(ns_store_message *m, const ns_rows *rows, const ns_site *site,
                      const ns_kept_rows *kept, uint64_t slot) {
    size_t c = (size_t)site->norm.channels, heads = (size_t)ns_site_heads(site);
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
        m->heads[to] = (int32_t)(p % heads);
        m->kinds[to] = rows->kinds[from];
    }
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    ns_store_writer *w = user;
    int i = site_of(w, site), status = ns_store_failed(w, err);
    if (status || !w->plan.rows) return status;
    if (i < 0)
        return ns_fail(err, NS_EUSAGE, "site %d (%s) is not in the plan", site->index, site->name);
    size_t c = (size_t)site->norm.channels, count = rows->samples * rows->positions;
    uint64_t slot = w->next_row[i] / (uint64_t)site->positions;
    if (count > w->buffer_rows || (uint64_t)rows->positions != (uint64_t)site->positions ||
        slot + rows->samples > w->plan.samples)
        return ns_fail(
            err, NS_EUSAGE,
            "site %d (%s): delivered %zu samples of %zu rows after %llu, planned were %llu of %d",
            site->index, site->name, rows->samples, rows->positions, (unsigned long long)slot,
            (unsigned long long)w->plan.samples, site->positions);
    ns_store_message *m = w->placed ? w->placed : ns_queue_take(w->free_rows);
    w->placed = NULL;
    m->site = i;
    if (w->kept_of[i]) {
        if (w->plan.tally) {
            ns_store_tally_add(w, i, rows->x, count * c);
            ns_store_tally_add(w, i, rows->y, count * c);
        }
        ns_extremes_add(&w->extremes[i], rows, ns_site_heads(site));
        copy_kept(m, rows, site, w->kept_of[i], slot);
    } else {
        m->first = w->next_row[i];
        copy_all(m, rows, site, !w->plan.link_count);
    }
    w->next_row[i] += count;
    ns_queue_put(w->work, m);
    return NS_OK;
}

ns_observer ns_store_writer_observer(ns_store_writer *w) {
    return (ns_observer){
        .user = w, .wants = wants, .deliver = deliver, .place_output = place_output};
}

uint64_t ns_store_writer_committed(const ns_store_writer *w) {
    return w->committed;
}

uint64_t ns_store_writer_in_file(const ns_store_writer *w) {
    return w->in_file;
}

/* Large blocks, a sketch's, are not written for every small batch: now and then, and when the slot is the one that the file does not
 * refer to. */
static bool hold(const ns_store_writer *w, uint64_t samples) {
    return w->plan.blocks && (ns_seconds() - w->counted < NS_STORE_HOLD_SECONDS ||
                              !ns_store_other_slot(w, w->committed + samples));
}

bool ns_store_other_slot(const ns_store_writer *w, uint64_t committed) {
    return !w->in_file || ns_store_slot(w, committed) != ns_store_slot(w, w->in_file);
}

/* A copy of all blocks as they are now goes with a commit. */
static void put_blocks(ns_store_writer *w, ns_store_message *m, ns_error *err) {
    unsigned char *to = m->blocks;
    if (w->plan.blocks_settle) w->plan.blocks_settle(w->plan.blocks_user);
    if (w->block_bytes) ns_store_blocks(w, ns_store_copy_block, &to, err);
    w->in_file = w->committed;
    w->counted = ns_seconds();
}

bool ns_store_writer_may_stop(const ns_store_writer *w) {
    return w->in_file == w->committed || ns_store_other_slot(w, w->committed);
}

/* Whether rows have come since the last commit: blocks then have more in them than belongs to it. */
static bool is_between(const ns_store_writer *w) {
    for (int i = 0; i < w->plan.site_count; i++)
        if (w->plan.wanted[i] &&
            w->next_row[i] != w->committed * (uint64_t)w->plan.sites[i].positions)
            return true;
    return false;
}

int ns_store_writer_flush(ns_store_writer *w, ns_error *err) {
    if (w->in_file == w->committed || !ns_store_other_slot(w, w->committed) || is_between(w))
        return ns_store_failed(w, err);
    ns_store_message *m = ns_queue_take(w->free_commits);
    m->committed = w->committed;
    m->added = 0;
    m->held = false;
    put_blocks(w, m, err);
    ns_queue_put(w->work, m);
    return ns_store_failed(w, err);
}

int ns_store_writer_commit(ns_store_writer *w, uint64_t samples, const int32_t *predictions,
                           ns_error *err) {
    const ns_store_outcome outcome = {.predictions = predictions};
    return ns_store_writer_commit_outcome(w, samples, &outcome, err);
}

int ns_store_writer_commit_outcome(ns_store_writer *w, uint64_t samples,
                                   const ns_store_outcome *outcome, ns_error *err) {
    int status = ns_store_failed(w, err);
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
    ns_store_message *m = ns_queue_take(w->free_commits);
    m->committed = w->committed;
    m->added = samples;
    m->held = !last && hold(w, samples);
    ns_outcomes_take(m, &w->plan, samples, outcome);
    w->committed += samples;
    if (!m->held) put_blocks(w, m, err);
    ns_queue_put(w->work, m);
    return NS_OK;
}
