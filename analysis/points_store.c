#include "analysis/points.h"

static int store_read(const ns_points *points, uint64_t first, uint64_t rows, float *x, float *y,
                      ns_error *err) {
    int site = (int)points->user_index, status = NS_OK;
    if (x) status = ns_store_read(points->user, site, NS_INPUT, first, rows, x, err);
    if (y && !status) status = ns_store_read(points->user, site, NS_OUTPUT, first, rows, y, err);
    return status;
}

static int store_rows(const ns_points *points, uint64_t first, uint64_t rows, int64_t *samples,
                      int32_t *positions, uint8_t *kinds, ns_error *err) {
    return ns_store_read_rows(points->user, (int)points->user_index, first, rows, samples,
                              positions, kinds, err);
}

int ns_points_store(ns_points *out, ns_store *store, int i, ns_error *err) {
    const ns_store_site *site = ns_store_site_at(store, i);
    if (!site->rows && site->has_sketch)
        return ns_fail(err, NS_EINPUT,
                       "%s: site %d (%s): expected stored rows, found a sketch alone",
                       ns_store_path(store), site->site.index, site->site.name);
    *out = (ns_points){.rows = site->rows,
                       .channels = site->site.norm.channels,
                       .read = store_read,
                       .read_rows = store_rows,
                       .user = store,
                       .user_index = (uint64_t)i};
    return NS_OK;
}
