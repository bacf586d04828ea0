/* Batches: their order, augmentation, drop path. Every number is a hash of the seed and of what it is for, so that a resumed run
 * needs no state of a generator. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/random.h"
#include "probe/train/trainer.h"

enum { FOR_ORDER = 1, FOR_IMAGE = 2, FOR_DROP = 3 };

static uint64_t stream_of(const ns_trainer *t, uint64_t purpose, int64_t a, int64_t b) {
    return ns_row_priority(ns_mix64(t->plan->seed * 4 + purpose), a, b);
}

static void order_epoch(ns_trainer *t, int64_t epoch) {
    if (t->ordered_epoch == epoch) return;
    memcpy(t->order, t->training, (size_t)t->training_count * sizeof *t->order);
    ns_random_shuffle(t->order, t->training_count, stream_of(t, FOR_ORDER, epoch, 0));
    t->ordered_epoch = epoch;
}

int ns_trainer_load(ns_trainer *t, const ns_dataset *data, const int64_t *ids, int64_t n) {
    for (int64_t i = 0; i < n; i++) t->labels[i] = data->labels[ids[i]];
    return ns_dataset_read(data, ids, (size_t)n, t->pixels, t->err);
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
    uint64_t stream = stream_of(t, FOR_IMAGE, epoch, t->ids[i]);
    int p = (int)t->plan->padding;
    int down = (int)ns_random_below(&stream, 2 * (uint64_t)p + 1) - p;
    int right = (int)ns_random_below(&stream, 2 * (uint64_t)p + 1) - p;
    bool mirror = ns_random_next(&stream) >> 63 && t->plan->flip;
    for (int c = 0; c < s->channels; c++)
        move_plane(t->loaded + (size_t)i * size + (size_t)c * plane,
                   t->pixels + (size_t)i * size + (size_t)c * plane, s->height, s->width, down,
                   right, mirror, -s->mean[c] / s->std[c]);
}

int ns_trainer_batch(ns_trainer *t, int64_t step) {
    int64_t epoch = step / t->epoch_steps, n = t->plan->batch;
    order_epoch(t, epoch);
    memcpy(t->ids, t->order + step % t->epoch_steps * n, (size_t)n * sizeof *t->ids);
    for (int64_t i = 0; i < n; i++) t->labels[i] = t->data->labels[t->ids[i]];
    bool plain = !t->plan->padding && !t->plan->flip;
    int status = ns_dataset_read(t->data, t->ids, (size_t)n, plain ? t->pixels : t->loaded, t->err);
    if (status || plain) return status;
#pragma omp parallel for schedule(static) if (n > 32)
    for (int64_t i = 0; i < n; i++) augment(t, epoch, i);
    return NS_OK;
}

/* The rate rises along the depth from 0 to what is asked for, as the DyT recipe has it. */
const float *ns_trainer_keep(ns_trainer *t, int64_t step) {
    const ns_train_plan *p = t->plan;
    if (!(p->drop_path > 0)) return NULL;
    for (int64_t branch = 0; branch < 2 * p->depth; branch++) {
        double rate = p->depth > 1 ? p->drop_path * (double)(branch / 2) / (double)(p->depth - 1)
                                   : p->drop_path;
        uint64_t stream = stream_of(t, FOR_DROP, step, branch);
        for (int64_t i = 0; i < p->batch; i++)
            t->keep[branch * p->batch + i] =
                ns_random_unit(&stream) < rate ? 0 : (float)(1 / (1 - rate));
    }
    return t->keep;
}

static float four_digits(double value) {
    char text[32];
    snprintf(text, sizeof text, "%.4g", value);
    return (float)strtod(text, NULL);
}

int ns_trainer_scale(ns_trainer *t) {
    ns_image_shape *s = &t->data->shape;
    size_t plane = (size_t)s->height * (size_t)s->width;
    double sums[4] = {0}, squares[4] = {0}, n = (double)t->training_count * (double)plane;
    for (int c = 0; c < s->channels; c++) s->mean[c] = 0, s->std[c] = 1;
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
