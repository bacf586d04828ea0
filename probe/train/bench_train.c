/* normscope bench train: a training step of a ViT, and what its matrix products alone take. In one process, in turn, so that a machine
 * whose speed drifts treats them alike. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "probe/base/bench.h"
#include "probe/base/cli.h"
#include "probe/base/mem.h"
#include "probe/base/progress.h"
#include "probe/base/random.h"
#include "probe/base/blas.h"
#include "probe/train/adamw.h"
#include "probe/train/trainee.h"

typedef struct settings {
    const char *norm;
    int64_t width, depth, heads, image, patch, batch, steps, runs;
    int format;
} settings;

typedef struct bench {
    const settings *s;
    ns_trainee *vit;
    ns_team team;
    ns_adamw adam;
    float *pixels;
    int32_t *labels;
    float *block[4]; /* operands for the products alone, for each thread */
    size_t room[4];
} bench;

static void make_images(bench *b) {
    size_t values = (size_t)(b->s->batch * b->s->image * b->s->image);
    uint64_t state = 1;
    for (size_t i = 0; i < values; i++) b->pixels[i] = (float)(2 * ns_random_unit(&state) - 1);
    for (int64_t i = 0; i < b->s->batch; i++) b->labels[i] = (int32_t)ns_random_below(&state, 10);
}

static int prepare(bench *b, const settings *s, ns_error *err) {
    const ns_norm_kind *kind = ns_norm_kind_find(s->norm, err);
    if (!kind) return NS_EUSAGE;
    const ns_vit_shape shape = {.channels = 1,
                                .height = (size_t)s->image,
                                .width = (size_t)s->image,
                                .patch = (size_t)s->patch,
                                .embed = (size_t)s->width,
                                .depth = (size_t)s->depth,
                                .heads = (size_t)s->heads,
                                .hidden = (size_t)(4 * s->width),
                                .classes = 10,
                                .norm = kind,
                                .eps = 1e-6};
    const ns_adamw_options adam = {0.9, 0.999, 1e-8, 0.05};
    b->s = s;
    int status = ns_vit_new(&b->vit, &shape, err);
    if (status) return status;
    status = ns_trainee_reserve(b->vit, (size_t)s->batch, err);
    if (!status) status = ns_team_new(&b->team, b->vit, err);
    if (!status) status = ns_adamw_new(&b->adam, &adam, &b->vit->parameters, err);
    if (status) return status;
    ns_trainee_initialize(b->vit, &(ns_start){1, 0, (double)NAN, (double)NAN});
    size_t rows = (size_t)s->batch * b->vit->tokens, wide = 4 * (size_t)s->width;
    size_t threads = (size_t)omp_get_max_threads();
    b->pixels = ns_alloc_aligned((size_t)(s->batch * s->image * s->image), sizeof *b->pixels, err);
    b->labels = ns_calloc((size_t)s->batch, sizeof *b->labels, err);
    b->room[0] = b->room[1] = rows * wide;
    b->room[2] = b->room[3] = wide * wide;
    for (int i = 0; i < 4; i++) {
        b->block[i] = ns_alloc_aligned(threads * b->room[i], sizeof(float), err);
        for (size_t k = 0; b->block[i] && k < threads * b->room[i]; k++)
            b->block[i][k] = (float)(k % 97) / 97;
    }
    if (!b->pixels || !b->labels || !b->block[0] || !b->block[1] || !b->block[2] || !b->block[3])
        return NS_EFAIL;
    make_images(b);
    return NS_OK;
}

static void release(bench *b) {
    for (int i = 0; i < 4; i++) free(b->block[i]);
    free(b->pixels);
    free(b->labels);
    ns_team_free(&b->team);
    ns_adamw_free(&b->adam);
    ns_trainee_free(b->vit);
}

static double run_steps(bench *b) {
    ns_parameters *p = &b->vit->parameters;
    double began = ns_seconds();
    for (int64_t i = 0; i < b->s->steps; i++) {
        ns_team_train(&b->team, (size_t)b->s->batch, b->pixels, b->labels, 0.1, (ns_keep){NULL, 0});
        double norm = ns_gradient_norm(p);
        ns_adamw_step(&b->adam, p, 1e-4, norm > 1 ? 1 / norm : 1);
    }
    return (ns_seconds() - began) / (double)b->s->steps;
}

/* The four linear layers of a block: outputs n and inputs k of each. */
static void shapes_of(const settings *s, size_t n[4], size_t k[4]) {
    size_t w = (size_t)s->width;
    n[0] = 3 * w, n[1] = w, n[2] = 4 * w, n[3] = w;
    k[0] = w, k[1] = w, k[2] = w, k[3] = 4 * w;
}

/* Forward, and the gradients of input and weight, of all blocks' linear layers for so many rows. */
static void run_products(const bench *b, size_t rows, const float *in, float *out,
                         const float *weight, float *gradient) {
    size_t n[4], k[4];
    shapes_of(b->s, n, k);
    for (int64_t block = 0; block < b->s->depth; block++)
        for (int i = 0; i < 4; i++) {
            const ns_linear layer = {
                .in = k[i], .out = n[i], .weight = weight, .dweight = gradient};
            ns_linear_forward(&layer, rows, in, out, n[i], NULL);
            ns_linear_back(&layer, rows, in, in, out, NULL);
        }
}

