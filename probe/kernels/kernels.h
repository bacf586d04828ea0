/* The arithmetic of every layer but the norms, once, forward and backward, a file each. Networks that are run and networks that are trained
 * use the same functions; what only training needs is an argument that may be NULL.
 *
 * N samples of T tokens, R = N * T rows, W channels. Gradients of inputs are written, those of parameters added. All threads, unless
 * called inside a parallel region; the order of every sum depends on shapes and the number of threads alone. */
#ifndef NS_KERNELS_H
#define NS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/api.h"
#include "probe/base/error.h"
#include "probe/base/real.h"
#include "probe/weights/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- linear.c ---- */

/* y [R, out] = x [R, in] weight' + bias. The arrays are borrowed. */
typedef struct ns_linear {
    size_t in, out;
    const ns_real *weight; /* [out, in] */
    ns_packed packed;    /* the same as it lies in a file; its type is NULL where weight is used */
    bool turned;         /* weight [in, out], as GPT-2's files have it */
    const ns_real *bias; /* [out], or NULL */
    ns_real *dweight;    /* their gradients where the layer is trained, else NULL */
    ns_real *dbias;
} ns_linear;

/* ldy: values from row to row of y, so that several layers may fill one buffer. work: ns_linear_work values, where a packed matrix is
 * widened piece by piece; 0 for one of floats. */
NS_API void ns_linear_forward(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y,
                              size_t ldy, ns_real *work);
/* y [R, out] += the same. */
NS_API void ns_linear_add(const ns_linear *l, size_t rows, const ns_real *x, ns_real *y,
                          ns_real *work);
NS_API size_t ns_linear_work(const ns_linear *l);
/* row [in] = the weights of one output. Not of a turned layer. */
NS_API void ns_linear_row(const ns_linear *l, size_t output, ns_real *row);
/* The layer of outputs [first, first + count) alone. Not of a turned or a trained one. */
NS_API ns_linear ns_linear_rows(const ns_linear *l, size_t first, size_t count);
/* dx [R, in] from dy [R, out], where it is wanted, else NULL; dweight and dbias +=. Not for turned or packed weights. work:
 * ns_column_work(out). */
NS_API void ns_linear_back(const ns_linear *l, size_t rows, const ns_real *x, const ns_real *dy,
                           ns_real *dx, ns_real *work);

/* ---- rows.c ---- */

/* sums [n] += sums of the columns of x [rows, n]. work: ns_column_work(n). */
NS_API void ns_add_column_sums(size_t rows, size_t n, const ns_real *x, ns_real *sums,
                               ns_real *work);
NS_API size_t ns_column_work(size_t n);

/* Every row of x [rows, n] becomes, or += , bias [n]. */
NS_API void ns_fill_rows(size_t rows, size_t n, const ns_real *bias, ns_real *x);
NS_API void ns_add_bias(size_t rows, size_t n, const ns_real *bias, ns_real *x);

/* out [count] = x + y, the residual; out may be x. */
NS_API void ns_add_rows(size_t count, const ns_real *x, const ns_real *y, ns_real *out);
/* out [count] = x * y, a gate; out may be either. */
NS_API void ns_multiply_rows(size_t count, const ns_real *x, const ns_real *y, ns_real *out);

/* out [rows, n], ldo values from row to row, = x [rows, n], ldx from row to row. */
NS_API void ns_copy_columns(size_t rows, size_t n, const ns_real *x, size_t ldx, ns_real *out,
                            size_t ldo);

/* x [rows, n] += scale [n] * branch: LayerScale (Touvron et al., ICCV 2021, arXiv 2103.17239). */
NS_API void ns_add_scaled(size_t rows, size_t n, const ns_real *scale, const ns_real *branch,
                          ns_real *x);

/* The residual with drop path (stochastic depth: Huang et al., ECCV 2016, arXiv 1603.09382) of samples of n values:
 * out [N, n] = x + keep[N] * branch, keep being 0 or 1/(1 - rate). out may be x. */
NS_API void ns_add_kept(size_t samples, size_t n, const ns_real *x, const ns_real *keep,
                        const ns_real *branch, ns_real *out);
/* out [N, n] = keep[N] * x: its gradient. */
NS_API void ns_keep_rows(size_t samples, size_t n, const ns_real *keep, const ns_real *x,
                         ns_real *out);

/* ---- activation.c ---- */

/* GELU as Hendrycks and Gimpel define it, x Phi(x), their form with tanh and the one with a logistic function, x s(1.702 x), arXiv
 * 1606.08415; max(x, 0); SiLU, x s(x) (Elfwing, Uchibe, Doya, arXiv 1702.03118). The first three in the order of NS_TRAIN_ACTIVATIONS. */
typedef enum ns_activation {
    NS_GELU_ERF,
    NS_GELU_TANH,
    NS_RELU,
    NS_GELU_QUICK,
    NS_SILU,
    NS_ACTIVATIONS,
    NS_NO_ACTIVATION = -1
} ns_activation;

/* "GELU (erf)", for people. */
NS_API const char *ns_activation_title(ns_activation f);

