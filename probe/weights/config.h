/* config.json as keys and values, with a record of which were read: a key that nobody read may change what the network computes.
 *
 * Keys are looked for at the top of the file, in "model_args" and in "pretrained_cfg" (timm's folders). */
#ifndef NS_CONFIG_H
#define NS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/weights/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialised but for weights and err, which describes failures; ns_config_end frees what it holds. */
typedef struct ns_config {
    const ns_weights *weights;
    const char *
        within; /* the object of config.json that is read instead of all of it, "vision_config"; NULL: none */
    ns_error *err;
    struct ns_config_key *read; /* [read_count], owned */
    int read_count, read_room;
} ns_config;

void ns_config_end(ns_config *config);

/* Where a value came from: "config.json: hidden_size", "GGUF: llama.embedding_length", "shape of cls_token", "default". */
typedef char ns_origin[96];

/* The value under the first of `keys` ("embed_dim|hidden_size") that is there and is not null; NULL where there is none. All of the keys
 * count as read. */
const struct json_t *ns_config_find(ns_config *config, const char *keys, ns_origin from);

/* Found values go to *value, which keeps its default otherwise, and *found says which. NS_EINPUT, with the file, the key and
 * what stands there, where the value has another type or lies out of range. */
int ns_config_int(ns_config *config, const char *keys, int64_t least, int64_t most, int64_t *value,
                  bool *found, ns_origin from);
int ns_config_real(ns_config *config, const char *keys, double least, double most, double *value,
                   bool *found, ns_origin from);
int ns_config_word(ns_config *config, const char *keys, const char **value, bool *found,
                   ns_origin from);
int ns_config_flag(ns_config *config, const char *keys, bool *value, bool *found, ns_origin from);

/* NS_EINPUT: the value `found` under the key of `from` ("FILE: KEY") is not what is expected. */
int ns_config_refuse(ns_config *config, const ns_origin from, const char *expected,
                     const struct json_t *found);
/* NS_EINPUT: config.json says `found` under the key of `from`, the tensors say `expected`. */
int ns_config_contradicts(ns_config *config, const ns_origin from, const char *expected,
                          const char *found);

/* Settings that only one value of is understood: each is absent, null, or equal to the JSON text beside it. */
typedef struct ns_config_fixed {
    const char *key, *value; /* "add_cross_attention", "false" */
} ns_config_fixed;
int ns_config_check_fixed(ns_config *config, const ns_config_fixed *fixed, int count);

/* NS_EINPUT where a key was neither read nor stands in the table of those that change nothing (probe/weights/config.c). */
int ns_config_all_read(ns_config *config);

#ifdef __cplusplus
}
#endif
#endif
