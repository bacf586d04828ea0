/* The S-index by kind of row: one token, such as the first, can make the whole S of a layer. */
#include <math.h>
#include <stdlib.h>

#include "analysis/fit_internal.h"
#include "analysis/row_choice.h"
#include "probe/base/mem.h"

/* The sets of rows [NS_ROWS_KINDS], as bits of ns_row_set. */
static void sets_of_kinds(unsigned out[NS_ROWS_KINDS]) {
    static const int kinds[NS_ROWS_KINDS] = {[NS_ROWS_CLASS] = NS_ROW_CLASS,
                                             [NS_ROWS_REGISTER] = NS_ROW_REGISTER,
                                             [NS_ROWS_WORD] = NS_ROW_WORD,
                                             [NS_ROWS_PATCH] = NS_ROW_PATCH};
    out[NS_ROWS_FIRST] = out[NS_ROWS_NOT_FIRST] = 0;
    for (int k = NS_ROW_PATCH; k <= NS_ROW_WORD; k++) {
        out[NS_ROWS_FIRST] |= ns_row_set(k, true);
        out[NS_ROWS_NOT_FIRST] |= ns_row_set(k, false);
    }
    for (int i = NS_ROWS_CLASS; i < NS_ROWS_KINDS; i++)
        out[i] = ns_row_set(kinds[i], true) | ns_row_set(kinds[i], false);
}

/* Fits to the bins of each set, for their S-indices. A set that has all points needs none. */
static int take(const ns_bins bins[NS_ROWS_KINDS], const ns_fit_options *options, ns_fit *fits,
                ns_error *err) {
    int count = options->curve_count, status = NS_OK;
    ns_fit *some = ns_calloc((size_t)count, sizeof *some, err);
    if (!some) return NS_EFAIL;
    for (int k = 0; k < NS_ROWS_KINDS && !status; k++) {
        if (!bins[k].points) continue;
        bool all = bins[k].points == fits[0].points;
        if (!all) status = ns_fit_of_bins(&bins[k], options, some, err);
        for (int i = 0; i < count && !status; i++)
            fits[i].s_index_of[k] = all ? fits[i].s_index : some[i].s_index;
    }
    free(some);
    return status;
}

int ns_fit_kinds_of_points(const ns_points *points, const ns_fit_options *options, ns_fit *fits,
                           ns_error *err) {
    unsigned sets[NS_ROWS_KINDS];
    ns_bins bins[NS_ROWS_KINDS];
    sets_of_kinds(sets);
    int status = ns_bins_of_sets(bins, sets, NS_ROWS_KINDS, points, options->progress, err);
    if (!status) status = take(bins, options, fits, err);
    for (int k = 0; k < NS_ROWS_KINDS; k++) ns_bins_free(&bins[k]);
    return status;
}

int ns_fit_kinds_of_sketch(const ns_sketch *sketch, const ns_fit_options *options, ns_fit *fits,
                           ns_error *err) {
    unsigned sets[NS_ROWS_KINDS], chosen = ~0U;
    ns_bins bins[NS_ROWS_KINDS];
    for (int k = 0; k < NS_ROWS_KINDS; k++) bins[k] = (ns_bins){0};
    sets_of_kinds(sets);
    ns_row_choice_sets(options->rows, &chosen);
    int status = NS_OK;
    for (int k = 0; k < NS_ROWS_KINDS && !status; k++) {
        unsigned parts;
        ns_sketch part = {0};
        if (!sketch->has_parts || !ns_row_sets_parts(sets[k] & chosen, sketch, &parts)) continue;
        status = ns_sketch_of_parts(&part, sketch, parts, err);
        if (!status) status = ns_bins_of_sketch(&bins[k], &part, 1, err);
        ns_sketch_free(&part);
    }
    if (!status) status = take(bins, options, fits, err);
    for (int k = 0; k < NS_ROWS_KINDS; k++) ns_bins_free(&bins[k]);
    return status;
}

bool ns_fit_rests_on_first(const ns_fit *fit) {
    double others = fit->s_index_of[NS_ROWS_NOT_FIRST];
    return fmax(fit->s_index, others) > NS_S_RESTS && fabs(fit->s_index - others) > NS_S_RESTS;
}

const char *const ns_rows_kind_names[NS_ROWS_KINDS] = {"not first", "first", "class",
                                                       "register",  "word",  "patch"};
