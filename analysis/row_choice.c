#include "analysis/row_choice.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading the words ---- */

typedef struct reader {
    const char *text, *at;
    ns_error *err;
} reader;

static int expected(const reader *r, const char *what) {
    return ns_fail(r->err, NS_EUSAGE, "--rows: expected %s, found '%s' in '%s'", what,
                   *r->at ? r->at : "the end", r->text);
}

static void skip_blanks(reader *r) {
    r->at += strspn(r->at, " \t");
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Takes the word where it stands next. */
static bool take(reader *r, const char *word) {
    size_t length = strlen(word);
    skip_blanks(r);
    if (strncmp(r->at, word, length) != 0) return false;
    if (is_letter(word[length - 1]) && is_letter(r->at[length])) return false;
    r->at += length;
    return true;
}

static int read_position(reader *r, int32_t *out) {
    char *end = NULL;
    skip_blanks(r);
    if (*r->at < '0' || *r->at > '9') return expected(r, "a position, from 0, or a range as 1-16");
    long value = strtol(r->at, &end, 10);
    if (value > INT32_MAX) return expected(r, "a position that a row can have");
    *out = (int32_t)value;
    r->at = end;
    return NS_OK;
}

/* "0,3,7-9,20-": numbers and ranges, the last of which may be open. */
static int read_ranges(reader *r, ns_row_term *term) {
    do {
        if (term->count == NS_CHOICE_RANGES) return expected(r, "at most 16 ranges");
        int32_t *range = term->ranges[term->count++];
        int status = read_position(r, &range[0]);
        if (status) return status;
        range[1] = range[0];
        if (!take(r, "-")) continue;
        skip_blanks(r);
        range[1] = INT32_MAX;
        if (*r->at >= '0' && *r->at <= '9' && read_position(r, &range[1])) return NS_EUSAGE;
        if (range[1] < range[0]) return expected(r, "a range that rises");
    } while (take(r, ","));
    return NS_OK;
}

static int read_size(reader *r, ns_row_term *term) {
    char *end = NULL;
    skip_blanks(r);
    if (*r->at != '<' && *r->at != '>') return expected(r, "<, <=, > or >= behind |x|");
    term->test = *r->at++ == '<' ? NS_TEST_BELOW : NS_TEST_ABOVE;
    if (*r->at == '=') term->equal = true, r->at++;
    skip_blanks(r);
    term->limit = strtod(r->at, &end);
    if (end == r->at || !isfinite(term->limit)) return expected(r, "a number");
    r->at = end;
    return NS_OK;
}

static int read_term(reader *r, ns_row_term *term, bool *needs_x) {
    static const struct {
        const char *word;
        int kind;
    } kinds[] = {{"class", NS_ROW_CLASS},
                 {"register", NS_ROW_REGISTER},
                 {"word", NS_ROW_WORD},
                 {"patch", NS_ROW_PATCH}};
    *term = (ns_row_term){.negated = false};
    while (take(r, "not")) term->negated = !term->negated;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (take(r, kinds[k].word)) {
            term->kind = kinds[k].kind;
            return NS_OK;
        }
    term->test = NS_TEST_POSITION;
    if (take(r, "first")) {
        term->count = 1;
        return NS_OK;
    }
    if (take(r, "position")) return read_ranges(r, term);
    if (!take(r, "|x|"))
        return expected(r, "first, class, register, word, patch, position N-M, or |x| < SIZE");
    *needs_x = true;
    return read_size(r, term);
}

int ns_row_choice_parse(ns_row_choice *out, const char *text, ns_error *err) {
    *out = (ns_row_choice){.text = text ? text : "all"};
    reader r = {out->text, out->text, err};
    if (take(&r, "all") && !*r.at) return NS_OK;
    r.at = r.text;
    for (bool more = true; more; more = take(&r, "or")) {
        if (out->count == NS_CHOICE_CLAUSES) return expected(&r, "at most 8 parts joined by or");
        int k = out->count++;
        do {
            if (out->terms[k] == NS_CHOICE_TERMS)
                return expected(&r, "at most 8 parts joined by and");
            int status = read_term(&r, &out->all[k][out->terms[k]++], &out->needs_x);
            if (status) return status;
        } while (take(&r, "and"));
    }
    skip_blanks(&r);
    return *r.at ? expected(&r, "and, or, or the end") : NS_OK;
}

/* ---- what it takes ---- */

static bool holds(const ns_row_term *t, ns_row_kind kind, int32_t position, double largest) {
    bool in = false;
    switch (t->test) {
    case NS_TEST_KIND:
        in = (int)kind == t->kind;
        break;
    case NS_TEST_POSITION:
        for (int i = 0; i < t->count; i++)
            in |= position >= t->ranges[i][0] && position <= t->ranges[i][1];
        break;
    case NS_TEST_BELOW:
        in = largest < t->limit || (t->equal && largest <= t->limit);
        break;
    default:
        in = largest > t->limit || (t->equal && largest >= t->limit);
    }
    return in != t->negated;
}

bool ns_row_choice_takes(const ns_row_choice *c, ns_row_kind kind, int32_t position,
                         double largest) {
    if (!c || !c->count) return true;
    for (int k = 0; k < c->count; k++) {
        bool all = true;
        for (int i = 0; i < c->terms[k] && all; i++)
            all = holds(&c->all[k][i], kind, position, largest);
        if (all) return true;
    }
    return false;
}

/* Whether the ranges treat all positions behind the first alike. */
static bool divides(const ns_row_term *t) {
    if (t->test == NS_TEST_KIND) return false;
    if (t->test != NS_TEST_POSITION) return true;
    for (int i = 0; i < t->count; i++) {
        const int32_t *range = t->ranges[i];
        if (!(range[0] <= 1 && range[1] == INT32_MAX) && range[1] != 0) return true;
    }
    return false;
}

bool ns_row_choice_sets(const ns_row_choice *c, unsigned *sets) {
    *sets = 0;
    for (int k = 0; c && k < c->count; k++)
        for (int i = 0; i < c->terms[k]; i++)
            if (divides(&c->all[k][i])) return false;
    for (int kind = NS_ROW_PATCH; kind <= NS_ROW_WORD; kind++)
        for (int first = 0; first < 2; first++)
            if (ns_row_choice_takes(c, (ns_row_kind)kind, first ? 0 : 1, (double)NAN))
                *sets |= ns_row_set(kind, first);
    return true;
}

bool ns_row_sets_parts(unsigned sets, const ns_sketch *s, unsigned *parts) {
    unsigned first = 0, kinds = 0;
    *parts = 0;
    for (int k = 0; k < NS_SKETCH_KINDS; k++) {
        if (sets & ns_row_set(k, false)) *parts |= 1U << (NS_PART_OF_KIND + k);
        if (!s->first_kinds[k]) continue;
        kinds |= 1U << k;
        if (sets & ns_row_set(k, true)) first |= 1U << k;
    }
    if (first) *parts |= 1U << NS_PART_FIRST;
    return s->has_parts && (!first || first == kinds);
}

int ns_row_choice_of_sketch(ns_sketch *out, const ns_row_choice *c, const ns_sketch *s,
                            ns_error *err) {
    unsigned sets, parts;
    *out = (ns_sketch){.channels = s->channels};
    if (!s->has_parts)
        return ns_fail(
            err, NS_EUSAGE,
            "--rows '%s': the sketch was made before sketches kept rows apart; dump anew", c->text);
    if (!ns_row_choice_sets(c, &sets) || !ns_row_sets_parts(sets, s, &parts))
        return ns_fail(
            err, NS_EUSAGE,
            "--rows '%s': a sketch tells position 0 and the kinds of rows apart, nothing "
            "else; --from rows takes rows",
            c->text);
    return ns_sketch_of_parts(out, s, parts, err);
}
