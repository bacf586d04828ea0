/* Rotary positions, as config.json has them: "rope_theta" and "rope_scaling", or, from transformers 5 on, both within "rope_parameters". */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "probe/models/reading.h"

/* What has been read so far, and where the base was. */
typedef struct state {
    ns_rotary rotary;
    double share;
    ns_origin from;
} state;

static int read_type(ns_reading *r, state *s, const ns_origin from, const json_t *value) {
    static const char *const names[] = {[NS_ROTARY_PLAIN] = "default",
                                        [NS_ROTARY_LINEAR] = "linear",
                                        [NS_ROTARY_LLAMA3] = "llama3"};
    const char *word = json_string_value(value);
    for (int i = 0; word && i < 3; i++)
        if (!strcmp(word, names[i])) {
            s->rotary.scaling = (ns_rotary_scaling)i;
            return NS_OK;
        }
    return ns_config_refuse(&r->config, from, "rope_type \"default\", \"linear\" or \"llama3\"",
                            value);
}

/* One object of settings. */
static int read_object(ns_reading *r, const json_t *object, const ns_origin from, state *s) {
    const struct {
        const char *key;
        double least, *to;
    } numbers[] = {{"rope_theta", 1, &s->rotary.base},
                   {"factor", 1e-6, &s->rotary.factor},
                   {"low_freq_factor", 1e-6, &s->rotary.low},
                   {"high_freq_factor", 1e-6, &s->rotary.high},
                   {"original_max_position_embeddings", 1, &s->rotary.original},
                   {"partial_rotary_factor", 1e-6, &s->share}};
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return ns_config_refuse(&r->config, from, "an object", object);
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        size_t i = 0;
        if (json_is_null(value)) continue;
        if (!strcmp(key, "rope_type") || !strcmp(key, "type")) {
            int status = read_type(r, s, from, value);
            if (status) return status;
            continue;
        }
        while (i < sizeof numbers / sizeof *numbers && strcmp(numbers[i].key, key) != 0) i++;
        if (i == sizeof numbers / sizeof *numbers || !json_is_number(value) ||
            !(json_number_value(value) >= numbers[i].least && json_number_value(value) <= 1e12)) {
            char expected[160];
            snprintf(expected, sizeof expected,
                     "numbers above 0 and \"rope_type\" alone, none of \"%.40s\"", key);
            return ns_config_refuse(&r->config, from, expected, object);
        }
        *numbers[i].to = json_number_value(value);
        if (!i) memcpy(s->from, from, sizeof s->from);
    }
    return NS_OK;
}

/* "rope_parameters", of one sort of layers where there is an object for each, and "rope_scaling", which is added to them there, and elsewhere
 * stands in their place, as transformers has it. */
static int read_parameters(ns_reading *r, const ns_rotary_keys *keys, state *s) {
    ns_origin from, scaled;
    const json_t *object = ns_config_find(&r->config, "rope_parameters", from);
    const json_t *scaling =
        keys->unscaled ? NULL : ns_config_find(&r->config, "rope_scaling", scaled);
    const json_t *inner = keys->layers && object ? json_object_get(object, keys->layers) : NULL;
    if (inner) object = json_is_null(inner) ? NULL : inner;
    if (json_is_object(scaling) && !json_object_size(scaling)) scaling = NULL;
    bool both = keys->layers || !scaling;
    int status = object && both ? read_object(r, object, from, s) : NS_OK;
    return status || !scaling ? status : read_object(r, scaling, scaled, s);
}

/* LLaMA 3's context of the time before the scaling is the model's where nothing is said. */
static int read_original(ns_reading *r, ns_rotary *rotary) {
    int64_t context = 0;
    bool found;
    ns_origin from;
    if (rotary->original > 0) return NS_OK;
    int status = ns_config_int(&r->config, "original_max_position_embeddings", 1, 1 << 24, &context,
                               &found, from);
    if (!status && !found)
        status = ns_config_int(&r->config, "max_position_embeddings", 1, 1 << 24, &context, &found,
                               from);
    rotary->original = (double)context;
    return status;
}

static int check_scaling(ns_reading *r, const char *name, ns_rotary *rotary) {
    const char *file = ns_weights_config_path(r->model->weights);
    if (rotary->scaling == NS_ROTARY_PLAIN) return NS_OK;
    if (!(rotary->factor > 0))
        return ns_fail(r->err, NS_EINPUT, "%s: expected a \"factor\" of the rotary scaling", file);
    if (rotary->scaling == NS_ROTARY_LINEAR)
        return ns_reading_fact(r, name, "config.json", "linear, factor %g", rotary->factor);
    int status = read_original(r, rotary);
    if (!status && !(rotary->low > 0 && rotary->high > rotary->low && rotary->original > 0))
        return ns_fail(r->err, NS_EINPUT,
                       "%s: expected \"low_freq_factor\" below \"high_freq_factor\" and "
                       "\"original_max_position_embeddings\" of the rotary scaling llama3",
                       file);
    return status ? status
                  : ns_reading_fact(r, name, "config.json", "llama3, factor %g", rotary->factor);
}

int ns_read_rotary(ns_reading *r, const char *name, const ns_rotary_keys *keys, size_t dim,
                   ns_rotary *out) {
    state s = {.rotary = {.base = keys->usual}, .share = keys->usual_share, .from = "default"};
    bool found, has_share = false;
    ns_origin from;
    int status = ns_config_real(&r->config, keys->base, 1, 1e12, &s.rotary.base, &found, from);
    if (!status && found) memcpy(s.from, from, sizeof from);
    if (!status && keys->share)
        status = ns_config_real(&r->config, keys->share, 0, 1, &s.share, &has_share, from);
    if (!status) status = read_parameters(r, keys, &s);
    if (status) return status;
    s.rotary.dim = (size_t)((double)dim * s.share);
    if (!keys->share && s.share != 1)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: \"partial_rotary_factor\": expected 1 for this model, found %g",
                       ns_weights_config_path(r->model->weights), s.share);
    if (s.rotary.dim < 2 || s.rotary.dim % 2 || s.rotary.dim > dim)
        return ns_fail(r->err, NS_EINPUT,
                       "%s: expected an even number of a head's %zu channels to be turned, found "
                       "%zu",
                       ns_weights_path(r->model->weights), dim, s.rotary.dim);
    char scaling[32];
    snprintf(scaling, sizeof scaling, "%s scaling", name);
    status = ns_reading_fact(r, name, s.from, "%g", s.rotary.base);
    if (!status && s.rotary.dim < dim)
        status = ns_reading_fact(r, "rotary channels", has_share ? from : "config.json or default",
                                 "%zu of %zu", s.rotary.dim, dim);
    if (!status) status = check_scaling(r, scaling, &s.rotary);
    *out = s.rotary;
    return status;
}
