#include "probe/models/plan.h"

#include <limits.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/models/operations.h"

void ns_plan_lives(const ns_network *n, int *first, int *last) {
    for (int b = 0; b < n->buffer_count; b++) first[b] = last[b] = -1;
    for (int s = 0; s < n->step_count; s++) {
        const ns_step *step = &n->steps[s];
        for (int i = 0; i < NS_MOST_INPUTS; i++)
            if (step->in[i] >= 0) last[step->in[i]] = s;
        if (step->out >= 0 && first[step->out] < 0) first[step->out] = s;
    }
    if (n->has_head) last[n->head_in] = n->step_count;
}

static size_t rounded(size_t count) {
    return (count + 15) / 16 * 16; /* each begins on a line of the cache */
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t ns_run_rows(const ns_run *run, int buffer) {
    switch (run->network->buffers[buffer].rows) {
    case NS_OF_TOKENS:
        return run->samples * run->tokens;
    case NS_OF_PATCHES:
        return run->samples * run->network->patches;
    case NS_OF_SAMPLES:
        return run->samples;
    default:
        return run->tokens;
    }
}

static size_t size_of(const ns_run *run, int buffer) {
    return rounded(ns_run_rows(run, buffer) * run->network->buffers[buffer].width);
}

/* ---- slots ---- */

typedef struct slots {
    size_t *sizes;  /* [count] */
    bool *taken;    /* [count] */
    int count;      /* at most one a buffer */
    int *of_buffer; /* [buffers], the slot of each, -1: none */
} slots;

static int slots_new(slots *s, int buffers, ns_error *err) {
    size_t n = (size_t)buffers + 1;
    *s = (slots){.sizes = ns_calloc(n, sizeof *s->sizes, err),
                 .taken = ns_calloc(n, sizeof *s->taken, err),
                 .of_buffer = ns_calloc(n, sizeof *s->of_buffer, err)};
    if (!s->sizes || !s->taken || !s->of_buffer) return NS_EFAIL;
    for (int b = 0; b < buffers; b++) s->of_buffer[b] = -1;
    return NS_OK;
}

static void slots_free(slots *s) {
    free(s->sizes);
    free(s->taken);
    free(s->of_buffer);
}

/* The smallest free slot that is large enough, else the largest, which grows, else a new one. */
static void take(slots *s, int buffer, size_t size) {
    int best = -1;
    for (int i = 0; i < s->count; i++) {
        if (s->taken[i]) continue;
        bool fits = s->sizes[i] >= size, best_fits = best >= 0 && s->sizes[best] >= size;
        bool better = best < 0 || (fits && !best_fits) ||
                      (fits == best_fits &&
                       (fits ? s->sizes[i] < s->sizes[best] : s->sizes[i] > s->sizes[best]));
        if (better) best = i;
    }
    if (best < 0) best = s->count++;
    s->sizes[best] = most(s->sizes[best], size);
    s->taken[best] = true;
    s->of_buffer[buffer] = best;
}

static void give_back(slots *s, int buffer) {
    if (buffer >= 0 && s->of_buffer[buffer] >= 0) s->taken[s->of_buffer[buffer]] = false;
}

/* Whether out may lie where in[0] lies: same rows and width. */
static bool alike(const ns_network *n, const ns_step *step) {
    if (!step->operation->in_place || step->in[0] < 0 || step->out < 0) return false;
    const ns_buffer *a = &n->buffers[step->in[0]], *b = &n->buffers[step->out];
    return a->rows == b->rows && a->width == b->width;
}

static void plan_values(const ns_run *run, const int *first, slots *s) {
    const ns_network *n = run->network;
    for (int i = 0; i < n->step_count; i++) {
        const ns_step *step = &n->steps[i];
        int out = step->out, in = step->in[0];
        bool moved = false;
        if (out >= 0 && first[out] == i) {
            moved = !run->training && alike(n, step) && run->last[in] == i;
            if (moved)
                s->of_buffer[out] = s->of_buffer[in];
            else
                take(s, out, size_of(run, out));
        }
        for (int k = 0; k < NS_MOST_INPUTS && !run->training; k++) {
            bool over = step->in[k] >= 0 && run->last[step->in[k]] == i && step->in[k] != out;
            if (over && !(moved && k == 0)) give_back(s, step->in[k]);
        }
        if (out >= 0 && run->last[out] < 0 && !run->training) give_back(s, out);
    }
}

static bool has_gradient(const ns_network *n, const int *first, int buffer) {
    return buffer >= 0 && first[buffer] >= 0 && n->steps[first[buffer]].operation->backward;
}

/* From the last step to the first: the gradient of a buffer begins where it was read last, and ends where it was written. */
static int plan_gradients(const ns_run *run, const int *first, slots *s, ns_error *err) {
    const ns_network *n = run->network;
    if (n->has_head) take(s, n->head_in, size_of(run, n->head_in));
    for (int i = n->step_count; i-- > 0;) {
        const ns_step *step = &n->steps[i];
        int in = step->in[0];
        bool moved = has_gradient(n, first, in) && alike(n, step) && run->last[in] == i;
        if (moved) s->of_buffer[in] = s->of_buffer[step->out];
        for (int k = moved; k < NS_MOST_INPUTS; k++) {
            if (!has_gradient(n, first, step->in[k])) continue;
            bool begun = s->of_buffer[step->in[k]] >= 0;
            if (!step->operation->backward || (begun && !step->operation->adds))
                return ns_fail(err, NS_EUSAGE, "a network with step %d, %s, cannot be trained", i,
                               step->operation->name);
            if (!begun) take(s, step->in[k], size_of(run, step->in[k]));
        }
        if (!moved && step->out >= 0 && first[step->out] == i) give_back(s, step->out);
    }
    return NS_OK;
}

/* ---- one block, dealt out ---- */

typedef struct dealer {
    ns_real *memory; /* NULL: only counts */
    size_t used;
} dealer;

static ns_real *deal(dealer *d, size_t count) {
    ns_real *piece = d->memory ? d->memory + d->used : NULL;
    d->used += rounded(count);
    return piece;
}

static void deal_slots(dealer *d, const slots *s, int buffers, ns_real **to) {
    size_t begin = d->used;
    for (int b = 0; b < buffers; b++) {
        size_t at = begin;
        for (int i = 0; i < s->of_buffer[b]; i++) at += rounded(s->sizes[i]);
        to[b] = d->memory && s->of_buffer[b] >= 0 ? d->memory + at : NULL;
    }
    for (int i = 0; i < s->count; i++) d->used += rounded(s->sizes[i]);
}

/* Logits are made so many rows at a time where they are only shown. */
size_t ns_run_head_rows(const ns_run *run) {
    enum { VALUES = 1 << 23, LEAST = 64 };
    size_t rows = ns_run_rows(run, run->network->head_in), piece = VALUES / run->network->head.out;
    if (piece < LEAST) piece = LEAST;
    return piece < rows ? piece : rows;
}

size_t ns_run_linear_work(const ns_linear *layer) {
    return rounded(ns_linear_work(layer));
}

static void deal_all(ns_run *run, dealer *d, const slots *values, const slots *gradients) {
    const ns_network *n = run->network;
    size_t scratch = 0, work = 0, y = 0;
    deal_slots(d, values, n->buffer_count, run->values);
    if (run->training) deal_slots(d, gradients, n->buffer_count, run->gradients);
    for (int i = 0; i < n->step_count; i++) {
        const ns_step *step = &n->steps[i];
        const ns_operation *o = step->operation;
        if (o->scratch) scratch = most(scratch, o->scratch(step, run));
        if (run->training && o->kept) run->kept[i] = deal(d, o->kept(step, run));
        if (run->training && o->work) work = most(work, o->work(step, run));
        if (step->site >= 0) y = most(y, size_of(run, step->in[0]));
    }
    if (n->has_head && run->training)
        work = most(work, ns_column_work(n->head.out));
    else if (n->has_head)
        scratch = most(scratch, ns_run_linear_work(&n->head) + ns_run_head_rows(run) * n->head.out);
    run->scratch = deal(d, scratch);
    run->work = deal(d, work);
    run->y = deal(d, run->observed ? y : 0);
}

/* Deals the run's arrays; with `memory` they are allocated, without it *used alone says how many values they are. */
static int plan(ns_run *run, bool memory, size_t *used, ns_error *err) {
    const ns_network *n = run->network;
    int *first = ns_calloc((size_t)n->buffer_count, sizeof *first, err);
    slots values = {0}, gradients = {0};
    int status = first ? slots_new(&values, n->buffer_count, err) : NS_EFAIL;
    if (!status) status = slots_new(&gradients, n->buffer_count, err);
    if (!status) {
        ns_plan_lives(n, first, run->last);
        plan_values(run, first, &values);
        if (run->training) status = plan_gradients(run, first, &gradients, err);
    }
    dealer d = {NULL, 0};
    if (!status) deal_all(run, &d, &values, &gradients);
    *used = d.used;
    if (!status && memory) {
        run->memory = ns_alloc_aligned(d.used, sizeof *run->memory, err);
        status = run->memory ? NS_OK : NS_EFAIL;
        /* Untouched pages would be made in the first step; and nothing that is kept may be a NaN by chance. */
        if (!status && run->training) memset(run->memory, 0, d.used * sizeof *run->memory);
        d = (dealer){run->memory, 0};
        if (!status) deal_all(run, &d, &values, &gradients);
    }
    slots_free(&values);
    slots_free(&gradients);
    free(first);
    return status;
}

int ns_plan_memory(ns_run *run, ns_error *err) {
    size_t used;
    return plan(run, true, &used, err);
}

uint64_t ns_plan_bytes(const ns_network *n, size_t samples, size_t tokens) {
    size_t buffers = (size_t)n->buffer_count, used = 0;
    ns_run run = {.network = n,
                  .observed = true,
                  .samples = samples,
                  .tokens = tokens,
                  .threads = omp_get_max_threads(),
                  .values = ns_calloc(buffers, sizeof *run.values, NULL),
                  .last = ns_calloc(buffers, sizeof *run.last, NULL)};
    bool planned = run.values && run.last && !plan(&run, false, &used, NULL);
    free(run.values);
    free(run.last);
    return planned ? used * sizeof(ns_real) : 0;
}
