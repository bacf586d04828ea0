/* What each operation of a pickle does to the stack of values. Names, and what is made of them: unpickle_globals.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/weights/unpickle_internal.h"

static int wrong_kind(ns_pickle *p, ns_py_kind expected, ns_py_kind found) {
    return ns_pickle_expected(p, ns_py_kind_name(expected), ns_py_kind_name(found));
}

/* ---- the stack ---- */

/* How far the stack may be taken down: what lies below a mark is not within reach. */
static size_t floor_of(const ns_pickle *p) {
    return p->mark_count ? p->marks[p->mark_count - 1] : 0;
}

static int push(ns_pickle *p, ns_py value) {
    return ns_pickle_push(p, &p->stack, value);
}

/* The last value, which stays; NULL and described where there is none. */
static ns_py *top(ns_pickle *p) {
    if (p->stack.count > floor_of(p)) return &p->stack.items[p->stack.count - 1];
    ns_pickle_expected(p, "a value on the stack", "none");
    return NULL;
}

static int pop(ns_pickle *p, ns_py *out) {
    const ns_py *last = top(p);
    if (!last) return NS_EINPUT;
    *out = *last;
    p->stack.count--;
    return NS_OK;
}

/* The values behind the last mark, which goes with them; they stay readable until the next push. */
static int pop_mark(ns_pickle *p, ns_py_list *out) {
    if (!p->mark_count) return ns_pickle_expected(p, "a mark on the stack", "none");
    size_t from = p->marks[--p->mark_count];
    *out = (ns_py_list){.items = p->stack.items + from, .count = p->stack.count - from};
    p->stack.count = from;
    return NS_OK;
}

static int make_list(ns_pickle *p, ns_py_kind kind, const ns_py *items, size_t count, ns_py *out) {
    ns_py_list *list = ns_pickle_room(p, sizeof *list);
    if (!list) return ns_pickle_no_room(p);
    *out = (ns_py){.kind = kind, .list = list};
    if (!count) return NS_OK;
    int status = ns_pickle_widen(p, list, count);
    if (status) return status;
    memcpy(list->items, items, count * sizeof *items);
    list->count = count;
    return NS_OK;
}

/* ---- operations ---- */

static int do_nothing(ns_pickle *p, const ns_pickle_argument *a) {
    (void)p, (void)a;
    return NS_OK;
}

static int do_protocol(ns_pickle *p, const ns_pickle_argument *a) {
    char found[32];
    if (a->number >= 2 && a->number <= 5) return NS_OK;
    snprintf(found, sizeof found, "%llu", (unsigned long long)a->number);
    return ns_pickle_expected(p, "a pickle of protocol 2 to 5", found);
}

static int do_mark(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    if (p->mark_count == NS_UNPICKLE_MOST_MARKS)
        return ns_fail(p->err, NS_EINPUT,
                       "%s, byte %zu: expected at most %d lists within lists, found more", p->what,
                       p->begun, NS_UNPICKLE_MOST_MARKS);
    p->marks[p->mark_count++] = p->stack.count;
    return NS_OK;
}

static int do_pop(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py gone = {0};
    if (p->mark_count && p->stack.count == floor_of(p)) {
        p->mark_count--; /* as Python has it */
        return NS_OK;
    }
    return pop(p, &gone);
}

static int do_pop_mark(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py_list gone;
    return pop_mark(p, &gone);
}

static int do_none(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return push(p, (ns_py){.kind = NS_PY_NONE});
}

static int do_true(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return push(p, (ns_py){.kind = NS_PY_BOOL, .whole = 1});
}

static int do_false(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return push(p, (ns_py){.kind = NS_PY_BOOL, .whole = 0});
}

static int do_whole(ns_pickle *p, const ns_pickle_argument *a) {
    return push(p, (ns_py){.kind = NS_PY_WHOLE, .whole = (int64_t)a->number});
}

static int do_signed(ns_pickle *p, const ns_pickle_argument *a) {
    return push(p, (ns_py){.kind = NS_PY_WHOLE, .whole = (int32_t)(uint32_t)a->number});
}

/* Two's complement, the lowest byte first, of any length. What 64 bits do not hold is a number that nobody looks into. */
static int do_long(ns_pickle *p, const ns_pickle_argument *a) {
    const unsigned char *bytes = (const unsigned char *)a->text.text;
    const size_t n = a->text.length;
    if (n > 8) return push(p, (ns_py){.kind = NS_PY_OBJECT});
    uint64_t value = n && bytes[n - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = n; i--;) value = value << 8 | bytes[i];
    return push(p, (ns_py){.kind = NS_PY_WHOLE, .whole = (int64_t)value});
}

