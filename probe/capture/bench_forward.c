/* normscope bench forward: what a forward pass costs, what dumping all its sites adds, and what the machine's matrix products
 * alone would take. All in one process, in turn, so that a machine whose speed drifts treats them alike. */
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/bench.h"
#include "probe/base/cli.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/progress.h"
#include "probe/base/random.h"
#include "probe/models/model.h"
#include "probe/base/blas.h"
#include "probe/base/stop.h"
#include "probe/weights/safetensors_write.h"
#include "probe/sketch/sketch.h"
#include "probe/store/store_write.h"

typedef struct settings {
    const char *model, *folder;
    int64_t width, depth, patch, image, batch, batches, runs;
    int format;
} settings;

enum { MOST_TENSORS = 8 + 12 * 64 };

typedef struct weights {
    ns_tensor_out tensors[MOST_TENSORS];
    int count;
    float *values;
    size_t used, room;
    uint64_t state;
} weights;

/* About a normal of standard deviation 0.02, or 1 where it is a scale. */
static int add(weights *w, const char *format, int block, int dims, const int64_t *shape,
               float about) {
    ns_tensor_out *t = &w->tensors[w->count];
    size_t n = 1;
    for (int d = 0; d < dims; d++) n *= (size_t)shape[d];
    char *name = ns_asprintf(NULL, format, block);
    *t = (ns_tensor_out){.name = name, .dims = dims, .values = w->values + w->used};
    memcpy(t->shape, shape, (size_t)dims * sizeof *shape);
    for (size_t i = 0; i < n; i++) {
        uint64_t r = ns_random_next(&w->state);
        int sum = (int)(r & 0xffff) + (int)(r >> 16 & 0xffff) + (int)(r >> 32 & 0xffff);
        w->values[w->used + i] = about + 0.02f * ((float)sum - 98302.5f) / 32768;
    }
    w->used += n;
    w->count++;
    return name ? NS_OK : NS_EFAIL;
}

static int add_block(weights *w, int b, int64_t width) {
    const struct {
        const char *name;
        int64_t rows, columns;
        float about;
    } all[] = {{"blocks.%d.norm1.weight", width, 0, 1},
               {"blocks.%d.norm1.bias", width, 0, 0},
               {"blocks.%d.attn.qkv.weight", 3 * width, width, 0},
               {"blocks.%d.attn.qkv.bias", 3 * width, 0, 0},
               {"blocks.%d.attn.proj.weight", width, width, 0},
               {"blocks.%d.attn.proj.bias", width, 0, 0},
               {"blocks.%d.norm2.weight", width, 0, 1},
               {"blocks.%d.norm2.bias", width, 0, 0},
               {"blocks.%d.mlp.fc1.weight", 4 * width, width, 0},
               {"blocks.%d.mlp.fc1.bias", 4 * width, 0, 0},
               {"blocks.%d.mlp.fc2.weight", width, 4 * width, 0},
               {"blocks.%d.mlp.fc2.bias", width, 0, 0}};
    int status = NS_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && !status; i++) {
        const int64_t shape[2] = {all[i].rows, all[i].columns};
        status = add(w, all[i].name, b, all[i].columns ? 2 : 1, shape, all[i].about);
    }
    return status;
}

/* A ViT with timm's names and seeded random weights in folder/model.safetensors, as large as the settings say. */
static int make_model(const settings *s, const char *folder, ns_error *err) {
    const int64_t w = s->width, side = s->image / s->patch;
    weights *all = ns_calloc(1, sizeof *all, err);
    if (!all) return NS_EFAIL;
    all->state = 1;
    all->room = (size_t)(s->depth * (12 * w * w + 13 * w) +
                         w * (3 * s->patch * s->patch + side * side + 8) + 1000 * (w + 1));
    all->values = ns_alloc_aligned(all->room, sizeof(float), err);
    const int64_t embedding[4] = {w, 3, s->patch, s->patch}, token[3] = {1, 1, w},
                  positions[3] = {1, side * side + 1, w}, head[2] = {1000, w};
    int status = all->values ? NS_OK : NS_EFAIL;
    if (!status) status = add(all, "patch_embed.proj.weight", 0, 4, embedding, 0);
    if (!status) status = add(all, "patch_embed.proj.bias", 0, 1, &w, 0);
    if (!status) status = add(all, "cls_token", 0, 3, token, 0);
    if (!status) status = add(all, "pos_embed", 0, 3, positions, 0);
    for (int b = 0; b < s->depth && !status; b++) status = add_block(all, b, w);
    if (!status) status = add(all, "norm.weight", 0, 1, &w, 1);
    if (!status) status = add(all, "norm.bias", 0, 1, &w, 0);
    if (!status) status = add(all, "head.weight", 0, 2, head, 0);
    if (!status) status = add(all, "head.bias", 0, 1, head, 0);
    char *path = status ? NULL : ns_path_join(folder, "model.safetensors", err);
    if (!status)
        status = path ? ns_safetensors_write(path, all->tensors, all->count, true, err) : NS_EFAIL;
    for (int i = 0; i < all->count; i++) free((char *)all->tensors[i].name);
    free(path);
    free(all->values);
    free(all);
    return status;
}