/* y [count] = f(h), and slope [count] = f'(h), which the backward pass multiplies by, where it is not NULL. y or slope may be h. */
NS_API void ns_activate(ns_activation f, size_t count, const ns_real *h, ns_real *y,
                        ns_real *slope);
/* d [R, n] *= slope [R, n], and dbias [n], where it is not NULL, += sums of its columns, since d is what a linear layer gave. work:
 * ns_column_work(n). */
NS_API void ns_activate_back(size_t rows, size_t n, const ns_real *slope, ns_real *d,
                             ns_real *dbias, ns_real *work);

/* ---- attention.c ---- */

typedef struct ns_attention {
    size_t samples, tokens, heads, dim; /* N, T, H, D */
    size_t groups; /* heads of keys and values, each of which serves H / groups heads in turn: H
                            but with grouped queries (Ainslie et al., EMNLP 2023, arXiv 2305.13245) */
    bool causal;   /* a token sees itself and those before it */
    size_t window; /* where it is causal: so many of them, itself among them; 0: all */
    double
        cap; /* a score s becomes cap tanh(s / cap), as in Gemma 2, arXiv 2408.00118; 0: it stays */
    double scale;        /* of the scores; 0: 1 / sqrt(D) */
    const uint8_t *mask; /* [N, T], 0: padding, which nobody sees; NULL: there is none */
} ns_attention;

/* out [R, H * D] = softmax(scale Q K') V for each head of each sample: Vaswani et al., NeurIPS 2017, arXiv 1706.03762. qkv
 * [R, (H + 2 groups) * D]: queries, keys, values, each by heads. A token that sees nobody gets zeros. weights [N, H, T, T] are the
 * softmax's, kept for the backward pass, or NULL. scratch: ns_attention_scratch values. */
NS_API void ns_attend(const ns_attention *a, const ns_real *qkv, ns_real *weights, ns_real *out,
                      ns_real *scratch);
/* x [count] becomes cap tanh(x / cap). */
NS_API void ns_cap_values(size_t count, double cap, ns_real *x);
/* dqkv [R, 3 * H * D] from dout [R, H * D]; groups must be H, without window and cap. scratch as above. */
NS_API void ns_attend_back(const ns_attention *a, const ns_real *qkv, const ns_real *weights,
                           const ns_real *dout, ns_real *dqkv, ns_real *scratch);
/* One query for all samples: out [N, H * D] from q [H * D] and kv [N * T, 2 * H * D], keys and values, each by heads; groups are H, nobody is
 * padding. scratch: ns_attention_scratch. */
NS_API void ns_attend_once(const ns_attention *a, const ns_real *q, const ns_real *kv, ns_real *out,
                           ns_real *scratch);
NS_API size_t ns_attention_scratch(const ns_attention *a);

/* Tokens up to which its products are ours, beyond which BLAS's: measured with 24 channels a head. */
enum { NS_FEW_TOKENS = 48 };

/* ---- rotary.c ---- */

typedef enum ns_rotary_scaling {
    NS_ROTARY_PLAIN,
    NS_ROTARY_LINEAR, /* frequencies divided by the factor: Chen et al., arXiv 2306.15595 */
    NS_ROTARY_LLAMA3  /* those of long waves: Llama 3.1, arXiv 2407.21783 */
} ns_rotary_scaling;

typedef struct ns_rotary {
    size_t dim;  /* D, the channels of a head that are turned, its first; even */
    double base; /* 0: no rotary positions */
    ns_rotary_scaling scaling;
    double factor;
    double low, high,
        original; /* of LLaMA 3: waves longer than original / low are divided, those shorter than original / high are not */
} ns_rotary;

/* angles [T, D]: D/2 cosines, then D/2 sines, of position t times the frequency base^(-2i/D): Su et al., arXiv 2104.09864. */
NS_API void ns_rotary_angles(size_t tokens, const ns_rotary *r, ns_real *angles);
/* Turns the first `turned` of the `dim` channels of the first `heads` heads of each row of x [R, ldx] by its position's angles, in place; channel
 * i goes with channel i + turned/2, as in GPT-NeoX and in Hugging Face's LLaMA. */
NS_API void ns_rotate(size_t samples, size_t tokens, size_t heads, size_t dim, size_t turned,
                      const ns_real *angles, ns_real *x, size_t ldx);

/* ---- embedding.c ---- */

typedef struct ns_patch_grid {
    size_t channels, height, width; /* of an image */
    size_t patch;                   /* side of a patch, which both are multiples of */
    bool channels_last; /* columns are (line, column, channel), else (channel, line, column) */
} ns_patch_grid;

/* pixels [N, C, h, w] to columns [N * patches, C * p * p], as a convolution of stride p takes them: Dosovitskiy et al., ICLR 2021,
 * arXiv 2010.11929. */
NS_API void ns_patches(const ns_patch_grid *g, size_t samples, const ns_real *pixels,
                       ns_real *columns);

