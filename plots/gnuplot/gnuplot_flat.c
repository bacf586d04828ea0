/* A panel's layers as one opaque picture, for EPS: PostScript knows no opacity, and cairo would make pixels of the whole panel, text and all,
 * where a picture is in part transparent. So the picture brings the white and the gridlines that would shine through it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/gnuplot/gnuplot_internal.h"
#include "probe/base/mem.h"

/* Mixes a colour into a pixel. */
static void mix(uint8_t *pixel, const ns_color *color, double share) {
    const double parts[] = {color->r, color->g, color->b};
    for (int c = 0; c < 3; c++)
        pixel[c] = (uint8_t)lround(pixel[c] + share * (255 * parts[c] - pixel[c]));
}

/* A dashed line along a side, its middle at `at` across it; lengths in pixels. Dashes begin at the left or at the bottom. */
static void add_line(ns_picture *p, bool upright, double at, const ns_stroke *line) {
    int across = upright ? p->width : p->height, along = upright ? p->height : p->width;
    int first = (int)fmax(0, floor(at - line->width / 2)),
        last = (int)fmin(across - 1, floor(at + line->width / 2));
    double period = line->dash + line->gap;
    for (int i = first; i <= last; i++) {
        double covered = fmin(i + 1, at + line->width / 2) - fmax(i, at - line->width / 2);
        for (int k = 0; k < along && covered > 0; k++) {
            if (line->dash > 0 && fmod(k + 0.5, period) > line->dash) continue;
            int x = upright ? i : k, y = upright ? p->height - 1 - k : i;
            mix(p->rgba + 4 * ((size_t)y * (size_t)p->width + (size_t)x), &line->color, covered);
        }
    }
}

static void add_grid(ns_picture *p, const ns_pen *d) {
    const ns_panel *panel = &d->figure->panels[d->panel];
    const ns_panel_place *at = &d->layout->panels[d->panel];
    ns_stroke line = d->style->grid;
    double scale = d->canvas->document.dpi / 72;
    if (panel->no_grid || line.width <= 0) return;
    line.width *= scale, line.dash *= scale, line.gap *= scale;
    for (int i = 0; i < at->x_count; i++)
        add_line(p, true, ns_axis_place(&panel->x, at->x[i].value) * p->width, &line);
    for (int i = 0; i < at->y_count; i++)
        add_line(p, false, (1 - ns_axis_place(&panel->y, at->y[i].value)) * p->height, &line);
}

int ns_gnuplot_flatten(ns_picture *flat, const ns_pen *d, const ns_picture *layer, ns_error *err) {
    size_t count = (size_t)layer->width * (size_t)layer->height;
    if (!flat->rgba) {
        *flat = (ns_picture){layer->width, layer->height, ns_calloc(count, 4, err)};
        if (!flat->rgba) return NS_EFAIL;
        memset(flat->rgba, 255, 4 * count);
        add_grid(flat, d);
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *over = layer->rgba + 4 * i;
        const ns_color color = {over[0] / 255.0, over[1] / 255.0, over[2] / 255.0, 1};
        if (over[3]) mix(flat->rgba + 4 * i, &color, over[3] / 255.0);
    }
    return NS_OK;
}
