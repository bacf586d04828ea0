/* alpha: alpha beside 1/sigma of the input, over epochs and over the sites (Zhu et al. 2025, figure 8). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/correlation.h"
#include "analysis/runs.h"
#include "plots/plot.h"
#include "plots/series.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/train/training.h"

#define ALPHA "\316\261"
#define SIGMA "\317\203"

enum { OVER_EPOCHS = 3, COLUMNS = 2, BAR_STEPS = 64 };

enum { SIGMA_ALL, SIGMA_ROWS, SIGMA_ROBUST };
static const char *const sigma_columns[] = {"inverse_sigma", "inverse_sigma_rows",
                                            "inverse_sigma_robust"};
static const char *const sigma_labels[] = {"1/" SIGMA " of the input",
                                           "1/" SIGMA " of rows of the input, median",
                                           "1/" SIGMA " of the input, robust (MAD)"};

typedef struct settings {
    int sigma, from;
    bool log;
    const char *over_epochs;
} settings;

/* A site in the right panel. */
typedef struct pair {
    int run, site; /* place of its file; index from 1 */
    ns_role role;
    bool learned;
    double alpha, inverse;
    const char *name; /* the figure's */
} pair;

typedef struct work {
    const ns_plot_request *request;
    const settings *settings;
    ns_figure *figure;
    ns_training **trainings; /* [file_count], NULL for stores; closed by the figure */
    pair *pairs;
    int count, room, left_out; /* left_out: not finite, or not above 0 where axes are logarithmic */
    int deepest;               /* largest index of a site */
} work;

static void close_training(void *object) {
    ns_training_close(object);
}

static bool can_be_drawn(const work *w, double value) {
    return isfinite(value) && (!w->settings->log || value > 0);
}

static const char *run_label(const work *w, int run, ns_error *err) {
    return ns_series_file_label(w->figure, w->request->files, w->request->file_count, run, err);
}

