/* Images for a ViT: data and what is held out, augmentation, the network, config.json. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/random.h"
#include "probe/train/trainer.h"

/* A name whose training images have the name NAME-train is trained on those, and tested on itself. */
static int open_data(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    char *train = ns_asprintf(t->err, "%s-train", p->data);
    if (!train) return NS_EFAIL;
    bool pair = ns_dataset_has_name(train);
    const char *test = p->test ? p->test : pair ? p->data : NULL;
    int status = ns_dataset_open(&t->data, pair ? train : p->data, p->labels, NULL, t->err);
    free(train);
    if (status) return status;
    if (!t->data->labels || t->data->classes < 2)
        return ns_fail(t->err, NS_EINPUT, "%s: expected labels of two classes or more, found %d",
                       t->data->path, t->data->labels ? t->data->classes : 0);
    if (test) status = ns_dataset_open(&t->test, test, NULL, &t->data->shape, t->err);
    if (!status && t->test && (!t->test->labels || t->test->classes > t->data->classes))
        status = ns_fail(t->err, NS_EINPUT, "%s: expected labels of up to %d classes, found %d",
                         t->test->path, t->data->classes, t->test->labels ? t->test->classes : 0);
    return status;
}

/* What is held out does not depend on the run's seed, so that runs are compared by the same images. */
static int split(ns_trainer *t) {
    int status = ns_trainer_split(t);
    return status ? status
                  : ns_dataset_order(t->data, NS_ORDER_SHUFFLED, 0, t->data->count, t->training,
                                     t->err);
}

static float four_digits(double value) {
    char text[32];
    snprintf(text, sizeof text, "%.4g", value);
    return (float)strtod(text, NULL);
}

static int measure_scale(ns_trainer *t) {
    ns_image_shape *s = &t->data->shape;
    size_t plane = (size_t)s->height * (size_t)s->width;
    double sums[4] = {0}, squares[4] = {0}, n = (double)t->training_count * (double)plane;
    for (int c = 0; c < s->channels; c++) s->mean[c] = 0, s->std[c] = 1;
    if (!t->data->scaled) return NS_OK; /* the values are taken as they are */
    for (int64_t from = 0; from < t->training_count; from += t->plan->batch) {
        int64_t rest = t->training_count - from,
                count = rest < t->plan->batch ? rest : t->plan->batch;
        int status = ns_dataset_read(t->data, t->training + from, (size_t)count, t->pixels, t->err);
        if (status) return status;
        for (int64_t i = 0; i < count * s->channels; i++)
            for (size_t k = 0; k < plane; k++) {
                double x = (double)t->pixels[(size_t)i * plane + k];
                sums[i % s->channels] += x;
                squares[i % s->channels] += x * x;
            }
    }
    for (int c = 0; c < s->channels; c++) {
        double mean = sums[c] / n, variance = squares[c] / n - mean * mean;
        s->mean[c] = four_digits(mean);
        s->std[c] = variance > 1e-8 ? four_digits(sqrt(variance)) : 1;
    }
    return NS_OK;
}

static int open_images(ns_trainer *t) {
    int status = open_data(t);
    if (!status) status = split(t);
    if (!status) status = ns_trainer_allocate(t);
    if (!status) status = measure_scale(t);
    if (!status && t->test) {
        memcpy(t->test->shape.mean, t->data->shape.mean, sizeof t->test->shape.mean);
        memcpy(t->test->shape.std, t->data->shape.std, sizeof t->test->shape.std);
    }
    return status;
}

static int build(ns_trainer *t) {
    const ns_train_plan *p = t->plan;
    const ns_image_shape *s = &t->data->shape;
    const ns_norm_kind *kind = ns_norm_kind_find(p->norm, t->err);
    if (!kind) return NS_EUSAGE;
    const ns_vit_shape shape = {.channels = (size_t)s->channels,
                                .height = (size_t)s->height,
                                .width = (size_t)s->width,
                                .patch = (size_t)p->patch,
                                .embed = (size_t)p->width,
                                .depth = (size_t)p->depth,
                                .heads = (size_t)p->heads,
                                .hidden = (size_t)(p->hidden ? p->hidden : 4 * p->width),
                                .classes = (size_t)t->data->classes,
                                .norm = kind,
                                .eps = kind->has & NS_HAS_RUNNING ? 1e-5 : 1e-6,
                                .activation = (ns_activation)p->activation};
    return ns_vit_new(&t->net, &shape, t->err);
}

