/* Everything that a figure may hold, by gnuplot and by cairo: the same picture as far as two programs agree. Frames and ticks are held to
 * pixels in tests/plots/test_gnuplot.py. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/plot.h"
#include "tests/runner.h"

static const char *const hostile[] = {"a & b <c>",
                                      "%d 50 % %g x",
                                      "x_y^z {q} }{",
                                      "\\back \\slash \\",
                                      "$q $(id) `id`",
                                      "@at ~tilde",
                                      "it's \"so\" '' \"\"",
                                      "# no comment",
                                      "\302\261 \316\261 \345\261\244 \363\260\200\200",
                                      "{/Symbol a} \\U+2212",
                                      "' ; print 1 #",
                                      "f'(0) = \"1\"2 '34 $56 `7 \\0",
                                      "|cat"};
enum { HOSTILE = sizeof hostile / sizeof *hostile, SPOTS = 200 };

static ns_stroke line(double r, double g, double b, double width, double dash) {
    return (ns_stroke){{r, g, b, 1}, width, dash, dash / 2, dash <= 0};
}

/* A slope over the panel, blue at the left and empty at the right. */
static int paint_ramp(void *user, const ns_panel *panel, int width, int height,
                      const ns_style *style, double dpi, ns_picture *out, FILE *data,
                      ns_error *err) {
    (void)user, (void)panel, (void)style, (void)dpi, (void)data, (void)err;
    *out = (ns_picture){width, height, calloc((size_t)width * (size_t)height, 4)};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *pixel = out->rgba + 4 * ((size_t)y * (size_t)width + (size_t)x);
            pixel[0] = (uint8_t)(255 * y / height);
            pixel[2] = 200;
            pixel[3] = (uint8_t)(x < width / 2 ? 255 - 510 * x / width : 0);
        }
    return NS_OK;
}

static const ns_spot *curve(ns_figure *f, double (*function)(double), double low, double high) {
    ns_spot *spots = ns_figure_alloc(f, SPOTS, sizeof *spots, NULL);
    for (int i = 0; i < SPOTS; i++) {
        double x = low + (high - low) * i / (SPOTS - 1);
        spots[i] = (ns_spot){x, function(x)};
    }
    return spots;
}

static double with_gaps(double x) {
    return fabs(x) < 0.3 || fabs(x - 1.5) < 0.2 ? NAN : sin(3 * x);
}

static double cubic(double x) {
    return x * x * x;
}

/* Negative below 3, where a log axis has no place for it. */
static double shifted(double x) {
    return (x - 3) * x;
}

static const ns_item *curves(ns_figure *f, int *count) {
    ns_item *items = ns_figure_alloc(f, 3, sizeof *items, NULL);
    items[0] = (ns_item){.kind = NS_ITEM_CURVE, .name = hostile[0], .count = SPOTS};
    items[0].spots = curve(f, with_gaps, -2, 2);
    items[0].stroke = line(0, 0.4, 0.7, 1, 0);
    items[1] = (ns_item){.kind = NS_ITEM_CURVE, .name = "x" NS_SUP "3" NS_END, .count = SPOTS};
    items[1].spots = curve(f, cubic, -2, 2);
    items[1].stroke = line(0.8, 0.3, 0, 1.5, 4);
    items[2] = (ns_item){.kind = NS_ITEM_CURVE, .name = "none", .count = 1};
    items[2].spots = ns_figure_alloc(f, 1, sizeof(ns_spot), NULL);
    ((ns_spot *)(uintptr_t)items[2].spots)[0] = (ns_spot){NAN, NAN};
    items[2].stroke = line(0, 0, 0, 1, 0);
    *count = 3;
    return items;
}

static const ns_item *marks(ns_figure *f, int *count) {
    static const char *const names[] = {"disc",  "square", "triangle", "diamond",
                                        "cross", "plus",   "down",     "pentagon"};
    ns_item *items = ns_figure_alloc(f, NS_MARK_COUNT, sizeof *items, NULL);
    for (int m = 0; m < NS_MARK_COUNT; m++) {
        ns_spot *spots = ns_figure_alloc(f, 8, sizeof *spots, NULL);
        ns_color *colors = ns_figure_alloc(f, 8, sizeof *colors, NULL);
        for (int i = 0; i < 8; i++) {
            spots[i] = (ns_spot){i - 0.5, m + 0.5};
            colors[i] = ns_color_map(i / 7.0);
            if (i > 4) colors[i].a = 0.5;
        }
        items[m] = (ns_item){.kind = NS_ITEM_MARKS, .mark = (ns_mark)m, .spots = spots, .count = 8};
        items[m].name = names[m];
        items[m].colors = m % 2 ? colors : NULL;
        items[m].fill = (ns_color){0.8, 0.1, 0.1, 1};
        items[m].stroke = line(0, 0, 0, m % 3 ? 0 : 0.6, 0);
        items[m].size = 7;
    }
    *count = NS_MARK_COUNT;
    return items;
}

