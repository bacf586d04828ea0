#include "plots/figure/text.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probe/base/mem.h"
#include "probe/base/near.h"

/* Of the font size, as TeX and most word processors have them. */
static const double SCRIPT_SIZE = 0.7, SUB_RISE = -0.18, SUP_RISE = 0.38;
static const double LEAST_SCRIPT = 5; /* points: smaller figures cannot be read in print */

struct ns_text_kit {
    PangoFontMap *map;
    PangoContext *context;
    PangoLayout *layout;
    PangoFontDescription *description;
    char *family;
    /* Of the font at 1000 points. */
    double ascent, descent, cap;
};

static const char *family_name(const void *user, size_t i) {
    PangoFontFamily *const *families = user;
    return pango_font_family_get_name(families[i]);
}

/* Pango would silently take another font; a figure whose font is not the one asked for is an error. */
static int check_family(PangoFontMap *map, const char *family, ns_error *err) {
    static const char *const generic[] = {"sans", "serif",
                                          "monospace"}; /* fontconfig's own aliases */
    for (size_t i = 0; i < sizeof generic / sizeof *generic; i++)
        if (!strcasecmp(generic[i], family)) return NS_OK;
    PangoFontFamily **families = NULL;
    int count = 0, found = 0;
    pango_font_map_list_families(map, &families, &count);
    for (int i = 0; i < count && !found; i++)
        found = !strcasecmp(pango_font_family_get_name(families[i]), family);
    int status = NS_OK;
    if (!count) {
        status = ns_fail(
            err, NS_EFAIL,
            "fontconfig finds no font; the package fonts-dejavu-core brings the default one");
    } else if (!found) {
        status = ns_fail(err, NS_EUSAGE,
                         "--font: expected a font family of this machine, found '%s'", family);
        ns_near_names(err, family, (size_t)count, family_name, families, 3);
    }
    g_free(families);
    return status;
}

static void layout_set(ns_text_kit *kit, const ns_text_run *run) {
    pango_font_description_set_absolute_size(kit->description, run->size * PANGO_SCALE);
    pango_layout_set_font_description(kit->layout, kit->description);
    pango_layout_set_text(kit->layout, run->text, (int)run->bytes);
}

/* Metrics are taken at a large size, where rounding to Pango's units does not matter. */
static void measure_font(ns_text_kit *kit) {
    const ns_text_run run = {.text = "H", .bytes = 1, .size = 1000};
    layout_set(kit, &run);
    PangoRectangle ink, logical;
    PangoLayoutLine *line = pango_layout_get_line_readonly(kit->layout, 0);
    pango_layout_line_get_extents(line, &ink, &logical);
    kit->cap = -ink.y / (1000.0 * PANGO_SCALE);
    kit->ascent = -logical.y / (1000.0 * PANGO_SCALE);
    kit->descent = (logical.y + logical.height) / (1000.0 * PANGO_SCALE);
}

int ns_text_kit_new(ns_text_kit **out, const char *family, ns_error *err) {
    *out = NULL;
    ns_text_kit *kit = ns_calloc(1, sizeof *kit, err);
    if (!kit) return NS_EFAIL;
    kit->map = pango_cairo_font_map_new(); /* its own: the default one belongs to a thread */
    pango_cairo_font_map_set_resolution((PangoCairoFontMap *)kit->map, 72);
    int status = check_family(kit->map, family, err);
    if (!status && !(kit->family = ns_strdup(family, err))) status = NS_EFAIL;
    if (status) {
        ns_text_kit_free(kit);
        return status;
    }
    kit->context = pango_font_map_create_context(kit->map);
    pango_context_set_round_glyph_positions(kit->context, FALSE);
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(kit->context, options);
    cairo_font_options_destroy(options);
    kit->layout = pango_layout_new(kit->context);
    pango_layout_set_single_paragraph_mode(kit->layout, TRUE);
    kit->description = pango_font_description_new();
    pango_font_description_set_family(kit->description, family);
    measure_font(kit);
    *out = kit;
    return NS_OK;
}

void ns_text_kit_free(ns_text_kit *kit) {
    if (!kit) return;
    if (kit->description) pango_font_description_free(kit->description);
    if (kit->layout) g_object_unref(kit->layout);
    if (kit->context) g_object_unref(kit->context);
    if (kit->map) g_object_unref(kit->map);
    free(kit->family);
    free(kit);
}

const char *ns_text_kit_family(const ns_text_kit *kit) {
    return kit->family;
}

int ns_text_next(const char **label, double size, ns_text_run *run) {
    while (**label == *NS_END) ++*label;
    if (!**label) return 0;
    *run = (ns_text_run){.size = size};
    if (**label == *NS_SUB || **label == *NS_SUP) {
        run->rise = size * (**label == *NS_SUB ? SUB_RISE : SUP_RISE);
        run->size = fmax(size * SCRIPT_SIZE, fmin(size, LEAST_SCRIPT));
        ++*label;
    }
    run->text = *label;
    run->bytes = strcspn(*label, NS_SUB NS_SUP NS_END);
    *label += run->bytes;
    return 1;
}

