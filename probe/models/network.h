/* A network as a list of steps over numbered buffers, and the one pass over it.
 *
 * A step runs an operation from some buffers to another one. Operations (probe/models/operations.c) know no family, and a family knows
 * no memory: buffers get theirs when a run is planned (probe/models/plan.c), each as long as somebody still reads it. A buffer
 * is written by one step, but for columns that several linear layers fill, and rotations, which are made in place. */
#ifndef NS_NETWORK_H
#define NS_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "datasets/input.h"
#include "probe/base/error.h"
#include "probe/kernels/kernels.h"
#include "probe/norms/site.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a network is given. Which of the inputs are needed is the network's to say; the others are NULL. */
typedef struct ns_batch {
    size_t samples;            /* N */
    const int64_t *sample_ids; /* [N], what observers are told; NULL where nobody is */
    const ns_real *pixels;     /* [N, channels, height, width], normalized */
    size_t positions;          /* T, tokens of a sample of words */
    const int32_t *ids;        /* [N, T], words; below 0: padding */
    const int32_t *types;      /* [N, T], BERT's token types; NULL: all 0 */
    const uint8_t *mask;       /* [N, T], 0: padding; NULL: the ids say so */
} ns_batch;

/* Of what a buffer has a row. */
typedef enum ns_rows_of {
    NS_OF_TOKENS,   /* N * T */
    NS_OF_PATCHES,  /* N * P */
    NS_OF_SAMPLES,  /* N */
    NS_OF_POSITIONS /* T */
} ns_rows_of;

typedef struct ns_buffer {
    ns_rows_of rows;
    size_t width;
} ns_buffer;

typedef struct ns_operation ns_operation;
enum { NS_MOST_INPUTS = 4, NS_NO_BUFFER = -1 };

typedef struct ns_step {
    const ns_operation *operation;
    int in[NS_MOST_INPUTS], out; /* buffers */
    int site;                    /* of a norm, from 0; else -1 */
    const void *options;         /* the operation's own, owned by the network */
} ns_step;

/* What training writes of a norm: gradients, and the running statistics of a BatchNorm; NULL where it is not trained. */
typedef struct ns_norm_trained {
    ns_norm_gradient gradient;
    ns_real *mean, *variance; /* [C] */
} ns_norm_trained;

typedef struct ns_network {
    ns_input_kind input;
    ns_buffer *buffers; /* [buffer_count] */
    int buffer_count, buffer_room;
    ns_step *steps; /* [step_count] */
    int step_count, step_room;
    ns_site *sites;           /* [site_count], in the order of execution */
    ns_norm_trained *trained; /* [site_count], where their arrays are trained */
    int site_count, site_room;
    void **options; /* [option_count] */
    int option_count, option_room;
    /* Rows: */
    size_t tokens, patches;                /* T of images, P; T of words is the batch's */
    size_t classes_first, registers;       /* tokens before the patches */
    size_t vocabulary, types, most_tokens; /* of words; most_tokens 0: any */
    const int32_t
        *row_of;     /* [vocabulary], -1 for words that have no embedding; NULL: all have one */
    size_t embedded; /* rows of such an embedding */
    ns_row_kind pooled_kind; /* of the rows of NS_OF_SAMPLES */
    /* The head, run where somebody wants logits; in.width = head.in. */
    bool has_head, head_of_words; /* of words: the logits of what follows each token */
    int head_in;
    ns_linear head;
    double head_cap; /* of logits: see ns_attention.cap */
} ns_network;

NS_API void ns_network_free(ns_network *network);

/* What drop path multiplies residual branches by: factors [branches, stride] in their order, with the batch's samples first, as a branch
 * has a row; NULL: nothing is dropped. */
typedef struct ns_keep {
    const ns_real *factors;
    size_t stride;
} ns_keep;

/* Who looks on while a pass is made, for progress and requests to stop. */
typedef struct ns_watch {
    void *user;
    /* `done` of `all` parts of the pass are over: steps, and pieces of the head. Not 0 ends the pass, which returns that value; sites that
     * came before it have been delivered then. NULL: nobody. */
    int (*look)(void *user, size_t done, size_t all, ns_error *err);
} ns_watch;

/* A network's memory for batches. Zero it before the first use. */
typedef struct ns_run {
    const ns_network *network; /* borrowed */
    bool training;             /* keeps what a backward pass needs */
    size_t samples, tokens;    /* of the last batch */
    size_t room, room_tokens;  /* what the memory is for */
    bool observed;             /* there is room for y */
    int threads;
    ns_real **values;    /* [buffers], where each is */
    ns_real **gradients; /* [buffers], in training */
    ns_real **kept;      /* [steps], in training: what the backward pass of the step needs */
    int *last;           /* [buffers], the step that reads each last */
    ns_real *memory, *scratch, *work, *y;
    uint8_t *kinds, *pooled_kinds, *mask; /* [N * T], [N], [N * T] */
    int32_t *position_ids;                /* [T] */
    uint8_t *head_kinds;     /* [N * T * most heads of a norm], of the site that is visited; */
    int32_t *head_positions; /* [T * most heads] */
    bool padded;             /* the last batch has padding */
    const ns_batch *batch;   /* of the pass that is made; */
    ns_keep keep;
    bool batch_statistics,
        hold_running; /* norms over the batch use its statistics; and leave the running ones */
    const ns_observer *observer;
    ns_watch watch;
    int last_site;
    bool done; /* the last site has been delivered */
} ns_run;

/* How a pass is made; zeros: to the end, without training. */
typedef struct ns_run_options {
    const ns_observer *observer; /* or NULL */
    ns_watch watch;
    int last_site; /* the index of the site that the pass ends with; 0: to the end */
    ns_keep keep;
    bool batch_statistics, hold_running;
} ns_run_options;

/* Room for batches of so many samples of so many tokens (of images: the network's own). Memory: without training, the widest few of the
 * buffers, for attention T * T values a thread; with it, every buffer, and gradients of the widest few. y only once somebody
 * looks. Moves everything when it grows. */
NS_API int ns_run_reserve(ns_run *run, const ns_network *network, size_t samples, size_t tokens,
                          bool training, bool observed, ns_error *err);
NS_API void ns_run_free(ns_run *run);

/* Runs the steps, visits the sites, and gives the head's output to the observer's `logits`, where there is a head and the pass goes to
 * the end. Checks the batch: NS_EINPUT for words that the vocabulary does not have. Reserves what it needs. The result does not
 * depend on the batch's size beyond rounding. Not for two threads at once on one run. */
NS_API int ns_run_forward(ns_run *run, const ns_network *network, const ns_batch *batch,
                          ns_run_options pass, ns_error *err);

/* In training: logits [rows of head_in, classes] of the last pass. */
NS_API void ns_run_head(ns_run *run, ns_real *logits);
/* Adds to the gradient of every parameter, from dlogits, the gradient of these logits. The observer of the last pass is shown the gradient
 * at each site's output. */
NS_API void ns_run_backward(ns_run *run, const ns_real *dlogits);

/* Rows and values of a buffer in the run's batch. */
NS_API size_t ns_run_rows(const ns_run *run, int buffer);

#ifdef __cplusplus
}
#endif
#endif