static const ns_item *areas(ns_figure *f, int *count) {
    ns_item *items = ns_figure_alloc(f, 3, sizeof *items, NULL);
    ns_spot *spots = ns_figure_alloc(f, 2 * SPOTS, sizeof *spots, NULL);
    for (int i = 0; i < SPOTS; i++) {
        double x = 1 + 999.0 * i / (SPOTS - 1);
        spots[i] = (ns_spot){x, 2 * sqrt(x)};
        spots[2 * SPOTS - 1 - i] = (ns_spot){x, sqrt(x)};
    }
    items[0] = (ns_item){.kind = NS_ITEM_AREA, .name = "band", .spots = spots, .count = 2 * SPOTS};
    items[0].fill = (ns_color){0, 0.6, 0.4, 0.3};
    items[1] = (ns_item){.kind = NS_ITEM_AREA, .name = "edge", .spots = spots, .count = SPOTS};
    items[1].stroke = line(0, 0.3, 0.2, 0.8, 0);
    items[2] = (ns_item){.kind = NS_ITEM_CURVE, .name = "part", .count = SPOTS};
    items[2].spots = curve(f, shifted, 0, 20);
    items[2].stroke = line(0.8, 0.3, 0, 1, 2);
    *count = 3;
    return items;
}

static const ns_item *layer(ns_figure *f, int *count) {
    ns_item *items = ns_figure_alloc(f, 1, sizeof *items, NULL);
    items[0] = (ns_item){.kind = NS_ITEM_LAYER, .name = "ramp", .layer = {paint_ramp, NULL}};
    *count = 1;
    return items;
}

static void add_bar(ns_figure *f, ns_panel *p) {
    ns_axis *bar = ns_figure_alloc(f, 1, sizeof *bar, NULL);
    ns_color *colors = ns_figure_alloc(f, 24, sizeof *colors, NULL);
    for (int i = 0; i < 24; i++) colors[i] = ns_color_map(i / 23.0);
    *bar = (ns_axis){.low = 1, .high = 1e6, .log = true, .label = "1/\317\203" NS_SUB "row" NS_END};
    p->bar = bar;
    p->bar_colors = colors;
    p->bar_count = 24;
}

static void describe(ns_figure *f) {
    f->rows = 2, f->columns = 3, f->panel_count = 6, f->aspect = 0.8;
    f->title = "a & b <c> 50 % x_y \\z $q {un} '\"`";
    f->x_label = "input x" NS_SUB "i" NS_END "\302\262";
    f->caption = "caption: it's {here} \\";
    f->panels = ns_figure_alloc(f, 6, sizeof *f->panels, NULL);
    for (int i = 0; i < 6; i++) {
        ns_panel *p = &f->panels[i];
        *p = (ns_panel){.row = i / 3, .column = i % 3, .legend = NS_LOWER_RIGHT};
        p->x = (ns_axis){.low = -2, .high = 2, .label = i ? "x" : hostile[3]};
        p->y = (ns_axis){.low = -2, .high = 2, .label = i == 3 ? hostile[2] : NULL};
        p->title = hostile[i];
        p->subtitle = hostile[6 + i];
    }
    ns_panel *p = f->panels;
    p[0].items = curves(f, &p[0].item_count);
    p[0].notes[0] = hostile[1], p[0].notes[1] = "10" NS_SUP "\342\210\2223" NS_END " {of} it";
    p[1].items = marks(f, &p[1].item_count);
    p[1].x = (ns_axis){.low = -1.5, .high = 12}, p[1].y = (ns_axis){.low = 0, .high = 9};
    p[2].items = areas(f, &p[2].item_count);
    p[2].x = (ns_axis){.low = 1, .high = 1000, .log = true};
    p[2].y = (ns_axis){.low = 0.1, .high = 1e7, .log = true};
    p[3].items = layer(f, &p[3].item_count);
    p[3].x = (ns_axis){.low = 1e-12, .high = 1e-3, .log = true, .label = "x"};
    add_bar(f, &p[3]);
    p[4].y = (ns_axis){.low = 0.5, .high = HOSTILE + 0.5, .names = hostile, .name_count = HOSTILE};
    p[4].title = p[4].subtitle = NULL;
    p[4].no_grid = true;
    p[5].x = (ns_axis){.low = 5, .high = 5},
    p[5].y = (ns_axis){.low = -1e-42, .high = 1e-42, .bare = true};
    p[5].items = layer(f, &p[5].item_count);
    for (int i = 0; i < 6; i++) ns_axis_guard(&p[i].x), ns_axis_guard(&p[i].y);
}

