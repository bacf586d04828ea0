/* Text within a panel: its name in a framed box, and the legend with its notes where it covers least. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/figure_internal.h"
#include "probe/base/mem.h"

static const double BOX_PAD = 2.4; /* points */

static void add_ink(ns_ink *ink, double x, double y, double amount) {
    double i = floor((x - ink->box.x) / ink->box.width * NS_INK_SIDE),
           j = floor((y - ink->box.y) / ink->box.height * NS_INK_SIDE);
    if (i >= 0 && i < NS_INK_SIDE && j >= 0 && j < NS_INK_SIDE)
        ink->cells[(int)j][(int)i] += (float)amount;
}

void ns_ink_picture(ns_ink *ink, const ns_picture *p) {
    float share = (float)NS_INK_SIDE / (float)p->width * ((float)NS_INK_SIDE / (float)p->height);
    for (int y = 0; y < p->height; y++) {
        float *row = ink->cells[(int64_t)y * NS_INK_SIDE / p->height];
        const uint8_t *pixel = p->rgba + 4 * (size_t)y * (size_t)p->width;
        for (int x = 0; x < p->width; x++)
            row[(int64_t)x * NS_INK_SIDE / p->width] += share * (float)pixel[4 * x + 3] / 255;
    }
}

void ns_ink_spots(ns_ink *ink, const ns_spot *spots, size_t count, bool joined) {
    double step = fmin(ink->box.width, ink->box.height) / NS_INK_SIDE;
    for (size_t i = 0; i < count; i++) {
        bool line = joined && i > 0;
        double dx = line ? spots[i].x - spots[i - 1].x : 0,
               dy = line ? spots[i].y - spots[i - 1].y : 0;
        double length = hypot(dx, dy);
        if (!isfinite(spots[i].x) || !isfinite(spots[i].y) || !isfinite(length)) continue;
        int steps = (int)fmin(ceil(length / step), 16 * NS_INK_SIDE);
        for (int k = 0; k < steps || k == 0; k++)
            add_ink(ink, spots[i].x - dx * k / fmax(steps, 1), spots[i].y - dy * k / fmax(steps, 1),
                    1);
    }
}

void ns_ink_mark(ns_ink *ink, ns_spot at, double size) {
    double cell = fmin(ink->box.width, ink->box.height) / NS_INK_SIDE;
    int reach = (int)fmin(ceil(size / 2 / cell), NS_INK_SIDE);
    for (int j = -reach; j <= reach; j++)
        for (int i = -reach; i <= reach; i++) add_ink(ink, at.x + i * cell, at.y + j * cell, 1);
}

double ns_ink_within(const ns_ink *ink, ns_box b) {
    double cell_width = ink->box.width / NS_INK_SIDE, cell_height = ink->box.height / NS_INK_SIDE,
           sum = 0;
    for (int j = 0; j < NS_INK_SIDE; j++)
        for (int i = 0; i < NS_INK_SIDE; i++) {
            double x = ink->box.x + i * cell_width, y = ink->box.y + j * cell_height;
            if (x + cell_width > b.x && x < b.x + b.width && y + cell_height > b.y &&
                y < b.y + b.height)
                sum += (double)ink->cells[j][i];
        }
    return sum * cell_width * cell_height;
}

static bool overlap(ns_box a, ns_box b) {
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height &&
           b.y < a.y + a.height;
}

/* The box's place in a corner; beyond what stands there already. */
static ns_box place_in(ns_corner corner, ns_box box, ns_box b, ns_box taken) {
    bool right = corner == NS_UPPER_RIGHT || corner == NS_LOWER_RIGHT,
         low = corner == NS_LOWER_LEFT || corner == NS_LOWER_RIGHT;
    box.x = right ? b.x + b.width - BOX_PAD - box.width : b.x + BOX_PAD;
    box.y = low ? b.y + b.height - BOX_PAD - box.height : b.y + BOX_PAD;
    if (overlap(box, taken))
        box.y = low ? taken.y - BOX_PAD - box.height : taken.y + taken.height + BOX_PAD;
    return box;
}

