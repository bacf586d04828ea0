/* Pooling by attention (Zhai et al., CVPR 2022, arXiv 2106.04560): a learned query sees all tokens, and an MLP with a norm of its own follows. */
#include "probe/models/families/vit.h"

#include <stdlib.h>

#include "probe/base/mem.h"

/* The query does not depend on the sample: it is made once. */
static const ns_real *make_query(ns_builder *b, const ns_naming *naming, ns_linear q) {
    const int64_t shape[] = {1, 1, (int64_t)q.in};
    const ns_real *probe = ns_build_part(b, naming, NS_PART_PROBE, 3, shape, false).values;
    ns_real *query = ns_build_memory(b, q.out * sizeof *query);
    ns_real *work = ns_calloc(ns_linear_work(&q), sizeof *work, b->err);
    if (!work && !b->status) b->status = NS_EFAIL;
    if (!b->status) ns_linear_forward(&q, 1, probe, query, q.out, work);
    free(work);
    return b->status ? NULL : query;
}

static int probe_mlp(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming, int x) {
    const size_t w = s->blocks.width, hidden = s->probe_hidden;
    int z = ns_build_part_norm(b, naming, NS_PART_PROBE_NORM, 0, x, NS_ROLE_HEAD, true);
    const ns_linear first = ns_build_part_layer(b, naming, NS_PART_PROBE_FC1, 0, hidden, w, false);
    z = ns_build_linear(b, z, first, s->blocks.activation);
    const ns_residual_options last = {
        .layer = ns_build_part_layer(b, naming, NS_PART_PROBE_FC2, 0, w, hidden, false)};
    int out = ns_build_buffer(b, NS_OF_SAMPLES, w);
    return ns_build_step(b, &ns_residual_operation, x, z, out, &last, sizeof last);
}

int ns_vit_build_probe(ns_builder *b, const ns_vit_spec *s, const ns_naming *naming, int x) {
    const size_t w = s->blocks.width;
    ns_linear q, kv;
    if (naming->names->parts[NS_PART_PROBE_QKV]) {
        const ns_linear all = ns_build_part_layer(b, naming, NS_PART_PROBE_QKV, 0, 3 * w, w, false);
        q = ns_linear_rows(&all, 0, w);
        kv = ns_linear_rows(&all, w, 2 * w);
    } else {
        q = ns_build_part_layer(b, naming, NS_PART_PROBE_Q, 0, w, w, false);
        kv = ns_build_part_layer(b, naming, NS_PART_PROBE_KV, 0, 2 * w, w, false);
    }
    const ns_probe_options options = {.attention = {.heads = s->blocks.heads,
                                                    .groups = s->blocks.heads,
                                                    .dim = w / s->blocks.heads},
                                      .query = make_query(b, naming, q)};
    int seen = ns_build_linear(b, x, kv, NS_NO_ACTIVATION),
        pooled = ns_build_buffer(b, NS_OF_SAMPLES, w);
    ns_build_step(b, &ns_probe_operation, seen, NS_NO_BUFFER, pooled, &options, sizeof options);
    const ns_linear projection =
        ns_build_part_layer(b, naming, NS_PART_PROBE_PROJECTION, 0, w, w, false);
    return probe_mlp(b, s, naming, ns_build_linear(b, pooled, projection, NS_NO_ACTIVATION));
}