/* Cut as the team cuts the batch, or whole where the network runs it. */
static double time_products(const bench *b) {
    size_t batch = (size_t)b->s->batch, tokens = b->vit->tokens, piece = b->team.piece;
    double began = ns_seconds();
    if (!b->team.count) {
        run_products(b, batch * tokens, b->block[0], b->block[1], b->block[2], b->block[3]);
        return ns_seconds() - began;
    }
    size_t pieces = (batch + piece - 1) / piece;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < pieces; i++) {
        size_t me = (size_t)omp_get_thread_num(), rest = batch - i * piece;
        run_products(b, (rest < piece ? rest : piece) * tokens, b->block[0] + me * b->room[0],
                     b->block[1] + me * b->room[1], b->block[2] + me * b->room[2],
                     b->block[3] + me * b->room[3]);
    }
    return ns_seconds() - began;
}

static double flops_of(const bench *b) {
    size_t n[4], k[4], rows = (size_t)b->s->batch * b->vit->tokens;
    double flops = 0;
    shapes_of(b->s, n, k);
    for (int i = 0; i < 4; i++) flops += 6.0 * (double)(rows * n[i] * k[i]);
    return flops * (double)b->s->depth;
}

typedef struct measures {
    ns_bench_runs step, images, rate, products, share;
} measures;

static int print(const bench *b, const measures *m, ns_error *err) {
    ns_table *table = ns_bench_table(err);
    if (!table) return NS_EFAIL;
    ns_bench_row(table, "training step", "s", &m->step);
    ns_bench_row(table, "training step", "image/s", &m->images);
    ns_bench_row(table, "linear layers' products", "GFLOP/s", &m->rate);
    ns_bench_row(table, "linear layers' products alone", "s", &m->products);
    ns_bench_row(table, "share that is not these products", "1", &m->share);
    int status = ns_table_print(table, stdout, (ns_table_format)b->s->format, err);
    if (!status && b->s->format == NS_ALIGNED)
        printf(
            "%s, %zu parameters, batches of %d, %zu tokens each, %d threads, median of %d runs of "
            "%d steps in turn\n",
            b->s->norm, ns_parameters_learned(&b->vit->parameters), (int)b->s->batch,
            b->vit->tokens, omp_get_max_threads(), (int)b->s->runs, (int)b->s->steps);
    ns_table_free(table);
    return status;
}

static int measure(bench *b, ns_error *err) {
    measures m = {0};
    double flops = flops_of(b);
    for (int64_t run = -1; run < b->s->runs; run++) { /* one before, not counted */
        double step = run_steps(b), products = time_products(b);
        if (run < 0) continue;
        ns_bench_add(&m.step, step);
        ns_bench_add(&m.images, (double)b->s->batch / step);
        ns_bench_add(&m.products, products);
        ns_bench_add(&m.rate, flops / products * 1e-9);
        ns_bench_add(&m.share, 1 - products / step);
    }
    return print(b, &m, err);
}

static int run(const ns_command *self, int argc, char **argv, ns_error *err) {
    settings s = {.norm = "layernorm",
                  .width = 96,
                  .depth = 8,
                  .heads = 4,
                  .image = 28,
                  .patch = 7,
                  .batch = 128,
                  .steps = 5,
                  .runs = 7};
    const ns_option options[] = {
        {"norm", 0, NS_OPT_TEXT, &s.norm, "KIND", "kind of norm", "layernorm", 0, 0},
        {"width", 0, NS_OPT_INT, &s.width, "N", "channels of a token", "96", 1, 8192},
        {"depth", 0, NS_OPT_INT, &s.depth, "N", "blocks", "8", 1, 64},
        {"heads", 0, NS_OPT_INT, &s.heads, "N", "attention heads", "4", 1, 1024},
        {"image", 0, NS_OPT_INT, &s.image, "N", "side of an image in pixels", "28", 1, 1024},
        {"patch", 0, NS_OPT_INT, &s.patch, "N", "side of a patch in pixels", "7", 1, 64},
        {"batch", 'b', NS_OPT_INT, &s.batch, "N", "images a step", "128", 1, 4096},
        {"steps", 0, NS_OPT_INT, &s.steps, "N", "steps a run", "5", 1, 1000},
        NS_BENCH_RUNS_OPTION(s.runs, "7"),
        NS_BENCH_FORMAT_OPTION(s.format),
        {0}};
    int status = ns_cli_parse(self, options, argc, argv, 0, 0, NULL, err);
    if (status) return status < 0 ? NS_OK : status;
    bench b = {0};
    ns_blas_advise();
    status = prepare(&b, &s, err);
    if (!status) status = measure(&b, err);
    release(&b);
    return status;
}

extern const ns_command ns_bench_train;
const ns_command ns_bench_train = {
    .name = "bench train",
    .summary = "a training step of a ViT, beside its matrix products",
    .usage = "[options]",
    .details =
        "Forward, backward, clipping and AdamW on random images of one batch, from weights in "
        "memory. scripts/bench_train_peers.py runs the same step in PyTorch.",
    .examples = "  normscope bench train --norm dyt\n",
    .run = run,
};
