/* A run while it is trained: what the files of this folder share. */
#ifndef NS_TRAIN_TRAINER_H
#define NS_TRAIN_TRAINER_H

#include <jansson.h>

#include "datasets/dataset.h"
#include "probe/base/output.h"
#include "probe/store/training_write.h"
#include "probe/train/adamw.h"
#include "probe/train/train.h"
#include "probe/train/trainee.h"

/* Of train.json. A reader refuses a larger version. */
#define NS_RUN_FORMAT "normscope training run"
enum { NS_RUN_VERSION = 1 };
enum { NS_RUN_FILES = 4 }; /* the files of a run that have one name throughout: save.c */

typedef struct ns_trainer ns_trainer;

/* What is trained on what: one architecture, one file arch_NAME.c, one row of the table in trainer.c. */
typedef struct ns_architecture {
    const char *name; /* "vit" */
    /* data and test, training and validation samples, memory for a batch; see ns_trainer_split and ns_trainer_allocate. */
    int (*open)(ns_trainer *t);
    int (*build)(ns_trainer *t); /* net */
    /* Inputs and labels to pixels or words, and labels: of a step, augmented; and of any samples, as they are. */
    int (*batch)(ns_trainer *t, int64_t step);
    int (*load)(ns_trainer *t, const ns_dataset *data, const int64_t *ids, int64_t n);
    json_t *(*config)(const ns_trainer *t); /* config.json, a new reference */
} ns_architecture;

/* NULL and NS_EUSAGE where there is no such one. */
const ns_architecture *ns_architecture_find(const char *name, ns_error *err);

struct ns_trainer {
    const ns_train_plan *plan;
    const ns_architecture *arch;
    ns_dataset *data, *test;        /* owned; test may be NULL */
    int64_t *training, *validation; /* sample ids, owned, one block; */
    int64_t training_count, validation_count;
    int64_t *order; /* [training_count], owned: this epoch's */
    int64_t ordered_epoch;
    ns_trainee *net; /* owned */
    ns_team team;
    ns_adamw adam;
    int64_t epoch_steps, steps, warmup_steps; /* of an epoch, of the run, of the rise */
    int64_t step;                             /* taken so far, */
    int64_t resumed_at;                       /* and before this process */
    double loss_sum, gradient_sum;            /* over this epoch's steps so far */
    int64_t hits;
    double began;           /* this epoch in this process, by ns_seconds, */
    int64_t began_at;       /* and its step then */
    ns_train_epoch *epochs; /* [plan->epochs], owned */
    int64_t epoch_count;
    float (*history)[NS_STEP_COLUMNS]; /* [steps], owned */
    float *watched;                    /* [watch_count, sites, NS_WATCH_COLUMNS], owned */
    int64_t *watched_steps;            /* [watch_count], owned */
    int64_t watch_count, watch_room;
    float *pixels;   /* [batch samples], owned, of images; */
    int32_t *words;  /* [batch, context], owned, of text */
    float *keep;     /* [2 * depth * batch], owned */
    float *loaded;   /* [batch samples], owned: before augmentation */
    int64_t *ids;    /* [batch] */
    int32_t *labels; /* [batch * net->labels] */
    char data_hash[NS_HASH_HEX];
    char test_hash[NS_HASH_HEX];
    int64_t saved_step;              /* of the state in the folder */
    bool threads_changed;            /* parts of the run had other numbers of threads */
    double test_loss, test_accuracy; /* NaN: not known yet */
    int lock; /* the folder, open and locked as long as the run lasts; -1: not yet */
    ns_file_id files[NS_RUN_FILES]; /* those that this run wrote last */
    char *vocabulary;               /* of text by characters, owned, or NULL */
    ns_error *err;
};

/* trainer.c: what the network takes, of the samples that were loaded last. */
const void *ns_trainer_input(const ns_trainer *t);

/* trainer.c, for architectures: ids of all samples in order, the last ones held out, and the steps that follow from their number; and
 * memory for a batch of data->shape. */
int ns_trainer_split(ns_trainer *t);
int ns_trainer_allocate(ns_trainer *t);

/* batch.c: the samples of a step, in the order of its epoch, to ids. */
void ns_trainer_choose(ns_trainer *t, int64_t step);
/* The beginning of a stream of random numbers. */
enum { NS_FOR_ORDER = 1, NS_FOR_SAMPLE = 2, NS_FOR_DROP = 3 };
uint64_t ns_trainer_stream(const ns_trainer *t, uint64_t purpose, int64_t a, int64_t b);
/* Drop path's factors of a step, to keep; NULL where nothing is dropped. */
const float *ns_trainer_keep(ns_trainer *t, int64_t step);

/* save.c */
int ns_trainer_begin_folder(ns_trainer *t);
/* NS_EFAIL where a file of the run has been replaced or removed by someone else: the run is then not what lies there. */
int ns_trainer_check_files(ns_trainer *t);
int ns_trainer_save_model(ns_trainer *t);
/* State, training.h5, train.json in this order. */
int ns_trainer_save(ns_trainer *t);
/* The first record of a new run, of the network as it begins. */
int ns_trainer_begin(ns_trainer *t);

/* resume.c: settings as they stand in train.json, a new reference, NULL without memory; and the state of an earlier run. */
json_t *ns_trainer_settings(const ns_trainer *t);
int ns_trainer_resume(ns_trainer *t);

/* watch.c: one record of all sites, on the first samples that are held out (else of the training samples). loss: of those samples, as
 * training has it; or NULL. */
int ns_trainer_watch(ns_trainer *t, double *loss);
/* training.h5. */
int ns_trainer_save_watched(ns_trainer *t);

/* finite.c: describes where values of this step's batch that are not finite began. NS_EFAIL. */
int ns_trainer_not_finite(ns_trainer *t, ns_keep keep, bool backward);
/* The same of a network whose loss on `what` ("the samples held out") is not finite after the last step. NS_EFAIL. */
int ns_trainer_diverged(ns_trainer *t, const char *what);

#endif
