/* Curves with corners, u = -1 and u = 1: the sum of squares has a kink wherever a corner meets a point, so that Newton's method creeps.
 * But where the corners stand within known bins, everything outside these bins is a quadratic form in the parameters, which the
 * bins know exactly. One more walk cuts the bins about the corners into fine cells; then a place for the corners costs a few
 * additions, and all places are tried. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fit_internal.h"
#include "analysis/walk.h"
#include "probe/base/mem.h"
#include "probe/base/vmath.h"

/* Bins to either side of a corner's that are cut, and cells of a window. A cell is some 1e-5 of its x wide: the sum of squares is
 * then good to about 1e-12 of itself. */
enum { REACH = 3, CELLS = 4096, SIDES = 2 };

/* Cells of one part of the samples about both corners, one after the other. */
typedef struct cells {
    ns_bin cells[SIDES][CELLS];
} cells;

struct ns_corners {
    float low[SIDES], high[SIDES]; /* of the windows: whole bins */
    double scale[SIDES];           /* cells a unit of x */
    cells *parts;                  /* [NS_PARTS], or one where no samples are held out */
    int part_count;
};

static double corner(const double *theta, int side) {
    return ((side ? 1 : -1) - theta[NS_SHIFT]) / theta[NS_ALPHA];
}

/* Whole bins about x. */
static void window(double x, float *low, float *high) {
    uint32_t place = ns_float_bits((float)fabs(x)) >> 17, last = (UINT32_C(0x7f800000) >> 17) - 1;
    uint32_t from = place > REACH ? place - REACH : 0,
             to = place + REACH < last ? place + REACH : last;
    float least = ns_bits_float(from << 17), most = ns_bits_float(to << 17 | 0x1ffff);
    *low = x < 0 ? -most : least;
    *high = x < 0 ? -least : most;
}

ns_corners *ns_corners_new(const ns_solver *s, int parts, ns_error *err) {
    ns_corners *c = ns_calloc(1, sizeof *c, err);
    if (!c) return NULL;
    for (int side = 0; side < SIDES; side++) {
        window(corner(s->theta, side), &c->low[side], &c->high[side]);
        c->scale[side] = CELLS / ((double)c->high[side] - (double)c->low[side]);
    }
    c->part_count = parts;
    c->parts = ns_calloc((size_t)parts, sizeof *c->parts, err);
    if (c->parts) return c;
    free(c);
    return NULL;
}

void ns_corners_free(ns_corners *c) {
    if (c) free(c->parts);
    free(c);
}

static int cell_of(const ns_corners *c, int side, double x) {
    double at = (x - (double)c->low[side]) * c->scale[side];
    return at < 0 ? 0 : at < CELLS ? (int)at : CELLS - 1;
}

/* ---- the walk ---- */

typedef struct cutting {
    const ns_fit_pass *pass;
    ns_corners *const *corners;
    int count;
    cells **own; /* [threads * count], each [parts] */
} cutting;

static void cut(const ns_corners *c, cells *to, size_t n, const float *x, const float *y) {
    for (size_t i = 0; i < n; i++)
        for (int side = 0; side < SIDES; side++)
            if (x[i] >= c->low[side] && x[i] <= c->high[side]) {
                double u = (double)x[i], v = (double)y[i];
                ns_bin *cell = &to->cells[side][cell_of(c, side, u)];
                cell->n++, cell->x += u, cell->y += v, cell->xx += u * u, cell->xy += u * v;
            }
}

static int visit(void *user, const ns_piece *piece, ns_error *err) {
    (void)err;
    const cutting *w = user;
    for (size_t row = 0, end; row < piece->rows; row = end) {
        end = piece->starts ? ns_piece_run(piece, row) : piece->rows;
        size_t from = piece->starts ? piece->starts[row] : 0,
               to = piece->starts ? piece->starts[end] : piece->points;
        bool held = w->pass->held_out && ns_held_out(w->pass->seed, piece->samples[row]);
        for (int k = 0; k < w->count; k++)
            cut(w->corners[k], &w->own[piece->thread * w->count + k][held ? NS_HELD : NS_KEPT],
                to - from, piece->x + from, piece->y + from);
    }
    return NS_OK;
}

static void add_cells(cells *to, const cells *from) {
    double *t = (double *)to;
    const double *f = (const double *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *t; i++) t[i] += f[i];
}

