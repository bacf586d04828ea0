#include "probe/train/parameters.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"

int ns_parameters_add(ns_parameters *p, bool learned, bool decays, int dims, const int64_t *shape,
                      size_t *at, ns_error *err, const char *name, ...) {
    if (p->count == p->room) {
        int room = 2 * p->room + 64;
        ns_parameter *items = ns_realloc(p->items, (size_t)room, sizeof *items, err);
        if (!items) return NS_EFAIL;
        p->items = items;
        p->room = room;
    }
    ns_parameter *item = &p->items[p->count++];
    *item = (ns_parameter){.dims = dims, .at = p->total, .count = 1, .decays = decays};
    va_list args;
    va_start(args, name);
    vsnprintf(item->name, sizeof item->name, name, args);
    va_end(args);
    for (int d = 0; d < dims; d++) {
        item->shape[d] = shape[d];
        if (__builtin_mul_overflow(item->count, (size_t)shape[d], &item->count) ||
            item->count > (size_t)1 << 40)
            return ns_fail(err, NS_EUSAGE, "%s: too many parameters", item->name);
    }
    *at = item->at;
    p->total += (item->count + 15) / 16 * 16; /* each begins on a line of the cache */
    if (learned) {
        p->learned = p->total;
        p->learned_count = p->count;
    }
    return NS_OK;
}

int ns_parameters_allocate(ns_parameters *p, ns_error *err) {
    p->values = ns_alloc_aligned(p->total, sizeof *p->values, err);
    p->gradient = p->values ? ns_alloc_aligned(p->learned, sizeof *p->gradient, err) : NULL;
    if (!p->gradient) return NS_EFAIL;
    memset(p->values, 0, p->total * sizeof *p->values);
    memset(p->gradient, 0, p->learned * sizeof *p->gradient);
    return NS_OK;
}

void ns_parameters_borrow(ns_parameters *p, const ns_parameters *of) {
    free(p->values);
    p->values = of->values;
    p->borrowed = true;
}

void ns_parameters_free(ns_parameters *p) {
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