/* The one number of a pickle whose highest byte comes first. */
static int do_real(ns_pickle *p, const ns_pickle_argument *a) {
    ns_py value = {.kind = NS_PY_REAL};
    uint64_t bits = __builtin_bswap64(a->number);
    memcpy(&value.real, &bits, sizeof bits);
    return push(p, value);
}

static int do_text(ns_pickle *p, const ns_pickle_argument *a) {
    return push(p, a->text);
}

static int do_bytes(ns_pickle *p, const ns_pickle_argument *a) {
    ns_py value = a->text;
    value.kind = NS_PY_BYTES;
    return push(p, value);
}

static int do_empty_tuple(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py value = {0};
    int status = make_list(p, NS_PY_TUPLE, NULL, 0, &value);
    return status ? status : push(p, value);
}

static int do_empty_list(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py value = {0};
    int status = make_list(p, NS_PY_LIST, NULL, 0, &value);
    return status ? status : push(p, value);
}

static int do_empty_dict(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py value = {0};
    int status = make_list(p, NS_PY_DICT, NULL, 0, &value);
    return status ? status : push(p, value);
}

static int do_empty_set(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return push(p, (ns_py){.kind = NS_PY_OBJECT});
}

static int do_tuple(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py_list items = {0};
    ns_py value = {0};
    int status = pop_mark(p, &items);
    if (!status) status = make_list(p, NS_PY_TUPLE, items.items, items.count, &value);
    return status ? status : push(p, value);
}

static int tuple_of(ns_pickle *p, size_t count) {
    ns_py value = {0};
    if (p->stack.count - floor_of(p) < count)
        return ns_pickle_expected(p, "values on the stack for a tuple", "too few");
    int status = make_list(p, NS_PY_TUPLE, p->stack.items + p->stack.count - count, count, &value);
    p->stack.count -= count;
    return status ? status : push(p, value);
}

static int do_tuple1(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return tuple_of(p, 1);
}

static int do_tuple2(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return tuple_of(p, 2);
}

static int do_tuple3(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return tuple_of(p, 3);
}

/* Adds values to a list or to a dictionary, which the stack ends with; an object takes them and is not looked into. */
static int add(ns_pickle *p, ns_py_kind to, const ns_py_list *values) {
    const ns_py *last = top(p);
    int status = NS_OK;
    if (!last) return NS_EINPUT;
    if (last->kind == NS_PY_OBJECT) return NS_OK;
    if (last->kind != to) return wrong_kind(p, to, last->kind);
    if (to == NS_PY_DICT && values->count % 2)
        return ns_pickle_expected(p, "a value for each key", "a key without one");
    for (size_t i = 0; i < values->count && !status; i++)
        status = ns_pickle_push(p, last->list, values->items[i]);
    return status;
}

/* The same with the last `count` values. */
static int add_last(ns_pickle *p, ns_py_kind to, size_t count) {
    if (p->stack.count - floor_of(p) < count)
        return ns_pickle_expected(p, "values on the stack to add", "too few");
    p->stack.count -= count;
    const ns_py_list values = {.items = p->stack.items + p->stack.count, .count = count};
    return add(p, to, &values);
}

static int add_marked(ns_pickle *p, ns_py_kind to) {
    ns_py_list values = {0};
    int status = pop_mark(p, &values);
    return status ? status : add(p, to, &values);
}

static int do_append(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return add_last(p, NS_PY_LIST, 1);
}

static int do_appends(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return add_marked(p, NS_PY_LIST);
}

static int do_set_item(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return add_last(p, NS_PY_DICT, 2);
}

static int do_set_items(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return add_marked(p, NS_PY_DICT);
}

/* Of sets, which are objects. */
static int do_add_items(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return add_marked(p, NS_PY_OBJECT);
}

static int do_frozen_set(ns_pickle *p, const ns_pickle_argument *a) {
    int status = do_pop_mark(p, a);
    return status ? status : do_empty_set(p, a);
}

/* ---- the memo ---- */

