/* The rows of a merge. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/capture/merge_internal.h"

/* Rows of samples [from, to) of run k, where all rows are there, to the batch's place `at` (in rows). */
static int copy_rows(const ns_merging *m, int k, int site, uint64_t from, uint64_t to, uint64_t at,
                     ns_error *err) {
    uint64_t positions = (uint64_t)m->sites[site].positions,
             c = (uint64_t)m->sites[site].norm.channels, rows = (to - from) * positions;
    int status =
        ns_store_read(m->runs[k], site, NS_INPUT, from * positions, rows, m->x + at * c, err);
    if (!status)
        status =
            ns_store_read(m->runs[k], site, NS_OUTPUT, from * positions, rows, m->y + at * c, err);
    if (!status)
        status = ns_store_read_rows(m->runs[k], site, from * positions, rows, NULL, NULL,
                                    m->kinds + at, err);
    return status;
}

/* The place of a sample in the result; beyond all places where there is no such sample. */
static uint64_t place_of(const ns_merging *m, int64_t id) {
    uint64_t low = 0, high = m->plan.samples;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (m->order[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->plan.samples && m->order[low].id == id ? m->order[low].place : UINT64_MAX;
}

/* A part of the result, and of it what comes from one run: places [from, to). */
typedef struct part {
    int run, site;
    uint64_t first, from, to;
} part;

/* What a sampled run keeps of a site. */
typedef struct kept {
    uint64_t rows, extremes;
    int64_t *samples;   /* [rows + extremes] */
    int32_t *positions; /* [rows + extremes], row of the sample: token * heads + head */
    uint8_t *kinds;     /* [rows + extremes] */
} kept;

static void kept_free(kept *k) {
    free(k->samples);
    free(k->positions);
    free(k->kinds);
}

/* Which row of its sample that is; -1: there is none. */
static int32_t row_of_sample(const ns_site *site, int32_t position, int32_t head) {
    int heads = ns_site_heads(site), tokens = site->positions / heads;
    bool good = position >= 0 && position < tokens && head >= 0 && head < heads;
    return good ? position * heads + head : -1;
}

/* Of the sampled rows, and the extreme ones behind them: of those the kind is not known, and does not matter, since they are kept for
 * drawing and so must only not be padding. */
static int kept_read(kept *out, const ns_merging *m, const part *p, ns_error *err) {
    const ns_store *run = m->runs[p->run];
    const ns_store_site *s = ns_store_site_at(run, p->site);
    size_t n = (size_t)s->rows, all = n + (size_t)s->extreme_rows;
    *out = (kept){.rows = n,
                  .extremes = s->extreme_rows,
                  .samples = ns_calloc(all, sizeof(int64_t), err),
                  .positions = ns_calloc(all, sizeof(int32_t), err),
                  .kinds = ns_calloc(all, 1, err)};
    if (!out->samples || !out->positions || !out->kinds) return NS_EFAIL;
    int32_t *heads = ns_calloc(all, sizeof *heads, err);
    int status = heads ? NS_OK : NS_EFAIL;
    if (!status)
        status =
            ns_store_read_rows(run, p->site, 0, n, out->samples, out->positions, out->kinds, err);
    if (!status) status = ns_store_read_heads(run, p->site, 0, n, heads, err);
    if (!status)
        status = ns_store_read_extreme(run, p->site, NULL, NULL, out->samples + n,
                                       out->positions + n, heads + n, err);
    for (size_t r = 0; r < all && !status; r++)
        out->positions[r] = row_of_sample(&s->site, out->positions[r], heads[r]);
    free(heads);
    return status;
}

/* The place in the result of row r of what is kept. */
static uint64_t place_of_row(const ns_merging *m, const part *p, const kept *k, uint64_t r) {
    int64_t raise = m->raise[p->run];
    return k->samples[r] < INT64_MAX - raise ? place_of(m, k->samples[r] + raise) : UINT64_MAX;
}

/* Rows [begin, end) of what is kept, whose values are x and y, to where they belong in the batch. */
static void put_rows(const ns_merging *m, const part *p, const kept *k, uint64_t begin,
                     uint64_t end, const float *x, const float *y) {
    size_t c = (size_t)m->sites[p->site].norm.channels,
           positions = (size_t)m->sites[p->site].positions;
    for (uint64_t r = begin; r < end; r++, x += c, y += c) {
        uint64_t place = place_of_row(m, p, k, r);
        if (place < p->from || place >= p->to || k->positions[r] < 0) continue;
        size_t row = (size_t)(place - p->first) * positions + (size_t)k->positions[r];
        memcpy(m->x + row * c, x, c * sizeof *x);
        memcpy(m->y + row * c, y, c * sizeof *y);
        if (m->kinds[row] == NS_ROW_PADDING) m->kinds[row] = k->kinds[r];
    }
}

/* A row that is in both has the sample's kind and the extreme one's values, which are never float16. Of the sampled rows only those from
 * the first to the last of the part are read: they are stored in the order of the run. */
static int put_kept(const ns_merging *m, const part *p, const kept *k, ns_error *err) {
    const ns_store *run = m->runs[p->run];
    size_t c = (size_t)m->sites[p->site].norm.channels;
    uint64_t begin = k->rows, end = 0;
    for (uint64_t r = 0; r < k->rows; r++) {
        uint64_t place = place_of_row(m, p, k, r);
        if (place < p->from || place >= p->to) continue;
        if (begin == k->rows) begin = r;
        end = r + 1;
    }
    uint64_t rows = end > begin ? end - begin : 0;
    size_t room = (size_t)(rows > k->extremes ? rows : k->extremes) * c;
    float *x = ns_alloc_aligned(room, sizeof *x, err), *y = ns_alloc_aligned(room, sizeof *y, err);
    int status = x && y ? NS_OK : NS_EFAIL;
    if (!status) status = ns_store_read(run, p->site, NS_INPUT, rows ? begin : 0, rows, x, err);
    if (!status) status = ns_store_read(run, p->site, NS_OUTPUT, rows ? begin : 0, rows, y, err);
    if (!status) put_rows(m, p, k, begin, begin + rows, x, y);
    if (!status) status = ns_store_read_extreme(run, p->site, x, y, NULL, NULL, NULL, err);
    if (!status) put_rows(m, p, k, k->rows, k->rows + k->extremes, x, y);
    free(x);
    free(y);
    return status;
}

/* What is not there is padding, and so no extreme row either. */
static int fill_sampled(const ns_merging *m, const part *p, ns_error *err) {
    kept k;
    int status = kept_read(&k, m, p, err);
    if (!status) status = put_kept(m, p, &k, err);
    kept_free(&k);
    return status;
}

static int fill_part(const ns_merging *m, const part *p, ns_error *err) {
    uint64_t positions = (uint64_t)m->sites[p->site].positions, begin = m->first[p->run];
    if (m->plan.sample_rows) return fill_sampled(m, p, err);
    if (m->plan.link_count)
        return ns_store_read_rows(m->runs[p->run], p->site, (p->from - begin) * positions,
                                  (p->to - p->from) * positions, NULL, NULL,
                                  m->kinds + (p->from - p->first) * positions, err);
    return copy_rows(m, p->run, p->site, p->from - begin, p->to - begin,
                     (p->from - p->first) * positions, err);
}

int ns_merge_rows(const ns_merging *m, int site, uint64_t first, uint64_t samples, ns_error *err) {
    size_t rows = (size_t)samples * (size_t)m->sites[site].positions,
           values = rows * (size_t)m->sites[site].norm.channels;
    if (m->plan.sample_rows) {
        memset(m->x, 0, values * sizeof *m->x);
        memset(m->y, 0, values * sizeof *m->y);
        memset(m->kinds, NS_ROW_PADDING, rows);
    }
    int status = NS_OK;
    for (int k = 0; k < m->count && !status; k++) {
        uint64_t from = m->first[k] > first ? m->first[k] : first, end = first + samples,
                 to = m->first[k + 1] < end ? m->first[k + 1] : end;
        if (from < to) status = fill_part(m, &(part){k, site, first, from, to}, err);
    }
    return status;
}
