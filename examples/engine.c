/* An engine of one's own writes the file that `normscope dump` writes, and every command reads it.
 *     cc engine.c -o engine $(pkg-config --cflags --libs normscope) -lm
 *     ./engine [FILE.h5] */
#include <math.h>
#include <normscope.h>
#include <stdio.h>

enum { C = 64, TOKENS = 10, SAMPLES = 40, BATCH = 8 };

/* Stands for one's own engine: x [BATCH * TOKENS, C] is what its normalization layer gets, y what comes out before the affine. */
static void my_layer(int batch, float *x, float *y) {
    for (int row = 0; row < BATCH * TOKENS; row++) {
        double mean = 0, var = 0;
        for (int c = 0; c < C; c++) {
            x[row * C + c] = (float)((1 + row % TOKENS) * sin(1.7 * c * (batch + 1) + row));
            mean += x[row * C + c] / C;
        }
        for (int c = 0; c < C; c++) var += pow(x[row * C + c] - mean, 2) / C;
        for (int c = 0; c < C; c++)
            y[row * C + c] = (float)((x[row * C + c] - mean) / sqrt(var + 1e-6));
    }
}

int main(int argc, char **argv) {
    ns_error err = {0};
    ns_site site = {
        .index = 1, .name = "layers.0.norm", .role = NS_ROLE_ATTENTION, .positions = TOKENS};
    site.norm =
        (ns_norm){.kind = ns_norm_kind_find("layernorm", &err), .channels = C, .eps = 1e-6f};
    bool wanted = true;
    int64_t ids[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) ids[i] = i;
    ns_store_plan plan = {.path = argc == 2 ? argv[1] : "engine.h5",
                          .sites = &site,
                          .site_count = 1,
                          .wanted = &wanted};
    plan.samples = SAMPLES, plan.sample_ids = ids, plan.batch = BATCH, plan.rows = true;

    ns_store_writer *writer;
    int status = ns_store_create(&writer, &plan, &err);
    if (status) {
        fprintf(stderr, "%s\n", err.message);
        return status;
    }
    ns_observer store = ns_store_writer_observer(writer);
    int32_t positions[TOKENS];
    uint8_t kinds[BATCH * TOKENS];
    for (int i = 0; i < TOKENS; i++) positions[i] = i;
    for (int i = 0; i < BATCH * TOKENS; i++) kinds[i] = NS_ROW_WORD;
    for (int batch = 0; batch < SAMPLES / BATCH && !status; batch++) {
        static float x[BATCH * TOKENS * C], y[BATCH * TOKENS * C];
        my_layer(batch, x, y);
        ns_rows rows = {BATCH, TOKENS, ids + batch * BATCH, positions, kinds, x, y};
        status = store.deliver(store.user, &site, &rows, &err);
        if (!status) status = ns_store_writer_commit(writer, BATCH, NULL, &err);
    }
    int closed = ns_store_writer_close(writer, status ? NULL : &err);
    if (status || closed) fprintf(stderr, "%s\n", err.message);
    return status ? status : closed;
}
