/* The one pass over a network, and the one place where a site is visited. */
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/models/operations.h"
#include "probe/models/plan.h"

void ns_run_free(ns_run *run) {
    void *const blocks[] = {run->values,       run->gradients,  run->kept,          run->last,
                            run->memory,       run->kinds,      run->pooled_kinds,  run->mask,
                            run->position_ids, run->head_kinds, run->head_positions};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
    *run = (ns_run){0};
}

/* ---- memory ---- */

/* The most rows that a token has at a site. */
static size_t most_heads(const ns_network *n) {
    int most = 1;
    for (int i = 0; i < n->site_count; i++)
        if (ns_site_heads(&n->sites[i]) > most) most = ns_site_heads(&n->sites[i]);
    return (size_t)most;
}

static int allocate(ns_run *run, ns_error *err) {
    size_t buffers = (size_t)run->network->buffer_count, steps = (size_t)run->network->step_count;
    size_t rows = run->samples * run->tokens, heads = most_heads(run->network);
    run->values = ns_calloc(buffers, sizeof *run->values, err);
    run->gradients = ns_calloc(buffers, sizeof *run->gradients, err);
    run->last = ns_calloc(buffers, sizeof *run->last, err);
    run->kept = ns_calloc(steps, sizeof *run->kept, err);
    run->kinds = ns_calloc(rows, 1, err);
    run->mask = ns_calloc(rows, 1, err);
    run->pooled_kinds = ns_calloc(run->samples, 1, err);
    run->position_ids = ns_calloc(run->tokens, sizeof *run->position_ids, err);
    run->head_kinds = heads > 1 ? ns_calloc(rows * heads, 1, err) : NULL;
    run->head_positions =
        heads > 1 ? ns_calloc(run->tokens * heads, sizeof *run->head_positions, err) : NULL;
    if (heads > 1 && (!run->head_kinds || !run->head_positions)) return NS_EFAIL;
    if (!run->values || !run->gradients || !run->last || !run->kept || !run->kinds || !run->mask ||
        !run->pooled_kinds || !run->position_ids)
        return NS_EFAIL;
    for (size_t t = 0; t < run->tokens; t++) run->position_ids[t] = (int32_t)t;
    memset(run->pooled_kinds, run->network->pooled_kind, run->samples);
    return ns_plan_memory(run, err);
}

int ns_run_reserve(ns_run *run, const ns_network *network, size_t samples, size_t tokens,
                   bool training, bool observed, ns_error *err) {
    if (network->input == NS_INPUT_PIXELS) tokens = network->tokens;
    bool same = run->network == network && run->training == training;
    if (same && samples <= run->room && tokens <= run->room_tokens && observed <= run->observed &&
        omp_get_max_threads() <= run->threads)
        return NS_OK;
    if (same && samples < run->room) samples = run->room;
    if (same && tokens < run->room_tokens) tokens = run->room_tokens;
    bool shown = observed || (same && run->observed);
    size_t rows;
    if (!samples || !tokens || __builtin_mul_overflow(samples, tokens, &rows) || rows > INT_MAX / 4)
        return ns_fail(err, NS_EUSAGE, "a batch of %zu samples of %zu tokens: too many rows",
                       samples, tokens);
    ns_run_free(run);
    *run = (ns_run){.network = network,
                    .training = training,
                    .observed = shown,
                    .samples = samples,
                    .tokens = tokens,
                    .threads = omp_get_max_threads()};
    int status = allocate(run, err);
    if (status) {
        ns_run_free(run);
        return status;
    }
    run->room = samples;
    run->room_tokens = tokens;
    return NS_OK;
}

/* ---- what comes in ---- */

static int check_words(const ns_run *run, ns_error *err) {
    const ns_network *n = run->network;
    const ns_batch *b = run->batch;
    size_t rows = run->samples * run->tokens;
    if (n->most_tokens && run->tokens > n->most_tokens)
        return ns_fail(err, NS_EINPUT, "expected samples of at most %zu words, found %zu",
                       n->most_tokens, run->tokens);
    for (size_t r = 0; r < rows; r++) {
        if (b->ids[r] >= 0 && (size_t)b->ids[r] >= n->vocabulary)
            return ns_fail(err, NS_EINPUT, "expected words from 0 to %zu, found %d",
                           n->vocabulary - 1, b->ids[r]);
        if (b->ids[r] >= 0 && n->row_of && n->row_of[b->ids[r]] < 0)
            return ns_fail(err, NS_EINPUT, "expected words that have an embedding, found %d",
                           b->ids[r]);
        if (b->types && (b->types[r] < 0 || (size_t)b->types[r] >= n->types))
            return ns_fail(err, NS_EINPUT, "expected token types below %zu, found %d", n->types,
                           b->types[r]);
    }
    return NS_OK;
}

