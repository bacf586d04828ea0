/* The norms of a checkpoint: which kind its tensors say they are, and whether config.json agrees. */
#include <stdio.h>
#include <string.h>

#include "probe/models/reading.h"

enum { WEIGHT, BIAS, ALPHA, SHIFT, MEAN, VARIANCE, BATCHES, SUFFIXES };
/* PyTorch's names and those of DyT's authors; gamma and beta are those of TensorFlow's BERT. */
static const char *const suffixes[SUFFIXES][2] = {{".weight", ".gamma"},
                                                  {".bias", ".beta"},
                                                  {".alpha", NULL},
                                                  {".shift", NULL},
                                                  {".running_mean", NULL},
                                                  {".running_var", NULL},
                                                  {".num_batches_tracked", NULL}};

/* The tensors of one norm that the checkpoint has. */
typedef struct found {
    const char *path;
    ns_name names[SUFFIXES];
    bool has[SUFFIXES];
} found;

static found find_arrays(const ns_weights *weights, const char *path) {
    found f = {.path = path};
    for (int i = 0; i < SUFFIXES; i++)
        for (int k = 0; k < 2 && suffixes[i][k] && !f.has[i]; k++) {
            snprintf(f.names[i].text, sizeof f.names[i].text, "%s%s", path, suffixes[i][k]);
            f.has[i] = ns_weights_find(weights, f.names[i].text) != NULL;
        }
    for (int i = 0; i < SUFFIXES; i++)
        if (!f.has[i])
            snprintf(f.names[i].text, sizeof f.names[i].text, "%s%s", path, suffixes[i][0]);
    return f;
}

static int unclear_norm(ns_reading *r, const char *path, const char *expected, const char *found_) {
    if (r->norm) {
        char text[256];
        snprintf(text, sizeof text, "%s (%s)", expected, path);
        return ns_config_contradicts(&r->config, r->norm_from, text, found_);
    }
    return ns_fail(r->err, NS_EINPUT,
                   "%s: %s: expected a weight and a bias (LayerNorm), alpha (DyT), or \"norm\" in "
                   "config.json, found %s",
                   ns_weights_path(r->model->weights), path, found_);
}

/* alpha may be one number or one for each channel. */
static bool alpha_of_channels(const ns_reading *r, const found *f) {
    const ns_tensor_info *info = ns_weights_find(r->model->weights, f->names[ALPHA].text);
    int64_t count = info && info->dims ? info->shape[info->dims - 1] : 1;
    return count > 1;
}

/* What the tensors are where config.json names no norm. */
static const char *kind_by_tensors(const ns_reading *r, const found *f) {
    if (f->has[ALPHA] && f->has[SHIFT]) return "derf";
    if (f->has[ALPHA]) return alpha_of_channels(r, f) ? "dyt-channel" : "dyt";
    if (f->has[MEAN]) return "batchnorm";
    return !f->has[BIAS] && r->usual_norm ? r->usual_norm : "layernorm";
}

/* Whether a kind has the tensors that tell kinds apart, and the others that it must have. */
static bool fits(const ns_norm_kind *kind, const found *f) {
    bool shift = kind->has & NS_HAS_SHIFT, alpha = kind->has & NS_HAS_ALPHA;
    bool running = kind->has & NS_HAS_RUNNING;
    return f->has[ALPHA] == alpha && (shift || !f->has[SHIFT]) && f->has[MEAN] == running &&
           (kind->has & NS_HAS_GAMMA || !f->has[WEIGHT]) &&
           (kind->has & NS_HAS_BETA || !f->has[BIAS]);
}

static int norm_kind(ns_reading *r, const found *f, const ns_norm_kind **kind) {
    const char *name = kind_by_tensors(r, f);
    if (!r->norm && !r->usual_norm && !f->has[ALPHA] && !f->has[BIAS])
        return unclear_norm(r, f->path, "", "a weight alone (RMSNorm, or LayerNorm without bias?)");
    *kind = ns_norm_kind_find(r->norm ? r->norm : name, r->err);
    if (!*kind) return NS_EINPUT;
    return fits(*kind, f) ? NS_OK : unclear_norm(r, f->path, name, (*kind)->name);
}

static int read_array(ns_reading *r, const char *name, int dims, const int64_t *shape,
                      const ns_real **to) {
    const ns_source source = ns_reading_source(r);
    ns_array array = {NULL, NULL};
    int status = source.tensor(r, name, dims, shape, false, &array, r->err);
    *to = array.values;
    return status;
}

/* alpha, [1] or [C], of any number of dimensions. */
static int read_alpha(ns_reading *r, const char *name, ns_norm *norm) {
    const ns_tensor_info *info = ns_weights_find(r->model->weights, name);
    int64_t count = 1;
    for (int d = 0; d < info->dims; d++) count *= info->shape[d]; /* is in the file: no overflow */
    if (count != 1 && count != norm->channels)
        return ns_fail(r->err, NS_EINPUT, "%s: %s: expected 1 or %d values, found %lld", info->file,
                       name, norm->channels, (long long)count);
    norm->alpha_count = (int)count;
    return read_array(r, name, info->dims, info->shape, &norm->alpha);
}

