/* Which ticks of a panel's axes have labels, and how those stand: numbers as many as fit, of names each one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/figure/figure_internal.h"

static const double NAME_SHARE = 0.4; /* of the page's width that names beside a panel may take */
enum { MOST_NAME_LINES = 3 };
static const double LINE_PITCH = 1.1; /* of the size of text: between lines, and turned names */

static double width_of(ns_text_kit *kit, const char *label, double size) {
    return ns_text_measure(kit, label, size).width;
}

/* The tick's name, shortened to a width, or to the room that a tick's label has. */
static void fit_name(ns_text_kit *kit, const ns_axis *axis, double size, ns_tick *tick,
                     double width) {
    const char *name = axis->names[(int)lround(tick->value) - 1];
    if (isinf(width) && strlen(name) >= sizeof tick->label) width = width_of(kit, name, size);
    for (int k = 0; k < 32; k++, width *= 0.9) {
        char *fitted = ns_label_fit(kit, name, size, width, NULL);
        bool good = fitted && strlen(fitted) < sizeof tick->label;
        if (good) memcpy(tick->label, fitted, strlen(fitted) + 1);
        free(fitted);
        if (good || !fitted) return;
    }
}

int ns_ticks_up(ns_text_kit *kit, const ns_style *style, const ns_axis *axis, double page_width,
                double length, ns_tick *ticks) {
    int most = (int)(length / (1.7 * style->tick_size));
    if (most > 7 && !axis->names) most = 7;
    int count = ns_axis_ticks(axis, most < 2 ? 2 : most, ticks);
    for (int i = 0; i < count && axis->names; i++)
        fit_name(kit, axis, style->tick_size, &ticks[i], NAME_SHARE * page_width);
    return count;
}

/* The row of ticks below a panel that is being made. */
typedef struct row {
    ns_text_kit *kit;
    const ns_axis *axis;
    double size; /* of labels, points */
    double length, least,
        most; /* of the panel; where labels may begin and end, about its left edge */
} row;

/* Whether labels touch neither each other nor least and most, what the panels beside leave; with `blank`, those that would reach beyond
 * are taken away and their ticks stay. *labels counts those that are left. */