static void write_figure(const ns_figure *f, const char *path, bool gnuplot) {
    const ns_plot_output output = {.path = path,
                                   .gnuplot = gnuplot,
                                   .size = {180, 0, 150},
                                   .title = hostile[3],
                                   .command_line = "plot `id` \\",
                                   .source = hostile[10]};
    int files = 0;
    ns_error err = {0};
    if (ns_plot_write(f, ns_styles[0], &output, &files, &err))
        fail_msg("%s: %s", path, err.message);
    assert_int_equal(files, 1);
}

/* Mean grey of squares of SIDE pixels. */
enum { SIDE = 12 };
static double *grey_of(const char *path, int *columns, int *rows) {
    cairo_surface_t *image = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
    *columns = cairo_image_surface_get_width(image) / SIDE;
    *rows = cairo_image_surface_get_height(image) / SIDE;
    double *grey = calloc((size_t)*columns * (size_t)*rows, sizeof *grey);
    for (int y = 0; y < *rows * SIDE; y++)
        for (int x = 0; x < *columns * SIDE; x++) {
            const unsigned char *pixel = cairo_image_surface_get_data(image) +
                                         cairo_image_surface_get_stride(image) * y + 4 * x;
            grey[y / SIDE * *columns + x / SIDE] +=
                (pixel[0] + pixel[1] + pixel[2]) / (3.0 * SIDE * SIDE);
        }
    cairo_surface_destroy(image);
    return grey;
}

static void same_picture_as_cairo(void **state) {
    (void)state;
    char ours[256], theirs[256];
    const char *folder = getenv("KEEP") ? getenv("KEEP") : ns_tests_folder();
    snprintf(ours, sizeof ours, "%s/cairo.png", folder);
    snprintf(theirs, sizeof theirs, "%s/it's {50%%} $q `id`.png", folder);
    ns_figure figure = {0};
    describe(&figure);
    write_figure(&figure, ours, false);
    write_figure(&figure, theirs, true);
    int columns, rows, other_columns, other_rows, far = 0;
    double *a = grey_of(ours, &columns, &rows), *b = grey_of(theirs, &other_columns, &other_rows);
    assert_int_equal(columns, other_columns);
    assert_int_equal(rows, other_rows);
    double sum = 0;
    for (int i = 0; i < columns * rows; i++) {
        sum += fabs(a[i] - b[i]);
        far += fabs(a[i] - b[i]) > 64;
    }
    if (sum / (columns * rows) > 4 || far > columns * rows / 250)
        fail_msg("grey means differ by %.2f of 255, in %d of %d squares by more than 64",
                 sum / (columns * rows), far, columns * rows);
    free(a);
    free(b);
    ns_figure_free(&figure);
}

static void every_format(void **state) {
    (void)state;
    static const char *const endings[] = {"pdf", "svg", "eps"};
    char path[256], said[4096] = "";
    const char *folder = getenv("KEEP") ? getenv("KEEP") : ns_tests_folder();
    ns_figure figure = {0};
    describe(&figure);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/figure%d.%s", folder, i, endings[i]);
        write_figure(&figure, path, true);
    }
    assert_int_equal(
        ns_tests_shell(said, sizeof said, "xmllint --noout --nonet %s/figure1.svg", folder), 0);
    assert_int_equal(ns_tests_shell(said, sizeof said, "qpdf --check %s/figure0.pdf", folder), 0);
    ns_figure_free(&figure);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(same_picture_as_cairo),
                                          cmocka_unit_test(every_format)};
NS_TESTS("gnuplot figure", tests)
