#include "probe/train/parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"

static int add(ns_parameter_list *list, const ns_parameter *wanted, ns_error *err) {
    if (list->count == list->room) {
        int room = 2 * list->room + 64;
        ns_parameter *items = ns_realloc(list->items, (size_t)room, sizeof *items, err);
        if (!items) return NS_EFAIL;
        list->items = items;
        list->room = room;
    }
    ns_parameter *item = &list->items[list->count++];
    *item = *wanted;
    item->count = 1;
    for (int d = 0; d < item->dims; d++)
        if (__builtin_mul_overflow(item->count, (size_t)item->shape[d], &item->count) ||
            item->count > (size_t)1 << 40)
            return ns_fail(err, NS_EUSAGE, "%s: too many parameters", item->name);
    return NS_OK;
}

/* Adds the tensor, or gives its place, where there are places. */
static int ask(ns_parameters *p, bool learned, ns_parameter wanted, const char *name, ns_array *out,
               ns_error *err) {
    ns_parameter_list *list = learned ? &p->learning : &p->running;
    if ((size_t)snprintf(wanted.name, sizeof wanted.name, "%s", name) >= sizeof wanted.name)
        return ns_fail(err, NS_EFAIL, "%s: expected a shorter name of a parameter", name);
    if (!p->values) return add(list, &wanted, err);
    const ns_parameter *item = &p->items[learned ? list->next : p->learned_count + list->next];
    list->next++;
    if (strcmp(item->name, wanted.name) != 0)
        return ns_fail(err, NS_EFAIL, "expected the parameter %s, was asked for %s", item->name,
                       wanted.name);
    *out = (ns_array){p->values + item->at, learned ? p->gradient + item->at : NULL};
    return NS_OK;
}

/* New parameters have what is asked for, but no LayerScale and no norm that the description does not name. */
static bool has(void *user, const char *name) {
    (void)user;
    (void)name;
    return true;
}

static int tensor(void *user, const char *name, int dims, const int64_t *shape, bool decays,
                  ns_array *out, ns_error *err) {
    ns_parameter wanted = {.dims = dims, .decays = decays};
    memcpy(wanted.shape, shape, (size_t)dims * sizeof *shape);
    return ask(user, true, wanted, name, out, err);
}

/* In memory matrices lie as [out, in], whatever their file has. */
static int matrix(void *user, const char *name, size_t out, size_t in, bool turned, ns_array *array,
                  bool *is_turned, ns_error *err) {
    const ns_parameter wanted = {
        .dims = 2, .shape = {(int64_t)out, (int64_t)in}, .decays = true, .turned = turned};
    *is_turned = false;
    return ask(user, true, wanted, name, array, err);
}

static int norm(void *user, const char *path, bool required, ns_norm *norm,
                ns_norm_trained *trained, ns_error *err) {
    ns_parameters *p = user;
    const ns_norm_kind *kind = p->norm;
    ns_norm_gradient *g = &trained->gradient;
    ns_array mean = {NULL, NULL}, variance = {NULL, NULL};
    int alphas = kind->alpha_per_channel ? norm->channels : 1, status = NS_OK;
    const struct {
        unsigned flag;
        const char *suffix;
        int count;
        const ns_real **values;
        ns_real **gradient;
    } arrays[] = {
        {NS_HAS_GAMMA, "weight", norm->channels, &norm->gamma, &g->gamma},
        {NS_HAS_BETA, "bias", norm->channels, &norm->beta, &g->beta},
        {NS_HAS_ALPHA, "alpha", alphas, &norm->alpha, &g->alpha},
        {NS_HAS_SHIFT, "shift", 1, &norm->shift, &g->shift},
        {NS_HAS_RUNNING, "running_mean", norm->channels, &mean.values, &mean.gradient},
        {NS_HAS_RUNNING, "running_var", norm->channels, &variance.values, &variance.gradient}};
    (void)required;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !status; i++) {
        char name[64];
        ns_array array = {NULL, NULL};
        bool running = arrays[i].flag == NS_HAS_RUNNING;
        if (!((running ? kind->has : kind->learns) & arrays[i].flag)) continue;
        snprintf(name, sizeof name, "%s.%s", path, arrays[i].suffix);
        status = ask(p, !running, (ns_parameter){.dims = 1, .shape = {arrays[i].count}}, name,
                     &array, err);
        *arrays[i].values = array.values;
        *arrays[i].gradient = array.gradient;
    }
    norm->kind = kind;
    norm->eps = kind->has & NS_HAS_EPS ? (ns_real)p->eps : 0;
    norm->alpha_count = kind->learns & NS_HAS_ALPHA ? alphas : 0;
    norm->mean = trained->mean = (ns_real *)(uintptr_t)mean.values;
    norm->variance = trained->variance = (ns_real *)(uintptr_t)variance.values;
    return status;
}

ns_source ns_parameters_source(ns_parameters *p) {
    return (ns_source){p, has, tensor, matrix, norm, NULL};
}

/* One table, the learned ones first, each at the beginning of a line of the cache. */
static int place(ns_parameters *p, ns_error *err) {
    p->learned_count = p->learning.count;
    p->count = p->learning.count + p->running.count;
    p->items = ns_calloc((size_t)p->count + 1, sizeof *p->items, err);
    if (!p->items) return NS_EFAIL;
    for (int i = 0; i < p->count; i++) {
        ns_parameter *item = &p->items[i];
        *item =
            i < p->learned_count ? p->learning.items[i] : p->running.items[i - p->learned_count];
        item->at = p->total;
        p->total += (item->count + 15) / 16 * 16;
        if (i < p->learned_count) p->learned = p->total;
    }
    return NS_OK;
}

int ns_parameters_allocate(ns_parameters *p, const ns_parameters *of, ns_error *err) {
    int status = place(p, err);
    if (status) return status;
    p->borrowed = of != NULL;
    p->values = of ? of->values : ns_alloc_aligned(p->total, sizeof *p->values, err);
    p->gradient = p->values ? ns_alloc_aligned(p->learned, sizeof *p->gradient, err) : NULL;
    if (!p->gradient) return NS_EFAIL;
    if (!of) memset(p->values, 0, p->total * sizeof *p->values);
    memset(p->gradient, 0, p->learned * sizeof *p->gradient);
    return NS_OK;
}

void ns_parameters_free(ns_parameters *p) {
    free(p->learning.items);
    free(p->running.items);
    free(p->items);
    if (!p->borrowed) free(p->values);
    free(p->gradient);
    *p = (ns_parameters){0};
}

size_t ns_parameters_learned(const ns_parameters *p) {
    size_t n = 0;
    for (int i = 0; i < p->learned_count; i++) n += p->items[i].count;
    return n;
}
