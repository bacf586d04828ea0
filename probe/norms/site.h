/* Sites and hooks: where normalization layers stand in a model, and how their tensors reach whoever watches.
 *
 * The model asks first (`wants`) and delivers second (`deliver`), so that a site that nobody watches costs nothing:
 * its y is then not even computed apart from the affine. */
#ifndef NS_SITE_H
#define NS_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/norms/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_role {
    NS_ROLE_ATTENTION,      /* before attention */
    NS_ROLE_MLP,            /* before the MLP */
    NS_ROLE_FINAL,          /* before the head */
    NS_ROLE_STEM,           /* on the embeddings */
    NS_ROLE_HEAD,           /* inside the head */
    NS_ROLE_POST_ATTENTION, /* behind attention and its residual */
    NS_ROLE_POST_MLP,       /* behind the MLP and its residual */
    NS_ROLE_QUERY,          /* on the queries of attention; */
    NS_ROLE_KEY,            /* on its keys */
    NS_ROLE_OTHER
} ns_role;
#define NS_ROLE_COUNT 10

/* "attention", "mlp", ... and back; ns_role_find gives NS_ROLE_OTHER for a word that it does not know. */
NS_API const char *ns_role_name(ns_role role);
NS_API ns_role ns_role_find(const char *name);

/* What a row is. Padding is counted and is part of no statistic. The numbers stand in files: never renumber. */
typedef enum ns_row_kind {
    NS_ROW_PATCH = 0,
    NS_ROW_CLASS = 1,
    NS_ROW_REGISTER = 2,
    NS_ROW_WORD = 3,
    NS_ROW_PADDING = 4
} ns_row_kind;

typedef struct ns_site {
    int index;        /* from 1, in order of execution */
    const char *name; /* module path in the checkpoint's own words: "blocks.7.norm1" */
    ns_role role;
    int positions; /* rows that a sample has at this site */
    ns_norm norm;
    int heads; /* where a token has several rows, the heads of a QK-norm: how many, so that row p of a sample is head p % heads of
                * token p / heads; else 0 or 1 */
} ns_site;

/* The rows that each token has at a site, at least 1. */
NS_API int ns_site_heads(const ns_site *site);

/* A batch at a site. Rows are ordered by sample, then by position: row r belongs to sample r / positions. */
typedef struct ns_rows {
    size_t samples;              /* N */
    size_t positions;            /* P; rows = N * P */
    const int64_t *sample_ids;   /* [N], index of the sample in its dataset */
    const int32_t *position_ids; /* [P], index of the row's token in the sample */
    const uint8_t *kinds;        /* [N * P], ns_row_kind */
    const ns_real *x;            /* [N * P, C], input */
    const ns_real *y;            /* [N * P, C], output before the affine */
} ns_rows;

typedef struct ns_observer {
    void *user;
    /* Whether this site's tensors are wanted, asked for every batch before they are computed. */
    bool (*wants)(void *user, const ns_site *site);
    /* The tensors, valid until it returns. Not 0 stops the forward pass, which returns that value. */
    int (*deliver)(void *user, const ns_site *site, const ns_rows *rows, ns_error *err);
    /* Where the model may write y directly instead of into its own memory, [rows, C] floats: an observer that copies
     * y anyway saves a pass with it. NULL, or a NULL result: no such place. May block until there is room. */
    ns_real *(*place_output)(void *user, const ns_site *site, size_t rows);
    /* After the last site of a batch, with the batch's ids; may be NULL. */
    int (*batch_done)(void *user, const int64_t *sample_ids, size_t samples, ns_error *err);
    /* The output of the network's head, in pieces of rows: [rows, classes], of which the first is row `first` of the batch (a sample, or a
     * token of a language model). NULL: nobody looks, and the head is not run. */
    int (*logits)(void *user, size_t first, size_t rows, size_t classes, const ns_real *logits,
                  ns_error *err);
    /* In the backward pass of a training: the loss's gradient at the site's output, dz [rows, C], after the affine; may be NULL. */
    void (*gradient)(void *user, const ns_site *site, size_t rows, const ns_real *dz);
} ns_observer;

/* Several observers as one. `observers` must outlive `tee`; at most one of them has its place_output used. */
typedef struct ns_tee {
    const ns_observer *observers;
    int count;
} ns_tee;
NS_API ns_observer ns_tee_observer(ns_tee *tee);

/* Where the site of that index stands among `sites` [count], -1 where it does not. At once where `site` is one of them. */
NS_API int ns_site_place(const ns_site *sites, int count, const ns_site *site);

/* Which sites are wanted: those that match any of `select` (all, where it is empty) and none of `exclude`, by
 * ns_glob_match, and whose index stands in `layers` ("5,15,20-25"; NULL: any). */
typedef struct ns_selection {
    const char *const *select;
    int select_count;
    const char *const *exclude;
    int exclude_count;
    const char *layers;
} ns_selection;

/* Sets wanted[count]. A pattern that matches no site, a layer that does not exist and an empty result are NS_EINPUT
 * with names that come near. site_at(user, i) gives site i, from 0. */
NS_API int ns_select_sites(const ns_selection *selection, int count,
                           const ns_site *(*site_at)(const void *user, int i), const void *user,
                           bool *wanted, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
