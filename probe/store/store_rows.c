/* Which rows a run keeps, and which are extreme. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/random.h"
#include "probe/store/store_internal.h"

/* A row with its priority; ties (there are next to none) go by place. */
typedef struct candidate {
    uint64_t priority, slot;
    int32_t position;
} candidate;

static bool lower(const candidate *a, const candidate *b) {
    if (a->priority != b->priority) return a->priority < b->priority;
    if (a->slot != b->slot) return a->slot < b->slot;
    return a->position < b->position;
}

/* A heap with the highest priority on top: what goes first when a lower one comes. */
static void sift_down(candidate *heap, uint64_t count, uint64_t at) {
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= count) return;
        if (child + 1 < count && lower(&heap[child], &heap[child + 1])) child++;
        if (!lower(&heap[at], &heap[child])) return;
        candidate kept = heap[at];
        heap[at] = heap[child];
        heap[child] = kept;
        at = child;
    }
}

static int by_place(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->slot != y->slot) return x->slot < y->slot ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

int ns_kept_rows_choose(ns_kept_rows *out, const ns_store_plan *plan, uint64_t positions,
                        ns_error *err) {
    uint64_t all = plan->samples * positions,
             count = plan->sample_rows < all ? plan->sample_rows : all;
    *out = (ns_kept_rows){.positions = positions, .count = count};
    candidate *heap = ns_calloc(count, sizeof *heap, err);
    if (!heap) return NS_EFAIL;
    uint64_t used = 0;
    for (uint64_t slot = 0; slot < plan->samples; slot++)
        for (uint64_t p = 0; p < positions; p++) {
            candidate c = {ns_row_priority(plan->seed, plan->sample_ids[slot], (int64_t)p), slot,
                           (int32_t)p};
            if (used < count) {
                heap[used++] = c;
                if (used == count)
                    for (uint64_t i = count / 2 + 1; i-- > 0;) sift_down(heap, count, i);
            } else if (count && lower(&c, &heap[0])) {
                heap[0] = c;
                sift_down(heap, count, 0);
            }
        }
    qsort(heap, count, sizeof *heap, by_place);
    out->slots = ns_calloc(count, sizeof *out->slots, err);
    out->positions_of = ns_calloc(count, sizeof *out->positions_of, err);
    bool good = out->slots && out->positions_of;
    for (uint64_t i = 0; i < count && good; i++) {
        out->slots[i] = heap[i].slot;
        out->positions_of[i] = heap[i].position;
    }
    free(heap);
    if (good) return NS_OK;
    ns_kept_rows_free(out);
    return NS_EFAIL;
}

void ns_kept_rows_free(ns_kept_rows *kept) {
    free(kept->slots);
    free(kept->positions_of);
    *kept = (ns_kept_rows){0};
}

uint64_t ns_kept_rows_before(const ns_kept_rows *kept, uint64_t slot) {
    uint64_t low = 0, high = kept->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (kept->slots[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int ns_extremes_new(ns_extremes *out, int channels, ns_error *err) {
    size_t n = NS_STORE_EXTREME_ROWS, values = n * (size_t)channels;
    *out = (ns_extremes){.channels = channels,
                         .input = ns_calloc(values, sizeof(float), err),
                         .output = ns_calloc(values, sizeof(float), err),
                         .samples = ns_calloc(n, sizeof(int64_t), err),
                         .positions = ns_calloc(n, sizeof(int32_t), err),
                         .heads = ns_calloc(n, sizeof(int32_t), err),
                         .key = ns_calloc(n, sizeof(float), err)};
    if (!out->input || !out->output || !out->samples || !out->positions || !out->heads ||
        !out->key) {
        ns_extremes_free(out);
        return NS_EFAIL;
    }
    for (size_t i = 0; i < n; i++) out->samples[i] = -1;
    return NS_OK;
}

void ns_extremes_free(ns_extremes *e) {
    free(e->input);
    free(e->output);
    free(e->samples);
    free(e->positions);
    free(e->heads);
    free(e->key);
    *e = (ns_extremes){0};
}

/* Largest of sign * x over a row; -infinity where no value is finite. */
static float row_extreme(const float *x, int channels, float sign) {
    float most = -INFINITY;
    for (int c = 0; c < channels; c++) {
        float v = sign * x[c];
        most = v > most && v < INFINITY ? v : most;
    }
    return most;
}

/* Whether a row goes before another of equal or other key: an order that does not depend on when they came. */
static bool before(float key, int64_t sample, int32_t position, const ns_extremes *e, int i) {
    if (e->samples[i] < 0) return true;
    if (key != e->key[i]) return key > e->key[i];
    if (sample != e->samples[i]) return sample < e->samples[i];
    return position < e->positions[i];
}

static void put_row(ns_extremes *e, int half, float key, int64_t sample, int32_t position,
                    int32_t head, const float *x, const float *y) {
    const int n = NS_STORE_EXTREME_ROWS / 2, first = half * n;
    int at = first + n - 1;
    if (!before(key, sample, position, e, at)) return;
    while (at > first && before(key, sample, position, e, at - 1)) at--;
    size_t c = (size_t)e->channels, moved = (size_t)(first + n - 1 - at);
    memmove(e->input + ((size_t)at + 1) * c, e->input + (size_t)at * c,
            moved * c * sizeof *e->input);
    memmove(e->output + ((size_t)at + 1) * c, e->output + (size_t)at * c,
            moved * c * sizeof *e->output);
    memmove(e->samples + at + 1, e->samples + at, moved * sizeof *e->samples);
    memmove(e->positions + at + 1, e->positions + at, moved * sizeof *e->positions);
    memmove(e->heads + at + 1, e->heads + at, moved * sizeof *e->heads);
    memmove(e->key + at + 1, e->key + at, moved * sizeof *e->key);
    memcpy(e->input + (size_t)at * c, x, c * sizeof *x);
    memcpy(e->output + (size_t)at * c, y, c * sizeof *y);
    e->samples[at] = sample;
    e->positions[at] = position;
    e->heads[at] = head;
    e->key[at] = key;
}

void ns_extremes_add(ns_extremes *e, const ns_rows *rows, int heads) {
    size_t c = (size_t)e->channels;
    for (size_t r = 0; r < rows->samples * rows->positions; r++) {
        if (rows->kinds[r] == NS_ROW_PADDING) continue;
        const float *x = rows->x + r * c, *y = rows->y + r * c;
        int64_t sample = rows->sample_ids[r / rows->positions];
        int32_t position = rows->position_ids[r % rows->positions],
                head = (int32_t)(r % (size_t)heads);
        for (int half = 0; half < 2; half++) {
            float key = row_extreme(x, e->channels, half ? -1.0f : 1.0f);
            if (key > -INFINITY) put_row(e, half, key, sample, position, head, x, y);
        }
    }
}

void ns_extremes_loaded(ns_extremes *e) {
    for (int i = 0; i < NS_STORE_EXTREME_ROWS; i++)
        e->key[i] = row_extreme(e->input + (size_t)i * (size_t)e->channels, e->channels,
                                i < NS_STORE_EXTREME_ROWS / 2 ? 1.0f : -1.0f);
}
