/* Weights: the tensors of a checkpoint file of any format (probe/weights/format.h), or of a Hugging Face folder (config.json beside
 * model.safetensors, or beside model.safetensors.index.json and its shards).
 *
 * Files are mapped; a float32 tensor is used where it lies, others are taken packed, or widened once, when asked for. Memory: the
 * widened tensors. */
#ifndef NS_WEIGHTS_H
#define NS_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/hash.h"
#include "probe/weights/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_t;

typedef struct ns_weights ns_weights;

#define NS_MAX_DIMS 8

typedef struct ns_tensor_info {
    const char *name;
    const char *dtype; /* as in the file: "F32" */
    int dims;
    int64_t shape[NS_MAX_DIMS];
    const char *file; /* the file it lies in */
} ns_tensor_info;

/* Opens `path`, a file or a folder; FILE:KEY, where a file holds several models, is the one under that key (state_dict.h). Everything that a file states is checked against its format and the file's size: NS_EINPUT names the file, the tensor, what was expected and what was found. */
NS_API int ns_weights_open(ns_weights **out, const char *path, ns_error *err);
NS_API void ns_weights_close(ns_weights *weights);

NS_API int ns_weights_count(const ns_weights *weights);
/* The i-th tensor, in order of name. */
NS_API const ns_tensor_info *ns_weights_info(const ns_weights *weights, int i);
/* NULL where there is no such tensor. */
NS_API const ns_tensor_info *ns_weights_find(const ns_weights *weights, const char *name);

/* The values of tensor `name`, row-major, as floats; valid until ns_weights_close. shape gives the expected extents, in
 * which -1 stands for any. NS_EINPUT where it is missing (near names follow), its shape or its type is another. */
NS_API int ns_weights_get(ns_weights *weights, const char *name, int dims, const int64_t *shape,
                          const float **out, ns_error *err);

/* The same without widening anything: rows of the last extent (ns_widen_rows). */
NS_API int ns_weights_packed(ns_weights *weights, const char *name, int dims, const int64_t *shape,
                             ns_packed *out, ns_error *err);

/* Takes `prefix` off the names of all tensors that begin with it, and gives their number; -1, with NS_EINPUT described, where two would then
 * be called alike. Names that were given out before are no longer valid. */
NS_API int ns_weights_strip(ns_weights *weights, const char *prefix, ns_error *err);

/* The files that the tensors lie in: their number, and the path of the i-th. */
NS_API int ns_weights_files(const ns_weights *weights);
NS_API const char *ns_weights_file_path(const ns_weights *weights, int i);

/* "safetensors": the format of the (first) file. */
NS_API const char *ns_weights_format_title(const ns_weights *weights);
/* All that the file says beside its tensors, in its own words (GGUF's keys and values, an object), or NULL where it is of a format, or in
 * pieces, that say nothing. Borrowed. */
NS_API const struct json_t *ns_weights_metadata(const ns_weights *weights);

/* The parsed config.json of the folder (or beside the file), or what the file itself says in the words of config.json; NULL where there
 * is neither. Borrowed. */
NS_API const struct json_t *ns_weights_config(const ns_weights *weights);
/* What the file calls that key of its config: "llama.embedding_length" of "hidden_size"; NULL: the config is config.json. */
NS_API const char *ns_weights_config_key(const ns_weights *weights, const char *key);
/* Path that was opened, and that of config.json (or of the file that says what it would) or NULL. */
NS_API const char *ns_weights_path(const ns_weights *weights);
NS_API const char *ns_weights_config_path(const ns_weights *weights);

/* The same of preprocessor_config.json, which says how a Hugging Face model's images are made ready. */
NS_API const struct json_t *ns_weights_preprocessor(const ns_weights *weights);
NS_API const char *ns_weights_preprocessor_path(const ns_weights *weights);

/* SHA-256 of the model: of the one file's bytes (comparable with sha256sum), or, with shards, of the list of their
 * hashes in order of name. Reads all of it. */
NS_API int ns_weights_hash(const ns_weights *weights, char hex[NS_HASH_HEX], ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
