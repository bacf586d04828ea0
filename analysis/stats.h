/* What goes into a normalization layer, in numbers. Every figure is exact over all points, but that sigma_row and |x - median| are
 * rounded to float before they are ordered; padding rows and points that are not finite are counted and left out.
 *
 * Memory: some 10 MiB for each thread, and a few numbers for each channel, whatever the number of points. Four walks, and those
 * of the fit. */
#ifndef NS_STATS_H
#define NS_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "analysis/fit.h"
#include "probe/base/moments.h"
#include "analysis/points.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_STATS_QUANTILES 7 /* 0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999 */
NS_API extern const double ns_stats_quantiles[NS_STATS_QUANTILES];
#define NS_STATS_THRESHOLDS 4 /* 0.5, 1, 2, 3 */
NS_API extern const double ns_stats_thresholds[NS_STATS_THRESHOLDS];
#define NS_STATS_TOP 8

typedef struct ns_extreme {
    double x;
    int64_t sample;
    int32_t position, channel;
} ns_extreme;

typedef struct ns_stats_options {
    double tolerance; /* of linear_share, 0.1 */
    bool no_fit;      /* leave out what needs the fitted alpha */
    ns_progress *progress;
    const ns_row_choice *rows; /* that count, borrowed; NULL: all */
    bool by_kind;              /* tell fit.s_index_of too */
} ns_stats_options;

/* x: the site's input. What cannot be told is NaN. */
typedef struct ns_stats {
    bool from_sketch;
    double quantile_error; /* relative, of quantiles and what is read off bins; 0 from rows */
    uint64_t rows, padding, points, nonfinite;
    uint64_t left_out; /* rows that options->rows does not take, without padding */
    double mean, sigma, least, most, skewness;
    double excess_kurtosis;               /* of x over all points */
    double quantiles[NS_STATS_QUANTILES]; /* type 7 */
    double mad;                           /* median of |x - median| */
    double inverse_sigma;                 /* 1 / sigma of the whole tensor */
    double inverse_sigma_row;             /* median over rows of 1 / sigma_row */
    double inverse_sigma_robust;          /* 1 / (1.4826 MAD) */
    double row_sigma
        [5]; /* least, 0.05, 0.5, 0.95 quantiles, largest of sigma_row = sqrt(var over channels) */
    double median_size;         /* of |x| */
    double largest_over_median; /* max |x| / median |x| (Sun et al. 2024, arXiv 2402.17762) */
    double largest_y;           /* max |y| */
    double
        channel_kurtosis; /* mean_c(rms_c^4) / mean_c(rms_c^2)^2, 1 to C (He et al. 2024, arXiv 2405.19279) */
    /* |x| > 100 and >= 1000 median |x| (Sun et al. 2024): how many, and in which channels most. */
    uint64_t massive;
    int massive_channels;                  /* distinct; -1 where not known */
    int massive_channel, massive_position; /* of the largest of them; -1 where there is none */
    /* Channels with |x| >= 6 in at least 6 % of the rows: an outlier channel, where that holds in 25 % of the layers as well
     * (Dettmers et al. 2022, arXiv 2208.07339). */
    int outlier_channels; /* -1 where not known: a sketch of some rows */
    int channels;
    uint8_t *is_outlier; /* [channels]; owned, see ns_stats_free */
    double line;         /* least-squares slope of y on x through the origin */
    double linear_share; /* of points with |y - line x| <= tolerance max(1, |line x|) */
    /* First or class token, and the others. */
    ns_moments first, others;
    int top;
    ns_extreme extremes[NS_STATS_TOP]; /* largest |x|, falling */
    /* With the fitted s tanh(alpha x): */
    ns_fit fit;
    double saturated[NS_STATS_THRESHOLDS]; /* share of |alpha x| > 0.5, 1, 2, 3 */
    double
        gain; /* mean of (alpha sech^2(alpha x))^2: what DyT's Jacobian does to a gradient's square */
} ns_stats;

/* Fills *out; ns_stats_free(out) afterwards, also after a failure. */
NS_API int ns_stats_make(ns_stats *out, const ns_points *points, const ns_stats_options *options,
                         ns_error *err);
NS_API void ns_stats_free(ns_stats *stats);

/* Marks the fit as one that nobody asked for. */
NS_API void ns_stats_no_fit(ns_stats *out);

/* From a sketch. Exact: counts, moments and what follows from them, extremes, channels, the line. From its bins, each 1/32 to 1/64 of its x wide:
 * quantiles, median |x|, MAD, quantiles of sigma_row, saturation, gain and massive activations; a quantile is off by at most
 * `quantile_error` of itself, 1/32, where it lies within the bins. Unknown: linear_share; moments of the first token are known
 * to the second order. */
NS_API int ns_stats_sketch(ns_stats *out, const ns_sketch *sketch, const ns_stats_options *options,
                           ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
