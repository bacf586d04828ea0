/* What a network takes, as the data sets are told it: this room knows nothing of models. */
#ifndef NS_INPUT_H
#define NS_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "datasets/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_input_kind {
    NS_INPUT_PIXELS, /* floats [channels, height, width] */
    NS_INPUT_WORDS   /* int32 ids [length] */
} ns_input_kind;

/* What of a text is a sample. */
typedef enum ns_text_split {
    NS_SPLIT_USUAL,     /* of a folder each file, of a file stretches of its stream */
    NS_SPLIT_STREAM,    /* stretches of `length` words; what is left at the end is no sample */
    NS_SPLIT_LINE,      /* each line that is not empty, */
    NS_SPLIT_PARAGRAPH, /* or lines up to an empty one, */
    NS_SPLIT_FILE       /* or a whole file: cut to `length` words, or filled up with padding */
} ns_text_split;
#define NS_TEXT_SPLITS "stream|line|paragraph|file" /* from NS_SPLIT_STREAM on */

/* Samples of words. Text is cut into samples of `length`; .npy files of ids bring their own. */
typedef struct ns_text_shape {
    int length; /* words of a sample, with what a template adds */
    int most;   /* that it may have; 0: any number */
    int words;  /* of the vocabulary: ids lie below; 0: any number */
    const char
        *vocabulary; /* characters (UTF-8, borrowed), whose place in it is their id; NULL: bytes */
    const int32_t
        *row_of; /* [words], borrowed: -1 for ids whose embedding was left out; NULL: none was */
    int32_t
        padding; /* the id that fills samples up at their end, besides those below 0; -1: none */
    const struct ns_tokenizer *tokenizer; /* makes words of text, borrowed; NULL: there is none, */
    const char *no_tokenizer;             /* and why, or NULL */
    ns_text_split split;
    int raw; /* files are raw ids of so many bytes, 2 or 4, unsigned and little-endian; 0: they are not */
} ns_text_shape;

typedef struct ns_input_shape {
    ns_input_kind kind;
    ns_image_shape image;
    ns_text_shape text;
} ns_input_shape;

#ifdef __cplusplus
}
#endif
#endif
