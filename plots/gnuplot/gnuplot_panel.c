/* Panels as gnuplot knows them: axes with ranges and ticks, and items that are plotted from the file of data. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/io.h"
#include "probe/base/mem.h"
#include "probe/base/output.h"

static const double GAP = 2;     /* points, as in plots/figure/figure_draw.c */
#define KEY_TEXT 6.0             /* points: of gnuplot's own key, whose sizes are not known here */
static const double HAIR = 0.05; /* points: a line around a filled mark that cannot be left out */

static const ns_panel *panel_of(const ns_pen *d) {
    return &d->figure->panels[d->panel];
}

static void add_margins(ns_gnuplot *g, ns_box b) {
    ns_gnuplot_number(&g->setup, "set lmargin at screen ", ns_gnuplot_x(g, b.x));
    ns_gnuplot_number(&g->setup, "; set rmargin at screen ", ns_gnuplot_x(g, b.x + b.width));
    ns_gnuplot_number(&g->setup, "\nset tmargin at screen ", ns_gnuplot_y(g, b.y));
    ns_gnuplot_number(&g->setup, "; set bmargin at screen ", ns_gnuplot_y(g, b.y + b.height));
    ns_bytes_print(&g->setup, "\n");
}

static void add_range(ns_gnuplot *g, const char *name, const ns_axis *axis) {
    ns_bytes_print(&g->setup, "%sset logscale %s; set %srange [", axis->log ? "" : "un", name,
                   name);
    ns_gnuplot_value(&g->setup, "", axis->low);
    ns_gnuplot_value(&g->setup, ":", axis->high);
    ns_bytes_print(&g->setup, "]\n");
}

/* The labels' place is gnuplot's own, moved to where the layout wants it; `hidden`: neither ticks nor labels; `apart`: labels are drawn by
 * themselves. */
static void add_ticks(const ns_pen *d, const char *name, const ns_axis *axis, const ns_tick *ticks,
                      int count, bool hidden, bool apart, ns_error *err, int *status) {
    ns_gnuplot *g = d->canvas->state;
    const ns_gnuplot_terminal *t = g->terminal;
    const ns_style *s = d->style;
    ns_text_kit *kit = d->canvas->text;
    ns_bytes *out = &g->setup;
    if (!count) {
        ns_bytes_print(out, "unset %stics\n", name);
        return;
    }
    ns_text_extents e = ns_text_measure(kit, "0123456789", s->tick_size);
    double line = t->line_height > 0 ? t->line_height * s->tick_size : e.ascent + e.descent,
           letter = t->letter_width > 0 ? t->letter_width * s->tick_size : e.width / 10,
           drop = t->drop * s->tick_size;
    bool along = *name == 'x', enhanced = false;
    for (int i = 0; i < count; i++) enhanced |= ns_gnuplot_has_markup(ticks[i].label);
    ns_bytes_print(out, "set %stics out nomirror norotate", name);
    ns_gnuplot_number(out, " scale ", hidden ? 0 : s->tick_length / (t->tick * line));
    ns_gnuplot_number(out, " offset screen ", along ? 0 : ns_gnuplot_dx(g, letter - GAP));
    ns_gnuplot_number(
        out, ",screen ",
        -ns_gnuplot_dy(g, along ? GAP / 2 + e.ascent - line - drop : e.cap / 2 - drop));
    ns_gnuplot_number(out, " font ',", s->tick_size * t->font);
    ns_bytes_print(out, "' tc");
    ns_gnuplot_color(out, g, s->text);
    ns_bytes_print(out, " %senhanced (", enhanced ? "" : "no");
    for (int i = 0; i < count && !*status; i++) {
        char *known = ns_label_known(kit, axis->bare || apart ? "" : ticks[i].label, err);
        if (!known) *status = NS_EFAIL;
        if (i) ns_bytes_print(out, ", ");
        if (known) ns_gnuplot_label(out, known, s->tick_size, true);
        free(known);
        ns_gnuplot_value(out, " ", ticks[i].value);
    }
    ns_bytes_print(out, ")\n");
}

