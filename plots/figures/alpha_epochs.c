/* The panels of alpha over epochs. */
#include <math.h>
#include <stdlib.h>

#include "plots/figures/alpha.h"
#include "plots/series.h"
#include "probe/base/mem.h"

enum { OVER_EPOCHS = 3 };

/* A column's values of a site as spots over epochs. */
static ns_spot *over_epochs(ns_alpha_work *w, const ns_training *t, const double *values, int site,
                            ns_panel *panel, ns_error *err) {
    int64_t n = ns_training_records(t), sites = ns_training_sites(t);
    ns_spot *spots = ns_figure_alloc(w->figure, (size_t)n, sizeof *spots, err);
    for (int64_t i = 0; spots && i < n; i++) {
        double epoch =
            (double)ns_training_record_steps(t)[i] / (double)ns_training_steps_per_epoch(t);
        double value = values[i * sites + site];
        spots[i] = (ns_spot){epoch, ns_alpha_can_be_drawn(w, value) ? value : (double)NAN};
        ns_axis_reach(&panel->x, epoch);
        ns_axis_reach(&panel->y, value);
    }
    return spots;
}

/* The sites of the left panel, from 0, to be freed: those named, else some spread over the wanted ones. */
static int sites_over_epochs(const ns_alpha_work *w, const ns_training *t, int **out, int *count,
                             ns_error *err) {
    int sites = ns_training_sites(t);
    if (w->settings->over_epochs) {
        int status = ns_parse_numbers(w->settings->over_epochs, 1, sites, out, count, err);
        if (status) ns_fail_context(err, "%s: --over-epochs", ns_training_path(t));
        for (int i = 0; i < *count && !status; i++) (*out)[i]--;
        return status;
    }
    bool *wanted;
    int status = ns_alpha_select(w, t, &wanted, err);
    int *all = ns_calloc((size_t)sites, sizeof *all, err),
        *chosen = *out = ns_calloc(OVER_EPOCHS, sizeof *chosen, err);
    if (!status && (!all || !chosen)) status = NS_EFAIL;
    ns_plot_run run = {.sites = all};
    for (int i = 0; i < sites && !status; i++)
        if (wanted[i]) all[run.site_count++] = i;
    if (!status) *count = ns_plot_spread(&run, OVER_EPOCHS, chosen);
    free(all);
    free(wanted);
    return status;
}

/* One record makes no line: a mark for either of the two quantities. */
static void mark_single(const ns_training *t, int quantity, ns_item *item) {
    if (ns_training_records(t) != 1) return;
    item->kind = NS_ITEM_MARKS;
    item->mark = quantity ? NS_MARK_SQUARE : NS_MARK_DISC;
    item->size = 4;
    item->fill = item->stroke.color;
    item->stroke = (ns_stroke){0};
}

/* Four items: what the two kinds of lines are, in grey, and a line of each; the site's colour has a line of the legend of its own. */
static int add_lines(ns_alpha_work *w, const ns_training *t, int site, int place, ns_panel *panel,
                     ns_item *items, ns_error *err) {
    const double *columns[2];
    static const char *const words[] = {NS_ALPHA_SIGN, "1/" NS_SIGMA_SIGN};
    int status = ns_alpha_columns(w, t, &columns[0], &columns[1], err);
    if (status) return status;
    const char *name = ns_figure_label(w->figure, ns_training_site_name(t, site), err);
    ns_stroke stroke = ns_series_stroke(w->request->style, place, 1.1);
    if (!name) return NS_EFAIL;
    items[0] = (ns_item){
        .kind = NS_ITEM_MARKS, .name = name, .mark = NS_MARK_DISC, .fill = stroke.color, .size = 4};
    for (int k = 0; k < 2; k++) {
        items[k + 1] = (ns_item){.kind = NS_ITEM_CURVE,
                                 .name = ns_figure_text(w->figure, err, "%s %s", name, words[k]),
                                 .unlisted = true,
                                 .spots = over_epochs(w, t, columns[k], site, panel, err),
                                 .count = (size_t)ns_training_records(t),
                                 .stroke = stroke};
        if (!items[k + 1].name || !items[k + 1].spots) return NS_EFAIL;
        if (k) items[k + 1].stroke.dash = 2.6, items[k + 1].stroke.gap = 1.6;
        items[k + 1].stroke.round = !k;
        mark_single(t, k, &items[k + 1]);
    }
    return NS_OK;
}

/* Raises the axis until the lines, which fill a panel as they please, leave the legend of so many lines a corner above them. */
static void leave_room(ns_panel *panel, int lines) {
    enum { LEFT, RIGHT };
    const double line = 0.07; /* of the panel's height, at the usual sizes */
    ns_axis *y = &panel->y;
    double low = y->log ? log(y->low) : y->low, high = y->log ? log(y->high) : y->high,
           middle = (panel->x.low + panel->x.high) / 2, top[2] = {low, low};
    for (int k = 0; k < panel->item_count; k++)
        for (size_t i = 0; i < panel->items[k].count; i++) {
            const ns_spot *at = &panel->items[k].spots[i];
            int side = at->x < middle ? LEFT : RIGHT;
            if (isfinite(at->y)) top[side] = fmax(top[side], y->log ? log(at->y) : at->y);
        }
    double needed = low + (fmin(top[LEFT], top[RIGHT]) - low) / (1 - fmin(line * lines, 0.5));
    if (needed > high) y->high = y->log ? exp(needed) : needed;
}

int ns_alpha_epochs_panel(ns_alpha_work *w, int run, bool several, ns_panel *panel, ns_error *err) {
    const ns_training *t = w->trainings[run];
    int count = 0, *sites = NULL, status = sites_over_epochs(w, t, &sites, &count, err);
    ns_item *items = ns_figure_alloc(w->figure, 2 + 3 * (size_t)count, sizeof *items, err);
    panel->x = ns_axis_unknown(false);
    panel->y = ns_axis_unknown(w->settings->log);
    panel->items = items;
    panel->item_count = 2 + 3 * count;
    if (!items && !status) status = NS_EFAIL;
    for (int k = 0; k < 2 && !status; k++) {
        items[k] = (ns_item){.kind = NS_ITEM_CURVE,
                             .name = k ? "1/" NS_SIGMA_SIGN : NS_ALPHA_SIGN,
                             .stroke = {w->request->style->faint, 1.1, k ? 2.6 : 0, 1.6, !k}};
        mark_single(t, k, &items[k]);
    }
    for (int i = 0; i < count && !status; i++)
        status = add_lines(w, t, sites[i], i, panel, items + 2 + 3 * i, err);
    free(sites);
    if (status) return status;
    panel->x.label = "epoch";
    panel->x.whole = true;
    panel->y.label = NS_ALPHA_SIGN ", 1/" NS_SIGMA_SIGN;
    panel->legend = NS_UPPER_RIGHT;
    if (several && !(panel->title = ns_alpha_run_label(w, run, err))) return NS_EFAIL;
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->y, 0.06);
    leave_room(panel, 2 + count);
    return NS_OK;
}