/* Of the places along the sides and then of all others the one with the least under the box, where that is less than a quarter of
 * *least; what is taken stays so. */
static void find_gap(ns_box *place, double *least, ns_box b, ns_box taken, const ns_ink *ink) {
    enum { STEPS = 24 };
    double width = b.width - 2 * BOX_PAD - place->width,
           height = b.height - 2 * BOX_PAD - place->height, bound = *least / 4;
    for (int inside = 0; inside <= 1 && width > 0 && height > 0; inside++)
        for (int k = 0; k <= STEPS * (STEPS + 2); k++) {
            int i = k % (STEPS + 1), j = k / (STEPS + 1);
            bool at_side = i == 0 || j == 0 || i == STEPS || j == STEPS;
            ns_box at = {b.x + BOX_PAD + width * i / STEPS, b.y + BOX_PAD + height * j / STEPS,
                         place->width, place->height};
            if (at_side == (bool)inside || overlap(at, taken)) continue;
            double covered = ns_ink_within(ink, at);
            if (covered < bound) bound = *least = covered, *place = at;
        }
}

/* Moves the box to the freest corner: `first`, unless another has less than half as much under the box; where no corner is free, to a
 * gap elsewhere. False where none has the room. */
static bool find_place(ns_box *box, ns_corner first, ns_box b, ns_box taken, const ns_ink *ink) {
    double least = INFINITY;
    ns_box place = *box;
    for (int k = 0; k < 4; k++) {
        ns_box at = place_in((ns_corner)((first + k) % 4), *box, b, taken);
        if (at.x < b.x || at.y < b.y || at.y + at.height > b.y + b.height) continue;
        double covered = ns_ink_within(ink, at);
        if (least == INFINITY || covered < least / 2) least = covered, place = at;
    }
    if (least > 0 && least < INFINITY) find_gap(&place, &least, b, taken, ink);
    *box = place;
    return least < INFINITY;
}

double ns_size_for(ns_text_kit *kit, const char *label, double size, double room) {
    double wanted = ns_text_measure(kit, label, size).width;
    return wanted <= room ? size : fmax(fmin(size, NS_LEAST_TEXT), 0.99 * size * room / wanted);
}

/* What text may cover of a panel: beyond that it would hide what it names. */
static const double NAME_SHARE = 0.3, TEXT_SHARE = 0.5;

/* Draws it and sets *taken to its box, empty where the panel has no name. */
static int draw_title(const ns_pen *d, const ns_panel *p, ns_box b, const ns_ink *ink,
                      ns_box *taken, ns_error *err) {
    const ns_style *s = d->style;
    ns_text_kit *kit = d->canvas->text;
    *taken = (ns_box){b.x, b.y, 0, 0};
    if (!p->title) return NS_OK;
    double room = b.width - 4 * BOX_PAD, half = b.width / 2 - 4 * BOX_PAD; /* an S leaves half */
    const double size = ns_size_for(kit, p->title, s->tick_size, room);
    char *title = ns_label_fit(kit, p->title, size, room, err), *subtitle = NULL;
    ns_text_extents big = ns_text_measure(kit, title ? title : "", size);
    if (title)
        subtitle = ns_label_fit(kit, p->subtitle ? p->subtitle : "", s->small_size,
                                fmax(big.width, half), err);
    if (!subtitle) {
        free(title);
        return NS_EFAIL;
    }
    ns_text_extents small = ns_text_measure(kit, subtitle, s->small_size);
    double lead = *subtitle ? 1.15 * small.ascent : 0;
    ns_box box = {b.x + BOX_PAD, b.y + BOX_PAD, fmax(big.width, small.width) + 2 * BOX_PAD,
                  big.cap + lead + 2 * BOX_PAD + (*subtitle ? small.descent / 2 : 0)};
    if (box.width * box.height > NAME_SHARE * b.width * b.height) {
        box.width = big.width + 2 * BOX_PAD, box.height = big.cap + 2 * BOX_PAD;
        *subtitle = 0;
    }
    find_place(&box, NS_UPPER_LEFT, b, *taken, ink);
    ns_draw_box(d->canvas, box, 1.5, &s->box, &s->box_fill);
    double base = box.y + BOX_PAD + big.cap;
    ns_draw_text(d->canvas, box.x + BOX_PAD, base, NS_START, size, s->text, title);
    ns_draw_text(d->canvas, box.x + BOX_PAD, base + lead, NS_START, s->small_size, s->faint,
                 subtitle);
    free(title);
    free(subtitle);
    *taken = box;
    return NS_OK;
}