static bool labels_fit(const row *r, bool blank, ns_tick *ticks, int count, int *labels) {
    double apart = 0.9 * r->size, end = r->least - apart;
    *labels = 0;
    for (int i = 0; i < count; i++) {
        double half = width_of(r->kit, ticks[i].label, r->size) / 2;
        double at = ns_axis_place(r->axis, ticks[i].value) * r->length;
        bool beyond = at - half < r->least || at + half > r->most;
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

/* Numbers as names: all in full; else shortened, and where that would leave too little of them, only some. */
static int fit_ordered_names(const row *r, ns_tick *ticks) {
    int count = 0, labels;
    for (int wanted = NS_MOST_TICKS; wanted >= 1; wanted--) {
        count = ns_axis_ticks(r->axis, wanted, ticks);
        double room = r->length / r->axis->name_count *
                      (count > 1 ? ticks[1].value - ticks[0].value : (double)r->axis->name_count);
        for (int i = 0; i < count; i++) fit_name(r->kit, r->axis, r->size, &ticks[i], INFINITY);
        if (labels_fit(r, false, ticks, count, &labels)) return count;
        if (room < 5 * r->size && count > 2) continue;
        for (int i = 0; i < count; i++)
            fit_name(r->kit, r->axis, r->size, &ticks[i], room - r->size);
        if (labels_fit(r, false, ticks, count, &labels)) return count;
        if (count <= 2) break;
    }
    labels_fit(r, true, ticks, count, &labels);
    return count;
}

/* Breaks a label into lines at most `room` wide, after spaces and the signs that join words; '\n' between them. False, with the label as it
 * was, where that takes more than `most`. */
static bool break_label(const row *r, double room, int most, ns_tick *tick, int *lines) {
    char label[sizeof tick->label + MOST_NAME_LINES], piece[sizeof tick->label];
    const char *rest = tick->label;
    size_t used = 0;
    for (*lines = 1; *lines <= most; ++*lines) {
        size_t end = 0; /* of the longest piece that fits */
        for (size_t i = 0; rest[i]; i++) {
            bool last = !rest[i + 1];
            if (!last && !strchr(" -_/,;=", rest[i])) continue;
            size_t shown = rest[i] == ' ' ? i : i + 1;
            memcpy(piece, rest, shown);
            piece[shown] = 0;
            if (width_of(r->kit, piece, r->size) > room) break;
            end = i + 1;
        }
        if (!end) return false;
        memcpy(label + used, rest, end);
        used += end;
        rest += end;
        if (!*rest) break;
        if (label[used - 1] == ' ') used--;
        label[used++] = '\n';
    }
    if (*lines > most || used >= sizeof tick->label) return false;
    memcpy(tick->label, label, used);
    tick->label[used] = 0;
    return true;
}

/* Breaks all labels or none; *lines: how many the longest takes. */
static bool break_labels(const row *r, double room, int most, ns_tick *ticks, int count,
                         int *lines) {
    ns_tick broken[NS_MOST_TICKS];
    bool fits = true;
    *lines = 1;
    memcpy(broken, ticks, (size_t)count * sizeof *broken);
    for (int i = 0, its; i < count && fits; i++) {
        fits = break_label(r, room, most, &broken[i], &its);
        if (its > *lines) *lines = its;
    }
    if (fits) memcpy(ticks, broken, (size_t)count * sizeof *broken);
    return fits;
}

/* Turned names: long ones in lines where there is room for those, many in smaller text. False where even the smallest is too large. */
static bool turn_names(const row *r, double pitch, double widest, ns_panel_place *out) {
    const double long_name = 12 * r->size; /* some twenty letters */
    int most = (int)(pitch / (LINE_PITCH * r->size)), lines = 1;
    if (most > MOST_NAME_LINES) most = MOST_NAME_LINES;
    for (int k = most; k > 1 && widest > long_name; k--) {
        double room = fmax(long_name, 1.2 * widest / k);
        if (!break_labels(r, room, k, out->x, out->x_count, &lines)) continue;
        widest = room;
        break;
    }
    out->x_form = NS_NAMES_TURNED;
    out->x_size = fmin(r->size, pitch / LINE_PITCH);
    out->x_depth = widest * out->x_size / r->size + NS_NAME_GAP;
    return out->x_size >= NS_LEAST_TEXT;
}

/* Every name: side by side; else in lines; else turned. False where there is no room. */
static bool fit_names(const row *r, ns_panel_place *out) {
    int count = out->x_count = ns_axis_ticks(r->axis, NS_MOST_TICKS, out->x), labels, lines;
    double widest = 0, pitch = r->length / (r->axis->high - r->axis->low);
    for (int i = 0; i < count; i++) {
        fit_name(r->kit, r->axis, r->size, &out->x[i], INFINITY);
        widest = fmax(widest, width_of(r->kit, out->x[i].label, r->size));
    }
    if (labels_fit(r, false, out->x, count, &labels)) return true;
    if (!break_labels(r, pitch - 0.5 * r->size, MOST_NAME_LINES, out->x, count, &lines))
        return turn_names(r, pitch, widest, out);
    out->x_form = NS_NAMES_BROKEN;
    out->x_depth += (lines - 1) * LINE_PITCH * r->size;
    return true;
}

int ns_ticks_along(ns_text_kit *kit, const ns_style *style, const ns_axis *axis, double length,
                   double least, double most, ns_panel_place *out, ns_error *err) {
    const row r = {kit, axis, style->tick_size, length, least, most};
    ns_text_extents e = ns_text_measure(kit, "Hg", r.size);
    out->x_form = NS_NAMES_LEVEL;
    out->x_size = r.size;
    out->x_depth = e.ascent + e.descent;
    if (axis->names && axis->ordered) {
        out->x_count = fit_ordered_names(&r, out->x);
        return NS_OK;
    }
    if (axis->names)
        return fit_names(&r, out)
                   ? NS_OK
                   : ns_fail(err, NS_EUSAGE,
                             "--width: a panel of %.0f mm has no room for the %d names below it; "
                             "expected more, or fewer --columns",
                             length / NS_POINTS_PER_MM, axis->name_count);
    int labels;
    for (int blank = 0; blank < 2; blank++)
        for (int wanted = 7; wanted >= 2; wanted--) {
            out->x_count = ns_axis_ticks(axis, wanted, out->x);
            if (labels_fit(&r, blank, out->x, out->x_count, &labels) && labels > 1) return NS_OK;
        }
    return NS_OK;
}

/* Lines of a label about the place below its tick. */
static void draw_name(const ns_pen *d, double x, double y, const ns_panel_place *at,
                      const char *label) {
    const bool turned = at->x_form == NS_NAMES_TURNED;
    const double size = at->x_size, pitch = LINE_PITCH * size;
    const ns_color color = d->style->text;
    ns_text_extents e = ns_text_measure(d->canvas->text, "0", size);
    char line[sizeof at->x->label];
    int lines = 1;
    for (const char *c = label; *c; c++) lines += *c == '\n';
    for (int k = 0; k < lines; k++) {
        size_t length = strcspn(label, "\n");
        memcpy(line, label, length);
        line[length] = 0;
        label += length + (label[length] != 0);
        if (turned)
            ns_draw_text_up(d->canvas, x + e.cap / 2 + (k - 0.5 * (lines - 1)) * pitch, y,
                            NS_FINISH, size, color, line);
        else
            ns_draw_text(d->canvas, x, y + e.ascent + k * pitch, NS_MIDDLE, size, color, line);
    }
}

void ns_draw_names(const ns_pen *d, const ns_panel *p, const ns_panel_place *at) {
    const ns_box b = at->box;
    for (int i = 0; i < at->x_count && !p->x.bare; i++)
        draw_name(d, b.x + b.width * ns_axis_place(&p->x, at->x[i].value),
                  b.y + b.height + d->style->tick_length + NS_NAME_GAP, at, at->x[i].label);
}
