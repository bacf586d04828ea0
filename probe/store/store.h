/* Reading a run's HDF5 file. Writing is in probe/store/store_write.h; every group, dataset and attribute is described in
 * docs/run-format.md.
 *
 * Memory: the list of sites, and the row table of a site while it is asked for. Values are read in pieces into the
 * caller's memory, by position in the file where the layout allows it, so that several threads may read at once. */
#ifndef NS_STORE_H
#define NS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/norms/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_store ns_store;

typedef enum ns_tensor { NS_INPUT, NS_OUTPUT } ns_tensor;
typedef enum ns_dtype { NS_F32, NS_F16 } ns_dtype;

/* A site as the file has it. */
typedef struct ns_store_site {
    ns_site site; /* index, name, role, norm with its arrays; owned by the store */
    uint64_t
        rows; /* complete rows: of committed samples, or those kept of them; 0 for a sketch alone */
    bool sampled;          /* the rows are a sample by hashed priority, not all */
    uint64_t rows_seen;    /* rows of the committed samples, kept or not */
    uint64_t extreme_rows; /* rows of the extra dataset for drawing; see ns_store_read_extreme */
    bool has_sketch;
    ns_dtype dtype;
} ns_store_site;

/* Opens a complete or an interrupted file, also while it is being written. NS_EINPUT: not HDF5, not of this program, of
 * a newer major version (the message names both), damaged. */
NS_API int ns_store_open(ns_store **out, const char *path, ns_error *err);
NS_API void ns_store_close(ns_store *store);

NS_API const char *ns_store_path(const ns_store *store);
NS_API int ns_store_site_count(const ns_store *store);
/* Site i, from 0, in order of index. The index of the site itself is ->site.index. */
NS_API const ns_store_site *ns_store_site_at(const ns_store *store, int i);
/* For ns_select_sites: user is an ns_store. */
NS_API const ns_site *ns_store_select_at(const void *user, int i);

/* What site i takes of this file, in bytes: rows, sketch, extreme rows and parameters; nothing for rows that a merge links to. NS_EINPUT where
 * the site's group cannot be read. */
NS_API int ns_store_site_bytes(const ns_store *store, int i, uint64_t *bytes, ns_error *err);

/* Samples planned, and those committed so far. */
NS_API uint64_t ns_store_samples_planned(const ns_store *store);
NS_API uint64_t ns_store_samples(const ns_store *store);

/* Id, label and predicted class of samples [first, first + count) in the order of the run; count must lie within those committed.
 * Each array may be NULL. Where the file has no labels or no predictions they are set to -1. */
NS_API int ns_store_read_samples(const ns_store *store, uint64_t first, uint64_t count,
                                 int64_t *ids, int32_t *labels, int32_t *predictions,
                                 ns_error *err);

/* How right the model was on the committed samples: on images by their labels, on text by the words that follow. */
typedef struct ns_store_score {
    uint64_t judged, hits; /* 0 of 0 where nothing was judged */
    double loss;           /* nats of all that were judged, */
    bool has_loss;         /* where the file says it (since format 1.3) */
    bool of_words;
} ns_store_score;
NS_API int ns_store_read_score(const ns_store *store, ns_store_score *out, ns_error *err);
/* The same sample by sample, [count] each, any of them NULL: nats, how many labels or words were judged, how many were right; 0 where the file
 * has none, which ns_store_has_judged tells. */
NS_API bool ns_store_has_judged(const ns_store *store);
NS_API int ns_store_read_judged(const ns_store *store, uint64_t first, uint64_t count, double *loss,
                                int32_t *judged, int32_t *hits, ns_error *err);

/* Words of a sample, T, 0 where the file does not say which they were; and their ids [count, T], below 0: padding. Thread-safe. */
NS_API int ns_store_words(const ns_store *store);
NS_API int ns_store_read_words(const ns_store *store, uint64_t first, uint64_t count,
                               int32_t *words, ns_error *err);

/* What the file calls samples, classes and tokens; what it does not name is NULL and 0. As it stands in the file: a token may be a line
 * break, and whoever prints one needs ns_printable. Owned: ns_store_names_free. Memory: that text. */
typedef struct ns_store_names {
    char **samples;     /* [sample_count], in the order of the run */
    char **classes;     /* [class_count] */
    int32_t *token_ids; /* [token_count], rising */
    char **tokens; /* [token_count], their text as UTF-8, a space where the vocabulary marks one */
    int64_t sample_count, class_count, token_count;
} ns_store_names;
NS_API int ns_store_read_names(const ns_store *store, ns_store_names *out, ns_error *err);
NS_API void ns_store_names_free(ns_store_names *names);
/* The text of a token, borrowed; NULL where the file does not name it. */
NS_API const char *ns_store_token(const ns_store_names *names, int32_t id);

/* The root attributes that say where a run comes from, in the order in which people read them; NULL ends them. */
NS_API extern const char *const ns_store_provenance[];

/* A root attribute as text ("model_sha256", "command_line", "seed"), or NULL. Numbers are printed. Borrowed. */
NS_API const char *ns_store_attribute(const ns_store *store, const char *name);

/* Rows [first, first + rows) of a site's tensor as float into out [rows, C]. Thread-safe. */
NS_API int ns_store_read(const ns_store *store, int i, ns_tensor which, uint64_t first,
                         uint64_t rows, float *out, ns_error *err);

/* Which sample, position and ns_row_kind those rows are; any of the three may be NULL. Thread-safe. */
NS_API int ns_store_read_rows(const ns_store *store, int i, uint64_t first, uint64_t rows,
                              int64_t *samples, int32_t *positions, uint8_t *kinds, ns_error *err);

/* Which of its token's rows each of them is, from 0: its head at a site with heads (ns_site_heads), else 0. Thread-safe. */
NS_API int ns_store_read_heads(const ns_store *store, int i, uint64_t first, uint64_t rows,
                               int32_t *heads, ns_error *err);

/* The extreme rows of a sampled site (the rows with its largest and smallest values), x and y [extreme_rows, C], for
 * drawing alone; they are no part of any statistic. Any may be NULL. */
NS_API int ns_store_read_extreme(const ns_store *store, int i, float *x, float *y, int64_t *samples,
                                 int32_t *positions, int32_t *heads, ns_error *err);

/* Results that a file has a place for. */
typedef enum ns_result { NS_RESULT_FIT, NS_RESULT_STATS, NS_RESULTS } ns_result;
NS_API extern const char *const ns_result_names[NS_RESULTS];

/* Stores a result's text in the file, in place of an earlier one, which stays until the new one is whole. NS_EINPUT where the run is not
 * complete, the file was made before there was a place for it, or may not be written; NS_EFAIL where the text is too long. */
NS_API int ns_store_put_result(const ns_store *store, ns_result which, const char *text,
                               ns_error *err);
/* NS_EFAIL where anything but x, y and results has changed since the run was complete. *sealed: there was something to tell it by, which a
 * file of an incomplete run or of format 1.1 lacks. */
NS_API int ns_store_check_seal(const ns_store *store, bool *sealed, ns_error *err);
/* The stored text, NULL in *out where there is none. The caller frees it. */
NS_API int ns_store_get_result(const ns_store *store, ns_result which, char **out, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
