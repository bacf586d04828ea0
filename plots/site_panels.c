#include "plots/site_panels.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

static void site_panel_free(void *object) {
    ns_site_panel *s = object;
    ns_cloud_free(&s->cloud);
    ns_cloud_free(&s->marked);
    free(s);
}

void ns_grid_write(const ns_grid *g, int panel, const char *name, FILE *data) {
    for (int j = 0; j < g->height; j++)
        for (int i = 0; i < g->width; i++) {
            uint32_t count = g->counts[(size_t)j * (size_t)g->width + (size_t)i];
            if (!count) continue;
            ns_figure_data_line(
                data, panel, "bin", name,
                (const double[]){ns_grid_edge(g->x_low, g->x_high, g->width, i),
                                 ns_grid_edge(g->y_low, g->y_high, g->height, j),
                                 ns_grid_edge(g->x_low, g->x_high, g->width, i + 1),
                                 ns_grid_edge(g->y_low, g->y_high, g->height, j + 1), count});
        }
}

static int paint(void *user, const ns_panel *panel, int width, int height, const ns_style *style,
                 double dpi, ns_picture *out, FILE *data, ns_error *err) {
    ns_site_panel *s = user;
    ns_grid grid = {.width = width,
                    .height = height,
                    .x_low = panel->x.low,
                    .x_high = panel->x.high,
                    .y_low = panel->y.low,
                    .y_high = panel->y.high};
    int status = ns_grid_fill(&grid, &s->cloud, err);
    if (!status && data) ns_grid_write(&grid, s->number, s->name, data);
    double diameter = style->diameter * dpi / 72;
    if (!status)
        status = s->decades ? ns_grid_density(&grid, diameter, s->decades, out, err)
                            : ns_grid_discs(&grid, diameter, s->point, s->deep, out, err);
    ns_grid_free(&grid);
    return status;
}

ns_item ns_site_panel_layer(ns_site_panel *s) {
    return (ns_item){.kind = NS_ITEM_LAYER, .name = s->name, .layer = {paint, s}};
}

/* Few points are less translucent, so that a single one can be seen; from a thousand on the style's own opacity holds. */
static double opacity_of(double usual, uint64_t points) {
    enum { MANY = 1000 };
    const double single = 0.9;
    if (points < 1 || points >= MANY || usual >= single) return usual;
    return single + (usual - single) * log((double)points) / log(MANY);
}

static int paint_marked(void *user, const ns_panel *panel, int width, int height,
                        const ns_style *style, double dpi, ns_picture *out, FILE *data,
                        ns_error *err) {
    const ns_site_panel *s = user;
    ns_grid grid = {.width = width,
                    .height = height,
                    .x_low = panel->x.low,
                    .x_high = panel->x.high,
                    .y_low = panel->y.low,
                    .y_high = panel->y.high};
    int status = ns_grid_fill(&grid, &s->marked, err);
    if (!status && data) ns_grid_write(&grid, s->number, "marked rows", data);
    if (!status)
        status = ns_grid_discs(&grid, 1.6 * style->diameter * dpi / 72, s->mark, s->mark, out, err);
    ns_grid_free(&grid);
    return status;
}

int ns_site_panel_mark(ns_site_panel *s, const ns_row_choice *choice, ns_color color,
                       const char *name, ns_item *items, int *used, ns_error *err) {
    enum { LEGEND_MARK = 5 };
    *used = 0;
    int status = ns_cloud_open_rows(&s->marked, s->run->store, s->site, choice, err);
    if (status || !s->marked.points.rows) return status;
    ns_extent extent;
    status = ns_cloud_extent(&s->marked, &extent, err);
    if (status || !extent.points) return status;
    s->mark = color;
    s->mark.a = opacity_of(0.5, extent.points);
    items[(*used)++] = (ns_item){.kind = NS_ITEM_LAYER, .layer = {paint_marked, s}};
    if (name)
        items[(*used)++] =
            (ns_item){.kind = NS_ITEM_MARKS, .name = name, .fill = color, .size = LEGEND_MARK};
    return NS_OK;
}

void ns_site_panel_pale(ns_site_panel *s) {
    s->point = (ns_color){0.75, 0.79, 0.85, 0.25};
    s->deep = (ns_color){0.6, 0.66, 0.74, 1};
}

/* "500 of 17000 rows", where the file keeps a sample, and points that cannot be drawn: never silently. */
static int note_missing(ns_figure *figure, const ns_site_panel *s, ns_error *err) {
    ns_panel *panel = s->panel;
    int at = 0;
    while (at < NS_MOST_NOTES - 2 && panel->notes[at]) at++;
    int first = at;
    if (s->info->sampled && !s->cloud.from_sketch &&
        !(panel->notes[at++] = ns_figure_text(figure, err, "%" PRIu64 " of %" PRIu64 " rows",
                                              s->info->rows, s->info->rows_seen)))
        return NS_EFAIL;
    if (s->extent.not_finite && !(panel->notes[at++] = ns_figure_text(
                                      figure, err, "%" PRIu64 " not finite", s->extent.not_finite)))
        return NS_EFAIL;
    panel->lasting = at - first;
    return NS_OK;
}

