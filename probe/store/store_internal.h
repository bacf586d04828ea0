/* What the files of the store share. Not installed as an interface. */
#ifndef NS_STORE_INTERNAL_H
#define NS_STORE_INTERNAL_H

#include "probe/base/error.h"
#include "probe/store/h5.h"
#include "probe/store/store_write.h"

enum { NS_FORMAT_MAJOR = 1, NS_FORMAT_MINOR = 3 };

/* Room for a stored result: the text of a table with some lines a site. */
enum { NS_RESULT_BASE = 65536, NS_RESULT_SITE = 16384 };

/* The group of a site: "/sites/001". */
#define NS_SITE_GROUP "/sites/%03d"

/* HDF5's type of a block's elements, and its size in bytes. */
hid_t ns_block_h5type(ns_block_type type);
size_t ns_block_item(ns_block_type type);
uint64_t ns_block_bytes(const ns_store_block *block);

/* NS_EINPUT where site i (from 0) of an open file has no such block or it has another shape: to be asked before memory is taken
 * for what the file promises. */
int ns_store_find_block(const ns_store *store, int i, const ns_store_block *block, ns_error *err);
/* Whether there is a block of that name, whatever its shape. */
bool ns_store_has_block(const ns_store *store, int i, const char *name);
/* The block as of what is committed, into block->bytes. */
int ns_store_read_block(const ns_store *store, int i, const ns_store_block *block, ns_error *err);

/* Files that refer to others (probe/store/store_links.c). Lays out dataset `name` [rows, C] of a site as a view of the linked files' own; writes
 * what is known of them; and checks, when a file is opened, that they are there and unchanged: NS_EINPUT. */
int ns_links_lay_out(hid_t group, const char *name, hid_t type, const ns_store_plan *plan, int site,
                     const char *unit, ns_error *err);
int ns_links_put(hid_t file, const ns_store_plan *plan, ns_error *err);
int ns_links_check(hid_t file, const char *path, ns_error *err);

/* The seal of a complete run (probe/store/store_seal.c): its place, empty; where in a file it lies (offset 0: nowhere, in a file of an
 * earlier format) and what it leaves out, found while HDF5 has the file open; and the seal itself, of the file that fd has open, which may
 * have no name yet. `path` is for messages. */
typedef struct ns_range {
    uint64_t from, to;
} ns_range;
typedef struct ns_seal {
    uint64_t offset;
    ns_range *at; /* [count], by rising beginning; owned */
    size_t count, room;
} ns_seal;
int ns_seal_lay_out(hid_t progress, ns_error *err);
int ns_seal_find(ns_seal *out, hid_t file, ns_error *err);
int ns_seal_put(const ns_seal *seal, int fd, const char *path, uint64_t size, ns_error *err);
void ns_seal_free(ns_seal *seal);

/* Which rows of a run are kept at sites of so many positions (rows a sample): those of lowest priority, in the order of the run. */
typedef struct ns_kept_rows {
    uint64_t positions;
    uint64_t count;
    uint64_t *slots;       /* [count], place of the sample in the run */
    int32_t *positions_of; /* [count] */
} ns_kept_rows;
int ns_kept_rows_choose(ns_kept_rows *out, const ns_store_plan *plan, uint64_t positions,
                        ns_error *err);
void ns_kept_rows_free(ns_kept_rows *kept);
/* How many kept rows belong to samples before `slot`. */
uint64_t ns_kept_rows_before(const ns_kept_rows *kept, uint64_t slot);

/* Where the bytes of a site begin in the file; 0 where it has none of that sort. */
typedef struct ns_site_offsets {
    uint64_t input, output, sample, position, kind, head;
    uint64_t *blocks;    /* [block_count] */
    uint64_t extreme[5]; /* input, output, sample, position, head */
} ns_site_offsets;

/* What can be said of samples (probe/store/store_outcome.c), a dataset in /samples each. */
enum {
    NS_OUTCOME_PREDICTION,
    NS_OUTCOME_LOSS,
    NS_OUTCOME_JUDGED,
    NS_OUTCOME_HITS,
    NS_OUTCOME_WORDS,
    NS_OUTCOMES
};

typedef struct ns_layout {
    uint64_t committed, outcomes[NS_OUTCOMES];
    ns_site_offsets *sites; /* [plan->site_count] */
    uint64_t size;          /* of the file */
    ns_seal seal;
} ns_layout;

/* Bytes a sample, 0 where the plan has none of that kind. */
size_t ns_outcome_bytes(const ns_store_plan *plan, int kind);
int ns_outcomes_lay_out(hid_t samples, const ns_store_plan *plan, ns_layout *out, ns_error *err);
/* "samples/loss". */
enum { NS_OUTCOME_PATH = 32 };
const char *ns_outcome_path(int kind, char path[NS_OUTCOME_PATH]);
/* The plan's names into the file (probe/store/store_names.c). */
int ns_names_put(hid_t file, const ns_store_plan *plan, ns_error *err);

/* Rows that site i has in the file. kept is that of its positions, or NULL. */
uint64_t ns_plan_rows(const ns_store_plan *plan, int site, const ns_kept_rows *kept);

/* Fills the open file `fd`, named `path` in messages, with all groups, attributes and datasets. kept[i] is that of site i or NULL. */
int ns_layout_create(ns_layout *out, int fd, const char *path, const ns_store_plan *plan,
                     const ns_kept_rows *const *kept, ns_error *err);
/* Finds the same places in a file that exists, and compares what must match. */
int ns_layout_find(ns_layout *out, const char *path, const ns_store_plan *plan,
                   const ns_kept_rows *const *kept, ns_error *err);
void ns_layout_free(ns_layout *layout, int site_count);

/* The rows of a site with its largest and smallest values, as they stand after the batches seen. */
typedef struct ns_extremes {
    int channels;
    float *input, *output; /* [NS_STORE_EXTREME_ROWS, C] */
    int64_t *samples;      /* [NS_STORE_EXTREME_ROWS], -1 where there is none yet */
    int32_t *positions;    /* [NS_STORE_EXTREME_ROWS] */
    int32_t *heads;        /* likewise */
    float *
        key; /* [NS_STORE_EXTREME_ROWS]: largest value of a row of the first half, smallest of the second */
} ns_extremes;
int ns_extremes_new(ns_extremes *out, int channels, ns_error *err);
void ns_extremes_free(ns_extremes *extremes);
/* heads: rows of each token. */
void ns_extremes_add(ns_extremes *extremes, const ns_rows *rows, int heads);
/* Recomputes the keys after the arrays were read from a file. */
void ns_extremes_loaded(ns_extremes *extremes);

#endif
