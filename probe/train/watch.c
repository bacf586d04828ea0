/* What each site sees, on the same samples each time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/moments.h"
#include "probe/train/trainer.h"

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
    out[NS_WATCH_SIGMA] = (float)ns_inverse_sigma(ns_moments_sigma(&all));
    out[NS_WATCH_SIGMA_ROBUST] = (float)ns_inverse_sigma_robust((double)quantile(room, n, 0.5));
    out[NS_WATCH_ROW_LOW] = quantile(sigmas, rows, 0.05);
    out[NS_WATCH_ROW_MEDIAN] = quantile(sigmas, rows, 0.5);
    out[NS_WATCH_ROW_HIGH] = quantile(sigmas, rows, 0.95);
    out[NS_WATCH_SIGMA_ROWS] = (float)ns_inverse_sigma((double)out[NS_WATCH_ROW_MEDIAN]);
    out[NS_WATCH_LARGEST] = largest;
    out[NS_WATCH_SATURATED] = norm->alpha_count ? (float)((double)saturated / (double)n) : NAN;
}

static int make_room(ns_trainer *t) {
    if (t->watch_count < t->watch_room) return NS_OK;
    int64_t room = 2 * t->watch_room + 16;
    size_t sites = (size_t)t->net->network.site_count;
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

/* ---- the observer ---- */

/* One record while it is made. */
typedef struct record {
    float *rows; /* [sites, NS_WATCH_COLUMNS] */
    float *room; /* as watch_input wants it */
    size_t most; /* values of it */
} record;

static bool wants(void *user, const ns_site *site) {
    (void)user;
    (void)site;
    return true;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    const record *r = user;
    size_t n = rows->samples * rows->positions, values = n * (size_t)site->norm.channels;
    float *out = r->rows + (size_t)(site->index - 1) * NS_WATCH_COLUMNS;
    if (values + n > r->most)
        return ns_fail(err, NS_EFAIL, "%s: more rows than were planned for", site->name);
    watch_alpha(&site->norm, out);
    watch_input(&site->norm, n, rows->x, r->room, r->room + values, out);
    return NS_OK;
}

static void gradient(void *user, const ns_site *site, size_t rows, const ns_real *dz) {
    const record *r = user;
    double sum = 0;
    for (size_t i = 0; i < rows * (size_t)site->norm.channels; i++)
        sum += (double)dz[i] * (double)dz[i];
    r->rows[(size_t)(site->index - 1) * NS_WATCH_COLUMNS + NS_WATCH_GRADIENT] = (float)sqrt(sum);
}

/* A pass forward and backward over the samples, with what training computes but without drop path; nothing moves. */
static void run_pass(ns_trainer *t, const ns_observer *observer, size_t samples, double *loss) {
    ns_trainee *net = t->net;
    net->hold_running = true;
    net->observer = observer;
    ns_trainee_forward(net, samples, ns_trainer_input(t), true, (ns_keep){NULL, 0});
    ns_loss of = ns_trainee_loss(net, t->labels, t->plan->smoothing, samples * net->labels);
    if (loss) *loss = of.mean;
    ns_trainee_backward(net);
    net->hold_running = false;
    net->observer = NULL;
}

int ns_trainer_watch(ns_trainer *t, double *loss) {
    const ns_network *network = &t->net->network;
    bool held = t->validation_count > 0;
    const int64_t *ids = held ? t->validation : t->training;
    int64_t count = held ? t->validation_count : t->training_count;
    int64_t samples = count < t->plan->batch ? count : t->plan->batch;
    size_t rows = (size_t)samples * t->net->tokens, w = ns_trainee_blocks(t->net)->width;
    record r = {.most = rows * (w + 1)};
    int status = make_room(t);
    if (!status) status = t->arch->load(t, t->data, ids, samples);
    if (!status && !(r.room = ns_calloc(r.most, sizeof *r.room, t->err))) status = NS_EFAIL;
    if (status) return status;
    r.rows = t->watched + (size_t)(t->watch_count * network->site_count) * NS_WATCH_COLUMNS;
    const ns_observer observer = {
        .user = &r, .wants = wants, .deliver = deliver, .gradient = gradient};
    run_pass(t, &observer, (size_t)samples, loss);
    free(r.room);
    if (t->net->failed) return ns_fail(t->err, NS_EFAIL, "the sites could not be watched");
    t->watched_steps[t->watch_count++] = t->step;
    return NS_OK;
}

int ns_trainer_save_watched(ns_trainer *t) {
    const ns_network *network = &t->net->network;
    char *path = ns_path_join(t->plan->folder, "training.h5", t->err);
    double(*epochs)[NS_EPOCH_COLUMNS] =
        path ? ns_calloc((size_t)t->epoch_count + 1, sizeof *epochs, t->err) : NULL;
    int status = epochs ? NS_OK : NS_EFAIL;
    for (int64_t i = 0; i < t->epoch_count && epochs; i++) {
        epochs[i][NS_EPOCH_LOSS] = t->epochs[i].loss;
        epochs[i][NS_EPOCH_ACCURACY] = t->epochs[i].accuracy;
        epochs[i][NS_EPOCH_VALIDATION_LOSS] = t->epochs[i].validation_loss;
        epochs[i][NS_EPOCH_VALIDATION_ACCURACY] = t->epochs[i].validation_accuracy;
    }
    const ns_training_record r = {.norm = t->plan->norm,
                                  .data_sha256 = t->data_hash,
                                  .seed = (int64_t)t->plan->seed,
                                  .steps_per_epoch = t->epoch_steps,
                                  .steps_in_all = t->steps,
                                  .steps = t->step,
                                  .epochs = t->epoch_count,
                                  .records = t->watch_count,
                                  .history = (const float(*)[NS_STEP_COLUMNS])t->history,
                                  .epoch = (const double(*)[NS_EPOCH_COLUMNS])epochs,
                                  .sites = network->sites,
                                  .site_count = network->site_count,
                                  .record_steps = t->watched_steps,
                                  .watched = t->watched};
    if (!status) status = ns_training_write(path, &r, t->err);
    free(epochs);
    free(path);
    return status;
}
