/* What a run leaves of a site when it is too large to keep: counts, moments, bins of x, a picture, channels, positions, the spread of
 * rows and the largest values, gathered in one pass. Two sketches merge into that of both.
 *
 * Counts, extremes and the picture do not depend on the order in which rows come or sketches are merged; sums do, by their
 * rounding. The same rows, in the same batches, by the same number of threads, give the same bits.
 *
 * Position 0 and each kind of row are kept apart as well, since one token can make all of what a site shows.
 *
 * Memory of a site, whatever the number of rows: the bins 144 KiB and as much for each of five parts, the picture 2 MiB for each thread,
 * 48 bytes a channel, 40 bytes a position, and some 75 KiB. While it is filled, 1 MiB and 64 bytes a channel for each thread, and 64 bytes
 * for each row of a batch, for all sites together. */
#ifndef NS_SKETCH_H
#define NS_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/moments.h"
#include "probe/norms/site.h"
#include "probe/store/store_write.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bins of x: a sign, an exponent from -24 to 23 and the upper five bits of the mantissa, so a bin is 1/32 to 1/64 of its x wide.
 * What lies below 2^-24 in size is in the innermost bins, what lies above 2^24 in the outermost. By rising x. */
enum { NS_SKETCH_PER_OCTAVE = 32, NS_SKETCH_LOW = -24, NS_SKETCH_OCTAVES = 48 };
enum { NS_SKETCH_SIDE = NS_SKETCH_OCTAVES * NS_SKETCH_PER_OCTAVE };
enum { NS_SKETCH_BINS = 2 * NS_SKETCH_SIDE };
enum { NS_BIN_N, NS_BIN_X, NS_BIN_Y, NS_BIN_XX, NS_BIN_XY, NS_BIN_YY, NS_BIN_SUMS };

/* The picture: counts of points in cells of 2^exponent, from -half to half of the cells about 0; exponents grow, and pairs of
 * cells are added, when a value lies outside. Counts stay at 2^32 - 1. */
enum { NS_SKETCH_WIDTH = 1024, NS_SKETCH_HEIGHT = 512 };

/* Parts of the rows: position 0, whatever its kind, then the other rows of each kind, in the order of ns_row_kind. */
enum { NS_PART_FIRST, NS_PART_OF_KIND, NS_SKETCH_KINDS = 4, NS_SKETCH_PARTS = 1 + NS_SKETCH_KINDS };
enum { NS_PART_ROWS, NS_PART_POINTS, NS_PART_NONFINITE, NS_PART_COUNTS }; /* rows without padding */

/* Points of largest |x|. */
enum { NS_SKETCH_TOP = 32 };

enum {
    NS_CHANNEL_N,
    NS_CHANNEL_X,
    NS_CHANNEL_XX,
    NS_CHANNEL_LEAST,
    NS_CHANNEL_MOST,
    NS_CHANNEL_LARGE,
    NS_CHANNEL_SUMS
};
enum {
    NS_POSITION_N,
    NS_POSITION_X,
    NS_POSITION_XX,
    NS_POSITION_LEAST,
    NS_POSITION_MOST,
    NS_POSITION_SUMS
};

typedef struct ns_sketch_counts {
    uint64_t rows, padding, points,
        nonfinite; /* rows include those of padding; points are finite */
} ns_sketch_counts;

typedef struct ns_sketch {
    int channels, positions;
    ns_sketch_counts counts;
    ns_moments moments; /* of x, exact */
    /* Least and largest x, y, sigma_row; +inf and -inf before the first. */
    double extent[6];
    double (*bins)[NS_BIN_SUMS];          /* [NS_SKETCH_BINS] */
    uint32_t *grid;                       /* [NS_SKETCH_HEIGHT, NS_SKETCH_WIDTH], lowest y first */
    int32_t grid_exponents[2];            /* of x and y */
    double (*channel)[NS_CHANNEL_SUMS];   /* [channels]; LARGE: how many |x| >= 6 */
    double (*position)[NS_POSITION_SUMS]; /* [positions] */
    uint64_t *row_sigma; /* [NS_SKETCH_SIDE] rows by the deviation of their x: bins as of x > 0 */
    /* Of the parts; a file before format 1.3 has none of it, and has_parts is false. */
    bool has_parts;
    uint64_t part_counts[NS_SKETCH_PARTS][NS_PART_COUNTS];
    uint64_t first_kinds[NS_SKETCH_KINDS]; /* rows at position 0 by their kind */
    ns_moments part_moments[NS_SKETCH_PARTS];
    double part_extent[NS_SKETCH_PARTS][6];
    double (*part_bins)[NS_BIN_SUMS]; /* [NS_SKETCH_PARTS * NS_SKETCH_BINS], part by part */
    uint64_t *part_row_sigma;         /* [NS_SKETCH_PARTS * NS_SKETCH_SIDE] */
    /* The points of largest |x|, falling; ties by sample, position, channel. Slots that are free have sample -1. */
    float top_x[NS_SKETCH_TOP], top_y[NS_SKETCH_TOP];
    int64_t top_sample[NS_SKETCH_TOP];
    int32_t top_position[NS_SKETCH_TOP], top_channel[NS_SKETCH_TOP];
} ns_sketch;

