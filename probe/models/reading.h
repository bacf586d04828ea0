/* Reading a checkpoint as a model of some family: what config.json says under any of several keys, tensors with the record of
 * which were used, and the facts that come of it. For the files of this folder. */
#ifndef NS_MODELS_READING_H
#define NS_MODELS_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_t;

/* Zero-initialised but for model and err; ns_reading_end frees what it holds. The functions that return int give 0 or
 * a described failure. */
typedef struct ns_reading {
    ns_model *model;
    const ns_tensor_info **used;
    size_t used_count, used_room;
    ns_error *err;
} ns_reading;

void ns_reading_end(ns_reading *reading);

/* Where a value came from, as the fact's third column shows it. */
typedef char ns_source[96];

/* The value under the first of `keys` ("embed_dim|hidden_size") that config.json has and that is not null, at its top, in
 * "model_args" or in "pretrained_cfg" (timm's folders); NULL where there is none. `from` becomes "config.json: KEY". */
const struct json_t *ns_config_find(const ns_reading *reading, const char *keys, ns_source from);

/* Found values go to *value, which keeps its default otherwise, and *found says which. NS_EINPUT, with the file, the key and
 * what stands there, where the value has another type or lies out of range. */
int ns_config_int(ns_reading *reading, const char *keys, int64_t least, int64_t most,
                  int64_t *value, bool *found, ns_source from);
int ns_config_real(ns_reading *reading, const char *keys, double least, double most, double *value,
                   bool *found, ns_source from);
int ns_config_word(ns_reading *reading, const char *keys, const char **value, bool *found,
                   ns_source from);

/* NS_EINPUT: the value `found` under the key of `from` ("FILE: KEY") is not what is expected. */
int ns_reading_refuse(ns_reading *reading, const ns_source from, const char *expected,
                      const struct json_t *found);

/* NS_EINPUT: config.json says `found` under the key of `from`, the tensors say `expected`. */
int ns_config_contradicts(ns_reading *reading, const ns_source from, const char *expected,
                          const char *found);

/* An integer that the shapes determine: what config.json says about it must agree. Adds the fact `name`, from config.json or
 * from `shape_source`. */
int ns_reading_agree(ns_reading *reading, const char *name, const char *keys, int64_t value,
                     const char *shape_source);

int ns_reading_fact(ns_reading *reading, const char *name, const char *from, const char *format,
                    ...) NS_PRINTF(4, 5);

/* ns_weights_get, with a record that the tensor was used. */
int ns_reading_tensor(ns_reading *reading, const char *name, int dims, const int64_t *shape,
                      const float **out);

/* How the usual checkpoints of a naming scheme take images, where no file says so. */
typedef struct ns_pixel_defaults {
    float mean[3], std[3];
    double crop;
    bool bilinear, stretch;
} ns_pixel_defaults;

/* Fills in mean, std, resize, crop, stretch and bilinear of model->image, whose size and channels are set, from
 * preprocessor_config.json (Hugging Face), else from config.json (timm's keys), else from the defaults; adds the facts. */
int ns_reading_pixels(ns_reading *reading, const ns_pixel_defaults *defaults);

/* Records a tensor as understood and of no effect on the sites. */
void ns_reading_ignore(ns_reading *reading, const ns_tensor_info *info);

/* NS_EINPUT where a tensor of the checkpoint was not used: a model run without it would be another model. */
int ns_reading_all_used(ns_reading *reading, const char *family);

#ifdef __cplusplus
}
#endif
#endif
