/* Writing a run's HDF5 file; docs/run-format.md describes what is in it.
 *
 * The whole file is laid out once, by HDF5, before it has its name; then HDF5 is closed and every byte goes by pwrite to an
 * offset that HDF5 gave. A batch's rows are written first and the count of committed samples last, so that a process killed at
 * any moment leaves a file that opens and holds every committed batch. A writer thread does it, behind a bounded queue.
 *
 * Memory: NS_STORE_BUFFERS buffers of the largest site's batch (input and output, float32), and, where rows are sampled, 24 bytes a
 * kept row and the extreme rows of each site. */
#ifndef NS_STORE_WRITE_H
#define NS_STORE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/norms/site.h"
#include "probe/store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_STORE_BUFFERS 4
/* Blocks of the plan, which may be large, are written no oftener; then the count in the file moves no oftener either. */
#define NS_STORE_HOLD_SECONDS 1.0
#define NS_STORE_EXTREME_ROWS                                                                      \
    64 /* kept beside a sample: half with the largest, half with the smallest values */

typedef struct ns_store_writer ns_store_writer;

/* A root attribute: text, or a number where text is NULL. One that must match is compared when a run is resumed. */
typedef struct ns_attribute {
    const char *name;
    const char *text;
    int64_t number;
    bool must_match;
} ns_attribute;

/* Element types of blocks. */
typedef enum ns_block_type {
    NS_BLOCK_F32,
    NS_BLOCK_F64,
    NS_BLOCK_U8,
    NS_BLOCK_I32,
    NS_BLOCK_U32,
    NS_BLOCK_I64,
    NS_BLOCK_U64
} ns_block_type;

/* A block of bytes of fixed size that is rewritten at every commit in the place that the last commit did not use, so that a killed
 * process never leaves a torn one: a dataset [2, ...] in the site's group. Slot b % 2 belongs to the b-th committed batch. */
typedef struct ns_store_block {
    const char *name;
    const char *unit; /* or NULL */
    ns_block_type type;
    int dims;            /* without the leading 2 */
    uint64_t extents[3]; /* a name may lie in a group: "sketch/bins" */
    void *bytes;         /* borrowed: written at a commit, read back when a run is resumed */
} ns_store_block;

/* A run whose input and output the new file refers to instead of holding them. */
typedef struct ns_store_link {
    const char *path;
    uint64_t samples; /* its first samples, all their rows */
} ns_store_link;

/* What the file is to call samples, classes and tokens, borrowed while it is created. NULL and 0: nothing. */
typedef struct ns_names_plan {
    const char *const *samples; /* [samples of the plan], in the order of the run */
    const char *const *classes; /* [class_count] */
    int class_count;
    const int32_t *token_ids;  /* [token_count], rising */
    const char *const *tokens; /* [token_count] */
    int token_count;
} ns_names_plan;

/* What a commit says of its samples; what the plan does not foresee is passed over. */
typedef struct ns_store_outcome {
    const int32_t *predictions; /* [samples], classes */
    const double *
        loss; /* [samples], nats of what was judged: of an image its label, of text the words that follow */
    const int32_t *judged,
        *hits; /* [samples], how many that were, and how many of them the largest logit told */
    const int32_t *words; /* [samples, words of the plan], below 0: padding */
} ns_store_outcome;

/* What is odd about the numbers of a run: told when it ends. Of sampled rows, all that went by are looked at. */
typedef struct ns_store_tally {
    uint64_t values;     /* inputs and outputs seen, */
    uint64_t not_finite; /* NaN and Inf among them, */
    uint64_t too_large;  /* and others above `largest` */
    uint64_t parameters; /* of the sites: not finite, or above 1e38 */
    int site;            /* the first site with any, from 1 */
    double largest;      /* 1e38; in float16 65504, above which the file holds Inf */
} ns_store_tally;

typedef struct ns_store_plan {
    const char *path;
    bool force; /* replace an existing file */
    bool
        when_whole; /* the file has no name before all samples are committed: it appears, or nothing does */
    const ns_site *sites; /* [site_count], of the model */
    int site_count;
    const bool *wanted;        /* [site_count] */
    uint64_t samples;          /* in all */
    const int64_t *sample_ids; /* [samples], in the order of the run */
    const int32_t *labels;     /* [samples], in that order, or NULL */
    bool predictions;          /* whether commits bring the predicted classes, */
    bool judged;               /* loss, judged and hits, */
    int words;                 /* and so many words a sample; 0: none */
    ns_names_plan names;
    uint64_t batch; /* samples a commit, the last one may be smaller */
    ns_dtype dtype;
    bool rows;            /* false: the file holds blocks alone (a sketch), no rows */
    uint64_t sample_rows; /* rows of each site to keep; 0: all */
    uint64_t seed;
    const ns_attribute *attributes;
    int attribute_count;
    /* Blocks of site i (index into sites), or none where NULL is returned. */
    const ns_store_block *(*blocks)(void *user, int site, int *count);
    void (*blocks_settle)(void *user); /* called before blocks are copied; or NULL */
    void *blocks_user;
    /* [link_count], in the order of the samples; none: the file holds the rows. What is delivered then goes to row tables alone. */
    const ns_store_link *links;
    int link_count;
    ns_store_tally *tally; /* filled when the writer is closed; or NULL */
} ns_store_plan;

/* Bytes that the file takes for site i of the plan, and for all. Nothing is written. */
NS_API int ns_store_estimate(const ns_store_plan *plan, uint64_t *site_bytes, uint64_t *total,
                             ns_error *err);

/* Lays the file out and reserves its space. NS_EFAIL where it exists and force is not set, or where the space is short: the file then
 * stays, valid, with no sample committed. NS_EINPUT where it cannot be created. */
NS_API int ns_store_create(ns_store_writer **out, const ns_store_plan *plan, ns_error *err);

/* Opens an interrupted file to go on with the same plan. NS_EINPUT names what differs. */
NS_API int ns_store_resume(ns_store_writer **out, const ns_store_plan *plan, ns_error *err);

/* Samples committed so far: where to go on. */
NS_API uint64_t ns_store_writer_committed(const ns_store_writer *writer);

/* What to hand to the model: wants the plan's sites, copies what is delivered, and takes y directly where it can. */
NS_API ns_observer ns_store_writer_observer(ns_store_writer *writer);

/* The batch whose sites have all been delivered is complete: `samples` more samples are committed once their rows are written.
 * predictions [samples] may be NULL. Blocks are copied before it returns. Reports an earlier failure of the writer thread. */
NS_API int ns_store_writer_commit(ns_store_writer *writer, uint64_t samples,
                                  const int32_t *predictions, ns_error *err);

/* The same with all that may be said of the samples; NULL: nothing. */
NS_API int ns_store_writer_commit_outcome(ns_store_writer *writer, uint64_t samples,
                                          const ns_store_outcome *outcome, ns_error *err);

/* Samples that the file will say are committed, once the thread is done: fewer than those above where the plan has blocks. */
NS_API uint64_t ns_store_writer_in_file(const ns_store_writer *writer);
/* Whether nothing is lost by closing now; after the next batch it is so where it is not. */
NS_API bool ns_store_writer_may_stop(const ns_store_writer *writer);
/* Has the count in the file follow, where ns_store_writer_may_stop. */
NS_API int ns_store_writer_flush(ns_store_writer *writer, ns_error *err);

/* Waits for the thread, writes to the disk (fsync) and frees the writer, also after a failure, which it reports. NS_EFAIL too where the file
 * under the name is no longer the one that was written. */
NS_API int ns_store_writer_close(ns_store_writer *writer, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
