/* 1/sigma of the input of every norm before an MLP of a vision transformer, over 16 images: an observer says which sites it wants, is
 * given their tensors, and keeps sums alone; a site that nobody wants costs nothing.
 *     cc watch.c -o watch $(pkg-config --cflags --libs normscope) -lm
 *     ./watch MODEL DATA */
#include <math.h>
#include <normscope.h>
#include <stdio.h>

typedef struct moments {
    double n, sum, squares;
} moments;

static bool wants(void *user, const ns_site *site) {
    (void)user;
    return site->role == NS_ROLE_MLP; /* the others then cost nothing */
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)err;
    moments *m = (moments *)user + site->index;
    size_t n = rows->samples * rows->positions * (size_t)site->norm.channels;
    for (size_t i = 0; i < n; i++) {
        m->n++;
        m->sum += rows->x[i];
        m->squares += (double)rows->x[i] * rows->x[i];
    }
    return NS_OK;
}

int main(int argc, char **argv) {
    ns_error err = {0};
    ns_model *model = NULL;
    ns_dataset *data = NULL;
    moments seen[100] = {0};
    static float pixels[16 * 3 * 256 * 256];
    int64_t ids[16];
    if (argc != 3 || ns_model_open(&model, argv[1], &err) ||
        ns_dataset_open(&data, argv[2], NULL, &model->input.image, &err) ||
        ns_dataset_order(data, NS_ORDER_SHUFFLED, 0, 16, ids, &err) ||
        ns_dataset_read(data, ids, 16, pixels, &err)) {
        fprintf(stderr, "%s\n", argc == 3 ? err.message : "usage: watch MODEL DATA");
        return 1;
    }
    ns_observer observer = {.user = seen, .wants = wants, .deliver = deliver};
    ns_batch batch = {.samples = 16, .sample_ids = ids, .pixels = pixels};
    int status = ns_model_forward(model, &batch, &observer, 0, &err);
    for (int i = 0; i < model->site_count && !status; i++) {
        const ns_site *site = &model->sites[i];
        const moments *m = &seen[site->index];
        if (m->n > 0)
            printf("%-16s 1/sigma %.3f\n", site->name,
                   1 / sqrt(m->squares / m->n - pow(m->sum / m->n, 2)));
    }
    if (status) fprintf(stderr, "%s\n", err.message);
    ns_dataset_close(data);
    ns_model_close(model);
    return status;
}
