/* Transformer blocks: a description and the names of its parts become steps. */
#ifndef NS_BLOCKS_H
#define NS_BLOCKS_H

#include "probe/base/api.h"
#include "probe/models/build.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The parts of a transformer, as a naming scheme calls them. */
typedef enum ns_part {
    NS_PART_WORDS,        /* tensor [vocabulary, W] */
    NS_PART_POSITIONS,    /* tensor, [1, T, W] of images, [T, W] of words */
    NS_PART_TYPES,        /* tensor [types, W] */
    NS_PART_CLASS,        /* tensor [1, 1, W] */
    NS_PART_DISTILLATION, /* tensor [1, 1, W]: DeiT's second token */
    NS_PART_REGISTERS,    /* tensor [1, R, W] */
    NS_PART_PATCH,        /* linear: [W, C, p, p], or [W, p*p*C] */
    NS_PART_NORM_PRE,     /* norm of the embeddings */
    NS_PART_NORM1,        /* norm before attention, or after it */
    NS_PART_QKV,          /* linear, [3*H*D, W] */
    NS_PART_Q,            /* linear, [H*D, W], where there is no NS_PART_QKV; */
    NS_PART_K,            /* likewise [G*D, W] */
    NS_PART_V,            /* likewise */
    NS_PART_QUERY_NORM, /* norm of queries, of each head or of all their channels, where the scheme has it; */
    NS_PART_KEY_NORM,     /* of keys */
    NS_PART_PROJECTION,   /* linear, [W, H*D] */
    NS_PART_BRANCH_NORM1, /* norm of what attention gives, before its residual */
    NS_PART_SCALE1,       /* tensor [W], LayerScale */
    NS_PART_NORM2,        /* norm before the MLP, or after it */
    NS_PART_GATE,         /* linear, [F, W], where the MLP is gated */
    NS_PART_FC1,          /* linear, [F, W] */
    NS_PART_PACKED,       /* linear, [2*F, W]: gate and fc1 in one */
    NS_PART_FC2,          /* linear, [W, F] */
    NS_PART_BRANCH_NORM2, /* of what the MLP gives */
    NS_PART_SCALE2,       /* tensor [W] */
    NS_PART_NORM,         /* norm of all tokens after the last block */
    NS_PART_POOLED_NORM,  /* norm of the one pooled row */
    NS_PART_PROBE, /* tensor [1, 1, W]: a query that attends to all tokens, for the pooled row; */
    NS_PART_PROBE_QKV,         /* linear, [3*W, W], of it; or, where there is none, */
    NS_PART_PROBE_Q,           /* [W, W], and */
    NS_PART_PROBE_KV,          /* [2*W, W]; */
    NS_PART_PROBE_PROJECTION,  /* [W, W]; */
    NS_PART_PROBE_NORM,        /* the norm before its MLP, */
    NS_PART_PROBE_FC1,         /* [F, W] */
    NS_PART_PROBE_FC2,         /* [W, F] */
    NS_PART_TRANSFORM,         /* linear, [W, W], of a head before its norm */
    NS_PART_HEAD_NORM,         /* norm inside a head */
    NS_PART_HEAD,              /* linear, [classes, W] */
    NS_PART_DISTILLATION_HEAD, /* the same, of the second token */
    NS_PART_UNUSED,            /* beginnings of names that have no effect on any site */
    NS_PARTS
} ns_part;

/* One naming scheme. Templates: %d is the block, @ the prefix, | separates alternatives; norms are module paths, linear
 * layers end where "weight" and "bias" follow, tensors are whole names; NULL: the scheme has no such part. */
typedef struct ns_names {
    const char *name;     /* "timm" */
    const char *prefixes; /* "vit.|deit.|": what @ may stand for, the empty one last */
    const char *parts[NS_PARTS];
    const char *
        needs; /* tensors, one of which a checkpoint that follows the scheme has; NULL: its first block tells it */
} ns_names;

typedef struct ns_name {
    char text[192];
} ns_name;

/* Names of one checkpoint: a scheme with its prefix, and which of the alternatives there are. */
typedef struct ns_naming {
    const ns_names *names;
    const char *prefix;
    int prefix_length;
} ns_naming;

/* The name of `part` in block `block`, + `suffix`: the alternative that `has` knows, else the first. False: it knows none of them. */
NS_API bool ns_part_name(const ns_naming *naming, const ns_source *source, ns_part part, int block,
                         const char *suffix, ns_name *out);

/* The same of a template. */
NS_API bool ns_name_of(const ns_naming *naming, const ns_source *source, const char *templates,
                       int block, const char *suffix, ns_name *out);

typedef enum ns_block_order {
    NS_PRE_NORM,     /* x + f(norm(x)): Xiong et al., ICML 2020, arXiv 2002.04745 */
    NS_POST_NORM,    /* norm(x + f(x)): Vaswani et al. 2017 */
    NS_BOTH_NORMS,   /* x + norm(f(norm(x))): Gemma 2, arXiv 2408.00118 */
    NS_BRANCH_NORMS, /* x + norm(f(x)): OLMo 2, arXiv 2501.00656 */
    NS_PARALLEL      /* x + attention(norm1(x)) + mlp(norm2(x)): GPT-NeoX, arXiv 2204.06745 */
} ns_block_order;

/* Blocks that are alike. */
typedef struct ns_block_spec {
    size_t depth, width, hidden; /* L, W, F */
    ns_block_order order;
    size_t heads, groups, dim; /* H heads of queries, G of keys and values, D channels of each */
    bool causal;
    double scale;        /* of scores; 0: 1 / sqrt(D) */
    bool scale_by_layer; /* divided by the number of the block, from 1, too */
    bool norms_queries;  /* queries and keys go through norms, */
    bool norm_of_heads;  /* each head by itself, D channels, else all of them as one row */
    bool
        by_head; /* NS_PART_QKV's rows are by heads, each its queries, keys, values; else all queries first */
    ns_rotary rotary;
    size_t window; /* see ns_attention; */
    const uint8_t *
        local; /* [L] or NULL: which blocks have it, and turn by local_rotary; NULL: all, by `rotary` */
    ns_rotary local_rotary;
    double cap; /* of scores: see ns_attention */
    ns_activation activation;
    bool gated; /* fc2(activation(gate(x)) * fc1(x)): Shazeer, arXiv 2002.05202 */
    bool
        packed; /* gate's rows, then fc1's, in NS_PART_PACKED, or in NS_PART_FC1 where the scheme has none */
    bool scaled; /* LayerScale */
    bool turned; /* matrices stand in files as [in, out] */
} ns_block_spec;

/* Adds the blocks' steps and sites over x [N * T, W]; gives the buffer of the residual stream behind them. */
NS_API int ns_build_blocks(ns_builder *b, const ns_block_spec *spec, const ns_naming *naming,
                           int x);

/* Parts outside of blocks, by name: see ns_build_tensor, ns_build_layer, ns_build_norm. */
NS_API ns_array ns_build_part(ns_builder *b, const ns_naming *naming, ns_part part, int dims,
                              const int64_t *shape, bool decays);
NS_API ns_linear ns_build_part_rows(ns_builder *b, const ns_naming *naming, ns_part part,
                                    size_t rows, size_t width);
NS_API ns_linear ns_build_part_layer(ns_builder *b, const ns_naming *naming, ns_part part,
                                     int block, size_t out, size_t in, bool turned);
NS_API int ns_build_part_norm(ns_builder *b, const ns_naming *naming, ns_part part, int block,
                              int x, ns_role role, bool required);

#ifdef __cplusplus
}
#endif
#endif
