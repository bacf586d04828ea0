/* curves: the squashing functions themselves, f(alpha x), and their derivatives (Zhu et al. 2025, figures 3 and 7). No run is read.
 *
 * Memory: SPOTS points for each curve of each panel. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/curve.h"
#include "plots/plot.h"

#define NBSP "\302\240"

enum { SPOTS = 1025, MOST = 24 /* lines that a legend has */ };

typedef struct settings {
    const char *curve, *alpha;
    double range;
    bool derivative;
} settings;

static int options(void *memory, ns_option *out) {
    settings *s = memory;
    const ns_option own[] = {
        {"curve", 'c', NS_OPT_TEXT, &s->curve, "NAMES",
         "functions, as tanh,erf, or all; see normscope fit --curve", "tanh", 0, 0},
        {"alpha", 'a', NS_OPT_TEXT, &s->alpha, "LIST",
         "values of alpha; 1 where --curve names several functions", "0.5,1,2", 0, 0},
        {"derivative", 'd', NS_OPT_FLAG, &s->derivative, NULL,
         "a second panel with the derivatives by x", NULL, 0, 0},
        {"range", 0, NS_OPT_REAL, &s->range, "X", "x from -X to X",
         "where the least alpha saturates", 1e-6, 1e6},
    };
    memcpy(out, own, sizeof own);
    return (int)(sizeof own / sizeof *own);
}

typedef struct choice {
    const ns_curve *curves[MOST];
    double alphas[MOST];
    int curve_count, alpha_count;
    double range;
} choice;

static int read_alphas(choice *c, const char *text, ns_error *err) {
    for (const char *at = text; at;) {
        char *end;
        double alpha = strtod(at, &end);
        bool good = end != at && !isspace((unsigned char)*at) && (!*end || *end == ',');
        if (!good || !(fabs(alpha) >= 1e-6 && fabs(alpha) <= 1e6))
            return ns_fail(err, NS_EUSAGE,
                           "--alpha: expected numbers like 0.5,1,2 between 1e-6 and 1e6 in size, "
                           "found '%s'",
                           text);
        if (c->alpha_count == MOST)
            return ns_fail(err, NS_EUSAGE, "--alpha: expected at most %d values, found more", MOST);
        c->alphas[c->alpha_count++] = alpha;
        at = *end ? end + 1 : NULL;
    }
    return NS_OK;
}

static int choose(choice *c, const settings *s, ns_error *err) {
    int status =
        ns_curves_choose(c->curves, MOST, &c->curve_count, s->curve ? s->curve : "tanh", err);
    if (status) {
        ns_fail_context(err, "--curve");
        return status;
    }
    status = read_alphas(c, s->alpha ? s->alpha : c->curve_count > 1 ? "1" : "0.5,1,2", err);
    if (status) return status;
    if (c->curve_count * c->alpha_count > MOST)
        return ns_fail(err, NS_EUSAGE,
                       "expected at most %d curves, found %d functions for %d alphas", MOST,
                       c->curve_count, c->alpha_count);
    double least = INFINITY;
    for (int i = 0; i < c->alpha_count; i++) least = fmin(least, fabs(c->alphas[i]));
    c->range = s->range > 0 ? s->range : 3 / least;
    return NS_OK;
}

/* Several functions differ by colour, and the alphas of each by their dashes; those of one function by colour. */
static ns_stroke stroke_of(const choice *c, int curve, int alpha, const ns_style *style) {
    static const double dashes[][2] = {{0, 0}, {4, 2}, {1.2, 1.6}, {8, 2}};
    int color = c->curve_count > 1 ? curve : alpha,
        dash = color / NS_STYLE_COLORS + (c->curve_count > 1 ? alpha : 0);
    const double *d = dashes[dash % (int)(sizeof dashes / sizeof *dashes)];
    return (ns_stroke){style->colors[color % NS_STYLE_COLORS], style->curve.width, d[0], d[1],
                       d[0] == 0};
}

/* What a curve is called beside the others. */
static const char *name_of(const choice *c, int curve, int alpha, ns_figure *figure,
                           ns_error *err) {
    char number[64];
    ns_number_short(c->alphas[alpha], 6, number);
    const char *name = c->curves[curve]->name;
    if (c->curve_count == 1) return ns_figure_text(figure, err, "\316\261 = %s", number);
    if (c->alpha_count == 1) return name;
    return ns_figure_text(figure, err, "%s, \316\261 = %s", name, number);
}

static int add_item(const choice *c, int curve, int alpha, bool derivative, const ns_style *style,
                    ns_figure *figure, ns_item *item, ns_error *err) {
    ns_spot *spots = ns_figure_alloc(figure, SPOTS, sizeof *spots, err);
    const char *name = name_of(c, curve, alpha, figure, err);
    if (!spots || !name) return NS_EFAIL;
    for (int i = 0; i < SPOTS; i++) {
        double x = c->range * (2 * i - (SPOTS - 1)) / (SPOTS - 1), first, second,
               y = c->curves[curve]->value(c->alphas[alpha] * x, &first, &second);
        spots[i] = (ns_spot){x, derivative ? c->alphas[alpha] * first : y};
    }
    *item = (ns_item){.kind = NS_ITEM_CURVE,
                      .name = name,
                      .unlisted = derivative, /* the panel beside it has the legend */
                      .spots = spots,
                      .count = SPOTS,
                      .stroke = stroke_of(c, curve, alpha, style)};
    return NS_OK;
}