int ns_corners_walk(const ns_fit_pass *pass, ns_corners *const *corners, int count, ns_error *err) {
    size_t threads = (size_t)ns_walk_threads(pass->points), all = threads * (size_t)count;
    cutting w = {pass, corners, count, ns_calloc(all, sizeof *w.own, err)};
    int status = w.own ? NS_OK : NS_EFAIL;
    for (size_t i = 0; i < all && !status; i++) {
        w.own[i] = ns_calloc((size_t)corners[i % (size_t)count]->part_count, sizeof *w.own[i], err);
        if (!w.own[i]) status = NS_EFAIL;
    }
    ns_walk walk = {.points = pass->points,
                    .finite_only = pass->bins->nonfinite > 0,
                    .rows = pass->held_out,
                    .progress = pass->progress,
                    .visit = visit,
                    .user = &w};
    if (!status) status = ns_walk_all(&walk, err);
    for (size_t i = 0; w.own && i < all; i++) {
        const ns_corners *c = corners[i % (size_t)count];
        for (int p = 0; p < c->part_count && !status; p++) add_cells(&c->parts[p], &w.own[i][p]);
        free(w.own[i]);
    }
    free(w.own);
    return status;
}

/* ---- placing the corners ---- */

/* What is left of the left window, between the windows and right of the right one; and sums of the cells before each. */
typedef struct ground {
    const ns_corners *corners;
    ns_bin outside[3];
    ns_bin before[SIDES][CELLS + 1];
    ns_bin cells[SIDES][CELLS];
    double n, y, yy;
    bool scale_free, offset_free, shift_free;
    double scale; /* where it is not free */
} ground;

static void add(ns_bin *to, double sign, const ns_bin *b) {
    to->n += sign * b->n, to->x += sign * b->x, to->y += sign * b->y;
    to->xx += sign * b->xx, to->xy += sign * b->xy;
}

static ground *ground_new(const ns_corners *c, int part, const ns_bins *bins, const ns_solver *s,
                          ns_error *err) {
    ground *g = ns_calloc(1, sizeof *g, err);
    if (!g) return NULL;
    g->corners = c;
    g->n = bins->total.n, g->y = bins->total.y, g->yy = bins->yy;
    g->scale = s->theta[NS_SCALE];
    for (int i = 0; i < s->count; i++) {
        g->scale_free |= s->free[i] == NS_SCALE;
        g->shift_free |= s->free[i] == NS_SHIFT;
        g->offset_free |= s->free[i] == NS_OFFSET;
    }
    for (int p = 0; p < c->part_count; p++)
        for (int i = 0; i < SIDES * CELLS && (part < 0 || part == p); i++)
            add(&g->cells[i / CELLS][i % CELLS], 1, &c->parts[p].cells[i / CELLS][i % CELLS]);
    for (int side = 0; side < SIDES; side++)
        for (int i = 0; i < CELLS; i++) {
            g->before[side][i + 1] = g->before[side][i];
            add(&g->before[side][i + 1], 1, &g->cells[side][i]);
        }
    for (int i = 0; i < bins->used; i++) {
        double x = bins->bins[i].x / bins->bins[i].n;
        if (x < (double)c->low[0])
            add(&g->outside[0], 1, &bins->bins[i]);
        else if (x > (double)c->high[1])
            add(&g->outside[2], 1, &bins->bins[i]);
        else if (x > (double)c->high[0] && x < (double)c->low[1])
            add(&g->outside[1], 1, &bins->bins[i]);
    }
    return g;
}

/* Adds a window's cells to the two regions that its corner at x parts. A cell with the corner in it is two points. */
static void part_window(const ground *g, int side, double x, ns_bin *left, ns_bin *right) {
    int k = cell_of(g->corners, side, x);
    add(left, 1, &g->before[side][k]);
    add(right, 1, &g->before[side][CELLS]);
    add(right, -1, &g->before[side][k + 1]);
    const ns_bin *b = &g->cells[side][k];
    if (!(b->n > 0)) return;
    double mx = b->x / b->n, my = b->y / b->n, vx = b->xx / b->n - mx * mx;
    double dx = vx > 0 ? sqrt(vx) : 0, dy = dx > 0 ? (b->xy / b->n - mx * my) / dx : 0;
    for (int sign = -1; sign <= 1; sign += 2) {
        double u = mx + sign * dx, v = my + sign * dy, n = b->n / 2;
        const ns_bin half = {n, n * u, n * v, n * u * u, n * u * v};
        add(u < x ? left : right, 1, &half);
    }
}

