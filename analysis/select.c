#include "analysis/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

int ns_select_begin(ns_select *s, ns_error *err) {
    *s = (ns_select){0};
    s->upper = ns_calloc(NS_SELECT_CLASSES, sizeof *s->upper, err);
    s->index = ns_calloc(NS_SELECT_CLASSES, sizeof *s->index, err);
    return s->upper && s->index ? NS_OK : NS_EFAIL;
}

void ns_select_free(ns_select *s) {
    free(s->upper);
    free(s->index);
    for (int k = 0; k < s->distinct; k++) free(s->lower[k]);
    *s = (ns_select){0};
}

void ns_select_merge(ns_select *to, const ns_select *from) {
    for (size_t i = 0; i < NS_SELECT_CLASSES; i++) to->upper[i] += from->upper[i];
}

static int make_lower(ns_select *s, ns_error *err) {
    s->lower[s->distinct] = ns_calloc(NS_SELECT_CLASSES, sizeof *s->lower[0], err);
    return s->lower[s->distinct] ? (s->distinct++, NS_OK) : NS_EFAIL;
}

/* The class of the order statistic of that rank, and its rank in there. */
static int locate(ns_select *s, uint64_t rank, int k, int side, ns_error *err) {
    uint32_t class = 0;
    while (class + 1 < NS_SELECT_CLASSES && rank >= s->upper[class]) rank -= s->upper[class ++];
    s->class_of[k][side] = class;
    s->rank[k][side] = rank;
    if (s->index[class] < 0) {
        s->index[class] = (int16_t)s->distinct;
        if (make_lower(s, err)) return NS_EFAIL;
    }
    s->lower_of[k][side] = s->index[class];
    return NS_OK;
}

int ns_select_want(ns_select *s, const double *q, int count, ns_error *err) {
    if (count > NS_SELECT_MOST / 2)
        return ns_fail(err, NS_EUSAGE, "at most %d quantiles at once", NS_SELECT_MOST / 2);
    memset(s->index, -1, NS_SELECT_CLASSES * sizeof *s->index);
    for (size_t i = 0; i < NS_SELECT_CLASSES; i++) s->n += s->upper[i];
    s->wanted = count;
    for (int k = 0; k < count && s->n; k++) {
        double at = q[k] * (double)(s->n - 1);
        uint64_t below = (uint64_t)at;
        if (below >= s->n) below = s->n - 1;
        s->q[k] = q[k];
        s->share[k] = at - (double)below;
        uint64_t above = below + 1 < s->n ? below + 1 : below;
        if (locate(s, below, k, 0, err) || locate(s, above, k, 1, err)) return NS_EFAIL;
    }
    return NS_OK;
}

int ns_select_copy_wanted(ns_select *to, const ns_select *from, ns_error *err) {
    memcpy(to->index, from->index, NS_SELECT_CLASSES * sizeof *to->index);
    to->n = from->n;
    while (to->distinct < from->distinct)
        if (make_lower(to, err)) return NS_EFAIL;
    return NS_OK;
}

void ns_select_merge_refined(ns_select *to, const ns_select *from) {
    for (int k = 0; k < to->distinct; k++)
        for (size_t i = 0; i < NS_SELECT_CLASSES; i++) to->lower[k][i] += from->lower[k][i];
}

static double order_statistic(const ns_select *s, int k, int side) {
    const uint64_t *counts = s->lower[s->lower_of[k][side]];
    uint64_t rank = s->rank[k][side];
    uint32_t i = 0;
    while (i + 1 < NS_SELECT_CLASSES && rank >= counts[i]) rank -= counts[i++];
    return (double)ns_ordered_float(s->class_of[k][side] << 16 | i);
}

double ns_select_between(const ns_select *s, int k, double *below, double *above) {
    *below = *above = (double)NAN;
    if (!s->n || k >= s->wanted) return (double)NAN;
    *below = order_statistic(s, k, 0);
    *above = order_statistic(s, k, 1);
    return s->share[k];
}

double ns_select_result(const ns_select *s, int k) {
    double below, above, share = ns_select_between(s, k, &below, &above);
    return below + share * (above - below);
}
