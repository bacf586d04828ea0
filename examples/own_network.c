/* A network of one's own, written as steps and run with its sites watched: two post-norm blocks over words. Its arrays come from this program; a
 * source hands them out by name, here as numbers made from the name.
 *
 *     cc own_network.c $(pkg-config --cflags --libs normscope) -lm && ./a.out */
#include <math.h>
#include <normscope.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 50, WIDTH = 16, TOKENS = 6, SAMPLES = 3, MOST_ARRAYS = 100 };

/* What the source has handed out. */
typedef struct arrays {
    float *all[MOST_ARRAYS];
    int count;
} arrays;

static float *make(arrays *a, const char *name, size_t count, float about) {
    unsigned state = 2166136261u;
    for (; *name; name++) state = (state ^ (unsigned char)*name) * 16777619u;
    float *values = a->count < MOST_ARRAYS ? calloc(count, sizeof *values) : NULL;
    for (size_t i = 0; values && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = about + 0.6f * ((float)(state >> 8) / (1 << 24) - 0.5f);
    }
    if (values) a->all[a->count++] = values;
    return values;
}

static bool has(void *user, const char *name) {
    (void)user;
    (void)name;
    return true;
}

static int tensor(void *user, const char *name, int dims, const int64_t *shape, bool decays,
                  ns_array *out, ns_error *err) {
    size_t count = 1;
    (void)decays;
    (void)err;
    for (int d = 0; d < dims; d++) count *= (size_t)shape[d];
    out->values = make(user, name, count, 0);
    return out->values ? NS_OK : NS_EFAIL;
}

static int matrix(void *user, const char *name, size_t out, size_t in, bool turned, ns_array *array,
                  bool *is_turned, ns_error *err) {
    (void)turned;
    *is_turned = false;
    return tensor(user, name, 2, (int64_t[]){(int64_t)out, (int64_t)in}, true, array, err);
}

static int norm(void *user, const char *path, bool required, ns_norm *norm,
                ns_norm_trained *trained, ns_error *err) {
    (void)required;
    (void)trained;
    norm->kind = ns_norm_kind_find("layernorm", err);
    norm->eps = 1e-5f;
    norm->gamma = make(user, path, (size_t)norm->channels, 1);
    return norm->kind && norm->gamma ? NS_OK : NS_EFAIL;
}

static int build(ns_network *network, arrays *a, ns_error *err) {
    static const ns_names names = {.name = "own",
                                   .prefixes = "",
                                   .parts = {[NS_PART_WORDS] = "words",
                                             [NS_PART_NORM1] = "block.%d.norm1",
                                             [NS_PART_QKV] = "block.%d.qkv.",
                                             [NS_PART_PROJECTION] = "block.%d.out.",
                                             [NS_PART_NORM2] = "block.%d.norm2",
                                             [NS_PART_FC1] = "block.%d.up.",
                                             [NS_PART_FC2] = "block.%d.down."}};
    static const ns_block_spec blocks = {.depth = 2,
                                         .width = WIDTH,
                                         .hidden = 3 * WIDTH,
                                         .order = NS_POST_NORM,
                                         .heads = 4,
                                         .groups = 4,
                                         .dim = WIDTH / 4,
                                         .activation = NS_SILU};
    const ns_naming naming = {&names, "", 0};
    ns_builder b = {network, {a, has, tensor, matrix, norm}, err, NS_OK};
    const int64_t shape[] = {WORDS, WIDTH};
    network->input = NS_INPUT_WORDS;
    network->vocabulary = WORDS;
    const ns_word_rows rows = {
        .vocabulary = WORDS,
        .width = WIDTH,
        .words = ns_build_part(&b, &naming, NS_PART_WORDS, 2, shape, true).values};
    int x = ns_build_buffer(&b, NS_OF_TOKENS, WIDTH);
    ns_build_step(&b, &ns_words_operation, NS_NO_BUFFER, NS_NO_BUFFER, x, &rows, sizeof rows);
    ns_build_blocks(&b, &blocks, &naming, x);
    return b.status;
}

static bool wants(void *user, const ns_site *site) {
    (void)user;
    (void)site;
    return true;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    size_t n = rows->samples * rows->positions * (size_t)site->norm.channels;
    double largest = 0, squares = 0;
    (void)user;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)rows->y[i]));
        squares += (double)rows->y[i] * (double)rows->y[i];
    }
    printf("%-16s %-14s largest |y| %.3f of %.3f, mean y^2 %.4f\n", site->name,
           ns_role_name(site->role), largest, site->norm.kind->bound(&site->norm),
           squares / (double)n);
    return NS_OK;
}

int main(void) {
    ns_error err = {0};
    ns_network network = {0};
    ns_run run = {0};
    arrays mine = {0};
    int32_t ids[SAMPLES * TOKENS];
    for (int i = 0; i < SAMPLES * TOKENS; i++) ids[i] = 7 * i % WORDS;
    const ns_observer observer = {.wants = wants, .deliver = deliver};
    const ns_batch batch = {.samples = SAMPLES, .positions = TOKENS, .ids = ids};
    int status = build(&network, &mine, &err);
    if (!status)
        status =
            ns_run_forward(&run, &network, &batch, (ns_run_options){.observer = &observer}, &err);
    if (status) fprintf(stderr, "%s\n", err.message);
    ns_run_free(&run);
    ns_network_free(&network);
    while (mine.count) free(mine.all[--mine.count]);
    return status;
}
