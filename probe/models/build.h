/* Making a network: buffers, steps, and the layers' arrays from a source, by name.
 *
 * A source is a checkpoint (probe/models/reading.h), new parameters (probe/train/parameters.h), or anything else that has arrays under
 * names, such as a program's own. Functions here do nothing after a failure, which stands in builder->status, so that a network is written
 * down without a test after each line. */
#ifndef NS_BUILD_H
#define NS_BUILD_H

#include "probe/base/api.h"
#include "probe/models/network.h"
#include "probe/models/operations.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An array, and where its gradient is added, or NULL. */
typedef struct ns_array {
    const ns_real *values;
    ns_real *gradient;
} ns_array;

typedef struct ns_source {
    void *user;
    /* Whether there is a tensor of that name. New parameters have all but those of LayerScale. */
    bool (*has)(void *user, const char *name);
    /* The tensor of that shape; -1 stands for any extent. decays: weight decay acts on it. A failure describes itself in err. */
    int (*tensor)(void *user, const char *name, int dims, const int64_t *shape, bool decays,
                  ns_array *out, ns_error *err);
    /* A matrix [out, in], which stands in files as [in, out] where turned. *is_turned says how it lies in memory. */
    int (*matrix)(void *user, const char *name, size_t out, size_t in, bool turned, ns_array *array,
                  bool *is_turned, ns_error *err);
    /* The norm at a module's path, of norm->channels; norm->kind stays NULL where there is none and `required` is false. */
    int (*norm)(void *user, const char *path, bool required, ns_norm *norm,
                ns_norm_trained *trained, ns_error *err);
    /* The matrix [out, in] (turned: [in, out]) as it lies in a file, where it takes less room there than as floats; else the type of
     * *packed stays NULL, and `matrix` or `tensor` is asked. NULL: all are floats. */
    int (*packed)(void *user, const char *name, size_t out, size_t in, bool turned,
                  ns_packed *packed, ns_error *err);
} ns_source;

typedef struct ns_builder {
    ns_network *network;
    ns_source source;
    ns_error *err;
    int status;
} ns_builder;

/* A new buffer's number. */
NS_API int ns_build_buffer(ns_builder *b, ns_rows_of rows, size_t width);
/* Zeroed bytes that the network owns, or NULL; and a copy of `options`. */
NS_API void *ns_build_memory(ns_builder *b, size_t size);
NS_API void *ns_build_options(ns_builder *b, const void *options, size_t size);
/* A step of operation `o` from buffers a and c (or NS_NO_BUFFER) to `out`; options may be NULL. Gives out. */
NS_API int ns_build_step(ns_builder *b, const ns_operation *o, int a, int c, int out,
                         const void *options, size_t size);

/* The tensor `name`, NULL where it is optional and the source has none. */
NS_API ns_array ns_build_tensor(ns_builder *b, const char *name, int dims, const int64_t *shape,
                                bool decays, bool optional);
/* The layer with the matrix `path`weight [out, in] and, where there is one, `path`bias [out]. */
NS_API ns_linear ns_build_layer(ns_builder *b, const char *path, size_t out, size_t in,
                                bool turned);

/* The rows of a table, tensor `name` [rows, width], as a layer without bias, which a head may be tied to. */
NS_API ns_linear ns_build_rows(ns_builder *b, const char *name, size_t rows, size_t width);

/* A site, and the step of its norm from x. Gives the buffer of its output; x itself where there is no such norm. */
NS_API int ns_build_norm(ns_builder *b, int x, const char *path, ns_role role, bool required);
/* The same of each of `heads` stretches of a row's channels, with one set of arrays (Henry et al., Findings of EMNLP 2020, arXiv 2010.04245). */
NS_API int ns_build_head_norm(ns_builder *b, int x, const char *path, size_t heads, ns_role role,
                              bool required);
/* Columns [from, from + count) of x to columns [to, to + count) of out, which another step may have begun. Gives out. */
NS_API int ns_build_columns(ns_builder *b, int x, size_t from, size_t count, int out, size_t to);
/* activation(layer(x)) to a new buffer. */
NS_API int ns_build_linear(ns_builder *b, int x, ns_linear layer, ns_activation activation);
/* The head, over the rows of x. */
NS_API void ns_build_head(ns_builder *b, int x, ns_linear layer);

#ifdef __cplusplus
}
#endif
#endif