/* Every entry takes an operation of two bytes at least, so that a number beyond the pickle's size is none that Python gives. */
static int put(ns_pickle *p, uint64_t at) {
    int status = NS_OK;
    if (!top(p)) return NS_EINPUT;
    if (at >= p->size)
        return ns_fail(p->err, NS_EINPUT,
                       "%s, byte %zu: expected fewer values to remember than the %zu bytes of the "
                       "pickle, found number %llu",
                       p->what, p->begun, p->size, (unsigned long long)at);
    if (at >= p->memo.room) status = ns_pickle_widen(p, &p->memo, 2 * (size_t)at + 64);
    if (status) return status;
    p->memo.items[at] = p->stack.items[p->stack.count - 1];
    if (at >= p->memo.count) p->memo.count = (size_t)at + 1;
    return NS_OK;
}

static int do_put(ns_pickle *p, const ns_pickle_argument *a) {
    return put(p, a->number);
}

static int do_memoize(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    return put(p, p->memo.count);
}

static int do_get(ns_pickle *p, const ns_pickle_argument *a) {
    if (a->number < p->memo.count && p->memo.items[a->number].kind != NS_PY_NOTHING)
        return push(p, p->memo.items[a->number]);
    return ns_fail(p->err, NS_EINPUT,
                   "%s, byte %zu: expected a value that was remembered before, found number %llu",
                   p->what, p->begun, (unsigned long long)a->number);
}

/* ---- names ---- */

static int do_global(ns_pickle *p, const ns_pickle_argument *a) {
    const ns_py_global *global = ns_py_global_find(a->text, a->second);
    if (!global) return ns_pickle_unknown_name(p, a->text, a->second);
    return push(p, (ns_py){.kind = NS_PY_GLOBAL, .global = global});
}

static int do_stack_global(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_pickle_argument names = {0};
    int status = pop(p, &names.second);
    if (!status) status = pop(p, &names.text);
    if (status) return status;
    if (names.text.kind != NS_PY_TEXT || names.second.kind != NS_PY_TEXT)
        return ns_pickle_expected(p, "a module and a name in it as text", "another kind of value");
    return do_global(p, &names);
}

/* What is called with a tuple of values: in place of both comes what it makes. */
static int call(ns_pickle *p, ns_py what, ns_py with) {
    ns_py made = {0};
    if (with.kind != NS_PY_TUPLE) return wrong_kind(p, NS_PY_TUPLE, with.kind);
    if (what.kind != NS_PY_GLOBAL) return wrong_kind(p, NS_PY_GLOBAL, what.kind);
    int status = ns_py_global_call(p, what.global, with.list, &made);
    return status ? status : push(p, made);
}

static int do_call(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py what = {0}, with = {0};
    int status = pop(p, &with);
    if (!status) status = pop(p, &what);
    return status ? status : call(p, what, with);
}

/* An object of a class with values by name, too. */
static int do_new_by_name(ns_pickle *p, const ns_pickle_argument *a) {
    ns_py names = {0};
    int status = pop(p, &names);
    return status ? status : do_call(p, a);
}

/* What else an object holds. Of a dictionary that is what Python code has hung onto it (a state dict's _metadata). */
static int do_build(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py state = {0};
    int status = pop(p, &state);
    const ns_py *last = status ? NULL : top(p);
    if (!last) return NS_EINPUT;
    if (last->kind == NS_PY_OBJECT || last->kind == NS_PY_DICT) return NS_OK;
    return wrong_kind(p, NS_PY_OBJECT, last->kind);
}

static int do_storage(ns_pickle *p, const ns_pickle_argument *a) {
    (void)a;
    ns_py id = {0}, storage = {0};
    int status = pop(p, &id);
    if (status) return status;
    if (id.kind != NS_PY_TUPLE) return wrong_kind(p, NS_PY_TUPLE, id.kind);
    status = ns_py_storage_make(p, id.list, &storage);
    if (!status) status = ns_pickle_push(p, &p->storages, storage);
    return status ? status : push(p, storage);
}

/* ---- the table ---- */

/* X(code, name, argument, operation): what Python's pickletools calls them. Those without an operation are of protocols 0 and 1, or ask for
 * what is not in the file. */