static void add_grid(ns_gnuplot *g, const ns_stroke *grid, bool none) {
    if (none || grid->width <= 0) {
        ns_bytes_print(&g->setup, "unset grid\n");
        return;
    }
    ns_bytes_print(&g->setup, "set grid xtics ytics back lt 1");
    ns_gnuplot_stroke(&g->setup, g, grid);
    ns_bytes_print(&g->setup, "\n");
}

static int begin(const ns_pen *d, ns_error *err) {
    ns_gnuplot *g = d->canvas->state;
    const ns_panel *p = panel_of(d);
    const ns_panel_place *at = &d->layout->panels[d->panel];
    int status = NS_OK;
    g->in_panel = true;
    char *head = ns_asprintf(err, "Panel %d%s%s", d->panel + 1, p->title ? ": " : "",
                             p->title ? p->title : "");
    if (!head) return NS_EFAIL;
    ns_bytes_print(&g->setup, "\n");
    ns_gnuplot_comment(&g->setup, head);
    free(head);
    add_margins(g, at->box);
    add_range(g, "x", &p->x);
    add_range(g, "y", &p->y);
    add_ticks(d, "x", &p->x, at->x, at->x_count, false, at->x_form != NS_NAMES_LEVEL, err, &status);
    add_ticks(d, "y", &p->y, at->y, at->y_count, p->y.bare, false, err, &status);
    add_grid(g, &d->style->grid, p->no_grid);
    ns_bytes_print(&g->setup, "set border 15");
    ns_gnuplot_stroke(&g->setup, g, &d->style->frame);
    ns_bytes_print(&g->setup, "\n");
    return status;
}

/* Whether gnuplot can place it. */
static bool has_place(const ns_panel *p, ns_spot v) {
    return isfinite(ns_axis_place(&p->x, v.x)) && isfinite(ns_axis_place(&p->y, v.y));
}

static void add_spot(ns_gnuplot *g, const ns_item *item, size_t i) {
    ns_gnuplot_value(&g->data, "", item->spots[i].x);
    ns_gnuplot_value(&g->data, "\t", item->spots[i].y);
    if (item->colors)
        ns_bytes_print(&g->data, "\t%u", (unsigned)ns_gnuplot_rgb(g, item->colors[i]));
    ns_bytes_print(&g->data, "\n");
}

/* Stretches of spots with an empty line between them; those of areas end where they begin. */
static void add_spots(ns_gnuplot *g, const ns_panel *p, const ns_item *item) {
    bool area = item->kind == NS_ITEM_AREA, any = false;
    for (size_t i = 0, first = 0; i < item->count; i++) {
        if (!has_place(p, item->spots[i])) {
            first = i + 1;
            continue;
        }
        if (i == first && any && item->kind != NS_ITEM_MARKS) ns_bytes_print(&g->data, "\n");
        any = true;
        add_spot(g, item, i);
        if (area && (i + 1 == item->count || !has_place(p, item->spots[i + 1])))
            add_spot(g, item, first);
    }
}

/* A block of the data, with a third column where there are colours. False: the item has no spot that gnuplot could place. */
static bool add_block(ns_gnuplot *g, const ns_pen *d, const ns_item *item, const char *what,
                      ns_error *err, int *status) {
    const ns_panel *p = panel_of(d);
    bool some = false;
    for (size_t i = 0; i < item->count && !some; i++) some = has_place(p, item->spots[i]);
    if (!some) return false;
    char *head = ns_asprintf(err, "block %d: panel %d, %s%s%s", g->blocks, d->panel + 1, what,
                             item->name ? " " : "", item->name ? item->name : "");
    if (!head) *status = NS_EFAIL;
    if (head) ns_gnuplot_comment(&g->data, head);
    free(head);
    add_spots(g, p, item);
    ns_bytes_print(&g->data, "\n\n");
    g->blocks++;
    return true;
}

static const char BETWEEN_PARTS[] = ", \\\n     ";

/* The next part of the plot command. */
static ns_bytes *next_part(ns_gnuplot *g) {
    if (g->plot.size) ns_bytes_print(&g->plot, "%s", BETWEEN_PARTS);
    return &g->plot;
}

