/* Reference models: networks read from checkpoints. One family, one file in probe/models/families/, one row of the table in
 * probe/models/model.c. */
#ifndef NS_MODEL_H
#define NS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "datasets/input.h"
#include "probe/base/error.h"
#include "probe/models/network.h"
#include "probe/norms/site.h"
#include "probe/weights/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_model ns_model;
typedef struct ns_family ns_family;
struct ns_reading;
struct ns_names;

/* One line of what was understood about a checkpoint, for `normscope list`. */
typedef struct ns_fact {
    char name[32];   /* "width" */
    char value[128]; /* "96" */
    char from[96];   /* "config.json: embed_dim", "shape of cls_token", "default" */
} ns_fact;

/* What a caller wants of a model; zeros: what the checkpoint says. */
typedef struct ns_model_options {
    int height,
        width; /* of the images that it takes: learned positions are resampled to them as its library does it */
} ns_model_options;

/* A model in memory. Filled by its family's `open`; every other function reads it. */
struct ns_model {
    const ns_family *family;
    ns_weights *weights; /* owned */
    ns_network network;  /* owned; its arrays are the weights' */
    ns_run run;          /* memory for batches */
    ns_site *sites;      /* [site_count], the network's */
    int site_count;
    int classes;                    /* width of the logits; 0 where there is no head */
    ns_input_shape input;           /* what the model takes */
    struct ns_tokenizer *tokenizer; /* owned, once ns_model_lend_tokenizer has opened it, */
    char *no_tokenizer;             /* or why it could not, owned */
    ns_fact *facts;                 /* [fact_count] */
    int fact_count;
};

struct ns_family {
    const char *name;    /* "vit" */
    const char *summary; /* "Vision Transformer, pre-LN (names of timm, ...)" */
    /* What config.json calls the family, a word or its beginning (with a * at the end): model_type, architectures and timm's architecture. */
    const char *model_types, *architectures, *timm;
    const struct ns_names *const *names; /* [name_count], the schemes that tensors may follow */
    int name_count;
    /* Reads and builds: fills in the model's network, input, classes and facts. weights and the reading's naming are set. */
    int (*open)(struct ns_reading *reading);
};

/* Opens a checkpoint and finds its family, by what config.json says and by the names of its tensors. NS_EINPUT where no family knows it: the
 * message lists the families and some of its tensors; where a setting or a tensor is not understood: it names that. */
NS_API int ns_model_open(ns_model **out, const char *path, ns_error *err);
/* The same; NS_EINPUT where the model cannot have what the options ask for. */
NS_API int ns_model_open_with(ns_model **out, const char *path, const ns_model_options *options,
                              ns_error *err);
NS_API void ns_model_close(ns_model *model);

/* Opens the tokenizer beside the weights or in them and lends it to input.text, where the model takes words and does not list its characters.
 * That there is none, or one that is not understood, is no failure: whoever needs it says so (input.text.no_tokenizer). */
NS_API int ns_model_lend_tokenizer(ns_model *model, ns_error *err);

/* Words a sample has from here on, where the model takes words: sets the sites' positions. NS_EINPUT where it has fewer positions. */
NS_API int ns_model_set_length(ns_model *model, int words, ns_error *err);

/* Runs the model on a batch of any size. `observer` may be NULL. last_site: the pass ends after the site of that index
 * has been delivered; 0 runs to the end, and an observer that wants logits is then shown them. Memory: some activations of a batch,
 * grown once. The result does not depend on the batch's size beyond rounding. Not for two threads at once on one model. */
NS_API int ns_model_forward(ns_model *model, const ns_batch *batch, const ns_observer *observer,
                            int last_site, ns_error *err);
/* The same with all options of a pass. */
NS_API int ns_model_run(ns_model *model, const ns_batch *batch, const ns_run_options *pass,
                        ns_error *err);

/* Bytes of memory that a batch of so many samples takes in a pass that is observed, as ns_run_reserve plans it; 0 where it cannot be planned. */
NS_API uint64_t ns_model_memory(const ns_model *model, size_t samples);

/* For ns_select_sites: user is an ns_model. */
NS_API const ns_site *ns_model_site_at(const void *user, int i);

#ifdef __cplusplus
}
#endif
#endif
