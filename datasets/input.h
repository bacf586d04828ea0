/* What a network takes, as the data sets are told it: this room knows nothing of models. */
#ifndef NS_INPUT_H
#define NS_INPUT_H

#include <stdint.h>

#include "datasets/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ns_input_kind {
    NS_INPUT_PIXELS, /* floats [channels, height, width] */
    NS_INPUT_WORDS   /* int32 ids [length] */
} ns_input_kind;

/* Samples of words. Text is cut into stretches of `length`; files of ids bring their own. */
typedef struct ns_text_shape {
    int length; /* words of a sample */
    int most;   /* that it may have; 0: any number */
    int words;  /* of the vocabulary: ids lie below; 0: any number */
    const char
        *vocabulary; /* characters (UTF-8, borrowed), whose place in it is their id; NULL: bytes */
    const int32_t
        *row_of; /* [words], borrowed: -1 for ids whose embedding was left out; NULL: none was */
    int32_t
        padding; /* the id that fills samples up at their end, besides those below 0; -1: none */
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
