/* training: loss and accuracy over the epochs of training runs. */
#include <math.h>
#include <string.h>

#include "plots/plot.h"
#include "plots/series.h"
#include "probe/store/training.h"

enum { PANELS = 2, LINES = 2, FEW_EPOCHS = 15 };

typedef struct settings {
    bool steps, log;
} settings;

/* What a panel shows: a table's column for training and one for validation. */
typedef struct measure {
    const char *label, *columns[LINES];
    double factor;
} measure;

static const measure measures[PANELS] = {
    {"loss (nat)", {"loss", "validation_loss"}, 1},
    {"accuracy (%)", {"accuracy", "validation_accuracy"}, 100},
};
static const char *const line_names[LINES] = {"training", "validation"};

typedef struct work {
    const ns_plot_request *request;
    const settings *settings;
    ns_figure *figure;
    ns_training **trainings; /* [file_count], closed by the figure */
    const char **labels;     /* [file_count] */
    bool validated;          /* any run held samples out */
    int drawn;               /* values */
} work;

static int open_file(work *w, int run, ns_error *err) {
    const char *path = w->request->files[run];
    int status = ns_series_training(&w->trainings[run], w->figure, path, err);
    if (status) return status;
    const ns_training *t = w->trainings[run];
    if (!(w->settings->steps ? ns_training_steps(t) : ns_training_epochs(t)))
        return ns_fail(err, NS_EINPUT, "%s: expected %s, found none of %lld steps taken",
                       ns_training_path(t), w->settings->steps ? "steps" : "complete epochs",
                       (long long)ns_training_steps(t));
    w->labels[run] =
        ns_series_file_label(w->figure, w->request->files, w->request->file_count, run, err);
    return w->labels[run] ? NS_OK : NS_EFAIL;
}

/* The column as spots over epochs: of a step, or at an epoch's end. */
static int spots_of(work *w, const ns_training *t, const measure *m, int line, ns_item *item,
                    ns_panel *panel, ns_error *err) {
    bool steps = w->settings->steps && !line;
    const double *values = ns_training_column(t, steps ? NS_TRAINING_STEPS : NS_TRAINING_EPOCHS,
                                              m->columns[line], err);
    if (!values) return NS_EINPUT;
    item->count = (size_t)(steps ? ns_training_steps(t) : ns_training_epochs(t));
    ns_spot *spots = ns_figure_alloc(w->figure, item->count, sizeof *spots, err);
    item->spots = spots;
    for (size_t i = 0; spots && i < item->count; i++) {
        double epoch = (double)(i + 1);
        if (steps) epoch /= (double)ns_training_steps_per_epoch(t);
        bool drawn = isfinite(values[i]) && (!panel->y.log || values[i] > 0);
        spots[i] = (ns_spot){epoch, drawn ? m->factor * values[i] : (double)NAN};
        w->drawn += drawn;
        if (drawn) ns_axis_reach(&panel->x, epoch);
        if (drawn) ns_axis_reach(&panel->y, spots[i].y);
    }
    return spots ? NS_OK : NS_EFAIL;
}

/* Training is dashed, validation solid; and marks where there are few epochs. */
static int add_line(work *w, int run, const measure *m, int line, ns_panel *panel, ns_item *items,
                    ns_error *err) {
    const ns_training *t = w->trainings[run];
    if (line && w->settings->steps && !ns_training_epochs(t)) return NS_OK;
    bool fine = w->settings->steps && !line;
    ns_stroke stroke = ns_series_stroke(w->request->style, run, fine ? 0.5 : 1.1);
    if (fine) stroke.color.a = 0.45;
    if (!line && !fine) stroke.dash = 2.6, stroke.gap = 1.6, stroke.round = false;
    ns_item *curve = &items[panel->item_count++];
    *curve = (ns_item){.kind = NS_ITEM_CURVE, .unlisted = true, .stroke = stroke};
    int status = spots_of(w, t, m, line, curve, panel, err);
    if (status) return status;
    curve->name = ns_figure_text(w->figure, err, "%s %s", w->labels[run], line_names[line]);
    if (!curve->name) return NS_EFAIL;
    if (curve->count > FEW_EPOCHS) return NS_OK;
    ns_item *marks = &items[panel->item_count++];
    *marks = *curve;
    marks->kind = NS_ITEM_MARKS;
    marks->mark = line ? NS_MARK_DISC : NS_MARK_SQUARE;
    marks->size = 3;
    marks->fill = stroke.color;
    marks->stroke = (ns_stroke){0};
    return NS_OK;
}

/* Which line is which, in grey, and the runs by their colours. */
static void add_keys(const work *w, ns_panel *panel, ns_item *items) {
    const ns_style *style = w->request->style;
    for (int line = w->validated ? LINES - 1 : 0; line >= 0; line--) {
        bool dashed = !line && !w->settings->steps;
        items[panel->item_count++] = (ns_item){
            .kind = NS_ITEM_CURVE,
            .name = line_names[line],
            .stroke = {style->faint, line || dashed ? 1.1 : 0.5, dashed ? 2.6 : 0, 1.6, !dashed}};
    }
    for (int run = 0; run < w->request->file_count && w->request->file_count > 1; run++)
        items[panel->item_count++] = (ns_item){.kind = NS_ITEM_CURVE,
                                               .name = w->labels[run],
                                               .stroke = ns_series_stroke(style, run, 1.1)};
}

