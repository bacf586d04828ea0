#include "probe/merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/stop.h"
#include "probe/base/version.h"
#include "probe/sketch.h"
#include "probe/store_write.h"

/* Values of a batch of a site; smaller batches for wider sites. */
#define MOST_BATCH_VALUES ((uint64_t)1 << 22)

/* A sample's number, and the run that has it or its place in the result. */
typedef struct owned {
    int64_t id, of;
} owned;

typedef struct merging {
    ns_store *const *runs;
    int count;
    const ns_merge_options *options;
    uint64_t *first;    /* [count + 1] place of each run's first sample in the result */
    int64_t *raise;     /* [count] what is added to a run's sample numbers */
    int64_t *ids;       /* [samples] */
    int32_t *labels;    /* [samples], or NULL */
    int32_t *predicted; /* [samples], or NULL */
    ns_site *sites;
    bool *wanted;
    ns_sketch *sketches; /* [sites], where there are any */
    ns_store_block (*blocks)[NS_SKETCH_BLOCKS];
    ns_store_plan plan;
    owned *order; /* [samples] by rising number, `of` the place in the result */
    ns_store_link *links;
    char **paths; /* [count] full paths */
    float *x, *y; /* a batch */
    uint8_t *kinds;
    int32_t *positions;
} merging;

static const char *text_of(const ns_store *run, const char *name) {
    const char *value = ns_store_attribute(run, name);
    return value ? value : "";
}

/* ---- what must be the same ---- */

static bool same_data(const ns_store *a, const ns_store *b) {
    const char *p = text_of(a, "data_path"), *q = text_of(b, "data_path");
    const char *s = text_of(a, "data_sha256"), *t = text_of(b, "data_sha256");
    return (*p && !strcmp(p, q)) || (*s && !strcmp(s, t));
}

static int check_attributes(const ns_store *a, const ns_store *b, ns_error *err) {
    static const char *const same[] = {"model_sha256", "mode",        "storage_type",
                                       "compute_type", "sample_rows", "preprocessing"};
    size_t count = sizeof same / sizeof *same - !same_data(a, b); /* other data, other steps */
    for (size_t i = 0; i < count; i++)
        if (strcmp(text_of(a, same[i]), text_of(b, same[i])) != 0)
            return ns_fail(err, NS_EINPUT, "%s: %s: expected '%s' as in %s, found '%s'",
                           ns_store_path(b), same[i], text_of(a, same[i]), ns_store_path(a),
                           text_of(b, same[i]));
    bool sampled = strcmp(text_of(a, "sample_rows"), "0") != 0;
    if (sampled && strcmp(text_of(a, "seed"), text_of(b, "seed")) != 0)
        return ns_fail(err, NS_EINPUT,
                       "%s: expected rows sampled by the seed %s as in %s, found the seed %s",
                       ns_store_path(b), text_of(a, "seed"), ns_store_path(a), text_of(b, "seed"));
    return NS_OK;
}

static int check_sites(const ns_store *a, const ns_store *b, ns_error *err) {
    if (ns_store_site_count(a) != ns_store_site_count(b))
        return ns_fail(err, NS_EINPUT, "%s: expected %d sites as in %s, found %d", ns_store_path(b),
                       ns_store_site_count(a), ns_store_path(a), ns_store_site_count(b));
    for (int i = 0; i < ns_store_site_count(a); i++) {
        const ns_store_site *p = ns_store_site_at(a, i), *q = ns_store_site_at(b, i);
        if (p->site.index != q->site.index || strcmp(p->site.name, q->site.name) != 0 ||
            p->site.norm.kind != q->site.norm.kind ||
            p->site.norm.channels != q->site.norm.channels ||
            p->site.positions != q->site.positions || p->has_sketch != q->has_sketch)
            return ns_fail(err, NS_EINPUT,
                           "%s: expected site %d (%s, %s, %d channels, %d positions) as in %s, "
                           "found site %d (%s, %s, %d, %d)",
                           ns_store_path(b), p->site.index, p->site.name, p->site.norm.kind->name,
                           p->site.norm.channels, p->site.positions, ns_store_path(a),
                           q->site.index, q->site.name, q->site.norm.kind->name,
                           q->site.norm.channels, q->site.positions);
    }
    return NS_OK;
}

