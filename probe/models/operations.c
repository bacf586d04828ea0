/* Operations, each a call of its kernels with what a run has for it. The norm's is in run.c, where sites are visited. */
#include "probe/models/operations.h"

#include <string.h>

#include "probe/models/plan.h"

static const ns_real *in(const ns_step *step, const ns_run *run, int i) {
    return run->values[step->in[i]];
}

static ns_real *out(const ns_step *step, const ns_run *run) {
    return run->values[step->out];
}

static size_t width(const ns_run *run, int buffer) {
    return run->network->buffers[buffer].width;
}

static ns_real *kept(const ns_step *step, const ns_run *run) {
    return run->kept[step - run->network->steps];
}

/* ---- what comes in ---- */

static int patches(const ns_step *step, ns_run *run, ns_error *err) {
    (void)err;
    ns_patches(step->options, run->samples, run->batch->pixels, out(step, run));
    return NS_OK;
}

const ns_operation ns_patches_operation = {.name = "patches", .forward = patches};

static int tokens(const ns_step *step, ns_run *run, ns_error *err) {
    (void)err;
    ns_place_tokens(step->options, run->samples, in(step, run, 0), out(step, run));
    return NS_OK;
}

static void tokens_back(const ns_step *step, ns_run *run) {
    ns_place_tokens_back(step->options, run->samples, run->gradients[step->out],
                         run->gradients[step->in[0]]);
}

const ns_operation ns_tokens_operation = {
    .name = "tokens", .forward = tokens, .backward = tokens_back};

static int words(const ns_step *step, ns_run *run, ns_error *err) {
    (void)err;
    ns_place_words(step->options, run->samples, run->tokens, run->batch->ids, run->batch->types,
                   out(step, run));
    return NS_OK;
}

static void words_back(const ns_step *step, ns_run *run) {
    ns_place_words_back(step->options, run->samples, run->tokens, run->batch->ids,
                        run->gradients[step->out]);
}

const ns_operation ns_words_operation = {.name = "words", .forward = words, .backward = words_back};

/* ---- products ---- */

static int linear(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_linear_options *o = step->options;
    size_t rows = ns_run_rows(run, step->in[0]), n = rows * o->layer.out;
    ns_real *y = out(step, run) + o->column, *slope = kept(step, run);
    (void)err;
    if (o->activation == NS_NO_ACTIVATION) {
        ns_linear_forward(&o->layer, rows, in(step, run, 0), y, width(run, step->out),
                          run->scratch);
        return NS_OK;
    }
    ns_linear_forward(&o->layer, rows, in(step, run, 0), slope ? slope : y, o->layer.out,
                      run->scratch);
    ns_activate(o->activation, n, slope ? slope : y, y, slope);
    return NS_OK;
}

static void linear_back(const ns_step *step, ns_run *run) {
    const ns_linear_options *o = step->options;
    size_t rows = ns_run_rows(run, step->in[0]);
    ns_real *dy = run->gradients[step->out];
    ns_linear layer = o->layer;
    if (o->activation != NS_NO_ACTIVATION) { /* the bias's sums in the same reading */
        ns_activate_back(rows, layer.out, kept(step, run), dy, layer.dbias, run->work);
        layer.dbias = NULL;
    }
    ns_linear_back(&layer, rows, in(step, run, 0), dy, run->gradients[step->in[0]], run->work);
}

static size_t linear_scratch(const ns_step *step, const ns_run *run) {
    (void)run;
    return ns_run_linear_work(&((const ns_linear_options *)step->options)->layer);
}

static size_t linear_kept(const ns_step *step, const ns_run *run) {
    const ns_linear_options *o = step->options;
    bool active = o->activation != NS_NO_ACTIVATION;
    return active ? ns_run_rows(run, step->in[0]) * o->layer.out : 0;
}

static size_t linear_work(const ns_step *step, const ns_run *run) {
    (void)run;
    return ns_column_work(((const ns_linear_options *)step->options)->layer.out);
}

const ns_operation ns_linear_operation = {.name = "linear",
                                          .forward = linear,
                                          .backward = linear_back,
                                          .scratch = linear_scratch,
                                          .kept = linear_kept,
                                          .work = linear_work};

/* What drop path multiplies this branch by, [N], or NULL. */
static const ns_real *keep_of(const ns_residual_options *o, const ns_run *run) {
    return run->keep.factors ? run->keep.factors + o->branch * run->keep.stride : NULL;
}

static int residual(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_residual_options *o = step->options;
    const ns_real *x = in(step, run, 0), *branch = in(step, run, 1), *keep = keep_of(o, run);
    ns_real *y = out(step, run), *spare = run->scratch + ns_run_linear_work(&o->layer);
    size_t rows = ns_run_rows(run, step->in[0]), w = o->layer.out, n = rows * w;
    (void)err;
    if (y == x && !o->scale && !keep) {
        ns_linear_add(&o->layer, rows, branch, y, run->scratch);
        return NS_OK;
    }
    ns_linear_forward(&o->layer, rows, branch, spare, w, run->scratch);
    if (o->scale) {
        if (y != x) memcpy(y, x, n * sizeof *y);
        ns_add_scaled(rows, w, o->scale, spare, y);
    } else if (keep) {
        ns_add_kept(run->samples, n / run->samples, x, keep, spare, y);
    } else {
        ns_add_rows(n, x, spare, y);
    }
    return NS_OK;
}