static void add_source(ns_gnuplot *g, const char *ending, int block) {
    ns_bytes *out = next_part(g);
    char *name = ns_asprintf(NULL, "./%s%s", g->name, ending);
    if (name) ns_gnuplot_quote(out, name);
    out->failed |= !name;
    free(name);
    if (block >= 0) ns_bytes_print(out, " index %d", block);
}

/* For gnuplot's own key, which is off: `set key` brings it. */
static void add_title(ns_gnuplot *g, const ns_item *item) {
    if (item && item->name && !item->unlisted) {
        ns_bytes_print(&g->plot, " title ");
        if (!ns_gnuplot_label(&g->plot, item->name, KEY_TEXT, false))
            ns_bytes_print(&g->plot, " noenhanced");
    } else {
        ns_bytes_print(&g->plot, " notitle");
    }
}

static void add_line(ns_gnuplot *g, const ns_item *item, bool titled) {
    add_source(g, ".dat", g->blocks - 1);
    ns_bytes_print(&g->plot, " using 1:2 with lines");
    ns_gnuplot_stroke(&g->plot, g, &item->stroke);
    add_title(g, titled ? item : NULL);
}

static void add_area(ns_gnuplot *g, const ns_item *item) {
    bool filled = item->fill.a > 0;
    if (filled) {
        add_source(g, ".dat", g->blocks - 1);
        ns_bytes_print(&g->plot, " using 1:2 with filledcurves closed fs solid noborder fc");
        ns_gnuplot_color(&g->plot, g, item->fill);
        add_title(g, item);
    }
    if (item->stroke.width > 0) add_line(g, item, !filled);
}

/* gnuplot's point types, and what makes them as large as marks of the canvas: on cairo's terminals, and in SVG, whose triangles and diamonds
 * are larger. */
typedef struct mark_type {
    int filled, open;
    double scale, svg_scale;
} mark_type;
static const mark_type mark_types[NS_MARK_COUNT] = {
    [NS_MARK_DISC] = {7, 6, 1, 1},         [NS_MARK_SQUARE] = {5, 4, 0.886, 0.886},
    [NS_MARK_TRIANGLE] = {9, 8, 1.2, 0.9}, [NS_MARK_DIAMOND] = {13, 12, 1.18, 0.83},
    [NS_MARK_CROSS] = {2, 2, 0.75, 0.75},  [NS_MARK_PLUS] = {1, 1, 1, 1},
    [NS_MARK_DOWN] = {11, 10, 1.2, 0.9},   [NS_MARK_PENTAGON] = {15, 14, 1.05, 1.05}};

static void add_points(ns_gnuplot *g, const ns_item *item, bool filled, double width,
                       ns_color color, bool titled) {
    const mark_type *type = &mark_types[item->mark];
    bool various = item->colors && filled;
    add_source(g, ".dat", g->blocks - 1);
    ns_bytes_print(&g->plot, " using 1:2%s with points pt %d", various ? ":3" : "",
                   filled ? type->filled : type->open);
    ns_gnuplot_number(&g->plot, " ps ",
                      item->size * (g->terminal->mark > 0 ? type->scale : type->svg_scale));
    ns_gnuplot_number(&g->plot, "*one_pt lw ", width);
    ns_bytes_print(&g->plot, " lc");
    if (various)
        ns_bytes_print(&g->plot, " rgb variable");
    else
        ns_gnuplot_color(&g->plot, g, color);
    add_title(g, titled ? item : NULL);
}

static void add_marks(ns_gnuplot *g, const ns_item *item) {
    bool cross = item->mark == NS_MARK_CROSS || item->mark == NS_MARK_PLUS;
    add_points(g, item, true, cross ? fmax(item->stroke.width, item->size / 5) : HAIR, item->fill,
               true);
    if (!cross && item->stroke.width > 0)
        add_points(g, item, false, item->stroke.width, item->stroke.color, false);
}

