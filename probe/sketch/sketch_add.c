/* Filling sketches. A delivery's rows are shared out among threads, contiguous and by their number alone; what threads sum up is added
 * in their order at the end of the delivery. Pictures are counts, whose order does not matter: each thread keeps its own
 * until they are wanted. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/simd.h"
#include "probe/sketch/sketch_internal.h"

enum { MOST_THREADS = 8, SUMS = 8 };

/* Sums of a bin as a thread has them: a line of the cache. */
typedef struct line {
    double sums[SUMS];
} line;

/* What a thread collects in a delivery. */
typedef struct part {
    line *bins; /* [NS_SKETCH_PARTS, NS_SKETCH_BINS] */
    ns_moments part_moments[NS_SKETCH_PARTS];
    bool part_used[NS_SKETCH_PARTS]; /* its bins hold something */
    double *columns;                 /* [5, channels]: sums of x, x^2, least, most, large */
    uint32_t *missing;               /* [channels] values that were not finite */
    int32_t *bin, *cell;             /* [channels] of a row */
    float *x, *y;                    /* [channels] the finite ones of a row that has others */
    int32_t *channel_of;             /* [channels] where they stood */
    ns_moments moments;
    double extent[6];
    uint64_t nonfinite, points, padding;
} part;

typedef struct entry {
    ns_sketch sketch;
    uint32_t *grids[MOST_THREADS]; /* the first is the sketch's own */
    int32_t exponents[MOST_THREADS][2];
    ns_store_block blocks[NS_SKETCH_BLOCKS];
    bool wanted;
} entry;

struct ns_sketches {
    entry *entries;       /* [site_count] */
    const ns_site *sites; /* [site_count] */
    int site_count, threads, most_channels;
    part parts[MOST_THREADS];
};

/* ---- a row ---- */

typedef struct row_facts {
    float least, most, least_y, most_y;
    bool finite;
} row_facts;

NS_CLONES static row_facts look_at(const float *x, const float *y, size_t n) {
    float least = INFINITY, most = -INFINITY, least_y = INFINITY, most_y = -INFINITY;
    int bad = 0;
    NS_SIMD_EXTREMES(reduction(min : least, least_y) reduction(max : most, most_y) reduction(+ : bad))
    for (size_t i = 0; i < n; i++) {
        bad += (ns_float_bits(x[i]) & UINT32_C(0x7f800000)) == UINT32_C(0x7f800000);
        bad += (ns_float_bits(y[i]) & UINT32_C(0x7f800000)) == UINT32_C(0x7f800000);
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
        least_y = y[i] < least_y ? y[i] : least_y;
        most_y = y[i] > most_y ? y[i] : most_y;
    }
    return (row_facts){least, most, least_y, most_y, bad == 0};
}

/* Where each point goes. x and y lie within the picture. */
NS_CLONES static void place(const float *x, const float *y, size_t n, float scale_x, float scale_y,
                            int32_t *bin, int32_t *cell) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        bin[i] = ns_sketch_bin_inline(x[i]);
        /* Rounded down, exactly: else a cell that is doubled later would hold other points than one that is large at once. */
        float u = x[i] * scale_x, v = y[i] * scale_y;
        int32_t column = (int32_t)u, row = (int32_t)v;
        column += NS_SKETCH_WIDTH / 2 - (u < (float)column);
        row += NS_SKETCH_HEIGHT / 2 - (v < (float)row);
        cell[i] = row * NS_SKETCH_WIDTH + column;
    }
}

NS_CLONES static void add_columns(double *columns, const float *x, size_t n, size_t channels) {
    double *sum = columns, *squares = columns + channels, *least = columns + 2 * channels,
           *most = columns + 3 * channels, *large = columns + 4 * channels;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        double u = (double)x[i];
        sum[i] += u;
        squares[i] += u * u;
        least[i] = u < least[i] ? u : least[i];
        most[i] = u > most[i] ? u : most[i];
        large[i] += u >= 6 || u <= -6 ? 1.0 : 0.0;
    }
}

