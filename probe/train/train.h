/* Training a ViT or a GPT with any kind of norm, from a data set to a checkpoint that `dump` reads.
 *
 * A run is a folder:
 *
 *     config.json, model.safetensors   the network after the last whole epoch, under timm's or GPT-2's names
 *     state-STEP.safetensors           parameters, AdamW's two means (m.NAME, v.NAME), what was recorded
 *     train.json                       settings, progress, a line for each epoch; it names the state file
 *     training.h5                      what was watched (docs/training-format.md)
 *
 * Each is written under another name and renamed, train.json last, so that a killed run goes on from its last state.
 *
 * The same plan and number of threads give the same bits, resumed or not: every random number is a hash of the seed, the
 * step and what it is for. */
#ifndef NS_TRAIN_H
#define NS_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NS_TRAIN_ACTIVATIONS "gelu|gelu_tanh|relu"

typedef struct ns_train_epoch {
    int64_t epoch, step;                  /* from 1; steps taken so far */
    double loss, accuracy, gradient_norm; /* means over the epoch's steps; accuracy in 0..1 */
    double validation_loss, validation_accuracy; /* after it; NaN without validation */
    double rate;                                 /* learning rate of its last step */
    double images_per_second;                    /* trained on by this process; in no file */
} ns_train_epoch;

typedef struct ns_train_result ns_train_result;

typedef struct ns_train_plan {
    const char *folder; /* of the run; made if need be */
    const char *data;   /* a path, or a name: "fashion-mnist" is trained on its training images */
    const char *labels; /* NULL: where the format puts them */
    const char *test;   /* NULL: the data set's own where it has a name, else none */
    int64_t validation; /* samples held out to choose by; -1: a twelfth */

    const char *arch;                           /* "vit" or "gpt" */
    int64_t context;                            /* tokens of a sample of text */
    bool characters;                            /* text is characters, else bytes */
    const char *norm;                           /* a kind of probe/norms/norm.h */
    int64_t width, depth, heads, hidden, patch; /* hidden 0: 4 * width */
    int activation;                             /* index into NS_TRAIN_ACTIVATIONS */
    double alpha, alpha_attention;              /* NaN: the kind's own; alpha */
    double deviation; /* of weights as they begin; 0: 0.02 sqrt(768 / width) */

    int64_t epochs, batch;
    double rate, least_rate; /* the cosine's ends */
    double warmup;           /* epochs of rising rate */
    double weight_decay, beta1, beta2, adam_eps;
    double clip; /* largest norm of the gradient; 0: none */
    double smoothing, drop_path;
    int64_t padding; /* pixels by which the random crop may move */
    bool flip;       /* left and right, by half */
    uint64_t seed;
    int64_t watch_every; /* steps; 0: at the start and after each epoch */

    bool force, resume;
    void (*begun)(void *user,
                  const ns_train_result *result); /* resumed_at and threads_changed are set; NULL */
    void (*epoch_done)(void *user, const ns_train_epoch *epoch); /* NULL: nobody wants to know */
    void *user;
    ns_progress *progress; /* NULL: silent */
} ns_train_plan;

/* The recipe of the DyT paper's ViTs, cut down to a small data set. folder, data and norm are NULL. */
NS_API ns_train_plan ns_train_defaults(void);

struct ns_train_result {
    int64_t parameters;
    int64_t training, validation, test; /* samples */
    int64_t resumed_at;                 /* step; 0: begun anew */
    bool
        threads_changed; /* parts of the run had other numbers of threads: not the bits of one without */
    double test_loss, test_accuracy; /* NaN without a test set */
};

/* Trains. NS_ESTOP after a signal: the state of the last whole step is kept. NS_EFAIL where the loss or the gradient, or after an
 * epoch the loss on what is held out, is not finite: the message says at which step and where it began, and the last state is
 * kept. Memory: what a network needs (probe/train/trunk.h) for a batch, and for NS_PIECE_ROWS rows and a thread; four floats a
 * parameter (value, gradient, AdamW's two) and one more, its gradient, for each thread; the data set. */
NS_API int ns_train_run(const ns_train_plan *plan, ns_train_result *result, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
