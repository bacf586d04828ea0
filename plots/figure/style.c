#include "plots/figure/style.h"

#include <math.h>

#define RGB(hex)                                                                                   \
    { ((hex) >> 16) / 255.0, ((hex) >> 8 & 255) / 255.0, ((hex)&255) / 255.0, 1 }
#define RGBA(hex, a)                                                                               \
    { ((hex) >> 16) / 255.0, ((hex) >> 8 & 255) / 255.0, ((hex)&255) / 255.0, a }

/* Okabe and Ito 2008, in an order whose neighbours differ in lightness as well. */
#define OKABE_ITO                                                                                  \
    {                                                                                              \
        RGB(0x0072b2), RGB(0xd55e00), RGB(0x009e73), RGB(0xcc79a7), RGB(0xe69f00), RGB(0x56b4e9),  \
            RGB(0x000000), RGB(0x999933)                                                           \
    }

#define COMMON                                                                                     \
    .font = "DejaVu Sans", .tick_size = 7, .label_size = 8, .title_size = 8.5, .small_size = 6,    \
    .text = RGB(0x000000), .faint = RGB(0x555555), .frame = {RGB(0x000000), 0.6, 0, 0, false},     \
    .tick = {RGB(0x000000), 0.6, 0, 0, false}, .grid = {RGB(0xbdbdbd), 0.45, 1.8, 1.1, false},     \
    .box = {RGB(0xcccccc), 0.5, 0, 0, false}, .box_fill = RGBA(0xffffff, 0.85),                    \
    .tick_length = 2.2, .diameter = 1.3, .colors = OKABE_ITO

static const ns_style style_default = {
    .name = "default",
    .summary = "colours that differ for every eye and in grey (Okabe and Ito)",
    .point = RGBA(0x0072b2, 0.25),
    .deep = RGB(0x001c2e),
    .curve = {RGB(0xd55e00), 1.0, 0, 0, true},
    COMMON};
static const ns_style style_paper = {.name = "paper",
                                     .summary = "the blue of Zhu et al. 2025",
                                     .point = RGBA(0x0000ff, 0.2),
                                     .deep = RGB(0x000040),
                                     .curve = {RGB(0xd62728), 1.0, 0, 0, true},
                                     COMMON};

const ns_style *const ns_styles[] = {&style_default, &style_paper};
const int ns_style_count = sizeof ns_styles / sizeof ns_styles[0];

ns_color ns_color_map(double t) {
    static const ns_color stops[] = {RGB(0x00224e), RGB(0x123570), RGB(0x3b496c), RGB(0x575d6d),
                                     RGB(0x707173), RGB(0x8a8678), RGB(0xa59c74), RGB(0xc3b369),
                                     RGB(0xe1cc55), RGB(0xfee838)};
    enum { STEPS = sizeof stops / sizeof stops[0] - 1 };
    double at = fmin(fmax(t, 0), 1) * STEPS;
    int i = at >= STEPS ? STEPS - 1 : (int)at;
    double f = at - i;
    const ns_color *a = &stops[i], *b = &stops[i + 1];
    return (ns_color){a->r + f * (b->r - a->r), a->g + f * (b->g - a->g), a->b + f * (b->b - a->b),
                      1};
}