/* Items and notes of a panel whose cloud is to be opened yet. */
static int fill_panel(const ns_plot_request *r, const ns_site_panels *kind, ns_figure *figure,
                      ns_site_panel *s, ns_error *err) {
    ns_panel *panel = s->panel;
    int status = kind->open ? kind->open(r, figure, s, err)
                            : ns_cloud_open(&s->cloud, s->run->store, s->site, r->rows, err);
    if (status) return status;
    if (s->problem) {
        panel->notes[0] = s->problem;
        return NS_OK;
    }
    status = ns_cloud_extent(&s->cloud, &s->extent, err);
    if (status) return status;
    double most = fmax(fabs(s->extent.x_low), fabs(s->extent.x_high));
    panel->x = (ns_axis){.low = -most, .high = most};
    s->point.a = opacity_of(s->point.a, s->extent.points);
    if (s->extent.points) {
        status = kind->fill(r, figure, s, err);
    } else {
        ns_item *item = ns_figure_alloc(figure, 1, sizeof *item, err);
        if (!item) return NS_EFAIL;
        *item = ns_site_panel_layer(s);
        panel->items = item;
        panel->item_count = 1;
        panel->notes[0] = s->extent.not_finite ? "no finite points" : "no points";
    }
    return status ? status : note_missing(figure, s, err);
}

static int build_panel(const ns_plot_request *r, const ns_site_panels *kind, ns_figure *figure,
                       const ns_plot_run *run, int site, ns_panel *panel, ns_site_panel **out,
                       ns_error *err) {
    ns_site_panel *s = ns_calloc(1, sizeof *s, err);
    if (ns_figure_keep(figure, s, site_panel_free, err)) return NS_EFAIL;
    *s = (ns_site_panel){.run = run,
                         .site = site,
                         .info = ns_store_site_at(run->store, site),
                         .panel = panel,
                         .number = (int)(panel - figure->panels) + 1,
                         .point = r->style->point,
                         .deep = r->style->deep};
    *out = s;
    const ns_site *what = &s->info->site;
    panel->x = panel->y = (ns_axis){.low = (double)NAN, .high = (double)NAN};
    panel->title = ns_plot_site_title(figure, run->store, what, err);
    panel->subtitle = s->name = ns_figure_label(figure, what->name, err);
    panel->legend = NS_LOWER_RIGHT;
    if (!panel->title || !panel->subtitle) return NS_EFAIL;
    int status = fill_panel(r, kind, figure, s, err);
    if (status &&
        strncmp(err->message, ns_store_path(run->store), strlen(ns_store_path(run->store))))
        ns_fail_context(err, "%s: site %d (%s)", ns_store_path(run->store), what->index,
                        what->name);
    return status;
}

/* y is shared within a run, x is each panel's own. */
static void share_y(ns_figure *figure, int first, double room, ns_site_panel *const *panels) {
    double largest = 0;
    for (int i = first; i < figure->panel_count; i++) {
        const ns_extent *e = &panels[i]->extent;
        double most = e->points ? fmax(fabs(e->y_low), fabs(e->y_high)) : 0;
        if (most > largest) largest = most;
    }
    for (int i = first; i < figure->panel_count; i++) {
        ns_panel *p = &figure->panels[i];
        p->y.low = -largest, p->y.high = largest;
        ns_axis_guard(&p->x);
        ns_axis_guard(&p->y);
        ns_axis_pad(&p->x, 0.03);
        ns_axis_pad(&p->y, room > 0 ? room : 0.05);
    }
}

/* A run's chosen sites. */
typedef struct chosen {
    int *sites, count;
} chosen;

static int build_run(const ns_plot_request *r, const ns_site_panels *kind, ns_figure *figure,
                     const ns_plot_run *run, const chosen *c, ns_site_panel **panels,
                     ns_error *err) {
    int first = figure->panel_count, status = NS_OK;
    const char *model = ns_plot_model_title(figure, run->store, err);
    const char *norm = ns_plot_norms_title(run, c->sites, c->count), *label = kind->y_label;
    if (!label && model) label = ns_figure_text(figure, err, "%s %s output", model, norm);
    if (!label) return NS_EFAIL;
    for (int i = 0; i < c->count && !status; i++) {
        int at = figure->panel_count++;
        ns_panel *panel = &figure->panels[at];
        panel->row = figure->rows + i / figure->columns;
        panel->column = i % figure->columns;
        status = build_panel(r, kind, figure, run, c->sites[i], panel, &panels[at], err);
        panel->y.bare = panel->column > 0;
        if (panel->column == 0) panel->y.label = label;
    }
    if (!status) share_y(figure, first, kind->y_room, panels);
    figure->rows += (c->count + figure->columns - 1) / figure->columns;
    return status;
}