/* What is measured, each a set of runs. */
typedef struct measures {
    ns_bench_runs sgemm, plain, dumped, ratio, of_limit, sketched, sketch_ratio;
    double flops;      /* of a forward pass of an image */
    double big;        /* of those in products of many rows */
    double disk_bytes; /* an image */
} measures;

/* The four products of a block and the patch embedding, for a batch, as the model's rows make them. */
typedef struct shapes {
    int m[5], n[5], k[5], times[5];
} shapes;

static shapes shapes_of(const settings *s) {
    int w = (int)s->width, side = (int)(s->image / s->patch), tokens = side * side + 1;
    int rows = (int)s->batch * tokens, depth = (int)s->depth, p = (int)s->patch;
    return (shapes){.m = {rows, rows, rows, rows, rows - (int)s->batch},
                    .n = {3 * w, w, 4 * w, w, w},
                    .k = {w, w, w, 4 * w, 3 * p * p},
                    .times = {depth, depth, depth, depth, 1}};
}

/* Seconds of these products alone, out of memory that stands for the activations. */
static double run_products(const shapes *g, const float *a, const float *b, float *c) {
    double began = ns_seconds();
    for (int i = 0; i < 5; i++)
        for (int t = 0; t < g->times[i]; t++)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, g->m[i], g->n[i], g->k[i], 1, a,
                        g->k[i], b, g->k[i], 0, c, g->n[i]);
    return ns_seconds() - began;
}

typedef struct bench {
    const settings *s;
    ns_model *model;
    float *pixels;
    int64_t *ids;
    bool *wanted;
    ns_sketches *sketches;
    char *file;
} bench;

/* The sketches of all sites are kept from run to run. */
static int run_passes(const bench *b, const ns_observer *observer, double *seconds, ns_error *err) {
    const ns_batch batch = {
        .samples = (size_t)b->s->batch, .sample_ids = b->ids, .pixels = b->pixels};
    int status = NS_OK;
    double began = ns_seconds();
    for (int64_t i = 0; i < b->s->batches && !status; i++)
        status = ns_model_forward(b->model, &batch, observer, 0, err);
    *seconds = ns_seconds() - began;
    return status;
}

/* Into a new file whose pages have been touched: what is told is the program's part, and not that of the file system. */
static int run_dumped(const bench *b, double *seconds, ns_error *err) {
    const settings *s = b->s;
    ns_store_plan plan = {.path = b->file,
                          .force = true,
                          .sites = b->model->sites,
                          .site_count = b->model->site_count,
                          .wanted = b->wanted,
                          .samples = (uint64_t)(s->batch * s->batches),
                          .sample_ids = b->ids,
                          .batch = (uint64_t)s->batch,
                          .rows = true};
    ns_store_writer *writer = NULL;
    int status = ns_store_create(&writer, &plan, err);
    if (status) return status;
    status = ns_bench_touch(b->file, err);
    ns_observer observer = ns_store_writer_observer(writer);
    double began = ns_seconds();
    for (int64_t i = 0; i < s->batches && !status; i++) {
        const ns_batch batch = {
            .samples = (size_t)s->batch, .sample_ids = b->ids + i * s->batch, .pixels = b->pixels};
        status = ns_model_forward(b->model, &batch, &observer, 0, err);
        if (!status) status = ns_store_writer_commit(writer, (uint64_t)s->batch, NULL, err);
    }
    int closed = ns_store_writer_close(writer, status ? NULL : err);
    *seconds = ns_seconds() - began;
    return status ? status : closed;
}