/* Kinds of rows; of words the mask, too. */
static int set_rows(ns_run *run, ns_error *err) {
    const ns_network *n = run->network;
    const ns_batch *b = run->batch;
    run->padded = false;
    if (n->input == NS_INPUT_PIXELS) {
        if (!b->pixels) return ns_fail(err, NS_EUSAGE, "the network takes pixels, found none");
        for (size_t r = 0; r < run->samples * run->tokens; r++) {
            size_t t = r % run->tokens;
            run->kinds[r] = t < n->classes_first                  ? NS_ROW_CLASS
                            : t < n->classes_first + n->registers ? NS_ROW_REGISTER
                                                                  : NS_ROW_PATCH;
        }
        return NS_OK;
    }
    if (!b->ids) return ns_fail(err, NS_EUSAGE, "the network takes words, found none");
    for (size_t s = 0; s < run->samples; s++) {
        size_t seen = 0;
        for (size_t r = s * run->tokens; r < (s + 1) * run->tokens; r++) {
            bool word = b->ids[r] >= 0 && (!b->mask || b->mask[r]);
            run->mask[r] = word;
            run->kinds[r] = word ? NS_ROW_WORD : NS_ROW_PADDING;
            seen += word;
        }
        run->padded |= seen < run->tokens;
        if (!seen)
            return ns_fail(err, NS_EINPUT, "sample %lld is padding alone",
                           b->sample_ids ? (long long)b->sample_ids[s] : (long long)s);
    }
    return check_words(run, err);
}

/* ---- sites ---- */

/* Rows of a norm, which may have several for each of its input's. */
static size_t norm_rows(const ns_step *step, const ns_run *run) {
    return ns_run_rows(run, step->in[0]) * (size_t)ns_site_heads(&run->network->sites[step->site]);
}

/* Running statistics move a tenth of the way to the batch's, the variance to its unbiased estimate (PyTorch's BatchNorm). */
static void move_running(const ns_norm *norm, const ns_norm_trained *trained, size_t rows,
                         const ns_real *means, const ns_real *rstds) {
    double unbiased = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    for (int c = 0; c < norm->channels; c++) {
        double rstd = (double)rstds[c], variance = 1 / (rstd * rstd) - (double)norm->eps;
        trained->mean[c] = (ns_real)(0.9 * (double)trained->mean[c] + 0.1 * (double)means[c]);
        trained->variance[c] =
            (ns_real)(0.9 * (double)trained->variance[c] + 0.1 * unbiased * variance);
    }
}

static size_t statistics_of(const ns_step *step, const ns_run *run) {
    size_t rows = norm_rows(step, run), w = run->network->buffers[step->in[0]].width;
    return rows > w ? rows : w; /* of each row, or of each channel of the batch */
}

/* Runs a norm from x to y and z, either of which may be NULL. */
static void run_norm(const ns_step *step, ns_run *run, const ns_real *x, ns_real *y, ns_real *z) {
    const ns_norm *norm = &run->network->sites[step->site].norm;
    int i = (int)(step - run->network->steps);
    ns_real *mean = run->kept[i], *rstd = mean ? mean + statistics_of(step, run) : NULL;
    size_t rows = norm_rows(step, run);
    if (!norm->kind->forward_batch || !run->batch_statistics || !mean) {
        if (y || z) norm->kind->forward(norm, rows, x, y, z, mean, rstd);
        return;
    }
    if (y) {
        ns_norm plain = *norm;
        plain.gamma = plain.beta = NULL;
        norm->kind->forward_batch(&plain, rows, x, y, mean, rstd, run->work);
    }
    if (!z) return;
    norm->kind->forward_batch(norm, rows, x, z, mean, rstd, run->work);
    if (!run->hold_running)
        move_running(norm, &run->network->trained[step->site], rows, mean, rstd);
}

/* Of a site with heads: the kinds and positions of its rows are those of their tokens. */
static void set_head_rows(ns_run *run, size_t heads, ns_rows *rows) {
    size_t all = run->samples * run->tokens * heads;
    for (size_t r = 0; r < all; r++) run->head_kinds[r] = run->kinds[r / heads];
    for (size_t p = 0; p < run->tokens * heads; p++) run->head_positions[p] = (int32_t)(p / heads);
    rows->positions = run->tokens * heads;
    rows->position_ids = run->head_positions;
    rows->kinds = run->head_kinds;
}

static int visit(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_site *site = &run->network->sites[step->site];
    const ns_observer *o = run->observer;
    bool wanted = o && o->wants && o->wants(o->user, site),
         pooled = run->network->buffers[step->in[0]].rows == NS_OF_SAMPLES;
    const ns_real *x = run->values[step->in[0]];
    run->done = site->index == run->last_site;
    ns_real *z = run->done || step->out < 0 ? NULL : run->values[step->out], *y = NULL;
    size_t rows = norm_rows(step, run), heads = (size_t)ns_site_heads(site);
    if (wanted && o->place_output) y = o->place_output(o->user, site, rows);
    if (wanted && !y) y = run->y;
    run_norm(step, run, x, y, z);
    if (!wanted) return NS_OK;
    ns_rows shown = {.samples = run->samples,
                     .positions = pooled ? 1 : run->tokens,
                     .sample_ids = run->batch->sample_ids,
                     .position_ids = run->position_ids,
                     .kinds = pooled ? run->pooled_kinds : run->kinds,
                     .x = x,
                     .y = y};
    if (heads > 1) set_head_rows(run, heads, &shown);
    return o->deliver(o->user, site, &shown, err);
}

