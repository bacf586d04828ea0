/* channels: output against input, some channels in colours of their own before all points, those with the extreme values among them
 * (Zhu et al. 2025, figure 4, bottom): each is a piece of the S.
 *
 * Memory: beside that of the panels (plots/site_panels.h, plots/groups.h) 16 bytes a channel and a chunk of rows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/groups.h"
#include "plots/site_panels.h"
#include "probe/base/mem.h"
#include "probe/base/random.h"
#include "probe/base/simd.h"

enum { DEFAULT_CHANNELS = 8 };

typedef struct settings {
    int64_t channels, seed;
} settings;

static int options(void *memory, ns_option *out) {
    settings *s = memory;
    *s = (settings){.channels = DEFAULT_CHANNELS};
    const ns_option own[] = {
        {"channels", 'n', NS_OPT_INT, &s->channels, "N",
         "channels that have a colour of their own: first those with the largest and the smallest "
         "x and y",
         "8", 1, NS_GROUPS_MOST},
        {"seed", 0, NS_OPT_INT, &s->seed, "S", "of the choice of the others", "0", 0, 9e15},
    };
    memcpy(out, own, sizeof own);
    return (int)(sizeof own / sizeof *own);
}

/* Least and largest values of each channel, [channels]; infinite where it has no finite point. */
typedef struct limits {
    float *x_low, *x_high, *y_low, *y_high;
    size_t channels;
} limits;

/* The channels of a panel. */
typedef struct choice {
    int ids[NS_GROUPS_MOST]; /* rising */
    int count, channels;     /* chosen, and all that have points */
    int extreme[4], extremes;
    const ns_cloud
        *rows; /* what they are drawn from: the panel's cloud, or the rows beside its sketch */
    ns_cloud own_rows;
    ns_groups groups;
} choice;

static void choice_free(void *object) {
    choice *c = object;
    ns_cloud_free(&c->own_rows);
    free(c);
}

/* v - v is 0 for what is finite, else NaN. */
NS_CLONES static void row_limits(const limits *l, const float *x, const float *y) {
    for (size_t c = 0; c < l->channels; c++) {
        const float good = (x[c] - x[c]) + (y[c] - y[c]);
        l->x_low[c] = good == 0 && x[c] < l->x_low[c] ? x[c] : l->x_low[c];
        l->x_high[c] = good == 0 && x[c] > l->x_high[c] ? x[c] : l->x_high[c];
        l->y_low[c] = good == 0 && y[c] < l->y_low[c] ? y[c] : l->y_low[c];
        l->y_high[c] = good == 0 && y[c] > l->y_high[c] ? y[c] : l->y_high[c];
    }
}

static int add_limits(void *user, size_t rows, const float *x, const float *y, ns_error *err) {
    (void)err;
    const limits *l = user;
    for (size_t r = 0; r < rows; r++) row_limits(l, x + r * l->channels, y + r * l->channels);
    return NS_OK;
}

static int add_channel(choice *c, int channel) {
    for (int k = 0; k < c->count; k++)
        if (c->ids[k] == channel) return 0;
    c->ids[c->count++] = channel;
    return 1;
}

/* The channels that hold the largest and smallest x, then y, the larger of the two in size first. */
static void add_extremes(choice *c, const limits *l, int wanted) {
    const float *high[] = {l->x_high, l->y_high}, *low[] = {l->x_low, l->y_low};
    for (int which = 0; which < 2; which++) {
        size_t most = 0, least = 0;
        for (size_t i = 1; i < l->channels; i++) {
            if (high[which][i] > high[which][most]) most = i;
            if (low[which][i] < low[which][least]) least = i;
        }
        bool most_first = fabsf(high[which][most]) >= fabsf(low[which][least]);
        const size_t found[] = {most_first ? most : least, most_first ? least : most};
        for (int k = 0; k < 2 && c->count < wanted; k++)
            if (add_channel(c, (int)found[k])) c->extreme[c->extremes++] = (int)found[k];
    }
}