/* The line leaves the frame where others are there to be seen: it has no bound. */
static void choose_y(const choice *c, bool derivative, ns_panel *panel) {
    double low = INFINITY, high = -INFINITY;
    bool line_alone = c->curve_count == 1 && c->curves[0]->is_linear;
    for (int k = 0; k < panel->item_count; k++) {
        bool line = c->curves[k / c->alpha_count]->is_linear;
        for (int i = 0; i < SPOTS && (!line || line_alone || derivative); i++) {
            low = fmin(low, panel->items[k].spots[i].y);
            high = fmax(high, panel->items[k].spots[i].y);
        }
    }
    if (derivative) low = fmin(low, 0), high = fmax(high, 0);
    panel->y.low = low, panel->y.high = high;
    ns_axis_guard(&panel->y);
    ns_axis_pad(&panel->y, derivative ? 0.05 : 0.1);
}

static int build_panel(const choice *c, bool derivative, const ns_style *style, ns_figure *figure,
                       ns_panel *panel, ns_error *err) {
    int count = c->curve_count * c->alpha_count, status = NS_OK;
    ns_item *items = ns_figure_alloc(figure, (size_t)count, sizeof *items, err);
    if (!items) return NS_EFAIL;
    for (int k = 0; k < count && !status; k++)
        status = add_item(c, k / c->alpha_count, k % c->alpha_count, derivative, style, figure,
                          &items[k], err);
    if (status) return status;
    panel->items = items;
    panel->item_count = count;
    panel->legend = derivative ? NS_UPPER_RIGHT : NS_LOWER_RIGHT;
    panel->x = (ns_axis){.low = -c->range, .high = c->range};
    choose_y(c, derivative, panel);
    char alpha[64] = "\316\261";
    if (c->curve_count > 1 && c->alpha_count == 1) ns_number_short(c->alphas[0], 6, alpha);
    panel->y.label = ns_figure_text(figure, err, "%s%s(%sx)", derivative ? "derivative of " : "",
                                    c->curve_count == 1 ? c->curves[0]->name : "f",
                                    strcmp(alpha, "1") ? alpha : "");
    return panel->y.label ? NS_OK : NS_EFAIL;
}

/* A formula of the table as people write it, in one piece where a caption is broken; at most `room` bytes. */
static void typeset(const char *formula, char *out, size_t room) {
    static const struct {
        const char *plain, *set;
    } words[] = {{"sqrt", "\342\210\232"},
                 {"pi", "\317\200"},
                 {"^2", "\302\262"},
                 {"-", NS_MINUS},
                 {" ", NBSP}};
    size_t used = 0;
    while (*formula && used + 4 < room) {
        size_t k = 0, count = sizeof words / sizeof *words;
        while (k < count && strncmp(formula, words[k].plain, strlen(words[k].plain)) != 0) k++;
        if (k == count) {
            out[used++] = *formula++;
            continue;
        }
        memcpy(out + used, words[k].set, strlen(words[k].set));
        used += strlen(words[k].set);
        formula += strlen(words[k].plain);
    }
    out[used] = 0;
}

/* What the names stand for, where they are not the formula themselves. */
static int add_caption(const choice *c, ns_figure *figure, ns_error *err) {
    for (int i = 0; i < c->curve_count; i++) {
        const ns_curve *curve = c->curves[i];
        size_t length = strlen(curve->name);
        if (!strncmp(curve->formula, curve->name, length) && curve->formula[length] == '(')
            continue;
        char formula[128];
        typeset(curve->formula, formula, sizeof formula);
        figure->caption = ns_figure_text(figure, err, "%s%s%s(u)" NBSP "=" NBSP "%s",
                                         figure->caption ? figure->caption : "",
                                         figure->caption ? "; " : "", curve->name, formula);
        if (!figure->caption) return NS_EFAIL;
    }
    return NS_OK;
}

static int build(const ns_plot_request *r, ns_figure *figure, ns_error *err) {
    const settings *s = r->settings;
    choice c = {0};
    int status = choose(&c, s, err);
    if (status) return status;
    figure->panel_count = 1 + s->derivative;
    figure->columns = s->derivative && r->columns != 1 ? 2 : 1;
    figure->rows = figure->panel_count / figure->columns;
    figure->aspect = 0.7;
    figure->panels =
        ns_figure_alloc(figure, (size_t)figure->panel_count, sizeof *figure->panels, err);
    if (!figure->panels) return NS_EFAIL;
    for (int k = 0; k < figure->panel_count && !status; k++) {
        status = build_panel(&c, k == 1, r->style, figure, &figure->panels[k], err);
        figure->panels[k].row = k / figure->columns;
        figure->panels[k].column = k % figure->columns;
    }
    if (!status) status = add_caption(&c, figure, err);
    figure->x_label = "x";
    return status;
}

const ns_figure_kind ns_figure_curves = {
    .name = "curves",
    .summary = "tanh(alpha x), other squashing functions, and their derivatives",
    .details =
        "The functions that normscope fit knows, as they are: no run is read. Several functions "
        "differ by colour and their alphas by dashes; the alphas of one function by colour.",
    .examples = "  normscope plot curves -o tanh.pdf\n"
                "  normscope plot curves --alpha 0.2,1,5 --derivative -o alphas.pdf\n"
                "  normscope plot curves --curve all --derivative -o functions.pdf\n",
    .options = options,
    .settings_size = sizeof(settings),
    .build = build,
};
