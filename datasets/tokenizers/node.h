/* A place in a JSON file, which knows how to name itself in a message: "tokenizer.json: model: vocab". */
#ifndef NS_TOKENIZERS_NODE_H
#define NS_TOKENIZERS_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"

typedef struct ns_node {
    const json_t *json; /* borrowed; NULL or null: nothing is there */
    const char *file;   /* borrowed */
    char at[160];       /* "model: vocab", cut where it is longer */
    ns_error *err;
} ns_node;

/* What stands under a key, or in a place of a list; nothing where there is none. */
ns_node ns_node_under(const ns_node *node, const char *key);
ns_node ns_node_item(const ns_node *node, size_t i);

/* Nothing, or null. */
bool ns_node_empty(const ns_node *node);

/* NS_EINPUT: FILE: PLACE: expected `expected`, found what is there. */
int ns_node_refuse(const ns_node *node, const char *expected);

/* NS_EINPUT where the object has another key than those in `known` ("type|lowercase"), or where there is no object. */
int ns_node_keys(const ns_node *node, const char *known);

/* What stands under a key. *value stays as it is where nothing does; NS_EINPUT where it has another type. */
int ns_node_flag(const ns_node *node, const char *key, bool *value);
int ns_node_int(const ns_node *node, const char *key, int64_t least, int64_t most, int64_t *value);
/* Borrowed from the JSON; may hold zeros. */
int ns_node_text(const ns_node *node, const char *key, const char **value, size_t *size);
/* One of the words "Removed|Isolated": its place among them. */
int ns_node_word(const ns_node *node, const char *key, const char *words, int *value);

#endif