static void residual_back(const ns_step *step, ns_run *run) {
    const ns_residual_options *o = step->options;
    const ns_real *keep = keep_of(o, run);
    size_t rows = ns_run_rows(run, step->in[0]), n = rows * o->layer.out;
    ns_real *d = run->gradients[step->out], *dx = run->gradients[step->in[0]];
    if (dx && dx != d) memcpy(dx, d, n * sizeof *dx);
    if (keep) {
        ns_keep_rows(run->samples, n / run->samples, keep, d, run->scratch);
        d = run->scratch;
    }
    ns_linear_back(&o->layer, rows, in(step, run, 1), d, run->gradients[step->in[1]], run->work);
}

static size_t residual_scratch(const ns_step *step, const ns_run *run) {
    const ns_residual_options *o = step->options;
    bool alone =
        !run->training && !o->scale && run->last[step->in[0]] == step - run->network->steps;
    return ns_run_linear_work(&o->layer) +
           (alone ? 0 : ns_run_rows(run, step->in[0]) * o->layer.out);
}

static size_t residual_work(const ns_step *step, const ns_run *run) {
    (void)run;
    return ns_column_work(((const ns_residual_options *)step->options)->layer.out);
}

const ns_operation ns_residual_operation = {.name = "residual",
                                            .in_place = true,
                                            .forward = residual,
                                            .backward = residual_back,
                                            .scratch = residual_scratch,
                                            .work = residual_work};

/* ---- attention ---- */

static ns_attention attention_of(const ns_step *step, const ns_run *run) {
    ns_attention a = *(const ns_attention *)step->options;
    a.samples = run->samples;
    a.tokens = run->tokens;
    a.mask = run->padded ? run->mask : NULL;
    return a;
}

static int attention(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_attention a = attention_of(step, run);
    (void)err;
    ns_attend(&a, in(step, run, 0), kept(step, run), out(step, run), run->scratch);
    return NS_OK;
}

static void attention_back(const ns_step *step, ns_run *run) {
    const ns_attention a = attention_of(step, run);
    ns_attend_back(&a, in(step, run, 0), kept(step, run), run->gradients[step->out],
                   run->gradients[step->in[0]], run->scratch);
}

static size_t attention_scratch(const ns_step *step, const ns_run *run) {
    const ns_attention a = attention_of(step, run);
    return ns_attention_scratch(&a);
}

static size_t attention_kept(const ns_step *step, const ns_run *run) {
    const ns_attention *a = step->options;
    return run->samples * a->heads * run->tokens * run->tokens;
}

const ns_operation ns_attention_operation = {.name = "attention",
                                             .forward = attention,
                                             .backward = attention_back,
                                             .scratch = attention_scratch,
                                             .kept = attention_kept};

static ns_attention probe_attention(const ns_step *step, const ns_run *run) {
    ns_attention a = ((const ns_probe_options *)step->options)->attention;
    a.samples = run->samples;
    a.tokens = run->tokens;
    return a;
}

static int probe(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_attention a = probe_attention(step, run);
    (void)err;
    ns_attend_once(&a, ((const ns_probe_options *)step->options)->query, in(step, run, 0),
                   out(step, run), run->scratch);
    return NS_OK;
}

static size_t probe_scratch(const ns_step *step, const ns_run *run) {
    const ns_attention a = probe_attention(step, run);
    return ns_attention_scratch(&a);
}

const ns_operation ns_probe_operation = {
    .name = "probe", .forward = probe, .scratch = probe_scratch};

static int angles(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_rotary_options *o = step->options;
    (void)err;
    ns_rotary_angles(run->tokens, &o->rotary, out(step, run));
    return NS_OK;
}

const ns_operation ns_angles_operation = {.name = "angles", .forward = angles};

static int rotate(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_rotary_options *o = step->options;
    (void)err;
    ns_rotate(run->samples, run->tokens, o->heads, o->dim, o->rotary.dim, in(step, run, 1),
              out(step, run), width(run, step->out));
    return NS_OK;
}

const ns_operation ns_rotate_operation = {.name = "rotate", .forward = rotate};

/* ---- the rest ---- */

static int columns(const ns_step *step, ns_run *run, ns_error *err) {
    const ns_columns_options *o = step->options;
    (void)err;
    for (size_t k = 0; k < o->times; k++)
        ns_copy_columns(ns_run_rows(run, step->in[0]), o->count,
                        in(step, run, 0) + o->from + k * o->step, width(run, step->in[0]),
                        out(step, run) + o->to + k * o->count, width(run, step->out));
    return NS_OK;
}

const ns_operation ns_columns_operation = {.name = "columns", .forward = columns};

static int sum(const ns_step *step, ns_run *run, ns_error *err) {
    (void)err;
    ns_add_rows(ns_run_rows(run, step->out) * width(run, step->out), in(step, run, 0),
                in(step, run, 1), out(step, run));
    return NS_OK;
}

const ns_operation ns_sum_operation = {.name = "sum", .in_place = true, .forward = sum};

static int gate(const ns_step *step, ns_run *run, ns_error *err) {
    (void)err;
    ns_multiply_rows(ns_run_rows(run, step->out) * width(run, step->out), in(step, run, 0),
                     in(step, run, 1), out(step, run));
    return NS_OK;
}

const ns_operation ns_gate_operation = {.name = "gate", .in_place = true, .forward = gate};

static int pool(const ns_step *step, ns_run *run, ns_error *err) {
    (void)err;
    const ns_pooling *p = step->options;
    ns_pool(p, run->samples, in(step, run, 0), out(step, run) + p->column, width(run, step->out));
    return NS_OK;
}

static void pool_back(const ns_step *step, ns_run *run) {
    ns_pool_back(step->options, run->samples, run->gradients[step->out],
                 run->gradients[step->in[0]]);
}

const ns_operation ns_pool_operation = {.name = "pool", .forward = pool, .backward = pool_back};