NS_CLONES static void add_bins(line *bins, const int32_t *bin, const float *x, const float *y,
                               size_t n) {
    for (size_t i = 0; i < n; i++) {
        double u = (double)x[i], v = (double)y[i];
        const double add[SUMS] = {1, u, v, u * u, u * v, v * v, 0, 0};
        double *to = bins[bin[i]].sums;
        for (int k = 0; k < SUMS; k++) to[k] += add[k];
    }
}

static void add_cells(uint32_t *grid, const int32_t *cell, size_t n) {
    for (size_t i = 0; i < n; i++) grid[cell[i]] += grid[cell[i]] != UINT32_MAX;
}

/* The finite values of a row to the front of the part's own memory; returns how many. */
static size_t compress(part *p, const float *x, const float *y, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) {
            p->missing[i]++;
            continue;
        }
        p->x[kept] = x[i];
        p->y[kept] = y[i];
        p->channel_of[kept++] = (int32_t)i;
    }
    return kept;
}

/* The same sums as add_columns for the values that are left of a row. */
static void add_some_columns(part *p, size_t n, size_t channels) {
    for (size_t k = 0; k < n; k++) {
        double *at = p->columns + p->channel_of[k], u = (double)p->x[k];
        at[0] += u;
        at[channels] += u * u;
        at[2 * channels] = fmin(at[2 * channels], u);
        at[3 * channels] = fmax(at[3 * channels], u);
        at[4 * channels] += fabs(u) >= 6;
    }
}

static void widen(double *extent, double least, double most) {
    extent[0] = fmin(extent[0], least);
    extent[1] = fmax(extent[1], most);
}

/* The picture's cells grow until the row fits in. */
static void fit_picture(entry *e, int thread, const row_facts *f) {
    int32_t *now = e->exponents[thread];
    const int32_t x = ns_grid_exponent((double)f->least, (double)f->most, NS_SKETCH_WIDTH),
                  y = ns_grid_exponent((double)f->least_y, (double)f->most_y, NS_SKETCH_HEIGHT);
    if (x <= now[0] && y <= now[1]) return;
    const int32_t wanted[2] = {x > now[0] ? x : now[0], y > now[1] ? y : now[1]};
    ns_grid_coarsen(e->grids[thread], now, wanted);
}

/* What is known of a row. */
typedef struct row_sums {
    ns_moments moments;
    row_facts facts;
} row_sums;

static row_sums add_row(entry *e, part *p, int thread, int which, const float *x, const float *y,
                        size_t channels) {
    row_facts f = look_at(x, y, channels);
    size_t n = channels;
    if (!f.finite) {
        n = compress(p, x, y, channels);
        x = p->x, y = p->y;
        f = look_at(x, y, n);
        add_some_columns(p, n, channels);
        p->nonfinite += channels - n;
    } else {
        add_columns(p->columns, x, n, channels);
    }
    if (!n) return (row_sums){0};
    p->points += n;
    widen(p->extent, (double)f.least, (double)f.most);
    widen(p->extent + 2, (double)f.least_y, (double)f.most_y);
    fit_picture(e, thread, &f);
    place(x, y, n, ldexpf(1, -e->exponents[thread][0]), ldexpf(1, -e->exponents[thread][1]), p->bin,
          p->cell);
    add_bins(p->bins + (size_t)which * NS_SKETCH_BINS, p->bin, x, y, n);
    add_cells(e->grids[thread], p->cell, n);
    p->part_used[which] = true;
    const ns_moments m = ns_moments_of(x, n);
    ns_moments_merge(&p->part_moments[which], &m);
    return (row_sums){m, f};
}

/* ---- a delivery ---- */

static void begin_part(part *p, size_t channels) {
    p->moments = (ns_moments){0};
    memset(p->part_moments, 0, sizeof p->part_moments);
    memset(p->part_used, 0, sizeof p->part_used);
    for (int i = 0; i < 6; i++) p->extent[i] = i % 2 ? -INFINITY : INFINITY;
    p->nonfinite = p->points = p->padding = 0;
    memset(p->columns, 0, 5 * channels * sizeof *p->columns);
    for (size_t c = 0; c < channels; c++) {
        p->columns[2 * channels + c] = INFINITY;
        p->columns[3 * channels + c] = -INFINITY;
    }
    memset(p->missing, 0, channels * sizeof *p->missing);
}

