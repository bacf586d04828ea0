/* Reference models: one family, one file in probe/models/, one row of the table in probe/models/model.c. */
#ifndef NS_MODEL_H
#define NS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/image.h"
#include "probe/base/error.h"
#include "probe/norms/site.h"
#include "probe/weights/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_model ns_model;
typedef struct ns_model_kind ns_model_kind;

/* One line of what was understood about a checkpoint, for `normscope list`. */
typedef struct ns_fact {
    char name[32];   /* "width" */
    char value[128]; /* "96" */
    char from[96];   /* "config.json: embed_dim", "shape of cls_token", "default" */
} ns_fact;

typedef struct ns_batch {
    size_t samples;            /* N */
    const int64_t *sample_ids; /* [N] */
    const float *pixels;       /* [N, channels, height, width], normalized */
} ns_batch;

/* A model in memory. Filled by its kind's `open`; every other function reads it through the accessors below. */
struct ns_model {
    const ns_model_kind *kind;
    ns_weights *weights; /* owned */
    ns_site *sites;      /* [site_count] */
    int site_count;
    int classes;          /* width of the logits; 0 where there is no head */
    ns_image_shape image; /* what the model takes */
    ns_fact *facts;       /* [fact_count] */
    int fact_count;
    void *state; /* the kind's own */
};

struct ns_model_kind {
    const char *name; /* "vit" */
    const char *summary;
    /* Whether the weights are of this family: what is found in their names and the config. No error. */
    bool (*recognise)(const ns_weights *weights);
    /* Fills in model->sites, image, classes, facts and state; model->weights is set. */
    int (*open)(ns_model *model, ns_error *err);
    void (*close)(ns_model *model);
    /* Runs a batch. See ns_model_forward. */
    int (*forward)(ns_model *model, const ns_batch *batch, const ns_observer *observer,
                   int last_site, float *logits, ns_error *err);
};

/* Opens a checkpoint and finds its family. NS_EINPUT where no family knows it: the message lists the families and
 * some of its tensors. */
int ns_model_open(ns_model **out, const char *path, ns_error *err);
void ns_model_close(ns_model *model);

/* Runs the model on a batch of any size. `observer` may be NULL. last_site: the pass ends after the site of that index
 * has been delivered, and logits are then not computed (logits must be NULL); 0 runs to the end. logits [N, classes]
 * may be NULL. Memory: some activations of a batch, grown once. The result does not depend on the batch's size beyond
 * rounding. Not for two threads at once on one model. */
int ns_model_forward(ns_model *model, const ns_batch *batch, const ns_observer *observer,
                     int last_site, float *logits, ns_error *err);

/* For ns_select_sites: user is an ns_model. */
const ns_site *ns_model_site_at(const void *user, int i);

#ifdef __cplusplus
}
#endif
#endif