#define OPERATIONS(X)                                                                                      \
    X('.', STOP, NO, NULL)                                                                                 \
    X('(', MARK, NO, do_mark)                                                                              \
    X('0', POP, NO, do_pop)                                                                                \
    X('1', POP_MARK, NO, do_pop_mark)                                                                      \
    X('2', DUP, NO, NULL)                                                                                  \
    X('F', FLOAT, LINE, NULL) X('I', INT, LINE, NULL) X('J', BININT, FOUR, do_signed) X(                   \
        'K', BININT1, ONE, do_whole) X('L', LONG, LINE, NULL) X('M', BININT2, TWO, do_whole)               \
        X('N', NONE, NO, do_none) X('P', PERSID, LINE, NULL) X('Q', BINPERSID, NO, do_storage) X(          \
            'R', REDUCE, NO, do_call) X('S', STRING, LINE, NULL) X('T', BINSTRING, COUNT4,                 \
                                                                   do_text)                                \
            X('U', SHORT_BINSTRING, COUNT1, do_text) X('V', UNICODE, LINE, NULL) X(                        \
                'X', BINUNICODE, COUNT4,                                                                   \
                do_text) X('a', APPEND, NO,                                                                \
                           do_append) X('b', BUILD, NO, do_build)                                          \
                X('c', GLOBAL, LINES, do_global) X('d', DICT, NO, NULL) X('e', APPENDS, NO, do_appends) X( \
                    'g',                                                                                   \
                    GET, LINE, NULL) X('h', BINGET, ONE, do_get)                                           \
                    X('i', INST, LINES, NULL) X('j', LONG_BINGET, FOUR, do_get)                            \
                        X('l', LIST, NO, NULL) X('o', OBJ, NO, NULL) X('p', PUT, LINE, NULL) X(            \
                            'q', BINPUT, ONE,                                                              \
                            do_put) X('r', LONG_BINPUT, FOUR, do_put)                                      \
                            X('s', SETITEM, NO, do_set_item) X('t', TUPLE, NO, do_tuple) X(                \
                                'u', SETITEMS, NO, do_set_items) X('}', EMPTY_DICT, NO,                    \
                                                                   do_empty_dict)                          \
                                X(']', EMPTY_LIST, NO,                                                     \
                                  do_empty_list) X(')', EMPTY_TUPLE, NO,                                   \
                                                   do_empty_tuple) X('B', BINBYTES, COUNT4,                \
                                                                     do_bytes)                             \
                                    X('C', SHORT_BINBYTES, COUNT1, do_bytes) X(                            \
                                        'G', BINFLOAT, EIGHT,                                              \
                                        do_real) X(0x80, PROTO, ONE, do_protocol)                          \
                                        X(0x81, NEWOBJ, NO, do_call) X(0x82, EXT1, ONE, NULL) X(           \
                                            0x83,                                                          \
                                            EXT2,                                                          \
                                            TWO, NULL) X(0x84, EXT4, FOUR,                                 \
                                                         NULL) X(0x85, TUPLE1, NO, do_tuple1)              \
                                            X(0x86, TUPLE2, NO, do_tuple2) X(                              \
                                                0x87,                                                      \
                                                TUPLE3,                                                    \
                                                NO,                                                        \
                                                do_tuple3) X(0x88, NEWTRUE, NO,                            \
                                                             do_true) X(0x89, NEWFALSE, NO, do_false)      \
                                                X(0x8a, LONG1, COUNT1,                                     \
                                                  do_long) X(0x8b, LONG4, COUNT4, do_long)                 \
                                                    X(0x8c, SHORT_BINUNICODE, COUNT1, do_text) X(          \
                                                        0x8d,                                              \
                                                        BINUNICODE8,                                       \
                                                        COUNT8,                                            \
                                                        do_text) X(0x8e, BINBYTES8, COUNT8,                \
                                                                   do_bytes)                               \
                                                        X(0x8f, EMPTY_SET, NO, do_empty_set) X(            \
                                                            0x90,                                          \
                                                            ADDITEMS,                                      \
                                                            NO,                                            \
                                                            do_add_items)                                  \
                                                            X(0x91, FROZENSET, NO,                         \
                                                              do_frozen_set) X(0x92,                       \
                                                                               NEWOBJ_EX, NO,              \
                                                                               do_new_by_name)             \
                                                                X(0x93, STACK_GLOBAL, NO,                  \
                                                                  do_stack_global) X(0x94,                 \
                                                                                     MEMOIZE, NO,          \
                                                                                     do_memoize)           \
                                                                    X(0x95, FRAME, EIGHT,                  \
                                                                      do_nothing)                          \
                                                                        X(0x96, BYTEARRAY8,                \
                                                                          COUNT8,                          \
                                                                          do_bytes)                        \
                                                                            X(0x97, NEXT_BUFFER,           \
                                                                              NO, NULL)                    \
                                                                                X(0x98,                    \
                                                                                  READONLY_BUFFER,         \
                                                                                  NO, NULL)

#define ROW(code, name, argument, operation) [code] = {#name, NS_ARGUMENT_##argument, operation},
const ns_pickle_operation ns_pickle_operations[256] = {OPERATIONS(ROW)};
