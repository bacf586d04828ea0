/* What a network's head says of the samples of a batch, against their labels or the words that follow. Not installed as an interface. */
#ifndef NS_JUDGE_H
#define NS_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/error.h"
#include "probe/norms/site.h"
#include "probe/store/store_write.h"

/* Memory: 20 bytes a sample of a batch, and of text 12 bytes a word. */
typedef struct ns_judge {
    size_t samples, length; /* room; words of a sample, 0: images */
    const int32_t *labels;  /* [samples] of the batch that is run, or NULL; borrowed */
    const int32_t *words;   /* [samples, length], borrowed */
    int32_t *predictions;   /* [samples], of images */
    double *loss;           /* [samples] */
    int32_t *judged, *hits; /* [samples] */
    double *row_loss;       /* [samples, length] */
    int32_t *row_hit;       /* [samples, length], below 0: not judged */
} ns_judge;

int ns_judge_new(ns_judge *out, size_t samples, size_t length, ns_error *err);
void ns_judge_free(ns_judge *judge);

/* Before a batch of `samples`. */
void ns_judge_begin(ns_judge *judge, size_t samples, const int32_t *labels, const int32_t *words);
/* Looks at logits alone. */
ns_observer ns_judge_observer(ns_judge *judge);
/* After it: sums over the rows of each sample in their order, so that they do not depend on threads. The arrays are the judge's. */
ns_store_outcome ns_judge_end(ns_judge *judge, size_t samples);

#endif
