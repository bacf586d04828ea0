#include "probe/weights/unpickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/weights/unpickle_internal.h"

/* ---- memory ---- */

typedef struct block {
    struct block *next;
    size_t used, room;
} block;

void *ns_pickle_room(ns_pickle *p, size_t size) {
    enum { USUAL = 1 << 16, HEAD = (sizeof(block) + 15) / 16 * 16 };
    size = (size + 15) / 16 * 16;
    if (!p->blocks || p->blocks->room - p->blocks->used < size) {
        size_t room = size > USUAL - HEAD ? size : USUAL - HEAD;
        if (size > NS_UNPICKLE_MOST_MEMORY || p->memory + room > NS_UNPICKLE_MOST_MEMORY) {
            ns_fail(p->err, NS_EINPUT,
                    "%s, byte %zu: expected values that take at most %u MiB of memory, found more",
                    p->what, p->begun, NS_UNPICKLE_MOST_MEMORY >> 20);
            return NULL;
        }
        block *b = ns_calloc(1, HEAD + room, p->err);
        if (!b) return NULL;
        *b = (block){p->blocks, 0, room};
        p->blocks = b;
        p->memory += room;
    }
    void *at = (char *)p->blocks + HEAD + p->blocks->used;
    p->blocks->used += size;
    return at;
}

int ns_pickle_no_room(const ns_pickle *p) {
    return p->err && p->err->status ? p->err->status : NS_EFAIL;
}

/* A list of `room` places; they double, and the old ones stay where they are. */
int ns_pickle_widen(ns_pickle *p, ns_py_list *list, size_t room) {
    ns_py *items = ns_pickle_room(p, room * sizeof *items);
    if (!items) return ns_pickle_no_room(p);
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->room = room;
    return NS_OK;
}

int ns_pickle_push(ns_pickle *p, ns_py_list *list, ns_py item) {
    if (list->count == list->room) {
        int status = ns_pickle_widen(p, list, list->room ? 2 * list->room : 4);
        if (status) return status;
    }
    list->items[list->count++] = item;
    return NS_OK;
}

/* ---- messages ---- */

const char *ns_py_kind_name(ns_py_kind kind) {
    static const char *const names[NS_PY_KINDS] = {
        "nothing", "None",      "a truth value", "a whole number", "a number",
        "text",    "bytes",     "a tuple",       "a list",         "a dictionary",
        "a name",  "a storage", "a tensor",      "an object"};
    return names[kind];
}

int ns_pickle_expected(ns_pickle *p, const char *expected, const char *found) {
    return ns_fail(p->err, NS_EINPUT, "%s, byte %zu: expected %s, found %s", p->what, p->begun,
                   expected, found);
}

/* ---- arguments of operations ---- */

static int cut_short(ns_pickle *p) {
    return ns_fail(p->err, NS_EINPUT, "%s: ends within an operation, at byte %zu of %zu", p->what,
                   p->begun, p->size);
}

static int read_number(ns_pickle *p, size_t bytes, uint64_t *out) {
    if (p->size - p->at < bytes) return cut_short(p);
    *out = 0;
    for (size_t i = bytes; i--;) *out = *out << 8 | p->bytes[p->at + i];
    p->at += bytes;
    return NS_OK;
}

/* Text is used where it lies. */
static int read_counted(ns_pickle *p, size_t bytes, ns_py *out) {
    uint64_t length = 0;
    int status = read_number(p, bytes, &length);
    if (status) return status;
    if (length > p->size - p->at || length > UINT32_MAX) return cut_short(p);
    *out = (ns_py){.kind = NS_PY_TEXT, .length = (uint32_t)length};
    out->text = (const char *)p->bytes + p->at;
    p->at += length;
    return NS_OK;
}

static int read_line(ns_pickle *p, ns_py *out) {
    const unsigned char *from = p->bytes + p->at;
    const unsigned char *end = memchr(from, '\n', p->size - p->at);
    if (!end || end - from > UINT32_MAX) return cut_short(p);
    *out = (ns_py){.kind = NS_PY_TEXT, .length = (uint32_t)(end - from)};
    out->text = (const char *)from;
    p->at += out->length + 1;
    return NS_OK;
}

