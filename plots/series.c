#include "plots/series.h"

#include <math.h>
#include <string.h>

#include "probe/base/mem.h"

ns_axis ns_axis_unknown(bool log) {
    return (ns_axis){.low = NAN, .high = NAN, .log = log};
}

void ns_axis_reach(ns_axis *axis, double value) {
    if (!isfinite(value) || (axis->log && value <= 0)) return;
    axis->low = fmin(axis->low, value); /* the other where one is NaN */
    axis->high = fmax(axis->high, value);
}

ns_stroke ns_series_stroke(const ns_style *style, int i, double width) {
    static const double dashes[] = {0, 4, 1.5};
    double dash = dashes[i / NS_STYLE_COLORS % 3];
    return (ns_stroke){style->colors[i % NS_STYLE_COLORS], width, dash, 1.6, dash == 0};
}

const char *ns_series_file_label(ns_figure *figure, const char *path, ns_error *err) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    size_t begin = length;
    while (begin && path[begin - 1] != '/') begin--;
    const char *name = path + begin;
    size_t size = length - begin;
    static const char *const endings[] = {".h5", ".tsv"};
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(endings[i]);
        if (size > n && !strncmp(name + size - n, endings[i], n)) size -= n;
    }
    char *text = ns_asprintf(err, "%.*s", (int)size, name);
    const char *label = text ? ns_figure_label(figure, text, err) : NULL;
    free(text);
    return label;
}

const ns_color *ns_series_map(ns_figure *figure, int steps, ns_error *err) {
    ns_color *colors = ns_figure_alloc(figure, (size_t)steps, sizeof *colors, err);
    for (int i = 0; colors && i < steps; i++)
        colors[i] = ns_color_map(steps > 1 ? (double)i / (steps - 1) : 0);
    return colors;
}
