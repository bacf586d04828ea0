#include "probe/models/reading.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

void ns_reading_end(ns_reading *r) {
    free(r->used);
    r->used = NULL;
    r->used_count = r->used_room = 0;
    ns_config_end(&r->config);
}

int ns_reading_agree(ns_reading *r, const char *name, const char *keys, int64_t value,
                     const char *shape_source) {
    ns_origin from;
    int64_t said = value;
    bool found;
    int status = ns_config_int(&r->config, keys, 0, INT32_MAX, &said, &found, from);
    if (status) return status;
    if (said != value) {
        char expected[160], other[32];
        snprintf(expected, sizeof expected, "%lld (%s)", (long long)value, shape_source);
        snprintf(other, sizeof other, "%lld", (long long)said);
        return ns_config_contradicts(&r->config, from, expected, other);
    }
    return ns_reading_fact(r, name, found ? from : shape_source, "%lld", (long long)value);
}

int ns_reading_fact(ns_reading *r, const char *name, const char *from, const char *format, ...) {
    ns_model *model = r->model;
    ns_fact *facts = ns_realloc(model->facts, (size_t)model->fact_count + 1, sizeof *facts, r->err);
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

int ns_reading_check_bias(ns_reading *r, const char *key, ns_part part) {
    ns_name name;
    ns_origin from;
    bool has = ns_reading_name(r, part, 0, "bias", &name), said = has, found;
    int status = ns_config_flag(&r->config, key, &said, &found, from);
    return status || said == has ? status
                                 : ns_config_contradicts(&r->config, from, has ? "true" : "false",
                                                         said ? "true" : "false");
}

bool ns_list_has(const char *list, const char *word) {
    for (const char *at = list; at && *at; at += *at == '|') {
        size_t n = strcspn(at, "|");
        bool open = n && at[n - 1] == '*';
        if (open ? !strncmp(at, word, n - 1) : strlen(word) == n && !strncmp(at, word, n))
            return true;
        at += n;
    }
    return false;
}

int ns_reading_called(ns_reading *r, const char **type, const char **architecture, ns_origin from) {
    bool found;
    *type = *architecture = NULL;
    const json_t *all = ns_config_find(&r->config, "architectures", from);
    *architecture = json_string_value(json_is_array(all) ? json_array_get(all, 0) : all);
    return ns_config_word(&r->config, "model_type", type, &found, from);
}

/* ---- tensors ---- */

void ns_reading_ignore(ns_reading *r, const ns_tensor_info *info) {
    if (r->used_count == r->used_room) {
        size_t room = 2 * r->used_room + 64;
        const ns_tensor_info **used = ns_realloc(r->used, room, sizeof *used, NULL);
        if (!used) return; /* ns_reading_all_used then names the tensor */
        r->used = used;
        r->used_room = room;
    }
    r->used[r->used_count++] = info;
}

static bool has(void *user, const char *name) {
    return ns_weights_find(((ns_reading *)user)->model->weights, name) != NULL;
}

static int tensor(void *user, const char *name, int dims, const int64_t *shape, bool decays,
                  ns_array *out, ns_error *err) {
    ns_reading *r = user;
    (void)decays;
#ifdef NS_REAL_DOUBLE
    (void)dims, (void)shape, (void)out, (void)r;
    return ns_fail(err, NS_EUSAGE, "%s: checkpoints hold floats", name);
#else
    const float *values;
    int status = ns_weights_get(r->model->weights, name, dims, shape, &values, err);
    if (status) return status;
    ns_reading_ignore(r, ns_weights_find(r->model->weights, name));
    *out = (ns_array){values, NULL};
    return NS_OK;
#endif
}

static int matrix(void *user, const char *name, size_t out, size_t in, bool turned, ns_array *array,
                  bool *is_turned, ns_error *err) {
    const int64_t shape[] = {(int64_t)(turned ? in : out), (int64_t)(turned ? out : in)};
    *is_turned = turned;
    return tensor(user, name, 2, shape, true, array, err);
}

/* Half and quantized matrices stay as they are; others are as large as floats or larger. */
static int packed_matrix(void *user, const char *name, size_t out, size_t in, bool turned,
                         ns_packed *packed, ns_error *err) {
    ns_reading *r = user;
    const int64_t shape[] = {(int64_t)(turned ? in : out), (int64_t)(turned ? out : in)};
    ns_packed found;
    int status = ns_weights_packed(r->model->weights, name, 2, shape, &found, err);
    if (status || found.type->bytes >= found.type->values * sizeof(float)) return status;
    ns_reading_ignore(r, ns_weights_find(r->model->weights, name));
    *packed = found;
    return NS_OK;
}

ns_source ns_reading_source(ns_reading *r) {
    return (ns_source){r, has, tensor, matrix, ns_reading_norm, packed_matrix};
}

bool ns_reading_name(ns_reading *r, ns_part part, int block, const char *suffix, ns_name *out) {
    const ns_source source = ns_reading_source(r);
    return ns_part_name(&r->naming, &source, part, block, suffix, out);
}

const ns_tensor_info *ns_reading_find(ns_reading *r, ns_part part, int block, const char *suffix,
                                      ns_name *out) {
    return ns_reading_name(r, part, block, suffix, out)
               ? ns_weights_find(r->model->weights, out->text)
               : NULL;
}

int ns_reading_need(ns_reading *r, ns_part part, int block, const char *suffix, ns_name *out,
                    const ns_tensor_info **info) {
    *info = ns_reading_find(r, part, block, suffix, out);
    const float *none;
    return *info ? NS_OK : ns_weights_get(r->model->weights, out->text, 0, NULL, &none, r->err);
}

/* Whether a name begins as a template of n bytes, in which %d is any number. */
static bool begins_as(const ns_naming *naming, const char *template, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (template[i] == '@') {
            if (strncmp(name, naming->prefix, (size_t)naming->prefix_length) != 0) return false;
            name += naming->prefix_length;
        } else if (template[i] == '%' && i + 1 < n) {
            size_t digits = strspn(name, "0123456789");
            if (!digits) return false;
            name += digits;
            i++;
        } else if (template[i] != *name++) {
            return false;
        }
    }
    return true;
}