static void visit_back(const ns_step *step, ns_run *run) {
    const ns_site *site = &run->network->sites[step->site];
    const ns_norm_trained *trained = &run->network->trained[step->site];
    const ns_observer *o = run->observer;
    int i = (int)(step - run->network->steps), in = step->in[0];
    size_t rows = norm_rows(step, run);
    ns_real *dz = run->gradients[step->out], *dx = run->gradients[in];
    ns_real *mean = run->kept[i], *rstd = mean + statistics_of(step, run);
    if (o && o->gradient) o->gradient(o->user, site, rows, dz);
    if (run->last[in] == i) memset(dx, 0, rows * (size_t)site->norm.channels * sizeof *dx);
    site->norm.kind->backward(&site->norm, rows, run->values[in], mean, rstd, dz, dx,
                              &trained->gradient, run->work);
}

static size_t norm_kept(const ns_step *step, const ns_run *run) {
    return 2 * statistics_of(step, run);
}

static size_t norm_work(const ns_step *step, const ns_run *run) {
    return ns_norm_work(run->network->sites[step->site].norm.channels);
}

const ns_operation ns_norm_operation = {.name = "norm",
                                        .adds = true,
                                        .forward = visit,
                                        .backward = visit_back,
                                        .kept = norm_kept,
                                        .work = norm_work};

/* ---- passes ---- */

static bool shows_logits(const ns_run *run) {
    return run->network->has_head && run->observer && run->observer->logits && !run->training;
}

/* Parts of a pass, for whoever watches: steps, and pieces of the head. */
static size_t parts_of(const ns_run *run) {
    size_t steps = (size_t)run->network->step_count;
    if (!shows_logits(run)) return steps;
    size_t rows = ns_run_rows(run, run->network->head_in), piece = ns_run_head_rows(run);
    return steps + (rows + piece - 1) / piece;
}

static int look(const ns_run *run, size_t done, size_t all, ns_error *err) {
    return run->watch.look ? run->watch.look(run->watch.user, done, all, err) : NS_OK;
}

static int run_steps(ns_run *run, size_t parts, ns_error *err) {
    const ns_network *n = run->network;
    int status = NS_OK;
    for (int i = 0; i < n->step_count && !status && !run->done; i++) {
        status = n->steps[i].operation->forward(&n->steps[i], run, err);
        if (!status) status = look(run, (size_t)i + 1, parts, err);
    }
    return status;
}

static int show_logits(ns_run *run, size_t parts, ns_error *err) {
    const ns_network *n = run->network;
    size_t rows = ns_run_rows(run, n->head_in), piece = ns_run_head_rows(run);
    ns_real *logits = run->scratch + ns_run_linear_work(&n->head);
    int status = NS_OK;
    for (size_t first = 0; first < rows && !status; first += piece) {
        if (first) status = look(run, (size_t)n->step_count + first / piece, parts, err);
        if (status) break;
        size_t count = rows - first < piece ? rows - first : piece;
        ns_linear_forward(&n->head, count, run->values[n->head_in] + first * n->head.in, logits,
                          n->head.out, run->scratch);
        if (n->head_cap > 0) ns_cap_values(count * n->head.out, n->head_cap, logits);
        status = run->observer->logits(run->observer->user, first, count, n->head.out, logits, err);
    }
    return status;
}

int ns_run_forward(ns_run *run, const ns_network *network, const ns_batch *batch,
                   ns_run_options pass, ns_error *err) {
    bool training = run->network == network && run->training;
    bool shown = pass.observer && pass.observer->deliver;
    int status =
        ns_run_reserve(run, network, batch->samples, batch->positions, training, shown, err);
    if (status) return status;
    run->samples = batch->samples;
    run->tokens = network->input == NS_INPUT_PIXELS ? network->tokens : batch->positions;
    run->batch = batch;
    run->keep = pass.keep;
    run->batch_statistics = pass.batch_statistics;
    run->hold_running = pass.hold_running;
    run->observer = pass.observer;
    run->watch = pass.watch;
    run->last_site = pass.last_site;
    run->done = false;
    status = set_rows(run, err);
    size_t parts = parts_of(run);
    if (!status) status = run_steps(run, parts, err);
    return status || run->done || !shows_logits(run) ? status : show_logits(run, parts, err);
}

void ns_run_head(ns_run *run, ns_real *logits) {
    const ns_network *n = run->network;
    ns_linear_forward(&n->head, ns_run_rows(run, n->head_in), run->values[n->head_in], logits,
                      n->head.out, NULL);
}

void ns_run_backward(ns_run *run, const ns_real *dlogits) {
    const ns_network *n = run->network;
    ns_linear_back(&n->head, ns_run_rows(run, n->head_in), run->values[n->head_in], dlogits,
                   run->gradients[n->head_in], run->work);
    for (int i = n->step_count; i-- > 0;)
        if (n->steps[i].operation->backward) n->steps[i].operation->backward(&n->steps[i], run);
}
