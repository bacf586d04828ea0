/* The rows of a cloud, one after the other. */
#include <stdlib.h>

#include "plots/grid.h"
#include "probe/base/mem.h"
#include "probe/base/stop.h"

enum { CHUNK_POINTS = 1 << 16 };

/* Gives stretches of rows that are no padding. */
static int visit_chunk(const ns_cloud *cloud, uint64_t first, size_t rows, float *x, float *y,
                       uint8_t *kinds, ns_cloud_visit *visit, void *user, ns_error *err) {
    const ns_points *p = &cloud->points;
    size_t channels = (size_t)p->channels;
    int status = p->read(p, first, rows, x, y, err);
    if (!status && p->read_rows) status = p->read_rows(p, first, rows, NULL, NULL, kinds, err);
    for (size_t begin = 0; begin < rows && !status;) {
        size_t end = begin;
        while (end < rows && kinds[end] != NS_ROW_PADDING) end++;
        if (end > begin)
            status = visit(user, end - begin, x + begin * channels, y + begin * channels, err);
        begin = end;
        while (begin < rows && kinds[begin] == NS_ROW_PADDING) begin++;
    }
    return status;
}

int ns_cloud_each(const ns_cloud *cloud, ns_cloud_visit *visit, void *user, ns_error *err) {
    const ns_points *p = &cloud->points;
    size_t channels = (size_t)p->channels,
           step = CHUNK_POINTS / channels ? CHUNK_POINTS / channels : 1;
    float *x = ns_alloc_aligned(step * channels, sizeof *x, err),
          *y = ns_alloc_aligned(step * channels, sizeof *y, err);
    uint8_t *kinds = ns_calloc(step, 1, err);
    int status = x && y && kinds ? NS_OK : NS_EFAIL;
    for (uint64_t first = 0; first < p->rows && !status; first += step) {
        size_t rows = p->rows - first < step ? (size_t)(p->rows - first) : step;
        status = ns_stop_requested()
                     ? ns_fail(err, NS_ESTOP, "stopped")
                     : visit_chunk(cloud, first, rows, x, y, kinds, visit, user, err);
    }
    if (!status && cloud->extra_rows)
        status = visit(user, (size_t)cloud->extra_rows, cloud->extra_x, cloud->extra_y, err);
    free(x);
    free(y);
    free(kinds);
    return status;
}
