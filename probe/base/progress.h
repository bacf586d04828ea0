/* The progress line on stderr: rate and time left, rewritten in place a few times a second, and only where stderr
 * is a terminal. Never wider than that: parts that do not fit (rate, time left, note) are left out, a long name loses its beginning. Library code never prints, so it takes an ns_progress from the command and calls it; NULL is silent. */
#ifndef NS_PROGRESS_H
#define NS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_progress {
    const char *what; /* "dump", "fit" */
    const char *unit; /* "images", "points" */
    uint64_t total;   /* 0: not known */
    bool shown;       /* stderr is a terminal */
    double began, last;
    char note[48]; /* shown at the end of the line; may be changed at any time */
} ns_progress;

NS_API void ns_progress_begin(ns_progress *progress, const char *what, const char *unit,
                              uint64_t total);
/* `done` units are complete. Cheap enough for every batch. */
NS_API void ns_progress_at(ns_progress *progress, uint64_t done);
/* Clears the line. */
NS_API void ns_progress_end(ns_progress *progress);

/* Seconds of a clock that only goes forward. */
NS_API double ns_seconds(void);

#ifdef __cplusplus
}
#endif
#endif
