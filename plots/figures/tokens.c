/* tokens: output against input, some tokens in colours of their own before all points (Zhu et al. 2025, figure 4, top). LayerNorm
 * puts the points of a token on a straight line, whose slope is 1 / sigma of its row.
 *
 * Memory: beside that of the panels (plots/site_panels.h, plots/groups.h) the chosen rows, of x and y. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/groups.h"
#include "plots/series.h"
#include "plots/site_panels.h"
#include "probe/base/mem.h"
#include "probe/base/order.h"
#include "probe/base/random.h"
#include "probe/base/moments.h"

enum {
    DEFAULT_TOKENS = 8,
    DEFAULT_LARGEST = 2,
    LINE_SPOTS = 129,
    BAR_STEPS = 64,
    CHUNK_ROWS = 4096
};

typedef struct settings {
    int64_t tokens, largest, seed;
} settings;

static int options(void *memory, ns_option *out) {
    settings *s = memory;
    *s = (settings){.tokens = DEFAULT_TOKENS, .largest = DEFAULT_LARGEST};
    const ns_option own[] = {
        {"tokens", 'n', NS_OPT_INT, &s->tokens, "N", "rows that have a colour of their own", "8", 1,
         NS_GROUPS_MOST},
        {"largest", 0, NS_OPT_INT, &s->largest, "N",
         "so many of them are the rows with the largest |x| of their site", "2", 0, NS_GROUPS_MOST},
        {"seed", 0, NS_OPT_INT, &s->seed, "S", "of the choice of the others", "0", 0, 9e15},
    };
    memcpy(out, own, sizeof own);
    return (int)(sizeof own / sizeof *own);
}

typedef struct token {
    uint64_t priority, row;
    int64_t sample;
    int32_t position, head;
    double slope; /* 1 / sigma of the row's x */
    double size;  /* largest finite |x| of the row */
} token;

/* The tokens of a panel. */
typedef struct choice {
    token tokens[NS_GROUPS_MOST]; /* those with the largest |x| first */
    int count, largest;
    const ns_points *points;
    ns_points stored; /* where the panel itself is drawn from a sketch */
    uint64_t rows;    /* that were there to choose from */
    bool sampled;     /* these are some of all */
    bool heads;       /* a token has several rows */
    const ns_site_panel *site;
    float *x, *y; /* [NS_GROUPS_MOST, channels] */
    size_t channels;
    ns_groups groups;
} choice;

/* Reads a row into place `at`; false in *usable where none of its points is finite. */
static int read_token(choice *c, token *t, int at, bool *usable, ns_error *err) {
    float *x = c->x + (size_t)at * c->channels, *y = c->y + (size_t)at * c->channels;
    int status = c->points->read(c->points, t->row, 1, x, y, err);
    float *finite = ns_calloc(c->channels, sizeof *finite, err);
    size_t kept = 0;
    if (!finite) return NS_EFAIL;
    for (size_t i = 0; i < c->channels && !status; i++)
        if (isfinite(x[i]) && isfinite(y[i])) finite[kept++] = x[i];
    const ns_moments m = ns_moments_of(finite, kept);
    t->slope = 1 / ns_moments_sigma(&m);
    *usable = kept > 0;
    free(finite);
    return status;
}

static bool before(const token *a, const token *b) {
    if (a->priority != b->priority) return a->priority < b->priority;
    if (a->sample != b->sample) return a->sample < b->sample;
    return a->position != b->position ? a->position < b->position : a->head < b->head;
}

/* Keeps the token among the `wanted` first of a list; `ahead` orders two. */
static void keep(token *list, int *count, int wanted, const token *t,
                 bool (*ahead)(const token *, const token *)) {
    if (*count == wanted && (!wanted || !ahead(t, &list[wanted - 1]))) return;
    int at = *count == wanted ? *count - 1 : (*count)++;
    for (; at > 0 && ahead(t, &list[at - 1]); at--) list[at] = list[at - 1];
    list[at] = *t;
}

static bool larger(const token *a, const token *b) {
    return a->size != b->size ? a->size > b->size : before(a, b);
}

/* A chunk of rows and of their table. */
typedef struct table {
    int64_t samples[CHUNK_ROWS];
    int32_t positions[CHUNK_ROWS], heads[CHUNK_ROWS];
    uint8_t kinds[CHUNK_ROWS];
    float *x, *y; /* [CHUNK_ROWS, C] */
} table;

/* The largest finite |x|; NaN where no point of the row is finite. */
static double size_of(const float *x, const float *y, size_t n) {
    double size = (double)NAN;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i])) size = fmax(size, fabs((double)x[i]));
    return size;
}