void ns_draw_words(const ns_pen *d, const ns_panel *p, ns_box b) {
    const double size = d->style->small_size;
    double width = p->word_room.x / (p->x.high - p->x.low) * b.width - BOX_PAD,
           height = p->word_room.y / (p->y.high - p->y.low) * b.height;
    ns_text_kit *kit = d->canvas->text;
    for (int i = 0; i < p->word_count; i++)
        if (ns_text_measure(kit, p->words[i].label, size).width > width || 1.3 * size > height)
            return;
    double cap = ns_text_measure(kit, "0", size).cap;
    for (int i = 0; i < p->word_count; i++) {
        const ns_words *word = &p->words[i];
        ns_draw_text(d->canvas, b.x + b.width * ns_axis_place(&p->x, word->at.x),
                     b.y + b.height * (1 - ns_axis_place(&p->y, word->at.y)) + cap / 2, NS_MIDDLE,
                     size, word->color, word->label);
    }
}

/* A line of the legend: of an item with its sample, or of a note. */
enum { MOST_LINES = 24 };
typedef struct line {
    const ns_item *item; /* or NULL */
    char *text;
} line;

typedef struct legend {
    line lines[MOST_LINES];
    int count, lasting_from;
    double size, pitch, sample, gap, cap, pad; /* of text; between baselines; of samples */
    double width;                              /* of the widest line */
    double room;                               /* that a line may have */
} legend;

static void free_legend(legend *l) {
    for (int i = 0; i < l->count; i++) free(l->lines[i].text);
    l->count = 0;
}

/* `text`, shortened where the panel is too narrow for it. */
static int add_line(legend *l, ns_text_kit *kit, const ns_item *item, const char *text,
                    ns_error *err) {
    double before = item ? l->sample + l->gap : 0;
    if (l->count == MOST_LINES) return NS_OK;
    char *fitted = ns_label_fit(kit, text, l->size, fmax(l->room - before, 0), err);
    if (!fitted) return NS_EFAIL;
    l->lines[l->count++] = (line){item, fitted};
    l->width = fmax(l->width, before + ns_text_measure(kit, fitted, l->size).width);
    return NS_OK;
}

/* A note on as many lines as it takes: broken between words beyond `width`. */
static int add_note(legend *l, ns_text_kit *kit, const char *note, double width, ns_error *err) {
    char *lines[MOST_LINES];
    int count = 0,
        status = ns_label_wrap(kit, note, l->size, width, MOST_LINES, lines, &count, err);
    for (int i = 0; i < count; i++) {
        if (!status) status = add_line(l, kit, NULL, lines[i], err);
        free(lines[i]);
    }
    return status;
}

static const double ASIDE_NOTE = 70; /* points: where notes beside a panel are broken */

bool ns_is_listed(const ns_item *item) {
    return item->name && !item->unlisted && item->kind != NS_ITEM_LAYER;
}

double ns_aside_width(ns_text_kit *kit, const ns_style *style, const ns_panel *p) {
    const double size = style->small_size;
    double width = p->notes[0] ? ASIDE_NOTE : 0;
    for (int i = 0; i < p->item_count; i++)
        if (ns_is_listed(&p->items[i]))
            width = fmax(width, ns_text_measure(kit, p->items[i].name, size).width + 2.7 * size);
    return fmin(width + BOX_PAD, 20 * size);
}