/* The rows of a sample: a class token, registers (Darcet et al., ICLR 2024, arXiv 2309.16588) and patches, all but the patches optional. */
typedef struct ns_token_rows {
    size_t patches, registers, width; /* P, W */
    const ns_real *class_row;         /* [W] or NULL */
    const ns_real *register_rows;     /* [registers, W] or NULL */
    const ns_real *positions;         /* [placed + P, W], or NULL */
    size_t placed;                    /* tokens before the patches that have positions, too */
    ns_real *dclass, *dpositions;     /* gradients where they are trained, else NULL */
} ns_token_rows;

NS_API size_t ns_token_rows_count(const ns_token_rows *t); /* T */
/* x [N * T, W] from embedded patches [N * P, W]. */
NS_API void ns_place_tokens(const ns_token_rows *t, size_t samples, const ns_real *embedded,
                            ns_real *x);
/* dembedded [N * P, W] from dx; dclass and dpositions [T, W] +=. Without registers; all tokens are placed. */
NS_API void ns_place_tokens_back(const ns_token_rows *t, size_t samples, const ns_real *dx,
                                 ns_real *dembedded);

/* ---- resample.c ---- */

/* From a grid of rows to another one, by cubic convolution (Keys, IEEE Trans. ASSP 29, 1981), as PyTorch's interpolate(mode="bicubic") has it. */
typedef struct ns_resampling {
    size_t from_height, from_width, height, width;
    bool antialias; /* its antialiased filter, else four taps a side whatever the sizes */
    double offset;  /* added to height and width where their ratios are made: DINO's 0.1 */
} ns_resampling;

/* to [height * width, n] from [from_height * from_width, n]. NS_EFAIL: no memory for the weights. */
NS_API int ns_resample(const ns_resampling *r, size_t n, const ns_real *from, ns_real *to,
                       ns_error *err);

typedef struct ns_word_rows {
    size_t vocabulary, width;
    const ns_real *words;     /* [vocabulary, W], or */
    ns_packed packed;         /* the same as it lies in a file, where it has a type */
    ns_real scale;            /* of the words' rows, as in Gemma; 0: 1 */
    const ns_real *positions; /* [T or more, W] or NULL */
    bool
        counted; /* as RoBERTa has them: a word's position is `padding` + how many words stand before it, itself among them; what is none, or is the
                   * word `padding`, has position `padding` */
    int32_t padding;
    const ns_real *types; /* [type_count, W] or NULL */
    size_t type_count;
    const int32_t
        *row_of; /* [vocabulary], the row of `words` that a word has; NULL: its own number */
    ns_real *dwords, *dpositions; /* gradients where they are trained, else NULL */
} ns_word_rows;

/* x [N * T, W]: the row of each word of ids [N, T], plus its position's, plus its type's (types [N, T], NULL: all 0). Ids and types are in
 * range, and every word has a row; padding, below 0, gets row 0. */
NS_API void ns_place_words(const ns_word_rows *w, size_t samples, size_t tokens, const int32_t *ids,
                           const int32_t *types, ns_real *x);
/* dwords and dpositions += from dx [N * T, W]. */
NS_API void ns_place_words_back(const ns_word_rows *w, size_t samples, size_t tokens,
                                const int32_t *ids, const ns_real *dx);

/* ---- pooling.c ---- */

/* pooled [N, W], ldp values from row to row: the row of token `from` of x [N * T, W], or, where `mean`, the mean of the rows from there up. */
typedef struct ns_pooling {
    size_t tokens, width, from;
    bool mean;
    size_t column; /* of the output, where its columns begin: for who calls */
} ns_pooling;
NS_API void ns_pool(const ns_pooling *p, size_t samples, const ns_real *x, ns_real *pooled,
                    size_t ldp);
/* dx [N * T, W] from dpooled [N, W]; of the first token's row alone. */
NS_API void ns_pool_back(const ns_pooling *p, size_t samples, const ns_real *dpooled, ns_real *dx);

/* ---- loss.c ---- */

typedef struct ns_loss {
    double mean; /* nats a label; of a part of a batch: its share */
    size_t hits; /* labels whose logit is the largest */
} ns_loss;

/* Cross-entropy of softmax(logits [N, K]) with labels [N], smoothed: the target is 1 - s + s/K at the label and s/K elsewhere
 * (Szegedy et al., CVPR 2016, arXiv 1512.00567). A label below 0 is none: it costs nothing. Sums are divided by `of`, the labels of
 * the whole batch. dlogits [N, K] is written. One thread. */
NS_API ns_loss ns_cross_entropy(size_t samples, size_t classes, const ns_real *logits,
                                const int32_t *labels, double smoothing, size_t of,
                                ns_real *dlogits);
/* The loss of one row of logits [K], in nats, without smoothing or gradient; *best is the first class of largest logit. */
NS_API double ns_label_loss(size_t classes, const ns_real *logits, int32_t label, int32_t *best);
/* The first class of largest logit. */
NS_API int32_t ns_best_class(size_t classes, const ns_real *logits);

#ifdef __cplusplus
}
#endif
#endif
