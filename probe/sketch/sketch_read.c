/* A sketch out of a file. What stands there may be anybody's: it is checked as far as later code relies on it. */
#include <math.h>

#include "probe/sketch/sketch_internal.h"
#include "probe/store/store_internal.h"

#define MOST_POINTS ((uint64_t)1 << 53) /* as double has them exactly */

/* Least and largest of x, y and sigma_row, and cells as large as these ask for: else a picture would be drawn over nothing. */
static const char *what_is_wrong_with_extent(const ns_sketch *s) {
    for (int i = 0; i < 6; i += 2)
        if (!isfinite(s->extent[i]) || !isfinite(s->extent[i + 1]) ||
            s->extent[i] > s->extent[i + 1])
            return "extent: no range";
    const int cells[2] = {NS_SKETCH_WIDTH, NS_SKETCH_HEIGHT};
    for (int i = 0; i < 2; i++)
        if (s->grid_exponents[i] >
            ns_grid_exponent(s->extent[2 * i], s->extent[2 * i + 1], cells[i]) + 1)
            return "grid_exponents: larger cells than extent asks for";
    return NULL;
}

/* The parts are read off like a sketch of their own, and are those of the whole. */
static const char *what_is_wrong_with_parts(const ns_sketch *s) {
    uint64_t points = 0;
    for (int p = 0; p < NS_SKETCH_PARTS; p++) {
        double seen = 0;
        for (int b = p * NS_SKETCH_BINS; b < (p + 1) * NS_SKETCH_BINS; b++) {
            if (!(s->part_bins[b][NS_BIN_N] >= 0)) return "part_bins: a count that is none";
            for (int k = 0; k < NS_BIN_SUMS; k++)
                if (!isfinite(s->part_bins[b][k])) return "part_bins: a sum that is not finite";
            seen += s->part_bins[b][NS_BIN_N];
        }
        uint64_t its = s->part_counts[p][NS_PART_POINTS];
        if (its > s->counts.points || seen != (double)its)
            return "part_bins: other points than part_counts has";
        if (s->part_moments[p].n != seen) return "part_moments: other points than part_counts has";
        for (int i = 0; i < 6 && its; i += 2)
            if (!isfinite(s->part_extent[p][i]) || !isfinite(s->part_extent[p][i + 1]) ||
                s->part_extent[p][i] > s->part_extent[p][i + 1])
                return "part_extent: no range";
        points += its;
    }
    return points == s->counts.points ? NULL : "part_counts: other points than counts has";
}

/* Counts that are no counts, or sums that are no numbers, would turn up much later as nonsense. */
const char *ns_sketch_wrong(const ns_sketch *s) {
    double points = 0;
    for (int b = 0; b < NS_SKETCH_BINS; b++) {
        if (!(s->bins[b][NS_BIN_N] >= 0)) return "bins: a count that is none";
        for (int k = 0; k < NS_BIN_SUMS; k++)
            if (!isfinite(s->bins[b][k])) return "bins: a sum that is not finite";
        points += s->bins[b][NS_BIN_N];
    }
    if (s->counts.points > MOST_POINTS) return "counts: too many points";
    if (points != (double)s->counts.points) return "bins: other points than counts has";
    if (s->counts.padding > s->counts.rows) return "counts: more rows of padding than rows";
    if (s->moments.n != (double)s->counts.points) return "moments: other points than counts has";
    for (int i = 0; i < 2; i++)
        if (s->grid_exponents[i] < NS_GRID_FINEST || s->grid_exponents[i] > 200)
            return "grid_exponents: out of range";
    for (int i = 0; i < NS_SKETCH_TOP; i++)
        if (s->top_sample[i] >= 0 && (s->top_channel[i] < 0 || s->top_channel[i] >= s->channels))
            return "top_channel: out of range";
    const char *wrong = s->has_parts ? what_is_wrong_with_parts(s) : NULL;
    return wrong || !s->counts.points ? wrong : what_is_wrong_with_extent(s);
}

int ns_sketch_read(ns_sketch *out, const ns_store *store, int i, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    ns_store_block blocks[NS_SKETCH_BLOCKS];
    int tokens = site->site.positions / ns_site_heads(&site->site);
    *out = (ns_sketch){.channels = site->site.norm.channels, .positions = tokens};
    if (!site->has_sketch)
        return ns_fail(err, NS_EINPUT, "%s: site %d (%s): expected a sketch, found none",
                       ns_store_path(store), site->site.index, site->site.name);
    out->has_parts = ns_store_has_block(store, i, "sketch/part_counts");
    int count = ns_sketch_blocks(out, blocks), status = NS_OK;
    for (int b = 0; b < count && !status; b++)
        status = ns_store_find_block(store, i, &blocks[b], err);
    if (!status) status = ns_sketch_new(out, site->site.norm.channels, tokens, err);
    if (status) return status;
    out->has_parts = count == NS_SKETCH_BLOCKS;
    ns_sketch_blocks(out, blocks);
    for (int b = 0; b < count && !status && ns_store_samples(store); b++)
        status = ns_store_read_block(store, i, &blocks[b], err);
    const char *wrong = status ? NULL : ns_sketch_wrong(out);
    if (!wrong) return status;
    return ns_fail(err, NS_EINPUT, "%s: site %d (%s): sketch/%s", ns_store_path(store),
                   site->site.index, site->site.name, wrong);
}

const char *ns_sketch_check(const ns_sketch *s, uint64_t rows) {
    double points = (double)s->counts.points, channels = 0, positions = 0, cells = 0, spread = 0;
    bool full = false;
    for (int c = 0; c < s->channels; c++) channels += s->channel[c][NS_CHANNEL_N];
    for (int p = 0; p < s->positions; p++) positions += s->position[p][NS_POSITION_N];
    for (int b = 0; b < NS_SKETCH_SIDE; b++) spread += (double)s->row_sigma[b];
    for (size_t i = 0; i < NS_SKETCH_WIDTH * NS_SKETCH_HEIGHT; i++) {
        cells += (double)s->grid[i];
        full |= s->grid[i] == UINT32_MAX; /* it may have stayed there */
    }
    if (s->counts.rows != rows) return "counts: other rows than the run has";
    if (s->counts.points + s->counts.nonfinite !=
        (s->counts.rows - s->counts.padding) * (uint64_t)s->channels)
        return "counts: points that do not fill the rows";
    if (channels != points) return "channels: other points than counts has";
    if (positions != points) return "positions: other points than counts has";
    if (cells != points && !full) return "grid: other points than counts has";
    if (spread > (double)(s->counts.rows - s->counts.padding)) return "row_sigma: too many rows";
    return NULL;
}
