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

/* Which part of a path names it. */
static const char *name_in(const char *path, size_t *size) {
    static const char record[] = "/training.h5";
    const size_t tail = sizeof record - 1;
    size_t length = strlen(path);
    if (length > tail && !strcmp(path + length - tail, record)) length -= tail;
    while (length > 1 && path[length - 1] == '/') length--;
    size_t begin = length;
    while (begin && path[begin - 1] != '/') begin--;
    static const char *const endings[] = {".h5", ".tsv"};
    *size = length - begin;
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(endings[i]);
        if (*size > n && !strncmp(path + length - n, endings[i], n)) *size -= n;
    }
    return path + begin;
}

const char *ns_series_file_label(ns_figure *figure, const char *const *files, int count, int which,
                                 ns_error *err) {
    size_t size, other_size;
    const char *name = name_in(files[which], &size);
    for (int k = 0; k < count; k++) {
        const char *other = name_in(files[k], &other_size);
        if (k != which && other_size == size && !strncmp(other, name, size))
            return ns_figure_label(figure, files[which], err);
    }
    char *text = ns_asprintf(err, "%.*s", (int)size, name);
    const char *label = text ? ns_figure_label(figure, text, err) : NULL;
    free(text);
    return label;
}

static void close_training(void *object) {
    ns_training_close(object);
}

int ns_series_training(ns_training **out, ns_figure *figure, const char *path, ns_error *err) {
    int status = ns_training_open(out, path, err);
    return status ? status : ns_figure_keep(figure, *out, close_training, err);
}

const ns_color *ns_series_map(ns_figure *figure, int steps, ns_error *err) {
    ns_color *colors = ns_figure_alloc(figure, (size_t)steps, sizeof *colors, err);
    for (int i = 0; colors && i < steps; i++)
        colors[i] = ns_color_map(steps > 1 ? (double)i / (steps - 1) : 0);
    return colors;
}

const ns_mark ns_role_marks[NS_ROLE_COUNT] = {
    [NS_ROLE_ATTENTION] = NS_MARK_DISC,  [NS_ROLE_MLP] = NS_MARK_SQUARE,
    [NS_ROLE_FINAL] = NS_MARK_DIAMOND,   [NS_ROLE_STEM] = NS_MARK_TRIANGLE,
    [NS_ROLE_HEAD] = NS_MARK_PLUS,       [NS_ROLE_POST_ATTENTION] = NS_MARK_DISC,
    [NS_ROLE_POST_MLP] = NS_MARK_SQUARE, [NS_ROLE_OTHER] = NS_MARK_CROSS,
    [NS_ROLE_QUERY] = NS_MARK_DOWN,      [NS_ROLE_KEY] = NS_MARK_PENTAGON};