/* Rows [from, to) by one thread. */
static void add_share(entry *e, part *p, int thread, const ns_rows *rows, size_t from, size_t to,
                      row_sums *of_row) {
    size_t channels = (size_t)e->sketch.channels;
    begin_part(p, channels);
    for (size_t r = from; r < to; r++) {
        of_row[r] = (row_sums){0};
        if (rows->kinds[r] == NS_ROW_PADDING) {
            p->padding++;
            continue;
        }
        int which = ns_sketch_part(rows->position_ids[r % rows->positions], rows->kinds[r]);
        of_row[r] =
            add_row(e, p, thread, which, rows->x + r * channels, rows->y + r * channels, channels);
        ns_moments_merge(&p->moments, &of_row[r].moments);
    }
}

/* The bins of a part of the rows, to its own and to those of all; they are empty afterwards. */
static void end_bins(ns_sketch *s, part *p, int which) {
    line *from = p->bins + (size_t)which * NS_SKETCH_BINS;
    double(*own)[NS_BIN_SUMS] = s->part_bins + (size_t)which * NS_SKETCH_BINS;
    ns_moments_merge(&s->part_moments[which], &p->part_moments[which]);
    for (int b = 0; b < NS_SKETCH_BINS; b++) {
        if (from[b].sums[0] == 0) continue;
        for (int k = 0; k < NS_BIN_SUMS; k++) {
            s->bins[b][k] += from[b].sums[k];
            own[b][k] += from[b].sums[k];
        }
        from[b] = (line){{0}};
    }
}

static void end_part(ns_sketch *s, part *p, uint64_t rows) {
    size_t channels = (size_t)s->channels;
    s->counts.padding += p->padding;
    s->counts.points += p->points;
    s->counts.nonfinite += p->nonfinite;
    ns_moments_merge(&s->moments, &p->moments);
    for (int i = 0; i < 4; i += 2) widen(s->extent + i, p->extent[i], p->extent[i + 1]);
    for (int which = 0; which < NS_SKETCH_PARTS; which++)
        if (p->part_used[which]) end_bins(s, p, which);
    for (size_t c = 0; c < channels; c++) {
        const double *from = p->columns + c;
        double *to = s->channel[c];
        to[NS_CHANNEL_N] += (double)(rows - p->padding - p->missing[c]);
        to[NS_CHANNEL_X] += from[0];
        to[NS_CHANNEL_XX] += from[channels];
        widen(to + NS_CHANNEL_LEAST, from[2 * channels], from[3 * channels]);
        to[NS_CHANNEL_LARGE] += from[4 * channels];
    }
}

/* Points of a row that may be among the largest. */
static void note_row(ns_sketch *s, const ns_rows *rows, size_t r) {
    const float *x = rows->x + r * (size_t)s->channels, *y = rows->y + r * (size_t)s->channels;
    for (int c = 0; c < s->channels; c++) {
        bool full = s->top_sample[NS_SKETCH_TOP - 1] >= 0;
        if (!isfinite(x[c]) || !isfinite(y[c]) ||
            (full && fabsf(x[c]) < fabsf(s->top_x[NS_SKETCH_TOP - 1])))
            continue;
        ns_point point = {x[c], y[c], rows->sample_ids[r / rows->positions],
                          rows->position_ids[r % rows->positions], c};
        ns_sketch_note(s, &point);
    }
}

