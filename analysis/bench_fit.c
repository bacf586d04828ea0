/* normscope bench fit: what a fit costs, beside one bare read of its data. Everything is measured in turn, in one process, so that a
 * machine whose speed drifts treats them alike. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "analysis/fit_internal.h"
#include "analysis/walk.h"
#include "probe/base/bench.h"
#include "probe/base/cli.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/random.h"
#include "probe/base/simd.h"
#include "probe/base/stop.h"
#include "probe/store/store_write.h"

typedef struct settings {
    const char *curve, *folder, *data;
    int64_t points, stream, channels, positions, runs, seed;
    int format;
    bool f16, shift, offset;
} settings;

typedef struct measures {
    ns_bench_runs read, bins, pass, fit, ratio;    /* points in memory */
    ns_bench_runs file_read, file_fit, file_ratio; /* streamed */
    double peak_bytes;                             /* of the process, after it streamed */
    ns_fit memory_fit, file_fit_is;
} measures;

static double gauss(uint64_t *state) {
    double u = 1 - ns_random_unit(state), v = ns_random_unit(state);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* The layer's input and output of one sample, [positions, channels]: each row has a scale of its own, so has each channel, and one
 * in a hundred channels is far larger than the others. The output is LayerNorm's before its affine. */
static void make_sample(const settings *s, const double *scales, uint64_t sample, float *x,
                        float *y) {
    uint64_t state = ns_mix64((uint64_t)s->seed) ^ ns_mix64(sample + 1);
    size_t c = (size_t)s->channels;
    for (int64_t row = 0; row < s->positions; row++, x += c, y += c) {
        double scale = exp(0.5 * gauss(&state)), mean = 0, square = 0;
        for (size_t i = 0; i < c; i++) {
            x[i] = (float)(gauss(&state) * scale * scales[i]);
            mean += (double)x[i];
        }
        mean /= (double)c;
        for (size_t i = 0; i < c; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean);
        double inverse = 1 / sqrt(square / (double)c + 1e-6);
        for (size_t i = 0; i < c; i++) y[i] = (float)(((double)x[i] - mean) * inverse);
    }
}

static double *make_scales(const settings *s, ns_error *err) {
    double *scales = ns_calloc((size_t)s->channels, sizeof *scales, err);
    uint64_t state = (uint64_t)s->seed + 1;
    for (int64_t i = 0; scales && i < s->channels; i++)
        scales[i] = exp(0.6 * gauss(&state)) * (i % 97 == 5 ? 8 : 1);
    return scales;
}

static uint64_t samples_of(const settings *s, int64_t points) {
    uint64_t each = (uint64_t)(s->channels * s->positions);
    return ((uint64_t)points + each - 1) / each;
}

/* ---- a bare read ---- */

NS_CLONES
static double sum(const float *x, size_t n) {
    double total = 0;
    for (size_t at = 0; at < n; at += 4096) {
        size_t m = n - at < 4096 ? n - at : 4096;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (size_t i = 0; i < m; i++) part += x[at + i];
        total += (double)part;
    }
    return total;
}

static int sum_piece(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    double *sums = user;
    sums[16 * piece->thread] += sum(piece->x, piece->points) + sum(piece->y, piece->points);
    return NS_OK;
}

/* Seconds to read all points once, with all threads, and to add them up so that nobody leaves it out. */
static int read_bare(const ns_points *points, double *seconds, ns_error *err) {
    double *sums = ns_calloc((size_t)omp_get_max_threads() * 16, sizeof *sums, err);
    if (!sums) return NS_EFAIL;
    ns_walk walk = {.points = points, .visit = sum_piece, .user = sums};
    double began = ns_seconds();
    int status = ns_walk_all(&walk, err);
    *seconds = ns_seconds() - began;
    free(sums);
    return status;
}

/* ---- the fit and its parts ---- */

static int fit_once(const settings *s, const ns_points *points, ns_fit *fit, double *seconds,
                    ns_error *err) {
    const ns_curve *curve = ns_curve_find(s->curve, err);
    if (!curve) return NS_EUSAGE;
    const ns_fit_options options = {
        .curves = &curve, .curve_count = 1, .shift = s->shift, .offset = s->offset};
    double began = ns_seconds();
    int status = ns_fit_points(points, &options, fit, err);
    *seconds = ns_seconds() - began;
    return status;
}

/* The two walks of a fit, each alone. */
static int walks_once(const settings *s, const ns_points *points, const ns_fit *fit, double *bins,
                      double *pass, ns_error *err) {
    ns_bins made;
    double began = ns_seconds();
    int status = ns_bins_make(&made, NULL, 0, points, NULL, err);
    *bins = ns_seconds() - began;
    ns_fit_pass how = {.points = points, .bins = &made};
    ns_job job = {.curve = fit->curve,
                  .pass = {.shift = s->shift,
                           .offset = s->offset,
                           .low = ns_bins_quantile(&made, 0.01),
                           .high = ns_bins_quantile(&made, 0.99),
                           .huber = (double)INFINITY}};
    memcpy(job.pass.theta, fit->theta, sizeof job.pass.theta);
    began = ns_seconds();
    if (!status) status = ns_fit_pass_run(&how, &job, 1, err);
    *pass = ns_seconds() - began;
    ns_bins_free(&made);
    return status;
}

static int in_memory(const settings *s, const double *scales, measures *m, ns_error *err) {
    uint64_t samples = samples_of(s, s->points), rows = samples * (uint64_t)s->positions;
    size_t n = (size_t)rows * (size_t)s->channels,
           each = (size_t)s->positions * (size_t)s->channels;
    float *x = ns_alloc_aligned(n, sizeof *x, err), *y = ns_alloc_aligned(n, sizeof *y, err);
    int64_t *ids = ns_calloc(rows, sizeof *ids, err);
    int status = x && y && ids ? NS_OK : NS_EFAIL;
    if (!status) {
#pragma omp parallel for schedule(static)
        for (uint64_t i = 0; i < samples; i++)
            make_sample(s, scales, i, x + i * each, y + i * each);
        for (uint64_t r = 0; r < rows; r++) ids[r] = (int64_t)(r / (uint64_t)s->positions);
    }
    ns_points points = ns_points_memory(x, y, ids, rows, (int)s->channels);
    for (int64_t run = -1; run < s->runs && !status; run++) { /* one before, not counted */
        double read, bins, pass, fit, ns = 1e9 / (double)n;
        status = read_bare(&points, &read, err);
        if (!status) status = fit_once(s, &points, &m->memory_fit, &fit, err);
        if (!status) status = walks_once(s, &points, &m->memory_fit, &bins, &pass, err);
        if (status || run < 0) continue;
        ns_bench_add(&m->read, read * ns);
        ns_bench_add(&m->fit, fit * ns);
        ns_bench_add(&m->bins, bins * ns);
        ns_bench_add(&m->pass, pass * ns);
        ns_bench_add(&m->ratio, fit / read);
    }
    free(x);
    free(y);
    free(ids);
    return status;
}

/* ---- streamed from a file ---- */

enum { BATCH = 8 };

static int write_batches(const settings *s, const double *scales, const ns_site *site,
                         ns_store_writer *writer, uint64_t samples, float *x, float *y,
                         ns_error *err) {
    size_t each = (size_t)s->positions * (size_t)s->channels;
    ns_observer store = ns_store_writer_observer(writer);
    int64_t ids[BATCH];
    int32_t *positions = ns_calloc((size_t)s->positions, sizeof *positions, err);
    uint8_t *kinds = ns_calloc((size_t)s->positions * BATCH, sizeof *kinds, err);
    int status = positions && kinds ? NS_OK : NS_EFAIL;
    for (int64_t i = 0; i < s->positions && !status; i++) positions[i] = (int32_t)i;
    for (int64_t i = 0; i < s->positions * BATCH && !status; i++) kinds[i] = NS_ROW_PATCH;
    for (uint64_t at = 0; at < samples && !status; at += BATCH) {
        uint64_t count = samples - at < BATCH ? samples - at : BATCH;
#pragma omp parallel for schedule(static)
        for (uint64_t i = 0; i < count; i++) {
            ids[i] = (int64_t)(at + i);
            make_sample(s, scales, at + i, x + i * each, y + i * each);
        }
        ns_rows rows = {count, (size_t)s->positions, ids, positions, kinds, x, y};
        status = store.deliver(store.user, site, &rows, err);
        if (!status) status = ns_store_writer_commit(writer, count, NULL, err);
    }
    free(positions);
    free(kinds);
    return status;
}

static int write_store(const settings *s, const double *scales, const char *path, ns_error *err) {
    uint64_t samples = samples_of(s, s->stream);
    size_t values = (size_t)s->positions * (size_t)s->channels * BATCH;
    float *x = ns_alloc_aligned(values, sizeof *x, err),
          *y = ns_alloc_aligned(values, sizeof *y, err);
    int64_t *ids = ns_calloc(samples, sizeof *ids, err);
    ns_site site = {.index = 1, .name = "norm", .positions = (int)s->positions};
    site.role = NS_ROLE_OTHER;
    site.norm.kind = ns_norm_kind_find("layernorm", err);
    site.norm.channels = (int)s->channels;
    site.norm.eps = 1e-6f;
    bool wanted = true;
    for (uint64_t i = 0; ids && i < samples; i++) ids[i] = (int64_t)i;
    ns_store_plan plan = {.path = path,
                          .sites = &site,
                          .site_count = 1,
                          .wanted = &wanted,
                          .samples = samples,
                          .sample_ids = ids,
                          .batch = BATCH,
                          .dtype = s->f16 ? NS_F16 : NS_F32,
                          .rows = true};
    ns_store_writer *writer = NULL;
    int status = x && y && ids ? ns_store_create(&writer, &plan, err) : NS_EFAIL;
    if (!status) status = write_batches(s, scales, &site, writer, samples, x, y, err);
    int closed = writer ? ns_store_writer_close(writer, status ? NULL : err) : NS_OK;
    free(x);
    free(y);
    free(ids);
    return status ? status : closed;
}

static int from_file(const settings *s, const char *path, measures *m, ns_error *err) {
    ns_store *store = NULL;
    ns_points points;
    int status = ns_store_open(&store, path, err);
    if (!status) status = ns_points_store(&points, store, 0, err);
    for (int64_t run = -1; run < s->runs && !status; run++) { /* one before, not counted */
        double read, fit, ns = 1e9 / ((double)points.rows * points.channels);
        status = read_bare(&points, &read, err);
        if (!status) status = fit_once(s, &points, &m->file_fit_is, &fit, err);
        if (status || run < 0) continue;
        ns_bench_add(&m->file_read, read * ns);
        ns_bench_add(&m->file_fit, fit * ns);
        ns_bench_add(&m->file_ratio, fit / read);
    }
    ns_store_close(store);
    struct rusage usage;
    if (!getrusage(RUSAGE_SELF, &usage)) m->peak_bytes = 1024.0 * (double)usage.ru_maxrss;
    return status;
}

static int streamed(const settings *s, const double *scales, measures *m, ns_error *err) {
    char *path = ns_asprintf(err, "%s/normscope-bench-%ld.h5", s->folder, (long)getpid());
    if (!path) return NS_EFAIL;
    ns_stop_removes(path, NULL);
    int status = write_store(s, scales, path, err);
    if (!status) status = from_file(s, path, m, err);
    unlink(path);
    ns_stop_removes(NULL, NULL);
    free(path);
    return status;
}

/* ---- the table ---- */

static int print(const settings *s, const measures *m, ns_error *err) {
    ns_table *table = ns_bench_table(err);
    if (!table) return NS_EFAIL;
    if (s->points) {
        ns_bench_row(table, "read", "ns/point", &m->read);
        ns_bench_row(table, "fit", "ns/point", &m->fit);
        ns_bench_row(table, "its bins", "ns/point", &m->bins);
        ns_bench_row(table, "its exact pass", "ns/point", &m->pass);
        ns_bench_row(table, "fit / read", "1", &m->ratio);
    }
    if (s->stream || s->data) {
        ns_bench_runs peak = {.values = {m->peak_bytes / 1048576}, .count = 1};
        ns_bench_row(table, "file: read", "ns/point", &m->file_read);
        ns_bench_row(table, "file: fit", "ns/point", &m->file_fit);
        ns_bench_row(table, "file: fit / read", "1", &m->file_ratio);
        ns_bench_row(table, "file: peak memory", "MiB", &peak);
    }
    int status = ns_table_print(table, stdout, (ns_table_format)s->format, err);
    const ns_fit *fit = s->points ? &m->memory_fit : &m->file_fit_is;
    if (!status && s->format == NS_ALIGNED && fit->curve)
        printf("%s, %d threads, %lld points in memory, %llu in the file; %d Newton steps, %s\n",
               fit->curve->name, omp_get_max_threads(),
               s->points ? (long long)m->memory_fit.points : 0,
               (unsigned long long)m->file_fit_is.points, fit->iterations, fit->stop);
    ns_table_free(table);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.curve = "tanh",
                  .folder = "/dev/shm",
                  .points = 10000000,
                  .stream = 25000000,
                  .channels = 768,
                  .positions = 197,
                  .runs = 5};
    const ns_option options[] = {
        {"points", 'n', NS_OPT_INT, &s.points, "N", "points in memory, 0 for none", "10000000", 0,
         1e12},
        {"stream", 0, NS_OPT_INT, &s.stream, "N", "points in a file, 0 for none", "25000000", 0,
         1e13},
        {"file", 0, NS_OPT_TEXT, &s.data, "RUN.h5",
         "stream the first site of this run instead of made points", NULL, 0, 0},
        {"folder", 0, NS_OPT_TEXT, &s.folder, "FOLDER", "where that file is put for the time",
         "/dev/shm", 0, 0},
        {"curve", 'c', NS_OPT_TEXT, &s.curve, "NAME", "what is fitted", "tanh", 0, 0},
        {"shift", 0, NS_OPT_FLAG, &s.shift, NULL, "with d", NULL, 0, 0},
        {"offset", 0, NS_OPT_FLAG, &s.offset, NULL, "with b", NULL, 0, 0},
        {"f16", 0, NS_OPT_FLAG, &s.f16, NULL, "the file has 16-bit values", NULL, 0, 0},
        {"channels", 0, NS_OPT_INT, &s.channels, "N", "channels of a row", "768", 1, 1 << 20},
        {"positions", 0, NS_OPT_INT, &s.positions, "N", "rows of a sample", "197", 1, 1 << 20},
        {"seed", 0, NS_OPT_INT, &s.seed, "N", "of the made points", "0", 0, 9e15},
        NS_BENCH_RUNS_OPTION(s.runs, "5"),
        NS_BENCH_FORMAT_OPTION(s.format),
        {0}};
    int status = ns_cli_parse(self, options, argc, argv, 0, 0, NULL, err);
    if (status) return status < 0 ? NS_OK : status;
    measures m = {0};
    double *scales = make_scales(&s, err);
    if (!scales) return NS_EFAIL;
    /* The file first: the peak of memory is then the stream's. */
    if (s.data)
        status = from_file(&s, s.data, &m, err);
    else if (s.stream)
        status = streamed(&s, scales, &m, err);
    if (!status && s.points) status = in_memory(&s, scales, &m, err);
    if (!status) status = print(&s, &m, err);
    free(scales);
    return status;
}

extern const ns_command ns_bench_fit;
const ns_command ns_bench_fit = {
    .name = "bench fit",
    .summary = "a fit, in memory and streamed, beside one bare read of its points",
    .usage = "[options]",
    .details = "The points are those of a made LayerNorm with heavy tails, 197 rows of 768 "
               "channels a sample. The fit is complete: its start, the parameters, both standard "
               "errors, R2. Peak memory is the whole process's, without the pages of the file.",
    .examples = "  normscope bench fit\n"
                "  normscope bench fit --points 0 --stream 250000000 --runs 3\n",
    .run = run,
};
