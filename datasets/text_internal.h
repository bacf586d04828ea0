/* How text becomes tokens: what the files of this folder that deal with it share. Not installed as an interface. */
#ifndef NS_TEXT_INTERNAL_H
#define NS_TEXT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "probe/base/error.h"

/* The whole file, unpacked, to be freed, also after a failure. NS_EINPUT where it is something else than text. */
int ns_text_bytes(const char *path, unsigned char **out, size_t *size, ns_error *err);

/* The texts of a folder by name, in order, owned, as is the list, also after a failure; the other files are counted and named in
 * `unknown`. */
int ns_text_files(const char *folder, char ***names, size_t *count, ns_left_out *unknown,
                  ns_error *err);

/* The code point at bytes[*at], which is moved behind it; -1 where it is no UTF-8. */
int32_t ns_next_character(const unsigned char *bytes, size_t size, size_t *at);
int ns_no_character(const char *path, size_t at, ns_error *err);
/* The token of every code point, -1 where it has none, from a vocabulary; [0x110000], to be freed. */
int32_t *ns_character_table(const char *vocabulary, int *classes, ns_error *err);

/* Text to ids: by the checkpoint's tokenizer, by a vocabulary of characters, or byte by byte. */
typedef struct ns_encoder {
    const ns_text_shape *shape; /* borrowed */
    int classes;                /* ids lie below */
    int32_t *table;             /* of characters, or NULL */
    int32_t *before,
        *behind; /* what the tokenizer's template puts around a text ([CLS] and [SEP], <s>) */
    size_t before_count, behind_count;
} ns_encoder;

/* NS_EINPUT where the model's words cannot be made of text. `path` is for messages. */
int ns_encoder_open(ns_encoder *out, const ns_text_shape *shape, const char *path, ns_error *err);
void ns_encoder_close(ns_encoder *encoder);

/* A growing list of ids. */
typedef struct ns_ids {
    int32_t *items; /* [count], owned */
    size_t count, room;
} ns_ids;

/* Adds the ids of a text that begins at byte `at` of the file, without what the template puts around it. Memory while it works: some 40
 * bytes a byte of the text. */
int ns_encode(const ns_encoder *encoder, const unsigned char *text, size_t size, size_t at,
              const char *path, ns_ids *ids, ns_error *err);

/* NS_EINPUT where an id has no row in the model; the message names sample, word and its text. */
int ns_check_word(const ns_text_shape *shape, const char *path, int64_t sample, int64_t word,
                  int64_t id, ns_error *err);

#endif
