/* Reading a checkpoint as a network of some family: its tensors as a source for ns_build_..., with the record of which were used; what
 * config.json says; and the facts that come of it. For the families. */
#ifndef NS_MODELS_READING_H
#define NS_MODELS_READING_H

#include "probe/models/blocks.h"
#include "probe/models/model.h"
#include "probe/weights/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The functions that return int give 0 or a described failure. */
typedef struct ns_reading {
    ns_model *model;
    ns_model_options options;
    ns_naming naming;
    ns_config config;
    const char
        *usual_norm;     /* kind of a norm with a weight alone, "rmsnorm"; NULL: it must be told */
    bool gamma_plus_one; /* an RMSNorm's weight is gamma - 1, as in Gemma */
    bool gelu_is_tanh;   /* "gelu" means its form with tanh, as in Gemma */
    /* ns_read_norms: */
    float eps;
    bool may_cut_vocabulary; /* the family takes "vocabulary_rows" */
    const char *norm;        /* what config.json calls the norm, or NULL */
    ns_origin norm_from;
    bool affine_free; /* the norms that config.json names have no arrays in this checkpoint */
    const ns_tensor_info **used;
    size_t used_count, used_room;
    ns_error *err;
} ns_reading;

void ns_reading_end(ns_reading *reading);

/* The checkpoint's tensors. Borrowed from the weights, whose values they stay. */
ns_source ns_reading_source(ns_reading *reading);

/* The name of a part of the naming scheme, as ns_part_name has it; and its tensor, NULL where there is none. */
bool ns_reading_name(ns_reading *reading, ns_part part, int block, const char *suffix,
                     ns_name *out);
const ns_tensor_info *ns_reading_find(ns_reading *reading, ns_part part, int block,
                                      const char *suffix, ns_name *out);
/* The same, NS_EINPUT with near names where there is none. */
int ns_reading_need(ns_reading *reading, ns_part part, int block, const char *suffix, ns_name *out,
                    const ns_tensor_info **info);
/* Whether the checkpoint has any array of a norm. */
bool ns_reading_has_norm(ns_reading *reading, ns_part part, int block);
/* Whether config.json names a norm without arrays, which then stands wherever one must be. */
bool ns_reading_norms_leave_no_trace(const ns_reading *reading);

/* An integer that the shapes determine: what config.json says about it must agree. Adds the fact `name`, from config.json or
 * from `shape_source`. */
int ns_reading_agree(ns_reading *reading, const char *name, const char *keys, int64_t value,
                     const char *shape_source);
int ns_reading_fact(ns_reading *reading, const char *name, const char *from, const char *format,
                    ...) NS_PRINTF(4, 5);

/* ns_source.norm of a checkpoint. */
int ns_reading_norm(void *user, const char *path, bool required, ns_norm *norm,
                    ns_norm_trained *trained, ns_error *err);

/* The norms' eps, `usual` where config.json does not say, and the kind that it names. */
int ns_read_norms(ns_reading *reading, const char *keys, double usual);

/* Depth, heads, hidden values and activation of spec, whose width and turned are set, and heads where the architecture has them; `activation` where config.json does not say. Grouped
 * heads are read where the scheme has queries, keys and values apart. */
int ns_read_blocks(ns_reading *reading, ns_block_spec *spec, const char *activation);
/* The same in two: all but the activation, and that. */
int ns_read_shapes(ns_reading *reading, ns_block_spec *spec);
int ns_read_activation(ns_reading *reading, ns_block_spec *spec, const char *activation);
#define NS_ACTIVATION_KEYS                                                                         \
    "act|hidden_act|act_layer|activation|activation_function|hidden_activation"
/* The function that a word of config.json means; NS_NO_ACTIVATION: none. */
ns_activation ns_activation_named(const char *word);

/* Of a vocabulary whose embedding was cut ("vocabulary_rows", the ids that its `rows` rows stand for, rising): *words is the whole one's number
 * ("vocab_size"), and *row_of, [words], owned by the network, the row of each or -1. Otherwise words = rows and NULL. */
int ns_read_vocabulary(ns_reading *reading, int64_t rows, int64_t *words, const int32_t **row_of);

/* What config.json says of rotary positions. */
typedef struct ns_rotary_keys {
    const char *base; /* the keys of the base; */
    double usual;     /* where none is there */
    const char
        *share; /* the keys of the share of a head's channels that are turned, NULL: all are; */
    double usual_share;
    const char *
        layers; /* which object of "rope_parameters" counts where it has one for each sort of layers; NULL: it has not */
    bool unscaled; /* "rope_scaling" is of other layers */
} ns_rotary_keys;

/* The rotary positions of heads of `dim` channels: plain, "linear" or "llama3"; NS_EINPUT for other scalings. name: of the facts. */
int ns_read_rotary(ns_reading *reading, const char *name, const ns_rotary_keys *keys, size_t dim,
                   ns_rotary *out);

/* Biases are what the tensors have; config.json must not say otherwise under `key`, of the layer `part`. */
int ns_reading_check_bias(ns_reading *reading, const char *key, ns_part part);

/* Rows of words: width, vocabulary, longest sample (0: any) by learned positions, if the scheme has them, and the input of the model. */
int ns_read_words(ns_reading *reading, ns_block_spec *spec, int64_t *longest);

/* How the usual checkpoints of a naming scheme take images, where no file says so. */
typedef struct ns_pixel_defaults {
    float mean[3], std[3];
    double crop;
    bool bilinear, stretch;
} ns_pixel_defaults;

/* Fills in mean, std, resize, crop, stretch and bilinear of the model's image, whose size and channels are set, from
 * preprocessor_config.json (Hugging Face), else from config.json (timm's keys), else from the defaults; adds the facts. */
int ns_reading_pixels(ns_reading *reading, const ns_pixel_defaults *defaults);
/* Both sides of the image that preprocessor_config.json leaves, and the key that says so; 0: there is no such file, or it says nothing. */
int ns_reading_side(ns_reading *reading, int *side, ns_origin from);

/* Records a tensor as understood and of no effect on the sites; and all whose names begin as NS_PART_UNUSED says, which a
 * fact then names. */
void ns_reading_ignore(ns_reading *reading, const ns_tensor_info *info);
int ns_reading_ignore_unused(ns_reading *reading);

/* Whether a list "vit|deit*" has a word; a * stands for any end. */
bool ns_list_has(const char *list, const char *word);
/* What config.json calls the model: "model_type", and the first of "architectures"; NULL where it does not say. */
int ns_reading_called(ns_reading *reading, const char **type, const char **architecture,
                      ns_origin from);

/* NS_EINPUT where a tensor of the checkpoint was not used, or a key of config.json was not read: a network run without it would be another
 * one. `family`: "ViT", for the message. */
int ns_reading_all_used(ns_reading *reading, const char *family);

#ifdef __cplusplus
}
#endif
#endif
