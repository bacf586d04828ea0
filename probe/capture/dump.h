/* A run: a model over a data set, watched by a store. */
#ifndef NS_DUMP_H
#define NS_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "datasets/dataset.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"
#include "probe/models/model.h"
#include "probe/sketch/sketch.h"
#include "probe/store/store_write.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_dump_mode {
    NS_DUMP_FULL,   /* the rows */
    NS_DUMP_SKETCH, /* a sketch of each site, and a sample of the rows */
    NS_DUMP_BOTH    /* the rows and a sketch */
} ns_dump_mode;
#define NS_DUMP_MODES       "full|sketch|both"
#define NS_DUMP_SKETCH_ROWS 1024 /* kept beside a sketch where nothing is said */

typedef struct ns_dump_options {
    const char *output;
    const char *command_line; /* for provenance, or NULL */
    const char *created;      /* ISO 8601, or NULL */
    const bool *wanted;       /* [model->site_count] */
    const ns_dataset
        *types; /* token types of the data's words, as ids of its shape, below 0: 0; NULL: all 0 */
    int64_t skip;    /* samples of the order that are left out first */
    int64_t samples; /* 0: all that are left */
    int64_t batch;   /* 0: ns_dump_batch */
    ns_order order;
    uint64_t seed;
    ns_dump_mode mode;
    uint64_t sample_rows; /* 0: all rows, or NS_DUMP_SKETCH_ROWS beside a sketch */
    ns_dtype dtype;
    bool force, resume;
    bool to_the_end; /* run the layers behind the last wanted site, and count the hits */
    bool
        skip_unreadable; /* samples that cannot be read are left out; else the first of them is an error */
    ns_progress *checking; /* of that reading; or NULL */
    ns_progress *progress; /* or NULL */
} ns_dump_options;

typedef struct ns_dump_result {
    uint64_t samples, resumed_at; /* committed; where this call began */
    ns_store_score score;         /* of all that the file holds */
    ns_left_out unreadable;       /* samples that were left out; owned */
    double seconds;
    ns_store_tally odd; /* of what this call ran */
} ns_dump_result;

/* The plan of such a run, for ns_store_estimate; ns_dump_plan_free frees its arrays. It stays where it was made: the
 * store's plan points into it. */
typedef struct ns_dump_plan {
    ns_store_plan store;
    ns_sketches *sketches; /* NULL where there are none */
    int64_t *ids;
    int32_t *labels;
    ns_attribute *attributes;
    char model_hash[NS_HASH_HEX], data_hash[NS_HASH_HEX], types_hash[NS_HASH_HEX];
    const ns_dataset *types; /* borrowed */
    char preprocessing[256];
    struct ns_dump_names *names;
    ns_left_out unreadable; /* of the samples asked for */
    char *left_out;         /* the same and what the data set passed over, a name a line; or NULL */
    bool predictions, judged; /* kept in the file; and the head is run */
    int last_site;            /* index after which the pass may stop, 0: none */
} ns_dump_plan;
/* NS_EINPUT: fewer samples than are asked for; predictions are compared with a label that the model has no class for. */
NS_API int ns_dump_plan_make(ns_dump_plan *out, const ns_model *model, const ns_dataset *data,
                             const ns_dump_options *options, ns_error *err);
NS_API void ns_dump_plan_free(ns_dump_plan *plan);
NS_API void ns_dump_result_free(ns_dump_result *result);

/* The batch where none is asked for: the largest power of two, of 32 at most, whose pass and buffers take no more than NS_DUMP_BYTES. */
#define NS_DUMP_BYTES ((uint64_t)512 << 20)
NS_API int64_t ns_dump_batch(const ns_model *model, const bool *wanted);

/* Runs it. A request to stop is seen between the steps of a pass; the batch that it cuts off is not committed. NS_ESTOP after a request to stop: what was committed is in the file, and result says how much. */
NS_API int ns_dump_run(ns_model *model, const ns_dataset *data, const ns_dump_options *options,
                       ns_dump_result *result, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
