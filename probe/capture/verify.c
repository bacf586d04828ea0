#include "probe/capture/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

#define TOLERANCE                                                                                  \
    1e-5 /* of a row's largest |y|: a float32 pass over up to some thousand channels */
#define HALF_ULP_F16 (1.0 / 2048)
#define PIECE_VALUES 65536

/* A thread's memory: rows of a piece, and one row of doubles and floats for the rounding of x. */
typedef struct piece {
    float *x, *y, *rounded;
    double *reference, *moved;
    int64_t *samples, *ids;
    int32_t *positions, *heads;
    uint8_t *kinds;
} piece;

static void piece_free(piece *p) {
    free(p->x);
    free(p->y);
    free(p->rounded);
    free(p->reference);
    free(p->moved);
    free(p->samples);
    free(p->ids);
    free(p->positions);
    free(p->heads);
    free(p->kinds);
}

static uint64_t rows_of_piece(size_t c) {
    return PIECE_VALUES / c ? PIECE_VALUES / c : 1;
}

static int piece_make(piece *p, size_t c, uint64_t rows, ns_error *err) {
    size_t n = rows < rows_of_piece(c) ? (size_t)rows + !rows : rows_of_piece(c);
    *p = (piece){.x = ns_alloc_aligned(n * c, sizeof(float), err),
                 .y = ns_alloc_aligned(n * c, sizeof(float), err),
                 .rounded = ns_alloc_aligned(c, sizeof(float), err),
                 .reference = ns_alloc_aligned(n * c, sizeof(double), err),
                 .moved = ns_alloc_aligned(c, sizeof(double), err),
                 .samples = ns_calloc(n, sizeof(int64_t), err),
                 .ids = ns_calloc(n + 1, sizeof(int64_t), err),
                 .positions = ns_calloc(n, sizeof(int32_t), err),
                 .heads = ns_calloc(n, sizeof(int32_t), err),
                 .kinds = ns_calloc(n, 1, err)};
    if (p->x && p->y && p->rounded && p->reference && p->moved && p->samples && p->ids &&
        p->positions && p->heads && p->kinds)
        return NS_OK;
    piece_free(p);
    *p = (piece){0};
    return NS_EFAIL;
}

/* What half a unit in the last place of binary16 in x does to y. */
static double rounding_of_x(const ns_norm *norm, const float *x, const double *y, piece *p) {
    double most = 0;
    for (int c = 0; c < norm->channels; c++)
        p->rounded[c] = x[c] * (float)(1 + (c % 2 ? HALF_ULP_F16 : -HALF_ULP_F16));
    norm->kind->reference(norm, 1, p->rounded, p->moved);
    for (int c = 0; c < norm->channels; c++) most = fmax(most, fabs(p->moved[c] - y[c]));
    return most;
}

static void compare_row(const ns_store_site *site, const float *x, const float *y,
                        const double *reference, piece *p, ns_verify_result *r) {
    int channels = site->site.norm.channels;
    double largest = 0, difference = 0;
    uint64_t bad_x = 0, bad_y = 0;
    for (int c = 0; c < channels; c++) {
        bad_x += !isfinite(x[c]);
        bad_y += !isfinite(y[c]);
        double d = fabs((double)y[c] - reference[c]);
        largest = fmax(largest, fabs(reference[c]));
        if (!(d <= difference)) difference = d; /* NaN counts as the largest */
    }
    r->nonfinite += bad_x + bad_y;
    if (bad_x) return; /* nothing can be said of y */
    double tolerance = TOLERANCE * largest + 1e-30;
    if (site->dtype == NS_F16)
        tolerance +=
            HALF_ULP_F16 * largest + 6e-8 + 4 * rounding_of_x(&site->site.norm, x, reference, p);
    double share = difference / tolerance;
    r->largest = fmax(r->largest, largest);
    if (!(difference <= r->difference)) r->difference = difference;
    if (!(share <= r->share)) {
        r->share = share;
        r->tolerance = tolerance;
    }
}

/* Rows of a whole dump stand in the order of samples and positions. */
static int check_places(const ns_store *store, const ns_store_site *site, uint64_t first,
                        uint64_t rows, piece *p, ns_verify_result *r, ns_error *err) {
    uint64_t positions = (uint64_t)site->site.positions, from = first / positions;
    uint64_t count = (first + rows - 1) / positions - from + 1;
    int32_t heads = ns_site_heads(&site->site);
    int status =
        site->sampled ? NS_OK : ns_store_read_samples(store, from, count, p->ids, NULL, NULL, err);
    for (uint64_t k = 0; k < rows && !status; k++) {
        uint64_t row = first + k;
        bool good = p->kinds[k] <= NS_ROW_PADDING && p->positions[k] >= 0 && p->heads[k] >= 0 &&
                    p->heads[k] < heads;
        if (!site->sampled)
            good = good && p->samples[k] == p->ids[row / positions - from] &&
                   p->heads[k] == (int32_t)(row % (uint64_t)heads);
        r->misplaced += !good;
    }
    return status;
}

static int verify_piece(const ns_store *store, int i, uint64_t first, uint64_t rows, piece *p,
                        ns_verify_result *r, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    size_t c = (size_t)site->site.norm.channels;
    int status = ns_store_read(store, i, NS_INPUT, first, rows, p->x, err);
    if (!status) status = ns_store_read(store, i, NS_OUTPUT, first, rows, p->y, err);
    if (!status)
        status = ns_store_read_rows(store, i, first, rows, p->samples, p->positions, p->kinds, err);
    if (!status) status = ns_store_read_heads(store, i, first, rows, p->heads, err);
    if (!status) status = check_places(store, site, first, rows, p, r, err);
    if (status) return status;
    site->site.norm.kind->reference(&site->site.norm, rows, p->x, p->reference);
    for (uint64_t k = 0; k < rows; k++) {
        r->rows++;
        if (p->kinds[k] == NS_ROW_PADDING)
            r->padding++;
        else
            compare_row(site, p->x + k * c, p->y + k * c, p->reference + k * c, p, r);
    }
    return NS_OK;
}

static void join(ns_verify_result *all, const ns_verify_result *part) {
    all->rows += part->rows;
    all->padding += part->padding;
    all->nonfinite += part->nonfinite;
    all->misplaced += part->misplaced;
    all->largest = fmax(all->largest, part->largest);
    if (!(part->difference <= all->difference)) all->difference = part->difference;
    if (!(part->share <= all->share)) {
        all->share = part->share;
        all->tolerance = part->tolerance;
    }
}

int ns_verify_site(const ns_store *store, int i, ns_verify_result *result, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    *result = (ns_verify_result){0};
    int status = NS_OK;
    uint64_t step = rows_of_piece((size_t)site->site.norm.channels),
             pieces = (site->rows + step - 1) / step;
#pragma omp parallel
    {
        ns_error mine = {0};
        ns_verify_result part = {0};
        piece p;
        int failed = piece_make(&p, (size_t)site->site.norm.channels, site->rows, &mine);
#pragma omp for schedule(dynamic)
        for (uint64_t k = 0; k < pieces; k++) {
            if (failed) continue;
            uint64_t first = k * step, rows = site->rows - first < step ? site->rows - first : step;
            failed = verify_piece(store, i, first, rows, &p, &part, &mine);
        }
#pragma omp critical(ns_verify_join)
        {
            join(result, &part);
            if (failed && !status) {
                status = failed;
                if (err) *err = mine;
            }
        }
        if (p.x) piece_free(&p);
    }
    result->good = !status && result->share <= 1 && result->misplaced == 0 && !isnan(result->share);
    return status;
}
