/* The writer of a store, shared by the files that open it and that run it. Not installed as an interface. */
#ifndef NS_STORE_WRITER_INTERNAL_H
#define NS_STORE_WRITER_INTERNAL_H

#include <pthread.h>

#include "probe/base/output.h"
#include "probe/base/queue.h"
#include "probe/store/store_internal.h"

/* What the queue carries: rows of a site, or the end of a batch. */
typedef struct ns_store_message {
    int site; /* -1: a commit */
    uint64_t first, rows;
    float *x, *y;       /* [rows, C] in `values` */
    int64_t *samples;   /* [rows] */
    int32_t *positions; /* [rows] */
    int32_t *heads;     /* [rows] */
    uint8_t *kinds;     /* [rows] */
    float *values;
    uint64_t committed; /* of a commit: samples before it and in it */
    uint64_t added;
    bool held; /* the count in the file stays as it is for now */
    bool brought[NS_OUTCOMES];
    unsigned char *outcomes[NS_OUTCOMES]; /* [batch] samples each, NULL: not in the plan */
    unsigned char *blocks; /* the blocks of all sites and the extremes, one after the other */
} ns_store_message;

struct ns_store_writer {
    ns_store_plan plan;
    char *path;
    int fd;           /* the output's, where the file is new */
    ns_output output; /* of a new file */
    ns_layout layout;
    ns_kept_rows *kept;           /* one for each number of positions */
    const ns_kept_rows **kept_of; /* [site_count], or NULLs */
    int kept_count;
    ns_extremes *extremes; /* [site_count], where rows are sampled */
    uint64_t *next_row;    /* [site_count], rows delivered so far */
    uint64_t committed;    /* by the model's side */
    size_t buffer_rows, buffer_values, block_bytes;
    ns_store_message *messages; /* NS_STORE_BUFFERS for rows, 2 for commits */
    ns_queue *free_rows, *free_commits, *work;
    ns_store_message *placed; /* the buffer whose y the model is writing */
    pthread_t thread;
    bool running;
    uint64_t in_file; /* samples that the file says are committed, once the queue is empty */
    double counted;   /* when that was */
    pthread_mutex_t lock;
    ns_store_tally
        tally; /* of the side that looks at the values: the thread's, or where rows are sampled the model's */
    ns_error failure; /* of the thread; status 0 while all is well */
    double synced;
};

/* Of a commit: room for what is said of a batch; what is said of this one; and to the file with it. */
int ns_outcomes_make(ns_store_message *m, const ns_store_plan *plan, uint64_t batch, ns_error *err);
void ns_outcomes_take(ns_store_message *m, const ns_store_plan *plan, uint64_t samples,
                      const ns_store_outcome *outcome);
int ns_outcomes_write(ns_store_writer *w, const ns_store_message *m, ns_error *err);

/* Blocks in the file: where a walk over them stands, and which of the two slots it means. */
typedef struct ns_slot_cursor {
    unsigned char *from;
    uint64_t slot;
} ns_slot_cursor;

/* Calls `each` for every block of the file in a fixed order: the sites' own, then their extreme rows. */
int ns_store_blocks(ns_store_writer *w,
                    int (*each)(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset,
                                void *user, ns_error *err),
                    void *user, ns_error *err);
/* Which of a block's two slots belongs to so many committed samples. */
uint64_t ns_store_slot(const ns_store_writer *w, uint64_t committed);
/* Whether the blocks of so many samples go to the slot that the file does not refer to. */
bool ns_store_other_slot(const ns_store_writer *w, uint64_t committed);
/* For ns_store_blocks: copies the bytes to where user, an unsigned char **, points, and moves it on. */
int ns_store_copy_block(ns_store_writer *w, void *bytes, uint64_t size, uint64_t offset, void *user,
                        ns_error *err);
/* When all samples are committed: the blocks into the other slot too, so that a finished file does not depend on when
 * commits were made. */
int ns_store_mirror(ns_store_writer *w, unsigned char *blocks, ns_error *err);
/* The failure of the writer's thread, NS_OK while all is well. */
int ns_store_failed(ns_store_writer *w, ns_error *err);
/* store_tally.c: looks at the sites' parameters; at values of a site, index into the plan's; and hands the plan what was found. */
void ns_store_tally_begin(ns_store_writer *w);
void ns_store_tally_add(ns_store_writer *w, int site, const float *values, size_t count);
void ns_store_tally_end(const ns_store_writer *w);
/* What the thread runs; user is the writer. */
void *ns_store_thread(void *user);

#endif
