/* A figure on a canvas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/figure_internal.h"
#include "probe/base/mem.h"

static const double GAP = 2; /* points */

static ns_spot spot_at(const ns_panel *p, ns_box b, ns_spot v) {
    return (ns_spot){b.x + b.width * ns_axis_place(&p->x, v.x),
                     b.y + b.height * (1 - ns_axis_place(&p->y, v.y))};
}

static void draw_grid(const ns_pen *d, const ns_panel *p, const ns_panel_place *at) {
    ns_box b = at->box;
    for (int i = 0; i < at->x_count && !p->no_grid; i++) {
        double x = b.x + b.width * ns_axis_place(&p->x, at->x[i].value);
        if (x > b.x + 0.5 && x < b.x + b.width - 0.5)
            ns_draw_line(d->canvas, x, b.y + b.height, x, b.y, &d->style->grid);
    }
    for (int i = 0; i < at->y_count && !p->no_grid; i++) {
        double y = b.y + b.height * (1 - ns_axis_place(&p->y, at->y[i].value));
        if (y > b.y + 0.5 && y < b.y + b.height - 0.5)
            ns_draw_line(d->canvas, b.x, y, b.x + b.width, y, &d->style->grid);
    }
}

static void draw_ticks(const ns_pen *d, const ns_panel *p, const ns_panel_place *at) {
    const ns_style *s = d->style;
    ns_box b = at->box;
    ns_text_extents e = ns_text_measure(d->canvas->text, "0", s->tick_size);
    double bottom = b.y + b.height, length = s->tick_length;
    for (int i = 0; i < at->x_count; i++) {
        double x = b.x + b.width * ns_axis_place(&p->x, at->x[i].value);
        ns_draw_line(d->canvas, x, bottom, x, bottom + length, &s->tick);
    }
    ns_draw_names(d, p, at);
    for (int i = 0; i < at->y_count && !p->y.bare; i++) {
        double y = b.y + b.height * (1 - ns_axis_place(&p->y, at->y[i].value));
        ns_draw_line(d->canvas, b.x - length, y, b.x, y, &s->tick);
        ns_draw_text(d->canvas, b.x - length - GAP, y + e.cap / 2, NS_FINISH, s->tick_size, s->text,
                     at->y[i].label);
    }
}

/* Left of the widest tick label of the panel's column; smaller, then shortened, where it would meet that of the next row, or the page's edge. */
static int draw_y_label(const ns_pen *d, const ns_panel *p, const ns_panel_place *at,
                        ns_error *err) {
    if (!p->y.label) return NS_OK;
    double width = 0, middle = at->box.y + at->box.height / 2,
           room = d->figure->rows > 1 ? at->box.height + d->style->tick_size
                                      : 2 * fmin(middle, d->layout->height - middle);
    for (int i = 0; i < d->figure->panel_count; i++) {
        if (d->figure->panels[i].column != p->column || d->figure->panels[i].y.bare) continue;
        const ns_panel_place *other = &d->layout->panels[i];
        for (int t = 0; t < other->y_count; t++)
            width = fmax(
                width,
                ns_text_measure(d->canvas->text, other->y[t].label, d->style->tick_size).width);
    }
    const double size = ns_size_for(d->canvas->text, p->y.label, d->style->label_size, room);
    char *label = ns_label_fit(d->canvas->text, p->y.label, size, room, err);
    if (!label) return NS_EFAIL;
    ns_text_extents e = ns_text_measure(d->canvas->text, label, size);
    double x = at->box.x - d->style->tick_length - GAP - NS_LABEL_GAP - width - e.descent;
    ns_draw_text_up(d->canvas, x, middle, NS_MIDDLE, size, d->style->text, label);
    free(label);
    return NS_OK;
}

static void draw_x_label(const ns_pen *d, const ns_panel *p, const ns_panel_place *at) {
    if (!p->x.label) return;
    const ns_style *s = d->style;
    ns_text_extents label = ns_text_measure(d->canvas->text, p->x.label, s->label_size);
    double y =
        at->box.y + at->box.height + s->tick_length + GAP + d->layout->x_depth + label.ascent;
    ns_draw_text(d->canvas, at->box.x + at->box.width / 2, y, NS_MIDDLE, s->label_size, s->text,
                 p->x.label);
}

