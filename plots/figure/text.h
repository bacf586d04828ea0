/* Text of figures: what a label is made of, and how large it becomes. Pango measures with unhinted metrics at 72 units an inch, so
 * that a layout is the same for every output format and resolution.
 *
 * A label is UTF-8 with NS_SUB ... NS_END and NS_SUP ... NS_END around what is set lower or higher; they do not nest. Text that
 * comes from outside (site names, paths) passes through ns_label_clean first. */
#ifndef NS_TEXT_H
#define NS_TEXT_H

#include <stddef.h>

#include "probe/base/api.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_SUB   "\001"
#define NS_SUP   "\002"
#define NS_END   "\003"
#define NS_MINUS "\342\210\222" /* U+2212 */

typedef struct ns_text_kit ns_text_kit;

/* Fonts of a family ("DejaVu Sans"). NS_EUSAGE with near names where there is no such family on this machine. Not for two threads
 * at once. */
NS_API int ns_text_kit_new(ns_text_kit **out, const char *family, ns_error *err);
NS_API void ns_text_kit_free(ns_text_kit *kit);
NS_API const char *ns_text_kit_family(const ns_text_kit *kit);

/* Size of a label set in `size` points, relative to the start of its baseline; all in points, all positive upwards or rightwards. */
typedef struct ns_text_extents {
    double width;
    double ascent,
        descent; /* of the font: the same for every label of a size without sub- or superscripts */
    double cap;  /* height of a capital: half of it is where a label is centred on a tick */
} ns_text_extents;
NS_API ns_text_extents ns_text_measure(ns_text_kit *kit, const char *label, double size);

/* A stretch of a label in one size, for backends. */
typedef struct ns_text_run {
    const char *text; /* not closed by a zero */
    size_t bytes;
    double size; /* points */
    double rise; /* of the baseline, points upwards */
} ns_text_run;
/* The run that begins at *label, which is moved behind it; false at the end. */
NS_API int ns_text_next(const char **label, double size, ns_text_run *run);

/* Width of a run, points. */
NS_API double ns_text_run_width(ns_text_kit *kit, const ns_text_run *run);

/* Draws a run with its baseline at (x, y) on `cairo`, a cairo_t. */
NS_API void ns_text_run_show(ns_text_kit *kit, void *cairo, const ns_text_run *run, double x,
                             double y);

/* A copy that is valid UTF-8 on one line without control characters, as every format takes it: line breaks and tabs become spaces, what
 * is no character becomes U+FFFD. The caller frees it; NULL on failure. */
NS_API char *ns_label_clean(const char *text, ns_error *err);

/* A copy of a clean label with U+FFFD for what no font of this machine can draw: programs that draw by themselves do odd things then. The
 * caller frees it; NULL on failure. */
NS_API char *ns_label_known(ns_text_kit *kit, const char *label, ns_error *err);

/* A copy of a clean label that is at most `width` points wide: what does not fit is taken from its middle, and an ellipsis stands
 * there. The caller frees it; NULL on failure. */
NS_API char *ns_label_fit(ns_text_kit *kit, const char *label, double size, double width,
                          ns_error *err);

/* A clean label broken between words into lines at most `width` points wide, at most `most` of them: the last takes what is left, and
 * what is too wide, also a single word, is shortened by ns_label_fit. The caller frees each of the *count lines, also after a failure. */
NS_API int ns_label_wrap(ns_text_kit *kit, const char *label, double size, double width, int most,
                         char **lines, int *count, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