/* Those that cannot be drawn are counted. */
static int add_pair(work *w, const pair *p, const char *name, ns_error *err) {
    if (p->site > w->deepest) w->deepest = p->site;
    if (!can_be_drawn(w, p->alpha) || !can_be_drawn(w, p->inverse)) {
        w->left_out++;
        return NS_OK;
    }
    if (w->count == w->room) {
        int room = w->room ? 2 * w->room : 64;
        pair *grown = ns_realloc(w->pairs, (size_t)room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        w->pairs = grown;
        w->room = room;
    }
    w->pairs[w->count] = *p;
    w->pairs[w->count].name = ns_figure_label(w->figure, name, err);
    return w->pairs[w->count++].name ? NS_OK : NS_EFAIL;
}

/* ---- where the pairs come from ---- */

static const ns_site *site_in_list(const void *user, int i) {
    return (const ns_site *)user + i;
}

/* Which sites of a training are wanted, [sites], to be freed, also after a failure. */
static int select_sites(const ns_training *t, const ns_selection *selection, bool **out,
                        ns_error *err) {
    int count = ns_training_sites(t);
    ns_site *sites = ns_calloc((size_t)count, sizeof *sites, err);
    bool *wanted = *out = ns_calloc((size_t)count, sizeof *wanted, err);
    int status = sites && wanted ? NS_OK : NS_EFAIL;
    for (int i = 0; i < count && !status; i++)
        sites[i] = (ns_site){.index = i + 1,
                             .name = ns_training_site_name(t, i),
                             .role = ns_training_site_role(t, i)};
    if (!status) status = ns_select_sites(selection, count, site_in_list, sites, wanted, err);
    if (status == NS_EINPUT) ns_fail_context(err, "%s", ns_training_path(t));
    free(sites);
    return status;
}

/* The columns of a training that has records of sites with an alpha; NS_EINPUT where it has not. */
static int columns_of(const work *w, const ns_training *t, const double **alpha,
                      const double **inverse, ns_error *err) {
    int64_t n = ns_training_records(t) * ns_training_sites(t), known = 0;
    if (!n) {
        ns_fail(err, NS_EINPUT, "%s: expected records of the sites, found none",
                ns_training_path(t));
        return NS_EINPUT;
    }
    *alpha = ns_training_column(t, NS_TRAINING_WATCH, "alpha", err);
    *inverse =
        *alpha ? ns_training_column(t, NS_TRAINING_WATCH, sigma_columns[w->settings->sigma], err)
               : NULL;
    if (!*inverse) return NS_EINPUT;
    for (int64_t i = 0; i < n; i++) known += isfinite((*alpha)[i]);
    return known ? NS_OK
                 : ns_fail(err, NS_EINPUT,
                           "%s: expected sites with an alpha, found %s, which has none; dump the "
                           "trained network and plot that run: the fitted slope stands for alpha",
                           ns_training_path(t), ns_training_norm(t));
}

/* The last record. */
static int add_training(work *w, int run, ns_error *err) {
    const ns_training *t = w->trainings[run];
    const double *alpha = NULL, *inverse = NULL;
    int status = columns_of(w, t, &alpha, &inverse, err), sites = ns_training_sites(t);
    if (status) return status;
    bool *wanted;
    status = select_sites(t, w->request->selection, &wanted, err);
    int64_t last = (ns_training_records(t) - 1) * sites;
    for (int i = 0; i < sites && !status; i++) {
        const pair p = {.run = run,
                        .site = i + 1,
                        .role = ns_training_site_role(t, i),
                        .learned = true,
                        .alpha = alpha[last + i],
                        .inverse = inverse[last + i]};
        if (wanted[i]) status = add_pair(w, &p, ns_training_site_name(t, i), err);
    }
    free(wanted);
    return status;
}

static int add_store_site(work *w, int run, ns_store *store, int i, ns_error *err) {
    const ns_site *site = &ns_store_site_at(store, i)->site;
    bool learned = site->norm.alpha != NULL;
    const ns_stats_options options = {.tolerance = 0.1, .no_fit = learned};
    ns_stats s = {0};
    int status = ns_runs_stats(&s, store, i, (ns_source_choice)w->settings->from, &options, err);
    const double inverse[] = {s.inverse_sigma, s.inverse_sigma_row, s.inverse_sigma_robust};
    const pair p = {.run = run,
                    .site = site->index,
                    .role = site->role,
                    .learned = learned,
                    .alpha = learned ? ns_norm_mean_alpha(&site->norm) : s.fit.slope,
                    .inverse = inverse[w->settings->sigma]};
    if (status)
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(store), site->index, site->name);
    else
        status = add_pair(w, &p, site->name, err);
    ns_stats_free(&s);
    return status;
}

static int add_store(work *w, int run, ns_error *err) {
    ns_plot_run opened;
    int status = ns_plot_run_open(&opened, w->request->files[run], w->request->selection, err);
    for (int i = 0; i < opened.site_count && !status; i++)
        status = add_store_site(w, run, opened.store, opened.sites[i], err);
    ns_plot_run_close(&opened);
    return status;
}

static int add_file(work *w, int run, ns_error *err) {
    const char *path = w->request->files[run];
    if (!ns_is_folder(path) && !ns_training_is(path)) return add_store(w, run, err);
    int status = ns_training_open(&w->trainings[run], path, err);
    if (!status) status = ns_figure_keep(w->figure, w->trainings[run], close_training, err);
    return status ? status : add_training(w, run, err);
}

/* ---- over epochs ---- */

/* A column's values of a site as spots over epochs. */
static ns_spot *over_epochs(work *w, const ns_training *t, const double *values, int site,
                            ns_panel *panel, ns_error *err) {
    int64_t n = ns_training_records(t), sites = ns_training_sites(t);
    ns_spot *spots = ns_figure_alloc(w->figure, (size_t)n, sizeof *spots, err);
    for (int64_t i = 0; spots && i < n; i++) {
        double epoch =
            (double)ns_training_record_steps(t)[i] / (double)ns_training_steps_per_epoch(t);
        double value = values[i * sites + site];
        spots[i] = (ns_spot){epoch, can_be_drawn(w, value) ? value : (double)NAN};
        ns_axis_reach(&panel->x, epoch);
        ns_axis_reach(&panel->y, value);
    }
    return spots;
}

