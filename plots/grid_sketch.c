/* A grid from a sketch's picture. */
#include <math.h>

#include "plots/grid.h"
#include "probe/base/mem.h"

void ns_cloud_sketch_extent(const ns_cloud *cloud, ns_extent *out) {
    const ns_sketch *s = &cloud->sketch;
    *out = (ns_extent){.points = s->counts.points,
                       .not_finite = s->counts.nonfinite,
                       .padding = s->counts.padding,
                       .x_low = s->extent[0],
                       .x_high = s->extent[1],
                       .y_low = s->extent[2],
                       .y_high = s->extent[3]};
    if (!out->points) out->x_low = out->x_high = out->y_low = out->y_high = NAN;
}

/* A cell of the picture. */
typedef struct cell {
    double x, y, width, height;
} cell;

static void put(ns_grid *g, double x, double y, uint32_t n) {
    double i = floor((x - g->x_low) / (g->x_high - g->x_low) * g->width),
           j = floor((y - g->y_low) / (g->y_high - g->y_low) * g->height);
    if (x == g->x_high) i = g->width - 1; /* the last bin holds its upper edge too */
    if (y == g->y_high) j = g->height - 1;
    if (!(i >= 0) || !(j >= 0) || i >= g->width || j >= g->height) {
        g->outside += n;
        return;
    }
    uint32_t *at = &g->counts[(size_t)j * (size_t)g->width + (size_t)i];
    *at = *at > UINT32_MAX - n ? UINT32_MAX : *at + n;
    g->points += n;
}

/* The part of a side [*at, *at + *length) of a cell that lies in [low, high]; returns its share, 0 where there is none. */
static double clip(double *at, double *length, double low, double high) {
    double from = fmax(*at, low), to = fmin(*at + *length, high);
    if (!(to >= from)) return 0;
    double share = *length > 0 ? (to - from) / *length : 1;
    *at = from;
    *length = to - from;
    return share;
}

static int pixels_of(double length, double low, double high, int pixels) {
    return (int)fmin(fmax(1, ceil(length / ((high - low) / pixels))), pixels);
}

/* As many to each pixel that the cell covers, and the rest in an order that spreads them (Roberts' R2 sequence, the plane's golden ratio). */
static void spread(ns_grid *g, const cell *c, uint32_t n) {
    int across = pixels_of(c->width, g->x_low, g->x_high, g->width),
        up = pixels_of(c->height, g->y_low, g->y_high, g->height);
    uint32_t spots = (uint32_t)across * (uint32_t)up, each = n / spots, rest = n % spots;
    for (int j = 0; j < up && each; j++)
        for (int i = 0; i < across; i++)
            put(g, c->x + (i + 0.5) / across * c->width, c->y + (j + 0.5) / up * c->height, each);
    for (uint32_t k = 0; k < rest; k++) {
        double u = fmod(0.5 + (k + 1) * 0.7548776662466927, 1),
               v = fmod(0.5 + (k + 1) * 0.5698402909980532, 1);
        put(g, c->x + u * c->width, c->y + v * c->height, 1);
    }
}

/* All points lie within the sketch's extent, which may be far narrower than a cell where x is far from 0; of those, the grid shows
 * its range's share. */
static void spread_visible(ns_grid *g, const ns_sketch *s, cell c, uint32_t n) {
    clip(&c.x, &c.width, s->extent[0], s->extent[1]);
    clip(&c.y, &c.height, s->extent[2], s->extent[3]);
    double share = clip(&c.x, &c.width, g->x_low, g->x_high);
    share *= clip(&c.y, &c.height, g->y_low, g->y_high);
    uint32_t shown = (uint32_t)fmin(round(n * share), n);
    g->outside += n - shown;
    if (shown) spread(g, &c, shown);
}

int ns_grid_fill_sketch(ns_grid *g, const ns_cloud *cloud, ns_error *err) {
    const ns_sketch *s = &cloud->sketch;
    g->counts = ns_calloc((size_t)g->width * (size_t)g->height, sizeof *g->counts, err);
    if (!g->counts) return NS_EFAIL;
    g->points = g->outside = 0;
    g->not_finite = s->counts.nonfinite;
    g->padding = s->counts.padding;
    double width = ldexp(1, s->grid_exponents[0]), height = ldexp(1, s->grid_exponents[1]);
    for (int j = 0; j < NS_SKETCH_HEIGHT; j++)
        for (int i = 0; i < NS_SKETCH_WIDTH; i++) {
            uint32_t n = s->grid[j * NS_SKETCH_WIDTH + i];
            int right = i - NS_SKETCH_WIDTH / 2, up = j - NS_SKETCH_HEIGHT / 2; /* of zero */
            const cell c = {right * width, up * height, width, height};
            if (n) spread_visible(g, s, c, n);
        }
    return NS_OK;
}
