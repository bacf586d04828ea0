/* Where everything of a figure stands: margins from the measure of the text in them, panels on whole pixels, as many ticks as fit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/figure_internal.h"
#include "probe/base/mem.h"

enum { MOST_COLUMNS = 64 };
static const double EDGE = 1.5,
                    GAP = 2; /* points: at the page's edge, between text and what it belongs to */
static const double COLUMN_GAP = 0.8; /* between panels, of the size of tick labels */
static const double LEAST_BESIDE = 30 * NS_POINTS_PER_MM; /* width of panels beside a legend */
static const double PAGE_MOST =
    235 * NS_POINTS_PER_MM; /* height from which rows go to the next page */

typedef struct work {
    const ns_figure *figure;
    const ns_style *style;
    ns_text_kit *text;
    ns_figure_places *out;
    double pixel;                                   /* points */
    double left[MOST_COLUMNS], right[MOST_COLUMNS]; /* margins of the columns */
    double panel_width, panel_height;
    double top, bottom;       /* of the page: title; label and caption */
    double row_gap, row_foot; /* between rows; tick labels and label of a row */
} work;

static double text_height(const work *w, double size) {
    ns_text_extents e = ns_text_measure(w->text, "Hg", size);
    return e.ascent + e.descent;
}

static double widest(const work *w, const ns_tick *ticks, int count) {
    double width = 0;
    for (int i = 0; i < count; i++)
        width = fmax(width, ns_text_measure(w->text, ticks[i].label, w->style->tick_size).width);
    return width;
}

/* The ticks below a panel, by the width that it has. */
static int fit_x_ticks(const work *w, const ns_panel *p, ns_panel_place *place, ns_error *err) {
    const int c = p->column;
    double length = w->panel_width, least = EDGE - w->left[c], most = length + w->right[c] - EDGE;
    if (c > 0) least = 0.5 - (w->right[c - 1] + w->left[c]) / 2;
    if (c + 1 < w->figure->columns) most = length + (w->right[c] + w->left[c + 1]) / 2 - 0.5;
    return ns_ticks_along(w->text, w->style, &p->x, length, least, most, place, err);
}

static int fit_y_ticks(const work *w, const ns_axis *axis, ns_tick *ticks) {
    return ns_ticks_up(w->text, w->style, axis, w->out->width, w->panel_height, ticks);
}

/* What stands right of a panel before a legend beside it. */
static double bar_room(const work *w, const ns_panel *p) {
    ns_tick ticks[NS_MOST_TICKS];
    if (!p->bar) return 0;
    int count = fit_y_ticks(w, p->bar, ticks);
    return 3 * GAP + w->style->tick_size + widest(w, ticks, count) +
           (p->bar->label ? text_height(w, w->style->small_size) + GAP : 0);
}

/* Margins from the tick labels of panels of the present height. */
static void measure_columns(work *w) {
    const ns_figure *f = w->figure;
    ns_tick ticks[NS_MOST_TICKS];
    for (int c = 0; c < f->columns; c++)
        w->left[c] = c ? COLUMN_GAP * w->style->tick_size : EDGE, w->right[c] = 0;
    for (int i = 0; i < f->panel_count; i++) {
        const ns_panel *p = &f->panels[i];
        double left = 0, right = bar_room(w, p);
        if (!p->y.bare) {
            int count = fit_y_ticks(w, &p->y, ticks);
            left = widest(w, ticks, count) + GAP + w->style->tick_length;
        }
        if (p->y.label) left += text_height(w, w->style->label_size) + NS_LABEL_GAP;
        if (p->aside && !w->out->below) right += 3 * GAP + ns_aside_width(w->text, w->style, p);
        double *l = &w->left[p->column], *r = &w->right[p->column];
        *l = fmax(*l, left + (p->column ? COLUMN_GAP * w->style->tick_size : EDGE));
        *r = fmax(*r, right);
    }
    /* The last tick's label may reach beyond the panel. */
    w->right[f->columns - 1] += EDGE + w->style->tick_size;
}

