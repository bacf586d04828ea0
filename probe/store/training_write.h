/* Writing training.h5, what a training run records: docs/training-format.md. The file is made in memory, as HDF5 cannot be trusted with a
 * full disk, then written like any other file. */
#ifndef NS_TRAINING_WRITE_H
#define NS_TRAINING_WRITE_H

#include <stdint.h>

#include "probe/base/error.h"
#include "probe/norms/site.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is recorded of a step. */
enum { NS_STEP_LOSS, NS_STEP_ACCURACY, NS_STEP_RATE, NS_STEP_GRADIENT, NS_STEP_COLUMNS };

/* What is watched of a site. */
enum {
    NS_WATCH_ALPHA, /* mean over channels where there are several */
    NS_WATCH_ALPHA_LEAST,
    NS_WATCH_ALPHA_MOST,
    NS_WATCH_SIGMA,        /* 1/sigma of all values */
    NS_WATCH_SIGMA_ROWS,   /* median over rows of 1/sigma of a row */
    NS_WATCH_SIGMA_ROBUST, /* 1/(1.4826 MAD) */
    NS_WATCH_ROW_LOW,      /* sigma of rows: 5th percentile, */
    NS_WATCH_ROW_MEDIAN,   /* 50th, */
    NS_WATCH_ROW_HIGH,     /* 95th */
    NS_WATCH_LARGEST,      /* |x| */
    NS_WATCH_SATURATED,    /* share of |alpha x| > 2 */
    NS_WATCH_GRADIENT,     /* norm of the loss's gradient by the site's output */
    NS_WATCH_COLUMNS
};

/* Columns of an epoch. */
enum {
    NS_EPOCH_LOSS,
    NS_EPOCH_ACCURACY,
    NS_EPOCH_VALIDATION_LOSS, /* NaN without samples held out, and so the next */
    NS_EPOCH_VALIDATION_ACCURACY,
    NS_EPOCH_COLUMNS
};

/* All arrays are borrowed. */
typedef struct ns_training_record {
    const char *norm, *data_sha256;
    int64_t seed, steps_per_epoch, steps_in_all;
    int64_t steps, epochs, records;          /* so far */
    const float (*history)[NS_STEP_COLUMNS]; /* [steps] */
    const double (*epoch)[NS_EPOCH_COLUMNS]; /* [epochs] */
    const ns_site *sites;                    /* [site_count] */
    int site_count;
    const int64_t *record_steps; /* [records], steps taken before each */
    const float *watched;        /* [records, site_count, NS_WATCH_COLUMNS] */
} ns_training_record;

/* Makes or replaces the file. NS_EFAIL names it. */
int ns_training_write(const char *path, const ns_training_record *record, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