/* Ignores the tensors whose names begin as the template, and gives their number. */
static int ignore_beginning(ns_reading *r, const char *template, size_t n) {
    const ns_weights *weights = r->model->weights;
    int count = 0;
    for (int i = 0; i < ns_weights_count(weights); i++) {
        const ns_tensor_info *info = ns_weights_info(weights, i);
        if (!begins_as(&r->naming, template, n, info->name)) continue;
        ns_reading_ignore(r, info);
        count++;
    }
    return count;
}

int ns_reading_ignore_unused(ns_reading *r) {
    const char *templates = r->naming.names->parts[NS_PART_UNUSED];
    char text[sizeof(((ns_fact *)NULL)->value)] = "";
    size_t used = 0;
    for (const char *at = templates; at && *at; at += *at == '|') {
        size_t n = strcspn(at, "|");
        bool prefixed = *at == '@';
        char start[96];
        snprintf(start, sizeof start, "%.*s%.*s", prefixed ? r->naming.prefix_length : 0,
                 r->naming.prefix, (int)(n - prefixed), at + prefixed);
        int count = ignore_beginning(r, at, n);
        if (count && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s (%d tensors)",
                                     used ? ", " : "", start, count);
        at += n;
    }
    return *text ? ns_reading_fact(r, "not run", "no site depends on it", "%s", text) : NS_OK;
}

static int by_address(const void *a, const void *b) {
    uintptr_t p = (uintptr_t) * (const void *const *)a, q = (uintptr_t) * (const void *const *)b;
    return (p > q) - (p < q);
}

/* Integers that state nothing which the network does not know: counters, tables of positions, masks; and the rotary frequencies of each
 * layer that transformers once wrote and reads no more: they follow from the config. */
static bool is_harmless(const ns_tensor_info *info) {
    static const char frequencies[] = ".rotary_emb.inv_freq";
    const size_t length = strlen(info->name), n = sizeof frequencies - 1;
    if (length > n && !strcmp(info->name + length - n, frequencies)) return true;
    static const char *const words[] = {"position_ids", "num_batches_tracked",
                                        "relative_position_index", "token_type_ids"};
    const ns_element *type = ns_element_named(info->dtype);
    const char *dot = strrchr(info->name, '.'), *last = dot ? dot + 1 : info->name;
    for (size_t i = 0; type && !type->widen && i < sizeof words / sizeof *words; i++)
        if (!strcmp(last, words[i])) return true;
    return false;
}

int ns_reading_all_used(ns_reading *r, const char *family) {
    const ns_weights *weights = r->model->weights;
    int count = ns_weights_count(weights), unknown = 0;
    if (r->used_count) qsort(r->used, r->used_count, sizeof *r->used, by_address);
    for (int i = 0; i < count; i++) {
        const ns_tensor_info *info = ns_weights_info(weights, i);
        if (r->used_count && bsearch(&info, r->used, r->used_count, sizeof *r->used, by_address))
            continue;
        if (is_harmless(info)) continue;
        if (!unknown++)
            ns_fail(r->err, NS_EINPUT,
                    "%s: expected the tensors of a %s alone, found others that would change what "
                    "it computes: %s",
                    info->file, family, info->name);
        else if (unknown <= 4)
            ns_fail_more(r->err, ", %s", info->name);
    }
    if (unknown > 4) ns_fail_more(r->err, " and %d more", unknown - 4);
    return unknown ? NS_EINPUT : ns_config_all_read(&r->config);
}
