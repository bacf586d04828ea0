/* normscope bench norms: what a normalization layer costs beside a plain copy of the bytes that it must move, for each kind, width and
 * number of rows. Copy, forward and forward+backward are run in turn, so that a machine whose speed drifts treats them alike.
 *
 * Forward reads x and writes z: two values an element, as a copy does. Backward reads x and dz and adds to dx: four. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/bench.h"
#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/progress.h"
#include "probe/base/random.h"
#include "probe/norms/norm.h"

enum { MOST_WIDTH = 65536, MOST_ROWS = 1 << 20, MOST_KINDS = 32 };
#define MOST_VALUES ((size_t)1 << 28)
#define LEAST_TIME  2e-3 /* of a measurement, seconds: shorter ones are repeated within it */

typedef struct settings {
    const char *norms, *widths, *rows;
    int64_t runs;
    int format;
} settings;

typedef struct bench {
    const ns_norm_kind *kinds[MOST_KINDS];
    int kind_count, *widths, width_count, *rows, row_count;
    int64_t runs;
    float *x, *z, *dz, *dx, *copy; /* [most rows * most width] */
    float *arrays; /* gamma, beta, alpha, running mean and variance, and a gradient of each */
    size_t widest; /* of each of them, for all widths alike: gradients must not reach parameters */
    float *mean, *rstd, *work;
    ns_table *table;
} bench;

static const ns_column columns[] = {{"norm", NULL, NS_TEXT, 0, false, NULL},
                                    {"width", "1", NS_INT, 0, false, NULL},
                                    {"rows", "1", NS_INT, 0, false, NULL},
                                    {"forward", "us", NS_REAL, 3, false, "fwd us"},
                                    {"forward_rate", "GB/s", NS_REAL, 3, false, "GB/s"},
                                    {"forward_of_copy", "1", NS_REAL, 3, false, "/copy"},
                                    {"forward_of_copy_min", "1", NS_REAL, 3, true, NULL},
                                    {"forward_of_copy_max", "1", NS_REAL, 3, true, NULL},
                                    {"both", "us", NS_REAL, 3, false, "f+b us"},
                                    {"both_rate", "GB/s", NS_REAL, 3, false, "GB/s"},
                                    {"both_of_copy", "1", NS_REAL, 3, false, "/copy"},
                                    {"both_of_copy_min", "1", NS_REAL, 3, true, NULL},
                                    {"both_of_copy_max", "1", NS_REAL, 3, true, NULL},
                                    {"copy", "us", NS_REAL, 3, true, NULL},
                                    {"copy_rate", "GB/s", NS_REAL, 3, false, "copy GB/s"},
                                    {"threads", "1", NS_INT, 0, true, NULL},
                                    {"instructions", NULL, NS_TEXT, 0, true, NULL}};

/* What the loader chose among the clones of probe/base/simd.h. */
static const char *instructions(void) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(NS_NO_CLONES)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) return "AVX-512";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2";
    return "SSE2";
#else
    return "as compiled";
#endif
}

/* A layer over the bench's arrays, and where its gradients go. */
static ns_norm layer_of(const bench *b, const ns_norm_kind *kind, int width,
                        ns_norm_gradient *gradient) {
    float *a = b->arrays;
    size_t w = b->widest;
    *gradient = (ns_norm_gradient){.gamma = kind->learns & NS_HAS_GAMMA ? a + 5 * w : NULL,
                                   .beta = kind->learns & NS_HAS_BETA ? a + 6 * w : NULL,
                                   .alpha = kind->learns & NS_HAS_ALPHA ? a + 7 * w : NULL,
                                   .shift = kind->learns & NS_HAS_SHIFT ? a + 8 * w : NULL};
    ns_norm norm = {.kind = kind, .channels = width};
    if (kind->has & NS_HAS_EPS) norm.eps = 1e-6f;
    if (kind->learns & NS_HAS_GAMMA) norm.gamma = a;
    if (kind->learns & NS_HAS_BETA) norm.beta = a + w;
    if (kind->learns & NS_HAS_ALPHA) norm.alpha = a + 2 * w;
    if (kind->learns & NS_HAS_ALPHA) norm.alpha_count = kind->alpha_per_channel ? width : 1;
    if (kind->learns & NS_HAS_SHIFT) norm.shift = a + w;
    if (kind->has & NS_HAS_RUNNING) norm.mean = a + 3 * w, norm.variance = a + 4 * w;
    return norm;
}