/* The sites of the left panel, from 0, to be freed: those named, else some spread over the wanted ones. */
static int sites_over_epochs(const work *w, const ns_training *t, int **out, int *count,
                             ns_error *err) {
    int sites = ns_training_sites(t);
    if (w->settings->over_epochs) {
        int status = ns_parse_numbers(w->settings->over_epochs, 1, sites, out, count, err);
        if (status) ns_fail_context(err, "%s: --over-epochs", ns_training_path(t));
        for (int i = 0; i < *count && !status; i++) (*out)[i]--;
        return status;
    }
    bool *wanted;
    int status = select_sites(t, w->request->selection, &wanted, err);
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

/* Four items: what the two kinds of lines are, in grey, and a line of each; the site's colour has a line of the legend of its own. */
static int add_lines(work *w, const ns_training *t, int site, int place, ns_panel *panel,
                     ns_item *items, ns_error *err) {
    const double *columns[2];
    static const char *const words[] = {ALPHA, "1/" SIGMA};
    int status = columns_of(w, t, &columns[0], &columns[1], err);
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
    }
    return NS_OK;
}

static int build_left(work *w, int run, bool several, ns_panel *panel, ns_error *err) {
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
                             .name = k ? "1/" SIGMA : ALPHA,
                             .stroke = {w->request->style->faint, 1.1, k ? 2.6 : 0, 1.6, !k}};
    }
    for (int i = 0; i < count && !status; i++)
        status = add_lines(w, t, sites[i], i, panel, items + 2 + 3 * i, err);
    free(sites);
    if (status) return status;
    panel->x.label = "epoch";
    panel->x.whole = true;
    panel->y.label = ALPHA ", 1/" SIGMA;
    panel->legend = NS_UPPER_RIGHT;
    if (several && !(panel->title = run_label(w, run, err))) return NS_EFAIL;
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->y, 0.06);
    return NS_OK;
}

/* ---- over the sites ---- */

static const ns_mark role_marks[NS_ROLE_COUNT] = {NS_MARK_DISC,     NS_MARK_SQUARE, NS_MARK_DIAMOND,
                                                  NS_MARK_TRIANGLE, NS_MARK_PLUS,   NS_MARK_CROSS};

static ns_color depth_color(const work *w, int site) {
    return ns_color_map(w->deepest > 1 ? (site - 1.0) / (w->deepest - 1.0) : 0);
}

/* The pairs of one run and one role; an item without spots where it has none. */
static int add_marks(work *w, int run, ns_role role, ns_item *item, ns_error *err) {
    int n = 0;
    for (int i = 0; i < w->count; i++) n += w->pairs[i].run == run && w->pairs[i].role == role;
    ns_spot *spots = ns_figure_alloc(w->figure, (size_t)n, sizeof *spots, err);
    ns_color *colors = ns_figure_alloc(w->figure, (size_t)n, sizeof *colors, err);
    double *values = ns_figure_alloc(w->figure, (size_t)n, sizeof *values, err);
    const char *file = run_label(w, run, err);
    if (!spots || !colors || !values || !file) return NS_EFAIL;
    bool several = w->request->file_count > 1;
    const ns_style *style = w->request->style;
    *item = (ns_item){.kind = NS_ITEM_MARKS,
                      .name = ns_figure_text(w->figure, err, "%s %s", file, ns_role_name(role)),
                      .unlisted = true,
                      .spots = spots,
                      .colors = colors,
                      .values = values,
                      .mark = role_marks[role],
                      .size = 4.6,
                      .stroke = {several ? style->colors[run % NS_STYLE_COLORS] : style->text,
                                 several ? 0.9 : 0.35, 0, 0, false}};
    for (int i = 0; i < w->count; i++) {
        const pair *p = &w->pairs[i];
        if (p->run != run || p->role != role) continue;
        spots[item->count] = (ns_spot){p->inverse, p->alpha};
        colors[item->count] = depth_color(w, p->site);
        values[item->count++] = p->site;
    }
    return item->name ? NS_OK : NS_EFAIL;
}

