/* The norms of a ViT's checkpoint: which kind its tensors say they are, and whether config.json agrees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/models/vit_opening.h"

enum { WEIGHT, BIAS, ALPHA, SHIFT, MEAN, VARIANCE, BATCHES, SUFFIXES };
static const char *const suffixes[SUFFIXES] = {".weight",
                                               ".bias",
                                               ".alpha",
                                               ".shift",
                                               ".running_mean",
                                               ".running_var",
                                               ".num_batches_tracked"};

/* The tensors of one norm that the checkpoint has. */
typedef struct found {
    vit_name path, names[SUFFIXES];
    bool has[SUFFIXES];
} found;

static int unclear_norm(vit_opening *o, const char *path, const char *expected,
                        const char *found_) {
    if (o->norm) {
        char text[256];
        snprintf(text, sizeof text, "%s (%s)", expected, path);
        return ns_config_contradicts(&o->reading, o->norm_from, text, found_);
    }
    return ns_fail(o->reading.err, NS_EINPUT,
                   "%s: %s: expected a weight and a bias (LayerNorm), alpha (DyT), or \"norm\" in "
                   "config.json, found %s",
                   ns_weights_path(o->weights), path, found_);
}

/* alpha may be one number or one for each channel. */
static bool alpha_of_channels(const vit_opening *o, const found *f) {
    const ns_tensor_info *info = ns_weights_find(o->weights, f->names[ALPHA].text);
    int64_t count = info && info->dims ? info->shape[info->dims - 1] : 1;
    return count > 1;
}

/* What the tensors are where config.json names no norm. */
static const char *kind_by_tensors(const vit_opening *o, const found *f) {
    if (f->has[ALPHA] && f->has[SHIFT]) return "derf";
    if (f->has[ALPHA]) return alpha_of_channels(o, f) ? "dyt-channel" : "dyt";
    return f->has[MEAN] ? "batchnorm" : "layernorm";
}

/* Whether a kind has the tensors that tell kinds apart, and the others that it must have. */
static bool fits(const ns_norm_kind *kind, const found *f) {
    bool shift = kind->has & NS_HAS_SHIFT, alpha = kind->has & NS_HAS_ALPHA;
    bool running = kind->has & NS_HAS_RUNNING;
    return f->has[ALPHA] == alpha && (shift || !f->has[SHIFT]) && f->has[MEAN] == running &&
           (kind->has & NS_HAS_GAMMA || !f->has[WEIGHT]) &&
           (kind->has & NS_HAS_BETA || !f->has[BIAS]);
}

static int norm_kind(vit_opening *o, const found *f, const ns_norm_kind **kind) {
    const char *path = f->path.text, *name = kind_by_tensors(o, f);
    if (!o->norm && !f->has[ALPHA] && !f->has[BIAS])
        return unclear_norm(o, path, "", "a weight alone (RMSNorm, or LayerNorm without bias?)");
    *kind = ns_norm_kind_find(o->norm ? o->norm : name, o->reading.err);
    if (!*kind) return NS_EINPUT;
    return fits(*kind, f) ? NS_OK : unclear_norm(o, path, name, (*kind)->name);
}

/* alpha, [1] or [C], of any number of dimensions. */
static int read_alpha(vit_opening *o, const char *name, int channels, ns_norm *norm) {
    const ns_tensor_info *info = ns_weights_find(o->weights, name);
    int64_t count = 1;
    for (int d = 0; d < info->dims; d++) count *= info->shape[d]; /* is in the file: no overflow */
    if (count != 1 && count != channels)
        return ns_fail(o->reading.err, NS_EINPUT, "%s: %s: expected 1 or %d values, found %lld",
                       info->file, name, channels, (long long)count);
    norm->alpha_count = (int)count;
    return ns_reading_tensor(&o->reading, name, info->dims, info->shape, &norm->alpha);
}

static int read_arrays(vit_opening *o, const found *f, ns_norm *norm) {
    ns_reading *r = &o->reading;
    int64_t channels = norm->channels, one = 1;
    const struct {
        int which;
        const int64_t *shape;
        const float **to;
    } arrays[] = {{WEIGHT, &channels, &norm->gamma},
                  {BIAS, &channels, &norm->beta},
                  {SHIFT, &one, &norm->shift},
                  {MEAN, &channels, &norm->mean},
                  {VARIANCE, &channels, &norm->variance}};
    /* What a new layer of this kind has must be there; the weight may be missing beside an alpha. */
    bool weight = norm->kind->learns & NS_HAS_GAMMA && !f->has[ALPHA];
    int status = NS_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !status; i++) {
        bool needed = (arrays[i].which == WEIGHT && weight) ||
                      (arrays[i].which == VARIANCE && norm->kind->has & NS_HAS_RUNNING);
        if (needed || f->has[arrays[i].which])
            status = ns_reading_tensor(r, f->names[arrays[i].which].text, 1, arrays[i].shape,
                                       arrays[i].to);
    }
    if (!status && f->has[ALPHA])
        status = read_alpha(o, f->names[ALPHA].text, norm->channels, norm);
    if (!status && f->has[BATCHES]) /* PyTorch's count of training steps */
        ns_reading_ignore(r, ns_weights_find(o->weights, f->names[BATCHES].text));
    return status;
}

static int add_site(vit_opening *o, const char *path, ns_role role, int positions,
                    const ns_norm *norm, int *index) {
    ns_model *model = o->reading.model;
    ns_error *err = o->reading.err;
    if (model->site_count == o->site_room) {
        int room = 2 * o->site_room + 32;
        ns_site *sites = ns_realloc(model->sites, (size_t)room, sizeof *sites, err);
        if (!sites) return NS_EFAIL;
        model->sites = sites;
        o->site_room = room;
    }
    char *name = ns_strdup(path, err);
    if (!name) return NS_EFAIL;
    *index = model->site_count++;
    model->sites[*index] = (ns_site){*index + 1, name, role, positions, *norm};
    return NS_OK;
}

/* A kind without parameters leaves no trace: config.json alone says so, and it then stands at every site that a ViT must have
 * and before the head. */
static bool without_tensors(const vit_opening *o) {
    if (!o->norm) return false;
    const ns_norm_kind *kind = ns_norm_kind_find(o->norm, NULL);
    return kind && !kind->has;
}

int vit_opening_site(vit_opening *o, vit_part part, int block, ns_role role, int positions,
                     bool required, int *index) {
    found f;
    *index = -1;
    if (!o->scheme->parts[part]) return NS_OK;
    vit_opening_name(o, part, block, "", &f.path);
    for (int i = 0; i < SUFFIXES; i++)
        f.has[i] = vit_opening_name(o, part, block, suffixes[i], &f.names[i]);
    bool any = f.has[WEIGHT] || f.has[ALPHA];
    if (!any && !required && !(without_tensors(o) && part == VIT_NORM)) return NS_OK;

    ns_norm norm = {.channels = o->v->width};
    if (!any && !without_tensors(o)) /* for the message with near names */
        return ns_reading_tensor(&o->reading, f.names[WEIGHT].text, 1, (int64_t[]){o->v->width},
                                 &norm.gamma);
    int status = norm_kind(o, &f, &norm.kind);
    if (!status) status = read_arrays(o, &f, &norm);
    if (status) return status;
    if (norm.kind->has & NS_HAS_EPS) norm.eps = o->eps;
    return add_site(o, f.path.text, role, positions, &norm, index);
}
