/* alpha: alpha beside 1/sigma of the input, over epochs and over the sites (Zhu et al. 2025, figure 8). */
#include "plots/figures/alpha.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/runs.h"
#include "plots/series.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"

enum { COLUMNS = 2 };

/* As in ns_alpha_settings.sigma. */
static const char *const sigma_columns[] = {"inverse_sigma", "inverse_sigma_rows",
                                            "inverse_sigma_robust"};

bool ns_alpha_can_be_drawn(const ns_alpha_work *w, double value) {
    return isfinite(value) && (!w->settings->log || value > 0);
}

const char *ns_alpha_run_label(const ns_alpha_work *w, int run, ns_error *err) {
    return ns_series_file_label(w->figure, w->request->files, w->request->file_count, run, err);
}

/* Those that cannot be drawn are counted. */
static int add_pair(ns_alpha_work *w, const ns_alpha_pair *p, const char *name, ns_error *err) {
    if (p->site > w->deepest) w->deepest = p->site;
    if (!ns_alpha_can_be_drawn(w, p->alpha) || !ns_alpha_can_be_drawn(w, p->inverse)) {
        w->left_out++;
        return NS_OK;
    }
    if (w->count == w->room) {
        int room = w->room ? 2 * w->room : 64;
        ns_alpha_pair *grown = ns_realloc(w->pairs, (size_t)room, sizeof *grown, err);
        if (!grown) return NS_EFAIL;
        w->pairs = grown;
        w->room = room;
    }
    w->pairs[w->count] = *p;
    w->pairs[w->count].name = ns_figure_label(w->figure, name, err);
    return w->pairs[w->count++].name ? NS_OK : NS_EFAIL;
}

/* ---- where the pairs come from ---- */

int ns_alpha_select(const ns_alpha_work *w, const ns_training *t, bool **out, ns_error *err) {
    *out = ns_calloc((size_t)ns_training_sites(t), sizeof **out, err);
    return *out ? ns_training_select(t, w->request->selection, *out, err) : NS_EFAIL;
}

int ns_alpha_columns(const ns_alpha_work *w, const ns_training *t, const double **alpha,
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
    return known
               ? NS_OK
               : ns_fail(
                     err, NS_EINPUT,
                     "%s: expected sites with an alpha, found %s and none that is finite; dump the "
                     "trained network and plot that run: the fitted slope stands for alpha",
                     ns_training_path(t), ns_training_norm(t));
}