/* What is told of rows: their spread, their positions, the largest values. */
static void add_rows(ns_sketch *s, const ns_rows *rows, size_t heads, const row_sums *of_row) {
    size_t count = rows->samples * rows->positions;
    for (size_t r = 0; r < count; r++) {
        const ns_moments *m = &of_row[r].moments;
        const row_facts *f = &of_row[r].facts;
        if (rows->kinds[r] == NS_ROW_PADDING) continue;
        int which = ns_sketch_part(rows->position_ids[r % rows->positions], rows->kinds[r]);
        if (which == NS_PART_FIRST) s->first_kinds[rows->kinds[r] % NS_SKETCH_KINDS]++;
        s->part_counts[which][NS_PART_ROWS]++;
        s->part_counts[which][NS_PART_POINTS] += (uint64_t)m->n;
        s->part_counts[which][NS_PART_NONFINITE] += (uint64_t)s->channels - (uint64_t)m->n;
        if (m->n == 0) continue;
        float sigma = (float)ns_moments_sigma(m);
        double *extent = s->part_extent[which];
        s->row_sigma[ns_sketch_sigma_bin(sigma)]++;
        s->part_row_sigma[which * NS_SKETCH_SIDE + ns_sketch_sigma_bin(sigma)]++;
        widen(s->extent + 4, (double)sigma, (double)sigma);
        widen(extent, (double)f->least, (double)f->most);
        widen(extent + 2, (double)f->least_y, (double)f->most_y);
        widen(extent + 4, (double)sigma, (double)sigma);
        double *p = s->position[r % rows->positions / heads];
        p[NS_POSITION_N] += m->n;
        p[NS_POSITION_X] += m->n * m->mean;
        p[NS_POSITION_XX] += m->m2 + m->n * m->mean * m->mean;
        widen(p + NS_POSITION_LEAST, (double)f->least, (double)f->most);
        float largest = fmaxf(-f->least, f->most);
        if (s->top_sample[NS_SKETCH_TOP - 1] < 0 || largest >= fabsf(s->top_x[NS_SKETCH_TOP - 1]))
            note_row(s, rows, r);
    }
    s->counts.rows += count;
}

static bool wants(void *user, const ns_site *site) {
    const ns_sketches *all = user;
    int i = ns_site_place(all->sites, all->site_count, site);
    return i >= 0 && all->entries[i].wanted;
}

static int deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    ns_sketches *all = user;
    entry *e = &all->entries[ns_site_place(all->sites, all->site_count, site)];
    size_t count = rows->samples * rows->positions;
    size_t heads = (size_t)ns_site_heads(site);
    if (rows->positions != (size_t)e->sketch.positions * heads)
        return ns_fail(err, NS_EUSAGE, "site %d (%s): delivered %zu rows a sample, planned were %d",
                       site->index, site->name, rows->positions, e->sketch.positions * (int)heads);
    row_sums *of_row = ns_alloc_aligned(count, sizeof *of_row, err);
    if (!of_row) return NS_EFAIL;
    int threads = all->threads;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        size_t from = count * (size_t)t / (size_t)threads,
               to = count * (size_t)(t + 1) / (size_t)threads;
        add_share(e, &all->parts[t], t, rows, from, to, of_row);
    }
    for (int t = 0; t < threads; t++)
        end_part(&e->sketch, &all->parts[t],
                 count * (size_t)(t + 1) / (size_t)threads - count * (size_t)t / (size_t)threads);
    add_rows(&e->sketch, rows, heads, of_row);
    free(of_row);
    return NS_OK;
}

/* ---- all sites ---- */

static int part_new(part *p, size_t channels, ns_error *err) {
    p->bins = ns_alloc_aligned((size_t)NS_SKETCH_PARTS * NS_SKETCH_BINS, sizeof *p->bins, err);
    p->columns = ns_alloc_aligned(5 * channels, sizeof *p->columns, err);
    p->missing = ns_calloc(channels, sizeof *p->missing, err);
    p->bin = ns_alloc_aligned(channels, sizeof *p->bin, err);
    p->cell = ns_alloc_aligned(channels, sizeof *p->cell, err);
    p->x = ns_alloc_aligned(channels, sizeof *p->x, err);
    p->y = ns_alloc_aligned(channels, sizeof *p->y, err);
    p->channel_of = ns_calloc(channels, sizeof *p->channel_of, err);
    if (!p->bins || !p->columns || !p->missing || !p->bin || !p->cell || !p->x || !p->y ||
        !p->channel_of)
        return NS_EFAIL;
    memset(p->bins, 0, (size_t)NS_SKETCH_PARTS * NS_SKETCH_BINS * sizeof *p->bins);
    return NS_OK;
}