static int by_id(const void *a, const void *b) {
    const owned *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return (x->of > y->of) - (x->of < y->of);
}

/* Run k's samples that an earlier run of the same data has too. */
static int check_twice(const merging *m, int k, ns_error *err) {
    uint64_t count = 0;
    owned *all = ns_calloc(m->first[k + 1], sizeof *all, err);
    if (!all) return NS_EFAIL;
    for (int r = 0; r <= k; r++)
        for (uint64_t i = m->first[r]; i < m->first[r + 1] && same_data(m->runs[r], m->runs[k]);
             i++)
            all[count++] = (owned){m->ids[i], r};
    qsort(all, count, sizeof *all, by_id);
    int status = NS_OK;
    for (uint64_t i = 1; i < count && !status; i++)
        if (all[i].id == all[i - 1].id)
            status =
                ns_fail(err, NS_EINPUT,
                        "%s: sample %" PRId64 " of %s is in %s already: counted twice it would "
                        "weigh double",
                        ns_store_path(m->runs[all[i].of]), all[i].id,
                        text_of(m->runs[k], "data_path"), ns_store_path(m->runs[all[i - 1].of]));
    free(all);
    return status;
}

/* Numbers of other data are raised above all before them, so that a number means one sample. */
static int raise_ids(merging *m, ns_error *err) {
    int64_t above = 0;
    for (int k = 0; k < m->count; k++) {
        bool clash = false;
        int like = k;
        for (int r = k - 1; r >= 0; r--) {
            if (same_data(m->runs[r], m->runs[k])) like = r;
            clash |= !same_data(m->runs[r], m->runs[k]);
        }
        m->raise[k] = like < k ? m->raise[like] : clash ? above : 0;
        if (m->raise[k] && strcmp(text_of(m->runs[k], "sample_rows"), "0") != 0)
            return ns_fail(err, NS_EINPUT,
                           "%s: other data than %s: rows that were sampled by the number of their "
                           "sample cannot be merged over different data",
                           ns_store_path(m->runs[k]), ns_store_path(m->runs[0]));
        for (uint64_t i = m->first[k]; i < m->first[k + 1]; i++) {
            if (m->ids[i] < 0 || m->ids[i] > INT64_MAX - 1 - m->raise[k])
                return ns_fail(err, NS_EINPUT,
                               "%s: sample %" PRId64 ": expected a number from 0 to %" PRId64,
                               ns_store_path(m->runs[k]), m->ids[i], INT64_MAX - 1 - m->raise[k]);
            m->ids[i] += m->raise[k];
            if (m->ids[i] >= above) above = m->ids[i] + 1;
        }
    }
    return NS_OK;
}

/* ---- the plan ---- */

static int read_samples(merging *m, ns_error *err) {
    bool labels = true, predicted = true;
    uint64_t all = m->first[m->count];
    m->ids = ns_calloc(all, sizeof *m->ids, err);
    m->labels = ns_calloc(all, sizeof *m->labels, err);
    m->predicted = ns_calloc(all, sizeof *m->predicted, err);
    int status = m->ids && m->labels && m->predicted ? NS_OK : NS_EFAIL;
    for (int k = 0; k < m->count && !status; k++) {
        uint64_t at = m->first[k];
        status = ns_store_read_samples(m->runs[k], 0, m->first[k + 1] - at, m->ids + at,
                                       m->labels + at, m->predicted + at, err);
        if (!status) status = check_twice(m, k, err);
    }
    if (!status) status = raise_ids(m, err);
    for (uint64_t i = 0; i < all && !status; i++) {
        labels &= m->labels[i] >= 0;
        predicted &= m->predicted[i] >= 0;
    }
    if (!labels) free(m->labels), m->labels = NULL;
    if (!predicted) free(m->predicted), m->predicted = NULL;
    return status;
}

static const ns_store_block *blocks_of(void *user, int site, int *count) {
    merging *m = user;
    *count = NS_SKETCH_BLOCKS;
    return m->blocks[site];
}

