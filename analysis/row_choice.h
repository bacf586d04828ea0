/* Which rows count: those of some kinds, at some positions, of some size of x. What --rows says.
 *
 *     not first                      all but position 0
 *     class or register              kinds: class, register, word, patch
 *     position 1-16,20 and patch
 *     |x| < 100                      rows whose largest |x| is below 100
 *
 * `not` binds closest, then `and`, then `or`. Padding is never chosen: it is counted as padding whatever is chosen. */
#ifndef NS_ROW_CHOICE_H
#define NS_ROW_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/points.h"
#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/sketch/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NS_CHOICE_CLAUSES = 8, NS_CHOICE_TERMS = 8, NS_CHOICE_RANGES = 16 };

typedef enum ns_row_test {
    NS_TEST_KIND,
    NS_TEST_POSITION,
    NS_TEST_BELOW,
    NS_TEST_ABOVE
} ns_row_test;

typedef struct ns_row_term {
    ns_row_test test;
    bool negated;
    bool equal;   /* the limit itself is in */
    int kind;     /* ns_row_kind */
    double limit; /* of the row's largest |x|, x */
    int count;    /* of ranges of positions, both ends in */
    int32_t ranges[NS_CHOICE_RANGES][2];
} ns_row_term;

/* Clauses, one of which must hold; of a clause every term. No clause: all rows. */
typedef struct ns_row_choice {
    const char *text; /* as given, borrowed; "all" */
    int count;
    int terms[NS_CHOICE_CLAUSES]; /* of each clause */
    ns_row_term all[NS_CHOICE_CLAUSES][NS_CHOICE_TERMS];
    bool needs_x;
} ns_row_choice;

/* NS_EUSAGE, with what was expected, where the text is no choice. NULL and "all": every row. */
NS_API int ns_row_choice_parse(ns_row_choice *out, const char *text, ns_error *err);

/* Whether a row counts that is no padding. largest: its largest finite |x|, NaN where there is none. */
NS_API bool ns_row_choice_takes(const ns_row_choice *choice, ns_row_kind kind, int32_t position,
                                double largest);

/* Sets of rows by kind, at position 0 or behind it, as bits of a mask. */
enum { NS_ROW_SETS = 8 };
static inline unsigned ns_row_set(int kind, bool first) {
    return 1U << ((first ? 0 : 4) + kind);
}

/* The sets that the choice takes. False where it divides one of them, by position or by |x|. choice NULL: all. */
bool ns_row_choice_sets(const ns_row_choice *choice, unsigned *sets);

/* The parts of a sketch that hold those sets, as bits; false where the sketch cannot tell them apart. */
bool ns_row_sets_parts(unsigned sets, const ns_sketch *sketch, unsigned *parts);
/* A sketch of the rows that the choice takes, see ns_sketch_of_parts; ns_sketch_free also after a failure. NS_EUSAGE where the sketch cannot
 * tell them apart. */
int ns_row_choice_of_sketch(ns_sketch *out, const ns_row_choice *choice, const ns_sketch *sketch,
                            ns_error *err);

/* Points of which some rows were chosen. Memory: 24 bytes for each stretch of chosen rows. */
typedef struct ns_chosen ns_chosen;

/* Looks at every row of *points once and replaces them by those that the choice takes, in their order, and padding. *out owns what the new
 * points stand on (NULL where all were taken); the old ones' memory must outlive it. */
NS_API int ns_chosen_new(ns_chosen **out, ns_points *points, const ns_row_choice *choice,
                         ns_error *err);
NS_API void ns_chosen_free(ns_chosen *chosen);
/* Rows that were left out; 0 for NULL. */
NS_API uint64_t ns_chosen_left_out(const ns_chosen *chosen);
/* Which of the old rows a new one was. */
uint64_t ns_chosen_origin(const ns_chosen *chosen, uint64_t row);

#define NS_ROWS_OPTION(target)                                                                     \
    {                                                                                              \
        "rows", 0, NS_OPT_TEXT, &(target), "CHOICE",                                               \
            "rows that count: 'not first', 'class', 'register', 'word', 'patch', 'position "       \
            "1-16', '|x| < 100', joined by and, or",                                               \
            "all", 0, 0                                                                            \
    }

#ifdef __cplusplus
}
#endif
#endif