static void forward(const bench *b, const ns_norm *norm, size_t rows) {
    if (norm->kind->forward_batch)
        norm->kind->forward_batch(norm, rows, b->x, b->z, b->mean, b->rstd, b->work);
    else
        norm->kind->forward(norm, rows, b->x, NULL, b->z, b->mean, b->rstd);
}

/* memcpy by as many threads as the layers use, in pieces as theirs. */
static void copy(const bench *b, size_t count) {
    enum { PIECE = 16384 };
#pragma omp parallel for schedule(static) if (count > 2 * PIECE)
    for (size_t i = 0; i < count; i += PIECE)
        memcpy(b->copy + i, b->x + i, (count - i < PIECE ? count - i : PIECE) * sizeof *b->copy);
}

typedef enum work { COPY, FORWARD, BOTH } work;

/* Seconds of one, over `times` in a row. */
static double time_of(const bench *b, work what, const ns_norm *norm,
                      const ns_norm_gradient *gradient, size_t rows, size_t times) {
    double began = ns_seconds();
    for (size_t i = 0; i < times; i++) {
        if (what == COPY) {
            copy(b, rows * (size_t)norm->channels);
            continue;
        }
        forward(b, norm, rows);
        if (what == BOTH)
            norm->kind->backward(norm, rows, b->x, b->mean, b->rstd, b->dz, b->dx, gradient,
                                 b->work);
    }
    return (ns_seconds() - began) / (double)times;
}

static size_t times_for(const bench *b, work what, const ns_norm *norm,
                        const ns_norm_gradient *gradient, size_t rows) {
    double one = time_of(b, what, norm, gradient, rows, 1), again;
    again = time_of(b, what, norm, gradient, rows, 1); /* the first met cold memory */
    one = fmax(fmin(one, again), 1e-8);
    return one >= LEAST_TIME ? 1 : (size_t)(LEAST_TIME / one) + 1;
}

/* Seconds, rate, ratio to a copy of the same bytes, and its range. */
static void add_measure(ns_table *t, const ns_bench_runs *seconds, const ns_bench_runs *ratio,
                        double bytes) {
    double least, most;
    ns_bench_range(ratio, &least, &most);
    ns_table_real(t, ns_bench_median(seconds) * 1e6);
    ns_table_real(t, bytes / ns_bench_median(seconds) * 1e-9);
    ns_table_real(t, ns_bench_median(ratio));
    ns_table_real(t, least);
    ns_table_real(t, most);
}

static void measure(bench *b, const ns_norm_kind *kind, int width, int rows) {
    ns_norm_gradient gradient;
    ns_norm norm = layer_of(b, kind, width, &gradient);
    size_t n = (size_t)rows, times[3];
    double values = (double)n * width, bytes = 2 * values * sizeof(float);
    ns_bench_runs seconds[3] = {0}, forward_ratio = {0}, both_ratio = {0};
    memset(b->dx, 0, n * (size_t)width * sizeof *b->dx);
    for (int w = 0; w < 3; w++) times[w] = times_for(b, (work)w, &norm, &gradient, n);
    for (int64_t run = 0; run < b->runs; run++) {
        double one[3];
        for (int w = 0; w < 3; w++) {
            one[w] = time_of(b, (work)w, &norm, &gradient, n, times[w]);
            ns_bench_add(&seconds[w], one[w]);
        }
        ns_bench_add(&forward_ratio, one[FORWARD] / one[COPY]);
        ns_bench_add(&both_ratio, one[BOTH] / (3 * one[COPY])); /* three times the bytes */
    }
    ns_table_text(b->table, kind->name);
    ns_table_int(b->table, width);
    ns_table_int(b->table, rows);
    add_measure(b->table, &seconds[FORWARD], &forward_ratio, bytes);
    add_measure(b->table, &seconds[BOTH], &both_ratio, 3 * bytes);
    ns_table_real(b->table, ns_bench_median(&seconds[COPY]) * 1e6);
    ns_table_real(b->table, bytes / ns_bench_median(&seconds[COPY]) * 1e-9);
    ns_table_int(b->table, omp_get_max_threads());
    ns_table_text(b->table, instructions());
}

static int choose_kinds(bench *b, const char *names, ns_error *err) {
    for (const char *at = names; *at;) {
        char name[64];
        size_t n = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        const ns_norm_kind *kind = ns_norm_kind_find(name, err);
        if (!kind) return NS_EUSAGE;
        if (b->kind_count == MOST_KINDS)
            return ns_fail(err, NS_EUSAGE, "--norms: at most %d at once", MOST_KINDS);
        b->kinds[b->kind_count++] = kind;
        at += n + (at[n] == ',');
    }
    return b->kind_count ? NS_OK : ns_fail(err, NS_EUSAGE, "--norms: expected kinds, found none");
}