static int merge_sketches(merging *m, ns_error *err) {
    int sites = ns_store_site_count(m->runs[0]), status = NS_OK;
    m->sketches = ns_calloc((size_t)sites, sizeof *m->sketches, err);
    m->blocks = ns_calloc((size_t)sites, sizeof *m->blocks, err);
    if (!m->sketches || !m->blocks) return NS_EFAIL;
    for (int i = 0; i < sites && !status; i++) {
        status =
            ns_sketch_new(&m->sketches[i], m->sites[i].norm.channels, m->sites[i].positions, err);
        for (int k = 0; k < m->count && !status; k++) {
            ns_sketch one = {0};
            status = ns_sketch_read(&one, m->runs[k], i, err);
            for (int t = 0; t < NS_SKETCH_TOP && !status; t++)
                if (one.top_sample[t] >= 0 && one.top_sample[t] < INT64_MAX - m->raise[k])
                    one.top_sample[t] += m->raise[k];
            if (!status) status = ns_sketch_merge(&m->sketches[i], &one, err);
            ns_sketch_free(&one);
        }
        if (!status) ns_sketch_blocks(&m->sketches[i], m->blocks[i]);
    }
    m->plan.blocks = blocks_of;
    m->plan.blocks_user = m;
    return status;
}

static void make_plan(merging *m, const char *path) {
    const ns_store *a = m->runs[0];
    int sites = ns_store_site_count(a);
    uint64_t widest = 1, samples = m->first[m->count], batch;
    for (int i = 0; i < sites; i++) {
        m->sites[i] = ns_store_site_at(a, i)->site;
        m->wanted[i] = true;
        uint64_t values = (uint64_t)m->sites[i].positions * (uint64_t)m->sites[i].norm.channels;
        widest = values > widest ? values : widest;
    }
    batch = MOST_BATCH_VALUES / widest;
    batch = batch < 1 ? 1 : batch > samples && samples ? samples : batch;
    m->plan =
        (ns_store_plan){.path = path,
                        .shown = m->options->output,
                        .force = true,
                        .sites = m->sites,
                        .site_count = sites,
                        .wanted = m->wanted,
                        .samples = samples,
                        .sample_ids = m->ids,
                        .labels = m->labels,
                        .predictions = m->predicted != NULL,
                        .batch = batch,
                        .dtype = !strcmp(text_of(a, "storage_type"), "float16") ? NS_F16 : NS_F32,
                        .rows = true,
                        .sample_rows = (uint64_t)strtoull(text_of(a, "sample_rows"), NULL, 10),
                        .seed = (uint64_t)strtoull(text_of(a, "seed"), NULL, 10)};
}

/* ---- rows ---- */