static const char *summarize(ns_figure *figure, ns_site_panel *const *panels, ns_error *err) {
    uint64_t points = 0, not_finite = 0;
    for (int i = 0; i < figure->panel_count; i++) {
        points += panels[i]->extent.points;
        not_finite += panels[i]->extent.not_finite;
    }
    return not_finite
               ? ns_figure_text(figure, err, "%" PRIu64 " points; %" PRIu64 " not finite, left out",
                                points, not_finite)
               : ns_figure_text(figure, err, "%" PRIu64 " points", points);
}

/* The caption, with what is said of single panels and of chosen rows. */
static const char *add_remarks(const ns_plot_request *r, ns_figure *figure,
                               ns_site_panel *const *panels, const char *caption, ns_error *err) {
    for (int i = 0; i < figure->panel_count && caption; i++)
        if (panels[i]->remark)
            caption = ns_figure_text(figure, err, "%s%s%s: %s.", caption, *caption ? " " : "",
                                     panels[i]->panel->title, panels[i]->remark);
    if (caption && r->rows && r->rows->count)
        caption = ns_figure_text(figure, err, "%s%sRows: %s.", caption, *caption ? " " : "",
                                 r->rows->text);
    return caption;
}

/* The sites of every run, and with them the number of panels and columns. */
static chosen *choose(const ns_plot_request *r, const ns_site_panels *kind, ns_figure *figure,
                      int *total, ns_error *err) {
    chosen *all = ns_figure_alloc(figure, (size_t)r->run_count, sizeof *all, err);
    int widest = 0;
    for (int k = 0; k < r->run_count && all; k++) {
        const ns_plot_run *run = &r->runs[k];
        chosen *c = &all[k];
        c->sites = ns_figure_alloc(figure, (size_t)run->site_count, sizeof *c->sites, err);
        if (!c->sites) return NULL;
        c->count =
            ns_plot_spread(run, r->all || run->chosen ? run->site_count : kind->sites, c->sites);
        *total += c->count;
        widest = c->count > widest ? c->count : widest;
    }
    const int usual = widest < kind->columns ? widest : kind->columns;
    figure->columns = ns_plot_columns(r, usual, 36);
    /* Beside each other on a narrow page, panels are higher, so that the same text hides less of them. */
    figure->aspect = figure->columns < 2 ? 0.62 : figure->columns < usual ? 0.85 : 0.72;
    return all;
}

int ns_site_panels_build(const ns_plot_request *r, const ns_site_panels *kind, ns_figure *figure,
                         ns_site_panel ***out, ns_error *err) {
    int status = NS_OK, total = 0;
    const chosen *all = choose(r, kind, figure, &total, err);
    if (!all) return NS_EFAIL;
    figure->panels = ns_figure_alloc(figure, (size_t)total, sizeof *figure->panels, err);
    ns_site_panel **panels = ns_figure_alloc(figure, (size_t)total, sizeof(ns_site_panel *), err);
    if (!figure->panels || !panels) return NS_EFAIL;
    const char *norm = ns_plot_norms_title(&r->runs[0], all[0].sites, all[0].count);
    for (int k = 0; k < r->run_count && !status; k++) {
        status = build_run(r, kind, figure, &r->runs[k], &all[k], panels, err);
        if (strcmp(ns_plot_norms_title(&r->runs[k], all[k].sites, all[k].count), norm) != 0)
            norm = "normalization";
    }
    if (status) return status;
    if (out) *out = panels;
    figure->x_label = ns_figure_text(figure, err, "%s input", norm);
    figure->summary = summarize(figure, panels, err);
    const char *caption = kind->describe ? kind->describe(r, figure, panels, err) : "";
    if (caption) caption = add_remarks(r, figure, panels, caption, err);
    if (!caption) return NS_EFAIL;
    if (*caption) figure->caption = caption;
    return figure->x_label && figure->summary ? NS_OK : NS_EFAIL;
}

int ns_site_panel_fit(const ns_site_panel *s, const ns_curve *const *curves, int count, ns_fit *out,
                      ns_error *err) {
    const ns_fit_options options = {.curves = curves, .curve_count = count, .by_kind = true};
    if (!s->cloud.from_sketch) return ns_fit_points(&s->cloud.points, &options, out, err);
    return ns_fit_sketch(&s->cloud.sketch, &options, out, err);
}