/* Lines of the legend that no pair is drawn by: roles in grey, and runs by the colour of their outlines. */
static int add_keys(work *w, ns_item *items, int *count, ns_error *err) {
    const ns_style *style = w->request->style;
    for (int role = 0; role < NS_ROLE_COUNT; role++) {
        bool there = false;
        for (int i = 0; i < w->count; i++) there |= (int)w->pairs[i].role == role;
        if (!there) continue;
        items[(*count)++] = (ns_item){.kind = NS_ITEM_MARKS,
                                      .name = ns_role_name((ns_role)role),
                                      .fill = {0.75, 0.75, 0.75, 1},
                                      .stroke = {style->text, 0.35, 0, 0, false},
                                      .mark = role_marks[role],
                                      .size = 4.6};
    }
    for (int run = 0; run < w->request->file_count && w->request->file_count > 1; run++) {
        const char *label = run_label(w, run, err);
        if (!label) return NS_EFAIL;
        items[(*count)++] =
            (ns_item){.kind = NS_ITEM_MARKS,
                      .name = label,
                      .fill = {1, 1, 1, 1},
                      .stroke = {style->colors[run % NS_STYLE_COLORS], 0.9, 0, 0, false},
                      .mark = NS_MARK_DISC,
                      .size = 4.6};
    }
    return NS_OK;
}

/* Least squares of alpha on 1/sigma; of their logarithms where the axes are logarithmic. False where they decide no line. */
static bool regress(const work *w, double *slope, double *offset) {
    double n = w->count, mx = 0, my = 0, xx = 0, xy = 0;
    bool log_ = w->settings->log;
    for (int i = 0; i < w->count; i++) {
        mx += (log_ ? log(w->pairs[i].inverse) : w->pairs[i].inverse) / n;
        my += (log_ ? log(w->pairs[i].alpha) : w->pairs[i].alpha) / n;
    }
    for (int i = 0; i < w->count; i++) {
        double x = (log_ ? log(w->pairs[i].inverse) : w->pairs[i].inverse) - mx;
        double y = (log_ ? log(w->pairs[i].alpha) : w->pairs[i].alpha) - my;
        xx += x * x;
        xy += x * y;
    }
    *slope = xy / xx;
    *offset = my - *slope * mx;
    return w->count > 2 && isfinite(*slope);
}

static ns_item straight(ns_spot *ends, const char *name, ns_stroke stroke) {
    return (ns_item){
        .kind = NS_ITEM_CURVE, .name = name, .spots = ends, .count = 2, .stroke = stroke};
}

/* The identity over the whole panel, and the regression over the range of the pairs. */
static int add_guides(work *w, const ns_panel *panel, const ns_axis *data_x, ns_item *items,
                      int *count, ns_error *err) {
    ns_spot *ends = ns_figure_alloc(w->figure, 4, sizeof *ends, err);
    if (!ends) return NS_EFAIL;
    const ns_style *style = w->request->style;
    ends[0] = (ns_spot){panel->x.low, panel->x.low};
    ends[1] = (ns_spot){panel->x.high, panel->x.high};
    items[(*count)++] = straight(ends, "identity", (ns_stroke){style->faint, 0.7, 2.6, 1.6, false});
    double slope, offset;
    if (!regress(w, &slope, &offset)) return NS_OK;
    for (int k = 0; k < 2; k++) {
        double x = k ? data_x->high : data_x->low;
        ends[2 + k] =
            (ns_spot){x, w->settings->log ? exp(offset + slope * log(x)) : offset + slope * x};
    }
    items[(*count)++] = straight(ends + 2, "least squares", style->curve);
    return NS_OK;
}

static const char *decimal(double value, int decimals, char text[16]) {
    snprintf(text, 16, "%s%.*f", value < 0 ? NS_MINUS : "", decimals, fabs(value));
    return text;
}

