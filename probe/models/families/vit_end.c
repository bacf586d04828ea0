/* What follows the blocks of a ViT: norms, pooling, heads. */
#include <stdio.h>
#include <string.h>

#include "probe/models/families/vit_read.h"

/* ---- pooling ---- */

static int read_named_pool(ns_vit_opening *o, const ns_origin from, const char *word) {
    ns_vit_spec *s = &o->spec;
    if (!strcmp(word, "avg") || !strcmp(word, "mean")) {
        s->pool = NS_POOL_MEAN;
        return NS_OK;
    }
    bool probe = !strcmp(word, "map") && s->probe_hidden;
    s->pool = probe ? NS_POOL_PROBE : NS_POOL_CLASS;
    if (probe) return NS_OK;
    if (strcmp(word, "token") != 0 && strcmp(word, "cls") != 0)
        return ns_config_contradicts(&o->r->config, from, "token, cls, avg or mean", word);
    return s->class_token ? NS_OK
                          : ns_config_contradicts(&o->r->config, from,
                                                  "avg, since there is no class token", word);
}

static const char *pool_title(const ns_vit_spec *s) {
    switch (s->pool) {
    case NS_POOL_CLASS:
        return "class token";
    case NS_POOL_PROBE:
        return "attention of a learned query";
    case NS_POOL_CLASS_AND_MEAN:
        return "class token beside the mean of the patches";
    case NS_POOL_TWO_HEADS:
        return "mean of two heads, of the class token and the distillation token";
    default:
        return s->pool_from < ns_vit_extra(s) ? "mean of all tokens" : "mean of the patches";
    }
}

/* A head of its own for the distillation token, or one as wide as two rows, says what it is for. */
static bool head_tells_pool(ns_vit_opening *o, ns_origin from) {
    ns_vit_spec *s = &o->spec;
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(o->r, NS_PART_HEAD, 0, "weight", &name);
    if (s->probe_hidden && ns_reading_name(o->r, NS_PART_PROBE, 0, "", &name))
        s->pool = NS_POOL_PROBE;
    else if (s->distillation_token &&
             ns_reading_name(o->r, NS_PART_DISTILLATION_HEAD, 0, "weight", &name))
        s->pool = NS_POOL_TWO_HEADS;
    else if (s->class_token && o->usual.head_of_two && info && info->dims == 2 &&
             info->shape[1] == 2 * (int64_t)s->blocks.width)
        s->pool = NS_POOL_CLASS_AND_MEAN;
    else
        return false;
    snprintf(from, sizeof(ns_origin), "there is %.80s", name.text);
    return true;
}

static int read_pooling(ns_vit_opening *o) {
    ns_vit_spec *s = &o->spec;
    const char *word = NULL;
    bool found;
    ns_origin from;
    s->pool_from = o->usual.mean_of_all ? 0 : ns_vit_extra(s);
    int status = ns_config_word(&o->r->config, "global_pool|pool|pooling", &word, &found, from);
    if (status) return status;
    if (found) {
        status = read_named_pool(o, from, word);
        ns_origin tells;
        if (!status && s->pool != NS_POOL_MEAN && head_tells_pool(o, tells))
            memcpy(from, tells, sizeof tells);
    } else if (!head_tells_pool(o, from)) {
        bool mean = !s->class_token || (s->pooled_norm && !o->usual.class_pooled);
        s->pool = mean ? NS_POOL_MEAN : NS_POOL_CLASS;
        snprintf(from, sizeof from, "%s",
                 mean ? (s->class_token ? "a norm of the pooled row" : "no class token")
                      : "the class token");
    }
    s->head_beside = o->usual.head_beside;
    return status ? status : ns_reading_fact(o->r, "pooling", from, "%s", pool_title(s));
}

/* Values inside the MLP of a probe, 0 where there is none. Its heads are the blocks'. */
static int read_probe(ns_vit_opening *o) {
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(o->r, NS_PART_PROBE_FC1, 0, "weight", &name);
    const ns_block_spec *blocks = &o->spec.blocks;
    o->spec.probe_hidden = 0;
    if (!info) return NS_OK;
    if (info->dims != 2 || info->shape[0] < 1 || info->shape[0] > 1 << 20 ||
        blocks->width % blocks->heads)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: %s: expected [1 to %d, %zu] beside %zu heads, found %d dimensions",
                       info->file, name.text, 1 << 20, blocks->width, blocks->heads, info->dims);
    o->spec.probe_hidden = (size_t)info->shape[0];
    return NS_OK;
}

/* ---- the head ---- */

