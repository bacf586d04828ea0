/* Text as tokens: what a language model is trained on and run over. Memory: a file's bytes while it is read,
 * at most 128 MiB (a larger one is refused), and four bytes a token. */
#ifndef NS_TEXT_DATA_H
#define NS_TEXT_DATA_H

#include <stdint.h>

#include "datasets/dataset.h"
#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The characters of a file (UTF-8, plain or gzip), each once, rising by code point, as UTF-8 text to be freed: a vocabulary for
 * ns_text_shape. NS_EINPUT where the file is no UTF-8. */
int ns_text_vocabulary(const char *path, char **out, ns_error *err);

/* All tokens of a data set of text, [ns_text_count], borrowed; NULL and 0 of another. */
const int32_t *ns_text_tokens(const ns_dataset *dataset);
int64_t ns_text_count(const ns_dataset *dataset);

#ifdef __cplusplus
}
#endif
#endif
