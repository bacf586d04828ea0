#include "plots/groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/site_panels.h"
#include "probe/base/mem.h"

static const double OPACITY = 0.5; /* of a disc: higher than in a cloud of all points */
static const double MARK = 1.8, LEGEND_MARK = 5;

int ns_groups_new(ns_groups *out, int count, const ns_style *style, ns_figure *figure,
                  ns_error *err) {
    *out = (ns_groups){.count = count};
    out->names = ns_figure_alloc(figure, (size_t)count, sizeof *out->names, err);
    out->colors = ns_figure_alloc(figure, (size_t)count, sizeof *out->colors, err);
    if (!out->names || !out->colors) return NS_EFAIL;
    for (int k = 0; k < count; k++)
        out->colors[k] =
            count <= NS_STYLE_COLORS ? style->colors[k] : ns_color_map((double)k / (count - 1));
    return NS_OK;
}

/* Grids of some of the groups, and the edges of their bins. */
typedef struct batch {
    ns_grid *grids;
    double *x_edges, *y_edges;
    int first;
} batch;

static int count_points(void *to, int group, size_t n, const float *x, const float *y,
                        ns_error *err) {
    (void)err;
    batch *b = to;
    ns_grid *g = &b->grids[group - b->first];
    for (size_t p = 0; p < n; p++) {
        int i = ns_grid_bin((double)x[p], b->x_edges, g->width),
            j = ns_grid_bin((double)y[p], b->y_edges, g->height);
        if (i < 0 || j < 0) continue;
        uint32_t *at = &g->counts[(size_t)j * (size_t)g->width + (size_t)i];
        *at += *at != UINT32_MAX;
        g->points++;
    }
    return NS_OK;
}

/* What the groups painted so far leave at each pixel. */
typedef struct blend {
    float *over, *total, *most; /* discs: of the present group, of all, of the group with most */
    uint8_t *group;
    size_t pixels;
} blend;

static void blend_free(blend *b) {
    free(b->over);
    free(b->total);
    free(b->most);
    free(b->group);
}

static int blend_new(blend *b, size_t pixels, ns_error *err) {
    *b = (blend){.pixels = pixels};
    b->over = ns_calloc(pixels, sizeof *b->over, err);
    b->total = ns_calloc(pixels, sizeof *b->total, err);
    b->most = ns_calloc(pixels, sizeof *b->most, err);
    b->group = ns_calloc(pixels, 1, err);
    return b->over && b->total && b->most && b->group ? NS_OK : NS_EFAIL;
}

static int blend_add(blend *b, const ns_grid *grid, int group, double diameter, ns_error *err) {
    float most;
    int status = ns_grid_over(grid, diameter, b->over, &most, err);
    for (size_t i = 0; i < b->pixels && !status; i++) {
        b->total[i] += b->over[i];
        if (b->over[i] > b->most[i]) b->most[i] = b->over[i], b->group[i] = (uint8_t)group;
    }
    return status;
}

static void blend_paint(const blend *b, const ns_color *colors, uint8_t *rgba) {
    double through = log1p(-OPACITY);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < b->pixels; i++) {
        if (!(b->total[i] > 0)) continue; /* clear already */
        const ns_color *c = &colors[b->group[i]];
        const double values[] = {c->r, c->g, c->b, -expm1(through * (double)b->total[i])};
        for (int k = 0; k < 4; k++) rgba[4 * i + (size_t)k] = (uint8_t)lround(255 * values[k]);
    }
}

/* Grids of groups [first, first + count) over the panel, filled, written and blended. */
static int paint_batch(const ns_groups *g, batch *b, int count, double diameter, blend *blended,
                       FILE *data, ns_error *err) {
    size_t cells = blended->pixels;
    for (int k = 0; k < count; k++) memset(b->grids[k].counts, 0, cells * sizeof(uint32_t));
    int status = g->each(g, b->first, count, count_points, b, err);
    for (int k = 0; k < count && !status; k++) {
        if (data) ns_grid_write(&b->grids[k], g->panel, g->names[b->first + k], data);
        status = blend_add(blended, &b->grids[k], b->first + k, diameter, err);
    }
    return status;
}