/* One plane of h x w, moved by (down, right) over a border of black, mirrored or not. */
static void move_plane(const float *from, float *to, int h, int w, int down, int right, bool mirror,
                       float black) {
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int from_y = y + down, from_x = (mirror ? w - 1 - x : x) + right;
            bool inside = from_y >= 0 && from_y < h && from_x >= 0 && from_x < w;
            to[y * w + x] = inside ? from[from_y * w + from_x] : black;
        }
}

static void augment(ns_trainer *t, int64_t epoch, int64_t i) {
    const ns_image_shape *s = &t->data->shape;
    size_t plane = (size_t)s->height * (size_t)s->width, size = plane * (size_t)s->channels;
    uint64_t stream = ns_trainer_stream(t, NS_FOR_SAMPLE, epoch, t->ids[i]);
    int p = (int)t->plan->padding;
    int down = (int)ns_random_below(&stream, 2 * (uint64_t)p + 1) - p;
    int right = (int)ns_random_below(&stream, 2 * (uint64_t)p + 1) - p;
    bool mirror = ns_random_next(&stream) >> 63 && t->plan->flip;
    for (int c = 0; c < s->channels; c++)
        move_plane(t->loaded + (size_t)i * size + (size_t)c * plane,
                   t->pixels + (size_t)i * size + (size_t)c * plane, s->height, s->width, down,
                   right, mirror, -s->mean[c] / s->std[c]);
}

static int training_batch(ns_trainer *t, int64_t step) {
    int64_t epoch = step / t->epoch_steps, n = t->plan->batch;
    ns_trainer_choose(t, step);
    for (int64_t i = 0; i < n; i++) t->labels[i] = t->data->labels[t->ids[i]];
    bool plain = !t->plan->padding && !t->plan->flip;
    int status = ns_dataset_read(t->data, t->ids, (size_t)n, plain ? t->pixels : t->loaded, t->err);
    if (status || plain) return status;
#pragma omp parallel for schedule(static) if (n > 32)
    for (int64_t i = 0; i < n; i++) augment(t, epoch, i);
    return NS_OK;
}

static int load(ns_trainer *t, const ns_dataset *data, const int64_t *ids, int64_t n) {
    for (int64_t i = 0; i < n; i++) t->labels[i] = data->labels[ids[i]];
    return ns_dataset_read(data, ids, (size_t)n, t->pixels, t->err);
}

/* A float as the shortest decimal that gives it back. */
static json_t *short_real(float value) {
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    return json_real(strtod(text, NULL));
}

static json_t *config_of(const ns_trainer *t) {
    static const char *const activations[] = {"gelu", "gelu_tanh", "relu"};
    const ns_vit_spec *vit = &t->net->vit;
    const ns_block_spec *s = &vit->blocks;
    const ns_parameters *p = &t->net->parameters;
    const ns_image_shape *image = &t->data->shape;
    json_t *j =
        json_pack("{s:s, s:s, s:[I,I], s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:f}",
                  "architecture", "vit", "naming", "timm", "img_size", (json_int_t)vit->grid.height,
                  (json_int_t)vit->grid.width, "in_chans", (json_int_t)vit->grid.channels,
                  "patch_size", (json_int_t)vit->grid.patch, "embed_dim", (json_int_t)s->width,
                  "depth", (json_int_t)s->depth, "num_heads", (json_int_t)s->heads, "mlp_dim",
                  (json_int_t)s->hidden, "num_classes", (json_int_t)vit->classes, "norm",
                  p->norm->name, "act", activations[s->activation], "crop_pct", 1.0);
    if (p->norm->has & NS_HAS_EPS) json_object_set_new(j, "norm_eps", json_real(p->eps));
    json_t *mean = json_array(), *std = json_array();
    for (int c = 0; c < image->channels; c++) {
        json_array_append_new(mean, short_real(image->mean[c]));
        json_array_append_new(std, short_real(image->std[c]));
    }
    json_object_set_new(j, "mean", mean);
    json_object_set_new(j, "std", std);
    return j;
}

extern const ns_architecture ns_architecture_vit;
const ns_architecture ns_architecture_vit = {.name = "vit",
                                             .open = open_images,
                                             .build = build,
                                             .batch = training_batch,
                                             .load = load,
                                             .config = config_of};
