#include "probe/capture/merge_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"
#include "probe/base/stop.h"
#include "probe/base/version.h"

/* Values of a batch of a site; smaller batches for wider sites. */
#define MOST_BATCH_VALUES ((uint64_t)1 << 22)

const char *ns_merge_text(const ns_store *run, const char *name) {
    const char *value = ns_store_attribute(run, name);
    return value ? value : "";
}

/* ---- what must be the same ---- */

static int check_attributes(const ns_store *a, const ns_store *b, ns_error *err) {
    static const char *const same[] = {"model_sha256", "mode",        "storage_type",
                                       "compute_type", "sample_rows", "preprocessing"};
    size_t count =
        sizeof same / sizeof *same - !ns_merge_same_data(a, b); /* other data, other steps */
    for (size_t i = 0; i < count; i++)
        if (strcmp(ns_merge_text(a, same[i]), ns_merge_text(b, same[i])) != 0)
            return ns_fail(err, NS_EINPUT, "%s: %s: expected '%s' as in %s, found '%s'",
                           ns_store_path(b), same[i], ns_merge_text(a, same[i]), ns_store_path(a),
                           ns_merge_text(b, same[i]));
    bool sampled = strcmp(ns_merge_text(a, "sample_rows"), "0") != 0;
    if (sampled && strcmp(ns_merge_text(a, "seed"), ns_merge_text(b, "seed")) != 0)
        return ns_fail(
            err, NS_EINPUT, "%s: expected rows sampled by the seed %s as in %s, found the seed %s",
            ns_store_path(b), ns_merge_text(a, "seed"), ns_store_path(a), ns_merge_text(b, "seed"));
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
            p->site.positions != q->site.positions ||
            ns_site_heads(&p->site) != ns_site_heads(&q->site) || p->has_sketch != q->has_sketch)
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

/* ---- the plan ---- */

static const ns_store_block *blocks_of(void *user, int site, int *count) {
    ns_merging *m = user;
    *count = m->block_counts[site];
    return m->blocks[site];
}

static int merge_sketches(ns_merging *m, ns_error *err) {
    int sites = ns_store_site_count(m->runs[0]), status = NS_OK;
    m->sketches = ns_calloc((size_t)sites, sizeof *m->sketches, err);
    m->blocks = ns_calloc((size_t)sites, sizeof *m->blocks, err);
    m->block_counts = ns_calloc((size_t)sites, sizeof *m->block_counts, err);
    if (!m->sketches || !m->blocks || !m->block_counts) return NS_EFAIL;
    for (int i = 0; i < sites && !status; i++) {
        status = ns_sketch_new(&m->sketches[i], m->sites[i].norm.channels,
                               m->sites[i].positions / ns_site_heads(&m->sites[i]), err);
        for (int k = 0; k < m->count && !status; k++) {
            ns_sketch one = {0};
            status = ns_sketch_read(&one, m->runs[k], i, err);
            for (int t = 0; t < NS_SKETCH_TOP && !status; t++)
                if (one.top_sample[t] >= 0 && one.top_sample[t] < INT64_MAX - m->raise[k])
                    one.top_sample[t] += m->raise[k];
            if (!status) status = ns_sketch_merge(&m->sketches[i], &one, err);
            ns_sketch_free(&one);
        }
        if (!status) m->block_counts[i] = ns_sketch_blocks(&m->sketches[i], m->blocks[i]);
    }
    m->plan.blocks = blocks_of;
    m->plan.blocks_user = m;
    return status;
}

static void make_plan(ns_merging *m) {
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
    m->plan = (ns_store_plan){
        .path = m->options->output,
        .force = m->options->force,
        .when_whole = true,
        .sites = m->sites,
        .site_count = sites,
        .wanted = m->wanted,
        .samples = samples,
        .sample_ids = m->ids,
        .labels = m->labels,
        .predictions = m->predicted != NULL,
        .batch = batch,
        .dtype = !strcmp(ns_merge_text(a, "storage_type"), "float16") ? NS_F16 : NS_F32,
        .rows = true,
        .sample_rows = (uint64_t)strtoull(ns_merge_text(a, "sample_rows"), NULL, 10),
        .seed = (uint64_t)strtoull(ns_merge_text(a, "seed"), NULL, 10)};
}

/* ---- the result ---- */

static int make_room(ns_merging *m, ns_error *err) {
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
    if (!m->x || !m->y || !m->kinds || !m->positions) return NS_EFAIL;
    return NS_OK;
}

/* Tokens of a sample's rows. */
static const int32_t *positions_of(const ns_merging *m, int site) {
    int heads = ns_site_heads(&m->sites[site]);
    for (int32_t p = 0; p < m->sites[site].positions; p++) m->positions[p] = p / heads;
    return m->positions;
}