static int read_argument(ns_pickle *p, ns_pickle_takes takes, ns_pickle_argument *a) {
    static const uint8_t sizes[] = {
        [NS_ARGUMENT_ONE] = 1,   [NS_ARGUMENT_TWO] = 2,    [NS_ARGUMENT_FOUR] = 4,
        [NS_ARGUMENT_EIGHT] = 8, [NS_ARGUMENT_COUNT1] = 1, [NS_ARGUMENT_COUNT4] = 4,
        [NS_ARGUMENT_COUNT8] = 8};
    *a = (ns_pickle_argument){0};
    if (takes == NS_ARGUMENT_NO) return NS_OK;
    if (takes >= NS_ARGUMENT_LINE) {
        int status = read_line(p, &a->text);
        return status || takes == NS_ARGUMENT_LINE ? status : read_line(p, &a->second);
    }
    if (takes >= NS_ARGUMENT_COUNT1) return read_counted(p, sizes[takes], &a->text);
    return read_number(p, sizes[takes], &a->number);
}

/* ---- the machine ---- */

static int not_done(ns_pickle *p, const ns_pickle_operation *o, const ns_pickle_argument *a) {
    char found[160];
    if (!o->name)
        snprintf(found, sizeof found, "0x%02x", p->bytes[p->begun]);
    else if (o->takes == NS_ARGUMENT_LINES)
        snprintf(found, sizeof found, "%s of %.*s.%.*s", o->name, ns_py_shown(a->text),
                 a->text.text, ns_py_shown(a->second), a->second.text);
    else
        snprintf(found, sizeof found, "%s", o->name);
    return ns_pickle_expected(p, "an operation that torch.save writes", found);
}

static int run(ns_pickle *p) {
    enum { STOP = '.' };
    for (;;) {
        ns_pickle_argument a;
        p->begun = p->at;
        if (p->at == p->size)
            return ns_fail(p->err, NS_EINPUT, "%s: ends at byte %zu without a STOP", p->what,
                           p->size);
        const unsigned char code = p->bytes[p->at++];
        const ns_pickle_operation *o = &ns_pickle_operations[code];
        if (code == STOP) return NS_OK;
        int status = read_argument(p, o->takes, &a);
        if (!status) status = o->run ? o->run(p, &a) : not_done(p, o, &a);
        if (status) return status;
    }
}

int ns_pickle_read(ns_pickle **out, const unsigned char *bytes, size_t size, const char *what,
                   ns_py *root, size_t *used, ns_error *err) {
    ns_error own = {0};
    *out = NULL;
    ns_pickle *p = ns_calloc(1, sizeof *p, err);
    if (!p) return NS_EFAIL;
    *p = (ns_pickle){.what = what, .bytes = bytes, .size = size, .err = err ? err : &own};
    p->err->status = NS_OK;
    int status = ns_pickle_widen(p, &p->stack, 64); /* never nowhere, even where it is empty */
    if (!status) status = run(p);
    if (!status && (!p->stack.items || p->stack.count != 1 || p->mark_count))
        status = ns_pickle_expected(p, "one value in the end", p->stack.count ? "more" : "none");
    if (status || !p->stack.items) {
        ns_pickle_free(p);
        return status;
    }
    *root = p->stack.items[0];
    *used = p->at;
    *out = p;
    return NS_OK;
}

void ns_pickle_free(ns_pickle *p) {
    for (block *next, *b = p ? p->blocks : NULL; b; b = next) {
        next = b->next;
        free(b);
    }
    free(p);
}

/* ---- what was read ---- */

const ns_py_list *ns_pickle_storages(const ns_pickle *p) {
    return &p->storages;
}

bool ns_py_is(const ns_py *value, const char *text) {
    return value->kind == NS_PY_TEXT && value->length == strlen(text) &&
           !memcmp(value->text, text, value->length);
}

const ns_py *ns_py_get(const ns_py *dict, const char *key) {
    const ns_py *found = NULL;
    if (dict->kind != NS_PY_DICT) return NULL;
    for (size_t i = 0; i + 1 < dict->list->count; i += 2)
        if (ns_py_is(&dict->list->items[i], key)) found = &dict->list->items[i + 1];
    return found;
}