static int read_head(ns_vit_opening *o) {
    ns_name name;
    const ns_tensor_info *info = ns_reading_find(o->r, NS_PART_HEAD, 0, "weight", &name);
    ns_origin from;
    if (!info) { /* whatever the keys say of a head that is not there */
        ns_config_find(&o->r->config, "num_classes|num_labels", from);
        return ns_reading_fact(o->r, "classes", "no head", "0");
    }
    int64_t classes = info->dims == 2 ? info->shape[0] : 0;
    if (classes < 1 || classes > 1 << 24)
        return ns_fail(o->r->err, NS_EINPUT,
                       "%s: %s: expected [1 to %d classes, %zu], found %d dimensions, the first of "
                       "%lld",
                       info->file, name.text, 1 << 24, o->spec.blocks.width, info->dims,
                       (long long)(info->dims ? info->shape[0] : 0));
    o->spec.classes = (size_t)classes;
    o->r->model->classes = (int)classes;
    char source[96];
    snprintf(source, sizeof source, "shape of %.80s", name.text);
    return ns_reading_agree(o->r, "classes", "num_classes|num_labels", classes, source);
}

/* ---- keys that say what the tensors say, too ---- */

static int check_flags(ns_vit_opening *o) {
    const ns_vit_spec *s = &o->spec;
    const struct {
        const char *keys;
        bool has;
    } shown[] = {{"pre_norm", s->norm_pre},
                 {"qk_norm", s->blocks.norms_queries},
                 {"fc_norm", s->pooled_norm},
                 {"class_token", s->class_token},
                 {"final_norm", s->norm || s->pooled_norm}};
    int status = NS_OK;
    for (size_t i = 0; i < sizeof shown / sizeof *shown && !status; i++) {
        bool has = shown[i].has, said = has, found;
        ns_origin from;
        status = ns_config_flag(&o->r->config, shown[i].keys, &said, &found, from);
        if (!status && said != has)
            status = ns_config_contradicts(&o->r->config, from, has ? "true" : "false",
                                           said ? "true" : "false");
    }
    return status;
}

static int check_numbers(ns_vit_opening *o) {
    const ns_vit_spec *s = &o->spec;
    int64_t registers = (int64_t)s->registers;
    bool found;
    ns_origin from;
    int status = ns_config_int(&o->r->config, "reg_tokens|num_register_tokens", registers,
                               registers, &registers, &found, from);
    double scale = s->blocks.scaled; /* where LayerScale began: 0: there is none */
    if (!status)
        status = ns_config_real(&o->r->config, "init_values|layerscale_value", -1e9, 1e9, &scale,
                                &found, from);
    if (!status && found && (scale != 0) != s->blocks.scaled)
        status = ns_config_contradicts(&o->r->config, from,
                                       s->blocks.scaled ? "a number, since there is LayerScale"
                                                        : "null, since there is no LayerScale",
                                       scale != 0 ? "a number" : "0");
    return status;
}

/* Norms outside of the blocks: those that have arrays; where norms have none, those that config.json or the architecture's habit names. */
static int find_norms(ns_vit_opening *o) {
    ns_vit_spec *s = &o->spec;
    bool found;
    ns_origin from;
    s->norm_pre = ns_reading_has_norm(o->r, NS_PART_NORM_PRE, 0);
    s->norm = ns_reading_has_norm(o->r, NS_PART_NORM, 0);
    s->pooled_norm = ns_reading_has_norm(o->r, NS_PART_POOLED_NORM, 0);
    if (!ns_reading_norms_leave_no_trace(o->r)) return NS_OK;
    int status = ns_config_flag(&o->r->config, "pre_norm", &s->norm_pre, &found, from);
    if (!status) status = ns_config_flag(&o->r->config, "fc_norm", &s->pooled_norm, &found, from);
    bool last = true;
    if (!status) status = ns_config_flag(&o->r->config, "final_norm", &last, &found, from);
    s->norm = last && !s->pooled_norm && o->r->naming.names->parts[NS_PART_NORM];
    return status;
}

int ns_vit_read_end(ns_vit_opening *o) {
    ns_vit_spec *s = &o->spec;
    ns_origin from;
    int status = find_norms(o);
    s->flat_tokens = o->usual.flat_tokens;
    if (!status) status = check_flags(o);
    if (!status) status = read_probe(o);
    if (!status) status = check_numbers(o);
    ns_config_find(&o->r->config, "norm_eps_source", from);
    if (!status) status = read_pooling(o);
    return status ? status : read_head(o);
}