/* "r = 0.83" and its interval as the panel's name. */
static int add_correlation(work *w, ns_panel *panel, ns_error *err) {
    double *values = ns_calloc(2 * (size_t)w->count, sizeof *values, err);
    if (!values) return NS_EFAIL;
    for (int i = 0; i < w->count; i++) {
        values[i] = w->pairs[i].inverse;
        values[w->count + i] = w->pairs[i].alpha;
    }
    ns_correlation c;
    bool log_ = w->settings->log;
    int status = ns_correlate(&c, log_ ? NS_LOG : NS_PEARSON, w->count, values, values + w->count,
                              NULL, 0, 0, err);
    free(values);
    if (status) return status;
    const int decimals = fabs(c.r) < 0.99 ? 2 : 3;
    if (isfinite(c.low)) {
        char r[16], low[16], high[16];
        panel->title = ns_figure_text(w->figure, err, "r%s = %s (%s to %s)", log_ ? " of logs" : "",
                                      decimal(c.r, decimals, r), decimal(c.low, decimals, low),
                                      decimal(c.high, decimals, high));
        panel->subtitle = ns_figure_text(w->figure, err, "%d sites, 95 %% interval", w->count);
    } else {
        panel->title = ns_figure_text(w->figure, err, "too few sites for r");
        panel->subtitle = "";
    }
    w->figure->summary = ns_figure_text(w->figure, err, "%d sites, r = %.3f (95 %%: %.3f to %.3f)",
                                        w->count, c.r, c.low, c.high);
    return panel->title && panel->subtitle && w->figure->summary ? NS_OK : NS_EFAIL;
}

static const char *alpha_label(const work *w) {
    bool learned = false, fitted = false;
    for (int i = 0; i < w->count; i++)
        learned |= w->pairs[i].learned, fitted |= !w->pairs[i].learned;
    return !fitted   ? ALPHA
           : learned ? ALPHA ", or fitted s\302\267" ALPHA
                     : "fitted s\302\267" ALPHA;
}

static int add_bar(work *w, ns_panel *panel, ns_error *err) {
    ns_axis *bar = ns_figure_alloc(w->figure, 1, sizeof *bar, err);
    if (!bar || !(panel->bar_colors = ns_series_map(w->figure, BAR_STEPS, err))) return NS_EFAIL;
    *bar = (ns_axis){.low = 1, .high = w->deepest, .label = "site", .whole = true};
    ns_axis_guard(bar);
    panel->bar = bar;
    panel->bar_count = BAR_STEPS;
    return NS_OK;
}

static int build_right(work *w, ns_panel *panel, ns_error *err) {
    int runs = w->request->file_count, count = 0, status = NS_OK;
    ns_item *items = ns_figure_alloc(
        w->figure, NS_ROLE_COUNT * ((size_t)runs + 1) + (size_t)runs + 2, sizeof *items, err);
    panel->x = ns_axis_unknown(w->settings->log);
    panel->y = ns_axis_unknown(w->settings->log);
    if (!items) return NS_EFAIL;
    for (int i = 0; i < w->count; i++) {
        ns_axis_reach(&panel->x, w->pairs[i].inverse);
        ns_axis_reach(&panel->y, w->pairs[i].alpha);
    }
    const ns_axis data_x = panel->x;
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->x, 0.07);
    ns_axis_pad(&panel->y, 0.09);
    panel->x.label = sigma_labels[w->settings->sigma];
    panel->y.label = alpha_label(w);
    panel->items = items;
    panel->aside = true;
    status = add_guides(w, panel, &data_x, items, &count, err);
    for (int run = 0; run < runs && !status; run++)
        for (int role = 0; role < NS_ROLE_COUNT && !status; role++) {
            status = add_marks(w, run, (ns_role)role, &items[count], err);
            count += !status && items[count].count > 0;
        }
    if (!status) status = add_keys(w, items, &count, err);
    panel->item_count = count;
    if (!status && w->left_out) {
        panel->notes[0] = ns_figure_text(
            w->figure, err, w->settings->log ? "%d not finite or not above 0" : "%d not finite",
            w->left_out);
        panel->lasting = 1;
        if (!panel->notes[0]) status = NS_EFAIL;
    }
    if (!status && w->deepest > 1) status = add_bar(w, panel, err);
    return status ? status : add_correlation(w, panel, err);
}

