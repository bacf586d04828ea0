/* What the files of a merge share: merge.c compares the runs and writes the result, merge_samples.c numbers the samples, merge_rows.c
 * brings the rows, merge_names.c what is said of the samples and what they are called. */
#ifndef NS_MERGE_INTERNAL_H
#define NS_MERGE_INTERNAL_H

#include "probe/capture/merge.h"
#include "probe/sketch/sketch.h"
#include "probe/store/store_write.h"

/* A sample of the result. */
typedef struct ns_merged_sample {
    int64_t id;
    uint64_t place;
} ns_merged_sample;

typedef struct ns_merging {
    ns_store *const *runs;
    int count;
    const ns_merge_options *options;
    uint64_t *first;    /* [count + 1] place of each run's first sample in the result */
    int64_t *raise;     /* [count] what is added to a run's sample numbers */
    int64_t *ids;       /* [samples] */
    int32_t *labels;    /* [samples], or NULL */
    int32_t *predicted; /* [samples], or NULL */
    double *loss;       /* [samples], or NULL, */
    int32_t *judged, *hits;
    int32_t *words;        /* [batch, words of the plan] */
    ns_store_names *names; /* [count], those of each run; */
    ns_names_plan
        named; /* and of the result: names.samples and the arrays of tokens are owned, what they point to is the runs' */
    ns_site *sites;
    bool *wanted;
    ns_sketch *sketches; /* [sites], where there are any */
    ns_store_block (*blocks)[NS_SKETCH_BLOCKS];
    int *block_counts; /* of each site */
    ns_store_plan plan;
    ns_merged_sample *order; /* [samples] by rising number */
    ns_store_link *links;
    char **paths; /* [count] full paths */
    float *x, *y; /* a batch */
    uint8_t *kinds;
    int32_t *positions;
} ns_merging;

/* An attribute of a run, "" where it has none. */
const char *ns_merge_text(const ns_store *run, const char *name);
/* Whether two runs are of one data set, by its path or its hash, so that a number means the same sample in both. */
bool ns_merge_same_data(const ns_store *a, const ns_store *b);

/* ids, labels, predicted, raise and order of all runs' samples. NS_EINPUT where a sample is in two of them. */
int ns_merge_samples(ns_merging *m, ns_error *err);

/* What the runs say of their samples and how they name them, so far as all do (merge_names.c): sets the plan's judged, words and names, which
 * have their memory in m. */
int ns_merge_outcomes(ns_merging *m, ns_error *err);
int ns_merge_names(ns_merging *m, ns_error *err);
void ns_merge_names_free(ns_merging *m);
/* Words of samples [first, first + samples) of the result to m->words, where the plan has any. */
int ns_merge_words(ns_merging *m, uint64_t first, uint64_t samples, ns_error *err);

/* Site's rows of samples [first, first + samples) of the result to x, y and kinds; with links the kinds alone. */
int ns_merge_rows(const ns_merging *m, int site, uint64_t first, uint64_t samples, ns_error *err);

#endif
