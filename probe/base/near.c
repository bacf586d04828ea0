#include "probe/base/near.h"

#include <stdlib.h>
#include <string.h>

#define NEAR_LENGTH 128 /* longer names are compared by their first part alone */
#define NEAR_MOST   8

/* Levenshtein's distance, one row of the table at a time. */
static int edit_distance(const char *a, const char *b) {
    size_t na = strnlen(a, NEAR_LENGTH), nb = strnlen(b, NEAR_LENGTH);
    int row[NEAR_LENGTH + 1];
    for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

void ns_near_names(ns_error *err, const char *wanted, size_t count,
                   const char *(*name)(const void *user, size_t i), const void *user, int most) {
    struct {
        int distance;
        const char *name;
    } best[NEAR_MOST] = {{0, NULL}};
    int kept = 0;
    if (most > NEAR_MOST) most = NEAR_MOST;
    if (most < 1) return;
    int limit = (int)(strnlen(wanted, NEAR_LENGTH) + 1) / 2;
    for (size_t i = 0; i < count; i++) {
        const char *candidate = name(user, i);
        int distance = edit_distance(wanted, candidate);
        if (distance > limit || (kept == most && distance >= best[kept - 1].distance)) continue;
        int at = kept < most ? kept++ : kept - 1;
        for (; at > 0 && best[at - 1].distance > distance; at--) best[at] = best[at - 1];
        best[at].distance = distance;
        best[at].name = candidate;
    }
    for (int i = 0; i < kept; i++) ns_fail_more(err, "%s%s", i ? ", " : "; near: ", best[i].name);
}

static const char *component_end(const char *s) {
    while (*s && *s != '.') s++;
    return s;
}

/* One component against one component: the classic two-pointer match that returns to the last star. */
static bool component_match(const char *p, const char *p_end, const char *s, const char *s_end) {
    const char *star = NULL, *resume = NULL;
    while (s < s_end) {
        if (p < p_end && *p == '*') {
            star = p++;
            resume = s;
        } else if (p < p_end && (*p == '?' || *p == *s)) {
            p++, s++;
        } else if (star) {
            p = star + 1;
            s = ++resume;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*') p++;
    return p == p_end;
}

bool ns_glob_match(const char *pattern, const char *name) {
    if (!*pattern) return !*name;
    for (;;) {
        const char *p_end = component_end(pattern);
        if (p_end - pattern == 2 && pattern[0] == '*' && pattern[1] == '*') {
            if (!*p_end) return true;
            for (const char *s = name;;) {
                if (ns_glob_match(p_end + 1, s)) return true;
                s = component_end(s);
                if (!*s) return false;
                s++;
            }
        }
        const char *n_end = component_end(name);
        if (!component_match(pattern, p_end, name, n_end)) return false;
        if (!*p_end)
            return true; /* the pattern is used up: what is left of the name lies below it */
        if (!*n_end) return false; /* the name is used up and the pattern is not */
        pattern = p_end + 1;
        name = n_end + 1;
    }
}
