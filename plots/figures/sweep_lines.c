/* A result over a setting as lines, or as marks over words. */
#include "plots/figures/sweep.h"

#include <math.h>

#include "plots/series.h"

static void set_words(ns_axis *axis, const ns_sweep_words *of, bool log) {
    *axis = ns_axis_unknown(log && of->numbers);
    if (of->numbers) return;
    axis->names = of->names;
    axis->name_count = of->count;
    axis->low = 0.5, axis->high = of->count + 0.5;
}

/* Words have no order that a line would stand for: marks alone, those of several series beside each other. */
static double aside_of(const ns_sweep_work *w, int series) {
    if (w->x.numbers) return 0;
    return 0.5 * ((series + 0.5) / w->series_count - 0.5);
}

/* Means joined by lines, whiskers of three spots and a gap, marks; the whiskers where there are several runs. */
static int add_series(ns_sweep_work *w, int series, ns_panel *panel, ns_item *items,
                      ns_error *err) {
    size_t n = (size_t)w->count;
    ns_spot *means = ns_figure_alloc(w->figure, n, sizeof *means, err),
            *whiskers = ns_figure_alloc(w->figure, 3 * n, sizeof *whiskers, err);
    double *counts = ns_figure_alloc(w->figure, n, sizeof *counts, err);
    if (!means || !whiskers || !counts) return NS_EFAIL;
    size_t used = 0, ends = 0;
    ns_sweep_point p;
    for (int i = 0; i < w->count; i += p.count) {
        p = ns_sweep_summarize(w, i);
        if (w->rows[i].series != series) continue;
        double x = w->rows[i].x + aside_of(w, series);
        means[used] = (ns_spot){x, p.mean};
        counts[used++] = p.count;
        if (w->x.numbers) ns_axis_reach(&panel->x, x);
        ns_axis_reach(&panel->y, p.mean);
        if (p.count < 2) continue;
        bool under = panel->y.log && p.low <= 0; /* mean less deviation has no place on the axis */
        whiskers[ends++] = (ns_spot){x, under ? p.mean : p.low};
        whiskers[ends++] = (ns_spot){x, p.high};
        whiskers[ends++] = (ns_spot){NAN, NAN};
        ns_axis_reach(&panel->y, p.low);
        ns_axis_reach(&panel->y, p.high);
    }
    const char *name = *w->series[series] ? w->series[series] : w->y_label;
    ns_stroke stroke = ns_series_stroke(w->request->style, series, 1);
    const ns_stroke thin = {stroke.color, 0.8, 0, 0, false};
    items[0] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = ns_figure_text(w->figure, err, "%s spread", name),
                         .unlisted = true,
                         .spots = whiskers,
                         .count = ends,
                         .stroke = thin};
    if (!w->x.numbers) stroke.width = 0;
    items[1] = (ns_item){.kind = NS_ITEM_CURVE,
                         .name = name,
                         .unlisted = true,
                         .spots = means,
                         .count = w->x.numbers ? used : 0,
                         .stroke = stroke};
    items[2] = (ns_item){.kind = NS_ITEM_MARKS,
                         .name = name,
                         .unlisted = w->series_count < 2,
                         .spots = means,
                         .values = counts,
                         .count = used,
                         .fill = stroke.color,
                         .mark = (ns_mark)(series % NS_MARK_COUNT),
                         .size = 4};
    return items[0].name ? NS_OK : NS_EFAIL;
}

int ns_sweep_lines(ns_sweep_work *w, ns_panel *panel, ns_error *err) {
    ns_item *items = ns_figure_alloc(w->figure, 3 * (size_t)w->series_count, sizeof *items, err);
    if (!items) return NS_EFAIL;
    set_words(&panel->x, &w->x, w->settings->log_x);
    panel->y = ns_axis_unknown(w->settings->log_y);
    panel->items = items;
    int status = NS_OK;
    for (int series = 0; series < w->series_count && !status; series++, panel->item_count += 3)
        status = add_series(w, series, panel, items + panel->item_count, err);
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    if (w->x.numbers) ns_axis_pad(&panel->x, 0.05);
    ns_axis_pad(&panel->y, 0.07);
    panel->x.label = w->x_label;
    panel->y.label = w->y_label;
    panel->legend = NS_LOWER_RIGHT;
    return status;
}