static void batch_free(batch *b, int count) {
    for (int k = 0; k < count && b->grids; k++) ns_grid_free(&b->grids[k]);
    free(b->grids);
    free(b->x_edges);
    free(b->y_edges);
}

static int batch_new(batch *b, int count, const ns_panel *panel, int width, int height,
                     ns_error *err) {
    *b = (batch){.grids = ns_calloc((size_t)count, sizeof *b->grids, err),
                 .x_edges = ns_grid_edges(panel->x.low, panel->x.high, width, err),
                 .y_edges = ns_grid_edges(panel->y.low, panel->y.high, height, err)};
    if (!b->grids || !b->x_edges || !b->y_edges) return NS_EFAIL;
    for (int k = 0; k < count; k++) {
        b->grids[k] = (ns_grid){.width = width,
                                .height = height,
                                .x_low = panel->x.low,
                                .x_high = panel->x.high,
                                .y_low = panel->y.low,
                                .y_high = panel->y.high};
        b->grids[k].counts = ns_calloc((size_t)width * (size_t)height, sizeof(uint32_t), err);
        if (!b->grids[k].counts) return NS_EFAIL;
    }
    return NS_OK;
}

static int paint(void *user, const ns_panel *panel, int width, int height, const ns_style *style,
                 double dpi, ns_picture *out, FILE *data, ns_error *err) {
    const ns_groups *g = user;
    size_t pixels = (size_t)width * (size_t)height, fit = NS_GROUPS_BYTES / (4 * pixels);
    int most = fit < 1 ? 1 : fit < (size_t)g->count ? (int)fit : g->count;
    batch b;
    blend blended;
    int status = batch_new(&b, most, panel, width, height, err);
    if (blend_new(&blended, pixels, err)) status = NS_EFAIL;
    for (; b.first < g->count && !status; b.first += most)
        status = paint_batch(g, &b, g->count - b.first < most ? g->count - b.first : most,
                             style->diameter * dpi / 72, &blended, data, err);
    batch_free(&b, most);
    *out = (ns_picture){width, height, NULL};
    if (!status && !(out->rgba = ns_calloc(pixels, 4, err))) status = NS_EFAIL;
    if (!status) blend_paint(&blended, g->colors, out->rgba);
    blend_free(&blended);
    return status;
}

/* Marks of all groups. */
typedef struct gathering {
    ns_item *items; /* of group 0 and so on; spots has room for `room` */
    size_t room;
} gathering;

static int gather_points(void *to, int group, size_t n, const float *x, const float *y,
                         ns_error *err) {
    gathering *g = to;
    ns_item *item = &g->items[group];
    ns_spot *spots = (ns_spot *)item->spots;
    for (size_t p = 0; p < n; p++) {
        if (!isfinite(x[p]) || !isfinite(y[p])) continue;
        if (item->count == g->room)
            return ns_fail(err, NS_EFAIL, "more points than were announced");
        spots[item->count++] = (ns_spot){(double)x[p], (double)y[p]};
    }
    return NS_OK;
}

static int add_marks(ns_groups *g, ns_figure *figure, ns_item *items, int *used, ns_error *err) {
    gathering to = {items, (size_t)g->points / (size_t)g->count};
    for (int k = 0; k < g->count; k++) {
        items[k] = (ns_item){.kind = NS_ITEM_MARKS,
                             .name = g->names[k],
                             .unlisted = true,
                             .spots = ns_figure_alloc(figure, to.room, sizeof(ns_spot), err),
                             .fill = g->colors[k],
                             .size = MARK};
        if (!items[k].spots) return NS_EFAIL;
    }
    *used = g->count;
    return g->each(g, 0, g->count, gather_points, &to, err);
}

int ns_groups_items(ns_groups *g, ns_figure *figure, ns_item *items, int *used, ns_error *err) {
    int status = NS_OK;
    if (g->points <= NS_GROUPS_MARKS)
        status = add_marks(g, figure, items, used, err);
    else
        items[(*used = 1) - 1] = (ns_item){.kind = NS_ITEM_LAYER, .layer = {paint, g}};
    for (int k = 0; k < g->count && g->count <= NS_STYLE_COLORS; k++)
        items[(*used)++] = (ns_item){
            .kind = NS_ITEM_MARKS, .name = g->names[k], .fill = g->colors[k], .size = LEGEND_MARK};
    return status;
}