static int write_batch(ns_merging *m, ns_store_writer *writer, uint64_t first, uint64_t n,
                       ns_error *err) {
    const ns_observer store = ns_store_writer_observer(writer);
    int status = NS_OK;
    for (int i = 0; i < m->plan.site_count && !status; i++) {
        const ns_rows rows = {.samples = (size_t)n,
                              .positions = (size_t)m->sites[i].positions,
                              .sample_ids = m->ids + first,
                              .position_ids = positions_of(m, i),
                              .kinds = m->kinds,
                              .x = m->x,
                              .y = m->y};
        status = ns_merge_rows(m, i, first, n, err);
        if (!status) status = store.deliver(store.user, &m->sites[i], &rows, err);
    }
    if (!status) status = ns_merge_words(m, first, n, err);
    if (status) return status;
    const ns_store_outcome outcome = {.predictions = m->predicted ? m->predicted + first : NULL,
                                      .loss = m->loss ? m->loss + first : NULL,
                                      .judged = m->judged ? m->judged + first : NULL,
                                      .hits = m->hits ? m->hits + first : NULL,
                                      .words = m->words};
    return ns_store_writer_commit_outcome(writer, n, &outcome, err);
}

static int write_all(ns_merging *m, ns_error *err) {
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
static int set_attributes(ns_merging *m, ns_attribute *out, int *count, char **sources,
                          ns_error *err) {
    static const char *const shared[] = {"model_path",  "model_family",  "model_sha256",
                                         "data_format", "preprocessing", "mode",
                                         "compute_type"};
    int n = 0;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (*ns_merge_text(m->runs[0], shared[i]))
            out[n++] = (ns_attribute){shared[i], ns_merge_text(m->runs[0], shared[i]), 0, true};
    char *list = ns_strdup("", err);
    for (int k = 0; k < m->count && list; k++) {
        char *longer = ns_asprintf(err, "%s%s%s", list, k ? "\n" : "", ns_store_path(m->runs[k]));
        free(list);
        list = longer;
    }
    if (!(*sources = list)) return NS_EFAIL;
    bool one = true;
    for (int k = 1; k < m->count; k++) one &= ns_merge_same_data(m->runs[0], m->runs[k]);
    out[n++] = (ns_attribute){"merged_from", list, 0, false};
    out[n++] = (ns_attribute){"data_path", one ? ns_merge_text(m->runs[0], "data_path") : "several",
                              0, true};
    out[n++] = (ns_attribute){"order", "merged", 0, true};
    out[n++] = (ns_attribute){"tool_version", NS_VERSION, 0, false};
    const char *line = m->options->command_line, *created = m->options->created;
    out[n++] = (ns_attribute){"command_line", line ? line : "", 0, false};
    out[n++] = (ns_attribute){"created", created ? created : "", 0, false};
    *count = n;
    return NS_OK;
}

static void merging_free(ns_merging *m) {
    for (int i = 0; m->sketches && i < ns_store_site_count(m->runs[0]); i++)
        ns_sketch_free(&m->sketches[i]);
    for (int k = 0; m->paths && k < m->count; k++) free(m->paths[k]);
    free(m->paths);
    free(m->links);
    free(m->block_counts);
    free(m->sketches);
    free(m->blocks);
    ns_merge_names_free(m);
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

static int make_links(ns_merging *m, ns_error *err) {
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

static int prepare(ns_merging *m, ns_error *err) {
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
    if (!status) status = ns_merge_samples(m, err);
    if (status) return status;
    make_plan(m);
    status = ns_merge_outcomes(m, err);
    if (!status) status = ns_merge_names(m, err);
    if (!status && m->options->link) status = make_links(m, err);
    if (!status && ns_store_site_at(m->runs[0], 0)->has_sketch) status = merge_sketches(m, err);
    return status ? status : make_room(m, err);
}

int ns_merge_runs(ns_store *const *runs, int count, const ns_merge_options *o,
                  ns_merge_result *result, ns_error *err) {
    enum { MOST_ATTRIBUTES = 16 };
    ns_merging m = {.runs = runs, .count = count, .options = o};
    ns_attribute attributes[MOST_ATTRIBUTES];
    char *sources = NULL, *target = NULL;
    int status = ns_output_decide(o->output, o->force, NULL, 0, &target, err);
    if (!status) status = prepare(&m, err);
    if (!status) status = set_attributes(&m, attributes, &m.plan.attribute_count, &sources, err);
    m.plan.attributes = attributes;
    if (!status) status = write_all(&m, err);
    *result = (ns_merge_result){m.plan.samples, m.plan.site_count};
    merging_free(&m);
    free(sources);
    free(target);
    return status;
}