/* Both lists as long as they may get: one row may be on both. */
typedef struct lists {
    token largest[NS_GROUPS_MOST], drawn[NS_GROUPS_MOST];
    int largest_count, drawn_count;
} lists;

static void look_at(choice *c, const settings *o, const table *t, uint64_t first, size_t rows,
                    lists *found) {
    for (size_t r = 0; r < rows; r++) {
        if (t->kinds[r] == NS_ROW_PADDING) continue;
        c->rows++;
        int64_t row = (int64_t)t->positions[r] * ns_site_heads(&c->site->info->site) + t->heads[r];
        const token offered = {
            .priority = ns_row_priority((uint64_t)o->seed, t->samples[r], row),
            .row = first + r,
            .sample = t->samples[r],
            .position = t->positions[r],
            .head = t->heads[r],
            .size = size_of(t->x + r * c->channels, t->y + r * c->channels, c->channels)};
        if (isnan(offered.size)) continue;
        int most = (int)o->tokens;
        keep(found->largest, &found->largest_count, c->largest, &offered, larger);
        keep(found->drawn, &found->drawn_count, most, &offered, before);
    }
}

/* Of which heads rows are; where rows were chosen, those of the rows that they were. */
static int read_heads(const choice *c, uint64_t first, uint64_t rows, int32_t *heads,
                      ns_error *err) {
    const ns_site_panel *s = c->site;
    int status = NS_OK;
    if (!s->cloud.chosen)
        return ns_store_read_heads(s->run->store, s->site, first, rows, heads, err);
    for (uint64_t r = 0; r < rows && !status; r++)
        status =
            ns_store_read_heads(s->run->store, s->site,
                                ns_chosen_origin(s->cloud.chosen, first + r), 1, heads + r, err);
    return status;
}

/* The rows with the largest |x|, and tokens of lowest priority (probe/base/random.h), which depends on the seed, the sample and the
 * position alone: the same ones at every site that has them. */
static int choose(choice *c, const settings *o, ns_error *err) {
    const ns_points *p = c->points;
    table *t = ns_calloc(1, sizeof *t, err);
    lists *found = ns_calloc(1, sizeof *found, err);
    size_t fit = ((size_t)1 << 18) / c->channels, step = fit < 1            ? 1
                                                         : fit > CHUNK_ROWS ? CHUNK_ROWS
                                                                            : fit;
    if (t) t->x = ns_calloc(step * c->channels, sizeof *t->x, err);
    if (t) t->y = ns_calloc(step * c->channels, sizeof *t->y, err);
    int status = t && found && t->x && t->y ? NS_OK : NS_EFAIL;
    c->largest = (int)(o->largest < o->tokens ? o->largest : o->tokens);
    for (uint64_t first = 0; first < p->rows && !status; first += step) {
        uint64_t left = p->rows - first, rows = left < step ? left : step;
        status = p->read_rows(p, first, rows, t->samples, t->positions, t->kinds, err);
        if (!status) status = p->read(p, first, rows, t->x, t->y, err);
        if (!status && c->heads) status = read_heads(c, first, rows, t->heads, err);
        if (!status) look_at(c, o, t, first, (size_t)rows, found);
    }
    for (int k = 0; k < 2 && !status; k++) {
        const token *list = k ? found->drawn : found->largest;
        int count = k ? found->drawn_count : found->largest_count;
        for (int i = 0; i < count && c->count < o->tokens; i++) {
            bool there = false;
            for (int j = 0; j < c->count; j++) there |= c->tokens[j].row == list[i].row;
            if (!there) c->tokens[c->count++] = list[i];
        }
        if (!k) c->largest = c->count;
    }
    if (t) free(t->x), free(t->y);
    free(t);
    free(found);
    bool usable;
    for (int k = 0; k < c->count && !status; k++)
        status = read_token(c, &c->tokens[k], k, &usable, err);
    return status;
}

static int each_token(const ns_groups *groups, int first, int count, ns_group_take *take, void *to,
                      ns_error *err) {
    const choice *c = groups->user;
    int status = NS_OK;
    for (int k = first; k < first + count && !status; k++)
        status = take(to, k, c->channels, c->x + (size_t)k * c->channels,
                      c->y + (size_t)k * c->channels, err);
    return status;
}

static int by_x(const void *a, const void *b) {
    const ns_spot *p = a, *q = b;
    int order = ns_compare(p->x, q->x);
    return order ? order : ns_compare(p->y, q->y);
}

