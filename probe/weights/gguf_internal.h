/* What gguf.c (the container) and gguf_words.c (its words as Hugging Face's) share. */
#ifndef NS_GGUF_INTERNAL_H
#define NS_GGUF_INTERNAL_H

#include "probe/weights/format.h"

/* A tensor whose rows stand in another order than Hugging Face's. */
typedef struct ns_gguf_order {
    const unsigned char *bytes; /* where it lies in the file */
    int64_t heads; /* of the rows' own: each has pairs that turn together side by side */
} ns_gguf_order;

/* file->tensors and file->metadata, as they stand in the file, get Hugging Face's names; file->config and config_keys what config.json
 * would say. orders [file->count], zeroed, is filled in for tensors whose rows have to be put back. NS_EINPUT for what is not known. */
int ns_gguf_translate(ns_weights_file *file, ns_gguf_order *orders, ns_error *err);

#endif