static int prepare(bench *b, const settings *s, ns_error *err) {
    b->runs = s->runs;
    int status = choose_kinds(b, s->norms, err);
    if (!status)
        status = ns_parse_numbers(s->widths, 1, MOST_WIDTH, &b->widths, &b->width_count, err);
    if (!status) status = ns_parse_numbers(s->rows, 1, MOST_ROWS, &b->rows, &b->row_count, err);
    if (status == NS_EINPUT) status = NS_EUSAGE; /* the limits are this command's own */
    if (status) return status;
    size_t width = (size_t)b->widths[b->width_count - 1], rows = (size_t)b->rows[b->row_count - 1];
    size_t n = width * rows, statistics = rows > width ? rows : width;
    if (n > MOST_VALUES)
        return ns_fail(err, NS_EUSAGE, "expected at most %zu values, found %zu rows of %zu",
                       MOST_VALUES, rows, width);
    float **const blocks[] = {&b->x, &b->z, &b->dz, &b->dx, &b->copy};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (!(*blocks[i] = ns_alloc_aligned(n, sizeof(float), err))) return NS_EFAIL;
    b->widest = width;
    b->arrays = ns_alloc_aligned(9 * width, sizeof(float), err);
    b->mean = ns_alloc_aligned(statistics, sizeof(float), err);
    b->rstd = ns_alloc_aligned(statistics, sizeof(float), err);
    b->work = ns_alloc_aligned(ns_norm_work((int)width), sizeof(float), err);
    b->table = ns_table_new(columns, sizeof columns / sizeof *columns, err);
    if (!b->arrays || !b->mean || !b->rstd || !b->work || !b->table) return NS_EFAIL;
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = ns_random_next(&state);
        b->x[i] = (float)(int32_t)r * 0x1p-30f;
        b->dz[i] = (float)(int32_t)(r >> 32) * 0x1p-31f;
    }
    for (size_t i = 0; i < 9 * width; i++) b->arrays[i] = i < 5 * width ? 1 : 0;
    return NS_OK;
}

static void release(bench *b) {
    void *const blocks[] = {b->widths, b->rows, b->x,    b->z,    b->dz,    b->dx,
                            b->copy,   b->mean, b->rstd, b->work, b->arrays};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    ns_table_free(b->table);
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.norms = "layernorm,rmsnorm,dyt,derf",
                  .widths = "256,1024,4096,8192",
                  .rows = "1,64,1024,16384",
                  .runs = 5};
    const ns_option options[] = {
        {"norms", 0, NS_OPT_TEXT, &s.norms, "LIST", "kinds of norm", s.norms, 0, 0},
        {"widths", 0, NS_OPT_TEXT, &s.widths, "LIST", "channels of a row", s.widths, 0, 0},
        {"rows", 0, NS_OPT_TEXT, &s.rows, "LIST", "rows", s.rows, 0, 0},
        NS_BENCH_RUNS_OPTION(s.runs, "5"),
        NS_BENCH_FORMAT_OPTION(s.format),
        {0}};
    int status = ns_cli_parse(self, options, argc, argv, 0, 0, NULL, err);
    if (status) return status < 0 ? NS_OK : status;
    bench b = {0};
    status = prepare(&b, &s, err);
    for (int w = 0; w < b.width_count && !status; w++)
        for (int r = 0; r < b.row_count; r++)
            for (int k = 0; k < b.kind_count; k++) measure(&b, b.kinds[k], b.widths[w], b.rows[r]);
    if (!status) status = ns_table_print(b.table, stdout, (ns_table_format)s.format, err);
    if (!status && s.format == NS_ALIGNED)
        printf("\n/copy: time over that of copying as many bytes. fwd: forward; f+b: forward and "
               "backward.\n%d threads, %s; median of %d runs in turn.\n",
               omp_get_max_threads(), instructions(), (int)s.runs);
    release(&b);
    return status;
}

extern const ns_command ns_bench_norms;
const ns_command ns_bench_norms = {
    .name = "bench norms",
    .summary = "norms, forward and backward, beside a copy of as many bytes",
    .usage = "[options]",
    .details =
        "Forward reads a value and writes one, as a copy does; forward and backward together move "
        "three times as much. Small inputs stay in the caches, for the copy as for the layer.",
    .examples = "  normscope bench norms\n"
                "  normscope bench norms --norms dyt,rmsnorm --widths 4096 --rows 16384\n",
    .run = run,
};