static double products_flops(const shapes *g) {
    double flops = 0;
    for (int i = 0; i < 5; i++) flops += 2.0 * g->m[i] * g->n[i] * g->k[i] * g->times[i];
    return flops;
}

static int measure(const bench *b, measures *m, ns_error *err) {
    const settings *s = b->s;
    shapes g = shapes_of(s);
    size_t rows = (size_t)g.m[0], wide = 4 * (size_t)s->width;
    size_t inner = (size_t)(3 * s->patch * s->patch);
    wide = wide > inner ? wide : inner;
    float *in = ns_alloc_aligned(rows * wide, sizeof *in, err),
          *weight = ns_alloc_aligned(wide * wide, sizeof *weight, err),
          *out = ns_alloc_aligned(rows * wide, sizeof *out, err);
    int status = in && weight && out ? NS_OK : NS_EFAIL;
    for (size_t i = 0; i < rows * wide && !status; i++) in[i] = (float)(i % 97) / 97;
    for (size_t i = 0; i < wide * wide && !status; i++) weight[i] = (float)(i % 89) / 89;
    double images = (double)(s->batch * s->batches), batch = (double)s->batch;
    const int64_t a_sample = g.m[0] / s->batch; /* whole: the rows are the batch's */
    double tokens = (double)a_sample, w = (double)s->width;
    m->big = products_flops(&g) / batch;
    m->flops = m->big + (double)s->depth * 4 * tokens * tokens * w;
    const ns_observer sketching = ns_sketches_observer(b->sketches);
    for (int64_t run = -1; run < s->runs && !status; run++) { /* one before, not counted */
        double products = run_products(&g, in, weight, out) / batch, plain, dumped, sketched;
        status = run_passes(b, NULL, &plain, err);
        if (!status) status = run_dumped(b, &dumped, err);
        if (!status) status = run_passes(b, &sketching, &sketched, err);
        if (status || run < 0) continue;
        ns_bench_add(&m->sgemm, m->big / products * 1e-9);
        ns_bench_add(&m->plain, plain / images);
        ns_bench_add(&m->dumped, dumped / images);
        ns_bench_add(&m->ratio, dumped / plain);
        ns_bench_add(&m->sketched, sketched / images);
        ns_bench_add(&m->sketch_ratio, sketched / plain);
        ns_bench_add(&m->of_limit, m->flops / (plain / images) / (m->big / products));
    }
    struct stat st;
    if (!status && stat(b->file, &st) == 0) m->disk_bytes = (double)st.st_size / images;
    free(in);
    free(weight);
    free(out);
    return status;
}

static int print(const settings *s, const measures *m, ns_error *err) {
    ns_table *table = ns_bench_table(err);
    if (!table) return NS_EFAIL;
    ns_bench_runs rate = m->plain;
    for (int i = 0; i < rate.count; i++) rate.values[i] = m->flops / m->plain.values[i] * 1e-9;
    ns_bench_row(table, "matrix products alone", "GFLOP/s", &m->sgemm);
    ns_bench_row(table, "forward", "GFLOP/s", &rate);
    ns_bench_row(table, "forward / products' rate", "1", &m->of_limit);
    ns_bench_row(table, "forward", "s/image", &m->plain);
    ns_bench_row(table, "forward, all sites dumped", "s/image", &m->dumped);
    ns_bench_row(table, "dumped / not dumped", "1", &m->ratio);
    ns_bench_row(table, "forward, all sites sketched", "s/image", &m->sketched);
    ns_bench_row(table, "sketched / not sketched", "1", &m->sketch_ratio);
    int status = ns_table_print(table, stdout, (ns_table_format)s->format, err);
    char size[24];
    if (!status && s->format == NS_ALIGNED)
        printf("%d threads, batches of %d, %s written an image, median of %d runs in turn\n",
               omp_get_max_threads(), (int)s->batch, ns_human_bytes(m->disk_bytes, size),
               (int)s->runs);
    ns_table_free(table);
    return status;
}