static int build_panels(work *w, ns_error *err) {
    ns_figure *figure = w->figure;
    int trainings = 0, status = NS_OK;
    for (int run = 0; run < w->request->file_count; run++) trainings += w->trainings[run] != NULL;
    figure->panel_count = trainings + 1;
    figure->columns = w->request->columns             ? w->request->columns
                      : figure->panel_count < COLUMNS ? figure->panel_count
                                                      : COLUMNS;
    figure->rows = (figure->panel_count + figure->columns - 1) / figure->columns;
    figure->aspect = 0.8;
    figure->panels =
        ns_figure_alloc(figure, (size_t)figure->panel_count, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    for (int i = 0; i < figure->panel_count; i++) {
        figure->panels[i].row = i / figure->columns;
        figure->panels[i].column = i % figure->columns;
    }
    int at = 0;
    for (int run = 0; run < w->request->file_count && !status; run++)
        if (w->trainings[run])
            status = build_left(w, run, trainings > 1, &figure->panels[at++], err);
    return status ? status : build_right(w, &figure->panels[at], err);
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    work w = {.request = r, .settings = r->settings, .figure = figure};
    w.trainings = ns_figure_alloc(figure, (size_t)r->file_count, sizeof(ns_training *), err);
    int status = w.trainings ? NS_OK : NS_EFAIL;
    for (int run = 0; run < r->file_count && !status; run++) status = add_file(&w, run, err);
    if (!status && !w.count)
        status = ns_fail(
            err, NS_EINPUT, "%s: expected sites that can be drawn, found %d of which none is %s",
            r->files[0], w.left_out, w.settings->log ? "finite and above 0" : "finite");
    if (!status) status = build_panels(&w, err);
    free(w.pairs);
    return status;
}

static int options(void *own, ns_option *out) {
    settings *s = own;
    const ns_option all[] = {
        {"sigma", 0, NS_OPT_CHOICE, &s->sigma, "all|rows|robust",
         "1/sigma of all values, the median of the rows', or 1/(1.4826 MAD)", "all", 0, 0},
        {"log", 0, NS_OPT_FLAG, &s->log, NULL,
         "logarithmic axes; line and r are those of the logarithms", NULL, 0, 0},
        {"over-epochs", 0, NS_OPT_TEXT, &s->over_epochs, "LIST",
         "sites of the panel over epochs, by index: 1,9,17", "3, spread", 0, 0},
        NS_SOURCE_OPTION(s->from),
    };
    memcpy(out, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

const ns_figure_kind ns_figure_alpha = {
    .name = "alpha",
    .summary = "alpha beside 1/sigma of the input, over epochs and over sites",
    .details =
        "FILE is what a training run recorded (training.h5, or the run's folder), or a run of "
        "dump. "
        "Of a training, a panel shows alpha and 1/sigma over epochs. The last panel shows alpha "
        "against 1/sigma for every site of all files, as they were last: its mark tells what the "
        "site stands before, its colour how deep it lies. Pearson's r with a 95 % interval by "
        "Fisher's transform; sites of one network are not independent of each other, so that it "
        "is rather too narrow.\nIn a run of dump, layers without an alpha of their own bring the "
        "slope s alpha of the fitted s tanh(alpha x) at its centre, as correlate does.",
    .examples = "  normscope plot alpha dyt/ -o alpha.pdf\n"
                "  normscope plot alpha seed-*/training.h5 --sigma rows --log -o alpha.svg\n"
                "  normscope plot alpha run.h5 -o slopes.pdf\n",
    .takes_files = true,
    .per_site = true,
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
    .in_report =
        "\316\261 against 1/\317\203 of the input of every layer; s\302\267\316\261 of the fitted "
        "curve where the layer has no \316\261 of its own.",
};