static int make_legend(legend *l, const ns_pen *d, const ns_panel *p, ns_box b, ns_error *err) {
    ns_text_kit *kit = d->canvas->text;
    const double size = d->style->small_size;
    *l = (legend){.size = size,
                  .pitch = 1.3 * size,
                  .sample = 2.2 * size,
                  .gap = 0.5 * size,
                  .cap = ns_text_measure(kit, "H", size).cap,
                  .pad = 0.5 * BOX_PAD,
                  .room = p->aside ? 20 * size - BOX_PAD : b.width - 2 * BOX_PAD - BOX_PAD};
    int status = NS_OK;
    for (int i = 0; i < p->item_count && !status; i++) {
        const ns_item *item = &p->items[i];
        if (ns_is_listed(item)) status = add_line(l, kit, item, item->name, err);
    }
    double width = fmax(l->width, p->aside ? ASIDE_NOTE : 0.5 * b.width);
    int notes = 0;
    while (notes < NS_MOST_NOTES && p->notes[notes]) notes++;
    for (int i = 0; i < notes && !status; i++) {
        if (i <= notes - p->lasting) l->lasting_from = l->count;
        status = add_note(l, kit, p->notes[i], width, err);
    }
    if (!p->lasting) l->lasting_from = l->count;
    return status;
}

/* What is not lasting goes; after that, all of it. */
static void cut_legend(legend *l, ns_text_kit *kit) {
    int gone = l->lasting_from > 0 ? l->lasting_from : l->count;
    for (int i = 0; i < gone; i++) free(l->lines[i].text);
    l->count -= gone;
    l->lasting_from = 0;
    memmove(l->lines, l->lines + gone, (size_t)l->count * sizeof *l->lines);
    l->width = 0;
    for (int i = 0; i < l->count; i++)
        l->width = fmax(l->width, ns_text_measure(kit, l->lines[i].text, l->size).width);
}

static ns_box legend_box(const legend *l) {
    return (ns_box){0, 0, l->width + 2 * l->pad, (l->count - 1) * l->pitch + l->cap + 2 * l->pad};
}

void ns_draw_sample(const ns_pen *d, const ns_item *item, double x, double y, double length) {
    if (item->kind == NS_ITEM_CURVE) {
        ns_draw_line(d->canvas, x, y, x + length, y, &item->stroke);
    } else if (item->kind == NS_ITEM_AREA) {
        ns_draw_box(d->canvas, (ns_box){x, y - length / 4, length, length / 2}, 0, &item->stroke,
                    &item->fill);
    } else if (item->kind == NS_ITEM_MARKS) {
        ns_draw_mark(d->canvas, (ns_spot){x + length / 2, y}, item->mark, fmin(item->size, length),
                     &item->stroke, &item->fill);
    }
}

static void draw_lines(const ns_pen *d, const legend *l, ns_box box) {
    ns_draw_box(d->canvas, box, 1, NULL, &d->style->box_fill);
    double x = box.x + l->pad, y = box.y + l->pad + l->cap;
    for (int i = 0; i < l->count; i++, y += l->pitch) {
        const ns_item *item = l->lines[i].item;
        if (item) ns_draw_sample(d, item, x, y - l->cap / 2, l->sample);
        ns_draw_text(d->canvas, item ? x + l->sample + l->gap : x, y, NS_START, l->size,
                     d->style->text, l->lines[i].text);
    }
}

int ns_draw_labels(const ns_pen *d, const ns_panel *p, const ns_ink *ink, ns_error *err) {
    ns_box b = ink->box, title;
    int status = draw_title(d, p, b, ink, &title, err);
    if (status || (p->aside && d->layout->below)) return status;
    legend l;
    status = make_legend(&l, d, p, b, err);
    ns_box box = legend_box(&l);
    if (p->aside) {
        box.x = d->layout->panels[d->panel].aside, box.y = b.y;
        if (!status && l.count) draw_lines(d, &l, box);
        free_legend(&l);
        return status;
    }
    double free_area = TEXT_SHARE * b.width * b.height - title.width * title.height;
    while (!status && l.count &&
           (box.width * box.height > free_area || !find_place(&box, p->legend, b, title, ink))) {
        cut_legend(&l, d->canvas->text);
        box = legend_box(&l);
    }
    if (!status && l.count) draw_lines(d, &l, box);
    free_legend(&l);
    return status;
}