/* The token's finite points by x; whether y rises or falls with them all along, but for the rounding of 16-bit storage. */
static bool lie_on_a_line(ns_spot *spots, size_t n) {
    double most = 0, rises = 0, falls = 0;
    qsort(spots, n, sizeof *spots, by_x);
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(spots[i].y));
    for (size_t i = 1; i < n; i++) {
        rises = fmax(rises, spots[i].y - spots[i - 1].y);
        falls = fmax(falls, spots[i - 1].y - spots[i].y);
    }
    return n > 1 && fmin(rises, falls) <= most / 512;
}

/* Joins a token's points where they lie on one line; a batch's statistics, or an alpha for each channel, leave none. Of many points some
 * hundred, evenly by rank with both ends, are the same line to the eye. */
static int add_line(const choice *c, int k, ns_figure *figure, ns_item *items, int *used,
                    ns_error *err) {
    ns_spot *spots = ns_calloc(c->channels, sizeof *spots, err),
            *kept = ns_figure_alloc(figure, LINE_SPOTS, sizeof *kept, err);
    size_t n = 0;
    for (size_t i = 0; i < c->channels && spots; i++) {
        const ns_spot at = {(double)c->x[(size_t)k * c->channels + i],
                            (double)c->y[(size_t)k * c->channels + i]};
        if (isfinite(at.x) && isfinite(at.y)) spots[n++] = at;
    }
    bool line = spots && kept && lie_on_a_line(spots, n);
    size_t count = n < LINE_SPOTS ? n : LINE_SPOTS;
    for (size_t i = 0; i < count && line; i++) kept[i] = spots[i * (n - 1) / (count - 1)];
    if (line)
        items[(*used)++] = (ns_item){.kind = NS_ITEM_CURVE,
                                     .name = c->groups.names[k],
                                     .unlisted = true,
                                     .spots = kept,
                                     .count = count,
                                     .stroke = {c->groups.colors[k], 0.6, 0, 0, true}};
    free(spots);
    return spots && kept ? NS_OK : NS_EFAIL;
}

/* More tokens than colours that can be told apart: coloured by their slope, with a scale. */
static int add_scale(choice *c, ns_panel *panel, ns_figure *figure, ns_error *err) {
    ns_axis *axis = ns_figure_alloc(figure, 1, sizeof *axis, err);
    const ns_color *steps = ns_series_map(figure, BAR_STEPS, err);
    if (!axis || !steps) return NS_EFAIL;
    *axis = ns_axis_unknown(false);
    axis->label = "1/\317\203 of the token";
    for (int k = 0; k < c->count; k++) ns_axis_reach(axis, c->tokens[k].slope);
    ns_axis_guard(axis);
    for (int k = 0; k < c->count; k++) {
        double place = ns_axis_place(axis, c->tokens[k].slope);
        c->groups.colors[k] = ns_color_map(isfinite(place) ? place : 1);
    }
    panel->bar = axis;
    panel->bar_colors = steps;
    panel->bar_count = BAR_STEPS;
    return NS_OK;
}

/* "421:7", or "421:7:2" where a token has several rows. */
static const char *token_name(ns_figure *figure, const token *t, bool heads, ns_error *err) {
    const char *text = ns_figure_text(figure, err, "%" PRId64 ":%" PRId32, t->sample, t->position);
    return text && heads ? ns_figure_text(figure, err, "%s:%" PRId32, text, t->head) : text;
}

static int fill(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s, ns_error *err) {
    const settings *o = r->settings;
    choice *c = s->own = ns_figure_alloc(figure, 1, sizeof *c, err);
    if (!c) return NS_EFAIL;
    if (!s->info->rows)
        return ns_fail(err, NS_EINPUT,
                       "expected stored rows to choose tokens from, found a sketch alone");
    c->channels = (size_t)s->info->site.norm.channels;
    c->sampled = s->info->sampled;
    c->heads = ns_site_heads(&s->info->site) > 1;
    size_t room = (size_t)o->tokens * c->channels;
    c->x = ns_figure_alloc(figure, room, sizeof *c->x, err);
    c->y = ns_figure_alloc(figure, room, sizeof *c->y, err);
    ns_item *items = ns_figure_alloc(figure, 3 * (size_t)o->tokens + 2, sizeof *items, err);
    if (!c->x || !c->y || !items) return NS_EFAIL;
    c->site = s;
    c->points = s->cloud.from_sketch ? &c->stored : &s->cloud.points;
    int status =
        s->cloud.from_sketch ? ns_points_store(&c->stored, s->run->store, s->site, err) : NS_OK;
    if (!status) status = choose(c, o, err);
    if (!status) status = ns_groups_new(&c->groups, c->count, r->style, figure, err);
    for (int k = 0; k < c->count && !status; k++)
        if (!(c->groups.names[k] = token_name(figure, &c->tokens[k], c->heads, err)))
            status = NS_EFAIL;
    if (!status && c->count > NS_STYLE_COLORS) status = add_scale(c, s->panel, figure, err);
    c->groups.points = (uint64_t)c->count * c->channels;
    c->groups.each = each_token;
    c->groups.user = c;
    c->groups.panel = s->number;
    ns_site_panel_pale(s);
    items[0] = ns_site_panel_layer(s);
    int used = 1, more = 0;
    for (int k = 0; k < c->count && !status; k++)
        status = add_line(c, k, figure, items, &used, err);
    if (!status) status = ns_groups_items(&c->groups, figure, items + used, &more, err);
    s->panel->items = items;
    s->panel->item_count = used + more;
    return status;
}

