/* The steps of a tokenizer: normalizers, pre-tokenizers, segmenters, post-processors. One kind, one file in the folder of its step; the
 * table of a step is the file of its name here. */
#ifndef NS_TOKENIZERS_KINDS_H
#define NS_TOKENIZERS_KINDS_H

#include "datasets/tokenizers/flow.h"
#include "datasets/tokenizers/node.h"
#include "datasets/tokenizers/vocabulary.h"

/* A step before the segmenter. A normalizer has `apply`; a pre-tokenizer, which cuts text into words that the segmenter takes one by one, has `cut` or
 * `rewrite`. */
typedef struct ns_step_kind {
    const char *name; /* the "type" in tokenizer.json */
    /* Reads its settings into *state, which may stay NULL; also after a failure, *state goes to close. */
    int (*open)(void **state, const ns_node *node);
    void (*close)(void *state);
    /* Appends what all of `in` becomes to `out`. */
    int (*apply)(const void *state, const ns_flow *in, ns_flow *out, ns_error *err);
    /* Cuts a piece of the flow into pieces of it. */
    int (*cut)(const void *state, const ns_flow *flow, const ns_cut *piece, ns_cuts *cuts,
               ns_error *err);
    /* Writes a piece anew, at the end of `out`, and cuts what it wrote. */
    int (*rewrite)(const void *state, const ns_flow *flow, const ns_cut *piece, ns_flow *out,
                   ns_cuts *cuts, ns_error *err);
} ns_step_kind;

/* Steps in order; those of a Sequence stand in it one after the other. */
typedef struct ns_steps {
    struct ns_step *at; /* [count], owned: ns_steps_close */
    size_t count;
} ns_steps;

/* Appends the steps that a node describes; nothing where it is null. */
int ns_normalizers_open(ns_steps *steps, const ns_node *node);
int ns_pretokenizers_open(ns_steps *steps, const ns_node *node);
/* Appends one step, for files that say by other means than a node of JSON what they want. */
int ns_steps_add(ns_steps *steps, const ns_step_kind *kind, const ns_node *node);
void ns_steps_close(ns_steps *steps);

/* The normalizers one after the other over all of *flow, which is replaced. */
int ns_normalizers_apply(const ns_steps *steps, ns_flow *flow, ns_error *err);
/* Cuts the pieces that are still text. *flow and *cuts are replaced. */
int ns_pretokenizers_apply(const ns_steps *steps, ns_flow *flow, ns_cuts *cuts, ns_error *err);

/* Tokens of a word; begin and end are bytes of it. */
typedef struct ns_token {
    int32_t id;
    size_t begin, end;
} ns_token;
typedef struct ns_emitted {
    ns_token *at; /* [count], owned: ns_emitted_end */
    size_t count, room;
} ns_emitted;
int ns_emit(ns_emitted *out, int32_t id, size_t begin, size_t end, ns_error *err);
void ns_emitted_end(ns_emitted *out);

/* Memory that a segmenter works in, kept from word to word. */
enum { NS_SCRATCH_ROOMS = 4 };
typedef struct ns_scratch {
    void *block[NS_SCRATCH_ROOMS];
    size_t size[NS_SCRATCH_ROOMS];
} ns_scratch;
/* A block of count * size bytes at least, with what it held; NULL on failure. */
void *ns_scratch_room(ns_scratch *scratch, int which, size_t count, size_t size, ns_error *err);
void ns_scratch_end(ns_scratch *scratch);

/* How words become ids. */
typedef struct ns_segmenter_kind {
    const char *name;
    /* Reads its settings and its words, which go to `words` (empty at first). */
    int (*open)(void **state, const ns_node *node, ns_vocabulary *words);
    void (*close)(void *state);
    /* The tokens of a word of at least one byte, whole characters. */
    int (*encode)(const void *state, const ns_vocabulary *words, const char *word, size_t size,
                  ns_scratch *scratch, ns_emitted *out, ns_error *err);
} ns_segmenter_kind;

/* What is put before and behind the tokens of a text. */
typedef struct ns_template {
    int32_t *before, *after; /* [before_count], [after_count], owned */
    size_t before_count, after_count;
    bool trim; /* the bytes that a token stands for are told without the spaces around it */
    bool keep_first_space;
} ns_template;

typedef struct ns_post_kind {
    const char *name;
    /* Adds to the template, which earlier ones may have filled. */
    int (*open)(ns_template *template, const ns_node *node);
} ns_post_kind;

/* The segmenter that a node describes, by its type or, in files without one, by its keys. */
int ns_segmenter_open(const ns_segmenter_kind **kind, void **state, const ns_node *node,
                      ns_vocabulary *words);

/* Nothing where the node is null. */
int ns_posts_open(ns_template *template, const ns_node *node);
void ns_template_end(ns_template *template);
int ns_template_add(ns_template *template, bool after, int64_t id, const ns_node *node);

#endif
