/* What a transformer is trained with: each layer forward, with what its backward pass needs kept, and backward.
 *
 * N samples of T tokens, R = N * T rows, W channels, H heads of D, F hidden values. Gradients of inputs are written, those of
 * parameters added. The order of every sum depends on shapes and the number of threads alone. */
#ifndef NS_NET_KERNELS_H
#define NS_NET_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/real.h"

/* ---- linear.c ---- */

/* out [R, N] = in [R, K] weight' [N, K] + bias [N], which may be NULL. */
void ns_linear(size_t rows, size_t n, size_t k, const ns_real *in, const ns_real *weight,
               const ns_real *bias, ns_real *out);

/* din [R, K] = dout [R, N] weight [N, K], where it is wanted; dweight [N, K] += dout' in; dbias [N] += sums of dout's columns.
 * din and dbias may be NULL. work: ns_column_work(N). */
void ns_linear_back(size_t rows, size_t n, size_t k, const ns_real *in, const ns_real *weight,
                    const ns_real *dout, ns_real *din, ns_real *dweight, ns_real *dbias,
                    ns_real *work);

/* ---- rows.c ---- */

/* sums [n] += sums of the columns of x [rows, n]. */
void ns_add_column_sums(size_t rows, size_t n, const ns_real *x, ns_real *sums, ns_real *work);
size_t ns_column_work(size_t n);

/* out [count] = x + y, the residual. */
void ns_add_rows(size_t count, const ns_real *x, const ns_real *y, ns_real *out);

/* The same with drop path (stochastic depth: Huang et al., ECCV 2016, arXiv 1603.09382):
 * out [N * T, W] = x + keep[n] * branch, keep being 0 or 1/(1 - rate). out may be x. */
void ns_add_kept(size_t samples, size_t tokens, size_t w, const ns_real *x, const ns_real *keep,
                 const ns_real *branch, ns_real *out);
/* out [N * T, W] = keep[n] * x: its gradient. */
void ns_keep_rows(size_t samples, size_t tokens, size_t w, const ns_real *keep, const ns_real *x,
                  ns_real *out);

/* ---- activation.c ---- */

/* GELU as Hendrycks and Gimpel define it, x Phi(x), and their form with tanh, arXiv 1606.08415; and max(x, 0). In the order of
 * NS_TRAIN_ACTIVATIONS. */
typedef enum ns_activation { NS_GELU_ERF, NS_GELU_TANH, NS_RELU } ns_activation;

/* g [count] = f(h), and h = f'(h): what the backward pass multiplies by. */
void ns_activate(ns_activation f, size_t count, ns_real *h, ns_real *g);
/* d [R, F] *= slope [R, F], and dbias [F] += sums of its columns, since it is what a linear layer gave. */
void ns_activate_back(size_t rows, size_t n, const ns_real *slope, ns_real *d, ns_real *dbias,
                      ns_real *work);

/* ---- attention.c ---- */

typedef struct ns_attention {
    size_t samples, tokens, heads, dim; /* N, T, H, D */
    bool causal;                        /* a token sees itself and those before it */
} ns_attention;

/* out [N * T, H * D] = softmax(Q K' / sqrt(D)) V for each head of each sample, Vaswani et al., NeurIPS 2017. qkv
 * [N * T, 3 * H * D]: queries, keys, values, each by heads. weights [N, H, T, T] are the softmax's, kept. scratch: ns_attention_scratch values. */
void ns_attend(const ns_attention *a, const ns_real *qkv, ns_real *weights, ns_real *out,
               ns_real *scratch);
/* dqkv [N * T, 3 * H * D] from dout [N * T, H * D]. scratch: ns_attention_scratch values. */
void ns_attend_back(const ns_attention *a, const ns_real *qkv, const ns_real *weights,
                    const ns_real *dout, ns_real *dqkv, ns_real *scratch);
size_t ns_attention_scratch(const ns_attention *a);

/* Tokens up to which its products are ours, beyond which BLAS's: measured with 24 channels a head. */
enum { NS_FEW_TOKENS = 48 };

/* ---- embedding.c ---- */

/* The image as rows of patches: pixels [N, C, h, w] to columns [N * patches, C * p * p], as a convolution of stride p
 * takes them. */
void ns_patches(size_t samples, size_t channels, size_t height, size_t width, size_t patch,
                const ns_real *pixels, ns_real *columns);
/* x [N, 1 + P, W]: the class token's row and the embedded patches [N * P, W], with positions [1 + P, W] added. */
void ns_place_tokens(size_t samples, size_t patches, size_t w, const ns_real *class_row,
                     const ns_real *embedded, const ns_real *positions, ns_real *x);
/* dembedded [N * P, W] from dx [N, 1 + P, W]; dclass [W] and dpositions [1 + P, W] are added to. */
void ns_place_tokens_back(size_t samples, size_t patches, size_t w, const ns_real *dx,
                          ns_real *dembedded, ns_real *dclass, ns_real *dpositions);

/* x [R, W] = the row of each token [R] of rows [V, W], with positions [T, W] added. */
void ns_place_words(size_t rows, size_t context, size_t w, const ns_real *tokens,
                    const ns_real *words, const ns_real *positions, ns_real *x);
/* dwords [V, W] and dpositions [T, W] are added to. */
void ns_place_words_back(size_t rows, size_t context, size_t w, const ns_real *tokens,
                         const ns_real *dx, ns_real *dwords, ns_real *dpositions);

/* ---- loss.c ---- */

typedef struct ns_loss {
    double mean; /* nats a label; of a part of a batch: its share */
    size_t hits; /* labels whose logit is the largest */
} ns_loss;

/* Cross-entropy of softmax(logits [N, K]) with labels [N], smoothed: the target is 1 - s + s/K at the label and s/K elsewhere
 * (Szegedy et al., CVPR 2016, arXiv 1512.00567). A label below 0 is none: it costs nothing. Sums are divided by `of`, the labels of
 * the whole batch. dlogits [N, K] is written. */
ns_loss ns_cross_entropy(size_t samples, size_t classes, const ns_real *logits,
                         const int32_t *labels, double smoothing, size_t of, ns_real *dlogits);

#endif
