#include "probe/base/bench.h"
#include "probe/base/order.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void ns_bench_add(ns_bench_runs *runs, double value) {
    if (runs->count < NS_BENCH_RUNS) runs->values[runs->count++] = value;
}

double ns_bench_median(const ns_bench_runs *runs) {
    ns_bench_runs s = *runs;
    if (!s.count) return (double)NAN;
    qsort(s.values, (size_t)s.count, sizeof *s.values, ns_rising);
    return 0.5 * (s.values[(s.count - 1) / 2] + s.values[s.count / 2]);
}

void ns_bench_range(const ns_bench_runs *runs, double *least, double *most) {
    *least = *most = (double)NAN;
    for (int i = 0; i < runs->count; i++) {
        *least = fmin(*least, runs->values[i]); /* the other where one is NaN */
        *most = fmax(*most, runs->values[i]);
    }
}

ns_table *ns_bench_table(ns_error *err) {
    static const ns_column columns[] = {{"measure", NULL, NS_TEXT, 0, false, NULL},
                                        {"unit", NULL, NS_TEXT, 0, false, NULL},
                                        {"median", "unit", NS_REAL, 4, false, NULL},
                                        {"min", "unit", NS_REAL, 4, false, NULL},
                                        {"max", "unit", NS_REAL, 4, false, NULL}};
    return ns_table_new(columns, sizeof columns / sizeof *columns, err);
}

void ns_bench_row(ns_table *table, const char *measure, const char *unit,
                  const ns_bench_runs *runs) {
    double least, most;
    ns_bench_range(runs, &least, &most);
    ns_table_text(table, measure);
    ns_table_text(table, unit);
    ns_table_real(table, ns_bench_median(runs));
    ns_table_real(table, least);
    ns_table_real(table, most);
}

int ns_bench_touch(const char *path, ns_error *err) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0) close(fd);
        return ns_fail(err, NS_EFAIL, "%s: %s", path, strerror(errno));
    }
    size_t size = (size_t)st.st_size;
    volatile char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED) return ns_fail(err, NS_EFAIL, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < size; i += 4096) bytes[i] = bytes[i];
    munmap((void *)bytes, size);
    return NS_OK;
}