static int build_panel(work *w, int which, ns_panel *panel, ns_error *err) {
    const measure *m = &measures[which];
    int runs = w->request->file_count, status = NS_OK;
    ns_item *items =
        ns_figure_alloc(w->figure, LINES + (size_t)runs * (2 * LINES + 1), sizeof *items, err);
    if (!items) return NS_EFAIL;
    panel->items = items;
    panel->column = which % w->figure->columns;
    panel->row = which / w->figure->columns;
    panel->x = ns_axis_unknown(false);
    panel->y = ns_axis_unknown(w->settings->log && !which);
    for (int line = 0; line < LINES && !status; line++) /* validation lies over training */
        for (int run = 0; run < runs && !status; run++)
            status = add_line(w, run, m, line, panel, items, err);
    if (status) return status;
    if (which == PANELS - 1) add_keys(w, panel, items);
    panel->aside = which == PANELS - 1;
    if (!w->settings->steps) panel->x.low = fmin(panel->x.low, 1);
    panel->x.label = "epoch";
    panel->x.whole = true;
    panel->y.label = m->label;
    ns_axis_guard(&panel->x);
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->x, 0.03);
    ns_axis_pad(&panel->y, 0.05);
    return NS_OK;
}

/* What the last epoch gave, of the run whose validation was best (of the only one, where there is one). */
static int summarize(work *w, ns_error *err) {
    int best = -1;
    double most = -1;
    for (int run = 0; run < w->request->file_count; run++) {
        int64_t n = ns_training_epochs(w->trainings[run]);
        const double *values = n ? ns_training_column(w->trainings[run], NS_TRAINING_EPOCHS,
                                                      "validation_accuracy", err)
                                 : NULL;
        if (values && isfinite(values[n - 1]) && values[n - 1] > most)
            most = values[n - 1], best = run;
    }
    if (best < 0) return NS_OK;
    w->figure->summary = ns_figure_text(
        w->figure, err, "%s ends at %.2f %% of the samples held out", w->labels[best], 100 * most);
    return w->figure->summary ? NS_OK : NS_EFAIL;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    size_t n = (size_t)r->file_count;
    work w = {.request = r, .settings = r->settings, .figure = figure};
    w.trainings = ns_figure_alloc(figure, n, sizeof(ns_training *), err);
    w.labels = ns_figure_alloc(figure, n, sizeof(char *), err);
    figure->panels = ns_figure_alloc(figure, PANELS, sizeof *figure->panels, err);
    int status = w.trainings && w.labels && figure->panels ? NS_OK : NS_EFAIL;
    for (int run = 0; run < r->file_count && !status; run++) {
        status = open_file(&w, run, err);
        const double *values = status ? NULL
                                      : ns_training_column(w.trainings[run], NS_TRAINING_EPOCHS,
                                                           "validation_loss", NULL);
        for (int64_t i = 0; values && i < ns_training_epochs(w.trainings[run]); i++)
            w.validated |= isfinite(values[i]);
    }
    figure->columns = ns_plot_columns(r, PANELS, 36);
    figure->rows = (PANELS + figure->columns - 1) / figure->columns;
    figure->aspect = 0.8;
    for (int i = 0; i < PANELS && !status; i++) {
        status = build_panel(&w, i, &figure->panels[i], err);
        figure->panel_count += !status;
    }
    if (!status && !w.drawn)
        status = ns_fail(err, NS_EINPUT,
                         "%s: expected losses and accuracies that are finite, found none",
                         ns_training_path(w.trainings[0]));
    return status ? status : summarize(&w, err);
}

static int options(void *own, ns_option *out) {
    settings *s = own;
    const ns_option all[] = {
        {"steps", 0, NS_OPT_FLAG, &s->steps, NULL,
         "of training every step, not the means of epochs", NULL, 0, 0},
        {"log", 0, NS_OPT_FLAG, &s->log, NULL, "a logarithmic axis for the loss", NULL, 0, 0},
    };
    memcpy(out, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

const ns_figure_kind ns_figure_training = {
    .name = "training",
    .summary = "loss and accuracy over the epochs of training runs",
    .details =
        "FILE is what a training run recorded (training.h5, or the run's folder). Training's "
        "loss is that which is minimized, with label smoothing and drop path, averaged "
        "while the network changes; that of validation is measured after each epoch, "
        "without them, on the samples held out.",
    .examples = "  normscope plot training dyt/ layernorm/ -o training.pdf\n"
                "  normscope plot training dyt/ --steps --log -o steps.svg\n",
    .takes_files = true,
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
};
