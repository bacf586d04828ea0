/* Where everything of a figure stands: margins from the measure of the text in them, panels on whole pixels, as many ticks as fit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure_internal.h"
#include "probe/base/mem.h"

enum { MOST_COLUMNS = 64 };
static const double EDGE = 1.5,
                    GAP = 2; /* points: at the page's edge, between text and what it belongs to */
static const double COLUMN_GAP = 0.8; /* between panels, of the size of tick labels */
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

/* The tick's name, shortened to a width. */
static void fit_name(const work *w, const ns_axis *axis, ns_tick *tick, double width) {
    const char *name = axis->names[(int)lround(tick->value) - 1];
    for (int k = 0; k < 8; k++, width *= 0.8) {
        char *fitted = ns_label_fit(w->text, name, w->style->tick_size, width, NULL);
        bool good = fitted && strlen(fitted) < sizeof tick->label;
        if (good) memcpy(tick->label, fitted, strlen(fitted) + 1);
        free(fitted);
        if (good || !fitted) return;
    }
}

static const double NAME_SHARE = 0.4; /* of the page's width that names beside a panel may take */

/* As many ticks as keep a distance along a side of `length`, upright. */
static int fit_y_ticks(const work *w, const ns_axis *axis, double length, ns_tick *ticks) {
    double least = 1.7 * w->style->tick_size;
    int most = (int)(length / least);
    if (most > 7 && !axis->names) most = 7;
    int count = ns_axis_ticks(axis, most < 2 ? 2 : most, ticks);
    for (int i = 0; i < count && axis->names; i++)
        fit_name(w, axis, &ticks[i], NAME_SHARE * w->out->width);
    return count;
}

/* Whether labels touch neither each other nor least and most, what the panels beside leave; with `blank`, those that would reach beyond
 * are taken away and their ticks stay. *labels counts those that are left. */
static bool labels_fit(const work *w, const ns_axis *axis, double length, double least, double most,
                       bool blank, ns_tick *ticks, int count, int *labels) {
    double apart = 0.9 * w->style->tick_size, end = least - apart;
    *labels = 0;
    for (int i = 0; i < count; i++) {
        double half = ns_text_measure(w->text, ticks[i].label, w->style->tick_size).width / 2;
        double at = ns_axis_place(axis, ticks[i].value) * length;
        bool beyond = at - half < least || at + half > most;
        if (blank && beyond) {
            ticks[i].label[0] = 0;
            continue;
        }
        if (beyond || at - half < end + apart) return false;
        end = at + half;
        (*labels)++;
    }
    return true;
}

/* Names: all in full; else shortened, and where that would leave too little of them, only some. */
static int fit_x_names(const work *w, const ns_axis *axis, double length, double least, double most,
                       ns_tick *ticks) {
    const double size = w->style->tick_size;
    int count = 0, labels;
    for (int wanted = NS_MOST_TICKS; wanted >= 1; wanted--) {
        count = ns_axis_ticks(axis, wanted, ticks);
        double room = length / axis->name_count *
                      (count > 1 ? ticks[1].value - ticks[0].value : axis->name_count);
        for (int i = 0; i < count; i++) fit_name(w, axis, &ticks[i], INFINITY);
        if (labels_fit(w, axis, length, least, most, false, ticks, count, &labels)) return count;
        if (room < 5 * size && count > 2) continue;
        for (int i = 0; i < count; i++) fit_name(w, axis, &ticks[i], room - size);
        if (labels_fit(w, axis, length, least, most, false, ticks, count, &labels)) return count;
        if (count <= 2) break;
    }
    labels_fit(w, axis, length, least, most, true, ticks, count, &labels);
    return count;
}

/* As many as fit; where that would leave fewer than two labels, as many as fit without those at the ends. */
static int fit_x_ticks(const work *w, const ns_panel *p, double length, ns_tick *ticks) {
    const ns_axis *axis = &p->x;
    const int c = p->column;
    double least = EDGE - w->left[c], most = length + w->right[c] - EDGE;
    if (c > 0) least = 0.5 - (w->right[c - 1] + w->left[c]) / 2;
    if (c + 1 < w->figure->columns) most = length + (w->right[c] + w->left[c + 1]) / 2 - 0.5;
    if (axis->names) return fit_x_names(w, axis, length, least, most, ticks);
    int count = 0, labels;
    for (int blank = 0; blank < 2; blank++)
        for (int wanted = 7; wanted >= 2; wanted--) {
            count = ns_axis_ticks(axis, wanted, ticks);
            if (labels_fit(w, axis, length, least, most, blank, ticks, count, &labels) &&
                labels > 1)
                return count;
        }
    return count;
}