/* The stretches between gaps. */
static void draw_curve(const ns_pen *d, const ns_panel *p, ns_box b, const ns_item *item,
                       ns_ink *ink) {
    ns_spot *spots = ns_calloc(item->count, sizeof *spots, NULL);
    if (!spots) {
        ns_error err = {0};
        ns_fail(&err, NS_EFAIL, "no memory for a curve of %zu points", item->count);
        ns_canvas_failed(d->canvas, &err);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i <= item->count; i++) {
        ns_spot at = i < item->count ? spot_at(p, b, item->spots[i]) : (ns_spot){NAN, NAN};
        if (isfinite(at.x) && isfinite(at.y)) {
            /* Far outside of the page formats lose their precision. */
            spots[used++] = (ns_spot){fmin(fmax(at.x, b.x - 4 * b.width), b.x + 5 * b.width),
                                      fmin(fmax(at.y, b.y - 4 * b.height), b.y + 5 * b.height)};
            continue;
        }
        ns_ink_spots(ink, spots, used, true);
        if (used > 1 && !d->writer)
            ns_draw_path(d->canvas, spots, used, item->kind == NS_ITEM_AREA, &item->stroke,
                         item->kind == NS_ITEM_AREA ? &item->fill : NULL);
        used = 0;
    }
    free(spots);
}

void ns_draw_mark(ns_canvas *canvas, ns_spot at, ns_mark mark, double size, const ns_stroke *stroke,
                  const ns_color *fill) {
    double r = size / 2;
    if (mark == NS_MARK_DISC || mark == NS_MARK_SQUARE) {
        double side = mark == NS_MARK_DISC ? r : r * 0.886; /* of the same area */
        ns_draw_box(canvas, (ns_box){at.x - side, at.y - side, 2 * side, 2 * side},
                    mark == NS_MARK_DISC ? side : 0, stroke, fill);
        return;
    }
    if (mark == NS_MARK_CROSS || mark == NS_MARK_PLUS) {
        ns_stroke line = {*fill, fmax(stroke->width, size / 5), 0, 0, true};
        double a = mark == NS_MARK_CROSS ? 0.75 * r : r, b = mark == NS_MARK_CROSS ? a : 0;
        ns_draw_line(canvas, at.x - a, at.y - b, at.x + a, at.y + b, &line);
        ns_draw_line(canvas, at.x - b, at.y + a, at.x + b, at.y - a, &line);
        return;
    }
    static const struct {
        size_t count;
        ns_spot corners[5]; /* in halves of the size */
    } shapes[NS_MARK_COUNT] = {
        [NS_MARK_TRIANGLE] = {3, {{0, -1.25}, {1.15, 0.8}, {-1.15, 0.8}}},
        [NS_MARK_DOWN] = {3, {{0, 1.25}, {1.15, -0.8}, {-1.15, -0.8}}},
        [NS_MARK_DIAMOND] = {4, {{0, -1.25}, {1.1, 0}, {0, 1.25}, {-1.1, 0}}},
        [NS_MARK_PENTAGON] = {
            5, {{0, -1.1}, {1.05, -0.34}, {0.65, 0.89}, {-0.65, 0.89}, {-1.05, -0.34}}}};
    ns_spot corners[5];
    for (size_t i = 0; i < shapes[mark].count; i++)
        corners[i] =
            (ns_spot){at.x + r * shapes[mark].corners[i].x, at.y + r * shapes[mark].corners[i].y};
    ns_draw_path(canvas, corners, shapes[mark].count, true, stroke, fill);
}

static void draw_marks(const ns_pen *d, const ns_panel *p, ns_box b, const ns_item *item,
                       ns_ink *ink) {
    for (size_t i = 0; i < item->count; i++) {
        ns_spot at = spot_at(p, b, item->spots[i]);
        if (!(at.x >= b.x - item->size && at.x <= b.x + b.width + item->size &&
              at.y >= b.y - item->size && at.y <= b.y + b.height + item->size))
            continue;
        ns_ink_mark(ink, at, item->size);
        if (!d->writer)
            ns_draw_mark(d->canvas, at, item->mark, item->size, &item->stroke,
                         item->colors ? &item->colors[i] : &item->fill);
    }
}