static int write_layer(const ns_gnuplot *g, const ns_picture *picture, const char *name, double dpi,
                       ns_error *err) {
    ns_bytes png = {0};
    ns_output file = {0};
    char *path = ns_path_join(g->folder, name, err);
    int status = path ? ns_png_encode(&png, picture, dpi, NULL, err) : NS_EFAIL;
    if (!status) status = ns_output_open(&file, path, false, err);
    if (!status) status = ns_bytes_write(&png, file.file, err);
    if (!status) status = ns_output_commit(&file, err);
    ns_output_drop(&file);
    free(png.data);
    free(path);
    return status;
}

/* Pixels have places in the data's units; on a log axis, where they have none, second axes count them. */
static int add_layer(const ns_pen *d, const ns_picture *picture, ns_error *err) {
    ns_gnuplot *g = d->canvas->state;
    const ns_panel *p = panel_of(d);
    char ending[40];
    snprintf(ending, sizeof ending, "-layer-%d.png", ++g->layers);
    char *name = ns_asprintf(err, "%s%s", g->name, ending);
    if (!name) return NS_EFAIL;
    int status = write_layer(g, picture, name, d->canvas->document.dpi, err);
    free(name);
    bool log = p->x.log || p->y.log;
    ns_axis x = p->x, y = p->y;
    if (log) {
        x = (ns_axis){.high = picture->width}, y = (ns_axis){.high = picture->height};
        ns_bytes_print(&g->setup, "set x2range [0:%d]; set y2range [0:%d]\n", picture->width,
                       picture->height);
    }
    double dx = (x.high - x.low) / picture->width, dy = (y.high - y.low) / picture->height;
    add_source(g, ending, -1);
    ns_gnuplot_value(&g->plot, " binary filetype=png origin=(", x.low + dx / 2);
    ns_gnuplot_value(&g->plot, ",", y.low + dy / 2);
    ns_gnuplot_value(&g->plot, ") dx=", dx);
    ns_gnuplot_value(&g->plot, " dy=", dy);
    ns_bytes_print(&g->plot, "%s with %s notitle", log ? " axes x2y2" : "",
                   ns_picture_is_opaque(picture) ? "rgbimage" : "rgbalpha");
    return status;
}

static int item(const ns_pen *d, const ns_item *it, const ns_picture *picture, ns_error *err) {
    ns_gnuplot *g = d->canvas->state;
    int status = NS_OK;
    if (picture)
        return g->terminal->opaque ? ns_gnuplot_flatten(&g->flat, d, picture, err)
                                   : add_layer(d, picture, err);
    if (it->kind == NS_ITEM_CURVE && it->stroke.width <= 0) return NS_OK;
    static const char *const words[] = {"curve", "marks", "area"};
    if (!add_block(g, d, it, words[it->kind], err, &status)) return status;
    if (it->kind == NS_ITEM_CURVE)
        add_line(g, it, true);
    else if (it->kind == NS_ITEM_AREA)
        add_area(g, it);
    else
        add_marks(g, it);
    return status;
}

static int end(const ns_pen *d, ns_error *err) {
    ns_gnuplot *g = d->canvas->state;
    ns_bytes items = g->plot;
    int status = NS_OK;
    /* Opaque, so below everything else. */
    g->plot = (ns_bytes){0};
    if (g->flat.rgba) status = add_layer(d, &g->flat, err);
    if (items.size) ns_bytes_add(next_part(g), items.data, items.size);
    g->plot.failed |= items.failed;
    free(items.data);
    free(g->flat.rgba);
    g->flat.rgba = NULL;
    if (!g->plot.size) ns_bytes_print(&g->plot, "NaN notitle");
    ns_bytes_add(&g->panels, g->setup.data, g->setup.size);
    ns_bytes_print(&g->panels, "plot ");
    ns_bytes_add(&g->panels, g->plot.data, g->plot.size);
    ns_bytes_print(&g->panels, "\nunset label; unset object; unset arrow\n");
    g->panels.failed |= g->setup.failed || g->plot.failed;
    g->setup.size = g->plot.size = 0;
    g->in_panel = false;
    return status;
}

const ns_panel_writer ns_gnuplot_panels = {.begin = begin, .item = item, .end = end};