static int read_arrays(ns_reading *r, const found *f, ns_norm *norm) {
    const int64_t channels[] = {norm->channels}, one[] = {1};
    const struct {
        int which;
        const int64_t *shape;
        const ns_real **to;
    } arrays[] = {{WEIGHT, channels, &norm->gamma},
                  {BIAS, channels, &norm->beta},
                  {SHIFT, one, &norm->shift},
                  {MEAN, channels, &norm->mean},
                  {VARIANCE, channels, &norm->variance}};
    /* A norm of these kinds has its weight, or else alpha: a missing one is named. */
    bool weight = norm->kind->has & NS_HAS_GAMMA && !f->has[ALPHA] && !r->affine_free;
    int status = NS_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !status; i++) {
        bool needed = (arrays[i].which == WEIGHT && weight) ||
                      (arrays[i].which == VARIANCE && norm->kind->has & NS_HAS_RUNNING);
        if (needed || f->has[arrays[i].which])
            status =
                read_array(r, f->names[arrays[i].which].text, 1, arrays[i].shape, arrays[i].to);
    }
    if (!status && f->has[ALPHA]) status = read_alpha(r, f->names[ALPHA].text, norm);
    if (!status && f->has[BATCHES]) /* PyTorch's count of training steps */
        ns_reading_ignore(r, ns_weights_find(r->model->weights, f->names[BATCHES].text));
    return status;
}

bool ns_reading_norms_leave_no_trace(const ns_reading *r) {
    const ns_norm_kind *kind = r->norm ? ns_norm_kind_find(r->norm, NULL) : NULL;
    return kind && (!kind->has || r->affine_free);
}

/* LayerNorm and RMSNorm may have no arrays at all, because they never had or because they were folded into the layers behind them: where
 * config.json names such a kind, and no norm of the first block has any. */
static bool find_affine_free(ns_reading *r) {
    const ns_norm_kind *kind = r->norm ? ns_norm_kind_find(r->norm, NULL) : NULL;
    const unsigned arrays = NS_HAS_ALPHA | NS_HAS_SHIFT | NS_HAS_RUNNING;
    return kind && kind->has && !(kind->has & arrays) &&
           !ns_reading_has_norm(r, NS_PART_NORM1, 0) && !ns_reading_has_norm(r, NS_PART_NORM2, 0);
}

/* "elementwise_affine" must say what the tensors do; where it says that there is no affine, the kind needs no other name. */
static int read_affine(ns_reading *r) {
    bool affine = true, given;
    ns_origin from;
    int status = ns_config_flag(&r->config, "elementwise_affine", &affine, &given, from);
    if (status) return status;
    if (given && !affine && !r->norm) {
        r->norm = r->usual_norm ? r->usual_norm : "layernorm";
        memcpy(r->norm_from, from, sizeof from);
    }
    r->affine_free = find_affine_free(r);
    if (given && affine == r->affine_free)
        return ns_config_contradicts(&r->config, from, affine ? "false" : "true",
                                     affine ? "true" : "false");
    return r->affine_free ? ns_reading_fact(r, "affine", r->norm_from, "none (%s)", r->norm)
                          : NS_OK;
}

bool ns_reading_has_norm(ns_reading *r, ns_part part, int block) {
    ns_name path;
    if (!r->naming.names->parts[part]) return false;
    ns_reading_name(r, part, block, "", &path);
    const found f = find_arrays(r->model->weights, path.text);
    return f.has[WEIGHT] || f.has[ALPHA];
}

/* The norm's weight is gamma - 1: the network gets a copy that is gamma. */
static int add_one(ns_reading *r, ns_norm *norm) {
    ns_builder b = {&r->model->network, ns_reading_source(r), r->err, NS_OK};
    size_t size = (size_t)norm->channels * sizeof *norm->gamma;
    ns_real *gamma = ns_build_options(&b, norm->gamma, size);
    if (!gamma) return b.status;
    for (int c = 0; c < norm->channels; c++) gamma[c] += 1;
    norm->gamma = gamma;
    return NS_OK;
}

int ns_reading_norm(void *user, const char *path, bool required, ns_norm *norm,
                    ns_norm_trained *trained, ns_error *err) {
    ns_reading *r = user;
    const found f = find_arrays(r->model->weights, path);
    bool any = f.has[WEIGHT] || f.has[ALPHA];
    (void)trained;
    (void)err;
    if (!any && !required) return NS_OK;
    if (!any && !ns_reading_norms_leave_no_trace(r)) /* for the message with near names */
        return read_array(r, f.names[WEIGHT].text, 1, (int64_t[]){norm->channels}, &norm->gamma);
    int status = norm_kind(r, &f, &norm->kind);
    if (!status) status = read_arrays(r, &f, norm);
    if (!status && norm->kind->has & NS_HAS_EPS) norm->eps = (ns_real)r->eps;
    if (!status && r->gamma_plus_one && norm->gamma && norm->kind->has & NS_HAS_EPS)
        status = add_one(r, norm);
    return status;
}

int ns_read_norms(ns_reading *r, const char *keys, double usual) {
    double eps = usual;
    bool has_eps, named;
    ns_origin from = "";
    int status = ns_config_real(&r->config, keys, 0, 1, &eps, &has_eps, from);
    if (status) return status;
    r->eps = (float)eps;
    if (!has_eps) snprintf(from, sizeof from, "default of %s", r->naming.names->name);
    status = ns_reading_fact(r, "eps", from, "%g", eps);
    if (!status)
        status =
            ns_config_word(&r->config, "norm|norm_layer|norm_type", &r->norm, &named, r->norm_from);
    if (!status && named && !ns_norm_kind_find(r->norm, r->err)) {
        ns_fail_context(r->err, "%s: \"norm\"", ns_weights_config_path(r->model->weights));
        return NS_EINPUT;
    }
    if (!status) status = read_affine(r);
    return status;
}
