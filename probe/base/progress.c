#include "probe/base/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* Of the terminal as it is now; its last one stays free, because some go on to the next line when it is written. */
static int free_columns(void) {
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return (known ? size.ws_col : 80) - 1;
}

/* Whether a byte begins a character of UTF-8. */
static bool begins(char byte) {
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static int columns_of(const char *text) {
    int columns = 0;
    for (; *text; text++) columns += begins(*text);
    return columns;
}

/* What is left of a text when its beginning is cut, so that it takes `most` columns. */
static const char *last_columns(const char *text, int most) {
    for (int columns = columns_of(text); columns > most && *text; columns--) {
        text++;
        while (*text && !begins(*text)) text++;
    }
    return text;
}

/* Prints a part whole or, where the line has no room for it, not at all; room is what is left of the line, in columns. */
static void print_part(int *room, const char *part) {
    int columns = columns_of(part);
    if (columns > *room) return;
    fputs(part, stderr);
    *room -= columns;
}

void ns_progress_at(ns_progress *progress, uint64_t done) {
    if (!progress || !progress->shown) return;
    double now = ns_seconds();
    if (now - progress->last < 0.2) return;
    progress->last = now;
    double spent = now - progress->began, rate = (double)done / spent;
    char part[128], total[32] = "";
    int room = free_columns();
    if (progress->total)
        snprintf(total, sizeof total, " of %llu", (unsigned long long)progress->total);
    snprintf(part, sizeof part, ": %llu%s %s", (unsigned long long)done, total, progress->unit);
    fputs("\r\033[K", stderr);
    if (columns_of(part) > room) room = 0; /* no terminal to speak of */
    print_part(&room, last_columns(progress->what, room - columns_of(part)));
    print_part(&room, part);
    snprintf(part, sizeof part, ", %.4g %s/s", rate, progress->unit);
    print_part(&room, part);
    if (progress->total && done) {
        long left = (long)((double)(progress->total - done) / rate);
        snprintf(part, sizeof part, ", %ld:%02ld left", left / 60, left % 60);
        print_part(&room, part);
    }
    snprintf(part, sizeof part, "%s%s", *progress->note ? ", " : "", progress->note);
    print_part(&room, part);
    fflush(stderr);
}

void ns_progress_end(ns_progress *progress) {
    if (progress && progress->shown) fprintf(stderr, "\r\033[K");
}