static int rising(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The others in the order of a shuffle that depends on the seed and the number of channels alone. */
static int add_others(choice *c, const limits *l, int wanted, uint64_t seed, ns_error *err) {
    int64_t *order = ns_calloc(l->channels, sizeof *order, err);
    if (!order) return NS_EFAIL;
    for (size_t i = 0; i < l->channels; i++) {
        order[i] = (int64_t)i;
        c->channels += l->x_low[i] <= l->x_high[i];
    }
    ns_random_shuffle(order, (int64_t)l->channels, seed);
    for (size_t i = 0; i < l->channels && c->count < wanted; i++)
        if (l->x_low[order[i]] <= l->x_high[order[i]]) add_channel(c, (int)order[i]);
    free(order);
    qsort(c->ids, (size_t)c->count, sizeof *c->ids, rising);
    qsort(c->extreme, (size_t)c->extremes, sizeof *c->extreme, rising);
    return NS_OK;
}

static int choose(choice *c, const settings *o, ns_error *err) {
    size_t n = (size_t)c->rows->points.channels;
    float *values = ns_calloc(4 * n, sizeof *values, err);
    if (!values) return NS_EFAIL;
    limits l = {values, values + n, values + 2 * n, values + 3 * n, n};
    for (size_t i = 0; i < n; i++) {
        l.x_low[i] = l.y_low[i] = INFINITY;
        l.x_high[i] = l.y_high[i] = -INFINITY;
    }
    int status = ns_cloud_each(c->rows, add_limits, &l, err);
    if (!status) add_extremes(c, &l, (int)o->channels);
    if (!status) status = add_others(c, &l, (int)o->channels, (uint64_t)o->seed, err);
    free(values);
    return status;
}

/* The columns of channels on their way to who takes them. */
typedef struct columns {
    const choice *choice;
    int first, count;
    ns_group_take *take;
    void *to;
    float *x, *y; /* of one channel, [room] */
    size_t room;
} columns;

static int give_columns(void *user, size_t rows, const float *x, const float *y, ns_error *err) {
    const columns *c = user;
    size_t channels = (size_t)c->choice->rows->points.channels;
    int status = NS_OK;
    for (int k = c->first; k < c->first + c->count && !status; k++)
        for (size_t begin = 0; begin < rows && !status; begin += c->room) {
            size_t n = rows - begin < c->room ? rows - begin : c->room;
            size_t from = begin * channels + (size_t)c->choice->ids[k];
            for (size_t r = 0; r < n; r++) {
                c->x[r] = x[from + r * channels];
                c->y[r] = y[from + r * channels];
            }
            status = c->take(c->to, k, n, c->x, c->y, err);
        }
    return status;
}

static int each_channel(const ns_groups *groups, int first, int count, ns_group_take *take,
                        void *to, ns_error *err) {
    enum { ROOM = 4096 };
    columns c = {.choice = groups->user,
                 .first = first,
                 .count = count,
                 .take = take,
                 .to = to,
                 .x = ns_calloc(ROOM, sizeof(float), err),
                 .y = ns_calloc(ROOM, sizeof(float), err),
                 .room = ROOM};
    int status = c.x && c.y ? ns_cloud_each(c.choice->rows, give_columns, &c, err) : NS_EFAIL;
    free(c.x);
    free(c.y);
    return status;
}

/* More channels than colours that can be told apart: a scale that names them. */
static int add_scale(const choice *c, ns_panel *panel, ns_figure *figure, ns_error *err) {
    ns_axis *axis = ns_figure_alloc(figure, 1, sizeof *axis, err);
    const char **names = ns_figure_alloc(figure, (size_t)c->count, sizeof *names, err);
    if (!axis || !names) return NS_EFAIL;
    for (int k = 0; k < c->count; k++)
        if (!(names[k] = ns_figure_text(figure, err, "%d", c->ids[k]))) return NS_EFAIL;
    *axis = (ns_axis){.low = 0.5,
                      .high = c->count + 0.5,
                      .label = "channel",
                      .names = names,
                      .name_count = c->count};
    panel->bar = axis;
    panel->bar_colors = c->groups.colors;
    panel->bar_count = c->count;
    return NS_OK;
}

/* The rows behind a panel. */
static int open_rows(choice *c, const ns_site_panel *s, ns_error *err) {
    c->rows = &s->cloud;
    if (!s->cloud.from_sketch) return NS_OK;
    if (!s->info->rows)
        return ns_fail(err, NS_EINPUT,
                       "expected stored rows to take channels from, found a sketch alone");
    c->rows = &c->own_rows;
    return ns_cloud_open_rows(&c->own_rows, s->run->store, s->site, NULL, err);
}

static int fill(const ns_plot_request *r, ns_figure *figure, ns_site_panel *s, ns_error *err) {
    const settings *o = r->settings;
    choice *c = s->own = ns_calloc(1, sizeof *c, err);
    if (ns_figure_keep(figure, c, choice_free, err)) return NS_EFAIL;
    ns_item *items = ns_figure_alloc(figure, 2 * (size_t)o->channels + 2, sizeof *items, err);
    int status = items ? open_rows(c, s, err) : NS_EFAIL;
    if (!status) status = choose(c, o, err);
    if (!status) status = ns_groups_new(&c->groups, c->count, r->style, figure, err);
    for (int k = 0; k < c->count && !status; k++)
        if (!(c->groups.names[k] = ns_figure_text(figure, err, "channel %d", c->ids[k])))
            status = NS_EFAIL;
    if (!status && c->count > NS_STYLE_COLORS) status = add_scale(c, s->panel, figure, err);
    if (status) return status;
    c->groups.points = (uint64_t)c->count * (c->rows->points.rows + c->rows->extra_rows);
    c->groups.each = each_channel;
    c->groups.user = c;
    c->groups.panel = s->number;
    ns_site_panel_pale(s);
    items[0] = ns_site_panel_layer(s);
    int used = 0;
    status = ns_groups_items(&c->groups, figure, items + 1, &used, err);
    s->panel->items = items;
    s->panel->item_count = 1 + used;
    return status;
}

/* "12, 17" behind `text`: the extreme ones, or the others. */
static const char *list(const char *text, const choice *c, bool extreme, ns_figure *figure,
                        ns_error *err) {
    const char *between = "";
    for (int k = 0; k < c->count && text; k++) {
        bool is = false;
        for (int e = 0; e < c->extremes; e++) is |= c->extreme[e] == c->ids[k];
        if (is != extreme) continue;
        text = ns_figure_text(figure, err, "%s%s%d", text, between, c->ids[k]);
        between = ", ";
    }
    return text;
}

/* Which channels were chosen, and why. */
static const char *describe(const ns_plot_request *r, ns_figure *figure,
                            ns_site_panel *const *panels, ns_error *err) {
    const settings *o = r->settings;
    const char *text = "Channels by number from 0";
    for (int i = 0; i < figure->panel_count && text; i++) {
        const choice *c = panels[i]->own;
        if (!c) continue;
        text = ns_figure_text(figure, err, "%s. %s: with the extreme values ", text,
                              panels[i]->panel->title);
        text = text ? list(text, c, true, figure, err) : NULL;
        if (!text || c->count == c->extremes) continue;
        text = ns_figure_text(figure, err, "%s; by seed %" PRId64 " of the other %d: ", text,
                              o->seed, c->channels - c->extremes);
        text = text ? list(text, c, false, figure, err) : NULL;
    }
    return text ? ns_figure_text(figure, err, "%s. Pale: all points.", text) : NULL;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    const ns_site_panels kind = {.sites = 2, .columns = 2, .fill = fill, .describe = describe};
    return ns_site_panels_build(r, &kind, figure, NULL, err);
}

const ns_figure_kind ns_figure_channels = {
    .name = "channels",
    .summary = "output against input, some channels in colour before all points",
    .details =
        "Every point of the chosen channels, each channel in a colour of its own: first those "
        "that hold the largest and smallest x and y of the site, then others by the seed. Where "
        "channels lie over each other, the one with most points shows. Up to eight have a legend, "
        "more a scale. The caption names them, counted from 0. Two sites, unless sites are named.",
    .examples = "  normscope plot channels run.h5 -o channels.pdf\n"
                "  normscope plot channels run.h5 --layers 9,17 --channels 20 -o channels.pdf\n",
    .takes_runs = true,
    .per_site = true,
    .some_sites = true,
    .options = options,
    .settings_size = sizeof(settings),
    .takes_rows = true,
    .build = build,
    .in_report = "Some channels in colours of their own before all points, those with the extreme "
                 "values among them.",
};
