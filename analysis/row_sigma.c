#include "analysis/row_sigma.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/select.h"
#include "analysis/walk.h"
#include "probe/base/mem.h"
#include "probe/base/moments.h"

/* What both walks share: a selection for each thread. */
typedef struct selecting {
    ns_select *selects; /* [threads] */
    bool refining;
} selecting;

static int visit(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    const selecting *s = user;
    ns_select *select = &s->selects[piece->thread];
    for (size_t r = 0; r < piece->rows; r++) {
        uint32_t begin = piece->starts[r], end = piece->starts[r + 1];
        if (end == begin) continue;
        const ns_moments m = ns_moments_of(piece->x + begin, end - begin);
        float sigma = (float)ns_moments_sigma(&m);
        if (s->refining)
            ns_select_refine(select, sigma);
        else
            ns_select_count(select, sigma);
    }
    return NS_OK;
}

static int both_walks(selecting *s, const ns_points *points, int threads, const double *q,
                      int count, ns_error *err) {
    const ns_walk walk = {
        .points = points, .finite_only = true, .rows = true, .visit = visit, .user = s};
    int status = ns_walk_all(&walk, err);
    for (int t = 1; t < threads && !status; t++) ns_select_merge(&s->selects[0], &s->selects[t]);
    if (!status) status = ns_select_want(&s->selects[0], q, count, err);
    for (int t = 1; t < threads && !status; t++)
        status = ns_select_copy_wanted(&s->selects[t], &s->selects[0], err);
    s->refining = true;
    if (!status) status = ns_walk_all(&walk, err);
    for (int t = 1; t < threads && !status; t++)
        ns_select_merge_refined(&s->selects[0], &s->selects[t]);
    return status;
}

int ns_row_sigmas(const ns_points *points, const double *q, int count, double *out, uint64_t *rows,
                  ns_error *err) {
    int threads = ns_walk_threads(points), status = NS_OK;
    selecting s = {.selects = ns_calloc((size_t)threads, sizeof *s.selects, err)};
    if (!s.selects) return NS_EFAIL;
    for (int t = 0; t < threads && !status; t++) status = ns_select_begin(&s.selects[t], err);
    if (!status) status = both_walks(&s, points, threads, q, count, err);
    if (!status) *rows = s.selects[0].n;
    for (int k = 0; k < count && !status; k++) out[k] = ns_select_result(&s.selects[0], k);
    for (int t = 0; t < threads; t++) ns_select_free(&s.selects[t]);
    free(s.selects);
    return status;
}

double ns_row_sigma_sketch(const ns_sketch *s, double q) {
    double rows = 0, seen = 0;
    for (int b = 0; b < NS_SKETCH_SIDE; b++) rows += (double)s->row_sigma[b];
    for (int b = 0; b < NS_SKETCH_SIDE; b++) {
        double n = (double)s->row_sigma[b];
        if (n > 0 && seen + n >= q * rows) {
            double low = ns_sketch_sigma_edge(b), high = ns_sketch_sigma_edge(b + 1);
            double at = low + (high - low) * fmin(fmax((q * rows - seen) / n, 0), 1);
            return fmin(fmax(at, s->extent[4]), s->extent[5]);
        }
        seen += n;
    }
    return (double)NAN;
}