/* What stands right of a panel before a legend beside it. */
static double bar_room(const work *w, const ns_panel *p) {
    ns_tick ticks[NS_MOST_TICKS];
    if (!p->bar) return 0;
    int count = fit_y_ticks(w, p->bar, w->panel_height, ticks);
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
            int count = fit_y_ticks(w, &p->y, w->panel_height, ticks);
            left = widest(w, ticks, count) + GAP + w->style->tick_length;
        }
        if (p->y.label) left += text_height(w, w->style->label_size) + NS_LABEL_GAP;
        if (p->aside) right += 3 * GAP + ns_aside_width(w->text, w->style, p);
        double *l = &w->left[p->column], *r = &w->right[p->column];
        *l = fmax(*l, left + (p->column ? COLUMN_GAP * w->style->tick_size : EDGE));
        *r = fmax(*r, right);
    }
    /* The last tick's label may reach beyond the panel. */
    w->right[f->columns - 1] += EDGE + w->style->tick_size;
}

static void measure_rows(work *w) {
    const ns_figure *f = w->figure;
    const ns_style *s = w->style;
    bool x_ticks = false, x_labels = false;
    for (int i = 0; i < f->panel_count; i++) {
        x_ticks |= !f->panels[i].x.bare;
        x_labels |= f->panels[i].x.label != NULL;
    }
    w->row_foot = s->tick_length + GAP / 2 + (x_ticks ? text_height(w, s->tick_size) : 0) +
                  (x_labels ? text_height(w, s->label_size) + GAP / 2 : 0);
    w->row_gap = x_labels ? GAP + s->tick_size / 2 : GAP;
    w->top = EDGE + (f->title ? text_height(w, s->title_size) + GAP : s->tick_size / 2);
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
    w->out->caption_pitch = text_height(w, size);
    w->bottom = EDGE + (f->x_label ? text_height(w, w->style->label_size) + GAP / 2 : 0) +
                (f->caption ? w->out->caption_lines * w->out->caption_pitch + GAP : 0);
    return status;
}

static double snap(const work *w, double length) {
    return round(length / w->pixel) * w->pixel;
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
        w->panel_height = fmax(12, snap(w, fmax(w->panel_width * f->aspect, f->least_height)));
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
        place->x_count = fit_x_ticks(w, p, w->panel_width, place->x);
        place->y_count = fit_y_ticks(w, &p->y, w->panel_height, place->y);
    }
    int shown = f->rows < out->rows_a_page ? f->rows : out->rows_a_page;
    double end = w->top + shown * pitch - w->row_gap;
    out->title_y = EDGE + ns_text_measure(w->text, "H", w->style->title_size).ascent;
    out->x_label_y = end + GAP / 2 + ns_text_measure(w->text, "H", w->style->label_size).ascent;
    out->caption_y = end + w->bottom - EDGE - out->caption_lines * out->caption_pitch +
                     ns_text_measure(w->text, "H", w->style->small_size).ascent;
    out->height = ceil((end + w->bottom) / w->pixel - 1e-6) * w->pixel;
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
    static const double widths[] = {
        84, 126, 174}; /* mm: one column of a journal, one and a half, the text */
    int wide = figure->columns - 1;
    for (int i = 0; i < figure->panel_count; i++)
        if (figure->panels[i].aside) wide = figure->columns;
    double width = size->width > 0 ? size->width : widths[wide > 2 ? 2 : wide];
    out->width = round(width * NS_POINTS_PER_MM / w.pixel) * w.pixel;
    measure_rows(&w);
    w.panel_height = 60;
    int status = NS_OK;
    /* Tick labels decide the width, the width the height, the height the ticks: three rounds settle it. */
    for (int round = 0; round < 3 && !status; round++) {
        measure_columns(&w);
        status = measure_bottom(&w, err);
        if (!status) status = divide(&w, size, err);
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