double ns_text_run_width(ns_text_kit *kit, const ns_text_run *run) {
    layout_set(kit, run);
    int width, height;
    pango_layout_get_size(kit->layout, &width, &height);
    return (double)width / PANGO_SCALE;
}

ns_text_extents ns_text_measure(ns_text_kit *kit, const char *label, double size) {
    ns_text_extents e = {0, kit->ascent * size, kit->descent * size, kit->cap * size};
    ns_text_run run;
    while (ns_text_next(&label, size, &run)) {
        e.width += ns_text_run_width(kit, &run);
        e.ascent = fmax(e.ascent, run.rise + kit->ascent * run.size);
        e.descent = fmax(e.descent, kit->descent * run.size - run.rise);
    }
    return e;
}

void ns_text_run_show(ns_text_kit *kit, void *cairo, const ns_text_run *run, double x, double y) {
    layout_set(kit, run);
    cairo_move_to(cairo, x, y);
    pango_cairo_show_layout_line(cairo, pango_layout_get_line_readonly(kit->layout, 0));
}

char *ns_label_clean(const char *text, ns_error *err) {
    size_t length = strlen(text);
    char *out = ns_calloc(3 * length + 1, 1, err), *end = out;
    if (!out) return NULL;
    for (const char *at = text; *at;) {
        gunichar c = g_utf8_get_char_validated(at, -1);
        if (c == (gunichar)-1 || c == (gunichar)-2 || (c & 0xfffe) == 0xfffe) {
            memcpy(end, "\357\277\275", 3); /* U+FFFD */
            end += 3, at += c < (gunichar)-2 ? g_unichar_to_utf8(c, NULL) : 1;
            continue;
        }
        if (c == '\n' || c == '\t' || c == '\r' || c == 0x2028 || c == 0x2029)
            *end++ = ' ';
        else if (g_unichar_iscntrl(c))
            memcpy(end, "\357\277\275", 3), end += 3;
        else
            end += g_unichar_to_utf8(c, end);
        at = g_utf8_next_char(at);
    }
    return out;
}

char *ns_label_known(ns_text_kit *kit, const char *label, ns_error *err) {
    char *out = ns_calloc(3 * strlen(label) + 1, 1, err), *end = out;
    for (const char *at = label, *next; out && *at; at = next) {
        next = g_utf8_next_char(at);
        const ns_text_run run = {.text = at, .bytes = (size_t)(next - at), .size = 10};
        bool known = run.bytes == 1;
        if (!known) {
            layout_set(kit, &run);
            known = pango_layout_get_unknown_glyphs_count(kit->layout) == 0;
        }
        memcpy(end, known ? at : "\357\277\275", known ? run.bytes : 3);
        end += known ? run.bytes : 3;
    }
    return out;
}

char *ns_label_fit(ns_text_kit *kit, const char *label, double size, double width, ns_error *err) {
    if (ns_text_measure(kit, label, size).width <= width) return ns_strdup(label, err);
    long count = g_utf8_strlen(label, -1), least = 0, most = count - 1;
    char *best = ns_strdup("\342\200\246", err);
    /* The largest number of characters kept whose label fits. */
    while (best && least < most) {
        long kept = (least + most + 1) / 2, head = (kept + 1) / 2;
        const char *head_end = g_utf8_offset_to_pointer(label, head),
                   *tail = g_utf8_offset_to_pointer(label, count - (kept - head));
        char *tried = ns_asprintf(err, "%.*s\342\200\246%s", (int)(head_end - label), label, tail);
        if (tried && ns_text_measure(kit, tried, size).width <= width) {
            least = kept;
            free(best);
            best = tried;
        } else {
            most = tried ? kept - 1 : least;
            free(tried);
        }
    }
    return best;
}

/* The end of as many words as fit, at least one. */
static char *line_end(ns_text_kit *kit, char *begin, double size, double width) {
    char *end = begin + strcspn(begin, " ");
    while (*end) {
        char *next = end + 1 + strcspn(end + 1, " "), kept = *next;
        *next = 0;
        bool fits = ns_text_measure(kit, begin, size).width <= width;
        *next = kept;
        if (!fits) break;
        end = next;
    }
    return end;
}

int ns_label_wrap(ns_text_kit *kit, const char *label, double size, double width, int most,
                  char **lines, int *count, ns_error *err) {
    char *words = ns_strdup(label, err), *begin = words;
    int status = words ? NS_OK : NS_EFAIL;
    *count = 0;
    while (!status && begin && *count < most) {
        char *end = *count + 1 < most ? line_end(kit, begin, size, width) : strchr(begin, 0);
        char *next = *end ? end + 1 : NULL;
        *end = 0;
        if (!(lines[*count] = ns_label_fit(kit, begin, size, width, err)))
            status = NS_EFAIL;
        else
            ++*count;
        begin = next;
    }
    free(words);
    return status;
}