static int draw_layer(const ns_pen *d, const ns_panel *p, ns_box b, const ns_item *item,
                      ns_ink *ink, ns_error *err) {
    double dpi = d->canvas->document.dpi;
    int width = (int)lround(b.width * dpi / 72), height = (int)lround(b.height * dpi / 72);
    ns_picture picture = {0};
    int status = item->layer.paint(item->layer.user, p, width, height, d->style, dpi, &picture,
                                   d->data, err);
    if (!status && picture.rgba) {
        ns_ink_picture(ink, &picture);
        if (d->writer)
            status = d->writer->item(d, item, &picture, err);
        else
            ns_draw_picture(d->canvas, b, &picture);
    }
    free(picture.rgba);
    return status;
}

static void write_data(const ns_pen *d, const ns_item *item) {
    const char *what = item->kind == NS_ITEM_CURVE  ? "curve"
                       : item->kind == NS_ITEM_AREA ? "area"
                                                    : "mark";
    for (size_t i = 0; d->data && i < item->count; i++)
        ns_figure_data_line(d->data, d->panel + 1, what, item->name,
                            (const double[]){item->spots[i].x, item->spots[i].y, NAN, NAN,
                                             item->values ? item->values[i] : NAN});
}

static int draw_items(const ns_pen *d, const ns_panel *p, ns_box b, ns_ink *ink, ns_error *err) {
    int status = NS_OK;
    if (!d->writer) ns_draw_clip(d->canvas, b);
    for (int i = 0; i < p->item_count && !status; i++) {
        const ns_item *item = &p->items[i];
        if (item->kind == NS_ITEM_LAYER) {
            status = draw_layer(d, p, b, item, ink, err);
            continue;
        }
        if (item->kind == NS_ITEM_MARKS)
            draw_marks(d, p, b, item, ink);
        else
            draw_curve(d, p, b, item, ink);
        if (d->writer) status = d->writer->item(d, item, NULL, err);
        write_data(d, item);
    }
    if (!d->writer) ns_draw_unclip(d->canvas);
    return status;
}

static void draw_bar(const ns_pen *d, const ns_panel *p, ns_box b) {
    if (!p->bar) return;
    const ns_style *s = d->style;
    ns_box bar = {b.x + b.width + 2 * GAP, b.y, 0.8 * s->tick_size, b.height};
    for (int i = 0; i < p->bar_count; i++) /* each up to the top, so that no seams show */
        ns_draw_box(
            d->canvas,
            (ns_box){bar.x, bar.y, bar.width, bar.height * (p->bar_count - i) / p->bar_count}, 0,
            NULL, &p->bar_colors[i]);
    ns_draw_box(d->canvas, bar, 0, &s->frame, NULL);
    ns_tick ticks[NS_MOST_TICKS];
    int most = (int)(b.height / (1.9 * s->tick_size)),
        count = ns_axis_ticks(p->bar, most > 7 ? 7 : most, ticks);
    double cap = ns_text_measure(d->canvas->text, "0", s->tick_size).cap, width = 0,
           x = bar.x + bar.width;
    for (int i = 0; i < count; i++) {
        double y = b.y + b.height * (1 - ns_axis_place(p->bar, ticks[i].value));
        ns_draw_line(d->canvas, x, y, x + s->tick_length / 2, y, &s->tick);
        ns_draw_text(d->canvas, x + GAP, y + cap / 2, NS_START, s->tick_size, s->text,
                     ticks[i].label);
        width = fmax(width, ns_text_measure(d->canvas->text, ticks[i].label, s->tick_size).width);
    }
    if (p->bar->label)
        ns_draw_text_up(d->canvas,
                        x + 2 * GAP + width +
                            ns_text_measure(d->canvas->text, "H", s->small_size).ascent,
                        b.y + b.height / 2, NS_MIDDLE, s->small_size, s->text, p->bar->label);
}

