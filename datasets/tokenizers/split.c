/* Cutting with a behavior: what may yet grow is held back. */
#include "datasets/tokenizers/split.h"

static int release(ns_split *s, ns_error *err) {
    if (!s->held) return NS_OK;
    s->held = false;
    return ns_cuts_add(s->cuts, s->begin, s->end, -1, err);
}

int ns_split_put(ns_split *s, size_t begin, size_t end, bool matches, ns_error *err) {
    if (s->behavior == NS_SPLIT_REMOVED && matches) return NS_OK;
    if (s->behavior <= NS_SPLIT_ISOLATED) return ns_cuts_add(s->cuts, begin, end, -1, err);
    bool joins = s->behavior == NS_SPLIT_CONTIGUOUS         ? matches == s->held_matches
                 : s->behavior == NS_SPLIT_MERGED_WITH_NEXT ? s->held_matches && !matches
                                                            : !s->held_matches && matches;
    if (s->held && joins) {
        s->end = end;
        return s->behavior == NS_SPLIT_CONTIGUOUS ? NS_OK : release(s, err);
    }
    int status = release(s, err);
    s->held = true;
    s->held_matches = matches;
    s->begin = begin;
    s->end = end;
    return status;
}

int ns_split_end(ns_split *s, ns_error *err) {
    return release(s, err);
}

int ns_split_class(bool (*in_class)(int32_t c), ns_split_behavior behavior, const ns_flow *flow,
                   const ns_cut *piece, ns_cuts *cuts, ns_error *err) {
    ns_split split = {.cuts = cuts, .behavior = behavior};
    size_t begin = piece->begin;
    int status = NS_OK;
    for (size_t at = begin; at < piece->end && !status;) {
        size_t from = at;
        if (!in_class(ns_utf8_next(flow->bytes, &at))) continue;
        if (begin < from) status = ns_split_put(&split, begin, from, false, err);
        if (!status) status = ns_split_put(&split, from, at, true, err);
        begin = at;
    }
    if (begin < piece->end && !status) status = ns_split_put(&split, begin, piece->end, false, err);
    return status ? status : ns_split_end(&split, err);
}
