/* Numbers that are no good: NaN, Inf, and what lies so far out that squares or the file's type cannot hold it. A run that is full of them looks
 * like any other until somebody verifies it, so it says so when it ends. */
#include <math.h>

#include "probe/base/simd.h"
#include "probe/store/store_writer_internal.h"

/* From 65520 on a float16 is rounded to Inf, below to 65504. */
static const float HUGE_VALUE = 1e38f, LARGEST_HALF = 65504, ROUNDED_DOWN = 65519.996f;

/* How many are beyond `largest`, and how many of those are not finite. */
NS_CLONES static void count_odd(const float *values, size_t count, float largest, uint64_t *beyond,
                                uint64_t *not_finite) {
    size_t odd = 0, bad = 0;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(values[i]);
        odd += !(size <= largest);
        bad += !(size <= 3.402823466e38f);
    }
    *beyond = odd;
    *not_finite = bad;
}

static void found_at(ns_store_writer *w, int site) {
    int index = w->plan.sites[site].index;
    if (!w->tally.site || index < w->tally.site) w->tally.site = index;
}

void ns_store_tally_add(ns_store_writer *w, int site, const float *values, size_t count) {
    uint64_t beyond, not_finite;
    float largest = w->plan.dtype == NS_F16 ? ROUNDED_DOWN : HUGE_VALUE;
    count_odd(values, count, largest, &beyond, &not_finite);
    w->tally.values += count;
    w->tally.not_finite += not_finite;
    w->tally.too_large += beyond - not_finite;
    if (beyond) found_at(w, site);
}

static void add_parameters(ns_store_writer *w, int site, const float *values, int count) {
    uint64_t beyond, not_finite;
    if (!values) return;
    count_odd(values, (size_t)count, HUGE_VALUE, &beyond, &not_finite);
    w->tally.parameters += beyond;
    if (beyond) found_at(w, site);
}

void ns_store_tally_begin(ns_store_writer *w) {
    w->tally.largest = w->plan.dtype == NS_F16 ? (double)LARGEST_HALF : (double)HUGE_VALUE;
    for (int i = 0; i < w->plan.site_count; i++) {
        const ns_norm *norm = &w->plan.sites[i].norm;
        if (!w->plan.wanted[i]) continue;
        add_parameters(w, i, norm->gamma, norm->channels);
        add_parameters(w, i, norm->beta, norm->channels);
        add_parameters(w, i, norm->alpha, norm->alpha_count);
        add_parameters(w, i, norm->shift, 1);
        add_parameters(w, i, norm->mean, norm->channels);
        add_parameters(w, i, norm->variance, norm->channels);
    }
}

void ns_store_tally_end(const ns_store_writer *w) {
    if (w->plan.tally) *w->plan.tally = w->tally;
}