/* By the labels below panels of the present width; 0: not known yet, which one line stands for. */
static int measure_rows(work *w, ns_error *err) {
    const ns_figure *f = w->figure;
    const ns_style *s = w->style;
    bool x_labels = false;
    int status = NS_OK;
    w->out->x_depth = 0;
    for (int i = 0; i < f->panel_count && !status; i++) {
        const ns_panel *p = &f->panels[i];
        ns_panel_place *place = &w->out->panels[i];
        place->x_depth = text_height(w, s->tick_size);
        if (w->panel_width > 0) status = fit_x_ticks(w, p, place, err);
        if (!p->x.bare) w->out->x_depth = fmax(w->out->x_depth, place->x_depth);
        x_labels |= p->x.label != NULL;
    }
    w->row_foot = s->tick_length + GAP / 2 + w->out->x_depth +
                  (x_labels ? text_height(w, s->label_size) + GAP / 2 : 0);
    w->row_gap = x_labels ? GAP + s->tick_size / 2 : GAP;
    w->top = EDGE + (f->title ? text_height(w, s->title_size) + GAP : s->tick_size / 2);
    return status;
}

static void drop_caption(ns_figure_places *out) {
    for (int i = 0; i < out->caption_lines; i++) free(out->caption[i]);
    out->caption_lines = 0;
}

/* Breaks the caption into lines between the left edge of the panels and that of the page. */
static int measure_bottom(work *w, ns_error *err) {
    const ns_figure *f = w->figure;
    const double size = w->style->small_size;
    int status = NS_OK;
    drop_caption(w->out);
    if (f->caption)
        status = ns_label_wrap(w->text, f->caption, size, w->out->width - w->left[0] - EDGE,
                               NS_CAPTION_LINES, w->out->caption, &w->out->caption_lines, err);
    if (!status && w->out->below)
        status = ns_below_lines(w->text, w->style, f, w->out->width - w->left[0] - EDGE,
                                &w->out->below_lines, err);
    w->out->caption_pitch = text_height(w, size);
    w->bottom = EDGE + (f->x_label ? text_height(w, w->style->label_size) + GAP / 2 : 0) +
                (w->out->below ? w->out->below_lines * NS_BELOW_PITCH * size + GAP : 0) +
                (f->caption ? w->out->caption_lines * w->out->caption_pitch + GAP : 0);
    return status;
}

static double snap(const work *w, double length) {
    return round(length / w->pixel) * w->pixel;
}

/* Height from which a panel has room for its y axis's label; that may reach beyond it as the labels of its ticks do. */
static double label_height(const work *w) {
    double most = 0;
    for (int i = 0; i < w->figure->panel_count; i++)
        if (w->figure->panels[i].y.label)
            most = fmax(
                most,
                ns_text_measure(w->text, w->figure->panels[i].y.label, w->style->label_size).width -
                    w->style->tick_size);
    return ceil(most);
}

/* Width of the panels from that of the page, and their height from the page's where that is given. */
static int divide(work *w, const ns_figure_size *size, ns_error *err) {
    const ns_figure *f = w->figure;
    double free_width = w->out->width;
    for (int c = 0; c < f->columns; c++) free_width -= w->left[c] + w->right[c];
    w->panel_width = floor(free_width / f->columns / w->pixel) * w->pixel;
    if (w->panel_width < 18)
        return ns_fail(err, NS_EUSAGE,
                       "--width: %.0f mm leave no room for %d columns of panels; expected more, or "
                       "fewer --columns",
                       w->out->width / NS_POINTS_PER_MM, f->columns);
    if (size->height > 0) {
        double free_height = size->height * NS_POINTS_PER_MM - w->top - w->bottom -
                             (f->rows - 1) * w->row_gap - f->rows * w->row_foot;
        w->panel_height = floor(free_height / f->rows / w->pixel) * w->pixel;
        if (w->panel_height < 12)
            return ns_fail(err, NS_EUSAGE,
                           "--height: %.0f mm leave no room for %d rows of panels; expected more",
                           size->height, f->rows);
    } else {
        double least = fmax(f->least_height, fmin(label_height(w), w->panel_width));
        w->panel_height = fmax(12, snap(w, fmax(w->panel_width * f->aspect, least)));
    }
    return NS_OK;
}

