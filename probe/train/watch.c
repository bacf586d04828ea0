/* What each site sees, on the same samples each time. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/moments.h"
#include "probe/train/trainer.h"

const char *const ns_watch_names[NS_WATCH_COLUMNS] = {
    "alpha",         "alpha_least",        "alpha_most",
    "inverse_sigma", "inverse_sigma_rows", "inverse_sigma_robust",
    "row_sigma_5",   "row_sigma_50",       "row_sigma_95",
    "largest",       "saturated",          "gradient_norm"};
const char *const ns_watch_units[NS_WATCH_COLUMNS] = {"1/x", "1/x", "1/x", "1/x", "1/x", "1/x",
                                                      "x",   "x",   "x",   "x",   "1",   "loss/z"};

/* The k-th smallest of n values, which are reordered (Hoare, CACM 1961). */
static float nth(float *v, size_t n, size_t k) {
    size_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i >= j) break;
            float kept = v[i];
            v[i++] = v[j];
            v[j--] = kept;
        }
        if (i == j && v[i] <= pivot) i++; /* v[low..i-1] <= pivot <= v[i..high] */
        if (k < i)
            high = i - 1;
        else
            low = i;
    }
    return v[k];
}

static float quantile(float *v, size_t n, double q) {
    return nth(v, n, (size_t)(q * (double)(n - 1) + 0.5));
}

static void watch_alpha(const ns_norm *norm, float *out) {
    double least = INFINITY, most = -INFINITY;
    for (int c = 0; c < norm->alpha_count; c++) {
        double a = (double)norm->alpha[c];
        least = fmin(least, a);
        most = fmax(most, a);
    }
    bool has = norm->alpha_count > 0;
    out[NS_WATCH_ALPHA] = (float)ns_norm_mean_alpha(norm);
    out[NS_WATCH_ALPHA_LEAST] = has ? (float)least : NAN;
    out[NS_WATCH_ALPHA_MOST] = has ? (float)most : NAN;
}

/* room [rows * channels] and sigmas [rows] are overwritten. */
static void watch_input(const ns_norm *norm, size_t rows, const float *x, float *room,
                        float *sigmas, float *out) {
    size_t w = (size_t)norm->channels, n = rows * w, saturated = 0;
    float largest = 0;
    ns_moments all = {0};
    for (size_t r = 0; r < rows; r++) {
        ns_moments row = ns_moments_of(x + r * w, w);
        sigmas[r] = (float)ns_moments_sigma(&row);
        ns_moments_merge(&all, &row);
        for (size_t c = 0; c < w; c++) {
            float a = fabsf(x[r * w + c]);
            if (a > largest) largest = a;
            if (norm->alpha_count)
                saturated += a * fabsf(norm->alpha[norm->alpha_count > 1 ? c : 0]) > 2;
        }
    }
    memcpy(room, x, n * sizeof *x);
    float median = quantile(room, n, 0.5);
    for (size_t i = 0; i < n; i++) room[i] = fabsf(x[i] - median);
    out[NS_WATCH_SIGMA] = (float)(1 / ns_moments_sigma(&all));
    out[NS_WATCH_SIGMA_ROBUST] = 1 / (1.4826f * quantile(room, n, 0.5));
    out[NS_WATCH_ROW_LOW] = quantile(sigmas, rows, 0.05);
    out[NS_WATCH_ROW_MEDIAN] = quantile(sigmas, rows, 0.5);
    out[NS_WATCH_ROW_HIGH] = quantile(sigmas, rows, 0.95);
    out[NS_WATCH_SIGMA_ROWS] = 1 / out[NS_WATCH_ROW_MEDIAN];
    out[NS_WATCH_LARGEST] = largest;
    out[NS_WATCH_SATURATED] = norm->alpha_count ? (float)((double)saturated / (double)n) : NAN;
}

static int make_room(ns_trainer *t) {
    if (t->watch_count < t->watch_room) return NS_OK;
    int64_t room = 2 * t->watch_room + 16;
    size_t sites = (size_t)t->net->trunk.site_count;
    float *watched =
        ns_realloc(t->watched, (size_t)room * sites, NS_WATCH_COLUMNS * sizeof *watched, t->err);
    if (watched) t->watched = watched;
    int64_t *steps =
        watched ? ns_realloc(t->watched_steps, (size_t)room, sizeof *steps, t->err) : NULL;
    if (!steps) return NS_EFAIL;
    t->watched_steps = steps;
    t->watch_room = room;
    return NS_OK;
}

/* A pass forward and backward over the samples, with what training computes but without drop path; nothing moves. */
static int run_pass(ns_trainer *t, int64_t *samples, double *arriving, double *loss) {
    bool held = t->validation_count > 0;
    const int64_t *ids = held ? t->validation : t->training;
    int64_t count = held ? t->validation_count : t->training_count;
    *samples = count < t->plan->batch ? count : t->plan->batch;
    int status = t->arch->load(t, t->data, ids, *samples);
    if (status) return status;
    ns_trunk *trunk = &t->net->trunk;
    trunk->hold_running = true;
    trunk->arriving = arriving;
    size_t n = (size_t)*samples;
    const ns_keep whole = {NULL, 0};
    t->net->kind->forward(t->net, n, t->pixels, true, whole);
    ns_loss of = t->net->kind->loss(t->net, n, t->labels, t->plan->smoothing, n * t->net->labels);
    if (loss) *loss = of.mean;
    t->net->kind->backward(t->net, n);
    trunk->hold_running = false;
    trunk->arriving = NULL;
    return NS_OK;
}

int ns_trainer_watch(ns_trainer *t, double *loss) {
    ns_trunk *trunk = &t->net->trunk;
    size_t sites = (size_t)trunk->site_count, w = trunk->shape.width;
    int64_t samples = 0;
    double *arriving = ns_calloc(sites, sizeof *arriving, t->err);
    int status = arriving ? make_room(t) : NS_EFAIL;
    if (!status) status = run_pass(t, &samples, arriving, loss);
    size_t rows = (size_t)samples * t->net->trunk.shape.tokens, each = rows * (w + 1);
    size_t threads = (size_t)omp_get_max_threads();
    float *room = status ? NULL : ns_calloc(threads * each, sizeof *room, t->err);
    if (!status && !room) status = NS_EFAIL;
    if (!status) {
        float *record = t->watched + (size_t)t->watch_count * sites * NS_WATCH_COLUMNS;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < sites; i++) {
            float *mine = room + (size_t)omp_get_thread_num() * each,
                  *out = record + i * NS_WATCH_COLUMNS;
            ns_norm norm = ns_trunk_norm(trunk, (int)i);
            watch_alpha(&norm, out);
            watch_input(&norm, rows, trunk->sites[i].x, mine, mine + rows * w, out);
            out[NS_WATCH_GRADIENT] = (float)arriving[i];
        }
        t->watched_steps[t->watch_count++] = t->step;
    }
    free(arriving);
    free(room);
    return status;
}
