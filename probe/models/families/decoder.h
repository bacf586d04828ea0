/* What families of decoders have in common: words in, blocks with rotary positions, a last norm, and a head of its own or the rows of words
 * again. */
#ifndef NS_FAMILIES_DECODER_H
#define NS_FAMILIES_DECODER_H

#include "probe/models/reading.h"

typedef struct ns_decoder {
    ns_block_spec blocks;
    int64_t longest;   /* words of a sample; 0: any number */
    bool tied;         /* where there is no head of its own */
    double word_scale; /* of the rows of words; 0: 1 */
    double head_cap;   /* see ns_network */
} ns_decoder;

/* Context, tied head, and the keys of which one value is understood; decoder->tied is what stands where config.json does not say. */
int ns_decoder_read(ns_reading *reading, ns_decoder *decoder);
/* The network and what the model says of it. `title`: for the message about tensors that nobody used. */
int ns_decoder_build(ns_reading *reading, const ns_decoder *decoder, const char *title);

#endif