/* An empty sketch. ns_sketch_free also after a failure. */
NS_API int ns_sketch_new(ns_sketch *s, int channels, int positions, ns_error *err);
NS_API void ns_sketch_free(ns_sketch *sketch);

/* The bin of x; x must be finite. And a bin's limits: low <= x < high in size, for bins of positive x. */
NS_API int ns_sketch_bin(float x);
NS_API double ns_sketch_bin_edge(
    int bin); /* the lower edge of bin 0 to NS_SKETCH_BINS: rising; +-inf at the ends */
/* The bin, 0 to NS_SKETCH_SIDE - 1, of a row's sigma, and its lower edge. */
NS_API int ns_sketch_sigma_bin(float sigma);
NS_API double ns_sketch_sigma_edge(int bin);

/* Adds `from`, which must have the same channels and positions (NS_EINPUT). Samples that are in both are counted twice: who merges files
 * looks for them first. */
NS_API int ns_sketch_merge(ns_sketch *to, const ns_sketch *from, ns_error *err);

/* What is known of the parts whose bits are set (1 << NS_PART_FIRST and so on), as a sketch: counts, moments, extent, bins and row_sigma. The
 * rest is NULL, and no point is among the largest. ns_sketch_free also after a failure. */
NS_API int ns_sketch_of_parts(ns_sketch *out, const ns_sketch *sketch, unsigned parts,
                              ns_error *err);

/* The arrays as blocks of a store's site, in the group "sketch"; they point into the sketch. Returns how many there are: all, or those
 * that a sketch without parts has, which come first. */
enum { NS_SKETCH_BLOCKS = 20, NS_SKETCH_WHOLE_BLOCKS = 14 };
NS_API int ns_sketch_blocks(ns_sketch *s, ns_store_block out[NS_SKETCH_BLOCKS]);

/* The sketch of site i (from 0) of an open file, whose shown has_sketch is set. ns_sketch_free also after a failure. NS_EINPUT names what does
 * not fit. */
NS_API int ns_sketch_read(ns_sketch *out, const ns_store *store, int i, ns_error *err);

/* Whether the parts of a sketch tell of the same rows, `rows` of them: NULL, or what does not fit. Static text. */
NS_API const char *ns_sketch_check(const ns_sketch *sketch, uint64_t rows);

/* Sketches of all wanted sites of a model, filled by an observer. `sites` must outlive them. */
typedef struct ns_sketches ns_sketches;
NS_API int ns_sketches_new(ns_sketches **out, const ns_site *sites, int site_count,
                           const bool *wanted, ns_error *err);
NS_API void ns_sketches_free(ns_sketches *all);
/* To be asked before a store's observer where both stand in an ns_tee: the store may change y when it has taken it. */
NS_API ns_observer ns_sketches_observer(ns_sketches *all);
/* Brings what the threads hold apart together; before a sketch is read, merged or stored. */
NS_API void ns_sketches_settle(ns_sketches *all);
/* For ns_store_plan's blocks and blocks_settle: user is the ns_sketches. */
NS_API const ns_store_block *ns_sketches_blocks(void *user, int site, int *count);
NS_API void ns_sketches_settle_user(void *user);
/* After the blocks have been read back from an interrupted file. */
NS_API void ns_sketches_loaded(ns_sketches *all);

#ifdef __cplusplus
}
#endif
#endif
