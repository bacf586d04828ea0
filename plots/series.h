/* What figures of lines and marks share: ranges that grow with the data, colours of series, names of runs. */
#ifndef NS_SERIES_H
#define NS_SERIES_H

#include "plots/figure/figure.h"
#include "probe/store/training.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A range without values, to be grown; ns_axis_guard makes a range of it in any case. */
ns_axis ns_axis_unknown(bool log);
/* Makes the range reach a value; what is not finite, or not above 0 on a log axis, changes nothing. */
void ns_axis_reach(ns_axis *axis, double value);

/* The i-th series, from 0, as a line: the style's colours, and dashes once they are used up. */
ns_stroke ns_series_stroke(const ns_style *style, int i, double width);

/* The name of files[which] as a label of the figure: without folders and ending, the folder's name for a training.h5 in it, the whole
 * path where another of the files has the same name. NULL on failure. */
const char *ns_series_file_label(ns_figure *figure, const char *const *files, int count, int which,
                                 ns_error *err);

/* Opens what a training run recorded (probe/store/training.h); closed with the figure. */
int ns_series_training(ns_training **out, ns_figure *figure, const char *path, ns_error *err);

/* A color map's scale for a panel's bar: `steps` colours from low to high, owned by the figure. */
const ns_color *ns_series_map(ns_figure *figure, int steps, ns_error *err);

/* A mark for each role; those behind a branch share those before it. */
extern const ns_mark ns_role_marks[NS_ROLE_COUNT];

#ifdef __cplusplus
}
#endif
#endif