/* Rows of samples [from, to) of run k, where all rows are there, to the batch's place `at` (in rows). */
static int copy_rows(const merging *m, int k, int site, uint64_t from, uint64_t to, uint64_t at,
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

/* A row that a sampled run has: whose place it takes in the batch [first, first + samples). */
static void put_row(const merging *m, int site, uint64_t first, uint64_t samples, int64_t id,
                    int32_t position, uint8_t kind, const float *x, const float *y) {
    size_t c = (size_t)m->sites[site].norm.channels, positions = (size_t)m->sites[site].positions;
    uint64_t low = 0, high = m->plan.samples;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (m->order[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == m->plan.samples || m->order[low].id != id) return;
    uint64_t place = (uint64_t)m->order[low].of;
    if (place < first || place >= first + samples || position < 0 || (size_t)position >= positions)
        return;
    size_t row = (size_t)(place - first) * positions + (size_t)position;
    memcpy(m->x + row * c, x, c * sizeof *x);
    memcpy(m->y + row * c, y, c * sizeof *y);
    if (m->kinds[row] == NS_ROW_PADDING) m->kinds[row] = kind;
}

/* What a sampled run keeps of a site. */
typedef struct kept {
    uint64_t rows;
    float *x, *y;
    int64_t *samples;
    int32_t *positions;
    uint8_t *kinds;
} kept;

static void kept_free(kept *k) {
    free(k->x);
    free(k->y);
    free(k->samples);
    free(k->positions);
    free(k->kinds);
}

/* The sampled rows, and the extreme ones behind them: of those the kind is not known, and does not matter, since they are kept for
 * drawing and so must only not be padding. */
static int kept_read(kept *out, const merging *m, int k, int site, ns_error *err) {
    const ns_store_site *s = ns_store_site_at(m->runs[k], site);
    size_t c = (size_t)s->site.norm.channels, n = (size_t)s->rows, e = (size_t)s->extreme_rows;
    *out = (kept){.rows = n + e,
                  .x = ns_alloc_aligned((n + e) * c, sizeof(float), err),
                  .y = ns_alloc_aligned((n + e) * c, sizeof(float), err),
                  .samples = ns_calloc(n + e, sizeof(int64_t), err),
                  .positions = ns_calloc(n + e, sizeof(int32_t), err),
                  .kinds = ns_calloc(n + e, 1, err)};
    if (!out->x || !out->y || !out->samples || !out->positions || !out->kinds) return NS_EFAIL;
    int status = ns_store_read(m->runs[k], site, NS_INPUT, 0, n, out->x, err);
    if (!status) status = ns_store_read(m->runs[k], site, NS_OUTPUT, 0, n, out->y, err);
    if (!status)
        status = ns_store_read_rows(m->runs[k], site, 0, n, out->samples, out->positions,
                                    out->kinds, err);
    if (!status)
        status = ns_store_read_extreme(m->runs[k], site, out->x + n * c, out->y + n * c,
                                       out->samples + n, out->positions + n, err);
    return status;
}

static int fill_sampled(const merging *m, int site, uint64_t first, uint64_t samples,
                        ns_error *err) {
    size_t c = (size_t)m->sites[site].norm.channels,
           rows = (size_t)samples * (size_t)m->sites[site].positions;
    memset(m->x, 0, rows * c * sizeof *m->x);
    memset(m->y, 0, rows * c * sizeof *m->y);
    memset(m->kinds, NS_ROW_PADDING, rows); /* what is not there is no extreme row either */
    int status = NS_OK;
    for (int k = 0; k < m->count && !status; k++) {
        kept of;
        status = kept_read(&of, m, k, site, err);
        /* A row that is in both has the sample's kind and the extreme one's values, which are never float16. */
        for (uint64_t r = 0; r < of.rows && !status; r++)
            if (of.samples[r] < INT64_MAX - m->raise[k])
                put_row(m, site, first, samples, of.samples[r] + m->raise[k], of.positions[r],
                        of.kinds[r], of.x + r * c, of.y + r * c);
        kept_free(&of);
    }
    return status;
}

static int fill(const merging *m, int site, uint64_t first, uint64_t samples, ns_error *err) {
    if (m->plan.sample_rows) return fill_sampled(m, site, first, samples, err);
    int status = NS_OK;
    for (int k = 0; k < m->count && !status; k++) {
        uint64_t from = m->first[k] > first ? m->first[k] : first, end = first + samples,
                 to = m->first[k + 1] < end ? m->first[k + 1] : end;
        if (from < to && m->plan.link_count)
            status = ns_store_read_rows(
                m->runs[k], site, (from - m->first[k]) * (uint64_t)m->sites[site].positions,
                (to - from) * (uint64_t)m->sites[site].positions, NULL, NULL,
                m->kinds + (from - first) * (uint64_t)m->sites[site].positions, err);
        else if (from < to)
            status = copy_rows(m, k, site, from - m->first[k], to - m->first[k],
                               (from - first) * (uint64_t)m->sites[site].positions, err);
    }
    return status;
}

/* ---- the result ---- */

static int make_room(merging *m, ns_error *err) {
    size_t values = 0, rows = 0;
    int most = 0;
    for (int i = 0; i < m->plan.site_count; i++) {
        size_t r = (size_t)m->plan.batch * (size_t)m->sites[i].positions;
        size_t v = r * (size_t)m->sites[i].norm.channels;
        rows = r > rows ? r : rows;
        values = v > values ? v : values;
        most = m->sites[i].positions > most ? m->sites[i].positions : most;
    }
    m->x = ns_alloc_aligned(values, sizeof *m->x, err);
    m->y = ns_alloc_aligned(values, sizeof *m->y, err);
    m->kinds = ns_calloc(rows, 1, err);
    m->positions = ns_calloc((size_t)most, sizeof *m->positions, err);
    m->order = ns_calloc(m->plan.samples, sizeof *m->order, err);
    if (!m->x || !m->y || !m->kinds || !m->positions || !m->order) return NS_EFAIL;
    for (int32_t p = 0; p < most; p++) m->positions[p] = p;
    for (uint64_t i = 0; i < m->plan.samples; i++) m->order[i] = (owned){m->ids[i], (int64_t)i};
    qsort(m->order, m->plan.samples, sizeof *m->order, by_id);
    return NS_OK;
}

static int write_batch(merging *m, ns_store_writer *writer, uint64_t first, uint64_t n,
                       ns_error *err) {
    const ns_observer store = ns_store_writer_observer(writer);
    int status = NS_OK;
    for (int i = 0; i < m->plan.site_count && !status; i++) {
        const ns_rows rows = {.samples = (size_t)n,
                              .positions = (size_t)m->sites[i].positions,
                              .sample_ids = m->ids + first,
                              .position_ids = m->positions,
                              .kinds = m->kinds,
                              .x = m->x,
                              .y = m->y};
        status = fill(m, i, first, n, err);
        if (!status) status = store.deliver(store.user, &m->sites[i], &rows, err);
    }
    if (status) return status;
    return ns_store_writer_commit(writer, n, m->predicted ? m->predicted + first : NULL, err);
}

static int write_all(merging *m, ns_error *err) {
    ns_store_writer *writer = NULL;
    int status = ns_store_create(&writer, &m->plan, err);
    if (status) return status;
    for (uint64_t first = 0; first < m->plan.samples && !status; first += m->plan.batch) {
        uint64_t left = m->plan.samples - first, n = left < m->plan.batch ? left : m->plan.batch;
        if (ns_stop_requested()) {
            status = ns_fail(err, NS_ESTOP, "stopped; nothing was written");
            break;
        }
        status = write_batch(m, writer, first, n, err);
        ns_progress_at(m->options->progress, first + n);
    }
    int closed = ns_store_writer_close(writer, status ? NULL : err);
    return status ? status : closed;
}

/* Attributes: what is the same in all, and what was merged. */
static int set_attributes(merging *m, ns_attribute *out, int *count, char **sources,
                          ns_error *err) {
    static const char *const shared[] = {"model_path",  "model_family",  "model_sha256",
                                         "data_format", "preprocessing", "mode",
                                         "compute_type"};
    int n = 0;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (*text_of(m->runs[0], shared[i]))
            out[n++] = (ns_attribute){shared[i], text_of(m->runs[0], shared[i]), 0, true};
    char *list = ns_strdup("", err);
    for (int k = 0; k < m->count && list; k++) {
        char *longer = ns_asprintf(err, "%s%s%s", list, k ? "\n" : "", ns_store_path(m->runs[k]));
        free(list);
        list = longer;
    }
    if (!(*sources = list)) return NS_EFAIL;
    bool one = true;
    for (int k = 1; k < m->count; k++) one &= same_data(m->runs[0], m->runs[k]);
    out[n++] = (ns_attribute){"merged_from", list, 0, false};
    out[n++] =
        (ns_attribute){"data_path", one ? text_of(m->runs[0], "data_path") : "several", 0, true};
    out[n++] = (ns_attribute){"order", "merged", 0, true};
    out[n++] = (ns_attribute){"tool_version", NS_VERSION, 0, false};
    const char *line = m->options->command_line, *created = m->options->created;
    out[n++] = (ns_attribute){"command_line", line ? line : "", 0, false};
    out[n++] = (ns_attribute){"created", created ? created : "", 0, false};
    *count = n;
    return NS_OK;
}

static void merging_free(merging *m) {
    for (int i = 0; m->sketches && i < ns_store_site_count(m->runs[0]); i++)
        ns_sketch_free(&m->sketches[i]);
    for (int k = 0; m->paths && k < m->count; k++) free(m->paths[k]);
    free(m->paths);
    free(m->links);
    free(m->sketches);
    free(m->blocks);
    free(m->first);
    free(m->raise);
    free(m->ids);
    free(m->labels);
    free(m->predicted);
    free(m->sites);
    free(m->wanted);
    free(m->order);
    free(m->x);
    free(m->y);
    free(m->kinds);
    free(m->positions);
}

static int make_links(merging *m, ns_error *err) {
    if (m->plan.sample_rows)
        return ns_fail(err, NS_EINPUT,
                       "%s: rows that were sampled cannot be referred to, only copied",
                       ns_store_path(m->runs[0]));
    m->links = ns_calloc((size_t)m->count, sizeof *m->links, err);
    m->paths = ns_calloc((size_t)m->count, sizeof *m->paths, err);
    if (!m->links || !m->paths) return NS_EFAIL;
    for (int k = 0; k < m->count; k++) {
        if (!(m->paths[k] = realpath(ns_store_path(m->runs[k]), NULL)))
            return ns_fail(err, NS_EINPUT, "%s: its full path cannot be found",
                           ns_store_path(m->runs[k]));
        m->links[k] = (ns_store_link){m->paths[k], m->first[k + 1] - m->first[k]};
    }
    m->plan.links = m->links;
    m->plan.link_count = m->count;
    return NS_OK;
}

static int prepare(merging *m, const char *path, ns_error *err) {
    int status = NS_OK, sites = ns_store_site_count(m->runs[0]);
    m->first = ns_calloc((size_t)m->count + 1, sizeof *m->first, err);
    m->raise = ns_calloc((size_t)m->count, sizeof *m->raise, err);
    m->sites = ns_calloc((size_t)sites, sizeof *m->sites, err);
    m->wanted = ns_calloc((size_t)sites, sizeof *m->wanted, err);
    if (!m->first || !m->raise || !m->sites || !m->wanted) return NS_EFAIL;
    for (int k = 0; k < m->count && !status; k++) {
        m->first[k + 1] = m->first[k] + ns_store_samples(m->runs[k]);
        if (k) status = check_attributes(m->runs[0], m->runs[k], err);
        if (k && !status) status = check_sites(m->runs[0], m->runs[k], err);
    }
    if (!status && !m->first[m->count])
        status = ns_fail(err, NS_EINPUT, "%s: expected complete samples, found none",
                         ns_store_path(m->runs[0]));
    if (!status) status = read_samples(m, err);
    if (status) return status;
    make_plan(m, path);
    if (m->options->link) status = make_links(m, err);
    if (!status && ns_store_site_at(m->runs[0], 0)->has_sketch) status = merge_sketches(m, err);
    return status ? status : make_room(m, err);
}

int ns_merge_runs(ns_store *const *runs, int count, const ns_merge_options *o,
                  ns_merge_result *result, ns_error *err) {
    enum { MOST_ATTRIBUTES = 16 };
    merging m = {.runs = runs, .count = count, .options = o};
    ns_attribute attributes[MOST_ATTRIBUTES];
    char *sources = NULL, *path = ns_asprintf(err, "%s.merging", o->output);
    int status = path ? ns_output_check(o->output, err) : NS_EFAIL;
    if (!status && !o->force && access(o->output, F_OK) == 0)
        status = ns_fail(err, NS_EFAIL, "%s: exists already; --force overwrites it", o->output);
    if (!status) status = prepare(&m, path, err);
    if (!status) status = set_attributes(&m, attributes, &m.plan.attribute_count, &sources, err);
    m.plan.attributes = attributes;
    if (!status) {
        status = write_all(&m, err);
        if (!status && rename(path, o->output) != 0)
            status =
                ns_fail(err, NS_EFAIL, "%s: cannot be written: %s", o->output, strerror(errno));
        if (status)
            unlink(path);
        else
            status = ns_sync_folder_of(o->output, err);
    }
    *result = (ns_merge_result){m.plan.samples, m.plan.site_count};
    merging_free(&m);
    free(sources);
    free(path);
    return status;
}
