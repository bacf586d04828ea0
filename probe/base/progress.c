#include "probe/base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double ns_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ns_progress_begin(ns_progress *progress, const char *what, const char *unit, uint64_t total) {
    double now = ns_seconds();
    *progress = (ns_progress){what, unit, total, isatty(STDERR_FILENO) == 1, now, now, ""};
}

void ns_progress_at(ns_progress *progress, uint64_t done) {
    if (!progress || !progress->shown) return;
    double now = ns_seconds();
    if (now - progress->last < 0.2) return;
    progress->last = now;
    double spent = now - progress->began, rate = (double)done / spent;
    fprintf(stderr, "\r\033[K%s: %llu", progress->what, (unsigned long long)done);
    if (progress->total) fprintf(stderr, " of %llu", (unsigned long long)progress->total);
    fprintf(stderr, " %s, %.4g %s/s", progress->unit, rate, progress->unit);
    if (progress->total && done) {
        long left = (long)((double)(progress->total - done) / rate);
        fprintf(stderr, ", %ld:%02ld left", left / 60, left % 60);
    }
    if (*progress->note) fprintf(stderr, ", %s", progress->note);
    fflush(stderr);
}

void ns_progress_end(ns_progress *progress) {
    if (progress && progress->shown) fprintf(stderr, "\r\033[K");
}
