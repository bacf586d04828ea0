/* The legend below all panels, for panels that are too narrow to have theirs beside them: its lines run on like words, over the page's width. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/figure_internal.h"

/* Where the next entry goes; nothing is drawn where `pen` is NULL. */
typedef struct flow {
    const ns_pen *pen;
    ns_text_kit *kit;
    double size, left, width, pitch; /* points */
    double x, y;                     /* of the next entry, y a baseline */
    int lines;
} flow;

static void next_line(flow *f) {
    f->y += f->pitch;
    f->x = f->left;
    f->lines++;
}

/* An entry with its sample, or a line of text. */
static int add_entry(flow *f, const ns_item *item, const char *text, ns_error *err) {
    const double sample = item ? 2.7 * f->size : 0, between = 1.5 * f->size;
    char *fitted = ns_label_fit(f->kit, text, f->size, f->width - sample, err);
    if (!fitted) return NS_EFAIL;
    double width = sample + ns_text_measure(f->kit, fitted, f->size).width;
    if (f->x > f->left && f->x + width > f->left + f->width) next_line(f);
    if (!f->lines) f->lines = 1;
    if (f->pen) {
        const ns_canvas *canvas = f->pen->canvas;
        double cap = ns_text_measure(canvas->text, "H", f->size).cap;
        if (item) ns_draw_sample(f->pen, item, f->x, f->y - cap / 2, 2.2 * f->size);
        ns_draw_text(f->pen->canvas, f->x + sample, f->y, NS_START, f->size, f->pen->style->text,
                     fitted);
    }
    f->x += width + between;
    free(fitted);
    return NS_OK;
}

static int add_note(flow *f, const char *note, ns_error *err) {
    char *lines[NS_CAPTION_LINES];
    int count = 0, status = ns_label_wrap(f->kit, note, f->size, f->width, NS_CAPTION_LINES, lines,
                                          &count, err);
    for (int i = 0; i < count; i++) {
        if (i) next_line(f);
        if (!status) status = add_entry(f, NULL, lines[i], err);
        free(lines[i]);
    }
    return status;
}

static int add_all(flow *f, const ns_figure *figure, ns_error *err) {
    int status = NS_OK;
    for (int i = 0; i < figure->panel_count && !status; i++) {
        const ns_panel *p = &figure->panels[i];
        for (int k = 0; k < p->item_count && !status && p->aside; k++)
            if (ns_is_listed(&p->items[k]))
                status = add_entry(f, &p->items[k], p->items[k].name, err);
        for (int k = 0; k < NS_MOST_NOTES && !status && p->aside && p->notes[k]; k++)
            status = add_note(f, p->notes[k], err);
    }
    return status;
}

int ns_below_lines(ns_text_kit *kit, const ns_style *style, const ns_figure *figure, double width,
                   int *lines, ns_error *err) {
    flow f = {.kit = kit, .size = style->small_size, .width = width};
    int status = add_all(&f, figure, err);
    *lines = f.lines;
    return status;
}

int ns_below_draw(const ns_pen *d, double left, double width, double y, ns_error *err) {
    const double size = d->style->small_size;
    flow f = {.pen = d,
              .kit = d->canvas->text,
              .size = size,
              .left = left,
              .width = width,
              .pitch = NS_BELOW_PITCH * size,
              .x = left,
              .y = y};
    return add_all(&f, d->figure, err);
}
