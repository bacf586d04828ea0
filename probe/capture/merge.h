/* Several runs of one model as one file: rows by copy, samples by priority, sketches merged.
 *
 * Memory: a batch of the largest site, the sketches of all sites, 48 bytes a sample, names, and where rows were sampled, 13 bytes for each of
 * those that one run keeps of a site, and of them the values that fall into the batch. */
#ifndef NS_MERGE_H
#define NS_MERGE_H

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"
#include "probe/store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_merge_options {
    const char *output;
    bool force;
    bool link;                          /* refer to the rows of the files instead of copying them */
    const char *command_line, *created; /* for provenance, or NULL */
    ns_progress *progress;              /* or NULL */
} ns_merge_options;

typedef struct ns_merge_result {
    uint64_t samples;
    int sites;
} ns_merge_result;

/* Merges `count` open files, in that order, their committed samples alone. They must be runs of one model with the same sites, mode, type,
 * preprocessing and, where rows were sampled, the same number of rows and seed; no sample of one data set may be in two of them. Samples
 * of different data sets that bear the same number get another: those of the second data set are raised above the first's, and so on.
 * NS_EINPUT names the file and what differs. The output appears when it is whole.
 *
 * With link, the new file holds no values but views of those of the others, by their full paths; each time it is opened they are looked for, and
 * NS_EINPUT says which one is gone or has changed. Runs with all rows alone. */
NS_API int ns_merge_runs(ns_store *const *runs, int count, const ns_merge_options *options,
                         ns_merge_result *result, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
