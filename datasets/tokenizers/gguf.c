/* The vocabulary in a GGUF file's metadata. */
#include <jansson.h>

#include "datasets/tokenizers/internal.h"

int ns_tokenizer_open_gguf(ns_tokenizer **out, const json_t *metadata, const char *path,
                           ns_error *err) {
    const char *model = json_string_value(json_object_get(metadata, "tokenizer.ggml.model"));
    *out = NULL;
    return ns_fail(err, NS_EINPUT,
                   "%s: tokenizer.ggml.model: expected a vocabulary that is read from GGUF files, "
                   "found '%s'",
                   path, model ? model : "nothing");
}