static int entry_new(entry *e, const ns_site *site, int threads, ns_error *err) {
    int status =
        ns_sketch_new(&e->sketch, site->norm.channels, site->positions / ns_site_heads(site), err);
    e->grids[0] = e->sketch.grid;
    for (int t = 0; t < threads && !status; t++) {
        e->exponents[t][0] = e->exponents[t][1] = NS_GRID_FINEST;
        if (t &&
            !(e->grids[t] = ns_calloc(NS_SKETCH_WIDTH * NS_SKETCH_HEIGHT, sizeof(uint32_t), err)))
            status = NS_EFAIL;
    }
    if (!status) ns_sketch_blocks(&e->sketch, e->blocks);
    return status;
}

int ns_sketches_new(ns_sketches **out, const ns_site *sites, int site_count, const bool *wanted,
                    ns_error *err) {
    ns_sketches *all = *out = ns_calloc(1, sizeof *all, err);
    if (!all) return NS_EFAIL;
    int threads = omp_get_max_threads(), status = NS_OK;
    all->site_count = site_count;
    all->sites = sites;
    all->threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    if (!(all->entries = ns_calloc((size_t)site_count, sizeof *all->entries, err)))
        status = NS_EFAIL;
    for (int i = 0; i < site_count && !status; i++) {
        if (!wanted[i]) continue;
        all->entries[i].wanted = true;
        status = entry_new(&all->entries[i], &sites[i], all->threads, err);
        if (sites[i].norm.channels > all->most_channels)
            all->most_channels = sites[i].norm.channels;
    }
    for (int t = 0; t < all->threads && !status; t++)
        status = part_new(&all->parts[t], (size_t)all->most_channels, err);
    if (!status) return NS_OK;
    ns_sketches_free(all);
    *out = NULL;
    return status;
}

void ns_sketches_free(ns_sketches *all) {
    if (!all) return;
    for (int i = 0; all->entries && i < all->site_count; i++) {
        ns_sketch_free(&all->entries[i].sketch);
        for (int t = 1; t < MOST_THREADS; t++) free(all->entries[i].grids[t]);
    }
    for (int t = 0; t < MOST_THREADS; t++) {
        part *p = &all->parts[t];
        free(p->bins);
        free(p->columns);
        free(p->missing);
        free(p->bin);
        free(p->cell);
        free(p->x);
        free(p->y);
        free(p->channel_of);
    }
    free(all->entries);
    free(all);
}

ns_observer ns_sketches_observer(ns_sketches *all) {
    return (ns_observer){.user = all, .wants = wants, .deliver = deliver};
}

void ns_sketches_settle(ns_sketches *all) {
    for (int i = 0; i < all->site_count; i++) {
        entry *e = &all->entries[i];
        if (!e->wanted) continue;
        for (int t = 1; t < all->threads; t++) {
            ns_grid_add(e->grids[0], e->exponents[0], e->grids[t], e->exponents[t]);
            memset(e->grids[t], 0, NS_SKETCH_WIDTH * NS_SKETCH_HEIGHT * sizeof *e->grids[t]);
            memcpy(e->exponents[t], e->exponents[0], sizeof e->exponents[t]);
        }
        memcpy(e->sketch.grid_exponents, e->exponents[0], sizeof e->exponents[0]);
    }
}

void ns_sketches_settle_user(void *user) {
    ns_sketches_settle(user);
}

void ns_sketches_loaded(ns_sketches *all) {
    for (int i = 0; i < all->site_count; i++)
        for (int t = 0; t < all->threads && all->entries[i].wanted; t++)
            memcpy(all->entries[i].exponents[t], all->entries[i].sketch.grid_exponents,
                   sizeof all->entries[i].exponents[t]);
}

const ns_store_block *ns_sketches_blocks(void *user, int site, int *count) {
    ns_sketches *all = user;
    *count = all->entries[site].wanted ? NS_SKETCH_BLOCKS : 0;
    return *count ? all->entries[site].blocks : NULL;
}
