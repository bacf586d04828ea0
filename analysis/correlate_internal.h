/* What the files of correlate share; and alpha against 1/sigma over the epochs of a training run, from its training.h5. */
#ifndef NS_CORRELATE_INTERNAL_H
#define NS_CORRELATE_INTERNAL_H

#include <stdint.h>

#include "probe/base/table.h"
#include "probe/store/training.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The three 1/sigma: of all values, of the median row, robust. */
enum { NS_SIGMAS = 3 };
/* Fewer pairs have no interval (analysis/correlation.h), and no r is told of them. */
enum { NS_FEWEST_PAIRS = 4 };

/* Borrowed from the training, but for `records`. */
typedef struct ns_epochs {
    const ns_training *training;
    const double *alpha, *inverse[NS_SIGMAS]; /* [records, sites], 1/x; NaN where not known */
    int *records; /* [count]: which record is that of the end of epoch i + 1 */
    int count;    /* at least 1 */
} ns_epochs;

/* ns_epochs_free(out) afterwards, also after a failure. NS_EINPUT: no site has an alpha, or no epoch is over. */
int ns_epochs_of(ns_epochs *out, const ns_training *training, ns_error *err);
void ns_epochs_free(ns_epochs *epochs);

/* The columns of the two tables below. */
enum { NS_EPOCHS_COLUMNS = 13, NS_WITHIN_COLUMNS = 9 };
extern const ns_column ns_epochs_columns[NS_EPOCHS_COLUMNS];
extern const ns_column ns_within_columns[NS_WITHIN_COLUMNS];

/* Pearson's r over the wanted sites [sites] after each epoch, of all of them and of each role that has at least four: a row an epoch and
 * group. `run` fills the first column. */
int ns_epochs_add(ns_table *table, const char *run, const ns_epochs *epochs, const bool *wanted,
                  ns_error *err);

/* Pearson's r within each wanted site over the epochs; then a row of the medians over the sites and one of the share of the sites where r is above 0. */
int ns_within_add(ns_table *table, const char *run, const ns_epochs *epochs, const bool *wanted,
                  ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