/* The last record. */
static int add_training(ns_alpha_work *w, int run, ns_error *err) {
    const ns_training *t = w->trainings[run];
    const double *alpha = NULL, *inverse = NULL;
    int status = ns_alpha_columns(w, t, &alpha, &inverse, err), sites = ns_training_sites(t);
    if (status) return status;
    bool *wanted;
    status = ns_alpha_select(w, t, &wanted, err);
    int64_t last = (ns_training_records(t) - 1) * sites;
    for (int i = 0; i < sites && !status; i++) {
        const ns_alpha_pair p = {.run = run,
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

static int add_store_site(ns_alpha_work *w, int run, ns_store *store, int i, ns_error *err) {
    const ns_site *site = &ns_store_site_at(store, i)->site;
    bool learned = site->norm.alpha != NULL;
    const ns_stats_options options = {
        .tolerance = 0.1, .no_fit = learned, .rows = w->request->rows};
    ns_stats s = {0};
    int status = ns_runs_stats(&s, store, i, (ns_source_choice)w->settings->from, &options, err);
    const double inverse[] = {s.inverse_sigma, s.inverse_sigma_row, s.inverse_sigma_robust};
    const ns_alpha_pair p = {.run = run,
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

static int add_store(ns_alpha_work *w, int run, ns_error *err) {
    ns_plot_run opened;
    int status = ns_plot_run_open(&opened, w->request->files[run], w->request->selection, err);
    for (int i = 0; i < opened.site_count && !status; i++)
        status = add_store_site(w, run, opened.store, opened.sites[i], err);
    ns_plot_run_close(&opened);
    return status;
}

static int add_file(ns_alpha_work *w, int run, ns_error *err) {
    const char *path = w->request->files[run];
    if (!ns_is_folder(path) && !ns_training_is(path)) return add_store(w, run, err);
    if (w->request->rows && w->request->rows->count)
        return ns_fail(err, NS_EUSAGE,
                       "--rows: %s has the sigma of all rows alone, as a training run recorded it",
                       path);
    int status = ns_series_training(&w->trainings[run], w->figure, path, err);
    return status ? status : add_training(w, run, err);
}

/* ---- the figure ---- */

static int build_panels(ns_alpha_work *w, ns_error *err) {
    ns_figure *figure = w->figure;
    int trainings = 0, status = NS_OK;
    bool kinds[2] = {false, false}; /* of pairs: fitted, learned */
    for (int run = 0; run < w->request->file_count; run++) trainings += w->trainings[run] != NULL;
    for (int i = 0; i < w->count; i++) kinds[w->pairs[i].learned] = true;
    figure->panel_count = trainings + kinds[0] + kinds[1];
    figure->columns = ns_plot_columns(
        w->request, figure->panel_count < COLUMNS ? figure->panel_count : COLUMNS, 60);
    figure->rows = (figure->panel_count + figure->columns - 1) / figure->columns;
    figure->aspect = 0.8;
    figure->panels =
        ns_figure_alloc(figure, (size_t)figure->panel_count, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    /* A last row that is not full stands to the right, where its legend and bar of colours part no panels. */
    int empty = figure->rows * figure->columns - figure->panel_count;
    for (int i = 0; i < figure->panel_count; i++) {
        figure->panels[i].row = i / figure->columns;
        figure->panels[i].column =
            i % figure->columns + (figure->panels[i].row == figure->rows - 1 ? empty : 0);
    }
    int at = 0;
    for (int run = 0; run < w->request->file_count && !status; run++)
        if (w->trainings[run])
            status = ns_alpha_epochs_panel(w, run, trainings > 1, &figure->panels[at++], err);
    /* The legend of two panels stands beside the one farther right. */
    bool both = kinds[0] && kinds[1],
         first = both && figure->panels[at].column >= figure->panels[at + 1].column;
    for (int learned = 1; learned >= 0 && !status; learned--)
        if (kinds[learned])
            status = ns_alpha_sites_panel(w, learned, !both || first == (bool)learned,
                                          &figure->panels[at++], err);
    return status;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    ns_alpha_work w = {.request = r, .settings = r->settings, .figure = figure};
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
    ns_alpha_settings *s = own;
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
        "site stands before, its colour how deep it lies, its outline which file it is of. The "
        "line of least squares is each file's own. Pearson's r, over the sites of all files, has "
        "a 95 % interval by Fisher's transform; sites of one network are not independent of each "
        "other, so that it is rather too narrow; the caption has the r of each file.\n"
        "In a run of dump, layers without an alpha of their own bring the slope s alpha of the "
        "fitted s tanh(alpha x) at its centre. Learned alpha and fitted s alpha have a panel and "
        "an r of their own each, the same numbers as in normscope correlate.",
    .examples = "  normscope plot alpha dyt/ -o alpha.pdf\n"
                "  normscope plot alpha seed-*/training.h5 --sigma rows --log -o alpha.svg\n"
                "  normscope plot alpha run.h5 -o slopes.pdf\n",
    .takes_files = true,
    .per_site = true,
    .options = options,
    .settings_size = sizeof(ns_alpha_settings),
    .takes_rows = true,
    .build = build,
    .in_report =
        "\316\261 against 1/\317\203 of the input of every layer; s\302\267\316\261 of the fitted "
        "curve where the layer has no \316\261 of its own.",
};
