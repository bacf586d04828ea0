/* A network of one's own, written as steps and watched at its norms: words, two MLPs with residuals, and the norms behind them
 * (post-norm), first a LayerNorm, then an RMSNorm. Its arrays stand in a table of the program; a checkpoint could be that table.
 *     cc own_network.c -o own_network $(pkg-config --cflags --libs normscope) -lm */
#include <math.h>
#include <normscope.h>
#include <probe/models/build.h>
#include <stdio.h>
#include <string.h>

enum { VOCABULARY = 20, WIDTH = 16, HIDDEN = 48, SAMPLES = 3, TOKENS = 5, ROWS = SAMPLES * TOKENS };

static float words[VOCABULARY * WIDTH];
static float up[2][HIDDEN * WIDTH], down[2][WIDTH * HIDDEN], weight[2][WIDTH], beta[WIDTH];
static int32_t ids[ROWS];

/* The arrays by name; the norms' are given in norm(). */
static const struct row {
    const char *name;
    const float *values;
    size_t bytes;
} table[] = {{"words.weight", words, sizeof words},
             {"0.up.weight", up[0], sizeof up[0]},
             {"0.down.weight", down[0], sizeof down[0]},
             {"1.up.weight", up[1], sizeof up[1]},
             {"1.down.weight", down[1], sizeof down[1]}};

static const struct row *find(const char *name) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) return &table[i];
    return NULL;
}

static bool has(void *user, const char *name) {
    return (void)user, find(name) != NULL;
}

static int tensor(void *user, const char *name, int dims, const int64_t *shape, bool decays,
                  ns_array *out, ns_error *err) {
    const struct row *row = find(name);
    (void)user, (void)decays; /* decays: of training */
    size_t bytes = sizeof(float);
    for (int i = 0; i < dims; i++) bytes *= (size_t)shape[i];
    if (!row || row->bytes != bytes)
        return ns_fail(err, NS_EINPUT, "%s: expected %zu bytes", name, bytes);
    *out = (ns_array){row->values, NULL};
    return NS_OK;
}

static int matrix(void *user, const char *name, size_t out, size_t in, bool turned, ns_array *array,
                  bool *is_turned, ns_error *err) {
    *is_turned = turned; /* here none is */
    return tensor(user, name, 2, (int64_t[]){(int64_t)out, (int64_t)in}, true, array, err);
}

static int norm(void *user, const char *path, bool required, ns_norm *n, ns_norm_trained *trained,
                ns_error *err) {
    const bool first = path[0] == '0';
    (void)user, (void)required, (void)trained;
    n->kind = ns_norm_kind_find(first ? "layernorm" : "rmsnorm", err);
    n->eps = 1e-5f;
    n->gamma = weight[!first];
    n->beta = first ? beta : NULL;
    return n->kind ? NS_OK : NS_EINPUT;
}

/* x = norm(x + down(gelu(up(x)))), twice. */
static int build(ns_network *network, ns_error *err) {
    ns_builder b = {network, {NULL, has, tensor, matrix, norm, NULL}, err, NS_OK};
    *network =
        (ns_network){.input = NS_INPUT_WORDS, .vocabulary = VOCABULARY, .most_tokens = TOKENS};
    const int64_t shape[] = {VOCABULARY, WIDTH};
    ns_array values = ns_build_tensor(&b, "words.weight", 2, shape, true, false);
    ns_word_rows rows = {.vocabulary = VOCABULARY, .width = WIDTH, .words = values.values};
    int x = ns_build_buffer(&b, NS_OF_TOKENS, WIDTH);
    ns_build_step(&b, &ns_words_operation, NS_NO_BUFFER, NS_NO_BUFFER, x, &rows, sizeof rows);
    for (int i = 0; i < 2; i++) {
        const char *const paths[][3] = {{"0.up.", "0.down.", "0.norm"},
                                        {"1.up.", "1.down.", "1.norm"}};
        ns_linear first = ns_build_layer(&b, paths[i][0], HIDDEN, WIDTH, false);
        ns_residual_options add = {.layer = ns_build_layer(&b, paths[i][1], WIDTH, HIDDEN, false)};
        int branch = ns_build_linear(&b, x, first, NS_GELU_ERF);
        int sum = ns_build_buffer(&b, NS_OF_TOKENS, WIDTH);
        ns_build_step(&b, &ns_residual_operation, x, branch, sum, &add, sizeof add);
        x = ns_build_norm(&b, sum, paths[i][2], NS_ROLE_POST_MLP, true);
    }
    return b.status;
}

/* A value of the first site's x by plain loops. */
static double plainly(int id, int c) {
    const float *row = words + id * WIDTH;
    double sum = row[c];
    for (int h = 0; h < HIDDEN; h++) {
        double v = 0;
        for (int k = 0; k < WIDTH; k++) v += (double)up[0][h * WIDTH + k] * row[k];
        sum += down[0][c * HIDDEN + h] * v * 0.5 * erfc(-v / sqrt(2)); /* GELU */
    }
    return sum;
}

static bool wants(void *user, const ns_site *site) {
    return (void)user, (void)site, true;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    const int c = site->norm.channels;
    double sigma = 0, most = 0, off = 0; /* sigma: the mean over the rows */
    (void)user, (void)err;
    for (int r = 0; r < ROWS; r++) {
        double sum = 0, squares = 0;
        for (int i = r * c; i < (r + 1) * c; i++) {
            sum += rows->x[i];
            squares += (double)rows->x[i] * rows->x[i];
            most = fmax(most, fabs(rows->y[i]));
        }
        sigma += sqrt(squares / c - sum / c * (sum / c)) / ROWS;
    }
    printf("%s %-9s sigma %.4f, max |y| %.4f\n", site->name, site->norm.kind->name, sigma, most);
    for (int i = 0; i < ROWS * c && site->index == 1; i++)
        off = fmax(off, fabs(plainly(ids[i / c], i % c) - rows->x[i]));
    if (site->index == 1) printf("x differs from plain loops by %.1e\n", off);
    return NS_OK;
}

static void fill(void *array, size_t bytes, double scale) { /* any numbers around 0 */
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        ((float *)array)[i] = (float)(scale * sin(1 + 12.9898 * (double)(i + i * i / 1000)));
}

int main(void) {
    ns_error err = {0};
    ns_network network = {0};
    ns_run memory = {0};
    fill(words, sizeof words, 1);
    fill(up, sizeof up, 0.4);
    fill(down, sizeof down, 0.3);
    fill(weight, sizeof weight, 2);
    fill(beta, sizeof beta, 0.1);
    for (int i = 0; i < ROWS; i++) ids[i] = 7 * i % VOCABULARY;
    const ns_observer observer = {.wants = wants, .deliver = deliver};
    const ns_batch batch = {.samples = SAMPLES, .positions = TOKENS, .ids = ids};
    const ns_run_options pass = {.observer = &observer};
    int status = build(&network, &err);
    if (!status) status = ns_run_forward(&memory, &network, &batch, pass, &err);
    if (status) fprintf(stderr, "%s\n", err.message);
    ns_run_free(&memory);
    ns_network_free(&network);
    return status;
}
