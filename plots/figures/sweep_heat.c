/* A result over two settings as a map of colours. */
#include "plots/figures/sweep.h"

#include <math.h>
#include <stdlib.h>

#include "plots/series.h"
#include "probe/base/order.h"

enum { BAR_STEPS = 64 };

/* The different values of a setting, rising, into values [NS_SWEEP_LEVELS]; numbers become names too, since cells are all as large. */
static int levels_of(ns_sweep_work *w, ns_sweep_words *of, bool second, double *values,
                     ns_axis *axis, ns_error *err) {
    int count = 0;
    for (int i = 0; i < w->count; i++) {
        double value = second ? w->rows[i].second : w->rows[i].x;
        int k = 0;
        while (k < count && values[k] != value) k++;
        if (k == NS_SWEEP_LEVELS)
            return ns_fail(err, NS_EINPUT,
                           "%s: expected at most %d different values of %s, found more",
                           w->request->files[0], NS_SWEEP_LEVELS,
                           second ? w->settings->second : w->settings->x);
        if (k == count) values[count++] = value;
    }
    qsort(values, (size_t)count, sizeof *values, ns_rising);
    const char **names = ns_figure_alloc(w->figure, (size_t)count, sizeof *names, err);
    for (int k = 0; names && k < count; k++) {
        char number[64];
        names[k] = of->numbers
                       ? ns_figure_text(w->figure, err, "%s", ns_number_short(values[k], 4, number))
                       : of->names[(int)values[k] - 1];
        if (!names[k]) return NS_EFAIL;
    }
    *axis = (ns_axis){.low = 0.5,
                      .high = count + 0.5,
                      .names = names,
                      .name_count = count,
                      .ordered = of->numbers};
    return names ? NS_OK : NS_EFAIL;
}

static int place_in(const double *values, int count, double value) {
    int k = 0;
    while (k < count - 1 && values[k] != value) k++;
    return k;
}

/* The mean in the middle of its cell, dark on light colours and light on dark ones. */
static int add_mean(ns_sweep_work *w, const ns_item *cell, double mean, ns_words *out,
                    ns_error *err) {
    char number[64];
    const ns_color *c = &cell->fill;
    double light = 0.299 * c->r + 0.587 * c->g + 0.114 * c->b, ink = light > 0.5 ? 0 : 1;
    *out =
        (ns_words){.at = {(cell->spots[0].x + cell->spots[2].x) / 2,
                          (cell->spots[0].y + cell->spots[2].y) / 2},
                   .label = ns_figure_text(w->figure, err, "%s", ns_number_label(mean, 3, number)),
                   .color = {ink, ink, ink, 1}};
    return out->label ? NS_OK : NS_EFAIL;
}

static int add_cell(ns_sweep_work *w, const ns_sweep_point *p, int column, int line,
                    const ns_panel *panel, ns_item *item, ns_error *err) {
    ns_spot *corners = ns_figure_alloc(w->figure, 4, sizeof *corners, err);
    double *values = ns_figure_alloc(w->figure, 4, sizeof *values, err);
    if (!corners || !values) return NS_EFAIL;
    for (int k = 0; k < 4; k++) {
        corners[k] = (ns_spot){column + (k == 1 || k == 2 ? 1.5 : 0.5), line + (k < 2 ? 0.5 : 1.5)};
        values[k] = p->mean;
    }
    const ns_axis *bar = panel->bar;
    *item = (ns_item){.kind = NS_ITEM_AREA,
                      .name = ns_figure_text(w->figure, err, "%s, %s", panel->x.names[column],
                                             panel->y.names[line]),
                      .unlisted = true,
                      .spots = corners,
                      .values = values,
                      .count = 4,
                      .fill = ns_color_map(ns_axis_place(bar, p->mean)),
                      .stroke = {{1, 1, 1, 1}, 0.4, 0, 0, false}};
    return item->name ? NS_OK : NS_EFAIL;
}

/* The scale of colours, over all means. */
static int add_bar(ns_sweep_work *w, ns_panel *panel, ns_error *err) {
    ns_axis *bar = ns_figure_alloc(w->figure, 1, sizeof *bar, err);
    panel->bar_colors = ns_series_map(w->figure, BAR_STEPS, err);
    if (!bar || !panel->bar_colors) return NS_EFAIL;
    *bar = ns_axis_unknown(w->settings->log_y);
    ns_sweep_point p;
    for (int i = 0; i < w->count; i += p.count) {
        p = ns_sweep_summarize(w, i);
        ns_axis_reach(bar, p.mean);
    }
    ns_axis_guard(bar);
    bar->label = w->y_label;
    panel->bar = bar;
    panel->bar_count = BAR_STEPS;
    return NS_OK;
}

int ns_sweep_heat(ns_sweep_work *w, ns_panel *panel, ns_error *err) {
    double across[NS_SWEEP_LEVELS], up[NS_SWEEP_LEVELS];
    ns_item *items = ns_figure_alloc(w->figure, (size_t)w->count, sizeof *items, err);
    ns_words *means = ns_figure_alloc(w->figure, (size_t)w->count, sizeof *means, err);
    int status = items && means ? levels_of(w, &w->x, false, across, &panel->x, err) : NS_EFAIL;
    if (!status) status = levels_of(w, &w->second, true, up, &panel->y, err);
    if (!status) status = add_bar(w, panel, err);
    ns_sweep_point p;
    for (int i = 0; i < w->count && !status; i += p.count) {
        p = ns_sweep_summarize(w, i);
        status = add_cell(w, &p, place_in(across, panel->x.name_count, w->rows[i].x),
                          place_in(up, panel->y.name_count, w->rows[i].second), panel,
                          &items[panel->item_count], err);
        if (!status)
            status = add_mean(w, &items[panel->item_count], p.mean, &means[panel->item_count], err);
        panel->item_count += !status;
    }
    w->figure->least_height = 2 * w->request->style->tick_size * panel->y.name_count;
    panel->items = items;
    panel->words = means;
    panel->word_count = panel->item_count;
    panel->word_room = (ns_spot){1, 1};
    panel->no_grid = true;
    panel->x.label = w->x_label;
    panel->y.label = w->second_label;
    return status;
}