static void place_panels(work *w) {
    const ns_figure *f = w->figure;
    ns_figure_places *out = w->out;
    double left[MOST_COLUMNS], x = 0;
    for (int c = 0; c < f->columns; c++) {
        left[c] = snap(w, x + w->left[c]);
        out->label_x[c] = left[c];
        x = left[c] + w->panel_width + w->right[c];
    }
    double pitch = w->panel_height + w->row_foot + w->row_gap;
    for (int i = 0; i < f->panel_count; i++) {
        const ns_panel *p = &f->panels[i];
        ns_panel_place *place = &out->panels[i];
        place->box = (ns_box){left[p->column], snap(w, w->top + p->row % out->rows_a_page * pitch),
                              w->panel_width, w->panel_height};
        place->aside = place->box.x + place->box.width + bar_room(w, p) + 2 * GAP;
        place->y_count = fit_y_ticks(w, &p->y, place->y);
    }
    int shown = f->rows < out->rows_a_page ? f->rows : out->rows_a_page;
    double end = w->top + shown * pitch - w->row_gap;
    out->title_y = EDGE + ns_text_measure(w->text, "H", w->style->title_size).ascent;
    out->x_label_y = end + GAP / 2 + ns_text_measure(w->text, "H", w->style->label_size).ascent;
    out->below_y = end + GAP + (f->x_label ? text_height(w, w->style->label_size) + GAP / 2 : 0) +
                   ns_text_measure(w->text, "H", w->style->small_size).ascent;
    out->caption_y = end + w->bottom - EDGE - out->caption_lines * out->caption_pitch +
                     ns_text_measure(w->text, "H", w->style->small_size).ascent;
    out->height = ceil((end + w->bottom) / w->pixel - 1e-6) * w->pixel;
}

/* Tick labels decide the width, the width the height and how names stand, the height the ticks: three rounds settle it. */
static int settle(work *w, const ns_figure_size *size, ns_error *err) {
    int status = NS_OK;
    for (int round = 0; round < 3 && !status; round++) {
        measure_columns(w);
        status = measure_rows(w, err);
        if (!status) status = measure_bottom(w, err);
        if (!status) status = divide(w, size, err);
    }
    return status ? status : measure_rows(w, err);
}

static bool has_aside(const ns_figure *f) {
    for (int i = 0; i < f->panel_count; i++)
        if (f->panels[i].aside) return true;
    return false;
}

/* mm: one column of a journal, one and a half, or the text; by the panels, and by the names below them, each of which is to stand there. */
static double usual_width(const ns_figure *f) {
    static const double widths[] = {84, 126, 174};
    int wide = f->columns - 1, names = 0;
    for (int i = 0; i < f->panel_count; i++) {
        const ns_panel *p = &f->panels[i];
        if (p->aside) wide = f->columns;
        if (p->x.names && !p->x.ordered && p->x.name_count > names) names = p->x.name_count;
    }
    double needed = 15 + f->columns * names * 1.2 * NS_LEAST_TEXT / NS_POINTS_PER_MM;
    while (wide < 2 && names && widths[wide] < needed) wide++;
    return widths[wide > 2 ? 2 : wide];
}

int ns_figure_arrange(ns_figure_places *out, const ns_figure *figure, const ns_style *style,
                      ns_text_kit *text, const ns_figure_size *size, ns_error *err) {
    *out = (ns_figure_places){0};
    if (figure->columns < 1 || figure->columns > MOST_COLUMNS)
        return ns_fail(err, NS_EUSAGE, "--columns: expected 1 to %d, found %d", MOST_COLUMNS,
                       figure->columns);
    work w = {.figure = figure, .style = style, .text = text, .out = out, .pixel = 72 / size->dpi};
    out->panels = ns_calloc((size_t)figure->panel_count, sizeof *out->panels, err);
    if (!out->panels) return NS_EFAIL;
    double width = size->width > 0 ? size->width : usual_width(figure);
    out->width = round(width * NS_POINTS_PER_MM / w.pixel) * w.pixel;
    w.panel_height = 60;
    int status = settle(&w, size, err);
    if (has_aside(figure) && (status ? status == NS_EUSAGE : w.panel_width < LEAST_BESIDE)) {
        if (err) err->message[0] = 0, err->status = 0;
        w.panel_width = 0;
        out->below = true;
        status = settle(&w, size, err);
    }
    if (!status) {
        double pitch = w.panel_height + w.row_foot + w.row_gap;
        int most = (int)((PAGE_MOST - w.top - w.bottom + w.row_gap) / pitch);
        out->rows_a_page = size->height > 0 || figure->rows <= most ? figure->rows
                           : most > 0                               ? most
                                                                    : 1;
        out->pages = (figure->rows + out->rows_a_page - 1) / out->rows_a_page;
        place_panels(&w);
    }
    if (status) ns_figure_places_free(out);
    return status;
}

void ns_figure_places_free(ns_figure_places *layout) {
    drop_caption(layout);
    free(layout->panels);
    *layout = (ns_figure_places){0};
}
