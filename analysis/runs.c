#include "analysis/runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"

static int each_site(const ns_runs *runs, ns_store *store, ns_error *err) {
    int count = ns_store_site_count(store);
    bool *wanted = ns_calloc((size_t)count, sizeof *wanted, err);
    if (!wanted) return NS_EFAIL;
    int status = ns_select_sites(&runs->selection, count, ns_store_select_at, store, wanted, err);
    if (status) ns_fail_context(err, "%s", ns_store_path(store));
    for (int i = 0; i < count && !status; i++)
        if (wanted[i]) status = runs->site(runs->user, store, i, err);
    free(wanted);
    if (!status && runs->file_done) status = runs->file_done(runs->user, store, err);
    return status;
}

static int one_store(const ns_runs *runs, const char *path, ns_error *err) {
    ns_store *store = NULL;
    int status = ns_store_open(&store, path, err);
    if (!status) status = each_site(runs, store, err);
    ns_store_close(store);
    return status;
}

static int one_training(const ns_runs *runs, const char *path, ns_error *err) {
    ns_training *training = NULL;
    int status = ns_training_open(&training, path, err);
    if (status) return status;
    bool *wanted = ns_calloc((size_t)ns_training_sites(training), sizeof *wanted, err);
    status = wanted ? ns_training_select(training, &runs->selection, wanted, err) : NS_EFAIL;
    if (!status) status = runs->training(runs->user, training, wanted, err);
    free(wanted);
    ns_training_close(training);
    return status;
}

static int one_file(const ns_runs *runs, int file, ns_error *err) {
    const char *path = runs->files[file];
    int status = runs->file_begin ? runs->file_begin(runs->user, file, err) : NS_OK;
    bool training = runs->training && (ns_is_folder(path) || ns_training_is(path));
    if (!status) status = training ? one_training(runs, path, err) : one_store(runs, path, err);
    if (status && runs->file_failed) runs->file_failed(runs->user);
    return status;
}

/* By whatever name it is given; a training run's folder is its record. */
static void identify(const char *path, struct stat *out) {
    char *file = ns_training_file(path, NULL);
    if (!file || stat(file, out) != 0) *out = (struct stat){0};
    free(file);
}

static int check_distinct(const ns_runs *runs, ns_error *err) {
    struct stat *all = ns_calloc((size_t)runs->file_count, sizeof *all, err);
    int status = all ? NS_OK : NS_EFAIL;
    for (int i = 0; i < runs->file_count && !status; i++) {
        identify(runs->files[i], &all[i]);
        for (int k = 0; k < i && all[i].st_ino && !status; k++)
            if (all[k].st_ino == all[i].st_ino && all[k].st_dev == all[i].st_dev)
                status = ns_fail(err, NS_EUSAGE, "%s: given twice (it is %s)", runs->files[i],
                                 runs->files[k]);
    }
    free(all);
    return status;
}

int ns_runs_each(const ns_runs *runs, ns_error *err) {
    int bad = check_distinct(runs, err), good = 0;
    if (bad) return bad;
    ns_error all = {0}, one = {0};
    for (int i = 0; i < runs->file_count; i++) {
        one = (ns_error){0};
        int status = one_file(runs, i, &one);
        if (status && (status == NS_ESTOP || runs->file_count == 1)) {
            if (err) *err = one;
            return status;
        }
        good += !status;
        if (!status) continue;
        if (!bad) ns_fail(&all, status, "these files could not be used:");
        ns_fail_more(&all, "\n  %s", one.message);
        bad = bad && bad != status ? NS_EFAIL : status;
    }
    if (bad && err) *err = all;
    return bad && good ? NS_EFAIL : bad;
}

ns_selection ns_selection_of(const ns_selection_words *w) {
    return (ns_selection){w->select.items, w->select.count, w->exclude.items, w->exclude.count,
                          w->layers};
}

void ns_selection_free(ns_selection_words *words) {
    ns_list_free(&words->select);
    ns_list_free(&words->exclude);
}

bool ns_source_is_sketch(ns_source_choice choice, const ns_store_site *site) {
    if (choice != NS_FROM_BEST) return choice == NS_FROM_SKETCH;
    return site->has_sketch && (site->sampled || !site->rows);
}

void ns_sampled_note(ns_sampled *s, const ns_store_site *site) {
    if (!site->sampled || site->rows == site->rows_seen) return;
    const uint64_t now[] = {site->rows, site->rows_seen};
    uint64_t *const ranges[] = {s->rows, s->of};
    for (int k = 0; k < 2; k++) {
        if (!s->sites || now[k] < ranges[k][0]) ranges[k][0] = now[k];
        if (!s->sites || now[k] > ranges[k][1]) ranges[k][1] = now[k];
    }
    s->sites++;
}

/* "300", or "300 to 1024". */
static void print_range(const uint64_t range[2]) {
    printf("%" PRIu64, range[0]);
    if (range[1] != range[0]) printf(" to %" PRIu64, range[1]);
}

void ns_sampled_print(const ns_sampled *s) {
    if (!s->sites) return;
    printf("From a sample of rows: ");
    print_range(s->rows);
    printf(" of ");
    print_range(s->of);
    printf(s->sites == 1 ? ".\n" : " at each of %d sites.\n", s->sites);
}

static int stats_from_sketch(ns_stats *out, ns_store *store, int i, const ns_stats_options *options,
                             ns_error *err) {
    ns_sketch sketch = {0};
    int status = ns_sketch_read(&sketch, store, i, err);
    if (!status) status = ns_stats_sketch(out, &sketch, options, err);
    ns_sketch_free(&sketch);
    return status;
}

int ns_runs_stats(ns_stats *out, ns_store *store, int i, ns_source_choice from,
                  const ns_stats_options *options, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    *out = (ns_stats){0};
    if (ns_source_is_sketch(from, site)) return stats_from_sketch(out, store, i, options, err);
    ns_points points;
    int status = ns_points_store(&points, store, i, err);
    if (status) return status;
    if (options->progress)
        ns_progress_begin(options->progress, site->site.name, "rows", points.rows);
    status = ns_stats_make(out, &points, options, err);
    if (options->progress) ns_progress_end(options->progress);
    return status;
}

int ns_runs_store_table(ns_table *table, const ns_store *store, ns_result which, ns_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (!file) return ns_fail(err, NS_EFAIL, "out of memory");
    int status = ns_table_print(table, file, NS_JSON, err);
    if (fclose(file) != 0 && !status) status = ns_fail(err, NS_EFAIL, "out of memory");
    if (!status) status = ns_store_put_result(store, which, text, err);
    free(text);
    ns_table_clear(table);
    return status;
}
