/* Points of chosen rows: stretches of others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/row_choice.h"
#include "probe/base/mem.h"
#include "probe/base/stop.h"

/* Rows that stand together among the old ones and among the new. */
typedef struct stretch {
    uint64_t from, to, rows; /* the first of them, old and new, and how many */
} stretch;

struct ns_chosen {
    ns_points base;
    stretch *all; /* [count], rising */
    size_t count, room;
    uint64_t rows, left_out;
};

static int add_row(ns_chosen *c, uint64_t row, ns_error *err) {
    stretch *last = c->count ? &c->all[c->count - 1] : NULL;
    if (last && last->from + last->rows == row) {
        last->rows++, c->rows++;
        return NS_OK;
    }
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        stretch *grown = ns_realloc(c->all, room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        c->all = grown, c->room = room;
    }
    c->all[c->count++] = (stretch){row, c->rows++, 1};
    return NS_OK;
}

/* The largest finite |x| of a row; NaN where there is none. */
static double largest_of(const float *x, size_t n) {
    double largest = (double)NAN;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i])) largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

/* Where rows are looked at. */
typedef struct chunk {
    size_t rows; /* at most */
    int32_t *positions;
    uint8_t *kinds;
    float *x; /* [rows, C], where the choice asks for it */
} chunk;

static int chunk_new(chunk *c, const ns_points *p, const ns_row_choice *choice, ns_error *err) {
    enum { POINTS = 1 << 16, ROWS = 4096 };
    size_t channels = (size_t)p->channels, fit = POINTS / channels ? POINTS / channels : 1;
    c->rows = choice->needs_x ? fit : ROWS;
    c->positions = ns_calloc(c->rows, sizeof *c->positions, err);
    c->kinds = ns_calloc(c->rows, 1, err);
    if (choice->needs_x) c->x = ns_calloc(c->rows * channels, sizeof *c->x, err);
    return c->positions && c->kinds && (c->x || !choice->needs_x) ? NS_OK : NS_EFAIL;
}

static int look(ns_chosen *c, const ns_row_choice *choice, chunk *k, uint64_t first, size_t rows,
                ns_error *err) {
    const ns_points *p = &c->base;
    int status =
        p->read_rows ? p->read_rows(p, first, rows, NULL, k->positions, k->kinds, err) : NS_OK;
    if (!status && k->x) status = p->read(p, first, rows, k->x, NULL, err);
    size_t channels = (size_t)p->channels;
    for (size_t r = 0; r < rows && !status; r++) {
        double largest = k->x ? largest_of(k->x + r * channels, channels) : (double)NAN;
        if (k->kinds[r] == NS_ROW_PADDING ||
            ns_row_choice_takes(choice, (ns_row_kind)k->kinds[r], k->positions[r], largest))
            status = add_row(c, first + r, err);
        else
            c->left_out++;
    }
    return status;
}

/* The stretch that holds a new row. */
static const stretch *find(const ns_chosen *c, uint64_t row) {
    size_t low = 0, high = c->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(c->all[middle].to <= row ? &low : &high) = middle;
    }
    return &c->all[low];
}

static int chosen_read(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                       ns_error *err) {
    const ns_chosen *c = points->user;
    size_t channels = (size_t)points->channels, at = 0;
    int status = NS_OK;
    for (const stretch *s = rows ? find(c, first) : NULL; rows && !status; s++) {
        uint64_t skip = first - s->to, n = s->rows - skip < rows ? s->rows - skip : rows;
        status = c->base.read(&c->base, s->from + skip, n, x ? x + at * channels : NULL,
                              y ? y + at * channels : NULL, err);
        at += n, first += n, rows -= n;
    }
    return status;
}

static int chosen_rows(const ns_points *points, uint64_t first, uint64_t rows, int64_t *samples,
                       int32_t *positions, uint8_t *kinds, ns_error *err) {
    const ns_chosen *c = points->user;
    size_t at = 0;
    int status = NS_OK;
    for (const stretch *s = rows ? find(c, first) : NULL; rows && !status; s++) {
        uint64_t skip = first - s->to, n = s->rows - skip < rows ? s->rows - skip : rows;
        status =
            c->base.read_rows(&c->base, s->from + skip, n, samples ? samples + at : NULL,
                              positions ? positions + at : NULL, kinds ? kinds + at : NULL, err);
        at += n, first += n, rows -= n;
    }
    return status;
}

int ns_chosen_new(ns_chosen **out, ns_points *points, const ns_row_choice *choice, ns_error *err) {
    *out = NULL;
    if (!choice || !choice->count) return NS_OK;
    ns_chosen *c = *out = ns_calloc(1, sizeof *c, err);
    chunk k = {0};
    if (!c) return NS_EFAIL;
    c->base = *points;
    int status = chunk_new(&k, points, choice, err);
    for (uint64_t first = 0; first < points->rows && !status; first += k.rows) {
        uint64_t left = points->rows - first;
        status = ns_stop_requested()
                     ? ns_fail(err, NS_ESTOP, "stopped by request")
                     : look(c, choice, &k, first, left < k.rows ? (size_t)left : k.rows, err);
    }
    free(k.positions);
    free(k.kinds);
    free(k.x);
    points->rows = c->rows;
    points->x = points->y = NULL;
    points->read = chosen_read;
    if (points->read_rows) points->read_rows = chosen_rows;
    points->user = c;
    return status;
}

void ns_chosen_free(ns_chosen *chosen) {
    if (!chosen) return;
    free(chosen->all);
    free(chosen);
}

uint64_t ns_chosen_left_out(const ns_chosen *chosen) {
    return chosen ? chosen->left_out : 0;
}

uint64_t ns_chosen_origin(const ns_chosen *chosen, uint64_t row) {
    const stretch *s = find(chosen, row);
    return s->from + (row - s->to);
}