static int draw_panel(const ns_pen *d, ns_error *err) {
    const ns_panel *p = &d->figure->panels[d->panel];
    const ns_panel_place *at = &d->layout->panels[d->panel];
    char name[32];
    snprintf(name, sizeof name, "panel-%d", d->panel + 1);
    ns_ink ink = {.box = at->box};
    ns_draw_group(d->canvas, name);
    int status = NS_OK;
    if (d->writer)
        status = d->writer->begin(d, err);
    else
        draw_grid(d, p, at);
    if (!status) status = draw_items(d, p, at->box, &ink, err);
    if (!status && !d->writer) {
        ns_draw_box(d->canvas, at->box, 0, &d->style->frame, NULL);
        draw_ticks(d, p, at);
    }
    if (!status && d->writer && at->x_form != NS_NAMES_LEVEL) ns_draw_names(d, p, at);
    if (!status) {
        draw_x_label(d, p, at);
        draw_bar(d, p, at->box);
        status = draw_y_label(d, p, at, err);
        ns_draw_words(d, p, at->box);
        if (!status) status = ns_draw_labels(d, p, &ink, err);
    }
    if (!status && d->writer) status = d->writer->end(d, err);
    ns_draw_end_group(d->canvas);
    return status;
}

/* A line over the whole width, shortened where it is too long. */
static int draw_wide(const ns_pen *d, const char *label, double x, double y, ns_anchor anchor,
                     double size, ns_color color, double room, ns_error *err) {
    if (!label) return NS_OK;
    char *fitted = ns_label_fit(d->canvas->text, label, size, room, err);
    if (!fitted) return NS_EFAIL;
    ns_draw_text(d->canvas, x, y, anchor, size, color, fitted);
    free(fitted);
    return NS_OK;
}

int ns_figure_draw(const ns_figure *figure, const ns_figure_places *layout, int page,
                   const ns_style *style, ns_canvas *canvas, FILE *data, ns_error *err) {
    return ns_figure_write(figure, layout, page, style, canvas, NULL, data, err);
}

int ns_figure_write(const ns_figure *figure, const ns_figure_places *layout, int page,
                    const ns_style *style, ns_canvas *canvas, const ns_panel_writer *writer,
                    FILE *data, ns_error *err) {
    ns_pen d = {figure, layout, style, canvas, data, writer, 0};
    int status = NS_OK;
    double left = INFINITY, right = 0;
    for (int i = 0; i < figure->panel_count && !status; i++) {
        const ns_box *b = &layout->panels[i].box;
        left = fmin(left, b->x);
        right = fmax(right, b->x + b->width);
        if (figure->panels[i].row / layout->rows_a_page != page) continue;
        d.panel = i;
        status = draw_panel(&d, err);
    }
    double middle = (left + right) / 2, room = layout->width - 4;
    if (!status)
        status = draw_wide(&d, figure->title, fmin(middle, layout->width), layout->title_y,
                           NS_MIDDLE, style->title_size, style->text,
                           2 * fmin(middle, layout->width - middle) - 2, err);
    int last_row = (page + 1) * layout->rows_a_page < figure->rows
                       ? (page + 1) * layout->rows_a_page
                       : figure->rows;
    double raise = layout->pages > 1 ? (page * layout->rows_a_page + layout->rows_a_page - last_row)
                                     : 0; /* rows that the last page lacks */
    if (raise > 0 && figure->panel_count > figure->columns) {
        double pitch = layout->panels[figure->columns].box.y - layout->panels[0].box.y;
        raise *= pitch > 0 ? pitch : 0;
    }
    if (!status)
        status = draw_wide(&d, figure->x_label, middle, layout->x_label_y - raise, NS_MIDDLE,
                           style->label_size, style->text, room, err);
    if (!status && layout->below)
        status = ns_below_draw(&d, left, layout->width - left - 2, layout->below_y - raise, err);
    for (int i = 0; i < layout->caption_lines && !status; i++)
        ns_draw_text(canvas, left, layout->caption_y - raise + i * layout->caption_pitch, NS_START,
                     style->small_size, style->faint, layout->caption[i]);
    return status;
}