static bool same_tokens(const choice *a, const choice *b) {
    bool same = a->count == b->count && a->rows == b->rows;
    for (int k = 0; k < a->count && same; k++)
        same = a->tokens[k].sample == b->tokens[k].sample &&
               a->tokens[k].position == b->tokens[k].position &&
               a->tokens[k].head == b->tokens[k].head;
    return same;
}

/* "421:7, 12:3": the names behind `text`. */
static const char *list(const char *text, const choice *c, ns_figure *figure, ns_error *err) {
    for (int k = 0; k < c->count && text; k++)
        text = ns_figure_text(figure, err, "%s%s%s", text, k ? ", " : "", c->groups.names[k]);
    return text;
}

/* Which tokens were chosen, once where all panels have the same. */
static const char *describe(const ns_plot_request *r, ns_figure *figure,
                            ns_site_panel *const *panels, ns_error *err) {
    const settings *o = r->settings;
    const choice *first = NULL;
    bool same = true, heads = false;
    for (int i = 0; i < figure->panel_count; i++) {
        const choice *c = panels[i]->own;
        heads |= c && c->heads;
        if (c && !first) first = c;
        if (c) same &= same_tokens(first, c);
    }
    if (!first) return "no tokens";
    char how[96];
    *how = 0;
    if (first->largest)
        snprintf(how, sizeof how, "%d of the largest |x| first, the others", first->largest);
    const char *text = ns_figure_text(
        figure, err,
        "%d of %" PRIu64 "%s tokens, %s%schosen by seed %" PRId64 ", as sample:position%s%s",
        first->count, first->rows, first->sampled ? " stored" : "", how, *how ? " " : "", o->seed,
        heads ? ":head" : "", same ? ": " : ". ");
    for (int i = 0; i < figure->panel_count && text; i++) {
        const choice *c = panels[i]->own;
        if (!c || (same && c != first)) continue;
        if (!same) text = ns_figure_text(figure, err, "%s%s: ", text, panels[i]->panel->title);
        text = text ? list(text, c, figure, err) : NULL;
        if (text && !same) text = ns_figure_text(figure, err, "%s. ", text);
    }
    return text ? ns_figure_text(figure, err, "%s%sPale: all points.", text, same ? ". " : "")
                : NULL;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    const ns_site_panels kind = {.sites = 2, .columns = 2, .fill = fill, .describe = describe};
    return ns_site_panels_build(r, &kind, figure, NULL, err);
}

const ns_figure_kind ns_figure_tokens = {
    .name = "tokens",
    .summary = "output against input, some tokens in colour before all points",
    .details =
        "A token is a row: one position of one sample, at a norm of queries or keys one head of "
        "it. Where its points lie on a line they "
        "are joined: LayerNorm makes it straight, with the slope 1/sigma of the row. Up to "
        "eight tokens have colours that can be told apart and a legend, sample:position(:head); "
        "more are coloured by 1/sigma. The choice depends on the seed, sample and position "
        "alone, so that it is the same at every site. The caption names it. Two sites, "
        "unless sites are "
        "named.",
    .examples = "  normscope plot tokens run.h5 -o tokens.pdf\n"
                "  normscope plot tokens run.h5 --layers 9,17 --tokens 30 --seed 2 -o tokens.pdf\n",
    .takes_runs = true,
    .per_site = true,
    .some_sites = true,
    .options = options,
    .settings_size = sizeof(settings),
    .takes_rows = true,
    .build = build,
    .in_report = "Some tokens in colours of their own before all points: LayerNorm puts each on a "
                 "line whose slope is 1/\317\203 of its row.",
};
