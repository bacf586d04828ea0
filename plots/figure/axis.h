/* Axes: ranges that can be drawn whatever the data, places along them, and ticks at round numbers. */
#ifndef NS_AXIS_H
#define NS_AXIS_H

#include <stdbool.h>

#include "probe/base/api.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_axis {
    double low,
        high; /* finite and low < high once ns_axis_guard has seen them; above 0 where log is set */
    bool log;
    const char *label; /* markup of plots/figure/text.h, or NULL */
    bool whole;        /* ticks at whole numbers alone: what counts */
    bool bare;         /* without tick labels: the neighbour's are shared */
    /* Ticks at 1, 2, 3, ... with these names instead of numbers; NULL: numbers. */
    const char *const *names;
    int name_count;
    bool ordered; /* the names are rising numbers: where there are many, some may be left out */
} ns_axis;

enum { NS_MOST_TICKS = 64 };

typedef struct ns_tick {
    double value;
    char label[128]; /* markup; empty for a tick without one */
} ns_tick;

/* Makes a range that can be drawn: what is not finite counts as unknown, an unknown or empty range becomes one around 0 (or 1 where
 * log), a single value gets room on both sides, and low > high are exchanged. */
NS_API void ns_axis_guard(ns_axis *axis);

/* Adds `share` of the length on both sides. */
NS_API void ns_axis_pad(ns_axis *axis, double share);

/* The place of a value: 0 at low, 1 at high; beyond them outside of that. NaN where a log axis has no place for it. */
NS_API double ns_axis_place(const ns_axis *axis, double value);

/* At most `most` (2 to NS_MOST_TICKS) ticks within the range, rising; returns their number. A name is cut where a label has no room. */
NS_API int ns_axis_ticks(const ns_axis *axis, int most, ns_tick ticks[NS_MOST_TICKS]);

/* A number as a label: a true minus sign, `digits` (1 to 17) significant digits, and a power of ten where there would be more than four
 * zeros. Zero is "0". */
NS_API char *ns_number_label(double value, int digits, char label[64]);
/* The same without the zeros that add nothing: 0.5, 2000, a power of ten alone. */
NS_API char *ns_number_short(double value, int digits, char label[64]);

#ifdef __cplusplus
}
#endif
#endif