static int prepare(bench *b, const settings *s, const char *folder, ns_error *err) {
    char *path = ns_path_join(folder, "model.safetensors", err);
    ns_stop_removes(path, folder);
    int status = make_model(s, folder, err);
    if (!status) status = path ? ns_model_open(&b->model, path, err) : NS_EFAIL;
    if (path) unlink(path); /* mapped, as long as it is needed */
    ns_stop_removes(NULL, folder);
    free(path);
    if (status) return status;
    size_t images = (size_t)(s->batch * s->batches),
           values = (size_t)s->batch * 3 * (size_t)(s->image * s->image);
    b->s = s;
    b->pixels = ns_alloc_aligned(values, sizeof *b->pixels, err);
    b->ids = ns_calloc(images, sizeof *b->ids, err);
    b->wanted = ns_calloc((size_t)b->model->site_count, sizeof *b->wanted, err);
    b->file = ns_path_join(folder, "run.h5", err);
    ns_stop_removes(b->file, folder);
    for (int i = 0; b->wanted && i < b->model->site_count; i++) b->wanted[i] = true;
    if (b->wanted)
        status =
            ns_sketches_new(&b->sketches, b->model->sites, b->model->site_count, b->wanted, err);
    if (status) return status;
    if (!b->pixels || !b->ids || !b->wanted || !b->file) return NS_EFAIL;
    uint64_t state = 2;
    for (size_t i = 0; i < values; i++) b->pixels[i] = (float)(2 * ns_random_unit(&state) - 1);
    for (size_t i = 0; i < images; i++) b->ids[i] = (int64_t)i;
    return NS_OK;
}

static int run_in(const settings *s, const char *folder, ns_error *err) {
    bench b = {0};
    measures m = {0};
    int status = prepare(&b, s, folder, err);
    if (!status) status = measure(&b, &m, err);
    if (!status) status = print(s, &m, err);
    if (b.file) unlink(b.file);
    ns_stop_removes(NULL, folder);
    ns_sketches_free(b.sketches);
    free(b.pixels);
    free(b.ids);
    free(b.wanted);
    free(b.file);
    ns_model_close(b.model);
    return status;
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.folder = "/dev/shm",
                  .width = 768,
                  .depth = 12,
                  .patch = 16,
                  .image = 224,
                  .batch = 8,
                  .batches = 2,
                  .runs = 5};
    const ns_option options[] = {
        {"width", 0, NS_OPT_INT, &s.width, "N", "width of the model, a multiple of 64", "768", 64,
         8192},
        {"depth", 0, NS_OPT_INT, &s.depth, "N", "blocks", "12", 1, 64},
        {"patch", 0, NS_OPT_INT, &s.patch, "N", "side of a patch in pixels", "16", 1, 64},
        {"image", 0, NS_OPT_INT, &s.image, "N", "side of an image in pixels", "224", 1, 1024},
        {"batch", 'b', NS_OPT_INT, &s.batch, "N", "images a batch", "8", 1, 1024},
        {"batches", 0, NS_OPT_INT, &s.batches, "N", "batches a run", "2", 1, 1000},
        NS_BENCH_RUNS_OPTION(s.runs, "5"),
        {"folder", 0, NS_OPT_TEXT, &s.folder, "FOLDER",
         "where the weights and the dump are put for the time", "/dev/shm", 0, 0},
        NS_BENCH_FORMAT_OPTION(s.format),
        {0}};
    int status = ns_cli_parse(self, options, argc, argv, 0, 0, NULL, err);
    if (status) return status < 0 ? NS_OK : status;
    if (s.image % s.patch || s.width % 64)
        return ns_fail(err, NS_EUSAGE,
                       "expected images of whole patches and a width of whole heads of 64");
    ns_blas_advise();
    char *folder = ns_asprintf(err, "%s/normscope-bench-XXXXXX", s.folder);
    if (!folder) return NS_EFAIL;
    if (!mkdtemp(folder))
        status = ns_fail(err, NS_EINPUT, "%s: no folder can be made there", s.folder);
    if (!status) {
        status = run_in(&s, folder, err);
        rmdir(folder);
        ns_stop_removes(NULL, NULL);
    }
    free(folder);
    return status;
}

extern const ns_command ns_bench_forward;
const ns_command ns_bench_forward = {
    .name = "bench forward",
    .summary = "a ViT's forward pass and its dump, beside its matrix products",
    .usage = "[options]",
    .details =
        "A ViT-B/16 with random weights, unless the options say another size. The dump goes to a "
        "file in memory whose pages are there already, so that the figure is that of the program "
        "and not of a disk.",
    .examples = "  normscope bench forward\n",
    .run = run,
};