/* The sum of squares with the corners at these places; theta with what goes with it. fixed: scale and offset are given in theta. */
static double squares_at(const ground *g, const double at[SIDES], bool fixed, double *theta) {
    ns_bin left = g->outside[0], middle = g->outside[1], right = g->outside[2];
    part_window(g, 0, at[0], &left, &middle);
    part_window(g, 1, at[1], &middle, &right);
    double a = 2 / (at[1] - at[0]), d = -0.5 * a * (at[0] + at[1]);
    double ff = a * a * middle.xx + 2 * a * d * middle.x + d * d * middle.n + left.n + right.n;
    double f = a * middle.x + d * middle.n - left.n + right.n;
    double fy = a * middle.xy + d * middle.y - left.y + right.y;
    double s = g->scale, b = 0;
    if (fixed) {
        s = theta[NS_SCALE], b = theta[NS_OFFSET];
    } else {
        double det = g->offset_free ? ff * g->n - f * f : ff;
        if (g->scale_free) s = det > 0 ? (g->offset_free ? fy * g->n - f * g->y : fy) / det : 0;
        if (g->offset_free) b = (g->y - s * f) / g->n;
    }
    theta[NS_ALPHA] = a, theta[NS_SHIFT] = d, theta[NS_SCALE] = s, theta[NS_OFFSET] = b;
    return g->yy - 2 * s * fy - 2 * b * g->y + s * s * ff + 2 * s * b * f + b * b * g->n;
}

/* Moves one corner, or both where d is not free. */
static void move(const ground *g, double at[SIDES], int side, double x) {
    at[side] = x;
    if (!g->shift_free) at[1 - side] = -x;
}

static double squares_with(const ground *g, const double at[SIDES], int side, double x) {
    double moved[SIDES] = {at[0], at[1]}, theta[NS_PARAMETERS];
    move(g, moved, side, x);
    return squares_at(g, moved, false, theta);
}

/* The best place of one corner in its window, the other given. False where it is at the window's edge. */
static bool place(const ground *g, int side, double at[SIDES], double *lowest) {
    enum { PLACES = 2 * CELLS };
    const double golden = 0.6180339887498949, low = (double)g->corners->low[side],
                 step = ((double)g->corners->high[side] - low) / PLACES;
    int best = -1;
    for (int i = 0; i <= PLACES; i++) {
        double f = squares_with(g, at, side, low + i * step);
        if (best < 0 || f < *lowest) best = i, *lowest = f;
    }
    if (best <= 0 || best >= PLACES) return false;
    double a = low + (best - 1) * step, b = low + (best + 1) * step;
    move(g, at, side, low + best * step);
    for (int i = 0; i < 40; i++) {
        double u = b - golden * (b - a), v = a + golden * (b - a);
        double fu = squares_with(g, at, side, u), fv = squares_with(g, at, side, v);
        if (fmin(fu, fv) < *lowest) {
            *lowest = fmin(fu, fv);
            move(g, at, side, fu < fv ? u : v);
        }
        *(fu < fv ? &b : &a) = fu < fv ? v : u;
    }
    return true;
}

bool ns_corners_place(const ns_corners *c, int part, const ns_bins *bins, ns_solver *s) {
    enum { ROUNDS = 50 };
    if (!(c->high[0] < c->low[1])) return false;
    ground *g = ground_new(c, part, bins, s, NULL);
    if (!g) return false;
    double at[SIDES] = {corner(s->theta, 0), corner(s->theta, 1)}, theta[NS_PARAMETERS];
    double lowest = squares_at(g, at, false, theta), last = INFINITY;
    bool inside = true;
    for (int round = 0; round < ROUNDS && inside && lowest < last * (1 - 1e-13); round++) {
        last = lowest;
        inside = place(g, 1, at, &lowest);
        if (g->shift_free && inside) inside = place(g, 0, at, &lowest);
    }
    if (inside) squares_at(g, at, false, s->trial);
    free(g);
    return inside && s->trial[NS_ALPHA] > s->low && s->trial[NS_ALPHA] < s->high;
}

double ns_corners_squares(const ns_corners *c, int part, const ns_bins *bins, const ns_solver *s,
                          const double *theta) {
    double at[SIDES] = {corner(theta, 0), corner(theta, 1)}, all[NS_PARAMETERS];
    ground *g = ground_new(c, part, bins, s, NULL);
    if (!g) return (double)NAN;
    memcpy(all, theta, sizeof all);
    double squares = squares_at(g, at, true, all);
    free(g);
    return squares;
}
