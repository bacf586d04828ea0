#include "probe/models/reading.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

void ns_reading_end(ns_reading *reading) {
    free(reading->used);
    reading->used = NULL;
    reading->used_count = reading->used_room = 0;
}

const json_t *ns_config_find(const ns_reading *reading, const char *keys, ns_source from) {
    static const char *const places[] = {NULL, "model_args", "pretrained_cfg"};
    const json_t *config = ns_weights_config(reading->model->weights);
    for (size_t p = 0; p < sizeof places / sizeof *places && config; p++) {
        const json_t *object = places[p] ? json_object_get(config, places[p]) : config;
        for (const char *key = keys; *key;) {
            char name[64];
            size_t n = strcspn(key, "|");
            snprintf(name, sizeof name, "%.*s", (int)n, key);
            key += n + (key[n] == '|');
            const json_t *value = json_object_get(object, name);
            if (!value || json_is_null(value)) continue;
            snprintf(from, sizeof(ns_source), "config.json: %s%s%s", places[p] ? places[p] : "",
                     places[p] ? "." : "", name);
            return value;
        }
    }
    return NULL;
}

/* What follows "config.json: " in a source. */
static const char *key_of(const char *from) {
    const char *key = strstr(from, ": ");
    return key ? key + 2 : from;
}

int ns_reading_refuse(ns_reading *reading, const ns_source from, const char *expected,
                      const json_t *found) {
    const ns_weights *w = reading->model->weights;
    bool config = !strncmp(from, "config.json", 11);
    char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    ns_fail(reading->err, NS_EINPUT, "%s: \"%s\": expected %s, found %.80s",
            config ? ns_weights_config_path(w) : ns_weights_preprocessor_path(w), key_of(from),
            expected, text ? text : "something else");
    free(text);
    return NS_EINPUT;
}

int ns_config_int(ns_reading *reading, const char *keys, int64_t least, int64_t most,
                  int64_t *value, bool *found, ns_source from) {
    const json_t *j = ns_config_find(reading, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    char expected[96];
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)least,
             (long long)most);
    if (!json_is_integer(j) || json_integer_value(j) < least || json_integer_value(j) > most)
        return ns_reading_refuse(reading, from, expected, j);
    *value = json_integer_value(j);
    return NS_OK;
}

int ns_config_real(ns_reading *reading, const char *keys, double least, double most, double *value,
                   bool *found, ns_source from) {
    const json_t *j = ns_config_find(reading, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    char expected[96];
    snprintf(expected, sizeof expected, "a number from %g to %g", least, most);
    double said = json_number_value(j);
    if (!json_is_number(j) || !(said >= least && said <= most))
        return ns_reading_refuse(reading, from, expected, j);
    *value = said;
    return NS_OK;
}

int ns_config_word(ns_reading *reading, const char *keys, const char **value, bool *found,
                   ns_source from) {
    const json_t *j = ns_config_find(reading, keys, from);
    *found = j != NULL;
    if (!j) return NS_OK;
    if (!json_is_string(j)) return ns_reading_refuse(reading, from, "a word", j);
    *value = json_string_value(j);
    return NS_OK;
}

int ns_config_contradicts(ns_reading *reading, const ns_source from, const char *expected,
                          const char *found) {
    return ns_fail(reading->err, NS_EINPUT, "%s: \"%s\": expected %s, found %s",
                   ns_weights_config_path(reading->model->weights), key_of(from), expected, found);
}

int ns_reading_agree(ns_reading *reading, const char *name, const char *keys, int64_t value,
                     const char *shape_source) {
    ns_source from;
    int64_t said = value;
    bool found;
    int status = ns_config_int(reading, keys, 0, INT32_MAX, &said, &found, from);
    if (status) return status;
    if (said != value) {
        char expected[160], other[32];
        snprintf(expected, sizeof expected, "%lld (%s)", (long long)value, shape_source);
        snprintf(other, sizeof other, "%lld", (long long)said);
        return ns_config_contradicts(reading, from, expected, other);
    }
    return ns_reading_fact(reading, name, found ? from : shape_source, "%lld", (long long)value);
}

int ns_reading_fact(ns_reading *reading, const char *name, const char *from, const char *format,
                    ...) {
    ns_model *model = reading->model;
    ns_fact *facts =
        ns_realloc(model->facts, (size_t)model->fact_count + 1, sizeof *facts, reading->err);
    if (!facts) return NS_EFAIL;
    model->facts = facts;
    ns_fact *fact = &facts[model->fact_count++];
    snprintf(fact->name, sizeof fact->name, "%s", name);
    snprintf(fact->from, sizeof fact->from, "%s", from);
    va_list args;
    va_start(args, format);
    vsnprintf(fact->value, sizeof fact->value, format, args);
    va_end(args);
    return NS_OK;
}

void ns_reading_ignore(ns_reading *reading, const ns_tensor_info *info) {
    if (reading->used_count == reading->used_room) {
        size_t room = 2 * reading->used_room + 64;
        const ns_tensor_info **used = ns_realloc(reading->used, room, sizeof *used, NULL);
        if (!used) return; /* ns_reading_all_used then names the tensor */
        reading->used = used;
        reading->used_room = room;
    }
    reading->used[reading->used_count++] = info;
}

int ns_reading_tensor(ns_reading *reading, const char *name, int dims, const int64_t *shape,
                      const float **out) {
    ns_weights *weights = reading->model->weights;
    int status = ns_weights_get(weights, name, dims, shape, out, reading->err);
    if (!status) ns_reading_ignore(reading, ns_weights_find(weights, name));
    return status;
}

static int by_address(const void *a, const void *b) {
    uintptr_t p = (uintptr_t) * (const void *const *)a, q = (uintptr_t) * (const void *const *)b;
    return (p > q) - (p < q);
}

int ns_reading_all_used(ns_reading *reading, const char *family) {
    const ns_weights *weights = reading->model->weights;
    int count = ns_weights_count(weights), unknown = 0;
    if (reading->used_count)
        qsort(reading->used, reading->used_count, sizeof *reading->used, by_address);
    for (int i = 0; i < count; i++) {
        const ns_tensor_info *info = ns_weights_info(weights, i);
        if (reading->used_count &&
            bsearch(&info, reading->used, reading->used_count, sizeof *reading->used, by_address))
            continue;
        if (!unknown++)
            ns_fail(reading->err, NS_EINPUT,
                    "%s: expected the tensors of a %s alone, found others that would change what "
                    "it computes: %s",
                    info->file, family, info->name);
        else if (unknown <= 4)
            ns_fail_more(reading->err, ", %s", info->name);
    }
    if (unknown > 4) ns_fail_more(reading->err, " and %d more", unknown - 4);
    return unknown ? NS_EINPUT : NS_OK;
}
